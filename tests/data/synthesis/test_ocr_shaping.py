"""Printed tokens beside HarfBuzz: clusters, advances, extents, outlines, in twelve scripts; and UAX 9 by FriBiDi.

The pages are drawn by Pillow with Raqm. Here uharfbuzz shapes the same tokens by itself, from the same font files, and
the outlines that it names are filled by hand.
"""

from __future__ import annotations

import io
import random
from functools import cache
from itertools import permutations

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from vergence.data.sources.packages import fetched
from vergence.data.synthesis.ocr.fonts import Typeface, families, font_item, packages_of, runs, scripts_of
from vergence.data.synthesis.ocr.scripts import SCRIPTS, Writer, script_words, tokens_of
from vergence.data.synthesis.ocr.shaping import Style, set_line, visual_order, wrap
from vergence.data.synthesis.ocr.woff import sfnt
from vergence.errors import DataError, UsageError

hb = pytest.importorskip("uharfbuzz")
ttlib = pytest.importorskip("fontTools.ttLib")

SIZE = 96
TOKENS = 8
MARKED = {"greek": "ί", "arabic": "أ", "devanagari": "ि", "thai": "ี", "bengali": "ি", "tamil": "ி"}
"""A character of each script that changes with, or hangs on, its neighbours."""


@cache
def hb_font(path):
    with ttlib.TTFont(path) as font:
        font.flavor = None
        data = io.BytesIO()
        font.save(data)
        names = font.getGlyphOrder()
    return hb.Font(hb.Face(data.getvalue())), names


def shape(path, text, script, features=None):
    """HarfBuzz's glyphs of a text, from left to right."""
    font, _ = hb_font(path)
    buffer = hb.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    # FriBiDi hands over numbers and ASCII marks from left to right in every script.
    buffer.direction = "ltr" if text.isascii() else script.direction
    buffer.language = script.language
    hb.shape(font, buffer, features or {})
    return font, list(zip(buffer.glyph_infos, buffer.glyph_positions, strict=True))


def outline(font, glyph):
    """A glyph's contours, their curves cut into straight pieces, in font units."""
    contours: list[list[tuple[float, float]]] = []

    def move(x, y, _):
        contours.append([(x, y)])

    def line(x, y, _):
        contours[-1].append((x, y))

    def quadratic(cx, cy, x, y, _):
        x0, y0 = contours[-1][-1]
        for t in (0.25, 0.5, 0.75, 1.0):
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
            contours[-1].append((a * x0 + b * cx + c * x, a * y0 + b * cy + c * y))

    def cubic(cx, cy, dx, dy, x, y, _):
        x0, y0 = contours[-1][-1]
        for t in (0.25, 0.5, 0.75, 1.0):
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            contours[-1].append((a * x0 + b * cx + c * dx + d * x, a * y0 + b * cy + c * dy + d * y))

    draw = hb.DrawFuncs()
    draw.set_move_to_func(move)
    draw.set_line_to_func(line)
    draw.set_quadratic_to_func(quadratic)
    draw.set_cubic_to_func(cubic)
    draw.set_close_path_func(lambda _: None)
    font.draw_glyph(glyph, draw)
    return contours


def place(typeface, token, script):
    """(contours in pixels right of the pen and below the baseline, clusters by file, advance) by HarfBuzz."""
    parts = list(runs(typeface, token))
    pen, contours, clusters = 0.0, [], []
    for path, part in reversed(parts) if script.direction == "rtl" else parts:
        font, glyphs = shape(path, part, script)
        scale = SIZE / font.face.upem
        for info, position in glyphs:
            assert info.codepoint != 0, f"{token!r} has a glyph that isn't in {path.name}"
            assert info.codepoint != font.get_nominal_glyph(0x25CC), f"a mark of {token!r} hangs on nothing"
            for contour in outline(font, info.codepoint):
                contours.append(
                    [(pen + (position.x_offset + x) * scale, -(position.y_offset + y) * scale) for x, y in contour]
                )
            pen += position.x_advance * scale
        clusters.append((part, [info.cluster for info, _ in glyphs]))
    return contours, clusters, pen


def filled(contours, left, top, width, height):
    """Contours filled by the even-odd rule, four times as fine as the pixels of a mask, then averaged."""
    fine = 4
    total = Image.new("1", (width * fine, height * fine))
    for contour in contours:
        one = Image.new("1", total.size)
        points = [((x - left) * fine, (y - top) * fine) for x, y in contour]
        if len(points) > 2:
            ImageDraw.Draw(one).polygon(points, fill=1)
            total = ImageChops.logical_xor(total, one)
    return np.asarray(total.convert("L").reduce(fine)) > 127


def overlap(first, second):
    return (first & second).sum() / max(1, (first | second).sum())


def cases():
    return [(name, split) for name in SCRIPTS for split in ("train", "heldout")]


@pytest.fixture(params=cases(), ids="-".join)
def written(request):
    name, split = request.param
    for package in packages_of(name, "print"):
        if not fetched(package):
            pytest.skip(f"needs {package}: vergence data fetch {package}")
    rng = random.Random(f"{name}/{split}")
    typeface = rng.choice(rng.choice(families(name, "print", split)))
    tokens = list(Writer(SCRIPTS[name], split, "words", (typeface,), rng).paragraph(40))
    return Style(typeface, SIZE, SCRIPTS[name]), list(dict.fromkeys(tokens)), rng


def test_tokens_are_the_glyphs_of_harfbuzz(written):
    """Advance, box and filled outlines agree, so every letter joins, stacks and hangs as HarfBuzz says."""
    style, tokens, _ = written
    script = style.script
    mark = MARKED.get(script.name)
    tokens = sorted(tokens, key=lambda token: mark is not None and mark not in token)[:TOKENS]
    for token in tokens:
        drawn = style.ink(token)
        contours, _, advance = place(style.typeface, token, script)
        # Hinting moves edges and advances of PyPI's fonts to whole pixels, by less than one for each letter.
        room = 1.0 * len(token) if style.typeface.files[0].suffix != ".woff" else 1.5
        if script.name == "latin":
            room += 0.08 * SIZE  # they are laid out without the kerning of GPOS
        assert abs(drawn.advance - advance) <= room, token
        points = [point for contour in contours for point in contour]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        box = (drawn.left, drawn.top, drawn.left + drawn.mask.width, drawn.top + drawn.mask.height)
        for got, expected in zip(box, (min(xs), min(ys), max(xs), max(ys)), strict=True):
            assert abs(got - expected) <= room + 1.2, (token, box, (min(xs), min(ys), max(xs), max(ys)))
        if script.name != "latin":
            shape_of = filled(contours, drawn.left, drawn.top, drawn.mask.width, drawn.mask.height)
            assert overlap(np.asarray(drawn.mask) > 127, shape_of) > 0.8, token


def test_clusters_give_back_the_token(written):
    """The clusters of a token, taken in reading order, cover its characters once: nothing is lost or turned round."""
    style, tokens, _ = written
    script = style.script
    for token in tokens[: 2 * TOKENS]:
        _, clusters, _ = place(style.typeface, token, script)
        pieces = []
        for part, starts in clusters:
            turned = script.direction == "rtl" and not part.isascii()
            reading = list(dict.fromkeys(reversed(starts) if turned else starts))
            assert reading == sorted(reading), (token, starts)
            ends = [*reading[1:], len(part)]
            pieces.append("".join(part[start:end] for start, end in zip(reading, ends, strict=True)))
        assert "".join(reversed(pieces) if script.direction == "rtl" else pieces) == token


def test_lines_are_read_in_the_scripts_direction(written):
    """Words stand side by side in reading order, and only as far apart as a space, or not at all."""
    style, tokens, _ = written
    row = [token for token in wrap(tokens, style, 22 * SIZE)[0] if any(character.isalnum() for character in token)]
    line = set_line(row, style, 10, 150, 22 * SIZE)
    assert line.text == style.script.join(row)
    pens = [word.pen[0] for word in line.words]
    assert pens == sorted(pens, reverse=style.script.direction == "rtl")
    for first, second in zip(line.words, line.words[1:], strict=False):
        left, right = (second, first) if style.script.direction == "rtl" else (first, second)
        assert abs(right.pen[0] - left.pen[0] - left.ink.advance - style.space) <= 1
    assert line.box[0] >= 10 - SIZE / 4
    assert line.box[2] <= 10 + 22 * SIZE + SIZE / 4


def test_joined_letters_differ_from_letters_alone():
    """The oracle can fail: the same Arabic word without joining, or read backwards, doesn't look like what is drawn."""
    if not fetched("font-noto-naskh-arabic"):
        pytest.skip("needs font-noto-naskh-arabic")
    script = SCRIPTS["arabic"]
    typeface = families("arabic", "print", "train")[0][0]
    drawn = Style(typeface, SIZE, script).ink("مستشفى")
    window = (drawn.left, drawn.top, drawn.mask.width, drawn.mask.height)
    ink = np.asarray(drawn.mask) > 127
    right = filled(place(typeface, "مستشفى", script)[0], *window)
    backwards = filled(place(typeface, "ىفشتسم", script)[0], *window)
    path = typeface.files[0]
    font, glyphs = shape(path, "مستشفى", script, {"init": False, "medi": False, "fina": False})
    alone, pen, scale = [], 0.0, SIZE / font.face.upem
    for info, position in glyphs:
        alone += [[(pen + x * scale, -y * scale) for x, y in contour] for contour in outline(font, info.codepoint)]
        pen += position.x_advance * scale
    assert overlap(ink, right) > 0.8
    assert overlap(ink, backwards) < 0.5
    assert overlap(ink, filled(alone, *window)) < 0.5


@pytest.fixture(scope="module")
def hebrew_and_latin(tmp_path_factory):
    """One font file with the Hebrew and the Latin letters of a family, as @fontsource has them in two."""
    if not fetched("font-noto-sans-hebrew"):
        pytest.skip("needs font-noto-sans-hebrew")
    merge = pytest.importorskip("fontTools.merge")
    folder = tmp_path_factory.mktemp("font")
    for number, path in enumerate(families("hebrew", "print", "train")[0][0].files):
        with ttlib.TTFont(path) as font:
            font.flavor = None
            font.save(folder / f"{number}.ttf")
    merge.Merger().merge([str(folder / "0.ttf"), str(folder / "1.ttf")]).save(folder / "both.ttf")
    return ImageFont.truetype(str(folder / "both.ttf"), 40, layout_engine=ImageFont.Layout.RAQM)


def laid_out(font, size, tokens, order):
    """Tokens in an order from left to right, each drawn alone."""
    mask, pen = Image.new("L", size), 10.0
    for number in order:
        ImageDraw.Draw(mask).text((pen, 60), tokens[number], fill=255, font=font, anchor="ls", direction="rtl")
        pen += font.getlength(tokens[number], direction="rtl") + font.getlength(" ")
    return np.asarray(mask) > 127


@pytest.mark.parametrize(
    "text",
    [
        "שלום עולם",
        "שלום GNU Linux עולם",
        "שנת 2006 טובה",
        "GNU בית",
        "בית GNU 12 סוף",
        "בית GNU 12 abc סוף",
        "בית 12 34 GNU",
        "abc def גן ghi",
        "אב, גד.",
    ],
)
def test_order_is_that_of_fribidi(text, hebrew_and_latin):
    """Tokens put into `visual_order` look like the line that Raqm and FriBiDi lay out as a whole; others don't."""
    font, tokens = hebrew_and_latin, text.split(" ")
    size = (int(font.getlength(text, direction="rtl")) + 40, 80)
    image = Image.new("L", size)
    ImageDraw.Draw(image).text((10, 60), text, fill=255, font=font, anchor="ls", direction="rtl")
    whole = np.asarray(image) > 127
    order = visual_order(tokens, True)
    good = overlap(whole, laid_out(font, size, tokens, order))
    assert good > 0.75
    for other in permutations(range(len(tokens))):
        if list(other) != order:
            assert overlap(whole, laid_out(font, size, tokens, other)) < good - 0.1, other


def test_chinese_and_japanese_marks_stay_with_their_characters():
    """No line may begin with a closing mark or end with an opening one (JIS X 4051), as tokens are kept whole."""
    for name, text in (("han", "“今天”，我们（四个人）去《长城》。"), ("japanese", "「そうだ」、ニュースを見た。")):
        tokens = tokens_of(text, SCRIPTS[name])
        assert "".join(tokens) == text
        assert not any(token[0] in "，。、）》”」ーュ" or token[-1] in "（《“「" for token in tokens)


def test_words_are_on_one_side():
    """Train and heldout words differ."""
    for name in SCRIPTS:
        train, heldout = (set(script_words(name, split)) for split in ("train", "heldout"))
        assert len(train) > 60
        assert len(heldout) > 10
        assert not train & heldout


@pytest.mark.parametrize("use", ["print", "handwriting", "display"])
def test_each_script_has_fonts_on_both_sides(use):
    for name in scripts_of(use):
        if all(map(fetched, packages_of(name, use))):
            sides = [
                {font_item(face).item for family in families(name, use, split) for face in family}
                for split in ("train", "heldout")
            ]
            assert sides[0]
            assert sides[1]
            assert not sides[0] & sides[1]


def test_a_script_without_fonts_is_said():
    with pytest.raises(UsageError, match="no handwriting font writes thai"):
        families("thai", "handwriting", "train")
    face = families("latin", "print", "train")[0][0]
    with pytest.raises(UsageError, match="has no glyph for"):
        Style(Typeface("x", "x", 400, face.files), 20, SCRIPTS["han"]).ink("中")


def test_unpacked_fonts_have_the_tables_of_fonttools(tmp_path):
    """Every table that fontTools reads from a `.woff` file is there byte for byte; broken files are refused."""
    if not fetched("font-amiri"):
        pytest.skip("needs font-amiri")
    path = families("arabic", "print", "heldout")[0][0].files[0]
    data = path.read_bytes()
    (tmp_path / "font.ttf").write_bytes(sfnt(data, "here"))
    with ttlib.TTFont(path) as woff, ttlib.TTFont(tmp_path / "font.ttf", checkChecksums=2) as plain:
        assert woff.reader.keys() == plain.reader.keys()
        for tag in woff.reader.keys():  # noqa: SIM118, a reader isn't a mapping
            assert woff.reader[tag] == plain.reader[tag]
    for broken in (data[:-5], b"wOF2" + data[4:], data[:44], data[:2000] + bytes(500) + data[2500:]):
        with pytest.raises(DataError, match="fetch it again"):
            sfnt(broken, "here")
