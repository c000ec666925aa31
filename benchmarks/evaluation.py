"""Likelihood ranking of questions with pictures and choices, beside a plain loop of transformers on the same weights.

    python benchmarks/evaluation.py --threads 2
    python benchmarks/evaluation.py --only ranking_tiny --questions 50

Both sides get the same questions, batch by batch in turns, and must predict the same choice of every one: otherwise the
command says which differ and ends with 1. Prints a line of JSON for each measurement. What is compared, and why it is
fair, is written in benchmarks/README.md. Everything runs offline.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

# First of all: it keeps transformers quiet and offline.
from families import emit, imported, random_peer, speed

# isort: split

import torch
from PIL import Image
from torch import Tensor

from vergence.conversation import Conversation, user
from vergence.evaluation.models.engine_model import EngineModel
from vergence.evaluation.task import Candidates, Prompt
from vergence.inference.engine import Engine
from vergence.model_config import ModelConfig
from vergence.models.layers import lay_out_for_decoding
from vergence.presets import PRESETS
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer

CHOICES = 4
LONGEST = 6  # tokens of a choice
VOCABULARY = 408  # at least: an import adds the family's own tokens to the 400 of the tokenizer
BATCH = 64  # prompts that `vergence eval` asks an engine at once

Scores = list[float]  # mean log-probability of each choice


@dataclass(frozen=True)
class Question:
    """A picture, a text and four choices."""

    picture: Image.Image
    text: str
    choices: tuple[str, ...]

    @property
    def conversation(self) -> Conversation:
        """What both sides are asked."""
        return Conversation((user(self.picture, self.text),))


def draw_questions(count: int, sizes: Sequence[tuple[int, int]], tokenizer: Tokenizer, seed: int) -> list[Question]:
    """Random colours as pictures, of one of the `sizes` (width, height) each; texts and choices of random tokens."""
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    questions = []
    for _ in range(count):
        # A few large patches of colour: of fine noise every view would look the same to the model.
        pixels = torch.randint(0, 256, (5, 7, 3), dtype=torch.uint8, generator=generator)
        picture = Image.fromarray(pixels.numpy()).resize(rng.choice(sizes), Image.Resampling.BICUBIC)
        choices: list[str] = []
        while len(choices) < CHOICES:
            text = draw_text(rng, tokenizer, rng.randint(1, LONGEST))
            if text not in choices:
                choices.append(text)
        text = draw_text(rng, tokenizer, rng.randint(10, 40))
        questions.append(Question(picture, text, tuple(choices)))
    return questions


def draw_text(rng: random.Random, tokenizer: Tokenizer, length: int) -> str:
    """A text of exactly so many tokens."""
    while True:
        ids: list[int] = []
        while len(ids) < length:  # token by token: few random sequences are what their own text is read as
            text = tokenizer.decode([*ids, rng.randrange(tokenizer.size)])
            found = tokenizer.encode(text)
            if len(found) == len(ids) + 1:
                ids = found
        if text.strip():
            return text


# The two sides


def peer_config(preset: ModelConfig, depth: int, image_token: int) -> Any:
    """transformers' configuration of a LLaVA-OneVision preset, with `depth` layers of encoder and decoder each."""
    import transformers

    vision, language, anyres = preset.vision, preset.language, preset.processing.anyres
    assert vision is not None
    sides = range(1, anyres.grid + 1)
    vocabulary = max(language.vocab_size, VOCABULARY)
    return transformers.LlavaOnevisionConfig(
        vision_config=transformers.SiglipVisionConfig(
            hidden_size=vision.width,
            intermediate_size=vision.mlp_width,
            num_hidden_layers=depth,
            num_attention_heads=vision.heads,
            image_size=anyres.view,
            patch_size=vision.patch_size,
            vision_use_head=False,
        ),
        text_config=transformers.Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=language.width,
            intermediate_size=language.mlp_width,
            num_hidden_layers=depth,
            num_attention_heads=language.heads,
            num_key_value_heads=language.kv_heads,
            tie_word_embeddings=language.tied,
            max_position_embeddings=language.context,
            rope_parameters={"rope_type": "default", "rope_theta": language.rope_theta},
            bos_token_id=None,
            eos_token_id=None,
        ),
        image_token_index=image_token,
        video_token_index=vocabulary - 1,
        image_grid_pinpoints=[[anyres.view * i, anyres.view * j] for i in sides for j in sides],
        vision_aspect_ratio=f"anyres_max_{anyres.max_views}",
        tie_word_embeddings=language.tied,
    )


def decisive(peer: Any, gain: float = 2.0) -> Any:
    """The same model with matrices so large that it prefers some choices clearly and that pictures matter."""
    with torch.no_grad():
        for parameter in peer.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(gain * parameter[0].numel() ** -0.5 / parameter.std())
    return peer


def our_scores(model: EngineModel, questions: Sequence[Question]) -> list[Scores]:
    """What `vergence eval` does with a batch of a task that ranks: prompts with candidates, to the engine at once."""
    prompts = [Prompt(question.conversation, candidates=Candidates(question.choices)) for question in questions]
    scores: dict[int, Scores] = {}
    for index, answer in model.answer(prompts):
        scores[index] = [candidate.reduced("mean") for candidate in answer.candidates]
    return [scores[index] for index in range(len(prompts))]


class PlainLoop:
    """The peer's side: a picture is preprocessed once, then every choice has a pass of its own behind the prompt.

    It is given the prompts' and the choices' ids, keeps no cache, and computes logits where choices are scored only.
    """

    def __init__(self, peer: Any, processor: Processor) -> None:
        import transformers

        view = peer.config.vision_config.image_size
        self.peer, self.processor = peer, processor
        self.images = transformers.LlavaOnevisionImageProcessorPil(
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
            size={"height": view, "width": view},
            image_grid_pinpoints=peer.config.image_grid_pinpoints,
        )

    def ids(self, question: Question) -> tuple[Tensor, list[Tensor]]:
        """The prompt and the choices."""
        prompt = self.processor(question.conversation, generate=True).input_ids
        return prompt, [torch.tensor(self.processor.tokenizer.encode(choice)) for choice in question.choices]

    @torch.inference_mode()
    def scores(self, picture: Image.Image, prompt: Tensor, choices: Sequence[Tensor]) -> Scores:
        """Mean log-probability of each choice."""
        features = self.images(picture, return_tensors="pt")
        scores = []
        for choice in choices:
            whole = torch.cat([prompt, choice])[None]
            output = self.peer(input_ids=whole, **features, use_cache=False, logits_to_keep=len(choice) + 1)
            logprobs = output.logits[0, :-1].float().log_softmax(-1)
            scores.append(logprobs.gather(1, choice[:, None]).mean().item())
        return scores


# The measurement


def measure(name: str, preset: str, depth: int, sizes: Sequence[tuple[int, int]], count: int, **facts: Any) -> None:
    """Rank `count` questions on both sides, compare every prediction, and print the line."""
    import transformers

    tokenizer = Tokenizer.load("tiny")
    config = peer_config(PRESETS[preset], depth, tokenizer.special("<|image|>"))
    peer = decisive(random_peer(transformers.LlavaOnevisionForConditionalGeneration, config))
    with imported(peer) as (model, ours_config):
        anyres = ours_config.processing.anyres
        processing = PRESETS["llava-onevision-tiny"].processing.model_copy(update={"anyres": anyres})
        processor = Processor(ours_config.model_copy(update={"processing": processing}), tokenizer)
        lay_out_for_decoding(model.language)  # as Engine.load does
        ours = EngineModel(Engine(model, processor), batch=BATCH, strict=True)
        loop = PlainLoop(peer, processor)
        run = Run(ours, loop)
        run.take(draw_questions(2, sizes, tokenizer, seed=1))  # a warm-up
        run = Run(ours, loop)
        questions = draw_questions(count, sizes, tokenizer, seed=0)
        for start in range(0, count, BATCH):
            run.take(questions[start : start + BATCH])
            print(f"{name}: {len(run.ours)} of {count} questions", file=sys.stderr, flush=True)
        effect = picture_effect(ours, questions[:16], run.ours[:16])
    agreement = compare_scores(name, run.ours, run.theirs)
    wall, cpu = (count / sum(part[i] for part in run.our_seconds) for i in range(2))
    peer_wall, peer_cpu = (count / sum(part[i] for part in run.peer_seconds) for i in range(2))
    emit(
        name,
        wall,
        peer_wall,
        "questions/s",
        cpu_ratio=round(cpu / peer_cpu, 3),
        rounds=[round(b[0] / a[0], 2) for a, b in zip(run.our_seconds, run.peer_seconds, strict=True)],
        questions=count,
        **agreement,
        picture_effect=effect,
        **facts,
        prompt_tokens=[min(run.lengths), max(run.lengths)],
        threads=torch.get_num_threads(),
    )


class Run:
    """Scores and (wall, processor) seconds of both sides, batch by batch; the side that begins alternates."""

    def __init__(self, model: EngineModel, loop: PlainLoop) -> None:
        self.model, self.loop = model, loop
        self.ours: list[Scores] = []
        self.theirs: list[Scores] = []
        self.our_seconds: list[tuple[float, float]] = []
        self.peer_seconds: list[tuple[float, float]] = []
        self.lengths: list[int] = []

    def take(self, questions: Sequence[Question]) -> None:
        """Rank a batch on both sides."""
        ids = [self.loop.ids(question) for question in questions]
        self.lengths += [len(prompt) for prompt, _ in ids]

        def ours() -> float:
            self.ours += our_scores(self.model, questions)
            return 1

        def theirs() -> float:
            self.theirs += [self.loop.scores(q.picture, *own) for q, own in zip(questions, ids, strict=True)]
            return 1

        sides = [(ours, self.our_seconds), (theirs, self.peer_seconds)]
        for side, seconds in sides if len(self.our_seconds) % 2 == 0 else sides[::-1]:
            wall, cpu = speed(side)
            seconds.append((1 / wall, 1 / cpu))


def picture_effect(model: EngineModel, questions: Sequence[Question], scores: Sequence[Scores]) -> float:
    """How much a choice's score changes at most where each question gets the picture of the one before it."""
    exchanged = [replace(question, picture=questions[i - 1].picture) for i, question in enumerate(questions)]
    return largest_difference(scores, our_scores(model, exchanged))


def largest_difference(some: Sequence[Scores], others: Sequence[Scores]) -> float:
    """That of any score of any question."""
    return max(abs(a - b) for one, other in zip(some, others, strict=True) for a, b in zip(one, other, strict=True))


def compare_scores(name: str, ours: Sequence[Scores], theirs: Sequence[Scores]) -> dict[str, Any]:
    """How well both sides agree, for the line. Raises `SystemExit` (1), naming the first, where predictions differ.

    `least_margin` is the peer's best score before its second, of the closest question.
    """
    pairs = list(zip(ours, theirs, strict=True))
    margins = [best - second for second, best in (sorted(other)[-2:] for other in theirs)]
    wrong = [i for i, (own, other) in enumerate(pairs) if predicted(own) != predicted(other)]
    if wrong:
        own, other = pairs[wrong[0]]
        raise SystemExit(
            f"{name}: {len(wrong)} of {len(pairs)} predictions differ; question {wrong[0]}: ours is choice "
            f"{predicted(own)} of {own}, the peer's is {predicted(other)} of {other}"
        )
    return {
        "same_predictions": len(pairs),
        "largest_difference": largest_difference(ours, theirs),
        "least_margin": min(margins),
    }


def predicted(scores: Scores) -> int:
    """The first choice with the highest score."""
    return scores.index(max(scores))


def ranking_tiny(count: int) -> None:
    """`llava-onevision-tiny` with all its layers, pictures of one to nine tiles beside the whole view."""
    sizes = ((73, 60), (60, 140), (140, 70), (150, 130), (219, 90), (210, 140), (320, 240))
    measure("ranking_tiny", "llava-onevision-tiny", 2, sizes, count, layers="all (2 + 2)", picture="60 to 320 pixels")


def ranking_half_billion(count: int, layers: int = 2) -> None:
    """The 0.5B widths, `layers` of 26 and of 24 layers; the whole view and one tile, the least that a picture has."""
    measure(
        "ranking_half_billion",
        "llava-onevision-0.5b",
        layers,
        ((384, 288),),
        count,
        layers=f"{layers} of 26 + {layers} of 24",
        picture="384 x 288, whole view and one tile",
    )


MEASUREMENTS: dict[str, Callable[[int], None]] = {
    "ranking_tiny": ranking_tiny,
    "ranking_half_billion": ranking_half_billion,
}


def main() -> None:
    """Run the measurements one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--questions", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.questions < 1:
        parser.error("--questions must be at least 1")
    torch.set_num_threads(arguments.threads)
    for name in arguments.only:
        MEASUREMENTS[name](arguments.questions)


if __name__ == "__main__":
    main()
