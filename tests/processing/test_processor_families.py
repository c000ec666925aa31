"""Images and videos of all three families, in any order, through the processor, with JSON and Jinja templates."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vergence.conversation import Conversation, ImagePart, Message, TextPart, VideoPart, assistant, user
from vergence.errors import DataError, UsageError
from vergence.inputs import IGNORE, Layout, ModelInputs, pack
from vergence.model_config import ModelConfig
from vergence.models.vlm import VLM
from vergence.presets import PRESETS
from vergence.processing.processor import Processor
from vergence.processing.template import load_template
from vergence.processing.tokenizer import Tokenizer, train_tokenizer
from vergence.processing.video_file import VideoLimits

SEED = load_template("seed").special_tokens
CHATML = ["<|im_start|>", "<|im_end|>", "<image>", "<video>"]
KIMI = [f"<|{name}|>" for name in ("im_end", "im_user", "im_assistant", "im_system", "im_middle", "media_start")]
KIMI += [f"<|{name}|>" for name in ("media_content", "media_end", "media_pad")]
FAMILIES = ["seed", "llava", "kimi", "llava-chatml", "kimi-jinja"]


def changed(name: str, **processing: object) -> ModelConfig:
    config = PRESETS[name]
    return config.model_copy(update={"processing": config.processing.model_copy(update=processing)})


CONFIGS = {
    "seed": PRESETS["seed-tiny"],
    "llava": PRESETS["llava-onevision-tiny"],
    "kimi": PRESETS["kimi-vl-tiny"],
    "llava-chatml": changed("llava-onevision-tiny", template="chatml", image_token="<image>", video_token="<video>"),
    "kimi-jinja": changed("kimi-vl-tiny", template="kimi", image_token="<|media_pad|>"),
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    special = [*SEED, *CHATML, *KIMI]
    return train_tokenizer(
        ["what is it? a red circle second"] * 3, vocab_size=320, special_tokens=dict.fromkeys(special)
    )


@pytest.fixture
def processors(tokenizer) -> dict[str, Processor]:
    return {name: Processor(config, tokenizer) for name, config in CONFIGS.items()}


def flat(value: int, size: tuple[int, int] = (56, 56)) -> Image.Image:
    return Image.new("RGB", size, (value, value, value))


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def video(tmp_path_factory, make_video: Callable[..., Path]) -> Path:
    """Four seconds, four frames, each of one grey value: 100, 110, 120, 130."""
    folder = tmp_path_factory.mktemp("video")
    return make_video(folder / "grey.mkv", [flat(value) for value in (100, 110, 120, 130)])


def reading(processor: Processor, sample: ModelInputs) -> str:
    """The sample as text, and each run of visual tokens as the grey values of the views that it shows: `{100 110}`."""
    views = sample.patches.split(sample.grids.prod(dim=1).tolist())
    greys = [int(view.float().mean().round()) for view in views]
    visual = torch.zeros(len(sample), dtype=torch.bool)
    visual[sample.visual_positions] = True
    merged = processor.config.vision.merge_size**2
    tokens = [layout.tokens for layout in sample.layouts] or [len(view) // merged for view in views]
    counts = [layout.views for layout in sample.layouts] or [1] * len(views)
    shown: list[str] = []
    ids = iter(zip(sample.input_ids.tolist(), visual.tolist(), strict=True))
    for is_visual, run in groupby(ids, key=lambda pair: pair[1]):
        numbers = [index for index, _ in run]
        if not is_visual:
            shown.append(processor.tokenizer.backend.decode(numbers, skip_special_tokens=False))
            continue
        values, length = [], len(numbers)
        while length > 0:  # whole layouts, or whole views
            length -= tokens.pop(0)
            values += [greys.pop(0) for _ in range(counts.pop(0))]
        assert length == 0, "a picture's tokens are one run"
        shown.append("{" + " ".join(map(str, values)) + "}")
    assert not greys
    assert not tokens
    return "".join(shown)


def mixed(video: Path) -> Conversation:
    message = user(flat(10), "a", VideoPart(video), "b", flat(20))
    return Conversation((user("what?", *message.parts, "it"), assistant("a red circle")))


def expected_reading(family: str) -> str:
    start, end = "<|image_start|>", "<|image_end|>"
    kimi = ("<|media_start|>image<|media_content|>", "<|media_end|>")
    seconds = (0.0, 1.0, 2.0, 3.0)
    if family.startswith("llava"):
        body = f"what?{start}{{10}}{end}a{start}{{100 110 120 130}}{end}b{start}{{20}}{end}it"
        if family == "llava":
            return f"<|begin|><|user|>{body}<|end|><|assistant|>a red circle<|end|>"
        body = body.replace(start, "").replace(end, "\n")
        system = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        return f"{system}<|im_start|>user\n{body}<|im_end|>\n<|im_start|>assistant\na red circle<|im_end|>\n"
    start, end = kimi if family == "kimi-jinja" else (start, end)
    frames = "".join(f"[{t} second]{start}{{{100 + 10 * i}}}{end}" for i, t in enumerate(seconds))
    body = f"what?{start}{{10}}{end}a{frames}b{start}{{20}}{end}it"
    if family == "kimi-jinja":
        system = "<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>"
        answer = "<|im_assistant|>assistant<|im_middle|>a red circle<|im_end|>"
        return f"{system}<|im_user|>user<|im_middle|>{body}<|im_end|>{answer}"
    return f"<|begin|><|user|>{body}<|end|><|assistant|>a red circle<|end|>"


@pytest.mark.parametrize("family", FAMILIES)
def test_text_images_and_videos_keep_their_order(processors, video, family):
    processor = processors[family]
    sample = processor(mixed(video))
    assert reading(processor, sample) == expected_reading(family)
    assert processor.token_count(mixed(video)) == len(sample)
    learned = sample.input_ids[sample.labels != IGNORE].tolist()
    end = processor.template.ends[0]
    assert processor.tokenizer.backend.decode(learned, skip_special_tokens=False) == f"a red circle{end}"
    assert processor.end == processor.tokenizer.special(end)
    assert processor.ends == {processor.end}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_takes_what_the_processor_gives(processors, video, family):
    model = VLM(CONFIGS[family].model_copy(update={"language": CONFIGS["seed"].language}))
    model.initialise(0)
    one = processors[family](mixed(video))
    two = processors[family](Conversation((user(picture(90, 40), "x", picture(30, 200)), assistant("y"))))
    batch = pack([one, two])
    visual = model.encode_images(batch)
    assert (
        visual.shape[0] == batch.visual_positions.numel() == one.visual_positions.numel() + two.visual_positions.numel()
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_counted_from_headers_are_the_tokens_that_come_out(processors, video, family):
    rng, processor = random.Random(1), processors[family]
    for seed in range(25):
        parts: list[TextPart | ImagePart | VideoPart] = []
        for _ in range(rng.randint(0, 5)):
            buffer = io.BytesIO()
            picture(round(2 ** rng.uniform(0, 7.6)), round(2 ** rng.uniform(0, 7.6)), seed).save(buffer, "PNG")
            parts.append(rng.choice([TextPart("what is it"), ImagePart(buffer.getvalue()), VideoPart(video)]))
        conversation = Conversation((Message("user", tuple(parts)), assistant("it"), user("so?")))
        for generate in (False, True):
            sample = processor(conversation, generate=generate)
            assert processor.token_count(conversation, generate=generate) == len(sample)
            grids = sample.grids.prod(dim=1).sum()
            assert sample.patches.shape == (grids, 588)


@pytest.mark.parametrize("family", FAMILIES)
def test_placeholders_that_are_typed_are_no_pictures(processors, family):
    processor = processors[family]
    typed = "".join([*SEED, *CHATML, *KIMI])
    sample = processor(Conversation((user(typed, flat(10), typed), assistant("x"))))
    own = {processor.tokenizer.special(token) for token in ("<|image|>", "<image>", "<video>", "<|media_pad|>")}
    places = [i for i, token in enumerate(sample.input_ids.tolist()) if token in own]
    assert places == sample.visual_positions.tolist()


def make_llava(tokenizer: Tokenizer) -> Processor:
    return Processor(PRESETS["llava-onevision-0.5b"], tokenizer)


def test_tokens_of_llava_onevision(tokenizer, video):
    processor = make_llava(tokenizer)
    image, clip = flat(10, (640, 480)), VideoPart(video)

    def layouts(*content: Image.Image | VideoPart) -> tuple[Layout, ...]:
        sample = processor(Conversation((user(*content),)))
        assert sample.visual_positions.numel() == sum(layout.tokens for layout in sample.layouts)
        return sample.layouts

    frames = Layout(27, count=4, size=(14, 14), newline="end")
    single = (Layout(27), Layout(27, 2, 2, crop=(7, 0, 40, 54), newline="rows"))
    assert layouts(image) == single
    assert sum(layout.tokens for layout in single) == 729 + 40 * 55 == 2929
    assert layouts(clip) == (frames,)
    assert frames.tokens == 196 * 4 + 1
    assert layouts(image, clip) == (*single, frames)  # a video is no second image
    padded = Layout(27, newline="end")
    assert layouts(image, clip, image) == (padded, frames, padded)


def test_a_video_of_llava_onevision_has_its_own_placeholder(tokenizer, video):
    processor = make_llava(tokenizer)
    ids = processor(Conversation((user(flat(10), VideoPart(video)),))).input_ids
    assert (ids == tokenizer.special("<video>")).sum() == 785
    assert (ids == tokenizer.special("<image>")).sum() == processor(
        Conversation((user(flat(10)),))
    ).visual_positions.numel()


def test_the_dynamic_rule_chooses_frames_and_their_size(tokenizer, tmp_path, make_video):
    video = CONFIGS["seed"].processing.video.model_copy(
        update={"levels": (24, 12, 4), "budget": 100, "least_frames": 2}
    )
    processor = Processor(changed("seed-tiny", max_pixels=900 * 784, video=video), tokenizer)
    path = make_video(tmp_path / "a.mkv", [picture(200, 120, i) for i in range(40)], 4)
    slow, fast = (0.0, 3.2, 6.5, 9.8), (0.0, 1.5, 2.8, 4.2, 5.5, 7.0, 8.2, 9.8)
    # 200x120 pixels, 28 cells: divided by sqrt(24000 / (level * 784)) and floored to 6x3, 4x2 and 2x1 cells.
    for fps, times, grid in ((0.4, slow, [6, 12]), (0.8, fast, [4, 8])):
        sample = processor(Conversation((user(VideoPart(path, fps=fps)),)))
        assert sample.grids.tolist() == [grid] * len(times)
        text = tokenizer.decode([i for i in sample.input_ids.tolist() if i != tokenizer.special("<|image|>")])
        assert text == "".join(f"[{time} second]" for time in times)
    many = processor(Conversation((user(VideoPart(path, fps=4)),)))
    assert many.grids.tolist() == [[2, 4]] * 25  # 40 frames don't fit in 100 tokens, 25 of 4 tokens do


def test_the_uniform_rule_takes_frames_from_end_to_end(processors, tmp_path, make_video):
    path = make_video(tmp_path / "a.mkv", [flat(5 * i) for i in range(40)], 4)
    for fps, frames in ((None, 8), (0.3, 3), (100, 8), (0.001, 1)):
        sample = processors["llava"](Conversation((user(VideoPart(path, fps=fps)),)))
        greys = [round(view.float().mean().item()) for view in sample.patches.split(25)]
        assert greys == [5 * int(i) for i in np.linspace(0, 39, frames)]


def test_a_file_that_is_no_video_is_refused_by_name(processors, video, tmp_path):
    (tmp_path / "text.mp4").write_text("hello")
    for name, processor in processors.items():
        for use in (processor, processor.token_count):
            with pytest.raises(DataError, match=r"text\.mp4"):
                use(Conversation((user(VideoPart(tmp_path / "text.mp4")),)))
            with pytest.raises(DataError, match=r"missing\.mp4: no such file"):
                use(Conversation((user("x", VideoPart(tmp_path / "missing.mp4")),)))
        strict = Processor(CONFIGS[name], processor.tokenizer, video_limits=VideoLimits(max_seconds=2))
        with pytest.raises(DataError, match=r"grey\.mkv: lasts 4\.0 s, more than the limit of 2 s"):
            strict.token_count(Conversation((user(VideoPart(video)),)))


@pytest.mark.parametrize("template", ["seed", "chatml"])
def test_a_language_model_alone_reads_text_only(tokenizer, video, template):
    config = changed("seed-tiny", template=template).model_copy(update={"vision": None, "projector": None})
    processor = Processor(config, tokenizer)
    sample = processor(Conversation((user("what?"), assistant("it"))))
    assert sample.patches.shape == (0, 0)
    assert sample.grids.shape == (0, 2)
    assert processor.token_count(Conversation((user("what?"), assistant("it")))) == len(sample)
    for part in (ImagePart(flat(1)), VideoPart(video)):
        for use in (processor, processor.token_count):
            with pytest.raises(DataError, match="this model reads text only"):
                use(Conversation((user("x", part),)))
    with pytest.raises(DataError, match="this model reads text only"):
        processor.grid(10, 10)


def test_a_language_model_alone_needs_no_tokens_for_pictures():
    plain = train_tokenizer(["a b"], vocab_size=270, special_tokens=["<|im_start|>", "<|im_end|>"])
    config = changed("seed-tiny", template="chatml").model_copy(update={"vision": None, "projector": None})
    assert len(Processor(config, plain)(Conversation((user("<image>"), assistant("it"))))) > 4
    with pytest.raises(DataError, match=r"no special token '<\|image\|>'"):
        Processor(changed("seed-tiny", template="chatml"), plain)


def test_a_size_can_be_checked_before_an_image_is_sent(processors):
    assert processors["seed"].grid(84, 56) == (4, 6)
    assert processors["kimi"].grid(80, 50) == (4, 6)
    assert processors["llava"].grid(80, 50) == (5, 5)
    with pytest.raises(DataError, match="aspect ratio"):
        processors["seed"].grid(2100, 10)
    with pytest.raises(DataError, match="fewer than 512"):
        processors["kimi"].grid(10_000, 2)


def test_row_tokens_end_the_rows_of_tiles_and_frames(tokenizer, video):
    processor = Processor(changed("llava-onevision-tiny", row_token=True), tokenizer)
    conversation = Conversation((user(flat(1, (20, 10)), VideoPart(video)),))
    sample = processor(conversation)
    place = set(sample.visual_positions.tolist())
    row_end, text = tokenizer.special("<|row_end|>"), ""
    for i, token in enumerate(sample.input_ids.tolist()):
        text += "v" if i in place else "|" if token == row_end else " "
    rows = [len(row) for row in text.replace(" ", "").split("|")]
    assert rows == [5] * 5 + [6] * 3 + [3] * 11 + [4] + [0]
    assert processor.token_count(conversation) == len(sample)


def test_row_tokens_need_a_template_that_has_one(tokenizer):
    with pytest.raises(UsageError, match=r"processing\.row_token: chat template 'chatml' has no token"):
        Processor(changed("llava-onevision-tiny", template="chatml", image_token="<image>", row_token=True), tokenizer)


def test_thinking_reaches_the_template(tokenizer, tmp_path):
    path = tmp_path / "thoughtful.jinja"
    path.write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is false %}no{% endif %}{% endif %}"
    )
    processor = Processor(changed("seed-tiny", template=str(path), image_token="<image>"), tokenizer)
    conversation = Conversation((user("x"),))
    lengths = {}
    for thinking in (None, True, False):
        lengths[thinking] = len(processor(conversation, generate=True, thinking=thinking))
        assert processor.token_count(conversation, generate=True, thinking=thinking) == lengths[thinking]
    assert lengths[None] == lengths[True] < lengths[False]
