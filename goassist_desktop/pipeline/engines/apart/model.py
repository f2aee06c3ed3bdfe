"""A language model in a process of its own, in the environment of this program.

    python -m goassist_desktop.pipeline.engines.apart.model MODEL CONTROL

MODEL is what `create` is told of it, as JSON: name, source, threads and options. CONTROL is the
file descriptor of a socket over which lines of JSON go. In come what is to be done, numbered, and
the number up to which nothing is wanted any more; out go "ready", the pieces and the ends of what
was done, "missing" and "failed".

It ends when CONTROL is closed. What it prints is nobody's answer.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Message


class Wanted:
    """What is asked, in a thread of its own, so that one hears of what is not wanted any more."""

    def __init__(self, control: socket.socket) -> None:
        self.asked: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.unwanted = 0
        threading.Thread(target=self._listen, args=[control], daemon=True).start()

    def _listen(self, control: socket.socket) -> None:
        for line in control.makefile():
            told = json.loads(line)
            if "unwanted" in told:
                self.unwanted = told["unwanted"]
            else:
                self.asked.put(told)
        self.asked.put(None)


def main(model: str, control_fd: str) -> None:
    os.set_inheritable(int(control_fd), False)
    control = socket.socket(fileno=int(control_fd))

    def tell(what: dict[str, Any]) -> None:
        control.sendall(json.dumps(what).encode() + b"\n")

    about = json.loads(model)
    engine = create(
        "language_model",
        about["name"],
        Path(about["source"]),
        threads=about["threads"],
        **about["options"],
    )
    try:
        engine.load()
    except ModelMissing as error:
        tell({"missing": str(error)})
        return
    except EngineFailed as error:
        tell({"failed": str(error)})
        return
    tell({"ready": engine.context_tokens})
    wanted = Wanted(control)
    while (asked := wanted.asked.get()) is not None:
        number = asked["number"]
        try:
            tell({"number": number, "end": _done(engine, asked, wanted, tell)})
        except EngineFailed as error:
            tell({"number": number, "failed": str(error)})


def _done(engine: Any, asked: dict[str, Any], wanted: Wanted, tell: Any) -> int | None:
    number, messages = asked["number"], [Message(*one) for one in asked["messages"]]
    match asked["do"]:
        case "count":
            return int(engine.count_tokens(messages))
        case "prefill":
            engine.prefill(messages, shortened=asked["shortened"])
        case "reply" if wanted.unwanted < number:
            with closing(engine.reply(messages, **asked["how"])) as pieces:
                for piece in pieces:
                    if wanted.unwanted >= number:
                        break
                    tell({"number": number, "piece": piece})
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
