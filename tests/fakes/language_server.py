"""A server on loopback that answers as it is told, well or badly: raw HTTP, one answer a time."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Answer = Callable[["Request"], None]


class Request(socketserver.StreamRequestHandler):
    """One request: `path`, `headers` and `question` were read, and what `answer` does comes."""

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        if not line:
            return
        self.method, self.path, _ = line.split()
        self.headers: dict[str, str] = {}
        while (header := self.rfile.readline().decode().strip()) != "":
            name, _, value = header.partition(":")
            self.headers[name.lower()] = value.strip()
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.question: Any = json.loads(body) if body else None
        server: Any = self.server
        try:
            server.answer(self)
        except OSError:
            server.left.set()

    def send(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()

    def head(self, status: int = 200, kind: str = "text/event-stream") -> None:
        self.send(f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n")

    def whole(self, what: object, status: int = 200) -> None:
        self.head(status, "application/json")
        self.send(json.dumps(what))

    def word(self, text: str, model: str = "m", finish: str | None = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        self.send(f"data: {json.dumps({'model': model, 'choices': [choice]})}\n\n")

    def done(self) -> None:
        self.send("data: [DONE]\n\n")

    def until_left(self) -> None:
        """Make words until nobody listens."""
        while True:
            self.word(" more")
            time.sleep(0.005)


class LanguageServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, chat: Answer, models: Answer | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.left = threading.Event()
        """Somebody closed the connection before the end of the answer."""
        self.asked: list[Any] = []
        self._chat, self._models = chat, models

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, request: Request) -> None:
        if request.path.endswith("/models"):
            if self._models is not None:
                self._models(request)
            else:
                request.whole({"data": [{"id": "m", "owned_by": "tests", "max_model_len": 4096}]})
            return
        self.asked.append(request)
        self._chat(request)


@contextmanager
def language_server(chat: Answer, models: Answer | None = None) -> Iterator[LanguageServer]:
    with LanguageServer(chat, models) as server:
        serving = threading.Thread(target=lambda: server.serve_forever(0.01))
        serving.start()
        try:
            yield server
        finally:
            server.shutdown()
            serving.join()


def hello(request: Request) -> None:
    request.head()
    request.word("Hello")
    request.word(" there.", finish="stop")
    request.done()
