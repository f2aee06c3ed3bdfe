"""Draws the face in a thread of its own, and hands over its newest picture.

Drawing in software takes tens of milliseconds a picture, and a driver may hang: neither may ever
be felt in the window or in the sound. So Qt's thread only takes what is finished, and nothing is
drawn before the last picture was taken: a window that nobody sees costs nothing. No Qt here.

Mesa draws in threads of its own, and they give way to all others. The thread of this module does
not: it is one of Python's, and would keep all of them waiting whenever it had to wait for a
processor with Python's lock in its hand (0.8 s was measured, on two busy cores).
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from goassist_desktop.avatar import RENDERERS, Picture, Renderer
from goassist_desktop.pipeline.blendshapes import Pose
from goassist_desktop.pipeline.events import Notice

logger = logging.getLogger(__name__)

NICENESS: Final = 5
"""Of Mesa's threads: voice and ears come before the face. On two cores that others keep busy it
gets 18 pictures a second with 5, and 7 with 10."""
TASKS: Final = Path("/proc/self/task")
MESA_THREADS: Final = re.compile(r"llvmpipe-\d+|.*:gl\d*")
FPS: Final = {"gpu": 60.0, "software": 30.0}
HURRIED_FPS: Final = 5.0
"""In software, while somebody waits for words to be read or made. With 30, on two cores, answers of
the larger language model came 240 ms later, and were silent inside for up to 300, whatever the
priority of the threads that draw."""
CALM_FPS: Final = 12.0
"""Where nothing is said and nobody is looked at."""
SIDES: Final = {"gpu": (1440, 1024, 640), "software": (512, 384, 320)}
"""The most pixels drawn are the square of it; the next one where the one before is too slow."""
LARGE: Final = 4_000_000
"""Pixels of the screen: to show a face on more of them takes Qt's thread 10 ms, so it is not done
more often than in software."""
LEAST_FPS: Final = 24.0
JUDGED: Final = 36
"""Pictures: half of them slower than LEAST_FPS, and they are drawn smaller."""
PAINTED_BELOW_FPS: Final = 12.0
"""A painted face is another face: it has to be worth it."""
PAINTED: Final = "painted"
SETTLES_S: Final = 0.15
"""A size is drawn in once it stays for so long: a window being dragged passes many."""
SEEN_WEIGHT: Final = 0.01
SEEN_DEGREES: Final = 0.1
"""What changed by less moves nothing by more than a third of a pixel, in software …"""
CALM_DEGREES: Final = 0.2
"""… and where it is dimmed, twice as much is not seen either."""
KEPT: Final = 240
"""Intervals between pictures, for who asks."""

Open = Callable[[str, int, int, Callable[[Notice], None]], Renderer]


@dataclass(frozen=True, slots=True)
class Frame:
    """A finished picture."""

    pixels: Picture
    pose: Pose
    person: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be drawn."""

    person: str
    size: tuple[int, int] = (0, 0)
    """In pixels of the screen; nothing is drawn while there are none."""
    size_since_s: float = 0.0
    running: bool = False
    times: int = 0
    """It was begun to run: what was too slow is tried again with each, and no more often."""
    calm: bool = False
    judging: bool = True
    """Whether slowness tells of the machine, and not of what else it is doing for a moment."""


class FaceThread:
    """`pose`, `ready` and `notify` are called in the thread; all methods are for Qt's."""

    def __init__(
        self,
        person: str,
        pose: Callable[[], Pose],
        hurried: Callable[[], bool],
        ready: Callable[[], None],
        notify: Callable[[Notice], None],
        open_face: Open,
    ) -> None:
        """`ready`: there is a picture to take."""
        self.intervals_ms: deque[float] = deque(maxlen=KEPT)
        """From one picture to the next, where the face moved in between."""
        self._rested = False  # nobody looked, since the last picture
        self.renderer_name = ""
        self._pose, self._ready, self._notify, self._open = pose, ready, notify, open_face
        self._hurried = hurried
        self._changed = threading.Condition()
        self._wish = Wish(person)
        self._frame: Frame | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="face", daemon=True)

    def start(self) -> None:
        """Harmless when it was started."""
        if self._thread.ident is None and not self._stopping:
            # Mesa then draws in threads of its own, and while it does, Python goes on: without
            # this every picture stops all of Python, the sound's callbacks too, for 20 ms.
            os.environ.setdefault("mesa_glthread", "true")
            os.environ.setdefault("MESA_DEBUG", "silent")  # or it says so on the terminal
            self._thread.start()

    def wish(
        self,
        *,
        person: str | None = None,
        size: tuple[int, int] | None = None,
        running: bool | None = None,
        calm: bool | None = None,
        judging: bool | None = None,
    ) -> None:
        """Draw this from now on; what is None stays."""
        with self._changed:
            old = self._wish
            begins = bool(running) and not old.running
            if begins:
                self._frame = None  # of long ago
            self._wish = Wish(
                old.person if person is None else person,
                old.size if size is None else size,
                old.size_since_s if size in (None, old.size) else time.monotonic(),
                old.running if running is None else running,
                old.times + begins,
                old.calm if calm is None else calm,
                old.judging if judging is None else judging,
            )
            self._changed.notify()

    def take(self) -> Frame | None:
        """The newest picture, once; and draw the next."""
        with self._changed:
            frame, self._frame = self._frame, None
            self._changed.notify()
            return frame

    def stop(self, timeout_s: float = 0.3) -> bool:
        """Whether it has ended by then. If not, it is left alone, and says no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- in the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        easel = _Easel(self._open, self._tell)
        try:
            self._draw_on(easel)
        except Exception:  # a bug: told and logged, and the conversation goes on
            logger.exception("the face can not be drawn")
            self._tell(Notice("error", "face: it can not be shown any more", "face"))
        finally:
            easel.close()

    def _draw_on(self, easel: _Easel) -> None:
        last: Pose | None = None
        due_s = last_s = 0.0
        moving = False
        while (wish := self._next(due_s)) is not None:
            if self._rested:
                self._rested = moving = False
            if easel.prepare(wish):
                last = None
            now_s = time.monotonic()
            due_s = max(due_s + 1 / easel.fps(wish, self._hurried()), now_s)
            pose = self._pose()
            if last is not None and not differs(last, pose, calm=wish.calm):
                moving = False
                continue
            pixels = easel.draw(pose, judging=wish.judging)
            done_s = time.monotonic()
            if moving and not wish.calm:
                self.intervals_ms.append((done_s - last_s) * 1000)
            last, last_s, moving = pose, done_s, True
            self.renderer_name = easel.name
            self._give(Frame(pixels, pose, wish.person))

    def _next(self, due_s: float) -> Wish | None:
        """What to draw, when it is time to; None at the end."""
        with self._changed:
            while not self._stopping:
                wish = self._wish
                if not wish.running or 0 in wish.size:
                    self._rested = True
                    self._changed.wait()
                elif self._frame is not None:
                    self._changed.wait()
                elif (early_s := due_s - time.monotonic()) > 0:
                    self._changed.wait(early_s)
                else:
                    return wish
            return None

    def _give(self, frame: Frame) -> None:
        with self._changed:
            if self._stopping:
                return
            self._frame = frame
            self._ready()

    def _tell(self, notice: Notice) -> None:
        with self._changed:
            if not self._stopping:
                self._notify(replace(notice, source="face"))


class _Easel:
    """The renderer in use, in a size that it can hold. What was too slow is not tried again while
    one looks: a face that changes its looks every few seconds is worse than a simple one.
    """

    def __init__(self, open_face: Open, notify: Callable[[Notice], None]) -> None:
        self._open, self._notify = open_face, notify
        self._renderer: Renderer | None = None
        self._person = ""
        self._room = self._size = (0, 0)
        self._rung = self._times = 0
        self._took_s: deque[float] = deque(maxlen=JUDGED)

    @property
    def name(self) -> str:
        return "" if self._renderer is None else self._renderer.name

    def fps(self, wish: Wish, hurried: bool) -> float:
        """The most there is any use in, or time for."""
        kind = self._kind
        if hurried and kind == "software":
            return HURRIED_FPS
        most = FPS[kind]
        if wish.size[0] * wish.size[1] > LARGE:
            most = FPS["software"]
        return min(most, CALM_FPS) if wish.calm else most

    def prepare(self, wish: Wish) -> bool:
        """Take a new person or size. Whether the next picture will not look like the last."""
        fresh = self._renderer is None or wish.person != self._person
        if wish.times != self._times:
            fresh = fresh or self._rung >= len(SIDES["software"])
            self._rung, self._times = 0, wish.times
        if fresh or time.monotonic() - wish.size_since_s >= SETTLES_S:
            self._room = wish.size
        if fresh:
            self.close()
            self._person, self._size = wish.person, fitted(self._room, SIDES["software"][0])
            self._renderer = self._opened()
        sides = SIDES[self._kind]
        size = fitted(self._room, sides[min(self._rung, len(sides) - 1)])
        if size == self._size:
            return fresh
        assert self._renderer is not None
        self._renderer.resize(*size)
        self._size = size
        self._took_s.clear()
        return True

    def draw(self, pose: Pose, judging: bool) -> Picture:
        assert self._renderer is not None
        began_s = time.monotonic()
        pixels = self._renderer.draw(pose)
        self._took_s.append(time.monotonic() - began_s)
        if not judging:
            self._took_s.clear()
        elif len(self._took_s) == JUDGED:
            self._judge(1 / median(self._took_s))
        return pixels

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _judge(self, fps: float) -> None:
        """If it is too slow, go down to the next size that is smaller indeed; below the last,
        paint."""
        if fps >= LEAST_FPS or self.name == PAINTED:
            return
        sides, pixels = SIDES[self._kind], self._size[0] * self._size[1]
        rung = self._rung + 1
        while rung < len(sides) and sides[rung] ** 2 >= pixels:
            rung += 1
        if rung < len(sides):
            self._rung = rung
            self._notify(Notice("info", "face: drawn smaller, so that it moves smoothly"))
        elif fps < PAINTED_BELOW_FPS:
            self._rung = rung
            self.close()
            self._renderer = self._opened()
            self._notify(
                Notice("warning", "face: painted, because this computer is too busy to draw it")
            )
        else:
            return
        self._took_s.clear()

    def _opened(self) -> Renderer:
        if self._rung >= len(SIDES["software"]):
            return RENDERERS[PAINTED](self._person, *self._size)
        opened = self._open(self._person, *self._size, self._notify)
        give_way()
        return opened

    @property
    def _kind(self) -> str:
        from goassist_desktop.avatar.offscreen import SOFTWARE

        name = self.name.lower()
        simple = name in ("", PAINTED) or any(word in name for word in SOFTWARE)
        return "software" if simple else "gpu"


def give_way() -> None:
    """Lower the priority of the threads that Mesa draws in."""
    for task in TASKS.glob("*"):
        with contextlib.suppress(OSError):  # some other thread ended meanwhile
            if MESA_THREADS.fullmatch((task / "comm").read_text().strip()):
                os.setpriority(os.PRIO_PROCESS, int(task.name), NICENESS)


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The same shape, with no more than `side`² pixels."""
    width, height = size
    share = min(1.0, side / math.sqrt(width * height))
    return max(1, round(width * share)), max(1, round(height * share))


def differs(one: Pose, other: Pose, calm: bool = False) -> bool:
    """Whether it can be seen."""
    if one.speaking != other.speaking:
        return True
    turned = max(abs(a - b) for a, b in zip(one.head, other.head, strict=True))
    if turned > (CALM_DEGREES if calm else SEEN_DEGREES):
        return True
    return float(np.max(np.abs(one.weights - other.weights))) > SEEN_WEIGHT
