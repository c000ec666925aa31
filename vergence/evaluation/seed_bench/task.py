"""SEED-Bench as a task: questions asked by likelihood, by generated letters, or by generated pictures.

    SeedBench("2", TaskOptions(data=Path("seed-bench-2"), method="likelihood", preset="qwen-vl-chat"))

- *likelihood* ranks the options as one of the interfaces of `presets` says.
- *generate* shows the options and reads the answer by `vergence.verifiers.choice`.
- *similarity* asks for pictures (dimensions 25 to 27), which CLIP compares with the options'. Dimension 27 has two
  steps: only where the text's ranking is right does the picture count, and both must be (the authors in SEED issue 19).

Without a CLIP the dimensions 25 to 27 are not evaluated, whatever the method of the others. A question for which there
is no picture is an error, not a wrong answer, so that a model which draws nothing doesn't get a 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from vergence.conversation import Conversation, Frames, ImagePart, MediaPart, VideoPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.metrics.ranking import ranking_scores
from vergence.evaluation.seed_bench import presets
from vergence.evaluation.seed_bench.answers import compat_scores
from vergence.evaluation.seed_bench.dimensions import DIMENSIONS, LEVELS, Edition, at_level, edition_of
from vergence.evaluation.seed_bench.frames import RULE, choose
from vergence.evaluation.seed_bench.layout import Layout
from vergence.evaluation.seed_bench.measures import measures
from vergence.evaluation.seed_bench.questions import QuestionFile, load_questions
from vergence.evaluation.seed_bench.similarity import (
    ImageSimilarity,
    described,
    find_picture,
    load_similarity,
    most_similar,
)
from vergence.evaluation.task import (
    LETTERS,
    Answer,
    Measure,
    Prompt,
    Record,
    Sample,
    TaskOptions,
    Verdict,
    ranked,
)
from vergence.inference.sampler import Sampling
from vergence.processing.media import decode_image, image_size
from vergence.verifiers.choice import read_choice

METHODS = ("likelihood", "generate", "similarity")
WRONG = {"accuracy": 0.0}
_ANSWER_TOKENS, _THOUGHT_TOKENS = 128, 4096
_DRAW = "Generate an image: {description}"  # the official wording of dimension 25 is not published


class SeedBench:
    """One edition of SEED-Bench; see the module.

    `level` takes the dimensions up to it, `dimensions` exactly these, `only_version` "v1" the questions that version 2
    took over from 1. `interface` overrides the options' preset, `folders` the places of media (`layout.FOLDERS`).
    `similarity` is the CLIP (by default a transformers folder `clip` in the data folder, with the method similarity)
    and `pictures` a folder of the model's pictures by question id (by default `generated` there); otherwise the
    pictures are those of its answers. Raises `UsageError` for what doesn't go together.
    """

    version = 1

    def __init__(
        self,
        edition: str,
        options: TaskOptions,
        *,
        level: str | None = None,
        dimensions: Collection[int] | None = None,
        only_version: str | None = None,
        interface: presets.Interface | None = None,
        folders: Mapping[str, Path] | None = None,
        similarity: ImageSimilarity | None = None,
        pictures: Path | None = None,
    ) -> None:
        self.edition: Edition = edition_of(edition)
        self.name = f"seed-bench-{self.edition}"
        self.method = options.method or METHODS[0]
        self._thinking = options.thinking
        self._only_version = only_version
        if self.method not in METHODS:
            raise UsageError(f"{self.name}: method is one of {', '.join(METHODS)}, got {self.method!r}")
        if options.preset is not None and self.method == "generate":
            raise UsageError(f"{self.name}: a preset belongs to the method likelihood, not to generate")
        if options.data is None:
            raise UsageError(f"{self.name}: needs --data DIR with the question file and the media")
        self.interface = interface or presets.interface(options.preset or presets.DEFAULT)
        self.layout = Layout(options.data.parent if options.data.is_file() else options.data, folders or {})
        self._file = options.data if options.data.is_file() else None
        if self.method == "similarity" and similarity is None:
            similarity = _usual_similarity(self.name, self.layout.root)
        self.similarity = similarity
        usual = self.layout.root / "generated"
        self.pictures = pictures or (usual if usual.is_dir() else None)
        self.dimensions = self._chosen(level, dimensions)

    def _chosen(self, level: str | None, dimensions: Collection[int] | None) -> tuple[int, ...]:
        known = DIMENSIONS[self.edition]
        asked = tuple(known) if dimensions is None else tuple(sorted(set(dimensions)))
        for number in asked:
            if number not in known:
                raise UsageError(f"{self.name}: no dimension {number} (1 to {max(known)})")
        if level is not None:
            if level not in LEVELS:
                raise UsageError(f"{self.name}: level is one of {', '.join(LEVELS)}, got {level!r}")
            asked = tuple(number for number in asked if number in at_level(self.edition, level))
        drawn = [number for number in asked if known[number].answers_with_image]
        if drawn and self.similarity is None and (dimensions is not None or level == "L3"):
            raise UsageError(f"{self.name}: dimensions {', '.join(map(str, drawn))} need a CLIP (method similarity)")
        if self.method == "similarity":
            asked = tuple(drawn)
        elif self.similarity is None:
            asked = tuple(number for number in asked if number not in drawn)
        if not asked:
            raise UsageError(f"{self.name}: no dimension is left to evaluate")
        return asked

    @cached_property
    def questions(self) -> QuestionFile:
        """The question file. Raises `DataError` where it isn't there or can't be used."""
        path = self._file or self.layout.questions(self.edition)
        return load_questions(path, self.edition, self.layout)

    @property
    def problems(self) -> list[str]:
        """What was wrong with the question file, one line a kind."""
        return [str(problem) for problem in self.questions.problems]

    @property
    def notes(self) -> tuple[str, ...]:
        """Where the published code of the chosen interface does something else than this."""
        return self.interface.notes if self.method != "generate" else ()

    def definition(self) -> Mapping[str, Any]:
        """See `Task.definition`."""
        frames = {str(number): rule for number, rule in self.questions.frames.items() if number in self.dimensions}
        asked = self._generation if self.method == "generate" else self.interface
        found: dict[str, Any] = {
            "questions_sha256": self.questions.sha256,
            "method": self.method,
            "interface": asked.definition(),
            "dimensions": list(self.dimensions),
            "only_version": self._only_version,
            "frames": {"rule": RULE, "sources": frames} if frames else None,
            "thinking": self._thinking,
        }
        if self.similarity is not None:
            source = "answer" if self.pictures is None else "folder"
            found |= {"similarity": described(self.similarity), "pictures": source, "draw": _DRAW}
        return found

    def samples(self) -> Sequence[Sample]:
        """See `Task.samples`."""
        return self._samples

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        wanted = set(self.dimensions)
        found = tuple(
            sample
            for sample in self.questions.samples
            if sample.tags["dimension"] in wanted and self._only_version in (None, sample.tags["version"])
        )
        if not found:
            raise DataError(f"{self.questions.path}: no question of the chosen dimensions")
        return found

    def prompt(self, sample: Sample) -> Prompt:
        """See `Task.prompt`; "frames" in the conversation's metadata are the indices of a video file's frames."""
        media, metadata = self._media(sample)
        tokens = _THOUGHT_TOKENS if self._thinking else _ANSWER_TOKENS
        if sample.tags.get("options") and sample.tags["dimension"] != 27:
            wording = _DRAW.format(description=_description(sample)) if sample.tags["dimension"] == 25 else None
            plain = presets.Interface("draw", "{question}", template="chat", gap="\n")
            asked = presets.conversation(plain, wording or sample.question, (), media)
            return Prompt(asked, Sampling(max_tokens=tokens), thinking=self._thinking, id=sample.id)
        chosen = self._generation if self._generated(sample) else self.interface
        asked = presets.conversation(chosen, sample.question, sample.choices, media)
        candidates = None if self._generated(sample) else presets.candidates(chosen, sample.choices)
        return Prompt(
            Conversation(asked.messages, metadata),
            Sampling(max_tokens=tokens),
            candidates,
            thinking=self._thinking,
            id=sample.id,
        )

    @property
    def _generation(self) -> presets.Interface:
        return presets.THINKING if self._thinking else presets.GENERATION

    def _generated(self, sample: Sample) -> bool:
        """Whether an answer in words is read; the text of dimension 27 is always ranked."""
        return self.method == "generate" and not sample.tags.get("options")

    def _media(self, sample: Sample) -> tuple[list[MediaPart], dict[str, Any]]:
        """The sample's media with the official frames of a video file; options that are pictures are looked at too.

        Pictures are checked by their headers. Raises `DataError`.
        """
        media: list[MediaPart] = []
        metadata: dict[str, Any] = {}
        for part in sample.media:
            if isinstance(part, VideoPart) and isinstance(part.video, Path):
                chosen = choose(part.video, sample.tags.get("segment"))
                metadata["frames"] = list(chosen.indices)
                media.append(VideoPart(chosen.frames))
                continue
            pictures = part.video.images if isinstance(part, VideoPart) and isinstance(part.video, Frames) else ()
            for picture in [part.image] if isinstance(part, ImagePart) else pictures:
                image_size(picture)
            media.append(part)
        for name in sample.tags.get("options", ()):
            image_size(self._option(name))
        return media, metadata

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """See `Task.score`."""
        if sample.tags.get("options"):
            return self._score_picture(sample, answer)
        # A recorded answer tells no likelihoods, but the letter that was chosen.
        if self._generated(sample) or (answer.text and not answer.candidates):
            reading = read_choice(answer.text, sample.choices)
            compat = compat_scores(self.edition, sample, answer.text) if self._generated(sample) else {}
            return _verdict(sample, reading.index, compat=compat)
        return self._score_ranking(sample, answer)

    def _score_ranking(self, sample: Sample, answer: Answer) -> Verdict:
        if len(answer.candidates) != len(sample.choices):
            return Verdict(WRONG, None, valid=False)
        best, tie = ranked(answer.candidates, self.interface.reduction)
        return _verdict(sample, best, compat=ranking_scores(sample, answer.candidates), tie=tie)

    def _score_picture(self, sample: Sample, answer: Answer) -> Verdict:
        """Dimensions 25 and 26: the most similar option; 27: the text first, and both must be right.

        Raises `DataError` where there is no picture. A verdict with a score "picture" has looked at one.
        """
        text: dict[str, float] = {}
        if sample.tags["dimension"] == 27:
            told = self._score_ranking(sample, answer)
            text = {"text": told.scores["accuracy"]}
            if not text["text"]:
                return replace(told, scores={**told.scores, **text})
        path = answer.image if self.pictures is None else find_picture(self.pictures, sample.id)
        if path is None:
            where = "the answer" if self.pictures is None else self.pictures
            raise DataError(f"{where}: no picture for the question")
        assert self.similarity is not None, "image answers are only asked for with a CLIP"
        options = [decode_image(self._option(name)) for name in sample.tags["options"]]
        try:
            picture = decode_image(path)
        except DataError:  # the model's own picture: what can't be looked at is invalid
            return Verdict({**WRONG, **text, "picture": 0.0}, None, valid=False)
        likeness = most_similar(self.similarity, picture, options)
        found = _verdict(sample, likeness.index, tie=likeness.tie)
        return replace(found, scores={**found.scores, **text, "picture": found.scores["accuracy"]})

    def _option(self, name: str) -> Path:
        return self.layout.image(self.edition, name, "SEED-Bench v2")

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """See `Task.aggregate`: accuracy and the mean over dimensions, then dimensions, parts, levels and averages."""
        return measures(self.edition, records)


def _verdict(
    sample: Sample, index: int | None, *, compat: Mapping[str, float] | None = None, tie: bool = False
) -> Verdict:
    letter = None if index is None else LETTERS[index]
    right = float(index is not None and index == sample.reference)
    return Verdict({"accuracy": right}, letter, valid=index is not None, compat=compat or {}, tie=tie)


def _description(sample: Sample) -> str:
    """What a picture of dimension 25 has to show: the question behind its first colon."""
    return sample.question.partition(":")[2].strip() or sample.question


def _usual_similarity(name: str, root: Path) -> ImageSimilarity:
    if not (root / "clip").is_dir():
        raise UsageError(f"{name}: the method similarity needs a CLIP, for example its folder as {root / 'clip'}")
    return load_similarity(f"transformers:{root / 'clip'}")
