"""An assistant without engines: it notes what the window asks of it, and has a face that lives."""

from __future__ import annotations

import time
from pathlib import Path

from goassist_desktop.config import Config
from goassist_desktop.pipeline.blendshapes import INDEX, Pose, rest
from goassist_desktop.pipeline.life import Living
from goassist_desktop.ui.ports import BrowserAccess


class ScriptedAssistant:
    """A `ports.Assistant`. `asked` holds every call, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.level = -60.0
        self.jaw = 0.0
        self.speaking = False
        self.in_a_hurry = False
        self.shown_poses: list[Pose] = []
        self.offsets_ms: list[float] = []
        self.browsers = BrowserAccess("off")
        self._living = Living(1)
        self._began = time.monotonic()

    def start(self, greeting: str = "") -> None:
        self.asked.append(("start", greeting) if greeting else ("start",))

    def use(self, config: Config) -> None:
        self.asked.append(("use", config))

    def restart(self) -> None:
        self.asked.append(("restart",))

    def close(self) -> None:
        self.asked.append(("close",))

    def say(self, text: str) -> None:
        self.asked.append(("say", text))

    def stop_talking(self) -> None:
        self.asked.append(("stop_talking",))

    def mute(self, muted: bool) -> None:
        self.asked.append(("mute", muted))

    def push_to_talk(self, pressed: bool) -> None:
        self.asked.append(("push_to_talk", pressed))

    def sleep(self) -> None:
        self.asked.append(("sleep",))

    def level_db(self) -> float:
        return self.level

    def pose(self) -> Pose:
        now_ms = (time.monotonic() - self._began) * 1000
        self._living.pass_time(now_ms)
        life = self._living.at(now_ms)
        weights = rest()
        weights[INDEX["jawOpen"]] = self.jaw
        for side in ("Left", "Right"):
            weights[INDEX[f"eyeBlink{side}"]] = life.blink
        return Pose(now_ms, weights, life.head, self.speaking, 0.0)

    def hurried(self) -> bool:
        return self.in_a_hurry

    def shown(self, pose: Pose) -> None:
        self.shown_poses.append(pose)

    def face_offsets_ms(self) -> list[float]:
        return self.offsets_ms

    def keep_session(self, folder: Path) -> None:
        self.asked.append(("keep_session", folder))

    def browser_access(self) -> BrowserAccess:
        return self.browsers

    def renew_code(self) -> None:
        self.asked.append(("renew_code",))
