"""Video files: the right frames at the right times, few of them decoded, and every bad file refused in one line."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from video_writer import drawing, number_of, write_video

from vergence.errors import DataError, UsageError
from vergence.processing import video_container, video_file
from vergence.processing.video import sample_dynamic, sample_uniform
from vergence.processing.video_file import VideoIndex, VideoLimits, decode_frames, read_index

# Names of files, each with how it is written: containers, codecs, frames stored in another order than they are shown.
KINDS: dict[str, dict[str, Any]] = {
    "b-frames.mp4": {"options": {"g": "20", "x264-params": "bframes=3:b-adapt=0:scenecut=0"}},
    "b-pyramid.mp4": {"options": {"g": "20", "x264-params": "bframes=7:b-adapt=0:b-pyramid=normal:scenecut=0"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": {"g": "12"}},
    "fragmented.mp4": {"options": {"g": "10"}, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "index-first.mov": {"container_options": {"movflags": "faststart"}},
    "open-groups.mkv": {
        "options": {"x264-params": "open-gop=1:keyint=10:min-keyint=10:scenecut=0:bframes=3:b-adapt=0"}
    },
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"g": "15", "deadline": "realtime", "cpu-used": "8"}},
    "odd-size.mkv": {"codec": "ffv1", "size": (67, 33), "pixels": "yuv444p"},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "keyint=20:log-level=none"}},
    "mpeg4.avi": {"codec": "mpeg4"},
    "b-frames.avi": {"options": {"x264-params": "bframes=3:b-adapt=0:scenecut=0"}},
    "animation.gif": {"codec": "gif", "pixels": "rgb8"},
    "with-sound.mp4": {"sound": 2.0},
    "with-sound.webm": {"codec": "libvpx-vp9", "sound": 2.0, "container": "webm"},
    "two-streams.mkv": {"streams": 2},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, folder: Path) -> Path:
    """A video of 60 frames, ten a second."""
    path: Path = folder / request.param
    write_video(path, 60, **KINDS[request.param])
    return path


@pytest.fixture(scope="module")
def long_video(folder: Path) -> Path:
    """Three hours at one frame a second."""
    path = folder / "long.mp4"
    write_video(path, 10_800, codec="mpeg4", rate=1, options={"g": "120"})
    return path


def numbers(source: Path | bytes, wanted: Any, index: VideoIndex | None = None) -> list[int]:
    return [number_of(image) for image in decode_frames(source, index or read_index(source), wanted)]


def refusal(source: Path | bytes, limits: VideoLimits = video_container.DEFAULT_LIMITS) -> str:
    with pytest.raises(DataError) as caught:
        list(decode_frames(source, index := read_index(source, limits), range(len(index)), limits))
    message = str(caught.value)
    assert caught.value.__cause__ is None
    assert "\n" not in message
    assert not re.search(r"0x[0-9a-f]{6,}|object at|Errno|avcodec|<none>", message)
    return message


def counted_packets(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with every packet that is decoded."""
    seen: list[int] = []
    decode = video_file._decoded
    monkeypatch.setattr(video_file, "_decoded", lambda packet: seen.append(1) or decode(packet))
    return seen


# The right frames


def test_index_and_frames(made: Path) -> None:
    index = read_index(made)
    assert len(index) == 60
    assert index.seconds.tolist() == [i / 10 for i in range(60)]
    assert index.duration == 6
    assert index.fps == 10
    assert index.size == KINDS[made.name].get("size", (64, 32))
    assert not index.seconds.flags.writeable
    images = list(decode_frames(made, index, range(60)))
    assert [number_of(image) for image in images] == list(range(60))
    assert {(image.mode, image.size) for image in images} == {("RGB", index.size)}


@pytest.mark.parametrize("wanted", [[0], [59], [9, 10, 11], [19, 40], [5, 25, 45], list(range(3, 60, 7)), [28, 29, 59]])
def test_any_choice_of_frames(made: Path, wanted: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_file, "_WORTH_A_SEEK", 2)
    index = read_index(made)
    assert numbers(made, wanted, index) == wanted
    assert numbers(made.read_bytes(), np.array(wanted), read_index(made.read_bytes())) == wanted


def test_a_container_that_loses_its_way_is_read_from_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "astray.mp4"
    write_video(path, 60, options={"g": "10"})
    index = read_index(path)
    late = np.array([(shown, 1 << 40) for shown, _ in index.keys])  # a seek to the last key frame, wherever asked for
    astray = VideoIndex(**{name: getattr(index, name) for name in VideoIndex.__slots__} | {"keys": late})
    assert numbers(path, [25, 33], astray) == [25, 33]


def test_of_a_late_frame_little_is_decoded(long_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counted_packets(monkeypatch)
    index = read_index(long_video)
    assert len(seen) <= 3  # the first picture
    seen.clear()
    assert numbers(long_video, [7, 5000, 10_790], index) == [7, 5000, 10_790]
    assert len(seen) <= 8 + 2 * 121
    seen.clear()
    assert len(numbers(long_video, range(0, 10_800, 15), index)) == 720
    assert len(seen) <= 10_801, "each packet once"


def test_three_hours_cost_the_chosen_frames_only(long_video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Image.Image]] = []
    to_rgb, most = video_file.to_rgb, 0

    def counting(*arguments: Any) -> Image.Image:
        image = to_rgb(*arguments)
        made.append(weakref.ref(image))
        return image

    monkeypatch.setattr(video_file, "to_rgb", counting)
    tracemalloc.start()
    index = read_index(long_video)
    assert (len(index), index.duration) == (10_800, 10_800)
    sample = sample_dynamic(index.seconds, index.duration)
    assert (len(sample.indices), sample.level, sample.tokens) == (640, 128, 81_920)
    assert list(sample.indices) == [int(x) for x in np.linspace(0, 10_799, 640).round()]
    found = []
    for image in decode_frames(long_video, index, sample.indices):
        found.append(number_of(image))
        most = max(most, sum(reference() is not None for reference in made))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == list(sample.indices)
    assert len(made) == 640
    assert most <= 1
    assert peak < 4_000_000  # all frames would be 66 MB


# The right times


@pytest.mark.parametrize("fps", [1, 2, 5])
@pytest.mark.parametrize(
    ("count", "rate"),
    [(5, Fraction(10)), (1, Fraction(10)), (91, Fraction(30_000, 1001)), (60, Fraction(1, 180)), (330, Fraction(2))],
    ids=["half a second", "one frame", "NTSC", "three hours", "165 seconds"],
)
def test_constant_rates_are_sampled_as_published(folder: Path, count: int, rate: Fraction, fps: int) -> None:
    path = folder / f"{count}-{fps}.mp4"
    write_video(path, count, codec="mpeg4", rate=rate)
    index = read_index(path)
    assert len(index) == count
    assert index.duration == pytest.approx(float(count / rate), abs=1e-9)
    n = min(max(-(-count * fps * rate.denominator // rate.numerator), 16), count)
    expected = [int(x) for x in np.linspace(0, count - 1, n).round()]
    level = next(level for level in (640, 512, 384, 256, 160, 128) if n * level <= 81_920)
    sample = sample_dynamic(index.seconds, index.duration, fps=fps)
    assert list(sample.indices) == expected
    assert sample.level == level
    assert list(sample.timestamps) == [f"[{round(float(i / rate), 1)} second]" for i in expected]
    assert numbers(path, sample.indices, index) == expected


@pytest.mark.parametrize("container", ["mp4", "webm", "matroska"])
def test_varying_rates_keep_their_times(folder: Path, container: str) -> None:
    times = [0.0, 0.04, 0.08, 1.5, 1.54, 7.25, 3600.0, 3600.5, 10_799.75, 10_799.875]
    path = folder / f"varying.{container}"
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    write_video(path, 10, container=container, codec=codec, seconds=times, rate=25)
    index = read_index(path)
    assert index.seconds.tolist() == times
    assert times[-1] < index.duration < times[-1] + 1
    sample = sample_dynamic(index.seconds, index.duration)
    assert sample.indices == tuple(range(10))
    assert sample.timestamps[3:6] == ("[1.5 second]", "[1.5 second]", "[7.2 second]")
    assert numbers(path, [0, 3, 6, 9], index) == [0, 3, 6, 9]


def test_times_count_from_the_first_frame(folder: Path) -> None:
    for start in (-0.5, 5.0, 4000.0):
        path = folder / "late.mkv"
        write_video(path, 10, seconds=[start + 0.5 * i for i in range(10)], rate=2)
        index = read_index(path)
        assert index.seconds.tolist() == [0.5 * i for i in range(10)]
        assert numbers(path, range(10), index) == list(range(10))


def test_what_an_edit_list_cuts_away_is_not_there(folder: Path) -> None:
    path = folder / "edited.mp4"
    options = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    seconds = [i / 10 - 0.5 for i in range(40)]
    write_video(path, 40, seconds=seconds, time_base=Fraction(1, 10), options={"g": "30"}, container_options=options)
    with av.open(str(path)) as container:
        cut = sum(packet.is_discard for packet in container.demux(video=0))
    index = read_index(path)
    assert cut == 5
    assert (len(index), index.seconds[0], index.seconds[1]) == (35, 0.0, 0.1)
    assert numbers(path, [0, 1, 34], index) == [5, 6, 39]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [False, True])
def test_rotation_is_undone(folder: Path, degrees: int, flip: bool) -> None:
    path = folder / "turned.mov"
    write_video(path, [0b1], size=(64, 32), orientation=(degrees, flip, False))
    index = read_index(path)
    (image,) = decode_frames(path, index, [0])
    expected = Image.fromarray(drawing(0b1, (64, 32))).rotate(degrees, expand=True)
    if flip:
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert index.size == image.size == expected.size
    assert np.abs(np.asarray(image.convert("L"), int) - np.asarray(expected, int)).mean() < 16


@pytest.mark.parametrize("matrix", [1, 6], ids=["BT.709", "BT.601"])
def test_colours_are_those_that_the_file_says(folder: Path, matrix: int) -> None:
    path = folder / "colour.mp4"
    red = av.VideoFrame.from_ndarray(np.full((32, 64, 3), (200, 30, 60), np.uint8), "rgb24")
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=1, options={"qp": "1"})
        stream.width, stream.height, stream.pix_fmt, stream.colorspace = 64, 32, "yuv420p", matrix
        output.mux(stream.encode(red.reformat(format="yuv420p", dst_colorspace=matrix)))
        output.mux(stream.encode())
    (image,) = decode_frames(path, read_index(path), [0])
    assert np.abs(np.array(image.getpixel((30, 15))) - (200, 30, 60)).max() <= 4


def test_transparency(folder: Path) -> None:
    path = folder / "transparent.gif"
    frames = [Image.new("RGBA", (32, 32), colour) for colour in ((255, 0, 0, 255), (0, 0, 255, 255))]
    for frame in frames:
        frame.paste((0, 0, 0, 0), (0, 0, 16, 32))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, disposal=2)
    first, second = decode_frames(path, read_index(path), [0, 1])
    assert [first.getpixel((8, 8)), first.getpixel((24, 8))] == [(255, 255, 255), (255, 0, 0)]
    assert [second.getpixel((8, 8)), second.getpixel((24, 8))] == [(255, 255, 255), (0, 0, 255)]


def test_a_still_gif_is_a_video_of_one_frame(folder: Path) -> None:
    path = folder / "still.gif"
    Image.new("RGB", (32, 32), (255, 0, 0)).save(path)
    index = read_index(path)
    assert (len(index), index.duration > 0) == (1, True)
    assert sample_dynamic(index.seconds, index.duration).timestamps == ("[0.0 second]",)


def test_a_stream_that_changes_its_size_gives_pictures_of_one(folder: Path) -> None:
    path = folder / "sizes.mkv"
    for size in ((64, 32), (128, 64)):
        write_video(
            path.with_suffix(f".{size[0]}.ts"), 10, size=size, codec="mjpeg", container="matroska", pixels="yuvj420p"
        )
    with av.open(str(path), "w") as output:
        inputs = [av.open(str(path.with_suffix(f".{width}.ts"))) for width in (64, 128)]
        stream = output.add_stream_from_template(inputs[0].streams.video[0])
        for number, source in enumerate(inputs):
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.pts = packet.dts = packet.dts + 1000 * number
                    packet.stream = stream
                    output.mux(packet)
            source.close()
    index = read_index(path)
    assert [image.size for image in decode_frames(path, index, [0, 15])] == [(64, 32), (64, 32)]
    assert numbers(path, [0, 15], index) == [0, 5]
    strict = VideoLimits(max_pixels=64 * 32)
    with pytest.raises(DataError, match="frames of 128x64 pixels, more than the limit of 2048"):
        list(decode_frames(path, read_index(path, strict), [0, 15], strict))


def test_wanted_indices_are_checked(folder: Path) -> None:
    path = folder / "checked.mp4"
    write_video(path, 5)
    index = read_index(path)
    assert list(decode_frames(path, index, [])) == []
    for wrong in ([-1], [5], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="ascending indices of 5 frames"):
            list(decode_frames(path, index, wrong))


# What is refused


def test_bad_files(folder: Path, bad_bytes: dict[str, bytes]) -> None:
    good = io.BytesIO()
    write_video(good, 20, container="mp4")
    cases: dict[str, tuple[bytes, str]] = {
        "empty.mp4": (b"", r"empty \(0 bytes\)"),
        "text.mp4": (b"This is a text, and not a short one.\n", "not a video in a known format, expected MP4, MOV"),
        "picture.mp4": (bad_bytes["truncated.png"], "not a video in a known format"),
        "list.mp4": (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n", "not a video in a known format"),
        "concat.mp4": (b"ffconcat version 1.0\nfile 'other.mp4'\n", "not a video in a known format"),
        "unfinished.mp4": (good.getvalue()[: good.getvalue().index(b"moov") - 4], "no 'moov' box"),
        "box.mp4": (
            struct.pack(">I4s8x", 16, b"ftyp") + struct.pack(">I4s", 8, b"moov"),
            "header can't be read|no video",
        ),
        "matroska.mkv": (b"\x1a\x45\xdf\xa3" + bytes(60), "header can't be read|no video"),
        "avi.avi": (b"RIFF\x20\0\0\0AVI " + bytes(40), "header can't be read|no video"),
        "gif.gif": (b"GIF89a" + bytes(30), "cut off"),
    }
    for name, (content, reason) in cases.items():
        (folder / name).write_bytes(content)
        message = refusal(folder / name)
        assert message.startswith(f"{folder / name}: ")
        assert re.search(reason, message), (name, message)
        if content:
            assert refusal(content).startswith("video bytes: ")
    assert refusal(folder / "missing.mp4").endswith("missing.mp4: no such file")
    assert refusal(folder).endswith("a folder, not a video")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.mp4")
        assert refusal(folder / "pipe.mp4").endswith("not a regular file")


def test_files_without_a_video_to_see(folder: Path) -> None:
    write_video(folder / "sound.mp4", 0, sound=0.5)
    assert refusal(folder / "sound.mp4").endswith("only sound in it, expected a video stream")
    path = folder / "cover.mp4"
    with av.open(str(path), "w") as output:
        audio = output.add_stream("aac", rate=48_000)
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48_000
        output.mux(audio.encode(frame))
        output.mux(cover.encode(av.VideoFrame.from_ndarray(drawing(1, (16, 16)), "gray").reformat(format="yuvj420p")))
        for stream in (cover, audio):
            output.mux(stream.encode())
    assert refusal(path).endswith("only sound in it, expected a video stream")


def test_files_without_frames(folder: Path) -> None:
    path = folder / "no-frames.mp4"
    write_video(path, 3, codec="mpeg4", container_options={"movflags": "empty_moov+frag_keyframe"})
    content = path.read_bytes()
    assert refusal(content[: content.index(b"moof") - 4]) == "video bytes: no frames"


@pytest.mark.parametrize("container", ["mp4", "matroska", "webm", "gif", "avi"])
def test_a_cut_off_file_is_refused_by_name(folder: Path, container: str) -> None:
    path = folder / f"whole.{container}"
    codec, pixels = {"webm": ("libvpx-vp9", "yuv420p"), "gif": ("gif", "rgb8")}.get(container, ("mpeg4", "yuv420p"))
    options = {"movflags": "faststart"} if container == "mp4" else None
    write_video(path, 20, container=container, codec=codec, pixels=pixels, container_options=options)
    content = path.read_bytes()
    assert len(read_index(content)) == 20
    for share in (0.05, 0.3, 0.5, 0.7, 0.9, 0.99):
        cut = content[: int(len(content) * share)]
        assert re.search("^video bytes: (cut off after|not a video|broken)", refusal(cut)), share
    path.write_bytes(content[: len(content) // 2])
    assert refusal(path).startswith(f"{path}: cut off after {len(content) // 2} bytes (")


def test_a_recording_without_an_end_gives_what_is_whole(folder: Path) -> None:
    path = folder / "recording.mkv"
    write_video(path, 40, codec="mpeg4", container_options={"live": "1"}, options={"g": "5"})
    content = path.read_bytes()
    index = read_index(content[: len(content) // 2])
    assert 5 < len(index) < 40
    assert numbers(content[: len(content) // 2], range(len(index)), index) == list(range(len(index)))


def test_broken_frames_are_named(folder: Path) -> None:
    path = folder / "broken.mp4"
    write_video(path, 60, options={"g": "20", "bf": "0"})
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    position, size = places[20]  # a key frame
    content[position + 4 : position + size] = bytes(size - 4)
    path.write_bytes(content)
    index = read_index(path)
    assert len(index) == 60
    assert numbers(path, [0, 10, 19, 40, 59], index) == [0, 10, 19, 40, 59]
    assert refusal(path) == f"{path}: frame 20 of 60, at 2.000 s, is broken"


def test_frames_that_the_decoder_guessed_are_refused(folder: Path) -> None:
    path = folder / "guessed.mkv"
    noise = np.random.default_rng(0).integers(0, 255, (160, 320, 3), dtype=np.uint8)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25, options={"g": "12", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 320, 160, "yuv420p"
        for step in range(30):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, 3 * step, 1), "rgb24")))
        output.mux(stream.encode())
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0)]
    content = bytearray(path.read_bytes())
    middle = content.index(packets[12]) + len(packets[12]) // 2
    content[middle : middle + 40] = bytes(40)
    index = read_index(bytes(content))
    assert len(list(decode_frames(bytes(content), index, [0, 11, 24, 29]))) == 4
    assert refusal(bytes(content)) == "video bytes: frame 12 of 30, at 0.480 s, is broken"


def test_damage_anywhere_ends_in_a_picture_or_a_line(made: Path) -> None:
    content = made.read_bytes()
    random = np.random.default_rng(0)
    outcomes = set()
    for _ in range(12):
        damaged = bytearray(content)
        for place in random.integers(16, len(content), 20):
            damaged[place] ^= int(random.integers(1, 256))
        try:
            index = read_index(bytes(damaged))
            for image in decode_frames(bytes(damaged), index, sample_uniform(index.seconds, 8).indices):
                assert image.size == index.size
            outcomes.add("picture")
        except DataError:
            outcomes.add("line")
    assert outcomes


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (VideoLimits(max_bytes=100), "bytes, more than the limit of 100"),
        (VideoLimits(max_pixels=64 * 32 - 1), "frames of 64x32 pixels, more than the limit of 2047"),
        (VideoLimits(max_frames=19), "more than the limit of 19 frames"),
        (VideoLimits(max_seconds=1.9), r"lasts 2\.0 s, more than the limit of 1\.9 s"),
    ],
)
def test_limits(folder: Path, limits: VideoLimits, reason: str) -> None:
    path = folder / "limited.mp4"
    write_video(path, 20, codec="mpeg4")
    assert re.search(reason, refusal(path, limits))
    exact = VideoLimits(max_bytes=path.stat().st_size, max_pixels=64 * 32, max_frames=20, max_seconds=2)
    assert len(read_index(path, exact)) == 20


@pytest.mark.parametrize("size", [(80, 40), (640, 320)])
def test_frames_larger_than_the_header_says_are_refused(folder: Path, size: tuple[int, int]) -> None:
    small, large, lie = (folder / f"{name}.mkv" for name in ("small", "large", "lie"))
    write_video(small, 3, codec="mjpeg", pixels="yuvj420p")
    write_video(large, 3, codec="mjpeg", pixels="yuvj420p", size=size)
    with av.open(str(large)) as source, av.open(str(lie), "w") as output:
        with av.open(str(small)) as pattern:
            stream = output.add_stream_from_template(pattern.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    message = refusal(lie, VideoLimits(max_pixels=64 * 32))
    assert re.search("more than the limit of 2048|decoded within the limit of 2048", message)


def test_a_file_that_changed_since_is_refused(folder: Path) -> None:
    path = folder / "changed.mp4"
    write_video(path, 30)
    index = read_index(path)
    write_video(path, 0, sound=0.1)
    with pytest.raises(DataError):
        list(decode_frames(path, index, [29]))


# What is around it


def test_other_files_are_never_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A QuickTime file may name another for its frames (data reference `alis` or `url `)."""
    path = folder / "reference.mov"
    write_video(path, 5, codec="mpeg4")
    content = path.read_bytes().replace(b"url \x00\x00\x00\x01", b"url \x00\x00\x00\x00")
    content = content.replace(b"alis\x00\x00\x00\x01", b"alis\x00\x00\x00\x00")
    opened: list[Any] = []
    monkeypatch.setattr(video_container, "_refuse", lambda *arguments: opened.append(arguments))
    with contextlib.suppress(DataError):
        list(decode_frames(content, index := read_index(content), range(len(index))))
    assert opened == []


def test_only_the_containers_demuxer_is_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    opener: Callable[..., Any] = av.open
    monkeypatch.setattr(av, "open", lambda *a, **k: asked.append(k) or opener(*a, **k))
    for name in ("b-frames.mp4", "vp9.webm", "mpeg4.avi", "animation.gif"):
        path = folder / f"asked-{name}"
        write_video(path, 3, **KINDS[name])
        asked.clear()
        read_index(path)
        (keywords,) = asked
        assert keywords["format"] in ("mov", "matroska", "avi", "gif")
        assert keywords["io_open"] is video_container._refuse
        assert keywords["options"]["protocol_whitelist"] == "none"
        assert keywords["options"]["codec_whitelist"].startswith("h264,")


def test_a_rare_codec_is_refused(folder: Path) -> None:
    path = folder / "rare.avi"
    write_video(path, 3, codec="cinepak" if "cinepak" in av.codecs_available else "huffyuv", pixels="rgb24")
    assert "expected H.264, HEVC, AV1" in refusal(path)


def test_ffmpeg_says_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = folder / "noisy.mp4"
    write_video(path, 30, options={"g": "10"})
    capfd.readouterr()
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(range(200))
    for source in (path, bytes(content), path.read_bytes()[:500]):
        with contextlib.suppress(DataError):
            list(decode_frames(source, index := read_index(source), range(len(index))))
    assert capfd.readouterr() == ("", "")


def test_without_pyav_one_line_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"^videos need PyAV: pip install 'vergence\[video\]'$"):
        read_index(folder / "any.mp4")
