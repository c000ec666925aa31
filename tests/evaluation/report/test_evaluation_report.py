"""The report of evaluation runs: complete, self-contained, everything foreign in it inert, and fast for big runs."""

from __future__ import annotations

import io
import json
import re
import time
from html.parser import HTMLParser

import pytest
from PIL import Image

from vergence.errors import DataError, VergenceError
from vergence.evaluation.report import build_any_report, build_evaluation_report

VOID = {"meta", "img", "br", "input"}
EVIL = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">\u202e\x00&amp;"


class Page(HTMLParser):
    """Checks that tags are balanced, and collects tags, headings, text, tables and embedded data."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.headings: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.classes: list[list[str]] = []
        self.data: dict[str, str] = {}
        self._region, self._script = "", ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert len(attrs) == len(attributes), f"an attribute of <{tag}> stands there twice"
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("h2", "h3"):
            self.headings.append("")
        if tag == "div" and attributes.get("role") == "region":
            self._region = str(attributes["aria-label"])
            self.tables[self._region] = []
        if tag == "tr":
            self.tables[self._region].append([])
        if tag in ("td", "th"):
            self.tables[self._region][-1].append("")
        if tag == "script":
            self._script = attributes.get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.data[self._script] = self.data.get(self._script, "") + data
            return
        if "style" not in self.open:
            self.text += data
        if self.open and {"h2", "h3"} & set(self.open):
            self.headings[-1] += data
        if "table" in self.open and {"td", "th"} & set(self.open):
            self.tables[self._region][-1][-1] += data

    def json(self, name: str) -> object:
        """The data of that id."""
        return json.loads(self.data[name])


def picture(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())


def tasks_of(folders, skill: float, *, celebrity: float | None = 0.0, fingerprint: str = "f"):
    """Tasks of every kind: dimensions, a capability tree, a needle grid, an error metric, and one with a blind form."""
    line, measure, task = folders.line, folders.measure, folders.task
    wrong = {"scores": {"accuracy": 0.0}, "extracted": "B"}
    dimensions = [
        measure("accuracy", skill, 4),
        measure("accuracy", skill, 2, "dimension=Scene, whole"),
        measure("accuracy", celebrity, 0 if celebrity is None else 2, "dimension=Celebrity"),
    ]
    compat = [
        measure("lmms-eval", 0.3, 4),
        measure("VLMEvalKit", None, 0),
        measure("lmms-eval", 0.2, 2, "dimension=Celebrity"),
    ]
    tree = [
        measure("accuracy", skill, 9),
        measure("accuracy", 0.9, 6, "ood=false"),
        measure("accuracy", 0.2, 3, "ood=true"),
        measure("out-of-distribution gap", -0.7, 9),
        measure("accuracy", skill, 6, "capability=perception"),
        measure("accuracy", 0.5, 4, "capability=perception/text/line"),
        measure("accuracy", 0.1, 2, "capability=perception/text/line,ood=true"),
        measure("out-of-distribution gap", -0.4, 4, "capability=perception/text/line"),
        measure("accuracy", 0.3, 3, "capability=reasoning"),
    ]
    cells = [(length, depth) for length in (1024, 16384) for depth in (0.5, 0.0)]
    grid = [measure("accuracy", skill, 4)]
    grid += [measure("accuracy", None if x > 2000 and y else skill, 1, f"length={x},depth={y}") for x, y in cells]
    media = [{"kind": "image", "path": "x.png", "thumbnail": "media/0.png", "width": 32, "height": 24}]
    lines = [line(0, media=media), line(1, **wrong), line(2, valid=False, **wrong), line(3, error="late", scores={})]
    return {
        "seed": task(dimensions, lines, compat=compat, problems=["1 row left out"], fingerprint=fingerprint),
        "suite": task(tree, [line(0, tags={"capability": "reasoning", "ood": True}), line(1, tie=True)]),
        "needle": task(grid, [line(0)]),
        "depth": task([measure("mae", 1 - skill), measure("rmse", 2.5)], [line(0, scores={"mae": 1 - skill})]),
        "digit": task([measure("accuracy", skill)], [line(0)]),
        "digit:blind": task([measure("accuracy", 0.12)], [line(0)]),
    }


@pytest.fixture
def runs(tmp_path, folders):
    found = []
    for name, skill, celebrity in (("alpha", 0.75, 0.0), ("beta", 0.5, None), ("gamma", 0.6, 0.4)):
        found.append(folders.write(tmp_path / name, name, tasks_of(folders, skill, celebrity=celebrity)))
        picture(found[-1] / "media" / "0.png")
    return found


@pytest.fixture
def report(runs, tmp_path):
    return build_evaluation_report(runs, tmp_path / "out" / "page.html").read_text(encoding="utf-8")


def test_several_runs_become_one_page(report):
    page = Page(report)
    assert page.headings == [
        "Tasks and models", "Beside other harnesses", "Runs", "seed", "By dimension", "suite",
        "In and out of distribution", "By capability", "needle", "By length and depth", "depth", "digit", "Samples",
    ]  # fmt: skip
    for words in ("3 runs on 5 tasks", "alpha", "beta", "gamma", "1 row left out", "fingerprint", "seed"):
        assert words in page.text
    facts = re.findall(r"<dt><bdi>([^<]*)</bdi></dt><dd><bdi>([^<]*)</bdi></dd>", report)
    assert dict(facts) == {
        "runs": "3", "tasks": "5", "answers": "30", "invalid": "3 (10.0%)", "errors": "3 (10.0%)", "ties": "3"
    }  # fmt: skip


def test_tasks_stand_beside_models_with_intervals_and_the_best_marked(report):
    rows = Page(report).tables["Tasks by models"]
    assert rows[0] == ["task", "alpha", "beta", "gamma", "samples"]
    by_name = {row[0].split(",")[0]: row for row in rows[1:]}
    assert by_name["seedaccuracy"][1] == "75.065.0–85.01 invalid, 1 errors"
    assert by_name["digitaccuracy"][2] == "50.040.0–60.0blind 12.0 [2.0–22.0]"
    assert by_name["depthmae\u00a0↓"][1:4] == ["0.250.15–0.35", "0.50.4–0.6", "0.40.3–0.5"]
    assert len(rows) == 6
    table = report.split('aria-label="Tasks by models"')[1].split("</table>")[0]
    best = re.findall(r'<td class="best" data-sort="([\d.]+)"', table)
    assert best == ["0.75", "0.75", "0.75", "0.25", "0.75"]
    assert table.startswith(' tabindex="0"><table data-sortable>')


def test_harnesses_stand_side_by_side(report):
    rows = Page(report).tables["Scores by harness"]
    assert rows[0] == ["task", "model", "vergence", "lmms-eval", "VLMEvalKit"]
    assert rows[1] == ["seed", "alpha", "75.065.0–85.0", "30.020.0–40.0", "n/a"]


def test_not_evaluated_is_hatched_and_zero_is_a_figure(report):
    page = Page(report)
    row = next(row for row in page.tables["accuracy by dimension"] if row[0] == "Celebrity")
    assert row[1:] == ["0.0", "n/a", "40.0"]
    part = report.split('aria-label="accuracy by dimension"')[1].split("</table>")[0]
    line = next(found for found in part.split("<tr") if "Celebrity" in found)
    assert re.findall(r'<td class="(\w+)"', line) == ["h0", "missing", "h4"]
    wide = next(row for row in page.tables["By dimension"] if row[0] == "Celebrity")
    assert wide == ["Celebrity", "0–2", "0.0-10.0 to 10.0", "20.010.0–30.0", "n/a", "20.010.0–30.0", "40.030.0–50.0",
                    "20.010.0–30.0"]  # fmt: skip


def test_capabilities_are_a_tree_with_what_lies_outside_marked(report):
    page = Page(report)
    assert page.tables["accuracy by capability"] == [
        ["accuracy,\u00a0%", "alpha", "beta", "gamma", "alpha OOD", "beta OOD", "gamma OOD"],
        ["all", "75.0", "50.0", "60.0", "20.0", "20.0", "20.0"],
        ["perception", "75.0", "50.0", "60.0", "", "", ""],
        ["text", "", "", "", "", "", ""],
        ["line", "50.0", "50.0", "50.0", "10.0", "10.0", "10.0"],
        ["reasoning OOD", "30.0", "30.0", "30.0", "", "", ""],
    ]
    part = report.split('aria-label="accuracy by capability"')[1].split("</table>")[0]
    assert re.findall(r'data-level="(\d)"', part) == ["0", "0", "1", "2", "0"]


def test_needles_are_a_grid_for_each_model(report):
    page = Page(report)
    assert page.tables["alpha: accuracy by depth and length"] == [
        ["depth\u00a0↓ length\u00a0→", "1,024", "16,384"],
        ["0%", "75.0", "75.0"],
        ["50%", "75.0", "n/a"],
    ]
    assert "worst cell 50.0 at length 1,024, depth 0%" in page.text


def test_runs_that_were_asked_differently_are_not_compared(runs, folders, tmp_path):
    other = folders.write(tmp_path / "other", "other", tasks_of(folders, 0.9, fingerprint="g"))
    picture(other / "media" / "0.png")
    report = build_evaluation_report([runs[0], other], tmp_path / "page.html").read_text(encoding="utf-8")
    table = report.split('aria-label="Tasks by models"')[1].split("</table>")[0]
    row = next(found for found in table.split("<tr") if "seed" in found)
    assert "not comparable" in row
    assert "best" not in row
    assert "The runs’ definitions of this task differ" in Page(report).text


def test_the_browser_has_the_samples_and_their_pictures(report):
    page = Page(report)
    about = page.json("about")
    assert [task["name"] for task in about["tasks"]] == ["seed", "suite", "needle", "depth", "digit", "digit:blind"]
    assert about["runs"] == ["alpha", "beta", "gamma"]
    samples = page.json("data-0")
    assert [answer["outcome"] for answer in (sample["answers"][0] for sample in samples)] == [
        "right", "wrong", "invalid", "error"
    ]  # fmt: skip
    pictures = page.json("pictures")
    assert list(pictures) == [samples[0]["media"][0]["picture"]]
    assert next(iter(pictures.values())).startswith("data:image/png;base64,")


def test_it_asks_the_network_nothing_and_runs_only_its_own_script(report):
    page = Page(report)
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in {"src", "srcset", "action", "data", "poster"}
            assert name != "href" or str(value).startswith("#")
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert [attributes.get("type") for attributes in scripts] == ["application/json"] * 8 + [None]
    assert "url(" not in report
    assert "@import" not in report
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", report)
    assert "innerHTML" not in report


def test_it_can_be_read_without_seeing_it(report):
    for tag, attributes in Page(report).tags:
        if tag == "th":
            assert attributes.get("scope") in {"row", "col"}
        if tag == "table":
            assert "style" not in attributes
    assert '<html lang="en">' in report


@pytest.fixture
def hostile(tmp_path, folders):
    """A run in which every text is an attack."""
    line = folders.line(
        0, id=EVIL, question=EVIL, answer=EVIL, thought=EVIL, extracted=EVIL, reference=EVIL, choices=[EVIL, "b"],
        tags={EVIL: EVIL}, scores={EVIL: 0.0}, compat={EVIL: 1.0}, tokens={EVIL: 3}, image=EVIL,
        candidates=[{"text": EVIL, "sum": -1.0}], media=[{"kind": EVIL, "path": EVIL, "thumbnail": None}],
    )  # fmt: skip
    measures = [
        folders.measure(EVIL, 0.5, group=group) for group in ("", f"dimension={EVIL}", EVIL, f"capability={EVIL}")
    ]
    failed = folders.line(1, error=EVIL, scores={}, tags={EVIL: 1})
    found = folders.task(
        measures, [line, failed], problems=[EVIL], definition={EVIL: EVIL}, compat=[folders.measure(EVIL, 0.1)],
        fingerprint=EVIL, tokens={EVIL: 1.0},
    )  # fmt: skip
    return [folders.write(tmp_path / "evil", EVIL, {EVIL: found}), folders.write(tmp_path / "two", EVIL, {EVIL: found})]


def test_hostile_text_is_text_everywhere(hostile, tmp_path):
    html = build_evaluation_report(hostile, tmp_path / "page.html").read_bytes().decode()
    page = Page(html)
    names = [tag for tag, _ in page.tags]
    assert "img" not in names
    assert names.count("script") == 4
    assert "\x00" not in html
    assert page.text.count("<img src=x onerror=") >= 15
    assert page.text.count("&amp;") >= 15
    assert page.json("data-0")[0]["answers"][0]["text"] == EVIL.replace("\x00", "\ufffd")


def test_a_browser_runs_nothing_of_hostile_text(hostile, tmp_path, dom):
    html = dom(build_evaluation_report(hostile, tmp_path / "page.html"))
    assert "<title>2 runs · vergence evaluation</title>" in html
    assert html.count('<article class="sample">') == 2
    assert "onerror=" in html
    assert not re.search(r"<img|<script>document", html)


def test_a_browser_shows_samples_with_pictures(runs, tmp_path, dom):
    html = dom(build_evaluation_report(runs, tmp_path / "page.html"), "#samples-0-invalid")
    assert html.count('<article class="sample">') == 1
    assert html.count('class="said invalid"') == 3
    html = dom(tmp_path / "page.html")
    assert html.count('<article class="sample">') == 4
    assert html.count('<img src="data:image/png;base64,') == 1


def test_samples_are_searched_filtered_and_turned_over(folders, tmp_path, dom):
    answers = ["needle in straw" if n == 17 else "straw" for n in range(25)]
    lines = [folders.line(n, answer=answer, scores={"accuracy": n % 2}) for n, answer in enumerate(answers)]
    run = folders.write(tmp_path / "run", "m", {"t": folders.task([folders.measure("accuracy", 0.48)], lines)})
    html = build_evaluation_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    clicks = """
      const seen = [];
      const note = () => seen.push([...document.querySelectorAll(".sample h3 > bdi")].map((node) => node.textContent));
      const choose = (index, value) => {
        const select = document.querySelectorAll("#browser select")[index];
        select.value = value;
        select.dispatchEvent(new Event("change"));
      };
      const search = (words) => {
        const field = document.querySelector("#browser input");
        field.value = words;
        field.dispatchEvent(new Event("input"));
      };
      note();
      document.querySelectorAll(".pager button")[1].click(); note();
      document.querySelectorAll(".pager button")[1].click(); note();
      choose(0, "wrong"); note();
      search("NEEDLE straw"); note();
      choose(0, "right"); note();
      const result = Object.assign(document.createElement("pre"), { id: "seen", textContent: JSON.stringify(seen) });
      document.body.append(result);
    """
    # The page forbids any script but its own, so the test's needs a page without that rule.
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html).replace(
        "</body>", f"<script>{clicks}</script></body>"
    )
    (tmp_path / "free.html").write_text(free, encoding="utf-8")
    found = re.search(r'<pre id="seen">(.*?)</pre>', dom(tmp_path / "free.html"))
    assert found is not None
    names = [f"q{n}" for n in range(25)]
    assert json.loads(found[1]) == [names[:10], names[10:20], names[20:], names[:20:2], [], ["q17"]]


def test_a_big_run_takes_seconds_and_little_room(tmp_path, folders):
    text = "A longer answer, as models give them. " * 20
    right, invalid = {"scores": {"accuracy": 1.0}}, {"scores": {"accuracy": 0.0}, "valid": False}
    template = folders.line(0, answer=text)
    lines = [{**template, "id": f"q{n}", **(invalid if n % 50 == 0 else right)} for n in range(20_000)]
    run = folders.write(
        tmp_path / "big", "big", {"t": folders.task([folders.measure("accuracy", 0.98, 20_000)], lines)}
    )
    start = time.perf_counter()
    html = build_evaluation_report([run], tmp_path / "page.html").read_text(encoding="utf-8")
    assert time.perf_counter() - start < 10
    assert len(html) < 2_000_000
    page = Page(html)
    assert len(page.json("data-0")) == 400
    (about,) = page.json("about")["tasks"]
    assert about["note"].startswith("400 of 20,000 samples: 100 of 400 invalid, 300 of 19,600 right.")


def test_missing_pictures_are_counted_and_said(runs, tmp_path):
    (runs[0] / "media" / "0.png").unlink()
    html = build_evaluation_report(runs[:1], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 small pictures are missing" in Page(html).text


def test_one_run_s_scores_are_drawn_beside_the_blind_ones(runs, tmp_path):
    html = build_evaluation_report(runs[:1], tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'aria-label="digit 75.0 65.0–85.0; blind 12.0 2.0–22.0"' in html
    assert html.count('<svg class="strip"') == 4
    rows = Page(html).tables["Tasks by models"]
    assert rows[0] == ["task", "alpha", "0 to 100%", "samples"]
    assert "★" not in Page(html).text


def test_equal_values_have_no_best_and_empty_columns_are_left_out(folders, tmp_path):
    runs = [
        folders.write(tmp_path / name, name, {"t": folders.task([folders.measure("accuracy", 0.0)], [folders.line(0)])})
        for name in ("a", "b")
    ]
    html = build_evaluation_report(runs, tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'class="best' not in html
    assert Page(html).tables["How the runs went"][0] == [
        "run", "accuracy,\xa0%", "scored", "invalid", "errors", "ties", "prompt tokens", "image tokens",
        "answer tokens",
    ]  # fmt: skip


def test_one_run_without_any_task(tmp_path, folders):
    run = folders.write(tmp_path / "none", "none", {})
    page = Page(build_evaluation_report([run], tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.headings[-1] == "Runs"


def test_what_was_not_evaluated_is_said_and_the_rest_is_shown(runs, tmp_path):
    file = runs[0] / "results.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    gone = {"n": 0, "invalid": 0, "errors": 0, "measures": [], "problems": ["not evaluated: no data at <here>"]}
    whole["tasks"] = {"mmstar": gone, **whole["tasks"], "digit": gone}
    file.write_text(json.dumps(whole), encoding="utf-8")
    page = Page(build_evaluation_report(runs[:2], tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.tables["Tasks that were not evaluated"] == [
        ["task", "run", "why"], ["mmstar", "alpha", "no data at <here>"], ["digit", "alpha", "no data at <here>"],
    ]  # fmt: skip
    (digit,) = [row for row in page.tables["Tasks by models"] if row[0].startswith("digit")]
    assert digit[1] == "n/a"
    assert digit[2].startswith("50.0")
    alone = Page(build_evaluation_report(runs[:1], tmp_path / "alone.html").read_text(encoding="utf-8"))
    assert alone.tables["Tasks that were not evaluated"][1] == ["mmstar", "no data at <here>"]
    whole["tasks"] = {"mmstar": gone}
    file.write_text(json.dumps(whole), encoding="utf-8")
    nothing = Page(build_evaluation_report(runs[:1], tmp_path / "nothing.html").read_text(encoding="utf-8"))
    assert nothing.headings == ["Not evaluated", "Runs"]


def test_a_run_without_a_finished_task_is_told_from_no_run(tmp_path):
    (tmp_path / "started" / "parts").mkdir(parents=True)
    for runs in ([tmp_path / "started"], [tmp_path / "started", tmp_path]):
        with pytest.raises(DataError, match="started: no task of this evaluation is finished yet"):
            build_any_report(runs)


def test_a_page_that_can_not_be_written_is_named(runs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(VergenceError, match=r"file/page\.html: can't be written"):
        build_evaluation_report(runs, tmp_path / "file" / "page.html")
    with pytest.raises(VergenceError, match="alpha: can't be written: Is a directory"):
        build_evaluation_report(runs, runs[0])


def test_a_broken_record_is_named_and_nothing_is_written(runs, tmp_path):
    file = runs[1] / "task0.jsonl"
    file.write_text("{broken\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(DataError, match=r"beta/task0\.jsonl:1: not a record"):
        build_evaluation_report(runs, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_folder_s_kind_decides_what_its_report_is(runs, tmp_path, monkeypatch):
    assert build_any_report(runs[:2]) == runs[0] / "report.html"
    assert build_any_report(runs[:1], tmp_path / "one.html") == tmp_path / "one.html"
    calls = []
    monkeypatch.setattr("vergence.evaluation.report.build_report", lambda run, **rest: calls.append((run, rest)) or run)
    training = tmp_path / "training"
    training.mkdir()
    (training / "recipe.yaml").write_text("name: x\n")
    assert build_any_report([training]) == training
    build_any_report([training], tmp_path / "two.html")
    assert calls == [(training, {}), (training, {"output": tmp_path / "two.html"})]
    with pytest.raises(DataError, match="training: not the folder of an evaluation"):
        build_any_report([runs[0], training])
