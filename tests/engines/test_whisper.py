"""What Whisper alone can: languages, hot words, and a graphics card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctranslate2
import jiwer
import numpy as np
import pytest
from faster_whisper import tokenizer

from goassist_desktop.pipeline.engines.languages import LANGUAGES
from goassist_desktop.pipeline.engines.whisper import HOT_TOKENS, Whisper
from goassist_desktop.pipeline.errors import ConfigError, EngineFailed, ModelMissing
from tests.engines import sounds
from tests.engines.sounds import WORDS, recording
from tests.engines.test_recognition import NORMAL

pytestmark = pytest.mark.models

ABROAD = {"de": "espeak_german", "es": "espeak_spanish", "fr": "espeak_french"}
NAMES = "Katarzyna Wojcik, Siobhan, GoAssist"


@pytest.fixture(scope="module")
def tiny(models: Callable[[str], Path]) -> Path:
    return models("faster-whisper-tiny.en")


@pytest.fixture(scope="module")
def base(models: Callable[[str], Path]) -> Path:
    try:
        return models("faster-whisper-base")
    except ModelMissing:
        pytest.skip("the model faster-whisper-base was not pulled")


def loaded(folder: Path, **options: Any) -> Whisper:
    engine = Whisper(folder, **options)
    engine.load()
    return engine


def errors(name: str, heard: str) -> float:
    return jiwer.wer(
        [WORDS[name]], [heard], reference_transform=NORMAL, hypothesis_transform=NORMAL
    )


# Languages ----------------------------------------------------------------------------------------


def test_the_languages_are_whisper_s() -> None:
    assert set(LANGUAGES) == set(tokenizer._LANGUAGE_CODES)


@pytest.mark.parametrize("language", ABROAD)
def test_a_language_that_is_set_is_understood(base: Path, language: str) -> None:
    heard = loaded(base, language=language).transcribe(recording(ABROAD[language]))
    assert errors(ABROAD[language], heard.text) <= 0.3


def test_a_language_is_recognised_and_kept_until_another_is_clear(base: Path) -> None:
    engine = loaded(base, language="auto")
    for language, name in (*ABROAD.items(), ("en", "espeak_weather"), ("de", "espeak_german")):
        assert errors(name, engine.transcribe(recording(name)).text) <= 0.3
        assert engine._spoken == language
    # Half a word could be of any language, and noise is of none.
    engine.transcribe(recording("espeak_german", 0.2, 0.5))
    engine.transcribe(sounds.noise(2, 0.05))
    assert engine._spoken == "de"


@pytest.mark.parametrize(("clear", "spoken"), [(0.4, "de"), (0.5, "es")])
def test_how_clear_another_language_must_be(
    base: Path, monkeypatch: pytest.MonkeyPatch, clear: float, spoken: str
) -> None:
    engine = loaded(base, language="auto")
    engine._spoken = "de"
    found = {"es": clear, "en": 0.7 - clear, "de": 0.3}
    monkeypatch.setattr(engine, "_languages", lambda _: found)
    engine.transcribe(recording("espeak_spanish"))
    assert engine._spoken == spoken


def test_a_model_of_english_takes_no_other_language(tiny: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Whisper(tiny, language="de").load()
    assert str(caught.value) == (
        "recognition.language = 'de': faster-whisper-tiny.en knows English alone"
    )
    heard = loaded(tiny, language="auto").transcribe(recording("espeak_weather"))
    assert errors("espeak_weather", heard.text) == 0


def test_a_language_that_came_with_later_models(base: Path) -> None:
    with pytest.raises(ConfigError, match=r"'yue': faster-whisper-base does not know it"):
        Whisper(base, language="yue").load()


# Hot words ----------------------------------------------------------------------------------------


def test_hot_words_are_spelled_as_they_are_given(tiny: Path) -> None:
    said = recording("espeak_name")
    assert "Wojcik" not in loaded(tiny).transcribe(said).text
    heard = loaded(tiny, hot_words=NAMES).transcribe(said).text
    assert heard == WORDS["espeak_name"]


@pytest.fixture(scope="module", params=["Siobhan", NAMES])
def hot(tiny: Path, request: pytest.FixtureRequest) -> Whisper:
    return loaded(tiny, hot_words=request.param)


@pytest.mark.parametrize("sound", sorted(sounds.not_speech(1)))
def test_hot_words_are_not_heard_where_nobody_speaks(hot: Whisper, sound: str) -> None:
    for seconds in (1, 5):
        assert hot.transcribe(sounds.not_speech(seconds)[sound]).text == ""


@pytest.mark.parametrize("name", ["espeak_stop", "espeak_wait", "espeak_thank_you", "beckett"])
def test_hot_words_do_not_take_the_place_of_others(hot: Whisper, name: str) -> None:
    assert errors(name, hot.transcribe(recording(name)).text) <= 0.1


def test_more_hot_words_than_there_is_room_for(tiny: Path) -> None:
    engine = loaded(tiny, hot_words=",".join(["Katarzyna Wojcik", *["Zbigniew"] * 300]))
    assert HOT_TOKENS - 20 < len(engine._hot) <= HOT_TOKENS
    assert engine.transcribe(recording("espeak_name")).text == WORDS["espeak_name"]
    assert engine.transcribe(np.zeros(30 * 16_000, np.float32)).text == ""
    assert loaded(tiny, hot_words=" , ,")._hot == []


# A graphics card, played by the processor ---------------------------------------------------------

FULL = "CUDA failed with error out of memory"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Puts one in: `faults` maps the arithmetic to what it raises for it when a model is loaded.

    Returns the list of what was tried.
    """
    real = ctranslate2.models.Whisper

    def put_in(
        faults: dict[str, str], able: tuple[str, ...] = ("float32", "float16", "int8_float16")
    ) -> list[str]:
        tried: list[str] = []

        def model(
            path: str, *, device: str, device_index: int, compute_type: str, intra_threads: int
        ) -> Any:
            tried.append(f"{device} {compute_type}" + f" on {device_index}" * bool(device_index))
            if compute_type in faults:
                raise RuntimeError(faults[compute_type])
            return real(path, device="cpu", compute_type="int8", intra_threads=intra_threads)

        monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
        monkeypatch.setattr(ctranslate2, "get_supported_compute_types", lambda *_: {*able})
        monkeypatch.setattr(ctranslate2.models, "Whisper", model)
        return tried

    return put_in


def test_a_graphics_card_is_used_where_there_is_one(
    tiny: Path, card: Callable[..., list[str]]
) -> None:
    tried = card({})
    assert "weather" in loaded(tiny).transcribe(recording("espeak_weather")).text
    assert tried == ["cuda float16"]
    loaded(tiny, device="cpu")
    loaded(tiny, device="cuda:1")
    assert tried[1:] == ["cpu int8", "cuda float16 on 1"]


def test_a_card_with_little_memory_gets_a_smaller_model(
    tiny: Path, card: Callable[..., list[str]]
) -> None:
    tried = card({"float16": FULL})
    loaded(tiny)
    assert tried == ["cuda float16", "cuda int8_float16"]


def test_an_old_card_has_other_arithmetic(tiny: Path, card: Callable[..., list[str]]) -> None:
    tried = card({}, able=("float32", "int8_float32"))
    loaded(tiny)
    assert tried == ["cuda int8_float32"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (FULL, "the graphics card has too little memory for the model; "),
        ("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED", "the graphics card has too litt"),
        (
            "Library libcublas.so.12 is not found or cannot be loaded",
            "libcublas.so.12, a library of CUDA, is not installed; ",
        ),
        (
            "CUDA failed with error CUDA driver version is\ninsufficient for CUDA runtime version",
            "the graphics card failed: CUDA failed with error CUDA driver version is insufficient ",
        ),
    ],
)
@pytest.mark.parametrize("when", ["loading", "warming up", "listening"])
def test_a_card_that_fails(
    tiny: Path,
    card: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    message: str,
    when: str,
) -> None:
    card(dict.fromkeys(("float32", "float16", "int8_float16"), fault) if when == "loading" else {})
    engine = Whisper(tiny)

    def fails(*_: object) -> Any:
        raise RuntimeError(fault)

    if when == "listening":
        engine.load()
    if when != "loading":
        monkeypatch.setattr(engine, "_understand", fails)
    with pytest.raises(EngineFailed) as caught:
        if when == "listening":
            engine.transcribe(recording("espeak_stop"))
        else:
            engine.load()
    assert str(caught.value).startswith(f"recognition: {message}")
    assert str(caught.value).endswith("; recognition.device = 'cpu' does without it")
    assert "\n" not in str(caught.value)
    if when == "warming up":
        with pytest.raises(RuntimeError, match="before load"):
            engine.transcribe(recording("espeak_stop"))


def test_a_damaged_model_is_not_the_card_s_fault(
    tiny: Path, card: Callable[..., list[str]]
) -> None:
    card({"float16": "File model.bin is incomplete: failed to read a buffer of size 4"})
    with pytest.raises(ModelMissing, match=r"model\.bin is damaged"):
        Whisper(tiny).load()


def test_a_card_is_asked_for_where_there_is_none(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)
    with pytest.raises(EngineFailed, match=r"^recognition.device = 'cuda': no graphics card"):
        Whisper(tiny, device="cuda").load()


def test_what_fails_on_the_processor_is_a_bug(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = loaded(tiny, device="cpu")

    def fails(*_: object) -> Any:
        raise RuntimeError(FULL)

    monkeypatch.setattr(engine, "_understand", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        engine.transcribe(recording("espeak_stop"))
