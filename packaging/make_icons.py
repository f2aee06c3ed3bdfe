"""Draws the program's mark for a package:  python packaging/make_icons.py FOLDER

FOLDER is that of the icon theme, as /usr/share/icons/hicolor; the drawing itself goes there too.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from goassist_desktop.ui.pictograms import BLACK, FOLDER, pixmap

SIDES: Final = (16, 22, 24, 32, 48, 64, 128, 256, 512)


def main(theme: Path) -> None:
    application = QApplication([])
    for side in SIDES:
        path = theme / f"{side}x{side}" / "apps" / "goassist.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not pixmap("app", BLACK, side).save(str(path)):
            raise OSError(f"{path}: can not be written")
    drawing = theme / "scalable" / "apps" / "goassist.svg"
    drawing.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(FOLDER / "app.svg"), drawing)
    application.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
