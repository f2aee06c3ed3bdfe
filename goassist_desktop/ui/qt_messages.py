"""What Qt has to say goes into the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

_LEVELS: Final = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}

logger = logging.getLogger("qt")


@contextmanager
def logged() -> Iterator[None]:
    """Qt's messages, from any thread, are logged and not printed."""
    before = qInstallMessageHandler(_take)
    try:
        yield
    finally:
        qInstallMessageHandler(before)


def _take(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    logger.log(_LEVELS[kind], "%s", message)
    if kind is QtMsgType.QtFatalMsg:  # Qt ends the process now
        sys.stderr.write(f"goassist: {message}\n")
        sys.stderr.flush()
