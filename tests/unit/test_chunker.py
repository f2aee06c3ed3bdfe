"""The chunker: nothing lost, early first clause, no cut inside what belongs together."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.chunker import MOST_WORDS, SLACK_WORDS, WORDS, Chunker


def clauses(text: str, *cuts: int) -> list[str]:
    """Clauses of a text given in pieces that end at `cuts`."""
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    chunker = Chunker()
    out = []
    for start, end in itertools.pairwise(ends):
        out += chunker.push(text[start:end])
    return out + chunker.finish()


ODD = """the of and because Paris is, 3.14 1,000 Dr. e.g. U.S. https://a.b/c,d.e well; no. No.
ends. what? yes! (so) **bold** `x` - — ... 5 km * # 1. 2) " 'tis 日本。 🎉 a\u0301""".split()
prose = st.lists(st.sampled_from([*ODD, "\n", "\n\n"])).map(" ".join)
texts = prose | st.text()


@given(texts, st.lists(st.integers(0, 300)))
def test_pieces_change_nothing_and_no_character_is_lost(text: str, cuts: list[int]) -> None:
    out = clauses(text, *cuts)
    assert "".join(out) == text
    assert out == clauses(text)
    assert all(out)


@given(texts)
def test_a_clause_comes_with_the_first_character_of_the_next_word(text: str) -> None:
    """What a prefix already gave stays, and the text after a clause begins with a word."""
    chunker = Chunker()
    given_so_far = ""
    for index, char in enumerate(text):
        for clause in chunker.push(char):
            given_so_far += clause
            assert clause[-1].isspace()
            assert text[index - 1].isspace()
            assert not text[len(given_so_far)].isspace()


@given(texts)
def test_a_clause_before_the_last_holds_a_word_and_not_too_many(text: str) -> None:
    out = clauses(text)
    counts = [sum(any(c.isalnum() for c in word) for word in clause.split()) for clause in out]
    assert all(0 < count for count in counts[:-1])
    assert all(count <= MOST_WORDS for count in counts)


@given(st.lists(st.sampled_from("river stone green walk about the and of".split()), min_size=8))
def test_plain_words_without_punctuation_still_start_early(words: list[str]) -> None:
    first = clauses(" ".join(words))[0]
    assert len(first.split()) <= WORDS[0] + SLACK_WORDS


@pytest.mark.parametrize(
    "text",
    [
        "Pi is 3.14 and so on",
        "About 1,000 of them",
        "Ask Dr. Smith about it",
        "Fruit, e.g. apples and pears",
        "Mr. J. K. Rowling wrote",
        "It is No. 5 again",
        "See https://a.example/x,y.z?q=1 now",
        "In the U.S. Congress",
        "Costs approx. $5.20 each",
        "Well, it is at 10:30 today",
    ],
)
def test_what_belongs_together_stays(text: str) -> None:
    """As a second clause, where only sentence ends and four words at a comma cut."""
    assert clauses("Now. " + text)[1:] == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The capital of France is Paris. It is famous for its food.",
            ["The capital of France ", "is Paris. ", "It is famous for its food."],
        ),
        (
            "Whales are fascinating creatures with complex social structures.",
            ["Whales are fascinating ", "creatures with complex social structures."],
        ),
        ("Sure! I can do that.", ["Sure! ", "I can do that."]),
        (
            "Yes, of course, but only because you asked so nicely, my friend.",
            ["Yes, of course, ", "but only because you asked so nicely, ", "my friend."],
        ),
        (
            "I think that the best way to learn is to do it.",
            ["I think that the best way ", "to learn is to do it."],
        ),
        (
            "Photosynthesis is the process by which green plants live",
            ["Photosynthesis is the process ", "by which green plants live"],
        ),
        (
            "People like music because it is a form of art.",
            ["People like music ", "because it is a form of art."],
        ),
        (
            "A ship at sea was a beautiful sight to see.",
            ["A ship at sea ", "was a beautiful sight to see."],
        ),
        (
            "Water boils at 100 degrees Celsius (212 degrees Fahrenheit).",
            ["Water boils at 100 degrees ", "Celsius (212 degrees Fahrenheit)."],
        ),
        ("Seven times eight equals 56.", ["Seven times eight equals ", "56."]),
        ("It all began in 1984.", ["It all began ", "in 1984."]),
        (
            "It was on May 5, 2024, in Rome.",
            ["It was on May 5, 2024, ", "in Rome."],
        ),
        ('He said "Go." Then he left.', ['He said "Go." ', "Then he left."]),
        ("1. First this.\n2. Then that.", ["1. First this.\n", "2. Then that."]),
        ("No. It is late.", ["No. ", "It is late."]),
        ("One line\nanother line", ["One line\n", "another line"]),
        ("Hello", ["Hello"]),
        ("", []),
        (" \n", [" \n"]),
    ],
)
def test_examples(text: str, expected: list[str]) -> None:
    assert clauses(text) == expected


def test_the_hard_maximum_holds_without_any_place_to_cut() -> None:
    counts = [len(clause.split()) for clause in clauses("7 " * 100)]
    assert counts == [MOST_WORDS, MOST_WORDS, 100 - 2 * MOST_WORDS]


def test_finish_makes_it_ready_for_the_next_reply() -> None:
    chunker = Chunker()
    reply = "Sure. I will do that for you, gladly."
    first = chunker.push(reply) + chunker.finish()
    assert chunker.push(reply) + chunker.finish() == first
