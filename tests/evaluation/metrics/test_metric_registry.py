"""Metrics by name: verdicts, measures, other harnesses' scores beside ours."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from vergence.conversation import ImagePart
from vergence.evaluation.metrics.metric import by_group, cluster_labels, invalid, mean_scores
from vergence.evaluation.metrics.registry import METRICS, unknown_metric
from vergence.evaluation.metrics.wiring.compat import compat_scores, harness_measures
from vergence.evaluation.task import Answer, Record, Sample, Verdict

FILE = io.BytesIO()
Image.new("RGB", (100, 50)).save(FILE, "PNG")
PICTURE = ImagePart(FILE.getvalue())


def verdict(name, text, reference, *, choices=(), tags=None, question="?", **parameters):
    metric = METRICS[name]
    sample = Sample("s", question, (PICTURE,), reference, tuple(choices), tags or {})
    return metric.score(sample, text, metric.parameters(**parameters))


def records(name, rows, **parameters):
    """Records of (text, reference, tags), through the metric's own reader and scorer."""
    metric = METRICS[name]
    chosen = metric.parameters(**parameters)
    found = []
    for number, (text, cell, tags) in enumerate(rows):
        sample = Sample(str(number), "?", (PICTURE,), None, tags.pop("choices", ()), tags)
        sample = Sample(str(number), "?", (PICTURE,), metric.reference(cell, sample, chosen), sample.choices, tags)
        found.append(Record(sample, Answer(text), metric.score(sample, text, chosen)))
    return found, metric.measures(found, chosen)


def value(measures, metric, group=""):
    (found,) = [measure.value for measure in measures if (measure.metric, measure.group) == (metric, group)]
    return found


def test_a_wrong_name_gets_the_nearest_one():
    assert unknown_metric("chocie").endswith('did you mean "choice"?')
    assert "one of choice, " in unknown_metric("nothing like it at all")


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_has_a_line_and_measures_nothing_as_nothing(name):
    metric = METRICS[name]
    assert metric.name == name
    assert metric.line
    assert metric.measures([], metric.parameters())[0].value is None


@pytest.mark.parametrize(
    ("name", "text", "reference", "scores", "extra"),
    [
        ("exact", "Seven.", ["seven"], {"accuracy": 1}, {}),
        ("exact", "The answer is seven.", ["seven"], {"accuracy": 0}, {}),
        ("exact", "I count. The answer is seven.", ["seven"], {"accuracy": 1}, {"read": "marked"}),
        ("exact", "rows={3} columns={4}", ["3,4"], {"accuracy": 1}, {"read": "braces"}),
        ("contains", "It says EXIT 12 there", ["exit 12"], {"accuracy": 1}, {}),
        ("contains", "120", ["12"], {"accuracy": 0}, {}),
        ("anls", "seven days", ["seven day"], {"anls": 0.9}, {}),
        ("vqa", "blue", ["blue"] * 2 + ["red"] * 8, {"vqa_accuracy": 0.6}, {}),
        ("relaxed", "1,000", "1000", {"relaxed_accuracy": 0, "relaxed_number_match": 1}, {}),
        ("rouge_l", "the red kite", ["the kite", "a boat"], {"rouge_l": 0.8}, {}),
        ("token_f1", "the red kite", ["kite"], {"f1": 2 / 3}, {}),
        ("formula", r"\boxed{\frac{1}{2}}", "0.5", {"accuracy": 1}, {}),
        ("formula", r"\boxed{2, 1}", "1, 2", {"accuracy": 1}, {"several": True}),
        ("formula", r"\boxed{3}", "0.5", {"accuracy": 0}, {}),
        ("count", "There are three of them.", 3, {"accuracy": 1}, {}),
        ("count_error", "There are 5.", 3, {"accuracy": 0, "absolute_error": 2}, {}),
        ("yes_no", "No, there isn't.", False, {"accuracy": 1}, {}),
        ("box", "<bbox>0 0 500 500</bbox>", [0, 0, 50, 25], {"accuracy": 1, "iou": 1}, {}),
        (
            "box",
            "[0, 0, 50, 25]",
            [0, 0, 0.5, 0.5],
            {"accuracy": 1, "iou": 1},
            {"coordinates": "pixels", "box_unit": "unit"},
        ),
        ("box", "<bbox>0 0 500 400</bbox>", [0, 0, 50, 25], {"accuracy": 0, "iou": 0.8}, {"threshold": 0.9}),
        ("boxes", "<bbox>0 0 500 500</bbox>", [[0, 0, 50, 25], [60, 30, 90, 40]], {"f1": 2 / 3}, {}),
        ("click", "<point>500 500</point>", [40, 20, 20, 10], {"accuracy": 1}, {"box": "xywh"}),
        ("click", "<point>990 990</point>", [40, 20, 60, 30], {"accuracy": 0}, {}),
        ("depth", "about 2.4 m", 2.0, {"delta_1": 1, "abs_rel": 0.2}, {}),
        ("nearer", "Point 2 is closer.", 2, {"accuracy": 1}, {}),
        ("span", "3 to 9 seconds", [3.0, 6.0], {"tiou": 0.5}, {}),
    ],
)
def test_verdicts(name, text, reference, scores, extra):
    found = verdict(name, text, reference, **extra)
    assert found.valid
    assert dict(found.scores) == pytest.approx(scores)
    assert next(iter(found.scores)) == next(iter(scores))


@pytest.mark.parametrize(
    ("name", "reference", "text"),
    [
        ("formula", "0.5", "I can't say what this might be in the end, sorry"),
        ("count", 3, "some"),
        ("yes_no", True, "Yes and no"),
        ("box", [0, 0, 1, 1], "in the corner"),
        ("boxes", [[0, 0, 1, 1]], "everywhere"),
        ("click", [0, 0, 1, 1], "on the button"),
        ("depth", 2.0, "far away"),
        ("nearer", 1, "both"),
        ("span", [1.0, 2.0], "at the start"),
    ],
)
def test_what_cannot_be_read_is_invalid_and_zero(name, reference, text):
    found = verdict(name, text, reference)
    assert not found.valid
    assert next(iter(found.scores.values())) == 0


def test_other_harnesses_stand_beside_ours():
    found = verdict("yes_no", "Yes.", True, compat="pope")
    assert found.scores["accuracy"] == 1
    assert dict(found.compat) == {"official": 1, "lmms-eval": 0, "vlmevalkit": 1}
    table = {"x": {"one": lambda prediction, reference, *, size: size, "two": lambda prediction, reference: None}}
    assert compat_scores(table, "x", "a", "b", size=3, kind="unasked") == {"one": 3.0}
    assert compat_scores(table, "", "a", "b") == {}
    failing = {"x": {"bad": lambda prediction, reference: [][1]}}
    assert compat_scores(failing, "x", "a", "b") == {}
    assert [m.metric for m in harness_measures({"h": lambda values: {"f1": 0.5}}, [1.0])] == ["f1 (h)"]
    assert harness_measures({"h": lambda values: {"f1": 0.5}}, []) == []


def test_pope_has_its_figures_and_the_harnesses_have_theirs():
    rows = [("Yes.", "yes", {"setting": "random"}), ("maybe", "no", {"setting": "popular"})]
    _, measures = records("pope", rows)
    assert measures[0].metric == "f1"
    assert value(measures, "f1") == 1
    assert value(measures, "invalid_ratio") == 0.5
    assert value(measures, "accuracy", "setting=popular") == 0
    assert any(measure.metric.endswith("(vlmevalkit)") for measure in measures)


def test_mme_leaves_out_pictures_with_one_answer():
    def row(image, text, label):
        return text, label, {"subtask": "count", "image": image}

    rows = [
        row("a", "Yes", "yes"),
        row("a", "Yes", "no"),
        row("b", "Yes", "yes"),
        row("b", "No", "no"),
        row("c", "No", "no"),
    ]
    _, measures = records("mme", rows)
    assert value(measures, "score", "subtask=count") == pytest.approx(75 + 50)
    assert value(measures, "total") is None


def test_hallusion_bench_groups_by_figure_and_question():
    def cell(figure, question, answer):
        ids = {"category": "VD", "subcategory": "s", "set_id": 1, "figure_id": figure, "question_id": question}
        return {"answer": answer, **ids}

    rows = [("Yes", cell(0, 0, "1"), {}), ("Yes", cell(1, 0, "0"), {}), ("No", cell(0, 1, "0"), {})]
    _, measures = records("hallusion_bench", rows)
    assert value(measures, "aAcc") == pytest.approx(2 / 3)
    assert value(measures, "fAcc") == 0.5
    assert value(measures, "qAcc") == 0.5


def test_refcoco_and_charades_have_the_measures_of_their_papers():
    rows = [
        ("<bbox>0 0 500 500</bbox>", [0, 0, 50, 25], {"split": "RefCOCO_val"}),
        ("nowhere", [0, 0, 50, 25], {"split": "RefCOCO_testA"}),
    ]
    _, measures = records("box", rows, compat="refcoco")
    assert value(measures, "accuracy") == 0.5
    assert value(measures, "mean_iou") == 0.5
    assert value(measures, "accuracy", "split=RefCOCO_testA") == 0
    _, measures = records("span", [("2 to 4 s", [2, 4], {}), ("?", [2, 4], {})])
    assert value(measures, "mIoU") == 0.5
    assert value(measures, "R@1,IoU=0.7") == 0.5


def test_lvis_mg_counts_boxes_over_all_pictures():
    rows = [
        ("<bbox>0 0 500 500</bbox> <bbox>600 600 900 900</bbox>", [[0, 0, 50, 25]], {}),
        ("none", [[0, 0, 50, 25]], {}),
    ]
    _, measures = records("boxes", rows)
    assert value(measures, "f1") == pytest.approx(2 / 4)
    assert value(measures, "precision") == 0.5
    assert value(measures, "recall") == 0.5


def test_depth_and_counts_have_errors_not_shares():
    _, measures = records("depth", [("2 m", 2.0, {}), ("3 m", 2.0, {}), ("far", 2.0, {})])
    assert value(measures, "abs_rel") == pytest.approx(0.25)
    assert value(measures, "invalid_ratio") == pytest.approx(1 / 3)
    _, measures = records("count_error", [("5", 3, {}), ("many", 4, {})])
    assert (measures[0].metric, measures[0].value) == ("mae", 3.0)
    assert value(measures, "readable_mae") == 2.0


def test_the_streaming_and_spatial_benchmarks_need_their_tags():
    choices = ("x", "y")
    for name, tags in [("ovo_bench", {}), ("vsi_bench", {}), ("tempcompass", {"dimension": "speed"})]:
        with pytest.raises(ValueError, match="no tag"):
            records(name, [("A", 0, {**tags, "choices": choices})])
    rows = [
        ("The answer is (A).", 0, {"task": "EPM", "choices": choices}),
        ("3", 3, {"task": "REC"}),
        ("No.", 1, {"task": "SSR"}),
    ]
    _, measures = records("ovo_bench", rows)
    assert value(measures, "accuracy") == pytest.approx((1 + (1 + 0) / 2) / 2)
    rows = [
        ("The answer is (B).", 1, {"type": "route_planning", "choices": choices}),
        ("about 5 metres", 5.0, {"type": "object_abs_distance"}),
        ("no idea", 5.0, {"type": "object_counting"}),
    ]
    found, measures = records("vsi_bench", rows)
    assert value(measures, "score") == pytest.approx(2 / 3)
    assert [record.verdict.scores["score"] for record in found] == [1, 1, 0]


def test_mathvista_and_mathverse_read_letters_and_values():
    cell = {"answer": "2.5", "question_type": "free_form", "answer_type": "float", "precision": "1.0"}
    found, _ = records("mathvista", [(r"so \boxed{2.49}", cell, {})])
    assert found[0].verdict.scores["accuracy"] == 1
    assert set(found[0].verdict.compat) == {"official", "lmms-eval", "vlmevalkit"}
    rows = [
        (r"\boxed{B}", 1, {"choices": ("x", "y"), "version": "Vision Only", "problem": "1"}),
        (r"\boxed{7}", "8", {"version": "Text Lite", "problem": "1"}),
    ]
    _, measures = records("mathverse", rows)
    assert value(measures, "accuracy") == 0.5
    assert value(measures, "accuracy", "version=Vision Only") == 1


def test_clusters_widen_the_interval():
    def sample(number, cluster):
        return Sample(str(number), "?", tags={} if cluster is None else {"cluster": cluster})

    def some(clusters):
        return [
            Record(sample(n, c), Answer("x"), Verdict({"accuracy": float(n % 4 < 2)})) for n, c in enumerate(clusters)
        ]

    (alone,) = mean_scores(some([None] * 40))
    (together,) = mean_scores(some([n // 2 for n in range(40)]))
    assert alone.value == together.value == 0.5
    assert together.stderr > alone.stderr
    assert cluster_labels(some([None, None])) is None
    assert len(set(cluster_labels(some([1, None, 1])))) == 2


def test_a_record_belongs_to_each_group_of_a_list():
    record = Record(Sample("a", "?", tags={"skill": ["ocr", "math"], "n": 3}), Answer("x"), invalid())
    assert list(by_group([record], "skill")) == ["ocr", "math"]
    assert list(by_group([record], "n")) == ["3"]
    assert by_group([record], "none") == {}
