"""HTTP for engines that are servers: an answer arrives in pieces, and silence can be left.

The usual clients wait in `recv` until something comes, and whoever reads can not be told to stop.
Here nothing for POLL_S is an empty piece, so that closing the iterator closes the connection within
that time, from which a server knows that nobody wants its answer any more.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import h11

from goassist_desktop.pipeline.errors import EngineFailed

POLL_S: Final = 0.03
CONNECT_S: Final = 4.0
SILENCE_S: Final = 60.0
"""Of a server in the middle of an answer; who is less patient closes the iterator."""
RECEIVED_BYTES: Final = 1 << 16
LONGEST_BYTES: Final = 1 << 22
"""Of an answer that is not streamed."""
_NEAR: Final = (".local", ".lan", ".home.arpa", ".internal", ".localhost")


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer."""

    status: int
    content_type: str


def exchange(
    url: str, method: str, question: object = None, key: str = ""
) -> Generator[Head | bytes, None, None]:
    """The head of the answer, and then its body as it comes; b"" for every POLL_S of silence.

    `question` is sent as JSON, `key` as a bearer token. Raises EngineFailed.
    """
    place = urlsplit(url)
    headers = {"Host": place.netloc.rpartition("@")[2], "Accept": "*/*", "Connection": "close"}
    body = b""
    if question is not None:
        body = json.dumps(question).encode()
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    state = h11.Connection(h11.CLIENT)
    request = h11.Request(method=method, target=target, headers=list(headers.items()))
    try:
        with closing(_connected(url)) as connection:
            connection.sendall(state.send(request) or b"")
            if body:
                connection.sendall(state.send(h11.Data(data=body)) or b"")
            state.send(h11.EndOfMessage())
            connection.settimeout(POLL_S)
            yield from _answer(connection, state)
    except (OSError, h11.ProtocolError) as error:
        raise EngineFailed(f"{url}: {_why(error)}") from error


def _connected(url: str) -> socket.socket:
    place = urlsplit(url)
    host = place.hostname or ""
    port = place.port or (443 if place.scheme == "https" else 80)
    connection = socket.create_connection((host, port), CONNECT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if place.scheme == "https":
        try:
            return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise
    return connection


def _answer(
    connection: socket.socket, state: h11.Connection
) -> Generator[Head | bytes, None, None]:
    silent_s = 0.0
    while True:
        event = state.next_event()
        if event is h11.NEED_DATA:
            try:
                state.receive_data(connection.recv(RECEIVED_BYTES))
                silent_s = 0.0
            except TimeoutError:
                silent_s += POLL_S
                if silent_s >= SILENCE_S:
                    raise TimeoutError(f"no answer for {SILENCE_S:g} s") from None
                yield b""
        elif isinstance(event, h11.Response):
            kinds = [value for name, value in event.headers if name == b"content-type"]
            yield Head(event.status_code, b"".join(kinds[:1]).decode("latin-1").lower())
        elif isinstance(event, h11.Data):
            yield bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return


def ask(
    url: str, method: str = "GET", question: object = None, key: str = "", within_s: float = 10.0
) -> dict[str, Any]:
    """A whole answer in JSON. Raises Refused for another status than 200, EngineFailed else."""
    head, body, waited_s = Head(0, ""), b"", 0.0
    with closing(exchange(url, method, question, key)) as pieces:
        for piece in pieces:
            if isinstance(piece, Head):
                head = piece
            elif piece:
                body += piece
            else:
                waited_s += POLL_S
            if waited_s >= within_s:
                raise EngineFailed(f"{url}: no answer within {within_s:g} s")
            if len(body) > LONGEST_BYTES:
                raise EngineFailed(f"{url}: an answer without end")
    if head.status != 200:
        raise Refused(url, head.status, body)
    return as_json(url, head, body)


def as_json(url: str, head: Head, body: bytes) -> dict[str, Any]:
    """Raises EngineFailed for what is no JSON object."""
    try:
        answer = json.loads(body)
    except ValueError as error:
        kind = head.content_type.partition(";")[0] or "something without a type"
        raise EngineFailed(f"{url}: answers with {kind} that can not be read as JSON") from error
    if not isinstance(answer, dict):
        raise EngineFailed(f"{url}: answers with JSON that is no object")
    return answer


class Refused(EngineFailed):
    """A server answered, and with an error."""

    def __init__(self, url: str, status: int, body: bytes) -> None:
        self.status = status
        words = {
            401: "the key is missing or wrong",
            403: "the key is not allowed to do this",
            404: "there is nothing at this address",
            429: "it is asked too much, or its credit is used up",
        }
        said = _said(body)
        what = words.get(status, f"error {status}")
        super().__init__(f"{url}: {what}" + (f" ({said})" if said else ""))


def is_near(url: str) -> bool:
    """Whether a server is on this machine or in this network, by its address alone."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_NEAR)


def _said(body: bytes) -> str:
    """What a server says of its error, in one short line; "" for what is no JSON."""
    try:
        error = json.loads(body)
        while isinstance(error, dict):
            error = next((error[key] for key in ("error", "message", "detail") if key in error), "")
    except ValueError:
        return ""
    return " ".join(str(error).split())[:200]


def _why(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "nobody listens there"
        case socket.gaierror():
            return "no such host is known"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return "it does not speak TLS: http:// in place of https://?"
        case ConnectionError():
            return "the connection was lost"
        case h11.RemoteProtocolError():
            lost = "ConnectionClosed" in str(error) or "peer closed" in str(error)
            return "the connection was lost" if lost else "it does not speak HTTP"
        case TimeoutError():
            return str(error) if "no answer" in str(error) else "it can not be reached in time"
    return str(error)
