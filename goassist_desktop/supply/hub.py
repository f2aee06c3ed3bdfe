"""The model hub: files over HTTPS, continued where they were cut off."""

from __future__ import annotations

import time

import httpx

from goassist_desktop.supply.partial import Partial, SourceFailed, Tick

_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
_TRIES_WITHOUT_A_BYTE = 3


class Hub:
    """One pull's view of the hub at `url`. Once it could not be reached it is not asked again."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._connections: httpx.Client | None = None
        self._answered = False
        self.unreachable = False

    def close(self) -> None:
        if self._connections:
            self._connections.close()

    def fetch(self, partial: Partial, tick: Tick) -> None:
        """Append what is still missing of the file.

        A cut connection is taken up again as long as bytes keep coming. Raises SourceFailed.
        """
        idle_tries = 0
        while partial.size < partial.file.size:
            before = partial.size
            try:
                self._stream(partial, tick)
                fault = "the connection was closed"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not self._answered:
                    self.unreachable = True
                    raise SourceFailed(f"{self._url} can not be reached: {error}") from error
                fault = str(error) or type(error).__name__
            if partial.size > before:
                idle_tries = 0
                continue
            idle_tries += 1
            if idle_tries == _TRIES_WITHOUT_A_BYTE:
                raise SourceFailed(f"cut off at {partial.size} of {partial.file.size}: {fault}")
            tick(partial.size)
            time.sleep(0.5 * idle_tries)

    def _stream(self, partial: Partial, tick: Tick) -> None:
        headers = {"Accept-Encoding": "identity"}
        if partial.size:
            headers["Range"] = f"bytes={partial.size}-"
        url = f"{self._url}/{partial.file.hub}"
        with self._client().stream("GET", url, headers=headers) as response:
            self._answered = True
            if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise SourceFailed(f"answers {response.status_code} {response.reason_phrase}")
            if response.status_code == httpx.codes.OK:
                partial.truncate(0)
            coming = response.headers.get("Content-Length")
            if coming is not None and partial.size + int(coming) != partial.file.size:
                raise SourceFailed(
                    f"was refused: it has {partial.size + int(coming)} bytes, "
                    f"the manifest says {partial.file.size}"
                )
            for block in response.iter_raw():
                partial.append(block)
                tick(partial.size)

    def _client(self) -> httpx.Client:
        if not self._connections:
            try:
                self._connections = httpx.Client(follow_redirects=True, timeout=_TIMEOUT)
            except (ImportError, ValueError) as error:
                # A proxy named in the environment that httpx has no support for.
                raise httpx.ProxyError(str(error)) from error
        return self._connections
