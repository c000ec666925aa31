"""Pictures enter safely: every good one as plain RGB, every bad one refused in one line and at no cost."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vergence.errors import DataError
from vergence.processing import media
from vergence.processing.media import MediaLimits, decode_image, image_size

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP"]
Encoder = Callable[..., bytes]
MakePNG = Callable[..., bytes]


def picture(width: int = 40, height: int = 30) -> Image.Image:
    """A smooth picture without symmetry."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, (x + y) % 7 * 30], -1).astype(np.uint8))


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    return [tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()]


def difference(a: Image.Image, b: Image.Image) -> float:
    assert a.size == b.size
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())


def refusal(source: Path | bytes | Image.Image, limits: MediaLimits = media._DEFAULT_LIMITS) -> str:
    with pytest.raises(DataError) as caught:
        decode_image(source, limits)
    message = str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in message
    assert not re.search(r"0x[0-9a-f]{6,}|<_io|object at", message)
    return message


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_from_path_bytes_and_object(image_format: str, tmp_path: Path, encoded: Encoder) -> None:
    data = encoded(picture(), image_format)
    path = tmp_path / "wrong.suffix"
    path.write_bytes(data)
    opened = Image.open(path)
    for source in (path, data, opened):
        image = decode_image(source)
        assert type(image) is Image.Image
        assert image.mode == "RGB"
        assert image.info == {}
        assert image_size(source) == image.size == (40, 30)
        limit = {"PNG": 0, "BMP": 0, "GIF": 60, "JPEG": 25, "WEBP": 25}[image_format]
        assert difference(image, picture()) <= limit
        assert decode_image(image).tobytes() == image.tobytes()
    opened.close()


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(10))
def test_exif_orientation_is_applied_once(image_format: str, orientation: int, encoded: Encoder) -> None:
    corners = Image.new("RGB", (48, 32), (0, 0, 0))
    corners.paste((255, 255, 255), (0, 0, 16, 16))
    undo = media._UNDO_ORIENTATION
    stored = (
        corners
        if orientation not in undo
        else corners.transpose({6: undo[8], 8: undo[6]}.get(orientation, undo[orientation]))
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, image_format, exif=exif)
    image = decode_image(data)
    assert image_size(data) == image.size == (48, 32)
    assert difference(image, corners) < 5
    assert decode_image(image).tobytes() == image.tobytes()


def test_png_orientation_behind_the_pixels_counts(make_png: MakePNG) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = zlib.compress(bytes([0, 10, 20, 30]))
    data = make_png(3, 1, {b"IDAT": pixels, b"eXIf": exif.tobytes().removeprefix(b"Exif\0\0"), b"IEND": b""})
    assert image_size(data) == (1, 3)
    assert np.asarray(decode_image(data))[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_is_ignored(encoded: Encoder) -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken")
    assert image_size(data) == decode_image(data).size == (40, 30)


def test_transparency_is_laid_on_white(encoded: Encoder) -> None:
    rgba = Image.new("RGBA", (2, 1))
    rgba.putdata([(200, 0, 0, 255), (200, 0, 0, 51)])
    assert colours(decode_image(encoded(rgba, "PNG"))) == [(200, 0, 0), (244, 204, 204)]
    assert colours(decode_image(encoded(rgba, "WEBP", lossless=True))) == [(200, 0, 0), (244, 204, 204)]
    la = Image.new("LA", (2, 1))
    la.putdata([(100, 255), (100, 0)])
    assert colours(decode_image(encoded(la, "PNG"))) == [(100,) * 3, (255,) * 3]
    palette = Image.new("P", (3, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    palette.putdata([0, 1, 2])
    assert colours(decode_image(encoded(palette, "PNG"))) == [(10, 20, 30), (40, 50, 60), (70, 80, 90)]
    for data in (encoded(palette, "PNG", transparency=1), encoded(palette, "GIF", transparency=1)):
        assert colours(decode_image(data)) == [(10, 20, 30), (255, 255, 255), (70, 80, 90)]
    partly = encoded(palette, "PNG", transparency=bytes([255, 0, 51]))
    assert colours(decode_image(partly)) == [(10, 20, 30), (255, 255, 255), (218, 220, 222)]
    key = encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert decode_image(key).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_found_at_every_depth(depth: int, make_png: MakePNG) -> None:
    top = 2**depth - 1
    row = int(f"{1:0{depth}b}{0:0{depth}b}", 2) << (-2 * depth % 8)  # the samples 1, 0
    pixels = zlib.compress(b"\0" + row.to_bytes((2 * depth + 7) // 8))
    data = make_png(2, 1, {b"tRNS": b"\0\1", b"IDAT": pixels, b"IEND": b""}, depth=depth)
    opaque = make_png(2, 1, {b"IDAT": pixels, b"IEND": b""}, depth=depth)
    assert colours(decode_image(data)) == [(255,) * 3, (0,) * 3]
    assert colours(decode_image(opaque)) == [(round(255 / top),) * 3, (0,) * 3]


def test_a_transparent_colour_of_sixteen_bits(make_png: MakePNG) -> None:
    key = struct.pack(">3H", 0x1234, 0x5678, 0x9ABC)
    pixels = zlib.compress(b"\0" + key + struct.pack(">3H", 0, 0, 65535))
    data = make_png(2, 1, {b"tRNS": key, b"IDAT": pixels, b"IEND": b""}, depth=16, colour=2)
    assert colours(decode_image(data)) == [(255, 255, 255), (0, 0, 255)]


def test_sixteen_bits_are_scaled_not_clipped(encoded: Encoder, make_png: MakePNG) -> None:
    values = np.array([[0, 256, 257, 32768, 65535]], dtype=np.uint16)
    expected = [0, 1, 1, 128, 255]
    for image in (Image.fromarray(values), Image.fromarray(values.astype(np.int32))):
        assert np.asarray(decode_image(image))[0, :, 2].tolist() == expected
    assert np.asarray(decode_image(encoded(Image.fromarray(values), "PNG")))[0, :, 0].tolist() == expected
    grey_pixels = zlib.compress(b"\0" + struct.pack(">2H", 1000, 40_000))
    hidden = make_png(2, 1, {b"tRNS": struct.pack(">H", 1000), b"IDAT": grey_pixels, b"IEND": b""}, depth=16)
    assert np.asarray(decode_image(hidden))[0, :, 0].tolist() == [255, 156]
    pixels = zlib.compress(b"\0" + struct.pack(">6H", 0, 32768, 65535, 65535, 0, 300))
    colour = make_png(2, 1, {b"IDAT": pixels, b"IEND": b""}, depth=16, colour=2)
    assert colours(decode_image(colour)) == [(0, 128, 255), (255, 0, 1)]


def test_thirty_two_bit_modes() -> None:
    def first_row(values: list[float], kind: str) -> list[int]:
        return [red for red, _, _ in colours(decode_image(Image.fromarray(np.array([values], dtype=kind))))]

    assert first_row([0, 7, 255], "int32") == [0, 7, 255]
    assert first_row([-100, 0, 100_000], "int32") == [0, 0, 255]
    assert first_row([0, 0.5, 1], "float32") == [0, 128, 255]
    assert first_row([0, 100.2, 255], "float32") == [0, 100, 255]
    assert first_row([-1, 0, 1], "float32") == [0, 128, 255]
    assert first_row([np.nan, np.inf, 1], "float32") == [0, 0, 255]
    assert first_row([5e9, 5e9], "float32") == [0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "YCbCr", "HSV", "RGBX", "RGBa", "La", "PA", "I;16B"])
def test_other_modes_become_rgb(mode: str) -> None:
    image = Image.new(mode, (5, 4), 0)
    assert decode_image(image).mode == "RGB"
    assert image.mode == mode
    assert decode_image(image).size == (5, 4)


def test_cmyk_jpeg(encoded: Encoder) -> None:
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    assert difference(decode_image(encoded(red.convert("CMYK"), "JPEG")), red) < 3


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "MPO"])
def test_animations_give_their_first_frame(image_format: str, encoded: Encoder) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    assert difference(decode_image(data), frames[0]) < 5
    assert image_size(data) == (16, 16)


def test_bad_files_are_refused_by_name_and_reason(bad_files: list[Path]) -> None:
    reasons = {
        "empty.png": r"empty \(0 bytes\)",
        "text.png": "not a picture in a known format, expected PNG, JPEG, WebP, GIF or BMP",
        "truncated.png": r"truncated PNG picture \(cut off after \d+ bytes\)",
        "truncated.jpg": r"truncated JPEG picture \(cut off after \d+ bytes\)",
        "corrupt.png": r"(broken|truncated) .*picture.*",
        "signature.png": "broken or truncated header",
        "huge.png": "30000x30000 pixels, more than the limit of 25000000",
        "bomb.png": "12000x12000 pixels, more than the limit of 25000000",
        "icc_bomb.png": r"broken PNG picture \(2x2 pixels\)",
        "text_bomb.png": r"broken PNG picture \(2x2 pixels\)",
        "thin.png": "1x5000 pixels, aspect ratio 5000, more than the limit of 200",
        "foreign.png": "not a picture in a known format.*",
        "folder.png": "a folder, not a picture",
        "pipe.png": "not a regular file",
        "missing.png": "no such file",
    }
    for path in bad_files:
        message = refusal(path)
        assert message.startswith(f"{path}: ")
        assert re.fullmatch(reasons[path.name], message.removeprefix(f"{path}: ")), message


def test_bad_bytes_are_refused(bad_bytes: dict[str, bytes]) -> None:
    for data in bad_bytes.values():
        assert refusal(data).startswith("image bytes: ")


def test_size_is_refused_like_the_picture_where_the_header_tells(bad_files: list[Path]) -> None:
    needs_pixels = {"truncated.png", "truncated.jpg", "corrupt.png"}
    for path in bad_files:
        if path.name in needs_pixels:
            assert image_size(path) == (64, 48)
        else:
            with pytest.raises(DataError) as caught:
                image_size(path)
            assert str(caught.value) == refusal(path)


def test_limits(tmp_path: Path, encoded: Encoder) -> None:
    data = encoded(picture(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    size = len(data)
    assert refusal(path, MediaLimits(max_bytes=size - 1)) == f"{path}: {size} bytes, more than the limit of {size - 1}"
    assert refusal(data, MediaLimits(max_bytes=100)) == f"image bytes: {size} bytes, more than the limit of 100"
    assert refusal(data, MediaLimits(min_side=31)) == "image bytes: 40x30 pixels, a side less than the limit of 31"
    assert "40x30 pixels, more than the limit of 1199" in refusal(picture(), MediaLimits(max_pixels=1199))
    assert "aspect ratio 1.33333, more than the limit of 1.3" in refusal(data, MediaLimits(max_aspect=1.3))
    exact = MediaLimits(max_bytes=size, max_pixels=1200, max_aspect=4 / 3, min_side=30)
    assert decode_image(path, exact).size == (40, 30)
    assert decode_image(encoded(Image.new("L", (1, 1)), "PNG")).size == (1, 1)


def test_an_oversized_picture_reaches_no_decoder(
    monkeypatch: pytest.MonkeyPatch, bad_bytes: dict[str, bytes], encoded: Encoder
) -> None:
    wide = {f: encoded(Image.new("RGB", (300, 200)), f) for f in FORMATS}
    wide["WEBP lossless"] = encoded(Image.new("RGB", (300, 200)), "WEBP", lossless=True)
    wide["WEBP extended"] = encoded(Image.new("RGBA", (300, 200), (1, 2, 3, 4)), "WEBP")
    monkeypatch.setattr(Image, "open", None)
    assert "30000x30000" in refusal(bad_bytes["huge.png"])
    assert "12000x12000" in refusal(bad_bytes["bomb.png"])
    for data in wide.values():
        assert "300x200 pixels, more than" in refusal(data, MediaLimits(max_pixels=59_999))


def test_a_gif_frame_beyond_its_canvas_counts() -> None:
    frame = b"\x2c" + struct.pack("<4HB", 0, 0, 13_000, 13_000, 0) + b"\x02\x02\x44\x01\x00"
    disposal = b"\x21\xf9\x04\x08\x00\x00\x00\x00"
    data = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + disposal + frame + b"\x3b"
    assert "13000x13000 pixels, more than the limit" in refusal(data)


def test_a_decompression_bomb_costs_no_memory(bad_files: list[Path]) -> None:
    paths = [str(p) for p in bad_files if p.name in ("huge.png", "bomb.png", "icc_bomb.png", "text_bomb.png")]
    script = """
import resource, sys
from pathlib import Path
from vergence.errors import DataError
from vergence.processing.media import decode_image
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
for path in sys.argv[1:]:
    try:
        decode_image(Path(path))
    except DataError:
        continue
    sys.exit("not refused")
print((peak() - before) // 1024)
"""
    if sys.platform != "linux":
        pytest.skip("the peak of memory is read in Linux units")
    run = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 16  # MiB; decoded, the smallest of them would take 64
    assert run.stderr == ""


@pytest.mark.parametrize(
    "image_format", [*FORMATS, "GIF animated", "WEBP animated", "PNG animated", "JPEG progressive"]
)
def test_a_file_cut_anywhere_is_refused(image_format: str, encoded: Encoder) -> None:
    name, _, kind = image_format.partition(" ")
    options: dict[str, object] = {"progressive": True} if kind == "progressive" else {}
    if kind == "animated":
        options = {"save_all": True, "append_images": [picture().transpose(Image.Transpose.ROTATE_180)]}
    data = encoded(picture(), name, **options)
    assert decode_image(data).size == (40, 30)
    for end in [*range(1, len(data), max(1, len(data) // 150)), *range(len(data) - 12, len(data))]:
        refusal(data[:end])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(FORMATS), st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_damage_ends_in_a_picture_or_one_line(encoded: Encoder, image_format: str, place: int, junk: bytes) -> None:
    data = bytearray(encoded(picture(), image_format))
    place %= len(data)
    data[place : place + len(junk)] = junk
    try:
        image = decode_image(bytes(data))
    except DataError:
        assert refusal(bytes(data)).startswith("image bytes: ")
    else:
        assert image.mode == "RGB"
        assert image.size == image_size(bytes(data))


def test_names_stay_on_one_printable_line(tmp_path: Path) -> None:
    message = refusal(tmp_path / "a\nb\x1b[31m.png")
    assert message.endswith("a\\nb\\x1b[31m.png: no such file")
    assert refusal(tmp_path / ("x" * 400)).startswith("...x")
    assert refusal(Path("a\0b")).endswith("can't be read")


def test_a_picture_object_of_another_format_is_refused(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.tiff")
    with Image.open(tmp_path / "a.tiff") as image:
        assert "a TIFF picture, expected PNG" in refusal(image)


def test_text_is_not_taken_for_a_path() -> None:
    with pytest.raises(TypeError, match="not str"):
        decode_image("/etc/passwd")  # type: ignore[arg-type]


def test_the_source_is_left_alone() -> None:
    image = picture()
    decode_image(image).putpixel((0, 0), (9, 9, 9))
    assert image.getpixel((0, 0)) != (9, 9, 9)


def test_threads(encoded: Encoder) -> None:
    data = {f: encoded(picture(), f) for f in FORMATS}
    expected = {f: decode_image(d).tobytes() for f, d in data.items()}
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda f: (f, decode_image(data[f]).tobytes()), FORMATS * 20))
    assert all(expected[f] == pixels for f, pixels in results)
