"""Any image-text-to-text or text model of the transformers library as a model to be evaluated.

Candidates are scored by the plainest loop there is, one pass for each, so that faster ways can be held against it.
Pictures stand where the conversation has them; videos are shown as frames, which are pictures like others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from vergence.conversation import Conversation, ImagePart, Message, TextPart, user
from vergence.errors import DataError, UsageError, VergenceError
from vergence.evaluation.models.frames import FRAMES, check_frames, with_pictures
from vergence.evaluation.models.transformers_loading import Loaded, load, one_line
from vergence.evaluation.task import Answer, Candidates, CandidateScore, Prompt
from vergence.inference.likelihood import candidate_score
from vergence.inference.sampler import Sampling
from vergence.processing.thoughts import THOUGHT_MARKS, split_thought

_MARK = "\u2402"  # a character that no template writes


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A prompt as text with a placeholder for each of its pictures; `special` lets the tokenizer add its own tokens."""

    text: str
    pictures: tuple[Image.Image, ...]
    special: bool

    @property
    def opened(self) -> bool:
        """Whether the answer begins inside a thought."""
        return any(self.text.rstrip().endswith(start) for start, _ in THOUGHT_MARKS)


class TransformersModel:
    """A model and its processor, answering one prompt at a time, or `batch` greedy ones, padded on the left.

    Answers follow the prompt's `Sampling` alone: the checkpoint's own temperature or repetition penalty have no effect.
    A checkpoint without a chat template is given the contents of the messages, nothing around them.
    """

    def __init__(self, loaded: Loaded, name: str, *, batch: int = 1, frames: int = FRAMES) -> None:
        if batch < 1:
            raise UsageError(f"batch: {batch} is not a whole number of at least 1")
        self.loaded, self.name, self.batch, self.frames = loaded, name, batch, check_frames(frames)
        self.independent = batch == 1
        source = loaded.processor or loaded.tokenizer
        self._has_template = bool(getattr(source, "chat_template", None) or loaded.tokenizer.chat_template)
        self._keeps = "logits_to_keep" in signature(loaded.model.forward).parameters

    @classmethod
    def load(
        cls, path: str, *, device: torch.device | str = "cpu", dtype: str = "auto", batch: int = 1, frames: int = FRAMES
    ) -> TransformersModel:
        """The model of a folder or hub name; raises as `vergence.evaluation.models.transformers_loading.load` does."""
        return cls(load(path, device=device, dtype=dtype), path, batch=batch, frames=frames)

    def description(self) -> Mapping[str, Any]:
        """What identifies the model."""
        return {
            "kind": "transformers",
            "path": self.name,
            "type": self.loaded.model.config.model_type,
            "weights": self.loaded.weights,
            "dtype": str(self.loaded.model.dtype).removeprefix("torch."),
            "template": "chat" if self._has_template else "none",
            "frames": self.frames,
        }

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        """Rank what is to be ranked and generate the rest, greedy prompts with the same settings together."""
        groups: dict[Any, list[int]] = {}
        for index, prompt in enumerate(prompts):
            alone = self.batch == 1 or prompt.candidates is not None or prompt.sampling.temperature > 0
            groups.setdefault(index if alone else (prompt.sampling, bool(prompt.conversation.media)), []).append(index)
        for indices in groups.values():
            for start in range(0, len(indices), self.batch):
                some = indices[start : start + self.batch]
                yield from zip(some, self._answers([prompts[i] for i in some]), strict=True)

    def _answers(self, prompts: list[Prompt]) -> list[Answer]:
        """One group's answers; where it fails as a whole, each prompt is tried alone, so that others are kept."""
        try:
            if prompts[0].candidates is not None:
                return [self._rank(prompts[0], prompts[0].candidates)]
            return self._generate(prompts)
        except Exception as error:  # another library's code on a checkpoint's own template: anything can come
            if len(prompts) == 1:
                kind = "" if isinstance(error, VergenceError) else f"{type(error).__name__}: "
                return [Answer(finish_reason="error", error=kind + one_line(error))]
        return [answer for prompt in prompts for answer in self._answers([prompt])]

    def _generate(self, prompts: list[Prompt]) -> list[Answer]:
        sampling = prompts[0].sampling
        rendered = [self._render(p.conversation, "chat", p.thinking) for p in prompts]
        inputs = self._inputs(rendered)
        ids = inputs["input_ids"]
        room = (self.loaded.context or ids.shape[1] + sampling.max_tokens) - ids.shape[1]
        if room < 1:
            raise DataError(f"a prompt of {ids.shape[1]} tokens leaves no room in the context of {self.loaded.context}")
        output = self._sample(inputs, sampling, min(room, sampling.max_tokens))
        answers = []
        for i, prompt in enumerate(rendered):
            given = inputs["attention_mask"][i].bool()
            # Models that are handed embeddings return the new tokens alone.
            whole = output.shape[1] > ids.shape[1] and torch.equal(output[i, : ids.shape[1]], ids[i])
            new = output[i, ids.shape[1] :] if whole else output[i]
            answers.append(self._read(new.tolist(), sampling, ids[i][given], prompt))
        return answers

    def _sample(self, inputs: dict[str, Any], sampling: Sampling, most: int) -> Tensor:
        """Token ids `[B, T]` of prompts and answers, padded behind their ends."""
        options: dict[str, Any] = {"max_new_tokens": most, "do_sample": sampling.temperature > 0}
        if sampling.temperature > 0:
            options |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
        if sampling.stop:
            options |= {"stop_strings": list(sampling.stop), "tokenizer": self.loaded.tokenizer}
        model = self.loaded.model
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.inference_mode():
            if sampling.seed is not None:
                torch.manual_seed(sampling.seed)
            found: Tensor = model.generate(**inputs, **options)
        return found

    def _read(self, ids: list[int], sampling: Sampling, prompt: Tensor, rendered: _Rendered) -> Answer:
        """The answer that tokens spell."""
        ends = [i for i, token in enumerate(ids) if token in self.loaded.ends]
        finish: Literal["stop", "length"] = "stop" if ends else "length"
        ids = ids[: ends[0] + 1] if ends else ids
        tokenizer = self.loaded.tokenizer
        marks = {mark for pair in THOUGHT_MARKS for mark in pair}  # these are special tokens in some vocabularies
        hidden = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special and str(token) not in marks}
        text = tokenizer.decode([i for i in ids if i not in hidden], clean_up_tokenization_spaces=False)
        if any(stop in text for stop in sampling.stop):
            finish = "stop"
        thought, text = split_thought(text, opened=rendered.opened)
        text = text[: min((place for stop in sampling.stop if (place := text.find(stop)) >= 0), default=len(text))]
        thinking = len(self._ids(thought)) if thought else 0
        return Answer(
            text=text,
            thought=thought,
            finish_reason=finish,
            prompt_tokens=len(prompt),
            image_tokens=self._image_tokens(prompt),
            answer_tokens=len(ids) - thinking,
            thought_tokens=thinking,
        )

    def _rank(self, prompt: Prompt, wanted: Candidates) -> Answer:
        """Every candidate's log-probabilities, each by a pass of its own."""
        inputs = self._inputs([self._render(prompt.conversation, wanted.template, prompt.thinking)])
        behind = None
        if wanted.reduction == "pmi":
            other = Conversation((user(wanted.unconditional),))
            behind = self._inputs([self._render(other, wanted.template, prompt.thinking)])
        end = [self._end(wanted.template)] if wanted.end else []
        scores: list[CandidateScore] = []
        for number, text in enumerate(wanted.texts, start=1):
            ids = [*self._ids(text), *end]
            if not ids:
                raise DataError(f"candidate {number} of {len(wanted.texts)} is empty")
            unconditional = None if behind is None else sum(self.log_probabilities(behind, ids))
            scores.append(candidate_score(text, self.log_probabilities(inputs, ids), unconditional))
        tokens = inputs["input_ids"][0]
        return Answer(candidates=tuple(scores), prompt_tokens=len(tokens), image_tokens=self._image_tokens(tokens))

    @torch.inference_mode()
    def log_probabilities(self, inputs: Mapping[str, Any], ids: Sequence[int]) -> list[float]:
        """Log-probability of each of `ids` behind a prompt's `inputs` (batch of 1), by one pass, softmax in fp32."""
        length = inputs["input_ids"].shape[1]
        if self.loaded.context is not None and length + len(ids) > self.loaded.context:
            raise DataError(
                f"prompt and candidate take {length + len(ids)} tokens, the model's context has {self.loaded.context}"
            )
        new = torch.tensor([ids], device=inputs["input_ids"].device)
        whole = dict(inputs)
        for name, value in inputs.items():
            if isinstance(value, Tensor) and value.shape == (1, length):  # the mask, and whatever marks token types
                fill = torch.ones_like(new) if name == "attention_mask" else torch.zeros_like(new)
                whole[name] = torch.cat([value, new if name == "input_ids" else fill.to(value.dtype)], dim=1)
        keep = {"logits_to_keep": len(ids) + 1} if self._keeps else {}
        logits = self.loaded.model(**whole, **keep, use_cache=False).logits[0, -len(ids) - 1 : -1]
        values: list[float] = logits.float().log_softmax(-1).gather(1, new[0, :, None])[:, 0].tolist()
        if any(value != value for value in values):
            raise DataError("the model's scores are not numbers (NaN)")
        return values

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self.loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def _end(self, template: Literal["chat", "plain"]) -> int:
        """The token that ends an answer: what the chat template writes behind one, where that is an end."""
        if template == "chat" and self._has_template:
            messages = Conversation((user("?"), Message("assistant", (TextPart(_MARK),))))
            behind = self._template(messages, generate=False, thinking=None).rpartition(_MARK)[2]
            ends = [i for i in self._ids(behind) if i in self.loaded.ends]
            if ends:
                return ends[0]
        if self.loaded.tokenizer.eos_token_id is None:
            raise DataError("the tokenizer names no token that ends a text")
        return int(self.loaded.tokenizer.eos_token_id)

    def _render(
        self, conversation: Conversation, template: Literal["chat", "plain"], thinking: bool | None
    ) -> _Rendered:
        if conversation.media and self.loaded.processor is None:
            raise DataError("this model reads text only, and the prompt has media")
        conversation = with_pictures(conversation, self.frames)
        pictures = tuple(image for image in conversation.images if isinstance(image, Image.Image))
        if template == "chat" and self._has_template:
            text = self._template(conversation, generate=True, thinking=thinking)
            begins = getattr(self.loaded.tokenizer, "bos_token", None)
            special = self.loaded.processor is not None and not (begins and text.startswith(begins))
        else:
            mark = self._placeholder() if pictures else ""
            parts = [part for message in conversation.messages for part in message.parts]
            text = "".join(part.text if isinstance(part, TextPart) else mark for part in parts)
            special = True
        return _Rendered(text, pictures, special)

    def _template(self, conversation: Conversation, *, generate: bool, thinking: bool | None) -> str:
        """A conversation through the checkpoint's chat template."""
        listed = self.loaded.processor is not None
        messages = [
            {"role": m.role, "content": [_part(part) for part in m.parts] if listed else m.text}
            for m in conversation.messages
        ]
        switch = {} if thinking is None else {"enable_thinking": thinking}
        source = self.loaded.processor or self.loaded.tokenizer
        text: str = source.apply_chat_template(messages, add_generation_prompt=generate, tokenize=False, **switch)
        return text

    def _placeholder(self) -> str:
        """What stands for a picture in a text: the part of a chat-formatted message that a picture adds to it."""
        token: str | None = getattr(self.loaded.processor, "image_token", None)
        if token is None:
            raise DataError("this model's processor names no placeholder for a picture; use the chat template")
        if not self._has_template:
            return token
        blank = ImagePart(Image.new("RGB", (1, 1)))
        texts = [
            self._template(Conversation((user(*parts, _MARK),)), generate=False, thinking=None).partition(_MARK)[0]
            for parts in ((), (blank,))
        ]
        start = _shared(*texts)
        without, added = (text[start:] for text in texts)
        end = _shared(without[::-1], added[::-1])
        added = added[: len(added) - end]
        return added if added.count(token) == 1 else token

    def _inputs(self, rendered: Sequence[_Rendered]) -> dict[str, Any]:
        """What the model takes: ids and mask `[B, T]`, padded on the left, and the pictures."""
        texts = [one.text for one in rendered]
        pictures = [list(one.pictures) for one in rendered]
        special = rendered[0].special
        options = {"return_tensors": "pt", "padding": len(texts) > 1, "add_special_tokens": special}
        if self.loaded.processor is None:
            found = self.loaded.tokenizer(texts, **options)
        else:
            token: str | None = getattr(self.loaded.processor, "image_token", None)
            for text, some in zip(texts, pictures, strict=True):
                if token is not None and text.count(token) != len(some):
                    raise DataError(f"the text itself holds {token!r}, the model's placeholder for a picture")
            found = self.loaded.processor(text=texts, images=pictures if any(pictures) else None, **options)
        if not found["input_ids"].shape[1]:
            raise DataError("the prompt is empty")
        model = self.loaded.model
        placed: dict[str, Any] = dict(found.to(model.device))
        return {
            name: value.to(model.dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
            for name, value in placed.items()
            if name != "token_type_ids" or name in signature(model.forward).parameters
        }

    def _image_tokens(self, ids: Tensor) -> int | None:
        config = self.loaded.model.config
        for name in ("image_token_id", "image_token_index"):
            if isinstance(token := getattr(config, name, None), int):
                return int((ids == token).sum())
        return 0 if self.loaded.processor is None else None


def _shared(first: str, second: str) -> int:
    """How many characters two texts begin with together."""
    for count, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return count
    return min(len(first), len(second))


def _part(part: Any) -> dict[str, str]:
    return {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}
