"""Where the published files of SEED-Bench lie: the question file and the folders of pictures and videos below one DIR.

Names are those of the archives on the hub (AILab-CVC/SEED-Bench, SEED-Bench-2, SEED-Bench-2-plus, SEED-Bench-H) and of
the official eval.py; `v1_video` is the archive of version 1's frames, eight a question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from vergence.config import nearest
from vergence.errors import DataError, UsageError
from vergence.evaluation.seed_bench.dimensions import Dimension, Edition

QUESTION_FILES: dict[Edition, tuple[str, ...]] = {
    "1": ("SEED-Bench.json", "SEED-Bench-1.json"),
    "2": ("SEED-Bench_v2_level1_2_3.json", "SEED-Bench-2.json"),
    "2-plus": ("SEED-Bench-2-plus-text-rich.json", "SEED-Bench-2-plus.json"),
    "h": ("SEED-Bench-H.json",),
}

FOLDERS: dict[str, tuple[str, ...]] = {
    "cc3m": ("cc3m-image", "SEED-Bench-image", "seed_bench_image"),
    "seed-bench-2": ("SEED-Bench-2-image", "seed_bench_image_v2"),
    "seed-bench-2-plus": (".",),
    "seed-bench-h": ("SEED-Bench-H-data",),
    "something-something": ("SSV2/videos", "20bn-something-something-v2", "something-something-v2"),
    "epic-kitchens": ("EPIC-KITCHENS/3h91syskeag572hl6tvuovwv4d/videos/test", "EPIC-KITCHENS"),
    "breakfast": ("BreakfastII_15fps_qvga_sync", "Breakfast"),
    "v1-frames": ("v1_video", "SEED-Bench-video-image/v1_video", "SEED-Bench-video-image"),
}
"""The folders by what they hold; the first name that exists below DIR is taken."""

_VIDEOS = {10: "something-something", 11: "epic-kitchens", 12: "breakfast"}
_V1_FRAMES = {10: "ssv2_8_frame", 11: "kitchen_8_frame", 12: "breakfast_8_frame"}
# Version 1 names its pictures without extension, as the archive does; other copies of them have one.
_EXTENSIONS = ("", ".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Layout:
    """The data folder `root`, and other places for some of its folders (by their names in `FOLDERS`).

    Raises `UsageError` for a folder that no edition has.
    """

    root: Path
    folders: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the names."""
        for name in self.folders:
            if name not in FOLDERS:
                near = nearest(name, FOLDERS)
                hint = f"; did you mean {near!r}?" if near else ""
                raise UsageError(f"{name!r} is not a folder of SEED-Bench{hint} ({', '.join(FOLDERS)})")

    def folder(self, name: str) -> Path:
        """The folder of that kind; where none is there, the place where it is expected."""
        if name in self.folders:
            return self.folders[name]
        places = [self.root / usual for usual in FOLDERS[name]]
        return next((place for place in places if place.is_dir()), places[0])

    def questions(self, edition: Edition) -> Path:
        """The question file of an edition. Raises `DataError` where it isn't there."""
        names = QUESTION_FILES[edition]
        for name in names:
            if (self.root / name).is_file():
                return self.root / name
        raise DataError(f"{self.root}: no question file of seed-bench-{edition} in it, expected {' or '.join(names)}")

    def image(self, edition: Edition, data_id: str, source: str) -> Path:
        """A picture, whether it is there or not. `source` is the question's `data_source`."""
        if edition == "2-plus":
            return _existing(self.folder("seed-bench-2-plus") / data_id)
        if edition == "1" or source == "cc3m":
            return _existing(self.folder("cc3m") / data_id)
        if edition == "h" and "task" not in data_id:
            inside = _existing(self.folder("seed-bench-h") / data_id)
            # Pictures of LaTeX and of text-rich questions also lie beside that folder, not in it.
            return inside if inside.exists() else _first(inside, self.root / data_id)
        return _existing(self.folder("seed-bench-2") / data_id)

    def video(self, dimension: Dimension, data_id: str) -> Path:
        """A video file of version 1, whether it is there or not."""
        return self.folder(_VIDEOS[dimension.id]) / data_id

    def has_videos(self, dimension: Dimension) -> bool:
        """Whether version 1's video files of a dimension are there, or else at least not its published frames."""
        return self.folder(_VIDEOS[dimension.id]).is_dir() or not self._v1_frames(dimension).is_dir()

    def published_frames(self, dimension: Dimension, question_id: str) -> tuple[Path, ...]:
        """The eight frames of a video question of version 1 that come in v1_video.zip, there or not."""
        return tuple(self._v1_frames(dimension) / question_id / f"{number}.png" for number in range(1, 9))

    def _v1_frames(self, dimension: Dimension) -> Path:
        return self.folder("v1-frames") / f"task{dimension.id}" / _V1_FRAMES[dimension.id]


def inside(name: str) -> bool:
    """Whether a path of a question file stays below its folder."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name


def _existing(path: Path) -> Path:
    """The path; where it has no extension, with the one that a file of this name has."""
    if path.suffix:
        return path
    return next((found for end in _EXTENSIONS if (found := path.parent / (path.name + end)).is_file()), path)


def _first(path: Path, other: Path) -> Path:
    return other if other.is_file() else path
