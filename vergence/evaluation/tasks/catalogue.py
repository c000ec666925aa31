"""All tasks by name: the shipped declarations, this project's own suites, SEED-Bench, and one's own YAML files.

    task = open_task("mmmu", TaskOptions(data=Path("benchmarks")))
    task = open_task("./mytask.yaml", TaskOptions())
    suite("kimi-vl")  # names, also of what can't be run: opening such a task says why

Listing reads small YAML files only; a task's code and data come when it is opened and asked for samples.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vergence.config import Section, nearest, parse, read_yaml
from vergence.data import catalogue as pictures
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Answer, Measure, Prompt, Record, Sample, Task, TaskOptions, Verdict
from vergence.evaluation.thinking import WithThinking

FOLDER = Path(__file__).parent / "benchmarks"
UNAVAILABLE = FOLDER / "unavailable.yml"
SUITES = ("heldout", "seed1.5-vl", "kimi-vl", "llava-onevision")
HELD_OUT_SAMPLES = 300


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A line of the list of tasks. `data` says what has to be given, "" where nothing; `judge` whether one is needed.

    `reason` is why a task of a report can't be run here, "" where it can.
    """

    name: str
    line: str
    metric: str = ""
    suites: tuple[str, ...] = ()
    data: str = ""
    judge: bool = False
    reason: str = ""

    @property
    def summary(self) -> str:
        """What a list shows behind the name."""
        if self.reason:
            return f"{self.line} [not available: {self.reason}]"
        needs = [self.data] if self.data else []
        needs += ["a judge"] if self.judge else []
        return f"{self.line} [{self.metric}" + (f"; needs {' and '.join(needs)}]" if needs else "]")


def available() -> list[TaskInfo]:
    """Every task that can be opened by name, and those of the reports that can't be run, with the reason."""
    return list(_catalogue().values())


def takes_data(name: str) -> bool:
    """Whether a task, by its name or file, is made of data that lie somewhere."""
    info = _catalogue().get(name)
    return info is None or bool(info.data)


def suites() -> tuple[str, ...]:
    """The names of the suites."""
    return SUITES


def suite(name: str) -> list[str]:
    """The tasks of a suite, sorted within it as the list is. Raises `UsageError` for an unknown one."""
    if name not in SUITES:
        raise UsageError(f"{name!r} is not a suite{_hint(name, SUITES)} (there are: {', '.join(SUITES)})")
    return [task.name for task in available() if name in task.suites]


def open_task(name: str, options: TaskOptions, *, judge: str | None = None, limit: int | None = None) -> Task:
    """The task of that name, or that a YAML file declares.

    `judge` is the endpoint (`https://HOST/v1#NAME`) that judges free-form answers, `limit` the number of samples where
    these are made. A benchmark that can't be run is opened too, and says why when it is asked for its samples. Raises
    `UsageError` for an unknown name, with the nearest one, and for options that the task doesn't have.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return _declared(Path(name), options, judge, own=True)
    info = _catalogue().get(name)
    if info is None:
        raise UsageError(f"{name!r} is not a task{_hint(name, _catalogue())} (`vergence eval --list` shows them)")
    if info.reason:
        return UnavailableTask(name, info.reason)
    made = _MADE.get(name)
    if made is not None:
        task = made.open(options, limit)
        return task if options.thinking is None or made.thinks else WithThinking(task, options.thinking)
    return _declared(FOLDER / f"{name}.yaml", options, judge, own=False)


class UnavailableTask:
    """A benchmark of a report that isn't evaluated; asked for its samples, it says why."""

    version = 1

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason

    def definition(self) -> Mapping[str, Any]:
        """The reason."""
        return {"reason": self.reason}

    def samples(self) -> Sequence[Sample]:
        """Raises `DataError` with the reason."""
        raise DataError(f"{self.name} {self.reason}")

    def prompt(self, sample: Sample) -> Prompt:
        """Raises as `samples` does."""
        raise DataError(f"{self.name} {self.reason}")

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        """Raises as `samples` does."""
        raise DataError(f"{self.name} {self.reason}")

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        """Nothing was evaluated."""
        return []


def _declared(path: Path, options: TaskOptions, judge: str | None, *, own: bool) -> Task:
    from vergence.evaluation.tasks.declaration import read_declaration
    from vergence.evaluation.tasks.declared import DeclaredTask
    from vergence.evaluation.tasks.media_cells import cache_folder

    declaration = read_declaration(path)
    folder = path.resolve().parent if own else None
    if judge is None:
        return DeclaredTask(declaration, options, folder)
    from vergence.evaluation.models.open_model import open_endpoint

    cache = cache_folder().parent / "judge" / f"{declaration.task}.jsonl"
    return DeclaredTask(declaration, options, folder, judge=open_endpoint(judge), judge_cache=cache)


class _Listed(Section):
    """What a list needs of a declaration; the rest of it is read when the task is opened."""

    suites: list[str] = []
    line: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Made:
    """A task that is made by code: its line in the list, how it is opened, whether it has a wording for thinking."""

    info: TaskInfo
    open: Callable[[TaskOptions, int | None], Task]
    thinks: bool = False


@functools.cache
def _catalogue() -> dict[str, TaskInfo]:
    found = {name: made.info for name, made in _MADE.items()}
    for path in sorted(FOLDER.glob("*.yaml")):
        found[path.stem] = _listed(path)
    for name, entry in read_yaml(UNAVAILABLE).items():
        listed = parse(_Listed, entry, source=f"{UNAVAILABLE.name}: {name}")
        found[name] = TaskInfo(name, listed.line, suites=tuple(listed.suites), reason=listed.reason)
    return dict(sorted(found.items()))


def _listed(path: Path) -> TaskInfo:
    data = read_yaml(path)
    listed = parse(_Listed, {key: data[key] for key in ("line", "suites") if key in data}, source=str(path))
    metric, where = data["metric"]["name"], data["data"]
    needs = f"data ({where['hub']})" if "hub" in where else f"data ({' or '.join(where['files'])})"
    return TaskInfo(data["task"], listed.line, metric, tuple(listed.suites), needs, metric in _JUDGED)


_JUDGED = ("judged_correct", "mm_vet", "llava_bench", "tempcompass_captioning", "dream_1k")


def _plain(name: str, options: TaskOptions, *, preset: bool = False) -> None:
    """Refuse what a task that makes its own questions can't do; data are for the others of its suite."""
    if options.method not in (None, "generate"):
        raise UsageError(f"task {name}: method {options.method!r}, expected generate")
    if options.preset is not None and not preset:
        raise UsageError(f"task {name}: has no presets")


def _held_out(name: str) -> _Made:
    def open_it(options: TaskOptions, limit: int | None) -> Task:
        from vergence.evaluation.tasks.pictures import SEED, PictureTask

        _plain(name, options)
        return PictureTask(name, SEED, limit or HELD_OUT_SAMPLES)

    kind, real, metric = pictures.TASKS[name]
    made_of = "real material" if real else "rendered"
    return _Made(TaskInfo(name, f"held-out {kind} pictures of this project, {made_of}", metric, ("heldout",)), open_it)


def _capabilities(options: TaskOptions, limit: int | None) -> Task:
    from vergence.evaluation.tasks.capability_suite import CapabilitySuite

    _plain("capabilities", options, preset=True)
    return CapabilitySuite(preset=options.preset or "plain", seed=options.seed)


def _needle_text(options: TaskOptions, limit: int | None) -> Task:
    from vergence.evaluation.tasks.needle import DEPTHS, LENGTHS, NeedleText

    _plain("needle-text", options)
    rest: dict[str, Any] = {}
    if options.tokenizer is not None:
        rest = dict(zip(("count", "unit"), _token_count(options.tokenizer), strict=True))
    return NeedleText(lengths=options.lengths or LENGTHS, depths=options.depths or DEPTHS, seed=options.seed, **rest)


def _token_count(path: Path) -> tuple[Callable[[str], int], str]:
    """How many tokens a text has for a checkpoint's tokenizer, or a tokenizer.json's, and what to call that unit."""
    from vergence.models.checkpoint import find_checkpoint
    from vergence.processing.tokenizer import Tokenizer

    file = path if path.is_file() else find_checkpoint(path) / "tokenizer.json"
    tokenizer = Tokenizer.load(str(file))
    known = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return lambda text: len(tokenizer.encode(text)), f"tokens of tokenizer {known}"


def _needle_video(options: TaskOptions, limit: int | None) -> Task:
    from vergence.evaluation.tasks.needle import DEPTHS
    from vergence.evaluation.tasks.needle_video import FRAMES, NeedleVideo

    _plain("needle-video", options)
    if options.tokenizer is not None:
        raise UsageError("task needle-video: --lengths are numbers of frames, it takes no --tokenizer")
    return NeedleVideo(lengths=options.lengths or FRAMES, depths=options.depths or DEPTHS, seed=options.seed)


def _seed_bench(edition: str) -> Callable[[TaskOptions, int | None], Task]:
    def open_it(options: TaskOptions, limit: int | None) -> Task:
        from vergence.evaluation.seed_bench.task import SeedBench

        return SeedBench(edition, options)

    return open_it


_SEED_BENCH = {
    "1": ("SEED-Bench-1: 12 dimensions of pictures and videos (arXiv 2307.16125)", ("llava-onevision",)),
    "2": ("SEED-Bench-2: 27 dimensions, interleaved and generated pictures too (arXiv 2311.17092)", ()),
    "2-plus": ("SEED-Bench-2-Plus: charts, maps and web pages (arXiv 2404.16790)", ()),
    "h": ("SEED-Bench-H: 34 dimensions by its README, 33 in its published questions", ()),
}
_MADE: dict[str, _Made] = {
    **{name: _held_out(name) for name in pictures.TASKS},
    **{
        f"seed-bench-{edition}": _Made(
            TaskInfo(f"seed-bench-{edition}", line, "accuracy", suites, "data (the published JSON and media)"),
            _seed_bench(edition),
            thinks=True,
        )
        for edition, (line, suites) in _SEED_BENCH.items()
    },
    "capabilities": _Made(
        TaskInfo("capabilities", "capability tree: this project's own suite over 12 and more capabilities", "accuracy"),
        _capabilities,
    ),
    "needle-text": _Made(
        TaskInfo("needle-text", "a sentence in a long text, by length and depth", "accuracy", ("kimi-vl",)),
        _needle_text,
    ),
    "needle-video": _Made(
        TaskInfo("needle-video", "a frame in a long video, by length and depth", "accuracy", ("kimi-vl",)),
        _needle_video,
    ),
}


def _hint(word: str, names: Sequence[str] | Mapping[str, Any]) -> str:
    near = nearest(word, names)
    return f"; did you mean {near!r}?" if near else ""
