"""Which microphone and which loudspeaker are open: chosen, gone, missing, found again.

Nothing is raised when a device goes away, so its streams are watched. A thread of the local
endpoint's does all of it, for PortAudio is not to be asked by two.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from goassist_desktop.pipeline.endpoints.sound_card import (
    NOUN,
    Direction,
    Hangs,
    NoDevice,
    SoundDevice,
    Streams,
    find_device,
    list_devices,
    list_devices_now,
    rescan,
)
from goassist_desktop.pipeline.endpoints.timeline import Wakening
from goassist_desktop.pipeline.errors import ConfigError, DeviceFailed, GoAssistError
from goassist_desktop.pipeline.events import Notice

WATCH_S = 0.1
FIRST_LOOK_S = 0.25
LONGEST_LOOK_S = 5.0

DIRECTIONS: Final[tuple[Direction, Direction]] = ("output", "input")
"""In the order of opening: the loudspeaker's buffer is full before the first block is heard."""
MEANWHILE: Final[dict[Direction, str]] = {
    "input": "you can type meanwhile",
    "output": "you can read the answers meanwhile",
}

Names = dict[Direction, str | None]
"""Of devices, as `find_device` takes them; None: the system's choice."""


def wall_clock() -> float:
    """Seconds of a clock that goes on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time()


class Devices:
    """The devices of one conversation. `open`, then `watch` in a thread; `use` from any."""

    streams: Streams
    """What is open of them."""

    def __init__(
        self,
        wanted: Names,
        make_streams: Callable[[], Streams],
        notify: Callable[[Notice], None],
        *,
        patient: bool,
    ) -> None:
        """`patient`: go on with what there is, and look for the rest; else both or none."""
        self.streams = make_streams()
        self._make_streams = make_streams
        self._wanted = dict(wanted)
        self._notify = notify
        self._patient = patient
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._asked: Names | None = None
        self._missing: dict[Direction, str] = {}  # and what was said of it
        self._look_at: float | None = None
        self._pause_s = FIRST_LOOK_S

    def open(self) -> None:
        """Begin. Raises DeviceFailed, or ConfigError for a wrong name, where it is not patient."""
        if not self._patient:
            rescan()
            self._open_both()
            return
        try:
            self._look()
        except Hangs as error:
            self._notify(Notice("error", str(error)))

    def use(self, wanted: Names) -> None:
        """Go on with these; where one can not be had, with the one before, and `notify` is told."""
        self._asked = dict(wanted)
        self._wake.set()

    def stop(self) -> None:
        """Have `watch` return soon. It leaves open what is open."""
        self._stopping.set()
        self._wake.set()

    def watch(self) -> None:
        """Until `stop`, or until the sound system hangs, which is told."""
        try:
            self._watch()
        except Hangs as error:
            self.streams = self._make_streams()
            self._notify(Notice("error", str(error)))

    def _watch(self) -> None:
        checked = time.monotonic()
        sleep = Wakening(checked, wall_clock())
        while not self._stopping.is_set():
            self._wake.wait(WATCH_S)
            self._wake.clear()
            now = time.monotonic()
            # Called late, the callbacks were too: that is a busy machine, not a lost device.
            on_time, checked = now - checked < 2 * WATCH_S, now
            asked, self._asked = self._asked, None
            if sleep.noticed(now, wall_clock()):
                self._begin_anew()
            elif on_time and (found := self.streams.fault(now)) is not None:
                direction, fault = found
                self._notify(Notice("warning", f"{fault}: waiting for it to come back"))
                self._missing[direction] = fault
                self._begin_anew()
            if asked is not None:
                self._switch(asked)
            elif self._look_at is not None and now >= self._look_at:
                self._look()
            else:
                continue
            checked = time.monotonic()
            sleep = Wakening(checked, wall_clock())

    @property
    def _any_open(self) -> bool:
        return any(self.streams.device(direction) for direction in DIRECTIONS)

    # -- gone and missing --------------------------------------------------------------------------

    def _begin_anew(self) -> None:
        """What is open is worth nothing any more: close it, and look soon."""
        self._pause_s = FIRST_LOOK_S
        self._look_at = time.monotonic() + FIRST_LOOK_S
        self.streams.close()

    def _look(self) -> None:
        """Open what is to be had, and say what is found and what is missing. Ever more seldom."""
        try:
            self._let_portaudio_look({one: self._wanted[one] for one in self._missing})
            missing = self._open_what_there_is() if self._patient else self._open_both()
        except Hangs:
            raise
        except GoAssistError as error:
            missing = dict.fromkeys(DIRECTIONS, str(error))
        self._tell(missing)
        self._pause_s = min(2 * self._pause_s, LONGEST_LOOK_S) if missing else FIRST_LOOK_S
        self._look_at = time.monotonic() + self._pause_s if missing else None

    def _let_portaudio_look(self, wanted: Names) -> None:
        """For these, if they were plugged in since it last did. All is closed for that, so it is
        not done for nothing where something is open."""
        if self._any_open:
            if not self._plugged_in(wanted):
                return
            self.streams.close()
        rescan()

    def _plugged_in(self, wanted: Names) -> bool:
        """Whether one of these is there now, and PortAudio does not know."""
        try:
            known = list_devices()
            unknown = {one: name for one, name in wanted.items() if not _among(known, one, name)}
            if not unknown:
                return False
            now = list_devices_now(self._stopping)
        except DeviceFailed:
            return False
        return any(_among(now, one, name) for one, name in unknown.items())

    def _open_both(self) -> dict[Direction, str]:
        """As they are wanted. Raises DeviceFailed, or ConfigError, and then none is open."""
        wanted = {direction: find_device(direction, self._wanted[direction]) for direction in NOUN}
        try:
            for direction in DIRECTIONS:
                if self.streams.device(direction) is None:
                    self.streams.open(direction, wanted[direction])
        except DeviceFailed:
            self.streams.close()
            raise
        return {}

    def _open_what_there_is(self) -> dict[Direction, str]:
        """Returns what is missing, and what that means."""
        missing = {}
        for direction in DIRECTIONS:
            if self.streams.device(direction) is None or direction in self._missing:
                why = self._open(direction)
                if why is not None:
                    missing[direction] = why
        return missing

    def _open(self, direction: Direction) -> str | None:
        """The chosen device, else the system's choice. Returns why it is not the chosen one."""
        noun, name = NOUN[direction], self._wanted[direction]
        try:
            self.streams.open(direction, find_device(direction, name))
        except Hangs:
            raise
        except NoDevice:
            return f"no {noun} found: connect one; {MEANWHILE[direction]}"
        except (ConfigError, DeviceFailed) as error:
            why = _why(noun, name, error)
        else:
            return None
        if name is not None and self.streams.device(direction) is None:
            try:
                self.streams.open(direction, find_device(direction, None))
            except Hangs:
                raise
            except DeviceFailed:
                pass  # nothing stands in, and that is said
        stands_in = self.streams.device(direction)
        if stands_in is None:
            return f"{why}; {MEANWHILE[direction]}"
        return f"{why}; {stands_in.name!r} is used meanwhile"

    def _tell(self, missing: dict[Direction, str]) -> None:
        before, self._missing = self._missing, missing
        if not self._patient:
            if before and not missing:
                self._notify(Notice("info", "microphone and loudspeaker are back"))
            elif missing and not before:
                why = next(iter(missing.values()))
                self._notify(Notice("warning", f"{why}; waiting for that"))
            return
        for why in dict.fromkeys(why for one, why in missing.items() if why != before.get(one)):
            self._notify(Notice("warning", why))
        for direction in before:
            if direction not in missing and (device := self.streams.device(direction)) is not None:
                found = f"the {NOUN[direction]} {device.name!r} is connected"
                self._notify(Notice("info", found))

    # -- chosen ------------------------------------------------------------------------------------

    def _switch(self, asked: Names) -> None:
        """Each of the two by itself: what can not be had leaves the one before."""
        changed = {one: name for one, name in asked.items() if name != self._wanted[one]}
        if not changed:
            return
        if not self._any_open:  # nor is there one to go on with
            self._wanted, self._pause_s = asked, FIRST_LOOK_S
            self._look()
            return
        before = {one: self.streams.device(one) for one in changed}
        try:
            self._let_portaudio_look(changed)
        except Hangs:
            raise
        except DeviceFailed:
            pass  # it knows none then, and that is said of each
        for direction, name in changed.items():
            try:
                self.streams.open(direction, find_device(direction, name))
            except Hangs:
                raise
            except (ConfigError, DeviceFailed) as error:
                kept = before[direction]
                after = MEANWHILE[direction] if kept is None else f"going on with {kept.name!r}"
                why = _why(NOUN[direction], name, error)
                self._notify(Notice("warning", f"{why}; {after}"))
            else:
                self._wanted[direction] = name
                self._missing.pop(direction, None)
        if any(self.streams.device(direction) is None for direction in DIRECTIONS):
            self._look()


def _among(devices: Sequence[SoundDevice], direction: Direction, name: str | None) -> bool:
    try:
        find_device(direction, name, devices)
    except (ConfigError, NoDevice):
        return False
    return True


def _why(noun: str, name: str | None, error: GoAssistError) -> str:
    return f"the {noun} {name!r} is not connected" if isinstance(error, ConfigError) else str(error)
