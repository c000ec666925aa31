"""A chat endpoint on this machine that answers as its script says, one entry a request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def completion(text: str | None = "B", *, reason: str = "stop", usage: Any = None, **message: Any) -> dict[str, Any]:
    """The body of a proper reply."""
    choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": reason}
    return {"choices": [choice], **({"usage": usage} if usage is not None else {})}


class Status:
    """A reply with a status, headers and a body of one's own; `cut` announces more bytes than are sent."""

    def __init__(self, code: int, body: Any = b"", *, cut: int = 0, **headers: str) -> None:
        self.code, self.cut, self.headers = code, cut, headers
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


HANG_UP = object()
"""Close the connection without a word."""


class Silence:
    """Say nothing until the test is over; with `dribble`, one byte at each turn."""

    def __init__(self, dribble: bytes = b"") -> None:
        self.dribble = dribble


class Stub:
    """The server's address, and what it was asked: bodies, headers, and how many requests were open at once."""

    def __init__(self, script: Sequence[Any] | Callable[[dict[str, Any]], Any]) -> None:
        self.script = script if callable(script) else iter(script)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.open = self.most = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.url = ""

    def next(self, body: dict[str, Any]) -> Any:
        if callable(self.script):
            return self.script(body)
        with self.lock:
            return next(self.script)


@contextmanager
def serving(script: Sequence[Any] | Callable[[dict[str, Any]], Any]) -> Iterator[Stub]:
    """A server for a script: a list of replies in order, or a function of the request's body."""
    stub = Stub(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with stub.lock:
                stub.bodies.append(body)
                stub.headers.append(dict(self.headers))
                stub.paths.append(self.path)
                stub.open += 1
                stub.most = max(stub.most, stub.open)
            try:
                self.reply(stub.next(body))
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client has given up, as it should
            finally:
                with stub.lock:
                    stub.open -= 1

        def reply(self, found: Any) -> None:
            if found is HANG_UP:
                return
            if isinstance(found, Silence):
                if found.dribble:
                    self.send_response(200)
                    self.end_headers()
                while not stub.over.wait(0.01):
                    self.wfile.write(found.dribble)
                    self.wfile.flush()
                return
            if not isinstance(found, Status):
                found = Status(200, found)
            self.send_response(found.code)
            for name, value in found.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(found.body) + found.cut))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
