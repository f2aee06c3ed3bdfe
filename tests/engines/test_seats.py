"""Several conversations in one language model: each as if it were alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.llama_cpp import SHARED_CONTEXT_TOKENS, LlamaCpp
from goassist_desktop.pipeline.frames import Message
from goassist_desktop.pipeline.protocols import LanguageModel, SeatedModel
from tests.engines.test_language_model import BATCHES, ENDLESS, MODEL, SYSTEM, user

pytestmark = pytest.mark.models

QUESTIONS = (
    ("What is the capital of France?", "Paris"),
    ("What is the capital of Germany?", "Berlin"),
    ("What is the capital of Italy?", "Rome"),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaCpp]:
    engine = LlamaCpp(weights.path(MODEL), binding="xllamacpp")
    engine.seats = 3
    engine.load()
    yield engine
    engine.close()


def ask(model: LanguageModel, *messages: Message, max_tokens: int = 30) -> str:
    return "".join(model.reply(messages, max_tokens=max_tokens, temperature=0.0, seed=1))


def test_it_has_as_many_as_were_asked_for(engine: LlamaCpp) -> None:
    assert isinstance(engine, SeatedModel)
    assert engine.seats == 3
    assert engine.seat(0) is engine
    for index in range(3):
        assert engine.seat(index).context_tokens == SHARED_CONTEXT_TOKENS
        assert engine.seat(index).info == engine.info


def test_all_are_answered_at_once_and_none_with_anothers_words(engine: LlamaCpp) -> None:
    answers: dict[int, str] = {}

    def converse(index: int) -> None:
        question, _ = QUESTIONS[index]
        answers[index] = ask(engine.seat(index), SYSTEM, user(question))

    threads = [threading.Thread(target=converse, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, (_, capital) in enumerate(QUESTIONS):
        assert capital in answers[index]
        others = {name for _, name in QUESTIONS} - {capital}
        assert not any(name in answers[index] for name in others)


def test_a_seat_reads_its_own_conversation_once(engine: LlamaCpp) -> None:
    one, other = engine.seat(1), engine.seat(2)
    said = [SYSTEM, user("My name is Wilhelmina.")]
    told = [SYSTEM, user("My name is Ferdinand.")]
    ask(one, *said, max_tokens=1)
    ask(other, *told, max_tokens=1)
    ask(one, *said, max_tokens=1)
    assert engine.tokens_read <= 2
    ask(other, *told, max_tokens=1)
    assert engine.tokens_read <= 2


def test_who_leaves_ends_only_their_own_reply(engine: LlamaCpp) -> None:
    leaving = engine.seat(1).reply([ENDLESS], max_tokens=400, temperature=0.0, seed=1)
    staying = engine.seat(2).reply([ENDLESS], max_tokens=60, temperature=0.0, seed=1)
    assert next(leaving) and next(staying)
    leaving.close()  # type: ignore[attr-defined]
    assert len(list(staying)) == 59


def test_another_question_of_one_seat_ends_its_own_reply_only(engine: LlamaCpp) -> None:
    before = engine.seat(1).reply([ENDLESS], max_tokens=400, temperature=0.0, seed=1)
    other = engine.seat(2).reply([ENDLESS], max_tokens=40, temperature=0.0, seed=1)
    next(before), next(other)
    assert "Paris" in ask(engine.seat(1), SYSTEM, user(QUESTIONS[0][0]))
    assert list(before) == []
    assert len(list(other)) == 39


def test_a_long_prompt_of_one_does_not_keep_another(engine: LlamaCpp) -> None:
    words = engine.seat(2).reply([ENDLESS], max_tokens=40, temperature=0.0, seed=1)
    next(words)
    reading = threading.Thread(target=engine.seat(1).prefill, args=([SYSTEM, BATCHES],))
    reading.start()
    made = sum(1 for _ in words)
    reading.join()
    assert made == 39
