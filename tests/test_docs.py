"""Documentation is code: its Python is executed, its commands are parsed and the cheap ones run, its tables agree with
the code, its links lead somewhere.

What a page may hold, by the language of a block:

    python    executed; blocks of a page share their names. A comment behind `print(...)`, or after `# ->` on the next
              line, is what that print must print
    sh        commands. `vergence ...` is parsed, and run where that is cheap and everything is there that it names
              (an evaluation's model, data and judge); else it makes, installs or activates, or is another program's
    console   commands after `$ `, with what they print; `...` stands for anything
    yaml      a recipe, or some keys of one; with the key `task`, a task. With `# NAME.yaml` as its first line, later
              commands find it as that file
    json      one value; a conversation if it has messages
    text      not checked
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
import torch
import yaml
from PIL import Image

from vergence.cli import build_parser, main
from vergence.cli.evaluation import split_names
from vergence.config import Section, merge, read_yaml
from vergence.conversation import from_json
from vergence.data.kinds import why_unavailable
from vergence.data.recipes import load_checked_recipe
from vergence.errors import VergenceError
from vergence.evaluation.command import chosen_tasks
from vergence.evaluation.history import read_metrics
from vergence.evaluation.records import read_lines
from vergence.evaluation.results import read_results
from vergence.evaluation.scores import KEYS
from vergence.evaluation.task import TaskOptions
from vergence.evaluation.tasks.catalogue import available, open_task
from vergence.evaluation.tasks.declaration import read_declaration
from vergence.models.vlm import VLM
from vergence.presets import PRESETS
from vergence.recipe import Recipe, find_recipe

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

# The commands that are run, each with words put behind it that make it short: the last value of an option counts.
# Others, and a chat without a prompt, are parsed only.
CHEAP: dict[tuple[str, ...], list[str]] = {
    ("config", "show"): [],
    ("config", "schema"): [],
    ("data", "list"): [],
    ("data", "generate"): ["--samples", "3"],
    ("data", "pack"): [],
    ("data", "unpack"): [],
    ("data", "stats"): [],
    ("data", "make"): ["--count", "3", "--jobs", "1"],
    ("data", "show"): ["--samples", "2"],
    ("data", "sources"): [],
    ("data", "report"): [],
    ("data", "rollouts"): ["--rollouts", "2", "--max-tokens", "4"],
    ("data", "select"): [],
    ("data", "recaption"): [],
    ("data", "instruct"): [],
    ("data", "clean"): [],
    ("data", "dedup"): [],
    ("data", "rebalance"): [],
    ("data", "decontaminate"): ["limit=2"],
    ("data", "packing"): ["--rows", "1", "loader.lanes=1", "loader.open_rows=1", "loader.workers=0"],
    ("tokenizer", "train"): ["--samples", "3"],
    ("eval",): ["--limit", "2"],
    ("compare",): [],
    ("contamination",): ["--conversations", "20", "--limit", "2"],
    ("seed-bench", "submission"): [],
    ("seed-bench", "validate"): [],
    ("seed-bench", "tables"): [],
    ("seed-bench", "leaderboard"): [],
    ("seed-bench", "export"): [],
    ("chat",): ["--max-tokens", "4"],
    ("report",): [],
}
UNMADE: set[Path] = set()  # folders that an earlier command of a page would have made, with what isn't here
COMMANDS = {"train", "demo", "convert", "build", *(words[0] for words in CHEAP)}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Each command of an `sh` or `console` block with the lines that it is said to print."""
        command, printed = "", []
        for line in self.text.replace("\\\n", " ").splitlines():
            if self.language == "console" and not line.startswith("$ "):
                printed.append(line)
                continue
            if command:
                yield command, printed
            command, printed = line.removeprefix("$ ").strip(), []
        if command:
            yield command, printed


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    start, language, lines = 0, "", []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            if start:
                found.append(Block(page, start, language, "\n".join(lines)))
                start = 0
            else:
                start, language, lines = number, line[3:].strip(), []
        elif start:
            lines.append(line)
    assert not start, f"{page.name}:{start}: this block has no end"
    return found


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and mkdocs give the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def tables(page: Path) -> dict[str, list[list[str]]]:
    """The rows of tables below each heading, without their heads; a cell is text without backticks and escapes."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in prose(page).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").strip().replace("`", "")
        elif line.startswith("| `"):
            cells = [cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            cells = [cell.replace("\\|", "|") for cell in cells]
            found.setdefault(heading, []).append(cells)
    return found


# Where the commands and snippets run


@pytest.fixture
def here(small_run, tmp_path, monkeypatch) -> Path:
    """A folder as a user has it after the demo, for one page: a run (of the smallest recipe), examples and a photo."""
    folder = tmp_path / "user"
    shutil.copytree(small_run, folder / "runs" / "demo")
    shutil.copytree(EXAMPLES, folder / "examples")
    Image.linear_gradient("L").convert("RGB").resize((120, 80)).save(folder / "photo.png")
    monkeypatch.chdir(folder)
    return folder


# A page from top to bottom


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)).removeprefix("docs/"))
def test_a_page_does_what_it_says(page, here, capsys):
    check_page(page, here, capsys)


@pytest.mark.parametrize(
    "lie",
    [
        "```python\nprint(1 + 1)  # 3\n```",
        "```python\nfrom vergence.config import nothing\n```",
        "```sh\nvergence trian tiny\n```",
        "```sh\nvergence train tiny --epochs 3\n```",
        "```sh\nvergence train tiny stages.0.optimizer.learning_rate=1\n```",
        "```sh\nvergence eval runs/demo --task digits\n```",
        "```sh\nvergence eval runs/dmo --task digit\n```",
        "```sh\nvergence eval transformers:ORG/NAME --task digits\n```",
        "```sh\nvergence eval https://host/v1#NAME --task mmmu --data nowhere --method rank\n```",
        "```sh\nvergence eval runs/demo --task mmmu --data nowhere --preset circle\n```",
        "```console\n$ vergence eval transformers:ORG/NAME --task digit\ntask ...\n```",
        "```sh\ntorchrun --nproc-per-node 2 -m vergence eval runs/demo --tasks digit\n```",
        "```sh\nvergence compare runs/demo runs/other\n```",
        "```sh\nvergence chat runs/demo --image nowhere.png --prompt x\n```",
        "```sh\nmake love\n```",
        "```sh\nrm -r runs\n```",
        "```console\n$ vergence data list\nnothing\n```",
        "```console\n$ vergence chat runs/demo --image nowhere.png --prompt x\nvergence: ...: too small\n```",
        "```console\n$ vergence data list\nvergence: ...\n```",
        "```yaml\nevaluation: {sample: 3}\n```",
        "```yaml\ntask: mine\nmetric: {name: choices}\n```",
        '```json\n{"messages": [{"role": "nobody", "content": "x"}]}\n```',
        "```fortran\nEND\n```",
    ],
)
def test_a_lie_is_found(lie, here, capsys):
    page = here / "page.md"
    page.write_text(lie + "\n", encoding="utf-8")
    with pytest.raises((AssertionError, SystemExit, VergenceError)):
        check_page(page, here, capsys)


def check_page(page: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check the blocks of a page from its top to its end, in the folder `here`."""
    names: dict[str, Any] = {"__name__": "__docs__"}
    for block in blocks(page):
        if block.language == "python":
            check_python(block, names, capsys)
        elif block.language in ("sh", "console"):
            for command, printed in block.commands():
                check_command(block, command, printed, capsys)
        elif block.language == "yaml":
            check_yaml(block, here)
        elif block.language == "json":
            value = json.loads(block.text)
            if "messages" in value:
                from_json(value, folder=here, where=block.place)
        else:
            assert block.language == "text", f"{block.place}: a block in {block.language!r} is not checked"


def check_python(block: Block, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        exec(compile("\n" * block.line + block.text, str(block.page), "exec"), names)
    except Exception as error:
        raise AssertionError(f"{block.place}: {type(error).__name__}: {error}") from error
    printed = capsys.readouterr().out.splitlines()
    expected = [a or b for a, b in re.findall(r"^ *print\(.*\)  # (.+)$|^# -> (.+)$", block.text, re.MULTILINE)]
    remaining = iter(printed)
    for line in expected:
        assert any(matches(line, found) for found in remaining), f"{block.place}: {line!r} is not in {printed}"


def check_command(block: Block, command: str, printed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    where = f"{block.place}: {command}"
    words = shlex.split(command)
    several = words[0] == "torchrun" and "vergence" in words
    if words[0] != "vergence" and not several:
        assert is_setup(words), f"{where}: is neither vergence nor a command that sets something up"
        assert not printed, f"{where}: is not run, so what it prints can't be shown"
        return
    words = words[words.index("vergence") + 1 :]
    arguments, rest = build_parser().parse_known_args(words)
    assert all("=" in word and not word.startswith("-") for word in rest), f"{where}: {rest} is not understood"
    name = tuple(words[:2]) if tuple(words[:2]) in CHEAP else tuple(words[:1])
    if several or not is_run(name, arguments):
        assert not printed, f"{where}: is not run, so what it prints can't be shown"
        if name == ("data", "make"):
            UNMADE.add(arguments.out.absolute())
        if name in (("train",), ("demo",)):
            load_checked_recipe(getattr(arguments, "recipe", "tiny"), [*arguments.overrides, *rest])
        if name == ("eval",):
            open_tasks(arguments)
        return
    written = getattr(arguments, "output", None) or getattr(arguments, "out", None)
    if name in (("data", "generate"), ("data", "make")):
        shutil.rmtree(written, ignore_errors=True)  # what an earlier command of the page wrote
    if name == ("eval",) and not (arguments.task or arguments.suite):
        words = [*words, "--task", "digit"]
    fails = bool(printed) and printed[0].startswith("vergence: ")
    recorded = name == ("eval",) and any(word.startswith("recorded:") for word in words)  # cheap, and scored whole
    code = main([*words, *([] if recorded else CHEAP[name])])
    captured = capsys.readouterr()
    if code == 2 and not fails and "vergence data fetch" in captured.err:
        assert not printed, f"{where}: needs a source package, so what it prints can't be shown"
        UNMADE.add(written.absolute())
        return
    assert (code != 0) == fails, f"{where}: exit code {code}; {captured.err}"
    found = captured.err if fails else captured.out
    assert not printed or matches("\n".join(printed), found.rstrip("\n")), f"{where}: prints\n{found}"


def is_run(name: tuple[str, ...], arguments: argparse.Namespace) -> bool:
    """Whether a command is cheap, and needs nothing that isn't there: no answers typed, no network, no public data."""
    if name not in CHEAP:
        return False
    if name == ("chat",):
        return arguments.prompt is not None
    if name in (("data", "recaption"), ("data", "instruct")):
        return not arguments.model.startswith("http")
    if name == ("data", "make"):  # kinds of which something isn't installed or fetched here are parsed only
        return arguments.on == "here" and why_unavailable(arguments.kind) is None
    if name in (("data", "show"), ("data", "stats")) and arguments.shards.absolute() in UNMADE:
        return False
    if name[0] == "seed-bench":
        named = [getattr(arguments, key, None) for key in ("run_folder", "file", "questions", "data")]
        return all(path.exists() for path in [*named, *getattr(arguments, "runs", [])] if path is not None)
    if name != ("eval",) or arguments.list:
        return True
    kind, _, rest = arguments.model.partition(":")
    if kind in ("transformers", "http", "https", "openai") or arguments.judge:
        return False
    if kind == "recorded":  # the right answers may be recorded, too
        return Path(rest).exists() and (arguments.data is None or arguments.data.exists())
    needy = {task.name for task in available() if task.data}
    return arguments.data.exists() if arguments.data else not needy & set(tasks_of(arguments))


def tasks_of(arguments: argparse.Namespace) -> list[str]:
    return chosen_tasks(split_names(arguments.task), arguments.suite)


def open_tasks(arguments: argparse.Namespace) -> None:
    """Find every task of an evaluation that is not run, with its method and preset; their data are not looked for."""
    data = arguments.data or (Path("data") if arguments.model.startswith("recorded:") else None)
    options = TaskOptions(
        data=data,
        method=arguments.method,
        preset=arguments.preset,
        thinking=arguments.thinking,
        lengths=arguments.lengths,
        depths=arguments.depths,
    )
    for task in tasks_of(arguments):
        open_task(task, options, judge=arguments.judge, limit=2)


def check_yaml(block: Block, here: Path) -> None:
    """Validate a task; or a recipe, or some of its keys, which are then laid over the recipe `tiny`."""
    name = re.match(r"# ([\w-]+\.yaml)$", block.text.splitlines()[0])
    path = here / (name[1] if name else "block.yaml")
    path.write_text(block.text + "\n", encoding="utf-8")
    keys = read_yaml(path)
    if "task" in keys:
        read_declaration(path)
        return
    if not {"name", "stages"} <= keys.keys():
        whole = merge(read_yaml(find_recipe("tiny")), keys)
        path = here / "whole.yaml"
        path.write_text(yaml.safe_dump(whole), encoding="utf-8")
    load_checked_recipe(path)


def matches(pattern: str, text: str) -> bool:
    """Equality, but for `...` in the pattern, which stands for anything, and for spaces, of which one is like many."""
    pieces = [re.escape(re.sub(" +", " ", piece)) for piece in pattern.split("...")]
    return re.fullmatch(".*".join(pieces), re.sub(" +", " ", text), re.DOTALL) is not None


def is_setup(words: list[str]) -> bool:
    """Whether a command is of a form that needs no run: it makes, installs or activates, or is lmms-eval's."""
    match words:
        case ["python", "-m", "lmms_eval", *_]:  # which tests/evaluation/test_lmms_plugin.py runs
            return True
        case ["sbatch", option, "--wrap", command]:  # a scheduler's job array of a command of ours
            build_parser().parse_args(shlex.split(command)[1:])
            return option.startswith("--array=")
        case ["python", script, *_] if script.startswith("benchmarks/"):
            return (ROOT / script).is_file()
        case ["make", *targets]:
            return {target for target in targets if "=" not in target} <= TARGETS
        case ["python3" | "python", "-m", "venv" | "pip", *_] | ["pip", "install", *_] | ["git", "clone", *_]:
            return True
        case [".", script]:
            return script == ".venv/bin/activate"
    return False


# What pages say about the code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)).removeprefix("docs/"))
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        outside = page.parent == DOCS and DOCS not in path.parents  # mkdocs knows the folder docs/ only
        if outside or not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)).removeprefix("docs/"))
def test_what_is_named_exists(page):
    """Files, modules and make targets that the text of a page names in backticks."""
    missing = []
    for name in re.findall(r"`([^`\n]+)`", prose(page)):
        if re.fullmatch(r"(vergence|tests|docs|benchmarks)/[\w./-]*", name):
            missing += [] if (ROOT / name).exists() else [name]
        elif re.fullmatch(r"vergence(\.\w+)+", name):
            missing += [] if importable(name) else [name]
        elif name.startswith("make "):
            missing += [] if is_setup(name.split()) else [name]
        elif name.startswith("vergence "):
            missing += [] if name.split()[1] in COMMANDS else [name]
    assert missing == []


def importable(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    try:
        import_module(name)
    except ImportError:
        return hasattr(import_module(module), attribute)
    return True


def test_the_readme_names_both_commands_and_every_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    # The pages of single kinds are named by docs/data.md.
    pages = [page.name for page in PAGES[1:] if page.parent == DOCS]
    assert [name for name in pages if name != "index.md" and f"(docs/{name}" not in text] == []
    assert "make demo\nmake test" in text


def test_the_files_of_a_run_are_those_of_the_tables(small_run):
    written = {f"{path.name}/" if path.is_dir() else path.name for path in small_run.iterdir()}
    described = {
        page: {name for first, *_ in tables(page)[heading] for name in first.split(", ")}
        for page, heading in ((DOCS / "training.md", "The run's folder"), (ROOT / "README.md", "Two commands"))
    }
    assert described[DOCS / "training.md"] == written
    assert described[ROOT / "README.md"] == written | {"samples/", "example.png"}, "the demo adds two"


def test_the_keys_of_metrics_and_scores_are_described(small_run):
    words = {row[0]: set(re.findall(r"\w+", " ".join(row))) for row in tables(DOCS / "training.md")["metrics.jsonl"]}
    for record in read_metrics(small_run / "metrics.jsonl"):
        assert record.keys() - {"stage"} <= words[record["kind"]] | {"kind"}
    described = [key for row in tables(DOCS / "evaluation.md")["scores.json"] for key in row[0].split(", ")]
    assert sorted(described) == sorted(KEYS)


def test_the_keys_of_results_and_samples_are_described(small_run, tmp_path, capsys):
    task = str(EXAMPLES / "evaluation" / "colours.yaml")
    assert main(["eval", str(small_run), "--task", task, "--limit", "2", "--output", str(tmp_path)]) == 0
    rows = tables(DOCS / "evaluation.md")
    described = {heading: [key for row in rows[heading] for key in row[0].split(", ")] for heading in rows}
    results = read_results(tmp_path)
    [result] = results["tasks"].values()
    [line, _] = read_lines(tmp_path / result["samples"])
    assert sorted(described["results.json"]) == sorted(result)
    assert sorted(described["A line of samples"]) == sorted(line)
    words = {row[0]: set(re.findall(r"\w+", row[1])) for row in rows["results.json"]}
    assert result["measures"][0].keys() <= words["measures"]
    named = set(re.findall(r"`(\w+)`", (DOCS / "evaluation.md").read_text(encoding="utf-8")))
    assert results.keys() <= named


def test_the_files_of_an_evaluation_are_those_of_the_table(small_run, tmp_path, capsys):
    assert main(["eval", str(small_run), "--task", "digit", "--limit", "2", "--output", str(tmp_path)]) == 0
    assert main(["report", str(tmp_path)]) == 0
    written = {f"{path.name}/" if path.is_dir() else path.name for path in tmp_path.iterdir()}
    written = {re.sub(r"^digit(-blind)?\.", "TASK.", name) for name in written}
    described = {row[0] for row in tables(DOCS / "evaluation.md")["The folder of an evaluation"]}
    assert described == written | {"parts/TASK.N.jsonl"}, "parts are gone when a task is done"


def test_the_navigation_has_every_page_once():
    listed: list[str] = []

    def walk(entry: Any) -> None:
        if isinstance(entry, str):
            listed.append(entry)
        else:
            for child in entry if isinstance(entry, list) else entry.values():
                walk(child)

    walk(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    pages = sorted(str(page.relative_to(DOCS)) for page in PAGES[1:])
    assert sorted(listed) == pages
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    linked = index + (DOCS / "data.md").read_text(encoding="utf-8")
    assert [page for page in pages if page != "index.md" and f"({page})" not in linked] == []


def sections(path: str, model: type[Section]) -> Iterator[tuple[str, type[Section]]]:
    """Every section of a recipe with its dotted path."""
    yield path, model
    for key, field in model.model_fields.items():
        if inner := section_of(field.annotation):
            yield from sections(f"{path}.{key}".lstrip("."), inner)


def section_of(declared: Any) -> type[Section] | None:
    """The section that a type is, or of which it is a list."""
    while get_origin(declared) is Annotated or get_origin(declared) is tuple:
        declared = get_args(declared)[0]
    if get_origin(declared) in (UnionType, Union):
        declared = next(iter(a for a in get_args(declared) if a is not type(None)))
    return declared if isinstance(declared, type) and issubclass(declared, Section) else None


def spelt(value: Any) -> str:
    """A default as a reader writes it."""
    if isinstance(value, Section):
        return f"{{{', '.join(f'{k}: {spelt(v)}' for k, v in value.model_dump(exclude_defaults=True).items())}}}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(spelt, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize(("path", "model"), list(sections("", Recipe)), ids=lambda value: str(value) or "top")
def test_every_key_of_a_recipe_is_described_with_its_default(path, model):
    rows = tables(DOCS / "recipes.md")[path or "Top level"]
    expected = {}
    for key, field in model.model_fields.items():
        nested = isinstance(field.default, Section)
        expected[key] = "required" if field.is_required() else "see below" if nested else spelt(field.default)
    assert {key: default for key, default, _ in rows} == expected
    assert [key for key, _, meaning in rows if not meaning] == []


def test_the_presets_are_as_their_table_says():
    rows = {key: values for key, *values in tables(DOCS / "model.md")["Presets"]}
    assert differing_keys() - rows.keys() == set(), "presets differ in these keys too"
    expected = {key: [spelt(look_up(config.model_dump(), key)) for config in PRESETS.values()] for key in rows}
    shown = "\n".join(f"| `{key}` | {' | '.join(values)} |" for key, values in expected.items())
    assert {key: [value.replace(",", "") for value in values] for key, values in rows.items()} == expected, shown
    counts: dict[str, list[str]] = {}
    for config in PRESETS.values():
        with torch.device("meta"):
            model = VLM(config)
        for part, module in {"encoder": model.vision, "projector": model.projector, "decoder": model.language}.items():
            counts.setdefault(part, []).append(f"{sum(weight.numel() for weight in module.parameters()):,}")
    text = (DOCS / "model.md").read_text(encoding="utf-8")
    lines = [f"| weights of the {part} | {' | '.join(values)} |" for part, values in counts.items()]
    assert [line for line in lines if line not in text] == []


def differing_keys() -> set[str]:
    """The dotted keys that have more than one value among the presets, where a preset without the section has none."""
    configs = [config.model_dump(exclude={"preset"}) for config in PRESETS.values()]

    def leaves(data: Any, path: str = "") -> Iterator[str]:
        for key, value in data.items():
            yield from leaves(value, f"{path}{key}.") if isinstance(value, dict) else [path + key]

    found: dict[str, set[str]] = {}
    for config in configs:
        for key in leaves(config):
            if (value := look_up(config, key)) is not None:
                found.setdefault(key, set()).add(repr(value))
    return {key for key, values in found.items() if len(values) > 1}


def look_up(data: Any, path: str) -> Any:
    """The value of a dotted key; None where a section on the way there is None."""
    for key in path.split("."):
        data = None if data is None else data[key]
    return data


def test_every_guarding_test_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "invariants.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    functions = {
        path: {node.name for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body if hasattr(node, "name")}
        for path in {path for path, _ in named}
    }
    assert [f"{path}::{name}" for path, name in named if name not in functions[path]] == []
