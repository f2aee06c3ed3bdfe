"""A language of tones: every word is a pitch, so that speech can be made and read exactly.

Small real implementations of all engines stand on it. What they hear and say is samples, so a
dropped first word, a stale sound or a word cut in half shows as it would to a listener.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import Message, Samples, Speech, Transcript, Word
from goassist_desktop.pipeline.protocols import EngineInfo

LOWEST_HZ, STEP_HZ = 400.0, 40.0
WORD_S, GAP_S = 0.16, 0.05
_EDGE_S = 0.005


class Tongue:
    """Which word is which pitch. Words get theirs when they are first said."""

    def __init__(self, lowest_hz: float) -> None:
        self._lowest_hz = lowest_hz
        self._words: list[str] = []

    def pitch(self, word: str) -> float:
        if word not in self._words:
            self._words.append(word)
        return self._lowest_hz + STEP_HZ * self._words.index(word)

    def word(self, hz: float) -> str | None:
        index = round((hz - self._lowest_hz) / STEP_HZ)
        return self._words[index] if 0 <= index < len(self._words) else None

    def say(self, text: str, rate_hz: int) -> tuple[Samples, list[Word]]:
        """The sound of a text, and its words in it."""
        parts: list[Samples] = []
        words: list[Word] = []
        length = 0
        for word in text.split():
            t = np.arange(round(WORD_S * rate_hz)) / rate_hz
            edge = np.minimum(1.0, np.minimum(t, WORD_S - t) / _EDGE_S)
            tone = 0.3 * np.sin(2 * np.pi * self.pitch(word) * t) * edge
            words.append(Word(word, length, length + len(tone)))
            parts += [tone, np.zeros(round(GAP_S * rate_hz))]
            length += len(parts[-2]) + len(parts[-1])
        return np.concatenate(parts).astype(np.float32), words

    def read(self, samples: Samples, rate_hz: int) -> list[str]:
        """The words in a sound that are there for most of their length; noise is none."""
        return [word for word, _ in self.read_at(samples, rate_hz)]

    def read_at(self, samples: Samples, rate_hz: int) -> list[tuple[str, int]]:
        """Words and the position each begins at."""
        size = rate_hz // 100
        blocks = samples[: len(samples) // size * size].reshape(-1, size)
        loud = np.sqrt(np.mean(np.square(blocks), axis=1)) > 0.02
        found = []
        start = None
        for index, is_loud in enumerate([*loud.tolist(), False]):
            if is_loud and start is None:
                start = index
            elif not is_loud and start is not None:
                part = samples[start * size : index * size]
                if len(part) >= 0.75 * WORD_S * rate_hz and (word := self._of(part, rate_hz)):
                    found.append((word, start * size))
                start = None
        return found

    def _of(self, part: Samples, rate_hz: int) -> str | None:
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 1 << 16)) ** 2
        peak = int(np.argmax(spectrum))
        near = spectrum[max(0, peak - 200) : peak + 200].sum()
        if near < 0.8 * spectrum.sum():
            return None  # a cough
        return self.word(peak * rate_hz / (1 << 16))


USER = Tongue(LOWEST_HZ)


def cough(seconds: float, rate_hz: int) -> Samples:
    noise = np.random.default_rng(3).standard_normal(round(seconds * rate_hz))
    return (0.1 * noise).astype(np.float32)


class _Tones:
    """What the engines of this language share."""

    stage = ""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.info = EngineInfo(self.stage, "tones", "tones", "test", stand_in=True)

    def load(self) -> None:
        pass

    def close(self) -> None:
        pass


class LoudnessActivity(_Tones):
    """Speech is what is loud for two frames: as slow to notice an onset as a real one."""

    stage = "voice_activity"
    broken = False

    def open(self) -> LoudnessStream:
        return LoudnessStream(self)


class LoudnessStream:
    frame_samples = 512

    def __init__(self, activity: LoudnessActivity) -> None:
        self._activity = activity
        self._before = False

    def probability(self, frame: Samples) -> float:
        assert frame.shape == (512,)
        if self._activity.broken:
            raise EngineFailed("voice activity broke")
        loud = bool(np.sqrt(np.mean(np.square(frame))) > 0.02)
        before, self._before = self._before, loud
        return 1.0 if loud and before else 0.0


class WordDetector(_Tones):
    """A turn is over when its last word is not 'hesitant'."""

    stage = "turn_detection"
    broken = False

    def finished(self, audio: Samples) -> float:
        if self.broken:
            raise EngineFailed("the turn detector broke")
        words = USER.read(audio, 16_000)
        return 0.02 if words and words[-1] == "hesitant" else 0.98


class ToneRecogniser(_Tones):
    stage = "recognition"

    def __init__(self) -> None:
        super().__init__()
        self.fail_next = False
        self.broken = False
        self.longest_s = 0.0
        self.asked = 0

    def transcribe(self, audio: Samples) -> Transcript:
        self.asked += 1
        self.longest_s = max(self.longest_s, len(audio) / 16_000)
        if self.fail_next or self.broken:
            self.fail_next = False
            raise EngineFailed("the recogniser broke")
        return Transcript(" ".join(USER.read(audio, 16_000)))


class ScriptedModel(_Tones):
    """Answers what `answer` says, word by word, and remembers what it was asked."""

    stage = "language_model"

    def __init__(self, answer: Callable[[str], str]) -> None:
        super().__init__()
        self.seconds = {"reply": 0.02, "count_tokens": 0.001, "prefill": 0.01}
        self.context_tokens = 8192
        self.answer = answer
        self.asked: list[list[Message]] = []
        self.read: list[list[Message]] = []
        self.made = 0
        self.open_replies = 0
        self.fail_after: int | None = None

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Iterator[str]:
        self.asked.append(list(messages))
        self.open_replies += 1
        *_, asked = (message for message in messages if message.role == "user")
        begun = messages[-1].text.split() if messages[-1].role == "assistant" else []
        words = self.answer(asked.text.rpartition("\n")[2]).split()
        assert words[: len(begun)] == begun, "it is to go on with another answer than its own"
        try:
            for index, word in enumerate(words[len(begun) :][:max_tokens]):
                if index == self.fail_after:
                    raise EngineFailed("the model broke")
                self.made += 1
                yield f"{' ' if begun or index else ''}{word}"
        finally:
            self.open_replies -= 1

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None:
        self.read.append(list(messages))

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.text.split()) for message in messages)


class ToneVoice(_Tones):
    """Speaks in a higher register than the user, so that a recording of both can be told apart."""

    stage = "synthesis"
    rate_hz = 24_000

    def __init__(self) -> None:
        super().__init__()
        self.seconds = {"speak": 0.02}
        self.tongue = Tongue(5000.0)
        self.breaks_after: int | None = None
        """Words of a clause after which it fails."""

    def speak(self, text: str) -> Iterator[Speech]:
        for number, word in enumerate(text.split()):
            if number == self.breaks_after:
                raise EngineFailed("the voice broke")
            samples, words = self.tongue.say(word, self.rate_hz)
            yield Speech(samples, self.rate_hz, tuple(words))
