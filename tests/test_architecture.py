"""The direction of imports: a lower layer never imports a higher one, and modules form no cycle.

Every import counts, also one inside a function or under `if TYPE_CHECKING`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "vergence"

# From the bottom to the top. Rooms that share a line don't import each other.
LAYERS: list[set[str]] = [
    {"errors", "progress", "recipes"},
    {"config", "conversation"},
    {"model_config"},
    {"presets"},
    {"inputs"},
    {"recipe"},
    {"models", "processing"},
    {"inference", "verifiers"},
    {"data"},
    {"agents"},
    {"evaluation"},
    {"training"},
    {"posttraining"},
    {"serving"},
    {"chat"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, int]]:
    """The package's own modules that a module imports, each with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                kept = parents[: len(parents) - node.level + 1]
                base = ".".join([*kept, base] if base else kept)
            # `from a.b import c` needs a.b.c if that is a module, and otherwise a.b.
            targets = [full if (full := f"{base}.{alias.name}") in known else base for alias in node.names]
        else:
            continue
        for target in targets:
            if target in known and target != name:
                yield target, node.lineno


def room(name: str) -> str:
    """The part of a module's name that its layer is decided by; empty for the package itself."""
    return [*name.split("."), ""][1]


def violations(package: Path) -> list[str]:
    """Everything that is wrong with a package's imports, one line each."""
    known = modules(package)
    problems = [
        f"{path}: '{room(name)}' has no layer; add it to LAYERS with the reason"
        for name, path in known.items()
        if room(name) and room(name) not in RANK
    ]
    if problems:
        return problems
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        for target, line in imported(name, path, known):
            graph.setdefault(name, set()).add(target)
            own, other = room(name), room(target)
            if not other or own == other:
                continue  # the package itself holds only the version
            if not own:
                problems.append(f"{path}:{line}: the package itself imports {target}; it must stay empty")
            elif RANK[other] == RANK[own]:
                problems.append(f"{path}:{line}: {own} and {other} must not import each other ({target})")
            elif RANK[other] > RANK[own]:
                problems.append(f"{path}:{line}: {own} must not import {other}, which lies above it ({target})")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        problems.append("import cycle: " + " -> ".join(error.args[1]))
    return problems


def opens_image(source: str) -> list[int]:
    """The lines at which a module reaches for PIL's `Image.open`, under whatever name."""
    tree = ast.parse(source)
    names = {"Image"}
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "PIL":
            names |= {alias.asname for alias in node.names if alias.name == "Image" and alias.asname}
        elif isinstance(node, ast.Import):
            names |= {alias.asname for alias in node.names if alias.name == "PIL.Image" and alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module == "PIL.Image":
            lines += [node.lineno for alias in node.names if alias.name == "open"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "open":
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            lines += [node.lineno] if name in names else []
    return lines


def imports_pyav(source: str) -> list[int]:
    """The lines at which a module imports PyAV when it runs; imports for types alone don't count."""
    tree = ast.parse(source)
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        if node not in typing_only and any(name.split(".")[0] == "av" for name in names):
            lines.append(node.lineno)
    return lines


def test_no_import_points_up():
    assert violations(PACKAGE) == []


def test_rooms_have_telling_names():
    vague = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "managers"}
    assert [str(p) for name, p in modules(PACKAGE).items() if vague & set(name.split("."))] == []


def test_only_the_media_module_opens_images():
    allowed = PACKAGE / "processing" / "media.py"
    found = {
        str(path): lines
        for path in modules(PACKAGE).values()
        if path != allowed and (lines := opens_image(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_only_the_video_container_opens_videos():
    allowed = PACKAGE / "processing" / "video_container.py"
    found = {
        str(path): lines
        for path in modules(PACKAGE).values()
        if path != allowed and (lines := imports_pyav(path.read_text(encoding="utf-8")))
    }
    assert found == {}
    assert imports_pyav(allowed.read_text(encoding="utf-8"))


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "vergence" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (path.parent / "__init__.py").touch()
    return folder / "vergence"


@pytest.mark.parametrize(
    "statement",
    [
        "from vergence.training import loop",
        "import vergence.training.loop",
        "from ..training import loop",
        "from ..training.loop import step",
        "def f():\n    from vergence.training import loop",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from vergence.training.loop import step",
    ],
)
def test_an_upward_import_is_found(tmp_path, statement):
    package = make(tmp_path, {"models/vlm.py": statement, "training/loop.py": "step = 1"})
    (problem,) = violations(package)
    assert "models must not import training" in problem
    assert "vlm.py:" in problem


@pytest.mark.parametrize("pair", [("models", "processing"), ("inference", "verifiers")])
def test_neighbours_do_not_import_each_other(tmp_path, pair):
    for own, other in (pair, pair[::-1]):
        package = make(tmp_path / own, {f"{own}/a.py": f"from vergence.{other} import b", f"{other}/b.py": ""})
        assert "must not import each other" in violations(package)[0]


def test_a_downward_import_is_fine(tmp_path):
    package = make(tmp_path, {"training/loop.py": "from vergence.models import vlm", "models/vlm.py": "import torch"})
    assert violations(package) == []


def test_a_cycle_inside_a_room_is_found(tmp_path):
    files = {"data/a.py": "from vergence.data import b", "data/b.py": "def f():\n    from vergence.data.a import x"}
    assert "import cycle" in violations(make(tmp_path, files))[0]


def test_an_unknown_room_and_a_full_package_module_are_found(tmp_path):
    assert "has no layer" in violations(make(tmp_path / "1", {"attic/a.py": ""}))[0]
    package = make(tmp_path / "2", {"errors.py": "", "__init__.py": "from vergence import errors"})
    assert "must stay empty" in violations(package)[0]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from PIL import Image\nImage.open(p)", [2]),
        ("from PIL import Image as I\nI.open(p)", [2]),
        ("import PIL.Image\nPIL.Image.open(p)", [2]),
        ("import PIL.Image as X\nf = X.open", [2]),
        ("from PIL.Image import open", [1]),
        ("from PIL import Image\nImage.new('L', (1, 1))\npath.open()", []),
    ],
)
def test_image_open_is_recognised(source, found):
    assert opens_image(source) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import av", [1]),
        ("def f():\n    import av.container as c", [2]),
        ("from av.video.reformatter import VideoReformatter", [1]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from av import Packet", []),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x\nelse:\n    import av", [5]),
        ("import average\nfrom . import av", []),
    ],
)
def test_an_import_of_pyav_is_recognised(source, found):
    assert imports_pyav(source) == found
