"""What the host answers when it can not do what was asked."""

from __future__ import annotations

from goassist_desktop.pipeline.errors import GoAssistError


class ApiError(GoAssistError):
    """A status, a stable code, and one sentence for people. Nothing of the inside."""

    def __init__(self, status: int, code: str, what: str, retry_after_s: int | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.code = code
        self.what = what
        self.retry_after_s = retry_after_s
