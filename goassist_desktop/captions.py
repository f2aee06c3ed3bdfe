"""Live captions in the terminal: what both sides say, the state, and the latency of each turn."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import (
    Notice,
    PartialText,
    ReplyText,
    SessionEvent,
    StateChanged,
    TurnClosed,
    UserText,
)

_SIGNS = {
    State.IDLE: ("○", "dim"),
    State.LISTENING: ("●", "green"),
    State.THINKING: ("◐", "yellow"),
    State.SPEAKING: ("▶", "cyan"),
    State.HELD: ("⏸", "magenta"),
    State.INTERRUPTED: ("■", "magenta"),
}
_NOTICE_STYLES = {"info": "blue", "warning": "yellow", "error": "red"}


class Captions:
    """Takes the events of a session and shows them; a plain log where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = State.IDLE
        self._partial = ""
        self._reply: ReplyText | None = None
        self._live = Live(console=console, refresh_per_second=12, transient=True)

    def __enter__(self) -> Captions:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def _print(self, text: Text) -> None:
        """Wrapped for a terminal, one line each for a file."""
        self._console.print(text, soft_wrap=not self._console.is_terminal)

    def take(self, event: SessionEvent) -> None:
        match event:
            case StateChanged(state):
                if self._state is State.IDLE:
                    self._print(Text("  Listening. Ctrl-C ends.", "bold"))
                self._state = state
            case PartialText(text):
                self._partial = text
            case UserText(text, final=True):
                self._partial = ""
                self._print(Text.assemble(("  you  ", "bold green"), text))
            case ReplyText():
                self._reply = event
            case TurnClosed():
                self._reply = None
                self._print(_closed(event))
            case Notice(level, what):
                self._print(Text(f"  {level}: {what}", _NOTICE_STYLES[level]))
        if self._console.is_terminal:
            self._live.update(self._now())

    def _now(self) -> Group:
        sign, colour = _SIGNS[self._state]
        lines = [Text.assemble((f"  {sign} {self._state}", colour))]
        if self._partial:
            lines.append(Text(f"  you  {self._partial} …", "dim"))
        if self._reply is not None:
            heard, text = self._reply.heard, self._reply.text
            rest = text.strip().removeprefix(heard)
            lines.append(Text.assemble(("   it  ", "bold cyan"), heard, (rest, "dim")))
        return Group(*lines)


def _closed(turn: TurnClosed) -> Text:
    """The reply as it was heard, what was cut struck out, and what it took."""
    heard, rest = turn.heard_text, turn.reply_text.strip().removeprefix(turn.heard_text)
    cut = rest if turn.outcome == "interrupted" else ""
    figures = [
        f"{label} {value:.0f} ms"
        for label, name in (("gap", "response_gap"), ("first audio", "ttfa"))
        if (value := turn.intervals_ms[name]) is not None
    ]
    figures += [f"{b.outcome} in {b.latency_ms:.0f} ms" for b in turn.barge_ins]
    if turn.outcome != "completed":
        figures.append(turn.outcome + (f" ({turn.reason})" if turn.reason else ""))
    return Text.assemble(
        ("   it  ", "bold cyan"), heard, (cut, "dim strike"), (f"   {' · '.join(figures)}", "dim")
    )


def latency_table(report: dict[str, object]) -> Table:
    """The summary of a report as a table: every interval, median and 95th percentile."""
    summary = report["summary"]
    assert isinstance(summary, dict)
    kind = "steady state" if summary["steady_state"] else "warm-up turns, too few for more"
    table = Table(title=f"Latency ({kind})", title_justify="left")
    table.add_column("interval")
    for column in ("turns", "p50 ms", "p95 ms", "max ms"):
        table.add_column(column, justify="right")
    rows = dict(summary["intervals_ms"])
    if summary["barge_in_ms"]["n"]:
        rows["barge_in"] = summary["barge_in_ms"]
    for name, row in rows.items():
        cells = (
            f"{row[key]:.0f}" if row[key] is not None else "–" for key in ("p50", "p95", "max")
        )
        table.add_row(name, str(row["n"]), *cells)
    return table
