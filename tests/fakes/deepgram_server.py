"""Deepgram's service for live sound on loopback: good, or broken in one way.

It is strict about what it is sent: whatever breaks the protocol is kept in `complaints`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

KEY = "a-good-key"
RATE_HZ = 16_000
IDLE_S = 10.0
"""Without sound and KeepAlive for so long it hangs up."""


@dataclass
class Call:
    """What one connection brought."""

    query: list[tuple[str, str]]
    sound: bytearray = field(default_factory=bytearray)
    told: list[str] = field(default_factory=list)
    """The control messages, in order."""
    finalized_s: float = 0.0

    @property
    def sent_s(self) -> float:
        return len(self.sound) / 2 / RATE_HZ


Answer = Callable[[web.WebSocketResponse, Call, str], Awaitable[None]]
"""What it sends for a Finalize, given the words."""


def results(
    text: str,
    start_s: float,
    end_s: float,
    *,
    final: bool = True,
    from_finalize: bool = False,
    confidence: float = 0.9,
) -> str:
    best = {"transcript": text, "confidence": confidence, "words": []}
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "start": round(start_s, 2),
            "duration": round(end_s - start_s, 2),
            "is_final": final,
            "speech_final": False,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [best]},
            "metadata": {"request_id": "1", "model_info": {"name": "nova-3"}},
        }
    )


async def good(socket: web.WebSocketResponse, call: Call, words: str) -> None:
    """An interim result, and two final ones: the second may have no words."""
    start_s, end_s = call.finalized_s, call.sent_s
    middle_s = (start_s + end_s) / 2
    first, _, second = words.partition("|")
    await socket.send_str(results("something else", start_s, middle_s, final=False))
    await socket.send_str(results(first, start_s, middle_s))
    await socket.send_str(results(second, middle_s, end_s, from_finalize=True, confidence=0.6))


class DeepgramServer:
    """`with DeepgramServer(["words of the first utterance"]) as server:` listens at `server.url`.

    `status`: of an answer that opens no stream. `answer`: what it does in place of `good`.
    """

    def __init__(
        self, words: list[str] | None = None, *, answer: Answer = good, status: int = 0
    ) -> None:
        self.calls: list[Call] = []
        self.complaints: list[str] = []
        self.words = words or []
        self.answer, self.status = answer, status
        self.url = ""
        self._sockets: list[web.WebSocketResponse] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake deepgram")

    def __enter__(self) -> DeepgramServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hang_up(self, code: int = 1011) -> None:
        """On all who are connected."""

        async def all_of_them() -> None:
            for socket in self._sockets:
                await socket.close(code=code)

        asyncio.run_coroutine_threadsafe(all_of_them(), self._loop).result(5)

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/listen", self._listen)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        await self._runner.cleanup()

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Token {KEY}":
            return web.json_response({"err_code": "INVALID_AUTH"}, status=401)
        if self.status:
            return web.Response(
                text="<html>not a stream</html>", content_type="text/html", status=self.status
            )
        call = Call(list(request.query.items()))
        if dict(call.query).get("encoding") != "linear16":
            self.complaints.append("no encoding")
        self.calls.append(call)
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        self._sockets.append(socket)
        try:
            await self._converse(socket, call)
        except TimeoutError:
            await socket.close(code=1011, message=b"NET-0001")
        except ConnectionError:  # the other side hung up while it was answered
            pass
        return socket

    async def _converse(self, socket: web.WebSocketResponse, call: Call) -> None:
        while True:
            message = await socket.receive(timeout=IDLE_S)
            if message.type is WSMsgType.BINARY:
                if not message.data or len(message.data) % 2:
                    self.complaints.append(f"{len(message.data)} bytes of sound")
                call.sound += message.data
            elif message.type is WSMsgType.TEXT:
                what = json.loads(message.data)["type"]
                call.told.append(what)
                if what == "Finalize":
                    await self.answer(socket, call, self.words.pop(0) if self.words else "")
                    call.finalized_s = call.sent_s
                elif what == "CloseStream":
                    await socket.send_str(json.dumps({"type": "Metadata", "duration": call.sent_s}))
                    await socket.close()
                elif what != "KeepAlive":
                    self.complaints.append(what)
            else:
                return
