"""`report.html`: what a run trained, how it went and what the model can do, in one file that asks the network nothing.

build_report(Path("runs/demo"))  # from the files of the run's folder
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.examples import Example, read_examples
from vergence.evaluation.history import Stage, read_metrics, scores_of, stages_of
from vergence.evaluation.report.gallery import gallery
from vergence.evaluation.report.html import page, plain, text, write_page
from vergence.evaluation.report.sections import curves, final_scores, scores_by_stage, skipped_samples, stage_table
from vergence.evaluation.scores import read_scores
from vergence.evaluation.wording import compact, duration, percent, share_of_score

FILE = "report.html"


def build_report(
    run: Path, *, output: Path | None = None, commands: Sequence[str] | None = None, notes: Sequence[str] = ()
) -> Path:
    """Write the report of a run folder from its `recipe.yaml`, `metrics.jsonl`, `scores.json` and examples.

    `output` is the file to write, by default `report.html` in the folder. What the folder lacks is left out.
    `commands` are what the report suggests to go on with. Raises `DataError` for a folder without a recipe or with a
    file that can't be read, and `ConfigError` for a recipe that isn't valid.
    """
    path = run / "recipe.yaml"
    if not path.is_file():
        raise DataError(f"{run}: not the folder of a run (it has no recipe.yaml, and no results.json of an evaluation)")
    from vergence.recipe import load_recipe

    recipe = load_recipe(path)
    return write_report(
        run,
        title=recipe.name,
        recipe_text=path.read_text(encoding="utf-8"),
        metrics=read_metrics(run / "metrics.jsonl"),
        scores=read_scores(run / "scores.json"),
        examples=read_examples(run),
        commands=commands or [f"vergence {verb} {shlex.quote(str(run))}" for verb in ("chat", "eval")],
        notes=notes,
        model=f"{recipe.model.preset} ({compact(count_parameters(recipe.model))} parameters)",
        objectives={stage.name: stage.objective for stage in recipe.stages},
        output=output,
    )


def count_parameters(config: Any) -> int:
    """The parameters of a `ModelConfig`, counted on a model without memory. Imports torch."""
    import torch

    from vergence.models.vlm import VLM

    with torch.device("meta"):
        return sum(parameter.numel() for parameter in VLM(config).parameters())


def write_report(
    run: Path,
    *,
    title: str,
    recipe_text: str,
    metrics: Sequence[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
    examples: Sequence[Example] = (),
    commands: Sequence[str] = (),
    notes: Sequence[str] = (),
    model: str = "",
    objectives: Mapping[str, str] | None = None,
    output: Path | None = None,
) -> Path:
    """Write `report.html` into the run's folder (or the file `output`), atomically, and return its path.

    `metrics` are records as `vergence.evaluation.history` describes them, `scores` objects of `scores.json`. `model`
    names what was trained, `objectives` what each stage trained it on. Text of any origin is shown as text.
    """
    stages = stages_of(metrics)
    measured = scores_of(metrics, scores)
    last = list(measured)[-1] if measured else ""
    final = measured.get(last, [])
    captions = {str(score["task"]): f"<small>{share_of_score(score)}</small>" for score in final}
    sections = [
        _header(title, model, stages, final),
        _section("What it can do", final_scores(last, final)),
        _section("Scores after each stage", scores_by_stage(measured) if len(measured) > 1 else ""),
        _section("How training went", curves(stages)),
        _section("Stages", stage_table(stages, objectives or {})),
        _section("Skipped samples", skipped_samples(stages)),
        _section("Held-out samples", _gallery(examples, captions)),
        _section("Notes", "".join(["<ul>", *(f"<li>{text(note)}</li>" for note in notes), "</ul>"]) if notes else ""),
        _section("Go on", "".join(f"<pre><code>{text(command)}</code></pre>" for command in commands)),
        _section("Recipe", f"<details><summary>The resolved recipe</summary><pre>{text(recipe_text)}</pre></details>"),
    ]
    path = output or run / FILE
    write_page(path, page(f"{plain(title)} · vergence report", "".join(sections)))
    return path


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>\n" if body else ""


def _header(title: str, model: str, stages: Sequence[Stage], final: Sequence[Mapping[str, Any]]) -> str:
    trained = [stage for stage in stages if stage.train]
    tokens = trained[-1].last("tokens") if trained else None
    seconds = trained[-1].last("seconds") if trained else None
    what = plain(model) or "A model"
    lead = f"{what} after {len(trained)} stage{'s' * (len(trained) != 1)} of training"
    if tokens is not None and seconds is not None:
        lead += f": {compact(tokens)} tokens in {duration(seconds)}"
    steps = sum(len(stage.train) for stage in trained)
    used = [(stage.mean("utilisation"), len(stage.train)) for stage in trained]
    weighted = [(value, count) for value, count in used if value is not None]
    facts = {
        "training": duration(seconds) if seconds is not None else None,
        "tokens": compact(tokens) if tokens is not None else None,
        "tokens per second": compact(tokens / seconds) if tokens and seconds else None,
        "packing utilisation": percent(sum(v * n for v, n in weighted) / sum(n for _, n in weighted))
        if weighted and steps
        else None,
        "tasks measured": str(len(final)) if final else None,
        "held-out samples": f"{sum(int(score['n']) for score in final):,}" if final else None,
    }
    cards = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items() if value)
    return (
        f'<header><p class="hint">Vergence run report</p><h1>{text(title)}</h1>'
        f'<p class="lead">{text(lead)}. {_best(final)}</p>'
        f'<dl class="facts">{cards}</dl></header>\n'
    )


def _best(final: Sequence[Mapping[str, Any]]) -> str:
    """The best facts in one line: the strongest real and rendered task, and how many are clear of blind guessing."""
    parts = []
    for real, kind in ((True, "real"), (False, "rendered")):
        group = [score for score in final if bool(score["real"]) is real]
        if group:
            best = max(group, key=lambda score: score["accuracy"])
            parts.append(f"best on {kind} pictures: {text(best['task'])} {percent(best['accuracy'])}")
    compared = [score for score in final if score["blind"] is not None]
    clear = [score for score in compared if score["low"] > (score["blind_high"] or 0.0)]
    if compared:
        parts.append(f"{len(clear)} of {len(compared)} tasks clear of the blind score")
    line = "; ".join(parts)
    return f"{line[0].upper()}{line[1:]}." if line else "Nothing was measured yet."


def _gallery(examples: Sequence[Example], captions: Mapping[str, str]) -> str:
    if not examples:
        return ""
    return (
        '<p class="hint">The first right and the first wrong answers of each task: they show what both look like, not '
        "how often either happens. No picture was part of training. Places: the answer solid (green right, red "
        f"wrong), the truth dashed.</p>{gallery(examples, captions)}"
    )
