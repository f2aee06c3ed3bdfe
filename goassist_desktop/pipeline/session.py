"""A conversation: applies the state machine's commands, and owns the current turn.

Everything that happens comes through one inbox and is handled one at a time, on the event loop.
Audio blocks do not queue there: they go straight to the ears, whatever the inbox waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Literal

from goassist_desktop.pipeline import clock as mark
from goassist_desktop.pipeline.adaptation import Adaptation
from goassist_desktop.pipeline.barge_in import Interruptions, weigh_over
from goassist_desktop.pipeline.clock import Marks, SampleClock
from goassist_desktop.pipeline.conversation import Command, Event, State, step
from goassist_desktop.pipeline.ears import Ears
from goassist_desktop.pipeline.endpointing import EndOfTurn
from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.events import (
    Attention,
    EarsEvent,
    Notice,
    PartialText,
    ReplyText,
    SessionEvent,
    SpeechPaused,
    SpeechStarted,
    SpeechSuspected,
    StateChanged,
    SuspicionEnded,
    TurnEnded,
    UserText,
    WorkFailed,
)
from goassist_desktop.pipeline.evidence import Evidence, is_stop
from goassist_desktop.pipeline.face import Face
from goassist_desktop.pipeline.frames import Samples, Speech
from goassist_desktop.pipeline.history import History
from goassist_desktop.pipeline.ladder import Ladder, speech_of
from goassist_desktop.pipeline.microphone import Switch
from goassist_desktop.pipeline.protocols import Endpoint
from goassist_desktop.pipeline.resampling import at_rate, joined
from goassist_desktop.pipeline.rollover import Rollover
from goassist_desktop.pipeline.speaker import Speaker
from goassist_desktop.pipeline.turn import Phrase, Reader, Turn, TurnSettings
from goassist_desktop.pipeline.wake_word import Sleeper, meant_for
from goassist_desktop.pipeline.workers import Engines

WARMUP_TURNS = 3
WARMUP_MS = 60_000
CLOSE_S = 0.5
"""The longest wait, at the end, for an engine in the middle of something."""
RIPEN_MS = 900
"""A decision waits this much longer for the first clause of the reply: until then nothing could be
said, and the user may still go on."""
UNCLEAR_MS = 1000
"""Speech this long without a word in it is answered with a question, once in a row …"""
UNCLEAR_WAIT_MS = 600
"""… after this much silence: without words nothing else tells whether they have finished."""
CALLED = "Yes?"
"""Said to who called us by our name, and no more …"""
CALLED_WAIT_MS = 700
"""… after this much silence: who calls waits a moment before they go on."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    system_prompt: str
    turn: TurnSettings
    end_of_turn: EndOfTurn


@dataclass(slots=True)
class Speculation:
    """What was begun before the user was known to have finished, and what of it was in vain."""

    turns: int = 0
    unheard: int = 0
    """Of them, thrown away without a sound."""
    unheard_ms: float = 0.0
    """Between the beginning and the end of those."""


@dataclass(frozen=True, slots=True)
class _ReplyReady:
    turn: Turn


@dataclass(frozen=True, slots=True)
class _ReplyHeard:
    turn: Turn


@dataclass(frozen=True, slots=True)
class _TurnOver:
    turn: Turn


@dataclass(frozen=True, slots=True)
class _NothingSaid:
    pass


@dataclass(frozen=True, slots=True)
class _StopTalking:
    pass


@dataclass(frozen=True, slots=True)
class _Typed:
    text: str


@dataclass(frozen=True, slots=True)
class _Written:
    text: str
    reader: Reader


@dataclass(frozen=True, slots=True)
class _Unread:
    """Whoever read a written answer reads it no more."""

    reader: Reader


@dataclass(frozen=True, slots=True)
class _Greeting:
    text: str


@dataclass(frozen=True, slots=True)
class _KeyPressed:
    pass


@dataclass(frozen=True, slots=True)
class _Sleep:
    wake_word: str


_Request = _StopTalking | _Typed | _Written | _Unread | _Greeting | _KeyPressed | _Sleep
_Happening = EarsEvent | _ReplyReady | _ReplyHeard | _TurnOver | _NothingSaid | _Request


@dataclass(frozen=True, slots=True)
class _Question:
    """What the next turn is about."""

    text: str
    onset_ms: float | None = None
    """Of its speech; None when it was not spoken."""
    only: str | None = None
    """Say this, and ask no model."""
    reader: Reader | None = None
    """Gets the answer, of which nothing is said aloud."""
    confidence: float = 1.0
    """The recogniser's, in its words."""


class Session:
    """One user at one endpoint. `run` holds the conversation until it is cancelled."""

    def __init__(
        self,
        endpoint: Endpoint,
        engines: Engines,
        settings: SessionSettings,
        publish: Callable[[SessionEvent], None],
        phrases: dict[Phrase, Speech] | None = None,
    ) -> None:
        """`phrases` may be shared by sessions with one voice, at endpoints of one rate: what is
        missing in it is made by whoever needs it first."""
        self.state = State.IDLE
        self.clock = SampleClock()
        self.speculation = Speculation()
        self._endpoint = endpoint
        self._model = Ladder("language_model", engines.model, self.clock, publish)
        self._voice = Ladder("synthesis", engines.voice, self.clock, publish)
        self._recogniser = Ladder("recognition", engines.recogniser, self.clock, publish)
        self._rollover = Rollover(
            self._model, settings.turn.context_tokens, settings.turn.max_tokens, publish
        )
        self._ladders = (self._model, self._voice, self._recogniser)
        self._settings = settings
        self._publish = publish
        self._history = History(settings.system_prompt)
        self._speaker = Speaker(endpoint.rate_hz)
        self.face = Face(
            engines.face,
            self._speaker,
            self.clock,
            lambda: endpoint.render_delay_ms,
            publish,
            settings.turn.seed,
        )
        self._inbox: asyncio.Queue[_Happening] = asyncio.Queue()  # bounded by what people say
        self._ears = Ears(
            engines.activity,
            engines.detector,
            self._recogniser,
            settings.end_of_turn,
            self._inbox.put_nowait,
            endpoint.capture_delay_ms,
        )
        self._phrases = {} if phrases is None else phrases
        self._readers: set[Reader] = set()
        self._longest_reply: int | None = None
        self._turn: Turn | None = None
        self._turns_begun = 0
        self._turns_committed = 0
        self._question: _Question | None = None  # what the user said, up to the last pause
        self._unanswered = ""  # what they said before, to which not one word was heard
        self._marks = Marks()
        self._over_us = Interruptions()
        self._ripening: float | None = None  # when the ears said that the turn is over
        self._asked_again = False
        self._adaptation = Adaptation()
        self._sleeper = Sleeper()
        self._microphone = Switch()
        self._broken = False
        self._prefilling: asyncio.Future[None] | None = None
        self._background: set[asyncio.Future[None]] = set()

    # -- from outside ----------------------------------------------------------------------------

    async def run(self) -> None:
        """Converse until cancelled. Raises what the endpoint raises, and bugs."""
        loop = asyncio.get_running_loop()
        await self._prepare()

        def deliver(block: Samples) -> None:  # in the endpoint's thread
            self.clock.advance(len(block))
            loop.call_soon_threadsafe(self._on_block, block)

        def notify(notice: Notice) -> None:
            loop.call_soon_threadsafe(self._publish, notice)

        self._switch()
        try:
            self._endpoint.start(self._speaker, deliver, notify)
            await self._feed(Event.START)
            while True:
                await self._handle(await self._inbox.get())
        finally:
            try:
                if self.state is not State.IDLE:
                    await self._feed(Event.STOP)
            finally:
                for reader in self._readers:
                    reader.put_nowait(None)
                self._endpoint.stop()
                for ladder in self._ladders:
                    ladder.close()
                await self._ears.close()
                if self._background:
                    await asyncio.wait(self._background, timeout=CLOSE_S)

    def stop_talking(self) -> None:
        """The stop button: end the reply, and ask for no other. From the event loop only."""
        self._inbox.put_nowait(_StopTalking())

    def say(self, text: str) -> None:
        """Typed words, answered at once; a reply going on is ended. From the event loop only.

        What was said before, spoken or typed, and is not answered yet is answered with them. A bare
        "stop" and the like is obeyed as if it had been spoken.
        """
        words = " ".join(text.split())
        if words:
            self._inbox.put_nowait(_Typed(words))

    async def chat(self, text: str) -> AsyncGenerator[str, None]:
        """The pieces of an answer in writing: nothing of it is said aloud. From the event loop
        only, while the session runs.

        It is a turn like any other: it ends a reply going on, is ended by who speaks, and is
        remembered as far as it was read. Closing this ends it. Raises EngineFailed when there is no
        answer, or not all of it.
        """
        reader: Reader = asyncio.Queue()  # bounded by max_tokens
        self._readers.add(reader)
        self._inbox.put_nowait(_Written(" ".join(text.split()), reader))
        try:
            while (piece := await reader.get()) is not None:
                if isinstance(piece, EngineFailed):
                    raise piece
                yield piece
        finally:
            self._readers.discard(reader)
            self._inbox.put_nowait(_Unread(reader))

    def limit_reply(self, max_tokens: int | None) -> None:
        """Shorter replies than the settings have, from the next one on; None: as they have. From
        the event loop only."""
        self._longest_reply = max_tokens

    def greet(self, text: str) -> None:
        """Say this aloud, to nobody's words, unless somebody speaks. From the event loop only."""
        words = " ".join(text.split())
        if words:
            self._inbox.put_nowait(_Greeting(words))

    def mute(self, muted: bool) -> None:
        """Whether nobody looks at the microphone, but while the key to talk is held down. From the
        event loop only."""
        self._microphone.muted = muted
        self._switch()

    def push_to_talk(self, pressed: bool) -> None:
        """The key to talk. From the event loop only.

        While it is held down the microphone is heard, and no silence ends the user's turn. To press
        it ends a reply that is heard; letting go ends the turn at once.
        """
        if pressed == self._microphone.pressed:
            return
        if pressed:
            self._microphone.press()
            self._ears.hold_open()
            self._inbox.put_nowait(_KeyPressed())
        else:
            self._microphone.release(self.clock.now_ms)
        self._switch()

    def push_to_talk_only(self, only: bool) -> None:
        """Whether the microphone is heard only while the key to talk is held down. From the event
        loop only."""
        self._microphone.only_pressed = only
        self._switch()

    def _switch(self) -> None:
        """The microphone, on or off."""
        if self._endpoint.muted and self._microphone.heard:
            self._ears.forget_background()
        self._endpoint.muted = not self._microphone.heard

    def sleep(self, wake_word: str = "") -> None:
        """End what goes on, forget the conversation, and answer nobody before this word is said;
        before any is, if it is empty. From the event loop only.

        Typed words and the key to talk wake us too. Raises ValueError for a word without a letter.
        """
        if wake_word:
            meant_for(wake_word, "")
        self._inbox.put_nowait(_Sleep(wake_word))

    @property
    def level_db(self) -> float:
        """Loudness of the newest block of the microphone, after echo cancellation, in dB of full
        scale; -75 and less is silence. From any thread."""
        return self._ears.level_db

    @property
    def hurried(self) -> bool:
        """Whether somebody waits for what is being computed now. From any thread."""
        if self.state is State.LISTENING:
            return self._turn is not None or self._ears.reading
        if self.state is State.SPEAKING:
            return self._speaker.runs_short
        return self.state in (State.IDLE, State.THINKING)

    @property
    def busy(self) -> bool:
        """Whether something is being said, thought about or weighed."""
        return (
            self.state is not State.LISTENING
            or self._ears.busy
            or self._turn is not None
            or not self._inbox.empty()
        )

    # -- the loop's heartbeat --------------------------------------------------------------------

    def _on_block(self, block: Samples) -> None:
        if self._broken:
            return
        try:
            self._listen(block)
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._broken = True
            self._inbox.put_nowait(WorkFailed(error))

    def _listen(self, block: Samples) -> None:
        self._ears.hear(block)
        if self._microphone.let_go(self.clock.now_ms):
            self._switch()
            self._ears.finish()
        self.face.watch()
        for ladder in self._ladders:
            ladder.mend()
        if self._over_us.waited(self.clock.now_ms) and not self._ears.hearing:
            self._over_us.wait_no_more()
            self._inbox.put_nowait(_NothingSaid())
        turn = self._turn
        if turn is None:
            return
        if not turn.committed:
            if self._ripening is not None and self._ripe(turn, self._ripening):
                self._ripening = None
                self._inbox.put_nowait(_ReplyReady(turn))
            return
        if turn.tick():
            self._publish(ReplyText(turn.turn_id, turn.reply_text, turn.heard_text))
        if turn.sounding and self.state is State.THINKING:
            self._inbox.put_nowait(_ReplyHeard(turn))

    def _ripe(self, turn: Turn, since_ms: float) -> bool:
        waited_ms = self.clock.now_ms - since_ms
        return waited_ms >= RIPEN_MS or (turn.ready and waited_ms >= 0)

    async def _prepare(self) -> None:
        """Everything that would cost the first turn time: phrases, and the prompt in the cache.

        The prompt takes a second at most, and to say something takes longer: it is not waited for.
        """
        for ladder in self._ladders:
            ladder.start()
        self._prefill()
        rate = self._speaker.rate_hz
        for phrase in Phrase:
            if phrase in self._phrases:
                continue
            said = [at_rate(piece, rate) async for piece in speech_of(self._voice, phrase)]
            self._phrases[phrase] = joined(said)
        self._in_background(self.face.prepare())

    def _prefill(self, words: str = "") -> None:
        """Have the model read the conversation, and the user's words so far, in advance."""
        messages = self._history.messages()
        if words:
            messages.append(self._history.question(f"{self._unanswered} {words}".strip()))
        self._prefilling = self._in_background(
            self._model.ask(lambda engine: engine.prefill, messages)
        )

    def _in_background(self, work: Coroutine[None, None, None]) -> asyncio.Future[None]:
        return self._watch(asyncio.ensure_future(work))

    def _watch(self, task: asyncio.Future[None]) -> asyncio.Future[None]:
        self._background.add(task)
        task.add_done_callback(self._background_ended)
        return task

    def _background_ended(self, task: asyncio.Future[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._inbox.put_nowait(WorkFailed(error))

    # -- what happens ----------------------------------------------------------------------------

    async def _handle(self, happening: _Happening) -> None:
        match happening:
            case SpeechSuspected(onset_ms):
                if self.state is State.SPEAKING and self._worth_a_fade(onset_ms, speech=False):
                    await self._feed(Event.ONSET)
            case SuspicionEnded():
                if self.state is State.HELD:
                    await self._feed(Event.NO_WORDS)
            case _NothingSaid():
                if self.state is State.HELD:
                    await self._feed(Event.NO_WORDS)
            case SpeechStarted(onset_ms):
                self._over_us.wait_no_more()
                self._rollover.step_aside()
                if self._sleeper.asleep:
                    return
                self._publish(happening)
                if self.state is State.SPEAKING and not self._worth_a_fade(onset_ms, speech=True):
                    return  # words will tell
                await self._feed(Event.ONSET)
            case PartialText(text):
                if (words := self._meant_for_us(text)) is not None:
                    self._publish(PartialText(words))
                    await self._on_partial(words)
            case SpeechPaused():
                await self._on_pause(happening)
            case TurnEnded(offset_ms):
                await self._on_turn_ended(offset_ms)
            case _ReplyReady(turn):
                if turn is self._turn and self.state is State.LISTENING:
                    await self._decide()
            case _ReplyHeard(turn):
                if turn is self._turn and self.state is State.THINKING:
                    await self._feed(Event.REPLY_HEARD)
            case _TurnOver(turn):
                await self._on_turn_over(turn)
            case _StopTalking():
                await self._feed(Event.STOP_WORD)
            case _Typed(text):
                await self._on_typed(text)
            case _Written(text, reader):
                await self._on_written(text, reader)
            case _Unread(reader):
                if self._turn is not None and self._turn.reader is reader:
                    await self._feed(Event.STOP_WORD)
            case _Greeting(text):
                if self.state is State.LISTENING and not (
                    self._turn or self._ears.busy or self._sleeper.asleep
                ):
                    await self._answer_now(_Question("", only=text))
            case _Sleep(wake_word):
                await self._fall_asleep(wake_word)
            case _KeyPressed():
                self._wake()
                if self.state is State.SPEAKING:
                    await self._feed(Event.CUT_IN)
                elif self.state is State.HELD:  # what they said over us is theirs
                    await self._feed(Event.WORDS)
            case WorkFailed(error):
                if self._broken or not isinstance(error, EngineFailed):
                    raise error
                self._publish(Notice("error", str(error)))

    def _worth_a_fade(self, onset_ms: float, *, speech: bool) -> bool:
        return self._over_us.worth_a_fade(onset_ms, self.clock.now_ms, speech=speech)

    async def _on_partial(self, text: str) -> None:
        """While the user speaks over us: stop at the first real words, not at their end."""
        if self.state is State.LISTENING:
            self._read_ahead(text)
        if self.state not in (State.SPEAKING, State.HELD):
            return
        if self._weigh(text) in (Evidence.WORDS, Evidence.STOP):
            await self._interrupt(Event.WORDS)
        elif self.state is State.HELD and self._over_us.wordless_reading():
            await self._feed(Event.NO_WORDS)

    def _read_ahead(self, text: str) -> None:
        """The last word may still change: then the model reads only that again."""
        if self._prefilling is None or self._prefilling.done():
            self._prefill(text)

    def _weigh(self, text: str) -> Evidence:
        return weigh_over("" if self._turn is None else self._turn.heard_text, text)

    async def _on_pause(self, paused: SpeechPaused) -> None:
        if self.state in (State.SPEAKING, State.HELD):
            match self._weigh(paused.text):
                case Evidence.STOP:
                    self._publish(UserText(paused.text, final=True))
                    await self._interrupt(Event.STOP_WORD)
                    return
                case Evidence.WORDS:
                    await self._interrupt(Event.WORDS)
                case _:
                    if self.state is State.HELD:
                        self._over_us.wait_for_more(paused.offset_ms)
                    else:
                        self._ears.forget()
                    return
        if self.state is not State.LISTENING:
            return
        words = self._meant_for_us(paused.text)
        if words is None:
            self._ears.forget()
            return
        typed = self._typed()
        if not paused.text:
            self._ears.forget()
            await (self._answer_now(typed) if typed else self._nothing_understood(paused))
            return
        if typed:
            self._unanswered = f"{self._unanswered} {typed.text}".strip()
        self._question = _Question(
            words, paused.onset_ms, None if words else CALLED, confidence=paused.confidence
        )
        if not is_stop(words):
            await self._feed(Event.PAUSE)

    async def _fall_asleep(self, wake_word: str) -> None:
        await self._feed(Event.STOP_WORD)
        self._history = History(self._settings.system_prompt)
        self._adaptation = Adaptation()
        self._asked_again = False
        if not self._sleeper.asleep:
            self._publish(Attention(awake=False))
        self._sleeper.fall_asleep(wake_word)
        self._prefill()

    def _wake(self) -> None:
        if self._sleeper.wake():
            self._publish(Attention(awake=True))

    def _meant_for_us(self, text: str) -> str | None:
        """What there is to answer in what was heard; None while we sleep on. Wakes us."""
        words = self._sleeper.meant_for_us(text)
        if words is not None:
            self._wake()
        return words

    async def _on_typed(self, text: str) -> None:
        self._wake()
        if is_stop(text):
            self._publish(UserText(text, final=True))
            await self._feed(Event.STOP_WORD)
            return
        await self._feed(Event.CUT_IN)
        await self._answer_now(_Question(text))

    async def _on_written(self, text: str, reader: Reader) -> None:
        self._wake()
        await self._feed(Event.CUT_IN)
        await self._answer_now(_Question(text, reader=reader))

    def _typed(self) -> _Question | None:
        """Typed words whose answer was not heard yet, and is not made any more."""
        question = self._question
        if question is None or question.onset_ms is not None or not question.text:
            return None
        return question

    async def _answer_now(self, question: _Question) -> None:
        """Begin a turn that is heard as soon as there is something to hear. There is nothing to
        decide, and so no mark of it: what is promised of a TTFA is promised to who speaks."""
        self._question = question
        await self._feed(Event.PAUSE)
        await self._feed(Event.DECIDED)

    async def _interrupt(self, event: Event) -> None:
        if self.state is State.SPEAKING:  # resumed while they spoke on, and now there are words
            self._over_us.words_at(self.clock.now_ms)
            await self._feed(Event.ONSET)
        await self._feed(event)

    async def _nothing_understood(self, paused: SpeechPaused) -> None:
        long_enough = paused.offset_ms - paused.onset_ms >= UNCLEAR_MS
        if long_enough and not self._asked_again and not self._microphone.pressed:
            self._question = _Question("", paused.onset_ms, only=Phrase.NOT_UNDERSTOOD)
            await self._feed(Event.PAUSE)
            self._marks.set(mark.OFFSET, paused.offset_ms)
            self._ripening = paused.offset_ms + UNCLEAR_WAIT_MS

    async def _on_turn_ended(self, offset_ms: float) -> None:
        if self.state is not State.LISTENING or self._question is None:
            return
        if is_stop(self._question.text):
            self._publish(UserText(self._question.text, final=True))
            await self._feed(Event.STOP_WORD)
        elif self._turn is not None:
            self._ripening = self.clock.now_ms
            if self._question.only == CALLED:
                self._ripening = max(self._ripening, offset_ms + CALLED_WAIT_MS)
            self._marks.set(mark.OFFSET, offset_ms)
            self._marks.set(mark.ENDPOINT, self._ripening)

    async def _decide(self) -> None:
        self._marks.set(mark.DECISION, self.clock.now_ms)
        await self._feed(Event.DECIDED)

    async def _on_turn_over(self, turn: Turn) -> None:
        turn.raise_bug()
        if turn is not self._turn or not turn.committed:
            return
        if turn.sounding and self.state is State.THINKING:  # over before the tick was handled
            await self._feed(Event.REPLY_HEARD)
        if self.state in (State.THINKING, State.SPEAKING):
            self._close_turn()
            await self._feed(Event.REPLY_ENDED)
        # Held: the words decide; `_feed` comes back here when they were none.

    # -- the state machine -----------------------------------------------------------------------

    async def _feed(self, event: Event) -> None:
        before = self.state
        self.state, commands = step(before, event)
        if self.state is not before:
            self.face.note_state(self.state)
            self._over_us.wait_no_more()
            self._publish(StateChanged(self.state, self.clock.now_ms))
        for command in commands:
            await self._carry_out(command, event)
        if self.state is State.INTERRUPTED:
            await self._feed(Event.CLOSED)
        elif event is Event.NO_WORDS and self._turn is not None and self._turn.done:
            await self._on_turn_over(self._turn)

    async def _carry_out(self, command: Command, event: Event) -> None:
        match command:
            case Command.SPECULATE:
                self._begin_turn()
            case Command.COMMIT:
                self._commit_turn()
            case Command.CANCEL:
                if self._turn is not None:
                    if event in (Event.WORDS, Event.STOP_WORD):
                        self._note_barge_in("stopped")
                    await self._turn.cancel(str(event))
                    self._close_turn()
            case Command.HOLD:
                self._over_us.fell_silent()
                self._speaker.hold()
            case Command.RESUME:
                self._note_barge_in("resumed")
                self._ears.dismiss()
                self._speaker.resume()
            case Command.FORGET:
                question, self._question = self._question, None
                self._sleeper.answered()
                self._ears.forget()
                if event is Event.STOP_WORD:
                    self._unanswered = ""
                elif event in (Event.REPLY_HEARD, Event.CUT_IN) and question is not None:
                    if not is_stop(question.text):
                        self._unanswered = f"{self._unanswered} {question.text}".strip()

    def _begin_turn(self) -> None:
        """Work on the words so far. Only silence can follow them, or the turn is cancelled."""
        question = self._question
        assert question is not None
        self._turns_begun += 1
        self._marks = Marks()
        if question.onset_ms is not None:
            self._marks.set(mark.ONSET, question.onset_ms)
        self._marks.set(mark.FINAL_TEXT, self.clock.now_ms)
        self._over_us.new_turn()
        self._ripening = None
        self.speculation.turns += 1
        self._rollover.step_aside()
        text = f"{self._unanswered} {question.text}".strip() if question.text else ""
        adapted = self._adaptation.to(text, question.confidence)
        self._turn = Turn(
            self._turns_begun,
            text,
            model=self._model,
            voice=self._voice,
            history=self._history,
            rollover=self._rollover,
            speaker=self._speaker,
            clock=self.clock,
            marks=self._marks,
            settings=self._turn_settings(adapted.max_tokens),
            confidence=question.confidence,
            advice=adapted.tell,
            phrases=self._phrases,
            render_delay_ms=self._endpoint.render_delay_ms,
            face=self.face,
            only=question.only,
            reader=question.reader,
        )
        self._turn.start(self._turn_ended)

    def _turn_ended(self, turn: Turn) -> None:
        self._inbox.put_nowait(_TurnOver(turn))
        if turn.reader is not None:
            unanswered = turn.outcome in ("failed", "refused")
            turn.reader.put_nowait(EngineFailed(turn.reason) if unanswered else None)

    def _turn_settings(self, adapted: int | None) -> TurnSettings:
        settings = self._settings.turn
        limits = [settings.max_tokens, self._longest_reply, adapted]
        return replace(settings, max_tokens=min(limit for limit in limits if limit is not None))

    def _commit_turn(self) -> None:
        turn = self._turn
        assert turn is not None
        self._asked_again = turn.only is Phrase.NOT_UNDERSTOOD
        if turn.user_text or self._asked_again:
            self._turns_committed += 1
            self._publish(UserText(turn.user_text, final=True))
        turn.commit()
        if turn.done:  # it failed while it waited
            self._inbox.put_nowait(_TurnOver(turn))

    def _note_barge_in(self, outcome: Literal["stopped", "resumed"]) -> None:
        silent_from = self._speaker.progress().silent_from
        silence_ms = None
        if silent_from is not None:
            silence_ms = silent_from * 1000 / self._speaker.rate_hz + self._endpoint.render_delay_ms
        self._over_us.ended(outcome, self.clock.now_ms, silence_ms)

    def _close_turn(self) -> None:
        """Remember what was heard of the turn, say so, and get ready for the next."""
        turn, self._turn = self._turn, None
        assert turn is not None
        turn.raise_bug()
        if turn.outcome == "failed":
            self._publish(Notice("error", turn.reason))
        if not turn.sounding and turn.reader is None:
            self.speculation.unheard += 1
            begun_ms = turn.marks.get(mark.FINAL_TEXT)
            assert begun_ms is not None
            self.speculation.unheard_ms += self.clock.now_ms - begun_ms
        if not turn.committed:
            return
        self._adaptation.note(
            text=turn.user_text,
            confidence=turn.confidence,
            interrupted=turn.outcome == "interrupted" and turn.sounding,
        )
        if turn.user_text and turn.heard_text:
            self._unanswered = ""
            if turn.outcome != "refused":  # what did not fit now would push all else out later
                self._history.record(turn.user_text, turn.heard_text)
        elif turn.heard_text and turn.only is not Phrase.NOT_UNDERSTOOD:
            self._history.record_opening(turn.heard_text)
        early = self._turns_committed <= WARMUP_TURNS
        self._publish(
            turn.closed(
                warmup=early and (turn.marks.get(mark.DECISION) or 0) < WARMUP_MS,
                barge_ins=self._over_us.noted,
            )
        )
        if self.state is not State.IDLE:
            self._prefill()
            self._watch(self._rollover.after_turn(self._history))
