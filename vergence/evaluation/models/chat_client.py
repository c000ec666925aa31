"""Ask an OpenAI-compatible chat endpoint: one JSON request over HTTP, tried again where that can help.

```
complete(body) ─▶ attempt ─▶ 200 and a proper reply ─▶ Reply
                     │ 408, 409, 429, 5xx, no connection, time-out, broken JSON ─▶ wait ─▶ attempt ...
                     └ any other status ─▶ EndpointError at once
```

Only the standard library is used. The key never leaves this module: not into messages, descriptions or redirects.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import random
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from vergence import __version__
from vergence.errors import UsageError, VergenceError
from vergence.evaluation.models.http_handlers import NoRedirects, noting

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_MOST_BYTES = 32 * 2**20  # of a reply
_TRIED_AGAIN = (408, 409, 425, 429)


class EndpointError(VergenceError):
    """The endpoint gave no usable reply, also not when asked again; one line that says why."""


class _PassingError(Exception):
    """An attempt failed in a way that may pass; `wait` is how many seconds the server asks for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and when a failed request is sent again.

    Before attempt k + 1 it waits first * factor**k seconds, at most `most`, less a random share of up to `jitter` of
    that, which is drawn from `seed` and the request; or as long as the server's Retry-After says, unless that is more
    than `longest`, which ends the attempts.
    """

    attempts: int = 6
    first: float = 1.0
    factor: float = 2.0
    most: float = 60.0
    jitter: float = 0.5
    longest: float = 600.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises `UsageError` for numbers that can't be."""
        if self.attempts < 1 or self.first < 0 or self.factor < 1 or self.most < 0 or not 0 <= self.jitter <= 1:
            raise UsageError(f"retries: {self} needs attempts >= 1, factor >= 1, 0 <= jitter <= 1 and no negative time")

    def delay(self, attempt: int, request: str) -> float:
        """Seconds to wait after attempt number `attempt`, counted from 0, of a request."""
        whole = min(self.most, self.first * self.factor ** min(attempt, 64))  # beyond that, floats overflow
        return whole * (1 - self.jitter * random.Random(f"{self.seed}/{request}/{attempt}").random())


@dataclass(frozen=True, slots=True)
class Reply:
    """A chat completion: the first choice's message, why it ended, token counts as the server tells them."""

    message: Mapping[str, Any]
    finish_reason: str | None
    usage: Mapping[str, Any]
    attempts: int


class ChatClient:
    """An endpoint's address, its key and its patience; `complete` may be called from any number of threads.

    `url` is the address of the API ("https://host/v1"), with or without "/chat/completions". The key is read from the
    environment variable `key_variable`. Where that isn't named, it is OPENAI_API_KEY if set, and is sent only over
    HTTPS or within this machine. `timeout` is seconds for a whole reply. `sleep` and `clock` are replaced in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        key_variable: str | None = None,
        timeout: float = 300.0,
        retries: Retries | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url, local = _checked(url)
        self.timeout, self.retries = timeout, retries or Retries()
        if timeout <= 0:
            raise UsageError(f"timeout {timeout}: must be more than 0 seconds")
        self._key = _read_key(key_variable, self.url.startswith("https:") or local)
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._clock = clock
        self._sockets: dict[int, socket.socket] = {}  # by thread
        handlers: list[Any] = [NoRedirects(), *noting(self._sockets)]
        if local:
            handlers.append(urllib.request.ProxyHandler({}))  # no proxy leads to this machine
        self._opener = urllib.request.build_opener(*handlers)

    @property
    def address(self) -> str:
        """The API's address without "/chat/completions" and query, for descriptions."""
        return self.url.partition("?")[0].removesuffix("/chat/completions")

    def stop(self) -> None:
        """Let all requests fail, those that wait for a reply and those that wait for another attempt."""
        self._stopped.set()
        for one in list(self._sockets.values()):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def complete(self, body: Mapping[str, Any], *, request: str = "") -> Reply:
        """Send a chat completion's body and wait for the reply; `request` names it for the jitter.

        Raises `EndpointError` of one line when the server refuses it, or after the last attempt.
        """
        data = json.dumps(body).encode()
        name = request or hashlib.sha256(data).hexdigest()
        for attempt in range(self.retries.attempts):
            if self._stopped.is_set():
                raise EndpointError("stopped before it was asked")
            try:
                return _reply(self._post(data), attempt + 1)
            except _PassingError as failure:
                reason, wait = self._hidden(str(failure)), failure.wait
            if wait is not None and wait > self.retries.longest:
                raise EndpointError(f"{reason}; the server asks to wait {wait:.0f} s")
            if attempt + 1 < self.retries.attempts:
                self._sleep(self.retries.delay(attempt, name) if wait is None else wait)
            if self._stopped.is_set():
                break
        raise EndpointError(f"{reason} ({attempt + 1} attempt{'s' if attempt else ''})")

    def _post(self, data: bytes) -> bytes:
        """One attempt: the body of the reply to a status of 200."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers["User-Agent"] = f"vergence/{__version__}"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.url, data, headers, method="POST")
        end = self._clock() + self.timeout
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return self._read(response, end)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, end) from None
        except ssl.SSLCertVerificationError as error:
            raise EndpointError(self._hidden(f"no secure connection: {error.verify_message}")) from None
        except (TimeoutError, http.client.HTTPException, OSError) as error:
            cause = getattr(error, "reason", error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise EndpointError(self._hidden(f"no secure connection: {cause.verify_message}")) from None
            if isinstance(cause, TimeoutError):
                raise _PassingError(f"no reply within {self.timeout:g} s") from None
            raise _PassingError(f"no connection or a broken one: {type(cause).__name__}: {cause}") from None
        finally:
            self._sockets.pop(threading.get_ident(), None)

    def _read(self, response: Any, end: float) -> bytes:
        """The whole body. A time-out of sockets is one between two bytes, so the time is looked at here as well."""
        stated = response.headers.get("Content-Length", "")
        length = int(stated) if stated.isdecimal() else None
        chunks: list[bytes] = []
        size = 0
        while size != length and (chunk := response.read1(65536)):
            chunks.append(chunk)
            size += len(chunk)
            if size > _MOST_BYTES:
                raise EndpointError(f"the reply is longer than {_MOST_BYTES} bytes")
            if self._clock() > end:
                raise TimeoutError
        if length is not None and size < length:
            raise http.client.IncompleteRead(b"", length - size)
        return b"".join(chunks)

    def _refusal(self, error: urllib.error.HTTPError, end: float) -> Exception:
        """What a status other than 200 means."""
        if 300 <= error.code < 400:
            return EndpointError(f"HTTP {error.code}: redirects are not followed; name the address that answers")
        try:
            told = _told(self._read(error, end))
        except (EndpointError, TimeoutError, http.client.HTTPException, OSError):
            told = ""
        text = self._hidden(f"HTTP {error.code}: {told or error.reason}")
        if error.code in _TRIED_AGAIN or error.code >= 500:
            return _PassingError(text, _retry_after(error.headers.get("Retry-After")))
        return EndpointError(text)

    def _hidden(self, text: str) -> str:
        """One line without the key, which some servers repeat in their complaints."""
        line = " ".join(text.split())
        if self._key:
            line = line.replace(self._key, "***")
        return line if len(line) <= 300 else line[:297] + "..."


def _checked(url: str) -> tuple[str, bool]:
    """The address to post to, and whether it lies on this machine."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urllib.parse.urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"endpoint {url!r:.80}: expected an address such as https://host/v1")
    if parts.username is not None or parts.password is not None:
        raise UsageError("endpoint: the address must not hold a name or password; keys come from the environment")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    address = urllib.parse.urlunsplit((parts.scheme, parts.netloc, f"{path}/chat/completions", parts.query, ""))
    return address, _is_local(host)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _read_key(variable: str | None, safe: bool) -> str | None:
    if variable is None:
        key = os.environ.get(DEFAULT_KEY_VARIABLE, "").strip() if safe else ""
    else:
        key = os.environ.get(variable, "").strip()
        if not key:
            raise UsageError(f"the environment variable {variable}, which should hold the endpoint's key, is not set")
    if not all("!" <= character <= "~" for character in key):
        raise UsageError(f"{variable or DEFAULT_KEY_VARIABLE}: a key consists of plain characters without spaces")
    return key or None


def _retry_after(value: str | None) -> float | None:
    """Seconds from now that a Retry-After header asks for, as a number or as a date; None where it says neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


def _told(body: bytes) -> str:
    """What a body says went wrong, as far as it can be read."""
    try:
        document = json.loads(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        return "" if text.lstrip().startswith("<") else text
    error = document.get("error", document) if isinstance(document, dict) else document
    message = error.get("message", error.get("detail", error)) if isinstance(error, dict) else error
    return message if isinstance(message, str) else json.dumps(message)


def _reply(body: bytes, attempts: int) -> Reply:
    """The completion that a body holds. Raises `_PassingError` where it holds none."""
    try:
        document = json.loads(body)
    except ValueError:
        raise _PassingError(f"the reply is not JSON: {body[:80].decode('utf-8', 'replace')!r}") from None
    if not isinstance(document, dict):
        raise _PassingError("the reply is not a JSON object")
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        if document.get("error"):
            raise _PassingError(f"the server reports: {_told(body)}")
        raise _PassingError("the reply has no choices")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise _PassingError("the reply's first choice has no message")
    usage, reason = document.get("usage"), choice.get("finish_reason")
    return Reply(
        message, reason if isinstance(reason, str) else None, usage if isinstance(usage, dict) else {}, attempts
    )
