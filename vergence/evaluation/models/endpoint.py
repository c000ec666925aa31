"""Any OpenAI-compatible chat endpoint as a model to be evaluated.

Pictures are sent as data URLs, videos as a few frames. A prompt that gets no usable reply after all attempts gets an
error, which is reported and never scored.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any, Literal

from PIL import Image

from vergence.conversation import Conversation, ImagePart, TextPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.models.chat_client import ChatClient, EndpointError, Reply
from vergence.evaluation.models.frames import FRAMES, check_frames, with_pictures
from vergence.evaluation.task import Answer, Prompt
from vergence.processing.thoughts import split_thought

_JPEG_QUALITY = 90
_NO_LIKELIHOODS = (
    "a chat endpoint tells no likelihoods of given answers, so it can't rank candidates; use the task's generate method"
)


class EndpointModel:
    """A model behind a chat endpoint, asked `concurrency` prompts at a time.

    `extra` is added to every request's body as it stands ({"reasoning_effort": "low"}); None takes a key out that a
    service refuses ({"temperature": None}). `limit_key` is the name under which the most tokens are sent
    ("max_completion_tokens" for some services). A picture of more than `image_bytes`
    is sent as JPEG, and halved until it fits. `answer` may be called from several threads.
    """

    independent = True

    def __init__(
        self,
        client: ChatClient,
        model: str,
        *,
        concurrency: int = 8,
        frames: int = FRAMES,
        image_bytes: int = 8 * 2**20,
        limit_key: str = "max_tokens",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if concurrency < 1:
            raise UsageError(f"concurrency {concurrency}: at least 1 request must be sent at a time")
        if image_bytes < 1024:
            raise UsageError(f"image_bytes {image_bytes}: no picture fits into so few")
        self.client, self.name = client, model
        self.concurrency, self.frames, self.image_bytes = concurrency, check_frames(frames), image_bytes
        self.limit_key, self.extra = limit_key, dict(extra or {})
        # More than are sent at a time, so that one slow reply doesn't hold up the others.
        self.batch = 8 * concurrency

    def description(self) -> Mapping[str, Any]:
        """What identifies the model: address and name, and what changes its answers. Never the key."""
        return {
            "kind": "endpoint",
            "url": self.client.address,
            "model": self.name,
            "frames": self.frames,
            "image_bytes": self.image_bytes,
            "extra": self.extra,
        }

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        """Ask all prompts, some at a time; answers come in the order in which replies do."""
        if len(prompts) == 1:
            yield 0, self._ask(prompts[0])
            return
        with ThreadPoolExecutor(min(self.concurrency, max(1, len(prompts)))) as pool:
            futures: dict[Future[Answer], int] = {}
            try:
                futures.update({pool.submit(self._ask, prompt): i for i, prompt in enumerate(prompts)})
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except KeyboardInterrupt:  # a reply may take minutes
                self.stop()
                raise
            finally:
                for future in futures:
                    future.cancel()

    def stop(self) -> None:
        """Let all requests fail, for good."""
        self.client.stop()

    def _ask(self, prompt: Prompt) -> Answer:
        if prompt.candidates is not None:
            return Answer(finish_reason="error", error=_NO_LIKELIHOODS)
        try:
            return read_reply(self.client.complete(self.body(prompt), request=prompt.id))
        except (DataError, EndpointError) as error:
            return Answer(finish_reason="error", error=str(error))

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The JSON object of a request. Raises `DataError` for media that can't be read."""
        sampling = prompt.sampling
        body: dict[str, Any] = {
            "model": self.name,
            "messages": self.messages(prompt.conversation),
            "temperature": sampling.temperature,
            self.limit_key: sampling.max_tokens,
        }
        # What is at its default is left out, since not every server knows every key.
        if sampling.top_p != 1:
            body["top_p"] = sampling.top_p
        if sampling.top_k:
            body["top_k"] = sampling.top_k
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if prompt.thinking is not None:
            body["chat_template_kwargs"] = {"enable_thinking": prompt.thinking}
        return {key: value for key, value in {**body, **self.extra}.items() if value is not None}

    def messages(self, conversation: Conversation) -> list[dict[str, Any]]:
        """The conversation as an endpoint takes it, pictures and frames as data URLs in their places."""
        messages: list[dict[str, Any]] = []
        for message in with_pictures(conversation, self.frames).messages:
            if all(isinstance(part, TextPart) for part in message.parts):
                messages.append({"role": message.role, "content": message.text})
                continue
            content: list[dict[str, Any]] = []
            for part in message.parts:
                if isinstance(part, TextPart):
                    content.append({"type": "text", "text": part.text})
                elif isinstance(part, ImagePart) and isinstance(part.image, Image.Image):
                    content.append({"type": "image_url", "image_url": {"url": data_url(part.image, self.image_bytes)}})
            messages.append({"role": message.role, "content": content})
        return messages


def data_url(image: Image.Image, most: int) -> str:
    """An RGB picture as a data URL of at most `most` encoded bytes: PNG, or else JPEG, or else JPEG halved in size."""
    kind, data = "png", _encoded(image, "PNG")
    while len(data) > most:
        if kind == "jpeg":
            image = image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.BICUBIC)
        kind, data = "jpeg", _encoded(image, "JPEG")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _encoded(image: Image.Image, kind: Literal["PNG", "JPEG"]) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **({"quality": _JPEG_QUALITY} if kind == "JPEG" else {}))
    return file.getvalue()


def read_reply(reply: Reply) -> Answer:
    """What a completion says. A thought stands in a field of its own or between marks in the text.

    Raises `EndpointError` for one that holds neither text nor thought, or was held back by the server's filter.
    """
    message, reason = reply.message, reply.finish_reason
    thoughts = (message.get(key) for key in ("reasoning_content", "reasoning"))
    thought = next((found for found in thoughts if isinstance(found, str) and found), None)
    text = _text(message.get("content"))
    if text is None and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    if reason == "content_filter":
        raise EndpointError("the server's content filter held the answer back")
    if text is None and thought is None and reason != "length":
        raise EndpointError(f"the reply's message has no text (finish_reason {reason!r})")
    if thought is None:
        thought, text = split_thought(text or "")
    total, thinking = _count(reply.usage, "completion_tokens"), _nested(reply.usage, "completion", "reasoning_tokens")
    return Answer(
        text=text or "",
        thought=thought,
        finish_reason="length" if reason == "length" else "stop",
        prompt_tokens=_count(reply.usage, "prompt_tokens"),
        image_tokens=_nested(reply.usage, "prompt", "image_tokens"),
        answer_tokens=total if total is None or thinking is None else max(0, total - thinking),
        thought_tokens=thinking,
    )


def _text(content: Any) -> str | None:
    """A message's text, which some servers send in parts; None where there is none."""
    if isinstance(content, list):
        parts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        return "".join(parts) if parts else None
    return content if isinstance(content, str) else None


def _count(usage: Mapping[str, Any], key: str) -> int | None:
    value = usage.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _nested(usage: Mapping[str, Any], side: str, key: str) -> int | None:
    details = usage.get(f"{side}_tokens_details")
    return _count(details, key) if isinstance(details, dict) else None
