"""What goes wrong in Qt is in the log: in a program of its own, where nothing else catches it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from goassist_desktop import log_file

PROGRAM = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer, qWarning
from PySide6.QtWidgets import QApplication
from goassist_desktop import log_file
from goassist_desktop.ui import qt_messages

def breaks():
    raise ValueError("'rhododendron' in a slot")

sys.excepthook = lambda *_: None
bugs = []
application = QApplication(["test", "-platform", "offscreen"])
with log_file.open_log(where=Path(sys.argv[1])), log_file.hook_exceptions(bugs.append):
    with qt_messages.logged():
        QTimer.singleShot(0, breaks)
        QTimer.singleShot(1, lambda: qWarning("a font is missing"))
        QTimer.singleShot(5, application.quit)
        application.exec()
print(bugs)
"""


def test_slots_that_break_and_warnings_of_qt_are_logged(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("['ValueError']\n", "")
    lines = [json.loads(line) for line in (tmp_path / log_file.NAME).read_text().splitlines()]
    said = {line["message"]: line for line in lines}
    assert said["a bug in the main thread"]["exception"].endswith("ValueError: '…' in a slot")
    assert said["a font is missing"]["logger"] == "qt"
    assert said["a font is missing"]["level"] == "warning"
