"""Text for speech: what is said for what was written, and back."""

import itertools
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goassist_desktop.pipeline.chunker import Chunker
from goassist_desktop.pipeline.speech_text import (
    MAX_CHARACTERS,
    heard_written,
    speakable,
)


def said(text: str) -> str:
    return " ".join(token.spoken for token in speakable(text) if token.spoken)


EXAMPLES = {
    # numbers
    "It is 3.14, or 1,000 times 0.5.": (
        "It is three point one four, or one thousand times zero point five."
    ),
    "-5 and \u22123.2": "minus five and minus three point two",
    "the 1st, 22nd and 100th": "the first, twenty-second and one hundredth",
    "1/2 cup, 3/4 of 2½": "one half cup, three quarters of two and a half",
    "3-5 apples": "three to five apples",
    "agent 007": "agent zero zero seven",
    # units
    "3.5 km": "three point five kilometers",
    "1 km at 5km/h": "one kilometer at five kilometers per hour",
    "20 % of 50%": "twenty percent of fifty percent",
    "25 °C, 1 °C, -5°F": (
        "twenty-five degrees Celsius, one degree Celsius, minus five degrees Fahrenheit"
    ),
    "5 m² and 6 m³": "five square meters and six cubic meters",
    "16 GB, ~5 µm, <5 ms": (
        "sixteen gigabytes, about five micrometers, less than five milliseconds"
    ),
    "5-10 km": "five to ten kilometers",
    # money
    "$5.20": "five dollars and twenty cents",
    "$1, $0.99, €5 and 5 €": "one dollar, ninety-nine cents, five euros and five euros",
    "$5.2 million or $100k": ("five point two million dollars or one hundred thousand dollars"),
    # times and dates
    "10:30, 10:05am, 10:00": "ten thirty, ten oh five AM, ten o'clock",
    "at 5 p.m.": "at five PM.",
    "in 2024 and since 1905": "in twenty twenty-four and since nineteen oh-five",
    "2024 cats": "two thousand twenty-four cats",
    "between 1939 and 1945": "between nineteen thirty-nine and nineteen forty-five",
    "1939-1945": "nineteen thirty-nine to nineteen forty-five",
    "the 1990s": "the nineteen nineties",
    "2024-05-01": "May first, twenty twenty-four",
    "It took 5 ms, then 7 min.": "It took five milliseconds, then seven minutes.",
    "Apr 5 and 6 Sept. were": "April fifth and the sixth of September were",
    "the speed in km/h": "the speed in kilometers per hour",
    "Oct. 5, 2024": "October fifth, twenty twenty-four",
    # telephone numbers and addresses
    "Call 555-867-5309": "Call five five five, eight six seven, five three zero nine",
    "(555) 123-4567": "five five five, one two three, four five six seven",
    "Dial 5551234567": "Dial five five five one two three four five six seven",
    "See https://www.example.com/path?x=1.": "See example dot com.",
    "a.b@example.org": "a dot b at example dot org",
    # meaning is kept
    "x < 5 and y > 3": "x is less than five and y is greater than three",
    "2+2=4 and x² ≠ 9": "two plus two equals four and x squared is not equal to nine",
    "2 * 3 - 4 / 5": "two times three minus four divided by five",
    "C++, C#, R&D and AT&T": "C plus plus, C sharp, R and D and AT and T",
    "GPT-4 and H₂O": "GPT four and H two O",
    "No. 5 is #1": "number five is number one",
    "Dr. Smith, e.g. here, etc.": "Doctor Smith, for example here, et cetera.",
    "well-known, it's": "well-known, it's",
    # markup and pictures
    "**bold**, *it* and `code_here`": "bold, it and code here",
    "# A heading\n- an item\n> a quote": "A heading an item a quote",
    "[the docs](https://a.example/b) and [two words](http://c.example)": ("the docs and two words"),
    "| Name | Age |\n|---|:--:|\n| Ann | 5 |": "Name, Age, Ann, five,",
    "```python\nx = 5\n```": "x equals five",
    "<b>Hi</b> &amp; bye<br/>": "Hi and bye",
    "Hello 😀 world 👍🏽!": "Hello world!",
    "So — they say (really) — yes": "So, they say, really, yes",
    "\x07Bell\u200b \ufeffand\x00 nul": "Bell and nul",
    "“Go.” Well… he went!": "Go. Well, he went!",
    "": "",
    " \n ": "",
    "😀 ** — ": "",
}


@pytest.mark.parametrize(("text", "expected"), EXAMPLES.items())
def test_examples(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "heard", "expected"),
    [
        ("It is  3.5 km away.", 2, "It is"),
        ("It is  3.5 km away.", 4, "It is"),
        ("It is  3.5 km away.", 5, "It is  3.5"),
        ("It is  3.5 km away. ", 7, "It is  3.5 km away. "),
        ("**Yes**, 😀 of course. 👍", 1, "**Yes**,"),
        ("**Yes**, 😀 of course. 👍", 2, "**Yes**, 😀 of"),
        ("**Yes**, 😀 of course. 👍", 3, "**Yes**, 😀 of course. 👍"),
        ("- one", 0, ""),
        ("😀", 0, ""),
        ("```python\n", 0, ""),
        ("```python\n", 2, "```python\n"),
        ("Yes. ", 7, "Yes. "),
    ],
)
def test_what_was_heard_is_told_in_written_words(text: str, heard: int, expected: str) -> None:
    assert heard_written(text, speakable(text), heard) == expected


pieces = st.sampled_from(
    """1 2024 3.5 1,000 km % °C $5 $5.20 - -- — * ** _ ` ``` # > < = + / ( ) [ ]( http:// a.b x y
    May 10:30 1/2 -3 1st ½ ² ① ٣ 😀 the and , . ! ? ' " | &lt; \x07 \u200d é 日""".split()
)
mixtures = st.lists(pieces | st.sampled_from([" ", "\n"])).map("".join)
texts = mixtures | st.text()


@given(texts)
def test_each_written_word_has_its_place(text: str) -> None:
    assert [token.written for token in speakable(text)] == text.split()


@given(texts)
def test_only_what_can_be_said_is_left(text: str) -> None:
    spoken = said(text)
    assert all(char in " .,;:!?'-" or unicodedata.category(char)[0] in "LM" for char in spoken), (
        spoken
    )
    assert all(any(char.isalpha() for char in word) for word in spoken.split())
    assert spoken == " ".join(spoken.split())


@given(st.lists(st.sampled_from("0123456789.,-/:%$ ")).map("".join))
def test_no_number_is_lost(text: str) -> None:
    for token in speakable(text):
        if any(char.isdigit() for char in token.written):
            assert token.spoken


@given(st.lists(st.text(string.ascii_letters, min_size=2, max_size=8).map(str.lower)))
def test_plain_words_stay(words: list[str]) -> None:
    readings = [token.spoken for token in speakable(" ".join(words))]
    units = {"am", "pm", "vs"}
    assert [r for r, w in zip(readings, words, strict=True) if w not in units] == [
        w for w in words if w not in units
    ]


@given(texts)
def test_what_was_heard_is_a_growing_beginning_of_the_text(text: str) -> None:
    tokens = speakable(text)
    total = len(said(text).split())
    heard = [heard_written(text, tokens, count) for count in range(total + 1)]
    assert heard[0] == ""
    assert all(text.startswith(part) for part in heard)
    assert all(len(a) <= len(b) for a, b in itertools.pairwise(heard))
    if total:
        assert heard[-1] == text


@given(texts)
def test_a_reply_heard_to_its_end_is_the_reply(text: str) -> None:
    chunker = Chunker()
    clauses = chunker.push(text) + chunker.finish()
    heard = []
    for clause in clauses:
        tokens = speakable(clause)
        words = sum(len(token.spoken.split()) for token in tokens)
        heard.append(heard_written(clause, tokens, words or 1))
    assert "".join(heard).split() == text.split()


@pytest.mark.parametrize(
    "text",
    ["word " * 2000, "1,234,567 " * 300, "9" * 5000, "1-" * 3000, "a" * 5000, "x<" * 2500],
)
def test_the_length_is_limited_and_what_is_left_out_is_never_heard(text: str) -> None:
    tokens = speakable(text)
    spoken = said(text)
    assert len(spoken) <= MAX_CHARACTERS
    assert len(tokens) < len(text.split()) or not tokens
    assert len(heard_written(text, tokens, len(spoken.split()))) < len(text)
