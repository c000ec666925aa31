"""From conversations to tensors: what is learned, what is counted, and what an image becomes."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vergence.conversation import Conversation, Message, TextPart, assistant, user
from vergence.errors import DataError
from vergence.inputs import IGNORE, ModelInputs, pack
from vergence.model_config import LanguageConfig, ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
from vergence.models.vlm import VLM
from vergence.processing.image import from_patches
from vergence.processing.media import MediaLimits
from vergence.processing.processor import Processor
from vergence.processing.template import load_template
from vergence.processing.tokenizer import Tokenizer, train_tokenizer

TEMPLATE = load_template("seed")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def make_config(*, row_token: bool = False, vocab_size: int = 300, **processing: int) -> ModelConfig:
    return ModelConfig(
        vision=VisionConfig(width=16, depth=1, heads=2, mlp_width=16),
        projector=ProjectorConfig(hidden=16),
        language=LanguageConfig(vocab_size=vocab_size, width=16, depth=1, heads=2, kv_heads=1, mlp_width=16),
        processing=ProcessingConfig(**{"max_pixels": 30 * 784, "row_token": row_token, **processing}),
    )


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["what is it? a red circle"] * 3, vocab_size=290, special_tokens=TEMPLATE.special_tokens)


@pytest.fixture(scope="module")
def processor(tokenizer) -> Processor:
    return Processor(make_config(), tokenizer)


@pytest.fixture(scope="module")
def row_processor(tokenizer) -> Processor:
    return Processor(make_config(row_token=True), tokenizer)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def rotated_jpeg(width: int, height: int, orientation: int) -> bytes:
    """A JPEG whose EXIF orientation has to be applied: 5 to 8 swap its sides."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture(width, height).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def read(tokenizer: Tokenizer, ids: torch.Tensor) -> list[str]:
    """The ids as pieces of text, special tokens by name."""
    names = {tokenizer.special(token): token for token in TEMPLATE.special_tokens}
    return [names.get(i) or tokenizer.decode([i]) for i in ids.tolist()]


def learned_text(tokenizer: Tokenizer, sample: ModelInputs) -> str:
    learned = sample.labels != IGNORE
    assert torch.equal(sample.labels[learned], sample.input_ids[learned])
    return "".join(read(tokenizer, sample.input_ids[learned]))


DIALOGUE = Conversation(
    (
        Message("system", (TextPart("be short"),)),
        user(picture(60, 60), "what is it?"),
        assistant("a circle", loss=False),
        user("sure?"),
        assistant("a red circle"),
    )
)


def test_a_conversation_reads_as_its_template_says(processor, tokenizer):
    sample = processor(DIALOGUE)
    image = "<|image_start|>" + "<|image|>" * 4 + "<|image_end|>"
    assert "".join(read(tokenizer, sample.input_ids)) == (
        "<|begin|><|system|>be short<|end|>"
        f"<|user|>{image}what is it?<|end|><|assistant|>a circle<|end|>"
        "<|user|>sure?<|end|><|assistant|>a red circle<|end|>"
    )


def test_only_the_answers_that_carry_loss_are_learned_with_their_end(processor, tokenizer):
    assert learned_text(tokenizer, processor(DIALOGUE, learn="answers")) == "a red circle<|end|>"
    both = Conversation((user("x"), assistant("one"), user("y"), assistant("two")))
    assert learned_text(tokenizer, processor(both)) == "one<|end|>two<|end|>"
    assert (processor(Conversation((user("x"), assistant("no", loss=False)))).labels == IGNORE).all()


def test_all_text_is_learned_in_pre_training_but_no_image_and_no_introduction(processor, tokenizer):
    sample = processor(DIALOGUE, learn="text")
    assert learned_text(tokenizer, sample) == "be shortwhat is it?sure?a red circle<|end|>"
    assert (sample.labels[sample.visual_positions] == IGNORE).all()


@given(TEXT, TEXT, st.sampled_from(TEMPLATE.special_tokens), st.sampled_from(["system", "user", "assistant"]))
def test_special_tokens_typed_by_anybody_stay_plain_text(processor, tokenizer, before, after, token, role):
    conversation = Conversation((Message(role, (TextPart(before + token + after),)), assistant("a")))
    sample = processor(conversation)
    special = {tokenizer.special(t) for t in TEMPLATE.special_tokens}
    found = [t for t in read(tokenizer, sample.input_ids) if t in TEMPLATE.special_tokens]
    assert found == ["<|begin|>", TEMPLATE.roles[role], "<|end|>", "<|assistant|>", "<|end|>"]
    plain = [i for i in sample.input_ids.tolist() if i not in special]
    assert tokenizer.decode(plain) == before + token + after + "a"
    assert sample.visual_positions.numel() == 0


@pytest.mark.parametrize("token", TEMPLATE.special_tokens)
def test_a_typed_token_in_every_role_at_once(processor, tokenizer, token):
    conversation = Conversation((Message("system", (TextPart(token),)), user(token * 2), assistant(token)))
    sample = processor(conversation)
    index = tokenizer.special(token)
    expected = {"<|begin|>": 1, "<|end|>": 3, "<|system|>": 1, "<|user|>": 1, "<|assistant|>": 1}
    assert (sample.input_ids == index).sum() == expected.get(token, 0)


def sizes() -> list[tuple[int, int]]:
    rng = random.Random(4)
    drawn = [(round(2 ** rng.uniform(0, 9)), round(2 ** rng.uniform(0, 9))) for _ in range(60)]
    return [*[size for size in drawn if max(size) <= 200 * min(size)], (1, 1), (1, 200), (200, 1), (14, 42), (41, 43)]


@pytest.mark.parametrize("rows", [False, True])
def test_tokens_counted_from_headers_are_the_tokens_that_come_out(processor, row_processor, rows):
    processor = row_processor if rows else processor
    model = VLM(processor.config)
    model.initialise(0)
    for width, height in sizes():
        buffer = io.BytesIO()
        picture(width, height).save(buffer, "PNG")
        conversation = Conversation((user(buffer.getvalue(), "what?"), assistant("it")))
        sample = processor(conversation)
        assert processor.token_count(conversation) == len(sample), (width, height)
        visual = model.encode_images(pack([sample]))
        assert visual.shape[0] == sample.visual_positions.numel() == sample.patches.shape[0] // 4, (width, height)
        assert sample.grids.tolist() == [list(processor.grid(width, height))]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_jpeg_is_counted_as_it_is_decoded(processor, row_processor, orientation):
    source = rotated_jpeg(150, 40, orientation)
    for one in (processor, row_processor):
        conversation = Conversation((user(source, source, "both?"),))
        assert one.token_count(conversation, generate=True) == len(one(conversation, generate=True))
    shown = (150, 40) if orientation < 5 else (40, 150)
    assert processor(Conversation((user(source),))).grids.tolist() == [list(processor.grid(*shown))]


def test_a_path_bytes_and_a_picture_are_the_same_sample(processor, tmp_path):
    path = tmp_path / "a.png"
    picture(70, 45).save(path)
    samples = [processor(Conversation((user(source, "x"),))) for source in (path, path.read_bytes(), picture(70, 45))]
    for name in set(ModelInputs.__slots__) - {"layouts"}:
        assert all(torch.equal(getattr(samples[0], name), getattr(other, name)) for other in samples[1:]), name
    assert all(sample.layouts == () for sample in samples)


@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(1, 200), st.booleans())
def test_a_prompt_is_a_prefix_of_the_whole_conversation(processor, texts, side, with_image):
    image = [picture(side, 50)] if with_image else []
    turns = [m for text in texts for m in (user(*image, text), assistant(text[::-1]))]
    whole = processor(Conversation(tuple(turns)))
    prompt = processor(Conversation(tuple(turns[:-1])), generate=True)
    assert torch.equal(prompt.input_ids, whole.input_ids[: len(prompt)])
    assert torch.equal(prompt.patches, whole.patches)
    assert torch.equal(prompt.visual_positions, whole.visual_positions)
    assert len(whole) == len(prompt) + len(processor.tokenizer.encode(texts[-1][::-1])) + 1


def test_a_row_token_ends_every_row_of_an_image(row_processor, tokenizer):
    sample = row_processor(Conversation((user(picture(84, 56)),)))
    text = "".join(read(tokenizer, sample.input_ids))
    assert sample.grids.tolist() == [[4, 6]]
    assert text == f"<|begin|><|user|><|image_start|>{('<|image|>' * 3 + '<|row_end|>') * 2}<|image_end|><|end|>"
    assert sample.visual_positions.tolist() == [3, 4, 5, 7, 8, 9]


def test_patches_are_the_pixels_of_the_picture(processor):
    image = picture(84, 56)
    sample = processor(Conversation((user(image),)))
    assert sample.patches.dtype == torch.uint8
    back = from_patches(sample.patches.numpy(), (4, 6), 14, 2)
    assert back.tobytes() == image.tobytes()


def test_several_images_keep_their_order(processor):
    sample = processor(Conversation((user(picture(84, 56, 1), "and", picture(56, 84, 2)), user(picture(56, 56, 3)))))
    assert sample.grids.tolist() == [[4, 6], [6, 4], [4, 4]]
    first = Image.fromarray(np.asarray(from_patches(sample.patches[24:48].numpy(), (6, 4), 14, 2)))
    assert first.tobytes() == picture(56, 84, 2).tobytes()
    assert sample.visual_positions.numel() == 6 + 6 + 4


def test_text_alone_has_no_patches(processor):
    sample = processor(Conversation((user("x"), assistant(""))))
    assert sample.patches.shape == (0, 588)
    assert sample.grids.shape == (0, 2)
    assert sample.visual_positions.numel() == 0
    assert sample.input_ids.dtype == sample.labels.dtype == sample.visual_positions.dtype == torch.int64


@pytest.mark.parametrize("name", ["empty.png", "text.png", "truncated.png", "truncated.jpg", "corrupt.png", "huge.png"])
def test_a_bad_image_is_refused(processor, bad_bytes, name):
    with pytest.raises(DataError) as caught:
        processor(Conversation((user(bad_bytes[name], "what?"),)))
    assert "\n" not in str(caught.value)


def test_a_bad_file_is_refused_by_name(processor, bad_files: list[Path]):
    for path in bad_files:
        with pytest.raises(DataError, match=path.name):
            processor(Conversation((user(path, "what?"),)))


def test_the_limits_are_the_callers(tokenizer):
    strict = Processor(make_config(), tokenizer, MediaLimits(max_pixels=1000))
    conversation = Conversation((user(rotated_jpeg(60, 60, 1)),))
    for use in (strict, strict.token_count):
        with pytest.raises(DataError, match="60x60"):
            use(conversation)


def test_a_conversation_needs_a_message(processor):
    with pytest.raises(DataError, match="at least one message"):
        processor(Conversation(()))


def test_a_tokenizer_larger_than_the_model_is_refused(tokenizer):
    size = tokenizer.size
    Processor(make_config(vocab_size=size), tokenizer)
    with pytest.raises(DataError, match=rf"has {size} tokens, the model only {size - 1} \(model.language.vocab_size\)"):
        Processor(make_config(vocab_size=size - 1), tokenizer)


def test_a_tokenizer_without_the_templates_tokens_is_refused():
    bare = train_tokenizer(["a b"], vocab_size=270, special_tokens=["<|begin|>"])
    with pytest.raises(DataError, match="no special token"):
        Processor(make_config(), bare)
