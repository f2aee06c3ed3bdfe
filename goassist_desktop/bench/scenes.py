"""What `bench barge-in` and `bench echo` hold their conversations in and with.

Everything is the program's own but the language model: its words are read from a text, so that
answers are long, and the same for every model.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from goassist_desktop.app import make_session
from goassist_desktop.bench.words_played import Loudspeaker, Played, words_played
from goassist_desktop.config import Config
from goassist_desktop.conversing import Script, Until, converse, rehearse
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ, CaptureChain
from goassist_desktop.pipeline.endpoints.recording import RecordingEndpoint
from goassist_desktop.pipeline.endpoints.room import Room
from goassist_desktop.pipeline.events import SessionEvent
from goassist_desktop.pipeline.frames import Message, Samples, Speech
from goassist_desktop.pipeline.protocols import EngineInfo, Synthesiser
from goassist_desktop.pipeline.resampling import at_rate
from goassist_desktop.pipeline.workers import Engines, Hosted

T = TypeVar("T")

OWN_VOICE_DBFS = -20.0
"""Level of the assistant's voice at the loudspeaker, in its active parts."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A room, and what happens to the way from the loudspeaker to the microphone in it."""

    delay_ms: float
    gain_db: float
    reverberation_s: float
    jump_ms: float = 0.0
    """The echo's delay grows by this, again and again, and falls back."""
    drift_ppm: float = 0.0

    def __str__(self) -> str:
        jump = f", jumps by {self.jump_ms:g} ms" if self.jump_ms else ""
        drift = f", drifts by {self.drift_ppm:g} ppm" if self.drift_ppm else ""
        return (
            f"echo {self.delay_ms:g} ms, {self.gain_db:g} dB, "
            f"{self.reverberation_s:g} s of reverberation{jump}{drift}"
        )

    def room(self, jumped: bool = False) -> Room:
        delay_ms = self.delay_ms + (self.jump_ms if jumped else 0.0)
        return Room(delay_ms, self.gain_db, self.reverberation_s)

    def endpoint(self, *, reply: Path, mic: Path, realtime: bool) -> RecordingEndpoint:
        return RecordingEndpoint(
            CaptureChain(),
            room=self.room(),
            reply=reply,
            mic=mic,
            realtime=realtime,
            drift_ppm=self.drift_ppm,
        )

    @property
    def echo_dbfs(self) -> float:
        """Level of the assistant's voice at the microphone, in its active parts."""
        response = self.room().echo_response(DEVICE_RATE_HZ)
        assert response is not None
        return OWN_VOICE_DBFS + 20 * float(np.log10(np.linalg.norm(response)))


SCENES = (
    Scene(20, -6, 0.25),
    Scene(60, -10, 0.25),
    Scene(120, -10, 0.25),
    Scene(120, 0, 0.4),
    Scene(200, -20, 0.3),
    Scene(300, -6, 0.5),
    Scene(80, -3, 0.15),
    Scene(40, -14, 0.6),
    Scene(60, -10, 0.25, jump_ms=50),
    Scene(60, -10, 0.25, drift_ppm=100),
)
"""Delays of 20 to 300 ms, gains of -20 to 0 dB, dead to live rooms, a jump and a drift."""
JUMP_EVERY_S = 20.0


# -- the conversation ------------------------------------------------------------------------------


def hold(
    config: Config,
    engines: Engines,
    scene: Scene,
    endpoint: RecordingEndpoint,
    script: Script[T],
    publish: Callable[[SessionEvent], None],
    *,
    realtime: bool,
) -> T:
    """Hold a conversation in a scene whose endpoint this is, on virtual time unless `realtime`."""

    async def staged(until: Until) -> T:
        jumping = asyncio.create_task(_jump(scene, until))
        try:
            return await script(until)
        finally:
            jumping.cancel()

    if not realtime:
        return rehearse(config, engines, endpoint, staged, publish)
    session = make_session(config, engines, endpoint, publish)
    return asyncio.run(converse(session, endpoint, staged))


async def _jump(scene: Scene, until: Until) -> None:
    jumped = False
    while scene.jump_ms:
        await until.position(until.endpoint.position + round(JUMP_EVERY_S * DEVICE_RATE_HZ))
        jumped = not jumped
        until.endpoint.move(scene.room(jumped))


# -- the assistant's side --------------------------------------------------------------------------


@dataclass(slots=True)
class Answer:
    """One reply that was begun: its speech as it went to the loudspeaker, piece by piece."""

    begun: int
    """Position of the endpoint when the model was asked."""
    text: str
    speech: list[Speech] = field(default_factory=list)

    def note(self, speech: Speech) -> None:
        """Keep a piece that belongs here: the voice may still be at work for the answer before."""
        said = _words(speech)
        if said in self.text and all(said != _words(noted) for noted in self.speech):
            self.speech.append(speech)


def _words(speech: Speech) -> str:
    return " ".join(word.text for word in speech.words)


class Reader:
    """A LanguageModel that reads aloud: every question is answered with the next of its texts."""

    info = EngineInfo("language_model", "reader", "a text", "", stand_in=True)
    context_tokens = 8192

    def __init__(self, endpoint: RecordingEndpoint) -> None:
        self._endpoint = endpoint
        self._texts = texts()
        self.answers: list[Answer] = []
        """All begun, heard or not, in order."""

    def load(self) -> None: ...

    def close(self) -> None: ...

    def reply(
        self, messages: Sequence[Message], *, max_tokens: int, temperature: float, seed: int
    ) -> Iterator[str]:
        answered = sum(message.role == "assistant" for message in messages)
        text = self._texts[answered % len(self._texts)]
        self.answers.append(Answer(self._endpoint.position, text))
        for word in text.split():
            yield f"{word} "

    def prefill(self, messages: Sequence[Message], *, shortened: bool = False) -> None: ...

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return 0


class _NotingVoice:
    """The voice; what it says is noted with the answer it belongs to."""

    def __init__(self, voice: Synthesiser, reader: Reader) -> None:
        self._voice = voice
        self._reader = reader
        self.info, self.rate_hz = voice.info, voice.rate_hz

    def load(self) -> None: ...

    def close(self) -> None: ...

    def speak(self, text: str) -> Iterator[Speech | None]:
        for speech in self._voice.speak(text):
            if speech is not None and self._reader.answers:  # before are the phrases
                self._reader.answers[-1].note(at_rate(speech, DEVICE_RATE_HZ))
            yield speech


def reading(engines: Engines, reader: Reader) -> Engines:
    """The same engines, but the reader's texts are said."""
    return dataclasses.replace(
        engines,
        model=Hosted(reader, engines.model.lane),
        voice=Hosted(_NotingVoice(engines.voice.engine, reader), engines.voice.lane),
    )


def answers_played(answers: Sequence[Answer], loudspeaker: Loudspeaker) -> list[list[Played]]:
    """The words of each answer in the recording; an answer ends before the next is begun."""
    ends = [*(answer.begun for answer in answers[1:]), len(loudspeaker.samples)]
    return [
        words_played(answer.speech, loudspeaker, answer.begun, end)
        for answer, end in zip(answers, ends, strict=True)
    ]


def texts() -> list[str]:
    """What is read aloud: every sound of English in short and long sentences, a minute each."""
    lines = (
        files("goassist_desktop.bench").joinpath("read_aloud.txt").read_text("utf-8").split("\n")
    )
    told = [line for line in lines if line]
    return [" ".join(told[(n + i) % len(told)] for i in range(2)) for n in range(len(told))]


# -- the user's side -------------------------------------------------------------------------------


def cough(seed: int) -> Samples:
    """Two bursts of noise through a throat's resonance, at 48 kHz; no two seeds sound alike."""
    random = np.random.default_rng(seed)
    ms = DEVICE_RATE_HZ // 1000
    t = np.arange(300 * ms)
    sound = np.zeros(1000 * ms)
    for start in (0, round(random.uniform(250, 450)) * ms):
        rise, fall = random.uniform(3, 9) * ms, random.uniform(50, 120) * ms
        burst = random.normal(size=len(t)) * np.exp(-t / fall) * (1 - np.exp(-t / rise))
        throat = np.exp(-t[: 10 * ms] / (2 * ms)) * np.sin(
            2 * np.pi * random.uniform(600, 1600) * t[: 10 * ms] / DEVICE_RATE_HZ
        )
        sound[start : start + len(t)] += np.convolve(burst, throat)[: len(t)]
    return at_level(sound, OWN_VOICE_DBFS)


def click(seed: int) -> Samples:
    """A key, a mouse, a cup: 1 to 8 ms of noise that dies away, at 48 kHz."""
    random = np.random.default_rng(seed)
    ms = DEVICE_RATE_HZ // 1000
    t = np.arange(30 * ms)
    sound = random.normal(size=len(t)) * np.exp(-t / (random.uniform(1, 8) * ms))
    return at_level(sound, OWN_VOICE_DBFS)


def hum(pitch_hz: float) -> Samples:
    """ "Mm-hm" with closed lips: two nasal syllables, the second higher, at 48 kHz."""
    t = np.arange(round(0.5 * DEVICE_RATE_HZ)) / DEVICE_RATE_HZ
    pitch = pitch_hz * (1 + 0.15 * (t > 0.25))
    phase = 2 * np.pi * np.cumsum(pitch) / DEVICE_RATE_HZ
    nose = (np.sin(k * phase) / k**1.5 * (1 if k * pitch_hz < 400 else 0.15) for k in range(1, 20))
    swell = np.interp(t, [0, 0.03, 0.18, 0.22, 0.27, 0.31, 0.42, 0.5], [0, 1, 0.8, 0, 0, 1, 0.7, 0])
    return at_level(sum(nose) * swell, OWN_VOICE_DBFS)


def at_level(sound: npt.NDArray[np.floating], dbfs: float) -> Samples:
    """(n,) at 48 kHz with its active parts at this level: 10 ms each, within 30 dB of the loudest.

    The level of speech is that of its active parts, pauses excluded, as ITU-T P.56 means it.
    """
    size = DEVICE_RATE_HZ // 100
    whole = np.concatenate([sound, np.zeros(-len(sound) % size)]).reshape(-1, size)
    power = np.mean(np.square(whole, dtype=np.float64), axis=1)
    active = float(np.sqrt(power[power > power.max() / 1000].mean()))
    return np.asarray(sound * (10 ** (dbfs / 20) / active), np.float32)
