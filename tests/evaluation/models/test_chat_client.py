"""The chat client against a server that is slow, broken, full or wrong: what is tried again, when, and what is told."""

from __future__ import annotations

import datetime
import email.utils
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stub_server import HANG_UP, Silence, Status, completion, serving

from vergence.errors import UsageError
from vergence.evaluation.models.chat_client import ChatClient, EndpointError, Retries

BODY = {"model": "m", "messages": []}


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def client(url: str, waits: list[float] | None = None, **options) -> ChatClient:
    waits = [] if waits is None else waits
    options.setdefault("retries", Retries(attempts=3, first=1, jitter=0))
    return ChatClient(url, sleep=waits.append, **options)


def test_a_proper_reply():
    with serving([completion("B", usage={"prompt_tokens": 7})]) as stub:
        reply = client(stub.url).complete(BODY)
    assert (reply.message["content"], reply.finish_reason, reply.usage, reply.attempts) == (
        "B",
        "stop",
        {"prompt_tokens": 7},
        1,
    )
    assert stub.bodies == [BODY]
    assert stub.paths == ["/v1/chat/completions"]
    assert "Authorization" not in stub.headers[0]


PASSING = {
    "408": (Status(408), "HTTP 408"),
    "409": (Status(409), "HTTP 409"),
    "429": (Status(429, {"error": {"message": "slow down"}}), "HTTP 429: slow down"),
    "500": (Status(500, b"<html>oh no</html>"), "HTTP 500: Internal Server Error"),
    "503": (Status(503, {"detail": "starting"}), "HTTP 503: starting"),
    "529": (Status(529, b"overloaded"), "HTTP 529: overloaded"),
    "hang-up": (HANG_UP, "no connection or a broken one: RemoteDisconnected"),
    "cut": (Status(200, completion(), cut=10), "no connection or a broken one: IncompleteRead"),
    "html": (Status(200, b"<html>login</html>", Content_Type="text/html"), "the reply is not JSON: '<html>login"),
    "half": (Status(200, b'{"choices": [{"mess'), "the reply is not JSON"),
    "list": ([1, 2], "the reply is not a JSON object"),
    "empty": ({"choices": []}, "the reply has no choices"),
    "error": ({"error": {"message": "upstream failed"}}, "the server reports: upstream failed"),
    "choice": ({"choices": [7]}, "the reply's first choice has no message"),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_tried_again(name):
    bad, _ = PASSING[name]
    waits: list[float] = []
    with serving([bad, bad, completion("yes")]) as stub:
        reply = client(stub.url, waits).complete(BODY)
    assert (reply.message["content"], reply.attempts) == ("yes", 3)
    assert waits == [1, 2]


@pytest.mark.parametrize("name", PASSING)
def test_after_the_last_attempt_the_reason_is_told(name):
    bad, told = PASSING[name]
    waits: list[float] = []
    with serving([bad] * 3) as stub, pytest.raises(EndpointError) as caught:
        client(stub.url, waits).complete(BODY)
    assert str(caught.value).startswith(told)
    assert str(caught.value).endswith("(3 attempts)")
    assert "\n" not in str(caught.value)
    assert len(stub.bodies) == 3
    assert waits == [1, 2]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422])
def test_other_statuses_fail_at_once(code):
    with serving([Status(code, {"error": {"message": "no\nway"}})]) as stub:
        with pytest.raises(EndpointError, match=f"^HTTP {code}: no way$"):
            client(stub.url).complete(BODY)
        assert len(stub.bodies) == 1


def test_a_slow_server_is_given_up():
    with serving(lambda _: Silence()) as stub:
        with pytest.raises(EndpointError, match=r"no reply within 0\.05 s \(2 attempts\)"):
            client(stub.url, timeout=0.05, retries=Retries(attempts=2)).complete(BODY)
        assert len(stub.bodies) == 2


def test_a_dribbling_server_is_given_up_too():
    with serving(lambda _: Silence(b" ")) as stub, pytest.raises(EndpointError, match=r"no reply within 0\.1 s"):
        client(stub.url, timeout=0.1, retries=Retries(attempts=1)).complete(BODY)


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EndpointError, match=r"ConnectionRefusedError.*\(3 attempts\)"):
        client(url).complete(BODY)


def test_retry_after_in_seconds_and_as_a_date():
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    replies = [
        Status(429, Retry_After="7.5"),
        Status(503, Retry_After=email.utils.format_datetime(soon, usegmt=True)),
        Status(429, Retry_After="soon"),
        Status(429, Retry_After="-4"),
        completion(),
    ]
    waits: list[float] = []
    with serving(replies) as stub:
        client(stub.url, waits, retries=Retries(attempts=5, first=1, jitter=0)).complete(BODY)
    assert waits[0] == 7.5
    assert 80 < waits[1] <= 90
    assert waits[2] == 4  # not understood: the usual wait after the third attempt
    assert waits[3] == 0


def test_a_wait_without_end_is_refused():
    waits: list[float] = []
    with (
        serving([Status(429, Retry_After="86400")]) as stub,
        pytest.raises(EndpointError, match="asks to wait 86400 s"),
    ):
        client(stub.url, waits).complete(BODY)
    assert waits == []


@given(st.integers(0, 200), st.text(max_size=5), st.floats(0, 1), st.integers(0, 9))
def test_the_wait_grows_to_a_limit_and_is_seeded(attempt, request, jitter, seed):
    retries = Retries(first=0.5, factor=3, most=20, jitter=jitter, seed=seed)
    delay = retries.delay(attempt, request)
    whole = min(20, 0.5 * 3 ** min(attempt, 30))
    assert whole * (1 - jitter) <= delay <= whole
    assert delay == retries.delay(attempt, request)


def test_jitter_differs_between_requests():
    retries = Retries(jitter=0.5)
    assert len({retries.delay(0, str(number)) for number in range(20)}) == 20


def test_stopping_ends_the_attempts():
    one: list[ChatClient] = []

    def stopped(_: object) -> Status:
        one[0].stop()
        return Status(500)

    with serving(stopped) as stub:
        one.append(ChatClient(stub.url, retries=Retries(attempts=9, first=1000, most=1000)))
        with pytest.raises(EndpointError, match=r"\(1 attempt\)"):
            one[0].complete(BODY)
        with pytest.raises(EndpointError, match="stopped before it was asked"):
            one[0].complete(BODY)
        assert len(stub.bodies) == 1


def test_stopping_ends_a_request_that_waits_for_its_reply():
    with serving(lambda _: Silence()) as stub:
        one = ChatClient(stub.url, timeout=60)
        failed: list[str] = []

        def wait() -> None:
            with pytest.raises(EndpointError) as error:
                one.complete(BODY)
            failed.append(str(error.value))

        thread = threading.Thread(target=wait)
        thread.start()
        while not stub.bodies:  # until the server has it
            thread.join(timeout=0.01)
        one.stop()
        thread.join(timeout=30)
        assert len(failed) == 1


def test_the_key_is_sent_and_never_told(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    refusal = Status(401, {"error": {"message": "Incorrect API key provided: sk-secret-123."}})
    with serving([refusal]) as stub:
        one = client(stub.url, key_variable="MY_KEY")
        with pytest.raises(EndpointError, match=r"Incorrect API key provided: \*\*\*") as caught:
            one.complete(BODY)
        assert stub.headers[0]["Authorization"] == "Bearer sk-secret-123"
    assert "sk-secret" not in str(caught.value) + repr(one) + one.address


def test_a_redirect_is_not_followed(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    with serving([completion()]) as other, serving([Status(302, Location=f"{other.url}/chat/completions")]) as stub:
        with pytest.raises(EndpointError, match="HTTP 302: redirects are not followed"):
            client(stub.url, key_variable="MY_KEY").complete(BODY)
        assert other.bodies == []


def test_the_usual_key_stays_off_open_lines(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-123")
    assert ChatClient("http://example.org/v1")._key is None
    assert ChatClient("https://example.org/v1")._key == "sk-secret-123"
    assert ChatClient("http://localhost:8000/v1")._key == "sk-secret-123"
    assert ChatClient("http://example.org/v1", key_variable="OPENAI_API_KEY")._key == "sk-secret-123"


def test_keys_that_cannot_be(monkeypatch):
    with pytest.raises(UsageError, match="NO_KEY, which should hold the endpoint's key, is not set"):
        ChatClient("http://localhost/v1", key_variable="NO_KEY")
    monkeypatch.setenv("MY_KEY", "sk secret\r\nX: y")
    with pytest.raises(UsageError, match="MY_KEY: a key consists of plain characters") as caught:
        ChatClient("http://localhost/v1", key_variable="MY_KEY")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "posted", "address"),
    [
        ("https://h/v1", "https://h/v1/chat/completions", "https://h/v1"),
        ("https://h/v1/", "https://h/v1/chat/completions", "https://h/v1"),
        ("http://[::1]:9/v1/chat/completions", "http://[::1]:9/v1/chat/completions", "http://[::1]:9/v1"),
        ("https://h/v1?api-version=2", "https://h/v1/chat/completions?api-version=2", "https://h/v1"),
        ("https://h", "https://h/chat/completions", "https://h"),
    ],
)
def test_addresses(url, posted, address):
    one = ChatClient(url)
    assert (one.url, one.address) == (posted, address)


@pytest.mark.parametrize("url", ["ftp://h/v1", "h/v1", "https://", "https://h:x/v1", "http://[::1/v1", ""])
def test_what_is_no_address(url):
    with pytest.raises(UsageError, match="expected an address such as"):
        ChatClient(url)


def test_an_address_with_a_password_is_refused_without_repeating_it():
    with pytest.raises(UsageError, match="must not hold a name or password") as caught:
        ChatClient("https://me:secret@h/v1")
    assert "secret" not in str(caught.value)


def test_numbers_that_cannot_be():
    with pytest.raises(UsageError, match="attempts >= 1"):
        Retries(attempts=0)
    with pytest.raises(UsageError, match="timeout 0"):
        ChatClient("https://h/v1", timeout=0)


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving([completion("B")]) as stub:
        assert client(stub.url).complete(BODY).message["content"] == "B"
