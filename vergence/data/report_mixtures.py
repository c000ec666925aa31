"""The data of the three reports at full size: what they publish, what of it can be made or converted here, as mixtures.

Each source is `available` (kinds of the data engine make it), `convertible` (public data that `vergence data pack`
reads; kinds may stand in for it) or `unpublished`. Weights are the published samples; where a stage gives none, its
sources share what is left in equal parts, which is our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from vergence.config import Section, nearest, parse, read_yaml
from vergence.errors import UsageError

NAMES = ("seed1.5-vl", "llava-onevision", "kimi-vl")
TEXT_FIRST = 20_000  # samples over which the share of pictures grows from nothing, where a report says that it grows
_TEXT_KINDS = ("text-document",)


class ReportSource(Section):
    """A source of a stage as a report describes it."""

    name: str
    about: str = ""
    samples: int | None = Field(None, ge=1)
    tokens: int | None = Field(None, ge=1)
    share: float | None = Field(None, gt=0, le=1, description="published share of the stage")
    status: Literal["available", "convertible", "unpublished"]
    form: str = Field("", description="of a convertible source: what to convert from")
    kinds: tuple[str, ...] = Field((), description="kinds of the data engine that make it or stand in for it")
    note: str = ""

    @model_validator(mode="after")
    def _fits(self) -> ReportSource:
        if self.status == "available" and not self.kinds:
            raise ValueError(f"{self.name}: available by no kind")
        if self.status == "convertible" and not self.form:
            raise ValueError(f"{self.name}: convertible from nothing")
        return self


class ReportStage(Section):
    """A stage of training and its data."""

    name: str
    about: str = ""
    tokens: int | None = Field(None, ge=1)
    text_first: bool = Field(False, description="whether training begins on text alone and pictures come in slowly")
    sources: tuple[ReportSource, ...] = Field(min_length=1)

    def weights(self) -> list[float]:
        """The share of each source: published, or by published samples, or an equal part of what is left; sums to 1."""
        if all(source.share is not None for source in self.sources):
            raw = [source.share or 0.0 for source in self.sources]
            return [value / sum(raw) for value in raw]
        fixed = sum(source.share or 0.0 for source in self.sources)
        loose = [source for source in self.sources if source.share is None]
        sized = sum(source.samples or 0 for source in loose)
        unsized = sum(source.samples is None for source in loose)
        part = (1 - fixed) * unsized / len(loose)  # what sources without a size get together
        weights = []
        for source in self.sources:
            if source.share is not None:
                weights.append(source.share)
            elif source.samples is None:
                weights.append(part / unsized)
            else:
                weights.append((1 - fixed - part) * source.samples / sized)
        return weights


class ReportMixture(Section):
    """The data of one report."""

    title: str
    citation: str
    stages: tuple[ReportStage, ...] = Field(min_length=1)


def load_report(name: str) -> ReportMixture:
    """The data of a report by its name. Raises `UsageError` with the names there are."""
    if name not in NAMES:
        near = nearest(name, NAMES)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(NAMES)}"
        raise UsageError(f"no report is called {name!r}; {hint}")
    path = Path(str(files("vergence.recipes").joinpath("reports", f"{name}.yaml")))
    return parse(ReportMixture, read_yaml(path), source=str(path))


def find_report_stage(report: ReportMixture, name: str) -> ReportStage:
    """A stage by its name. Raises `UsageError` with the names there are."""
    for stage in report.stages:
        if stage.name == name:
            return stage
    names = ", ".join(stage.name for stage in report.stages)
    raise UsageError(f"{report.title} has no stage {name!r}; there are: {names}")


def report_text(report: ReportMixture) -> str:
    """All stages and sources in lines: share, published size, status, and what makes each here."""
    lines = [f"{report.title} ({report.citation})"]
    for stage in report.stages:
        tokens = f", {_short(stage.tokens)} tokens" if stage.tokens else ""
        lines.append(f"\n{stage.name}{tokens}: {stage.about}")
        for source, weight in zip(stage.sources, stage.weights(), strict=True):
            size = _short(source.samples) if source.samples else "-"
            by = ", ".join(source.kinds) if source.status == "available" else source.form
            lines.append(f"  {weight:6.1%}  {size:>6}  {source.status:<11}  {source.name}" + (f": {by}" if by else ""))
    return "\n".join(lines)


def _short(number: int | None) -> str:
    value = float(number or 0)
    for unit in ("", "K", "M", "B", "T"):
        if value < 1000 or unit == "T":
            return f"{value:.4g}{unit}"
        value /= 1000
    raise AssertionError("a number ends at the last unit")


def mixture_of(
    stage: ReportStage, *, data: Path | None = None, lacking: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[str]]:
    """The entries of a recipe's mixture for a stage, and what of the stage they lack, in lines.

    A convertible source is the folder DATA/NAME-OF-THE-SOURCE where that is there; otherwise its kinds stand in for it.
    `lacking` kinds, which can't be made on this machine, are left out, their share given to the source's other kinds.
    """
    entries: list[dict[str, Any]] = []
    missing: list[str] = []
    for source, weight in zip(stage.sources, stage.weights(), strict=True):
        folder = data / source.name.replace(" ", "-") if data else None
        if source.status == "convertible" and folder and folder.is_dir():
            entries.append(_entry({"source": "folder", "path": str(folder)}, weight, stage, source))
            continue
        kinds = [kind for kind in source.kinds if kind not in lacking]
        if not kinds:
            why = "unpublished" if source.status == "unpublished" else f"nothing at {folder}" if folder else source.form
            missing.append(f"{source.name} ({weight:.1%}): {why or 'its kinds cannot be made here'}")
            continue
        if source.status == "convertible":
            missing.append(f"{source.name} ({weight:.1%}): {', '.join(kinds)} stand in for {source.form}")
        entries += [_entry({"source": kind}, weight / len(kinds), stage, source) for kind in kinds]
    return entries, missing


def _entry(entry: dict[str, Any], weight: float, stage: ReportStage, source: ReportSource) -> dict[str, Any]:
    found = {**entry, "weight": round(weight * 100, 4)}
    is_text = source.kinds and set(source.kinds) <= set(_TEXT_KINDS)
    return found if not stage.text_first or is_text else {**found, "schedule": [[0, 0.0], [TEXT_FIRST, 1.0]]}


def mixture_yaml(entries: Sequence[dict[str, Any]]) -> str:
    """The entries as the `mixture:` of a stage."""
    if not entries:
        return "mixture: []\n"
    return "mixture:\n" + "".join(
        "  - " + yaml.safe_dump(entry, default_flow_style=True, width=10_000, sort_keys=False).strip() + "\n"
        for entry in entries
    )
