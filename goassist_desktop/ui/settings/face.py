"""The face: whose it is, what moves it, and where it is sent."""

from __future__ import annotations

from typing import Final

from PySide6.QtGui import QPixmap

from goassist_desktop import shipped
from goassist_desktop.ui.ports import Loading, Ready, Unable
from goassist_desktop.ui.settings.editing import Editing
from goassist_desktop.ui.settings.engines import EngineLine
from goassist_desktop.ui.settings.lines import Line, TextLine
from goassist_desktop.ui.settings.section import Section
from goassist_desktop.ui.settings.tiles import Tile, Tiles

HEADS: Final = {"mira": "Mira", "jonas": "Jonas"}
PICTURE_PX: Final = 200


class HeadLine(Line):
    """The heads there are, by their pictures, which `models/draw_heads.py` draws."""

    def __init__(self, editing: Editing) -> None:
        tiles = []
        for head, name in HEADS.items():
            tile = Tile(head, name, picture_px=PICTURE_PX)
            tile.show_picture(QPixmap(str(shipped.folder() / "heads" / f"{head}.jpg")))
            tiles.append(tile)
        self.tiles = Tiles("Head", *tiles)
        super().__init__(
            editing,
            "Head",
            "Who looks at you.",
            self.tiles,
            "persona.head",
            below=True,
            words="avatar picture mira jonas",
        )
        self.refresh()
        self.tiles.picked.connect(self._picked)

    def refresh(self) -> None:
        self.tiles.show_value(self.editing.value("persona.head"))

    def _picked(self, head: str) -> None:
        self.complain(self.editing.put({"persona.head": head}))


class Face(Section):
    TITLE = "Face"
    ICON = "face"
    WHAT = "The face you see while you talk. Without it the conversation goes on just as well."

    def __init__(self, editing: Editing) -> None:
        super().__init__(editing)
        self.head_line = HeadLine(editing)
        self.engine = EngineLine(
            editing, "face.engine", "Movement of the mouth", "If it fails, the built-in one helps."
        )
        self.service = TextLine(
            editing,
            "face.service",
            "Address of the service",
            "Host and port of the Audio2Face-3D service.",
            hint="localhost:52000",
            words="network audio2face",
        )
        self.live_link = TextLine(
            editing,
            "face.live_link",
            "Live Link",
            "Host and port of a program that shows the face too, as Unreal does. Empty: off.",
            hint="for example 192.168.1.20:11111",
            words="unreal network send",
        )
        self.add("", self.head_line)
        self.add("Movement", self.engine, self.service)
        self.add("Sending the face", self.live_link)
        editing.applied.connect(self._show_service)
        self._show_service()

    def happened(self, event: Loading | Ready | Unable) -> None:
        if isinstance(event, Ready):
            in_use = (info for info in event.engines if info.stage == "face")
            self.engine.use(next(in_use, None))
        else:
            self.engine.use(None)

    def _show_service(self) -> None:
        """Nobody else needs the address."""
        used = self.editing.value("face.engine") == "audio2face-service"
        self.service.wanted = used
        self.service.setVisible(used)
