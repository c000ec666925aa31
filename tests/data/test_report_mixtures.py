"""The reports' data: figures as published, shares that add up, and mixtures that a recipe takes."""

from __future__ import annotations

import pytest
import yaml

from vergence.cli import main
from vergence.data.kinds import KINDS
from vergence.data.mixture import Mixture
from vergence.data.report_mixtures import (
    NAMES,
    ReportSource,
    ReportStage,
    find_report_stage,
    load_report,
    mixture_of,
    mixture_yaml,
    report_text,
)
from vergence.errors import UsageError
from vergence.recipe import MixtureEntry


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_that_a_report_names_is_made_here(name):
    for stage in load_report(name).stages:
        assert sum(stage.weights()) == pytest.approx(1)
        assert all(weight > 0 for weight in stage.weights())
        for source in stage.sources:
            assert set(source.kinds) <= set(KINDS), source.name
            assert (source.status == "unpublished") == (not source.kinds and not source.form)


def test_figures_are_those_of_the_reports():
    """Tokens of the stages (Seed1.5-VL table 4, Kimi-VL section 2.3), samples of LLaVA-OneVision's stages."""
    tokens = {name: [stage.tokens for stage in load_report(name).stages] for name in NAMES}
    assert tokens["seed1.5-vl"] == [16e9, 3e12, 240e9, None]
    assert tokens["kimi-vl"] == [2e12, 0.1e12, 1.4e12, 0.6e12, 0.3e12, None]
    onevision = {
        s.name: sum(source.samples or 0 for source in s.sources) for s in load_report("llava-onevision").stages
    }
    assert onevision == {"align": 558_000, "knowledge": 4_835_000, "single-image": 3_200_000, "onevision": 1_710_000}
    seed = {source.name: source.samples for source in find_report_stage(load_report("seed1.5-vl"), "knowledge").sources}
    assert (seed["charts"], seed["tables"], seed["counting"]) == (100_000_000, 50_000_000, 8_000_000)


def source(**named: object) -> ReportSource:
    return ReportSource.model_validate({"name": "x", "status": "unpublished", **named})


def test_weights_are_shares_then_sizes_then_equal_parts():
    stage = ReportStage(name="s", sources=(source(share=0.2), source(samples=3), source(samples=1), source(), source()))
    # 0.8 are left for four; two have no size and get half of it; the others divide theirs three to one
    assert stage.weights() == pytest.approx([0.2, 0.3, 0.1, 0.2, 0.2])
    assert ReportStage(name="s", sources=(source(share=0.2), source(share=0.6))).weights() == pytest.approx(
        [0.25, 0.75]
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_is_a_mixture_that_a_recipe_takes(name):
    for stage in load_report(name).stages:
        entries, missing = mixture_of(stage)
        parsed = [
            MixtureEntry.model_validate(entry)
            for entry in yaml.safe_load(mixture_yaml(entries) or "{}")["mixture"] or []
        ]
        assert len(parsed) == len(entries)
        told = " ".join(missing)
        assert all(s.name in told for s in stage.sources if s.status != "available")
        made = sum(entry.weight for entry in parsed) / 100
        lost = sum(w for s, w in zip(stage.sources, stage.weights(), strict=True) if not s.kinds)
        assert made == pytest.approx(1 - lost, abs=1e-3)


def test_converted_folders_take_the_place_of_kinds(tmp_path):
    stage = find_report_stage(load_report("llava-onevision"), "single-image")
    (tmp_path / "general-OCR").mkdir()
    entries, missing = mixture_of(stage, data=tmp_path, lacking=["geometry"])
    folders = [entry for entry in entries if entry["source"] == "folder"]
    assert folders == [{"source": "folder", "path": str(tmp_path / "general-OCR"), "weight": 8.9}]
    assert "geometry" not in {entry["source"] for entry in entries}
    assert not any(line.startswith("general OCR") for line in missing)


def test_pictures_come_in_slowly_where_the_report_says_so():
    stage = find_report_stage(load_report("kimi-vl"), "joint")
    entries, _ = mixture_of(stage)
    assert {entry["source"] for entry in entries if "schedule" not in entry} == {"text-document"}
    assert all(entry["schedule"][0] == [0, 0.0] for entry in entries if entry["source"] == "geometry")


def test_what_a_small_machine_can_make_of_it_is_drawn_in_proportion():
    """The small kinds in the place of a stage's: weights as given, in every block of positions."""
    entries = [{"source": "shapes", "weight": 36.1}, {"source": "text", "weight": 63.9}]
    mixture = Mixture([MixtureEntry.model_validate(entry) for entry in entries], split="train", seed=0)
    taken = [mixture.place(position)[0] for position in range(1024)]
    assert taken.count(0) == round(1024 * 0.361)


def test_commands_print_the_report_and_a_mixture(capsys):
    assert main(["data", "report", "seed1.5-vl"]) == 0
    printed = capsys.readouterr().out
    assert "knowledge, 3T tokens" in printed
    assert report_text(load_report("seed1.5-vl")) + "\n" == printed
    assert main(["data", "report", "seed1.5-vl", "--stage", "instruct"]) == 0
    printed = capsys.readouterr().out
    assert "# not as published: instructions (71.4%): unpublished" in printed
    assert yaml.safe_load(printed)["mixture"]
    assert main(["data", "report", "seed"]) == 2
    assert main(["data", "report", "kimi-vl", "--stage", "first"]) == 2
    assert "has no stage 'first'; there are: vision, align" in capsys.readouterr().err
    with pytest.raises(UsageError, match="did you mean kimi-vl"):
        load_report("kimi")


def test_a_stage_of_which_nothing_is_here_is_an_empty_list():
    assert mixture_yaml([]) == "mixture: []\n"
