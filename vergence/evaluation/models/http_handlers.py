"""How requests are sent by urllib: redirects aren't followed, and a request that waits can be ended."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.request
from typing import Any


def noting(sockets: dict[int, socket.socket]) -> list[urllib.request.BaseHandler]:
    """Handlers of HTTP and HTTPS that note the socket of each thread's request, so that `stop` can end it."""

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            sockets[threading.get_ident()] = self.sock

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            sockets[threading.get_ident()] = self.sock

    class OverHTTP(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    class OverHTTPS(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, req)

    return [OverHTTP(), OverHTTPS()]


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: it would turn the request into another one, and carry the key elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""
        return None
