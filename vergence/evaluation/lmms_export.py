"""A choice task of ours as a task of lmms-eval: a YAML file, its questions as JSON lines, and the media it needs.

    python -m lmms_eval --model qwen2_5_vl --tasks NAME --include_path FOLDER

Every model of lmms-eval can then be asked our questions. Generated answers are read by our decision table
(`vergence.verifiers.choice`), so this package has to be installed beside lmms-eval; candidates are ranked by the mean
loss that lmms-eval's models return. The functions at the end are what the YAML file names.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart, MediaPart, TextPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Prompt, Sample, Task, fingerprint
from vergence.processing.media import decode_image
from vergence.processing.thoughts import split_thought
from vergence.verifiers.choice import read_choice

_HERE = __name__
_MOST_GROUPS = 40  # values of a tag that get figures of their own


@dataclass(frozen=True, slots=True)
class Export:
    """What was written: the task's YAML file, its name in lmms-eval, how many questions, and what was left out."""

    path: Path
    name: str
    questions: int
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line, and one more with what was left out."""
        text = f"{self.path}: task {self.name}, {self.questions} questions"
        if self.left_out:
            text += f"\n{len(self.left_out)} questions left out, the first because: {self.left_out[0]}"
        return text


class _Function(str):
    """A function that the YAML file names, resolved when lmms-eval reads it."""


def export_task(task: Task, folder: Path) -> Export:
    """Write a choice task for lmms-eval into a folder, for `--include_path`.

    Pictures that are files stay where they are; others are written below FOLDER/media. A question whose media can't be
    used is left out, and said. Raises `UsageError` for a task whose questions have no choices, and for likelihoods that
    lmms-eval can't express: its models return the mean loss of a candidate, without the end token.
    """
    name = re.sub(r"[^A-Za-z0-9_]+", "_", task.name)
    folder.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, Any]] = []
    left_out: list[str] = []
    kind: tuple[Any, ...] | None = None
    settings: dict[str, Any] = {}
    for sample in task.samples():
        _check_choices(task, sample)
        try:
            prompt = task.prompt(sample)
            found = _kind(task, prompt)
            if kind is not None and found != kind:
                raise UsageError(f"{task.name}: some questions are generated and others ranked, which is two tasks")
            kind, settings = found, _settings(prompt)
            lines.append(_line(sample, prompt, folder / "media"))
        except DataError as error:
            left_out.append(f"{sample.id}: {error}")
    if not lines:
        raise DataError(f"{task.name}: no question can be exported ({left_out[0] if left_out else 'it has none'})")
    groups = _groups(lines)
    for line in lines:
        line["groups"] = json.dumps([f"{key}={value}" for key, value in line.pop("tags").items() if key in groups])
    text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
    (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    found_groups = dict.fromkeys(group for line in lines for group in json.loads(line["groups"]))
    metrics = ["accuracy", *(f"accuracy_{group}" for group in found_groups)]
    document = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}},
        "test_split": "test",
        **settings,
        "doc_to_visual": _Function("doc_to_visual"),
        "doc_to_text": "text",
        "doc_to_target": "target",
        "process_results": _Function("process_results"),
        "cluster_key": "cluster",
        "metric_list": [_metric(metric) for metric in metrics] + [_metric("invalid", better=False)],
        "metadata": {"version": task.version, "source": task.name, "fingerprint": fingerprint(task)},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return Export(path, name, len(lines), tuple(left_out))


class _Dumper(yaml.SafeDumper):
    """YAML with `!function` for the functions of this module, and without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", f"{_HERE}.{name}"))


def _check_choices(task: Task, sample: Sample) -> None:
    right = sample.reference
    whole = isinstance(right, int) and not isinstance(right, bool) and 0 <= right < len(sample.choices)
    if not whole or not all(sample.choices):
        raise UsageError(f"{task.name}: question {sample.id} is no choice among given answers; only such tasks go out")


def _kind(task: Task, prompt: Prompt) -> tuple[Any, ...]:
    """What all questions of an exported task have to share."""
    wanted = prompt.candidates
    if wanted is None:
        return ("generate",)
    if wanted.reduction != "mean" or wanted.end:
        found = f"{wanted.reduction}{' with the end token' if wanted.end else ''}"
        raise UsageError(
            f"{task.name}: ranks by likelihood ({found}), and models of lmms-eval return mean losses without the end "
            "token; export it with --method generate"
        )
    return ("rank", wanted.template)


def _settings(prompt: Prompt) -> dict[str, Any]:
    if prompt.candidates is None:
        sampling = prompt.sampling
        settings: dict[str, Any] = {"max_new_tokens": sampling.max_tokens, "until": list(sampling.stop)}
        settings |= {"do_sample": sampling.temperature > 0, "temperature": sampling.temperature}
        if sampling.temperature > 0:
            settings["top_p"] = sampling.top_p
        messages = _Function("doc_to_messages")
        return {"output_type": "generate_until", "generation_kwargs": settings, "doc_to_messages": messages}
    # What a candidate is told apart from the prompt by: nothing, where the prompt is plain text.
    delimiter = " " if prompt.candidates.template == "chat" else ""
    return {"output_type": "multiple_choice", "doc_to_choice": "candidates", "target_delimiter": delimiter}


def _metric(name: str, *, better: bool = True) -> dict[str, Any]:
    return {"metric": name, "aggregation": _Function("mean_score"), "higher_is_better": better}


def _line(sample: Sample, prompt: Prompt, media: Path) -> dict[str, Any]:
    """A question as lmms-eval's functions find it. What is nested is JSON in a string, so that all lines are alike."""
    messages = list(_messages(prompt.conversation, media))
    parts = [part for message in messages for part in message["content"]]
    candidates = list(sample.choices if prompt.candidates is None else prompt.candidates.texts)
    if len(candidates) != len(sample.choices) or not all(candidates):
        raise DataError(f"its {len(sample.choices)} choices are not ranked by as many candidates")
    cluster = sample.tags.get("cluster")
    return {
        "id": sample.id,
        "question": sample.question,
        "text": "".join(part["text"] for part in parts if part["type"] == "text").strip(),
        "messages": json.dumps(messages),
        "choices": list(sample.choices),
        "candidates": candidates,
        "target": sample.reference,
        "cluster": sample.id if cluster is None else str(cluster),
        "tags": {key: value for key, value in sample.tags.items() if isinstance(value, str | int) and key != "cluster"},
    }


def _messages(conversation: Conversation, media: Path) -> Iterator[dict[str, Any]]:
    for message in conversation.messages:
        content: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, TextPart):
                content.append({"type": "text", "text": part.text})
            else:
                content += _media(part, media)
        yield {"role": message.role, "content": content}


def _media(part: MediaPart, folder: Path) -> list[dict[str, Any]]:
    """A picture, a video, or a video's chosen frames as pictures, each by the absolute path of its file."""
    if isinstance(part, ImagePart):
        return [{"type": "image", "url": _file(part.image, folder)}]
    if isinstance(part.video, Frames):
        return [{"type": "image", "url": _file(image, folder)} for image in part.video.images]
    if isinstance(part.video, bytes):
        kind = ".webm" if part.video[:4] == b"\x1a\x45\xdf\xa3" else ".gif" if part.video[:3] == b"GIF" else ".mp4"
        return [{"type": "video", "url": _written(part.video, kind, folder)}]
    if not part.video.is_file():
        raise DataError(f"{part.video}: no such file")
    return [{"type": "video", "url": str(part.video.resolve())}]


def _file(image: Path | bytes | Image.Image, folder: Path) -> str:
    """The picture's own file, if it is one that every reader takes; otherwise a PNG of it. Raises `DataError`."""
    decoded = decode_image(image)
    if isinstance(image, Path) and image.suffix.lower() in (".png", ".jpg", ".jpeg"):
        return str(image.resolve())
    png = io.BytesIO()
    decoded.save(png, "PNG")
    return _written(png.getvalue(), ".png", folder)


def _written(data: bytes, kind: str, folder: Path) -> str:
    """A file named after its content, so that what several questions share is there once."""
    path = folder / f"{hashlib.sha256(data).hexdigest()[:24]}{kind}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(path.resolve())


def _groups(lines: Sequence[Mapping[str, Any]]) -> set[str]:
    """The tags that divide the questions into a few groups."""
    keys = dict.fromkeys(key for line in lines for key in line["tags"])
    values = {key: {line["tags"][key] for line in lines if key in line["tags"]} for key in keys}
    return {key for key, found in values.items() if 2 <= len(found) <= _MOST_GROUPS}


def doc_to_messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a question, pictures and videos in their places."""
    return [
        {"role": message["role"], "content": [_opened(part) for part in message["content"]]}
        for message in json.loads(doc["messages"])
    ]


def doc_to_visual(doc: Mapping[str, Any]) -> list[Any]:
    """The pictures, decoded, and the paths of the videos of a question, in their order."""
    parts = [part for message in doc_to_messages(doc) for part in message["content"]]
    return [part["url"] for part in parts if part["type"] != "text"]


def _opened(part: Mapping[str, Any]) -> dict[str, Any]:
    return {**part, "url": decode_image(Path(part["url"]))} if part["type"] == "image" else dict(part)


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Right or wrong, in each of the question's groups too, and whether the answer could be read at all.

    `results` are a generated answer, or the pair of mean loss and greedy flag of each candidate.
    """
    chosen = _chosen(doc, results)
    right = {"score": float(chosen == doc["target"]), "cluster": doc["cluster"]}
    names = ["accuracy", *(f"accuracy_{group}" for group in json.loads(doc["groups"]))]
    invalid = {"score": float(chosen is None), "cluster": doc["cluster"]}
    return {**dict.fromkeys(names, right), "invalid": invalid}


def _chosen(doc: Mapping[str, Any], results: Sequence[Any]) -> int | None:
    if not isinstance(results[0], str):
        losses = [float(loss) for loss, _ in results]
        return losses.index(min(losses))
    # A model whose thoughts lmms-eval didn't strip says its answer behind them.
    _, answer = split_thought(results[0])
    return read_choice(answer, tuple(doc["choices"])).index


def mean_score(items: Sequence[Mapping[str, Any]]) -> float:
    """The mean of the scores."""
    return sum(item["score"] for item in items) / len(items)
