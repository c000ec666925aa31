"""transformers models: likelihoods equal a loop written by hand, answers equal `generate`, failures stay single."""

from __future__ import annotations

import io
import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny_transformers
import tokenizers
import torch
from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart, Message, TextPart, VideoPart, assistant, user
from vergence.errors import UsageError
from vergence.evaluation.models.transformers_loading import load
from vergence.evaluation.models.transformers_model import TransformersModel
from vergence.evaluation.task import Answer, Candidates, Prompt
from vergence.inference.sampler import Sampling

SPECIAL = tiny_transformers.SPECIAL
IM_END, IMAGE = SPECIAL.index("<|im_end|>"), SPECIAL.index("<image>")
TEXTS = ("a wall", "red bricks", "user")


@pytest.fixture(scope="module")
def text_folder(tmp_path_factory) -> Path:
    return tiny_transformers.llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def picture_folder(tmp_path_factory) -> Path:
    return tiny_transformers.llava(tmp_path_factory.mktemp("models") / "llava")


@pytest.fixture(scope="module")
def text_model(text_folder) -> TransformersModel:
    return TransformersModel.load(str(text_folder))


@pytest.fixture(scope="module")
def picture_model(picture_folder) -> TransformersModel:
    return TransformersModel.load(str(picture_folder))


def picture(width: int = 40, height: int = 30, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height))


def ask(*content: object, **options: object) -> Prompt:
    return Prompt(Conversation((user(*content),)), **options)  # type: ignore[arg-type]


def answers(model: TransformersModel, *prompts: Prompt) -> list[Answer]:
    found = dict(model.answer(prompts))
    return [found[index] for index in range(len(prompts))]


@cache
def backend() -> tokenizers.Tokenizer:
    """The tokenizer as transformers reads it from its file, where special tokens in a text count as such."""
    return tokenizers.Tokenizer.from_str(tiny_transformers.tokenizer().backend.to_str())


def encode(text: str) -> list[int]:
    return backend().encode(text, add_special_tokens=False).ids


@torch.no_grad()
def by_hand(model: TransformersModel, prompt: list[int], candidate: list[int], **pictures: torch.Tensor) -> list[float]:
    """One token after the other, each scored by a pass of its own over all that stands before it."""
    found = []
    for place, token in enumerate(candidate):
        ids = torch.tensor([[*prompt, *candidate[:place]]])
        logits = model.loaded.model(input_ids=ids, **pictures).logits[0, -1].double()
        found.append(float(logits[token] - logits.exp().sum().log()))
    return found


CHAT = "<|im_start|>user\nWhat is shown?<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("template", ["chat", "plain"])
@pytest.mark.parametrize("end", [False, True], ids=["open", "ended"])
def test_likelihoods_equal_a_loop_by_hand(text_model, template, end):
    wanted = Candidates(TEXTS, template=template, end=end, reduction="pmi", unconditional="Answer:")
    [answer] = answers(text_model, ask("What is shown?", candidates=wanted))
    assert answer.error is None
    chat = template == "chat"
    prompts = [CHAT if chat else "What is shown?", CHAT.replace("What is shown?", "Answer:") if chat else "Answer:"]
    last = [IM_END if chat else 0] if end else []
    assert answer.prompt_tokens == len(encode(prompts[0]))
    for text, found in zip(TEXTS, answer.candidates, strict=True):
        ids = [*encode(text), *last]
        scored, behind = (by_hand(text_model, encode(prompt), ids) for prompt in prompts)
        assert found.text == text
        assert found.tokens == pytest.approx(scored, abs=1e-5)
        assert found.sum == pytest.approx(sum(scored), abs=1e-4)
        assert found.mean == pytest.approx(sum(scored) / len(ids), abs=1e-4)
        assert found.character == pytest.approx(sum(scored) / len(text), abs=1e-4)
        assert found.byte == pytest.approx(sum(scored) / len(text.encode()), abs=1e-4)
        assert found.pmi == pytest.approx(sum(scored) - sum(behind), abs=1e-4)
    assert len({round(found.sum, 3) for found in answer.candidates}) == len(TEXTS)


@pytest.mark.parametrize("template", ["chat", "plain"])
@pytest.mark.parametrize("count", [1, 2])
def test_likelihoods_with_pictures(picture_model, template, count):
    import transformers

    images = [picture(40, 30), picture(56, 28, seed=1)][:count]
    content = [part for image in images for part in (image, "and")]
    [answer] = answers(picture_model, ask(*content, candidates=Candidates(TEXTS, template=template)))
    assert answer.error is None
    cut = transformers.LlavaOnevisionImageProcessorPil(
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"height": 28, "width": 28},
        image_grid_pinpoints=[[28 * i, 28 * j] for i in (1, 2) for j in (1, 2)],
    )
    pictures = dict(cut([images], return_tensors="pt"))
    counts = picture_tokens(picture_model, pictures)
    assert answer.image_tokens == sum(counts)
    chat = template == "chat"
    middle = [[*[IMAGE] * n, *encode("\nand")] for n in counts]
    ids = [token for part in middle for token in part]
    if chat:
        ids = [*encode("<|im_start|>user\n"), *ids, *encode("<|im_end|>\n<|im_start|>assistant\n")]
    assert answer.prompt_tokens == len(ids)
    for text, found in zip(TEXTS, answer.candidates, strict=True):
        assert found.tokens == pytest.approx(by_hand(picture_model, ids, encode(text), **pictures), abs=1e-5)


@torch.no_grad()
def picture_tokens(model: TransformersModel, pictures: dict[str, torch.Tensor]) -> list[int]:
    """How many tokens each picture takes, asked of the model and not of the processor."""
    features = model.loaded.model.get_image_features(**pictures)
    return [len(one) for one in features.pooler_output]


def test_likelihoods_without_pictures(picture_model):
    wanted = Candidates(TEXTS, reduction="pmi", unconditional="What is shown?")
    same, other = answers(picture_model, ask("What is shown?", candidates=wanted), ask("user", candidates=wanted))
    assert [candidate.pmi for candidate in same.candidates] == [0.0] * len(TEXTS)
    assert all(candidate.pmi for candidate in other.candidates)
    assert same.candidates[0].tokens == pytest.approx(by_hand(picture_model, encode(CHAT), encode("a wall")), abs=1e-5)


def test_pictures_matter(picture_model):
    one, other = (
        answers(picture_model, ask(picture(seed=seed), "What?", candidates=Candidates(TEXTS)))[0] for seed in (0, 5)
    )
    assert abs(one.candidates[0].sum - other.candidates[0].sum) > 1e-3


def test_a_video_is_shown_as_its_frames(picture_model):
    frames = tuple(picture(28, 28, seed=seed) for seed in range(3))
    wanted = Candidates(TEXTS)
    video = VideoPart(Frames(frames, (0.0, 1.0, 2.0)))
    as_video, as_images = answers(
        picture_model, ask(video, "What?", candidates=wanted), ask(*frames, "What?", candidates=wanted)
    )
    assert as_video.error is None
    assert as_video == as_images


def test_greedy_answers_equal_generate(text_model):
    [answer] = answers(text_model, ask("What is shown?", sampling=Sampling(max_tokens=12)))
    ids = torch.tensor([encode(CHAT)])
    expected = []
    for _ in range(12):
        with torch.no_grad():
            token = int(text_model.loaded.model(input_ids=ids).logits[0, -1].argmax())
        expected.append(token)
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
        if token in (IM_END, 0):
            break
    assert answer.error is None
    assert answer.text == backend().decode(expected, skip_special_tokens=True)
    assert answer.answer_tokens == len(expected)
    assert answer.finish_reason == ("stop" if expected[-1] in (IM_END, 0) else "length")
    assert answer.prompt_tokens == len(encode(CHAT))
    assert answer.image_tokens == 0


@pytest.mark.parametrize("name", ["text_folder", "picture_folder"])
def test_a_batch_answers_as_single_prompts_do(name, request):
    folder = str(request.getfixturevalue(name))
    loaded = load(folder)
    content = [(), ()] if name == "text_folder" else [(picture(),), (picture(56, 28), picture(seed=2))]
    prompts = [
        ask(*content[0], "What is shown?", sampling=Sampling(max_tokens=8)),
        ask(*content[1], "What is shown in these pictures of a wall?", sampling=Sampling(max_tokens=8)),
        ask(*content[0], "user", sampling=Sampling(max_tokens=5)),
    ]
    alone, together = (TransformersModel(loaded, "m", batch=batch) for batch in (1, 4))
    assert (alone.independent, together.independent) == (True, False)
    found = answers(together, *prompts)
    assert found == answers(alone, *prompts)
    assert all(answer.error is None and answer.text for answer in found)


def test_sampled_answers_follow_the_seed(text_model):
    def texts(seed: int | None) -> str:
        sampling = Sampling(temperature=1.5, seed=seed, max_tokens=10)
        return answers(text_model, ask("What?", sampling=sampling))[0].text

    before = torch.get_rng_state()
    assert texts(1) == texts(1)
    assert len({texts(seed) for seed in range(5)}) > 1
    assert torch.equal(torch.get_rng_state(), before)


def test_the_checkpoints_own_sampling_has_no_effect(tmp_path, text_folder, text_model):
    folder = tiny_transformers.llama(tmp_path / "m")
    settings = json.loads((folder / "generation_config.json").read_text())
    odd = {"repetition_penalty": 5.0, "temperature": 3.0, "do_sample": True, "no_repeat_ngram_size": 1}
    (folder / "generation_config.json").write_text(json.dumps({**settings, **odd}))
    prompt = ask("What is shown?", sampling=Sampling(max_tokens=12))
    assert answers(TransformersModel.load(str(folder)), prompt) == answers(text_model, prompt)


def test_text_ends_before_a_stop_string(text_model):
    whole = answers(text_model, ask("What is shown?", sampling=Sampling(max_tokens=12)))[0].text
    stop = whole[3:5]
    [cut] = answers(text_model, ask("What is shown?", sampling=Sampling(max_tokens=12, stop=(stop,))))
    assert (cut.text, cut.finish_reason) == (whole[: whole.index(stop)], "stop")


def test_a_thought_is_split_off(text_model):
    # The prompt opens a thought, which the few tokens of the answer don't close.
    [answer] = answers(text_model, ask("What?", sampling=Sampling(max_tokens=4), thinking=True))
    assert answer.finish_reason == "length"
    assert (answer.text, bool(answer.thought)) == ("", True)
    [plain] = answers(text_model, ask("What?", sampling=Sampling(max_tokens=4), thinking=False))
    assert (plain.thought, plain.thought_tokens) == (None, 0)
    ids = [*encode("<think>why</think>red"), IM_END]
    rendered = text_model._render(Conversation((user("?"),)), "chat", None)
    read = text_model._read(ids, Sampling(), torch.tensor([1]), rendered)
    assert (read.thought, read.text, read.finish_reason) == ("why", "red", "stop")
    assert (read.thought_tokens, read.answer_tokens) == (len(encode("why")), len(ids) - len(encode("why")))


def test_a_turn_before_and_a_system_message_are_shown(text_model):
    talk = Conversation((Message("system", (TextPart("a wall"),)), user("user"), assistant("red"), user("What?")))
    [answer] = answers(text_model, Prompt(talk, candidates=Candidates(("a",))))
    text = "".join(f"<|im_start|>{m.role}\n{m.text}<|im_end|>\n" for m in talk.messages) + "<|im_start|>assistant\n"
    assert answer.candidates[0].tokens == pytest.approx(by_hand(text_model, encode(text), encode("a")), abs=1e-5)


def test_what_fails_is_an_error_and_the_others_are_answered(tmp_path, picture_folder):
    model = TransformersModel.load(str(picture_folder), batch=4)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    good = ask(picture(), "What?", sampling=Sampling(max_tokens=3))
    prompts = [
        good,
        ask(broken, "What?", sampling=Sampling(max_tokens=3)),
        ask(picture(), "Is <image> here?", sampling=Sampling(max_tokens=3)),
        ask(picture(), "What?", candidates=Candidates(("a", ""))),
    ]
    found = answers(model, *prompts)
    assert found[0].text == answers(model, good)[0].text
    assert [answer.finish_reason for answer in found[1:]] == ["error"] * 3
    assert "broken.png" in (found[1].error or "")
    assert "'<image>'" in (found[2].error or "")
    assert found[3].error == "candidate 2 of 2 is empty"
    assert all("\n" not in (answer.error or "") for answer in found)


def test_the_context_is_respected(tmp_path):
    model = TransformersModel.load(str(tiny_transformers.llama(tmp_path / "m", context=40)))
    short, long = answers(
        model, ask("?", sampling=Sampling(max_tokens=500)), ask("What " * 50, sampling=Sampling(max_tokens=5))
    )
    assert short.error is None
    assert (short.prompt_tokens or 0) + (short.answer_tokens or 0) <= 40
    assert "leaves no room in the context of 40" in (long.error or "")
    [ranked] = answers(model, ask("What " * 50, candidates=Candidates(("a",))))
    assert "context has 40" in (ranked.error or "")


def test_a_text_model_refuses_pictures(text_model):
    [answer] = answers(text_model, ask(picture(), "What?"))
    assert answer.error == "this model reads text only, and the prompt has media"


def test_without_a_chat_template_the_contents_stand_alone(tmp_path, text_model):
    model = TransformersModel.load(str(tiny_transformers.llama(tmp_path / "m", template=False)))
    assert model.description()["template"] == "none"
    chat, plain = answers(
        model,
        ask("What?", candidates=Candidates(TEXTS)),
        ask("What?", candidates=Candidates(TEXTS, template="plain")),
    )
    assert chat.candidates == plain.candidates
    assert chat.candidates[0].tokens == pytest.approx(by_hand(model, encode("What?"), encode("a wall")), abs=1e-5)


def test_the_description_identifies_the_weights(tmp_path, text_folder, text_model):
    description = dict(text_model.description())
    assert (description["kind"], description["type"], description["dtype"]) == ("transformers", "llama", "float32")
    assert len(description["weights"]) == 64
    again = tiny_transformers.llama(tmp_path / "same")
    assert TransformersModel.load(str(again)).description()["weights"] == description["weights"]
    weights = again / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert TransformersModel.load(str(again)).description()["weights"] != description["weights"]
    json.dumps(description)


def test_a_checkpoints_own_code_is_never_run(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    document = {"model_type": "mine", "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match="can't be loaded"):
        load(str(folder))
    assert not (tmp_path / "ran").exists()


def test_unusable_names_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match=r"transformers:.*nothing: can't be loaded"):
        load(str(tmp_path / "nothing"))
    (tmp_path / "t5").mkdir()
    (tmp_path / "t5" / "config.json").write_text(json.dumps({"model_type": "t5", "is_encoder_decoder": True}))
    with pytest.raises(UsageError, match="has an encoder and a decoder"):
        load(str(tmp_path / "t5"))
    with pytest.raises(UsageError, match="frames 0"):
        TransformersModel(None, "m", frames=0)  # type: ignore[arg-type]


def test_an_image_may_be_bytes(picture_model):
    png = io.BytesIO()
    picture().save(png, "PNG")
    wanted = Candidates(TEXTS)
    one, other = answers(
        picture_model,
        ask(ImagePart(png.getvalue()), "What?", candidates=wanted),
        ask(picture(), "What?", candidates=wanted),
    )
    assert one.error is None
    assert one == other
    assert all(math.isfinite(candidate.sum) for candidate in one.candidates)


@pytest.mark.parametrize("template", ["chat", "plain"])
def test_the_same_weights_rank_alike_in_our_engine(picture_folder, picture_model, tmp_path, template):
    from vergence.evaluation.models.engine_model import open_checkpoint_model
    from vergence.models.hub.convert import import_checkpoint

    import_checkpoint(str(picture_folder), tmp_path / "ours")
    ours = open_checkpoint_model(tmp_path / "ours", dtype="float32")
    prompts = [
        ask(
            picture(40, 30), "What is shown?", candidates=Candidates(TEXTS, template=template, end=end, reduction="pmi")
        )
        for end in ((False, True) if template == "chat" else (False,))  # a text may end otherwise than an answer
    ]
    for one, other in zip(answers(picture_model, *prompts), answers(ours, *prompts), strict=True):  # type: ignore[arg-type]
        assert one.error is None
        assert other.error is None
        assert (one.prompt_tokens, one.image_tokens) == (other.prompt_tokens, other.image_tokens)
        for a, b in zip(one.candidates, other.candidates, strict=True):
            assert a.tokens == pytest.approx(b.tokens, abs=1e-4)
            assert a.pmi == pytest.approx(b.pmi, abs=1e-3)
