"""Fetching source packages: with clients of our own making, since tests ask no registry."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from vergence.cli import main
from vergence.data.sources import packages
from vergence.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """An empty folder of sources, and nothing but our clients on the path."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("VERGENCE_SOURCES", str(tmp_path / "sources"))
    return tmp_path / "sources"


def client(folder: Path, name: str, script: str) -> None:
    path = folder.parent / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def npm_archive(folder: Path, members: dict[str, bytes]) -> Path:
    path = folder.parent / "archive.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_package_is_unpacked_whole_and_fetched_once(root, capsys):
    archive = npm_archive(root, {"package/package.json": b'{"version": "7.5.0"}', "package/flags/de.svg": b"<svg/>"})
    client(root, "npm", f'echo "$@" >> {root.parent}/calls; cp {archive} ./flag-icons-7.5.0.tgz')
    assert main(["data", "fetch", "flag-icons"]) == 0
    assert capsys.readouterr().out == f"flag-icons 7.5.0 in {root / 'flag-icons'}\n"
    assert (root / "flag-icons" / "package" / "flags" / "de.svg").read_bytes() == b"<svg/>"
    assert main(["data", "fetch", "flag-icons"]) == 0
    calls = (root.parent / "calls").read_text().splitlines()
    assert len(calls) == 1, "what is there is not fetched again"
    assert calls[0].startswith("pack --ignore-scripts flag-icons"), "no script of a package runs"
    assert [path.name for path in root.iterdir()] == ["flag-icons"]
    assert packages.package_version("flag-icons") == "7.5.0"


def test_a_client_that_fails_leaves_nothing(root):
    client(root, "npm", "echo 'npm error 404 Not Found' >&2; exit 1")
    with pytest.raises(
        DataError, match=r"flag-icons: `npm pack --ignore-scripts ...` got no package \(.*404 Not Found"
    ):
        packages.fetch("flag-icons")
    assert not list(root.iterdir())
    assert not packages.fetched("flag-icons")


def test_an_archive_that_reaches_outside_is_refused(root):
    archive = npm_archive(root, {"../../escaped.txt": b"x", "package/package.json": b"{}"})
    client(root, "npm", f"cp {archive} ./flag-icons.tgz")
    with pytest.raises(DataError, match=r"flag-icons: .* can't be unpacked"):
        packages.fetch("flag-icons")
    assert not (root.parent / "escaped.txt").exists()
    assert not list(root.iterdir())


def test_a_wheel_is_unpacked_without_being_installed(root, monkeypatch):
    wheel = root.parent / "miniwob-1.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("miniwob/html/a.html", "<html>")
    client(root, "python-of-ours", f"cp {wheel} .")
    monkeypatch.setattr(packages.sys, "executable", str(root.parent / "bin" / "python-of-ours"))
    assert packages.fetch("miniwob") == root / "miniwob"
    assert (root / "miniwob" / "miniwob" / "html" / "a.html").is_file()
    assert json.loads((root / "miniwob" / "fetched.json").read_text())["version"] == "1.1.0"


def test_a_missing_client_and_unknown_names_are_named(root, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(root.parent / "bin"))
    with pytest.raises(UsageError, match="comes from the npm registry, which needs npm"):
        packages.fetch("flag-icons")
    assert main(["data", "fetch", "flag-icon"]) == 2
    assert "did you mean flag-icons?" in capsys.readouterr().err
    with pytest.raises(UsageError, match="vergence data fetch flag-icons"):
        packages.package_folder("flag-icons")


def test_every_package_says_its_licence_and_what_it_holds():
    for name, package in packages.PACKAGES.items():
        assert package.licence, name
        assert package.holds, name
        assert package.registry in packages.CLIENTS


def test_what_fails_does_not_keep_the_others_from_being_fetched(root, capsys):
    archive = npm_archive(root, {"package/package.json": b'{"version": "1.0.0"}'})
    client(root, "npm", f'case "$3" in flag-icons*) exit 1;; esac; cp {archive} ./a.tgz')
    assert main(["data", "fetch", "flag-icons", "world-atlas"]) == 3
    said = capsys.readouterr()
    assert "world-atlas 1.0.0 in" in said.out
    assert "flag-icons: `npm pack" in said.err


def test_the_words_kinds_and_all_stand_for_packages(root, monkeypatch):
    from vergence.data.kinds import KINDS

    asked = []
    monkeypatch.setattr(packages, "fetch", lambda name: asked.append(name) or root)
    monkeypatch.setattr(packages, "package_version", lambda name: "1")
    assert main(["data", "fetch", "kinds"]) == 0
    assert set(asked) == {source for kind in KINDS.values() for source in kind.sources}
    asked.clear()
    assert main(["data", "fetch", "all"]) == 0
    assert asked == list(packages.PACKAGES)
