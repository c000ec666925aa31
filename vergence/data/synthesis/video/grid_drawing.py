"""How the tiles, things and the robot of a grid are drawn: at four times the size, then reduced."""

from __future__ import annotations

import math
from functools import cache

from PIL import Image, ImageDraw

from vergence.data.synthesis.palette import COLOURS, RGB
from vergence.data.synthesis.video.grid_world import Thing

CELL = 24
_SCALE = 4
_SIDE = CELL * _SCALE


def darker(colour: RGB, by: float = 0.6) -> RGB:
    """A colour with less light."""
    return int(colour[0] * by), int(colour[1] * by), int(colour[2] * by)


@cache
def thing_picture(thing: Thing) -> Image.Image:
    """A thing on a transparent tile, RGBA."""
    image = Image.new("RGBA", (_SIDE, _SIDE), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    ink = COLOURS.get(thing.name, (0, 0, 0))
    match thing.sort:
        case "key":
            _key(pen, ink)
        case "door":
            pen.rectangle((4, 4, 91, 91), fill=ink, outline=darker(ink), width=6)
            pen.ellipse((62, 42, 76, 56), fill=(255, 255, 255), outline=darker(ink), width=3)
        case "gem":
            pen.polygon([(24, 30), (72, 30), (88, 48), (48, 86), (8, 48)], fill=ink)
            pen.polygon([(24, 30), (72, 30), (60, 48), (36, 48)], fill=tuple(min(255, c + 60) for c in ink))
            pen.line([(8, 48), (88, 48)], fill=darker(ink), width=3)
        case "lava":
            pen.rectangle((0, 0, 95, 95), fill=(232, 84, 18))
            for x, y, r in ((22, 26, 12), (64, 20, 9), (44, 56, 14), (76, 72, 10), (18, 76, 8)):
                pen.ellipse((x - r, y - r, x + r, y + r), fill=(255, 196, 40))
        case "place":
            _place(pen, thing.name)
    return image.resize((CELL, CELL), Image.Resampling.BOX)


def _key(pen: ImageDraw.ImageDraw, ink: RGB) -> None:
    edge = darker(ink)
    pen.ellipse((10, 28, 48, 66), fill=ink, outline=edge, width=4)
    pen.ellipse((22, 40, 36, 54), fill=(255, 255, 255), outline=edge, width=3)
    pen.rectangle((46, 41, 86, 53), fill=ink, outline=edge, width=3)
    for x in (64, 76):
        pen.rectangle((x, 52, x + 8, 66), fill=ink, outline=edge, width=3)


def _place(pen: ImageDraw.ImageDraw, name: str) -> None:
    match name:
        case "flag":
            pen.rectangle((26, 8, 33, 90), fill=(90, 70, 50))
            pen.polygon([(33, 10), (84, 26), (33, 44)], fill=(205, 40, 60))
        case "house":
            pen.rectangle((20, 46, 76, 90), fill=(235, 215, 180), outline=(120, 90, 60), width=4)
            pen.polygon([(8, 48), (48, 10), (88, 48)], fill=(170, 70, 50))
            pen.rectangle((40, 62, 56, 90), fill=(110, 75, 50))
        case "tree":
            pen.rectangle((40, 58, 56, 92), fill=(120, 80, 45))
            pen.ellipse((12, 6, 84, 66), fill=(50, 140, 65))
        case "well":
            pen.ellipse((16, 50, 80, 92), fill=(140, 140, 150))
            pen.ellipse((26, 54, 70, 78), fill=(70, 120, 190))
            pen.line([(22, 62), (22, 20)], fill=(110, 80, 50), width=7)
            pen.line([(74, 62), (74, 20)], fill=(110, 80, 50), width=7)
            pen.polygon([(6, 26), (48, 4), (90, 26)], fill=(150, 95, 55))


@cache
def robot_picture(facing: tuple[int, int]) -> Image.Image:
    """The robot, its eyes turned to where it goes."""
    image = Image.new("RGBA", (_SIDE, _SIDE), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.rectangle((44, 4, 51, 20), fill=(70, 80, 95))
    pen.ellipse((40, 0, 55, 13), fill=(255, 90, 90))
    pen.rounded_rectangle((14, 18, 81, 86), 18, fill=(96, 125, 160), outline=(45, 60, 80), width=5)
    dx, dy = facing[0] * 9, facing[1] * 9
    for x in (34, 62):
        pen.ellipse((x - 11, 36, x + 11, 58), fill=(255, 255, 255))
        pen.ellipse((x - 5 + dx / 2, 42 + dy / 2, x + 5 + dx / 2, 52 + dy / 2), fill=(20, 20, 30))
    mouth = math.radians(20)
    pen.arc((34, 52, 62, 76), math.degrees(mouth), 160, fill=(30, 40, 55), width=4)
    return image.resize((CELL, CELL), Image.Resampling.BOX)


@cache
def wall_picture(shade: RGB) -> Image.Image:
    """A tile of bricks."""
    image = Image.new("RGB", (CELL, CELL), shade)
    pen = ImageDraw.Draw(image)
    joint = darker(shade, 0.75)
    for row, y in enumerate((0, 8, 16)):
        pen.line((0, y, CELL, y), fill=joint)
        for x in (6, 18) if row % 2 else (0, 12):
            pen.line((x, y, x, y + 8), fill=joint)
    return image
