"""`vergence demo`: a tiny model through its whole life cycle on one machine, from data to a first answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from vergence.chat import answer
from vergence.data import catalogue
from vergence.data.generate import packing_report, write_folder
from vergence.data.recipes import load_checked_recipe
from vergence.evaluation.scores import from_json, read_scores, table
from vergence.evaluation.tasks.pictures import SEED
from vergence.inference.engine import Engine
from vergence.inference.sampler import Sampling
from vergence.progress import duration
from vergence.recipe import Recipe
from vergence.training.trainer import Trainer

LOOK = 60  # held-out conversations that are written out to be looked at


def main(output: Path, overrides: Sequence[str] = ()) -> int:
    """Generate, train every stage of the recipe `tiny`, evaluate, report, and ask one question. Returns 0.

    Started again after a stop, it goes on where it was.
    """
    started = time.monotonic()
    recipe = load_checked_recipe("tiny", overrides)
    samples = output / "samples"
    if not samples.exists():
        output.mkdir(parents=True, exist_ok=True)
        count = write_folder(recipe, stage=None, split="heldout", samples=LOOK, output=samples)
        print(f"{count} held-out conversations to look at: {samples}")
        print(packing_report(recipe, None, rows=100), flush=True)
    Trainer(recipe, output).run()
    last = recipe.stages[-1].name
    scores = [from_json(row) for row in read_scores(output / "scores.json") if row["stage"] == last]
    print(f"\nHeld-out accuracy after stage {last}, beside the same questions about a grey picture:\n")
    print(table(scores))
    ask(output, recipe)
    print(f"\nDone in {duration(time.monotonic() - started)}. The report: {output / 'report.html'}. Go on with:")
    print(f"  vergence chat {output}")
    print(f"  vergence eval {output} --task digit --samples 1000")
    return 0


def ask(output: Path, recipe: Recipe) -> None:
    """Ask the trained model about a held-out real picture and print both sides."""
    real = [task for task in recipe.evaluation.tasks or catalogue.TASKS if catalogue.TASKS[task].real]
    if not real:
        return
    picture = catalogue.draw(catalogue.TASKS[real[0]].kind, "heldout", SEED + 1, 0)
    question = next(q for q in picture.questions if q.task == real[0])
    path = output / "example.png"
    picture.image.save(path)
    engine = Engine.load(output)
    said = answer(engine, question.prompt, [path], Sampling(max_tokens=40))["text"]
    print(f"\nA question about a real picture, {path} ({picture.source}):")
    print(f"  {question.prompt} -> {said!r} (right would be {question.answer!r})")
