"""One reply: language model → clauses → speech → loudspeaker. One task group, one cancel scope.

A turn may begin before the user has finished; its sound then waits in the loudspeaker's buffer
until `commit`. However it ends, its `finally` empties that buffer and learns what was heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum

from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.chunker import Chunker
from goassist_desktop.pipeline.clock import INTERVALS, Marks, SampleClock
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import BargeIn, Outcome, TurnClosed
from goassist_desktop.pipeline.face import Face
from goassist_desktop.pipeline.frames import Message, Speech
from goassist_desktop.pipeline.history import History
from goassist_desktop.pipeline.ladder import Ladder, speech_of
from goassist_desktop.pipeline.protocols import LanguageModel, Synthesiser
from goassist_desktop.pipeline.resampling import at_rate
from goassist_desktop.pipeline.rollover import Rollover
from goassist_desktop.pipeline.speaker import Progress, Speaker
from goassist_desktop.pipeline.speech_text import Token, heard_written, speakable

LEAD_S = 15.0
"""Speech is made at most this much ahead of the loudspeaker."""


Reader = asyncio.Queue[str | EngineFailed | None]
"""Of an answer in writing: its pieces, and at its end None, or why there is no more."""


class Phrase(StrEnum):
    """What must be sayable when an engine is not: spoken once at start, and kept."""

    STALLED = "Sorry, I lost my train of thought. Please ask me again."
    FAILED = "Sorry, something went wrong on my side. Please ask me again."
    TOO_LONG = "Sorry, that was more than I can take in at once. Please say it in fewer words."
    FULL = "Sorry, I need a moment to sort out what we said so far. Please say that again."
    NOTHING = "I don't have that information yet. Could you ask it in another way?"
    NOT_UNDERSTOOD = "Sorry, I didn't catch that, could you say it again?"


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """How replies are made."""

    max_tokens: int
    temperature: float
    seed: int
    context_tokens: int
    """Of prompt and reply together, where the model has as many."""
    stall_s: float
    """Without a token for this long, the reply is given up."""


@dataclass(frozen=True, slots=True)
class _Clause:
    written: str
    tokens: tuple[Token, ...]
    first_word: int


class Turn:
    """Start it, perhaps commit it, and wait for it or cancel it; then read what came of it."""

    def __init__(
        self,
        turn_id: int,
        user_text: str,
        *,
        model: Ladder[LanguageModel],
        voice: Ladder[Synthesiser],
        history: History,
        rollover: Rollover,
        speaker: Speaker,
        clock: SampleClock,
        marks: Marks,
        settings: TurnSettings,
        phrases: Mapping[Phrase, Speech],
        render_delay_ms: float,
        face: Face,
        confidence: float = 1.0,
        advice: str = "",
        only: str | None = None,
        reader: Reader | None = None,
    ) -> None:
        """`confidence`: the recogniser's, in the user's words. `advice`: told to the model beside
        them, and not remembered. `only`: say just this, a Phrase or other words, and ask no model.
        `reader`: gets the answer, of which nothing is said aloud."""
        self.turn_id = turn_id
        self.user_text = user_text
        self.confidence = confidence
        self._advice = advice
        self.only = only
        self.reader = reader
        self.marks = marks
        self.committed = False
        self.reply_text = ""
        self.heard_text = ""
        self.starved_ms = 0.0
        """Silence inside the reply, because the next of it came too late."""
        self.outcome: Outcome = "completed"
        self.reason = ""
        self._model = model
        self._voice = voice
        self._history = history
        self._rollover = rollover
        self._speaker = speaker
        self._clock = clock
        self._settings = settings
        self._phrases = phrases
        self._render_delay_ms = render_delay_ms
        self._face = face
        self._clauses: list[_Clause] = []
        self._words = 0
        self._heard_words = 0
        self._read = 0  # letters of the answer that the reader has
        self._spoken: asyncio.Queue[Speech | None] = asyncio.Queue()  # bounded by LEAD_S
        self._audible = asyncio.Event()
        self._played = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- the session's side ----------------------------------------------------------------------

    def start(self, ended: Callable[[Turn], None]) -> None:
        """Begin the work. `ended` is called once, however it ends."""
        self._speaker.begin(self.turn_id)
        self._task = asyncio.create_task(self._run(), name=f"turn {self.turn_id}")
        self._task.add_done_callback(lambda _: ended(self))

    def commit(self) -> None:
        """Let it be heard."""
        self.committed = True
        self._speaker.open(self.turn_id)
        self._audible.set()

    async def cancel(self, reason: str) -> None:
        """End it everywhere; returns when nothing of it is left."""
        assert self._task is not None
        if not self._task.done():
            if self.outcome == "completed":
                self.outcome, self.reason = "interrupted", reason
            self._task.cancel()
            await asyncio.wait((self._task,))

    @property
    def done(self) -> bool:
        return self._task is not None and self._task.done()

    @property
    def ready(self) -> bool:
        """Whether there is something to say, or never will be."""
        return self.done or self.marks.get(mark.FIRST_CLAUSE) is not None

    @property
    def sounding(self) -> bool:
        """Whether a first sample of it was heard."""
        return self.marks.get(mark.FIRST_AUDIO) is not None

    def raise_bug(self) -> None:
        """Raise what ended the turn, if it was an error nobody foresaw."""
        assert self._task is not None
        if self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            if error is not None:
                raise error

    def closed(self, *, warmup: bool, barge_ins: Sequence[BargeIn]) -> TurnClosed:
        """What came of it, once it is over."""
        return TurnClosed(
            turn_id=self.turn_id,
            user_text=self.user_text,
            reply_text=self.reply_text,
            heard_text=self.heard_text,
            outcome=self.outcome,
            warmup=warmup,
            marks_ms=self.marks.as_dict(),
            intervals_ms={name: self.marks.interval(name) for name in INTERVALS},
            barge_ins=tuple(barge_ins),
            starved_ms=self.starved_ms,
            reason=self.reason,
        )

    def tick(self) -> bool:
        """Look at the loudspeaker; called for every block of audio. True when more was heard."""
        progress = self._speaker.progress()
        if progress.turn_id != self.turn_id:
            return False
        if progress.ahead_s < LEAD_S:
            self._room.set()
        if progress.ended:
            self._played.set()
        return self._note(progress)

    # -- the work --------------------------------------------------------------------------------

    async def _run(self) -> None:
        clauses: asyncio.Queue[str | Phrase | None] = asyncio.Queue()  # bounded by max_tokens
        if self.reader is not None:
            return await self._write(clauses)
        try:
            async with asyncio.TaskGroup() as beside:
                animating = beside.create_task(self._animate())
                async with asyncio.TaskGroup() as group:
                    thinking = group.create_task(self._think(clauses))
                    group.create_task(self._speak(clauses, thinking))
                self._speaker.complete(self.turn_id)
                self._spoken.put_nowait(None)
                await self._played.wait()
                animating.cancel()
        finally:
            last = self._speaker.flush(self.turn_id)
            self._note(last)
            self.starved_ms = last.starved * 1000 / self._speaker.rate_hz
            if last.last_sample is not None:
                self.marks.set(mark.AUDIO_END, self._ms(last.last_sample))

    async def _write(self, clauses: asyncio.Queue[str | Phrase | None]) -> None:
        """An answer that is read: all of it that was made is remembered."""
        try:
            await self._think(clauses)
        finally:
            self.heard_text = self.reply_text.strip()

    async def _animate(self) -> None:
        """Move the face, but not for what may never be heard: the sound comes first."""
        await self._audible.wait()
        await self._face.follow(self.turn_id, self._spoken)

    async def _think(self, clauses: asyncio.Queue[str | Phrase | None]) -> None:
        """From the words of the user to clauses. A failure becomes a phrase that says so."""
        try:
            if self.only is None:
                await self._answer(clauses)
            elif isinstance(self.only, Phrase):
                clauses.put_nowait(self.only)
            else:
                self._recite(self.only, clauses)
        except TimeoutError:
            self._fail(f"no word from the language model for {self._settings.stall_s:g} s")
            clauses.put_nowait(Phrase.STALLED)
        except EngineFailed as error:
            self._fail(str(error))
            clauses.put_nowait(Phrase.FAILED)
        clauses.put_nowait(None)

    async def _answer(self, clauses: asyncio.Queue[str | Phrase | None]) -> None:
        prompt = await self._prompt(clauses)
        if prompt is None:
            return
        chunker = Chunker()
        while not await self._answered(prompt, chunker, clauses):
            # Another engine goes on behind the last whole word.
            dropped = chunker.drop_partial_word()
            self.reply_text = self.reply_text[: len(self.reply_text) - dropped]
        for clause in chunker.finish():
            self._hand_over(clause, clauses)
        if self.reader is not None:
            self._read_on(len(self.reply_text))

    async def _prompt(self, clauses: asyncio.Queue[str | Phrase | None]) -> list[Message] | None:
        """What the model is to answer; None where it is too long, which is said."""
        history, rollover = self._history, self._rollover
        roomy = not rollover.pressing or await rollover.make_room(history)
        while roomy:
            question = f"{self.user_text} {self._advice}".strip()
            prompt = [*history.messages(), history.question(question)]
            if await self._tokens(prompt) <= rollover.limit_tokens:
                return prompt
            if await self._tokens(history.alone(self.user_text)) > rollover.limit_tokens:
                self.outcome, self.reason = "refused", "longer than the model's context"
                clauses.put_nowait(Phrase.TOO_LONG)
                return None
            roomy = await rollover.make_room(history)
        self.outcome = "refused"
        self.reason = "the conversation fills the model's context, and no summary came"
        clauses.put_nowait(Phrase.FULL)
        return None

    async def _tokens(self, messages: list[Message]) -> int:
        async with asyncio.timeout(self._settings.stall_s):
            return await self._model.ask(lambda engine: engine.count_tokens, messages)

    async def _answered(
        self, prompt: list[Message], chunker: Chunker, clauses: asyncio.Queue[str | Phrase | None]
    ) -> bool:
        """Whether the model in use brought the answer to its end; if not, another is in use now."""
        settings, rung = self._settings, self._model.current
        begun = [Message("assistant", self.reply_text)] if self.reply_text.strip() else []
        pieces = rung.lane.stream(
            rung.engine.reply,
            [*prompt, *begun],
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            seed=settings.seed,
        )
        patience_s = settings.stall_s if self._model.last else settings.stall_s / 2
        goes_on = bool(begun)
        try:
            async with aclosing(pieces):
                while True:
                    async with asyncio.timeout(patience_s):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    if goes_on:
                        piece = piece.lstrip()
                    if not piece:
                        continue  # a sign of life while a long prompt is read
                    goes_on = False
                    self._take(piece, chunker, clauses)
        except TimeoutError:
            if not self._model.gave_up(rung, f"no word for {patience_s:g} s"):
                raise
            return False
        except EngineFailed as error:
            if not self._model.gave_up(rung, str(error)):
                raise
            return False
        self._model.worked(rung)
        return True

    def _take(
        self, piece: str, chunker: Chunker, clauses: asyncio.Queue[str | Phrase | None]
    ) -> None:
        self.marks.set(mark.FIRST_TOKEN, self._clock.now_ms)
        self.reply_text += piece
        if self.reader is not None:
            self._read_on(max(self.reply_text.rfind(" "), self.reply_text.rfind("\n")) + 1)
        for clause in chunker.push(piece):
            self._hand_over(clause, clauses)

    def _read_on(self, end: int) -> None:
        """Give the reader the answer up to here: whole words, as the last one may be taken back."""
        assert self.reader is not None
        if end > self._read:
            self.reader.put_nowait(self.reply_text[self._read : end])
            self._read = end

    def _recite(self, text: str, clauses: asyncio.Queue[str | Phrase | None]) -> None:
        self.reply_text = text
        chunker = Chunker()
        for clause in (*chunker.push(text), *chunker.finish()):
            self._hand_over(clause, clauses)

    def _hand_over(self, clause: str, clauses: asyncio.Queue[str | Phrase | None]) -> None:
        self.marks.set(mark.FIRST_CLAUSE, self._clock.now_ms)
        clauses.put_nowait(clause)

    async def _speak(
        self, clauses: asyncio.Queue[str | Phrase | None], thinking: asyncio.Task[None]
    ) -> None:
        """From clauses to the loudspeaker, some seconds ahead of it."""
        while (clause := await clauses.get()) is not None:
            if isinstance(clause, Phrase):
                self._say_phrase(clause)
                continue
            tokens = speakable(clause)
            self._clauses.append(_Clause(clause, tokens, self._words))
            text = " ".join(token.spoken for token in tokens if token.spoken)
            if not text:
                continue
            try:
                async with aclosing(speech_of(self._voice, text)) as pieces:
                    async for speech in pieces:
                        await self._push(speech)
            except EngineFailed as error:
                self._fail(str(error))
                self._say_phrase(Phrase.FAILED)
                thinking.cancel()
                return
        if not self._words:  # an answer without a word that can be said
            self._say_phrase(Phrase.NOTHING)

    async def _push(self, speech: Speech) -> None:
        self._spoken.put_nowait(speech)
        speech = at_rate(speech, self._speaker.rate_hz)
        self._speaker.push(self.turn_id, speech.samples, speech.words)
        self._words += len(speech.words)
        if self._speaker.progress().ahead_s > LEAD_S:
            self._room.clear()
            await self._room.wait()

    def _say_phrase(self, phrase: Phrase) -> None:
        """Say what was made at start: it needs no engine."""
        speech = self._phrases[phrase]
        words = tuple(Token(word.text, word.text) for word in speech.words)
        self._clauses.append(_Clause(f" {phrase}", words, self._words))
        self._words += len(words)
        self.reply_text = f"{self.reply_text} {phrase}".strip()
        self._spoken.put_nowait(speech)
        self._speaker.push(self.turn_id, speech.samples, speech.words)

    def _fail(self, reason: str) -> None:
        self.outcome, self.reason = "failed", reason

    # -- what was heard --------------------------------------------------------------------------

    def _note(self, progress: Progress) -> bool:
        """Keep marks and heard words up with the loudspeaker. True when more was heard."""
        if progress.first_sample is not None:
            self.marks.set(mark.FIRST_AUDIO, self._ms(progress.first_sample))
        if progress.heard_words == self._heard_words:
            return False
        self._heard_words = progress.heard_words
        self.heard_text = self._heard()
        return True

    def _ms(self, rendered: int) -> float:
        return rendered * 1000 / self._speaker.rate_hz + self._render_delay_ms

    def _heard(self) -> str:
        """The written words all of whose sound left the loudspeaker."""
        parts = []
        ends = [clause.first_word for clause in self._clauses[1:]] + [self._words]
        for clause, end in zip(self._clauses, ends, strict=True):
            heard = min(self._heard_words, end) - clause.first_word
            if heard <= 0:
                continue
            parts.append(heard_written(clause.written, clause.tokens, heard))
        return "".join(parts).strip()
