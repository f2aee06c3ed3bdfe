"""Start at login: an entry in the desktop's autostart folder, as freedesktop.org specifies it.

https://specifications.freedesktop.org/autostart-spec/latest/
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

NAME: Final = "goassist.desktop"
COMMAND: Final = (sys.executable, "-P", "-m", "goassist_desktop")
"""This very installation, wherever it is and whatever `goassist` means on the path; and without the
folder a login begins in, which is the user's, among the modules (-P)."""


def entry_path() -> Path:
    """Where the entry lies, or would."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    configuration = Path(home) if os.path.isabs(home) else Path.home() / ".config"
    return configuration / "autostart" / NAME


def is_on() -> bool:
    """Whether the next login starts us: a desktop's own settings may have switched it off too."""
    try:
        lines = [line.strip() for line in entry_path().read_text(encoding="utf-8").splitlines()]
    except (FileNotFoundError, UnicodeDecodeError):
        return False
    off = {("Hidden", "true"), ("X-GNOME-Autostart-enabled", "false")}
    settings = {tuple(part.strip() for part in line.split("=", 1)) for line in lines if "=" in line}
    return "[Desktop Entry]" in lines and not off & settings


def switch(on: bool) -> None:
    """Raises OSError, with the file's name, when it can not be written or removed."""
    path = entry_path()
    if not on:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".new")
    half.write_text(_entry(), encoding="utf-8")
    half.replace(path)


def _entry() -> str:
    return f"""[Desktop Entry]
Type=Application
Name=GoAssist
Comment=A voice assistant you simply talk with
Exec={" ".join(_quoted(part) for part in COMMAND)}
Icon=goassist
Terminal=false
X-GNOME-Autostart-enabled=true
"""


def _quoted(argument: str) -> str:
    """As the value of Exec wants it: quoted for the command, then escaped for the file."""
    argument = argument.replace("%", "%%")
    if re.search(r"[^\w@%+=:,./-]", argument):
        argument = '"' + re.sub(r'(["`$\\])', r"\\\1", argument) + '"'
    return argument.replace("\\", "\\\\")
