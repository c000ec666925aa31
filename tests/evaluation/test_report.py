"""The report: complete, self-contained, valid, and everything foreign in it is text."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest
from PIL import Image

from vergence.config import ConfigError, dump_yaml, parse
from vergence.errors import DataError
from vergence.evaluation.examples import Example, write_examples
from vergence.evaluation.report import build_report, write_report
from vergence.evaluation.scores import Score, write_scores
from vergence.presets import PRESETS
from vergence.recipe import Recipe

VOID = {"meta", "img", "br", "link", "input", "hr"}
EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>\u202e\x00\ud800&amp;"
TITLES = [
    "What it can do", "Scores after each stage", "How training went", "Stages", "Skipped samples", "Held-out samples",
    "Notes", "Go on", "Recipe",
]  # fmt: skip


class Page(HTMLParser):
    """Checks that tags are balanced, and collects what a test asks about."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.headings: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute of <{tag}> stands there twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "h2":
            self.headings.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if "h2" in self.open:
            self.headings[-1] += data


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


def records(stages: tuple[str, ...] = ("encoder", "instruct"), steps: int = 30) -> list[dict]:
    found: list[dict] = []
    for number, stage in enumerate(stages):
        for step in range(1, steps + 1):
            done = number * steps + step
            found.append(
                {"kind": "train", "stage": stage, "step": step, "global_step": done, "tokens": 1000 * done,
                 "loss": 5.0 / step, "lr": 1e-3 / step, "grad_norm": 1.0, "tokens_per_second": 4000.0,
                 "utilisation": 0.98, "seconds": 0.25 * done}
            )  # fmt: skip
        found.append(
            {"kind": "heldout", "stage": stage, "step": steps, "global_step": done, "tokens": 1000 * done, "loss": 0.3}
        )
        found.append({"kind": "skipped", "stage": stage, "reason": "no image: truncated", "count": 3 + number})
        found.append({"kind": "scores", "stage": stage, "scores": [s.to_json(stage) for s in SCORES]})
    return found


SCORES = [
    Score("digit", True, 300, 0.9, 0.86, 0.93, 0.2, 0.16, 0.25),
    Score("box", False, 300, 0.3, 0.25, 0.35, 0.28, 0.23, 0.33),
    Score("text", False, 300, 0.4, 0.35, 0.45),
]
EXAMPLES = [
    Example("digit", "digit-0", "Which digit?", "7", "7", True, (28, 28), png=png(28, 28)),
    Example("digit", "digit-1", "Which digit?", "7", EVIL, False, (28, 28), png=png(28, 28)),
    Example("box", "box-0", "Where?", "<bbox>1 2 3 4</bbox>", "<bbox>500 500 100 100</bbox>", False, (84, 56),
            target=(10.0, 10.0, 40.0, 40.0), boxes=((42.0, 28.0, 8.4, 5.6),), points=((20.0, 20.0),), png=png(84, 56)),
    Example("box", "box-1", "Where?", "there", "", False, (1200, 30), png=png(1200, 30)),
]  # fmt: skip


@pytest.fixture
def run(tmp_path):
    stage = {"name": "instruct", "objective": "answers", "tokens": 60000, "mixture": [{"source": "digits"}]}
    data = {
        "name": "tiny",
        "model": PRESETS["seed-tiny"].model_dump(),
        "stages": [{**stage, "optimizer": {"lr": 1e-3}}],
    }
    (tmp_path / "recipe.yaml").write_text(dump_yaml(parse(Recipe, data, source="test")))
    lines = "".join(json.dumps(record) + "\n" for record in records())
    (tmp_path / "metrics.jsonl").write_text(lines + '{"kind": "train", "sta')
    write_scores(tmp_path / "scores.json", [score.to_json("instruct") for score in SCORES])
    write_examples(tmp_path, EXAMPLES)
    return tmp_path


def test_a_run_folder_becomes_a_whole_report(run):
    path = build_report(run, notes=["a note"])
    assert path == run / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.headings == TITLES
    for words in (
        "seed-tiny (", "2 stages of training: 60.0 k tokens in 15 s", "best on real pictures: digit 90.0%",
        "1 of 2 tasks clear of the blind score", "86.0–93.0%", "+70.0", "no image: truncated", "98.0%",
        "encoder", "answers", "a note", f"vergence chat {run}", f"vergence eval {run}", "objective: answers",
    ):  # fmt: skip
        assert words.casefold() in page.text.casefold(), words
    assert not list(run.glob(".*"))


def test_it_asks_the_network_nothing(run):
    html = build_report(run).read_text(encoding="utf-8")
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "xlink:href", "action", "data", "poster"}:
                assert str(value).startswith("data:image/png;base64,")
    assert "url(" not in html
    assert "@import" not in html
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in str(policy)


def test_foreign_text_is_text_wherever_it_comes_from(tmp_path):
    evil_score = Score(EVIL, True, 10, 0.5, 0.2, 0.8, 0.1, 0.0, 0.3)
    evil_records = records((EVIL, "other"))
    evil_records.append({"kind": "skipped", "stage": EVIL, "reason": EVIL, "count": 1})
    example = Example(EVIL, "e-0", EVIL, EVIL, EVIL, False, (9, 9), png=png(9, 9))
    path = write_report(
        tmp_path,
        title=EVIL,
        recipe_text=EVIL,
        metrics=evil_records,
        scores=[evil_score.to_json(EVIL), evil_score.to_json("other")],
        examples=[example],
        commands=[EVIL],
        notes=[EVIL],
        model=EVIL,
        objectives={EVIL: EVIL},
    )
    html = path.read_bytes().decode()
    page = Page(html)
    names = {tag for tag, _ in page.tags}
    assert "script" not in names
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "\x00" not in html
    assert page.text.count("<script>alert('x')</script>") >= 12
    assert page.text.count("&amp;") >= 12  # shown as it was written, not read as an entity


def test_a_long_answer_is_cut(tmp_path):
    example = Example("text", "t-0", "Read.", "word", "a" * 100_000, False, (9, 9), png=png(9, 9))
    path = write_report(tmp_path, title="t", recipe_text="", metrics=[], scores=[], examples=[example])
    assert path.stat().st_size < 40_000


def test_places_are_drawn_in_the_picture_s_own_pixels(run):
    html = build_report(run).read_text(encoding="utf-8")
    assert 'viewBox="0 0 84 56"' in html
    assert '<rect class="truth" x="10.00" y="10.00" width="30.00" height="30.00"/>' in html
    assert '<rect class="answer" x="8.40" y="5.60" width="33.60" height="22.40"/>' in html  # corners in any order
    assert '<path class="answer dot" d="M20.00 20.00h0"/>' in html


def test_it_can_be_read_without_seeing_it(run):
    page = Page(build_report(run).read_text(encoding="utf-8"))
    for tag, attributes in page.tags:
        if tag == "img":
            assert attributes.get("alt")
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
        if tag == "th":
            assert attributes.get("scope") in {"row", "col"}
    assert ("html", {"lang": "en"}) in page.tags
    assert "right" in page.text  # a verdict is written out, colour alone doesn't carry it
    assert "wrong" in page.text


@pytest.mark.parametrize("kept", ["nothing", "train", "scores", "heldout", "skipped"])
def test_what_was_not_recorded_is_left_out(tmp_path, kept):
    some = [record for record in records() if record["kind"] == kept]
    path = write_report(tmp_path, title="young", recipe_text="name: young\n", metrics=some, scores=[])
    headings = Page(path.read_text(encoding="utf-8")).headings
    assert ("How training went" in headings) is (kept in {"train", "heldout"})
    assert ("What it can do" in headings) is (kept == "scores")
    assert "Held-out samples" not in headings
    assert headings[-1] == "Recipe"


def test_a_thousand_steps_make_no_huge_file(tmp_path):
    path = write_report(tmp_path, title="t", recipe_text="", metrics=records(steps=3000), scores=[])
    Page(path.read_text(encoding="utf-8"))
    assert path.stat().st_size < 150_000


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no recipe\.yaml"):
        build_report(tmp_path)
    (tmp_path / "recipe.yaml").write_text("nam: tiny\n")
    with pytest.raises(ConfigError, match="name"):
        build_report(tmp_path)


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_has_contrast_in_light_and_dark(scheme):
    """At least 4.5 to 1 for text (WCAG 2.2, success criterion 1.4.3)."""
    style = (resources.files("vergence.evaluation.report") / "report.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
    for front in ("ink", "soft", "blue", "orange", "green", "red", "grey"):
        for back in ("page", "panel"):
            light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)
