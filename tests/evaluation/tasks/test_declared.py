"""A task of one's own: its wording, its orders, its methods, its figures, and every wrong key named."""

from __future__ import annotations

import base64
import io
import json

import pytest
from fabricated import StubJudge, clip, run
from PIL import Image

from vergence.config import ConfigError
from vergence.conversation import Frames, ImagePart, TextPart, VideoPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Answer, CandidateScore, Record, TaskOptions, fingerprint
from vergence.evaluation.tasks.declaration import parse_declaration
from vergence.evaluation.tasks.declared import DeclaredTask, read_preset
from vergence.evaluation.tasks.files import DataNotFoundError
from vergence.evaluation.tasks.orders import Circular
from vergence.evaluation.tasks.pictures import Blind

ROWS = [
    {"id": "q1", "q": "What is it?", "o": ["a kite", "a boat", "a hill"], "a": "B", "kind": "x", "film": "f1"},
    {"id": "q2", "q": "And this?", "o": ["red", "blue", "green"], "a": "A", "kind": "y", "film": "f1"},
    {"id": "q3", "q": "How many?", "o": ["one", "two", "three"], "a": "C", "kind": "y", "film": "f2", "hint": "Count."},
]
BASE = {
    "task": "own",
    "data": {"path": "rows.jsonl"},
    "fields": {
        "id": "id",
        "question": "q",
        "choices": "o",
        "answer": "a",
        "tags": {"kind": "kind", "film": "film"},
        "placeholders": {"hint": "hint"},
    },
    "prompt": {"direct": "{hint}\n{question}\n{options}\nAnswer with {letters}.", "thinking": "Think. {question}"},
    "metric": {"name": "choice"},
}


def merged(base, **extra):
    out = dict(base)
    for key, value in extra.items():
        out[key] = {**out.get(key, {}), **value} if isinstance(value, dict) else value
    return out


def task(tmp_path, rows=ROWS, *, asked=None, judge=None, **extra):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    declaration = parse_declaration(merged(BASE, **extra), "own.yaml")
    return DeclaredTask(declaration, asked or TaskOptions(), tmp_path, judge=judge)


def text_of(prompt):
    return prompt.conversation.messages[-1].text


def by_name(measures):
    return {(measure.metric, measure.group): measure for measure in measures}


def test_the_wording_of_a_question(tmp_path):
    own = task(tmp_path)
    first, _, third = own.samples()
    assert text_of(own.prompt(first)) == "What is it?\nA. a kite\nB. a boat\nC. a hill\nAnswer with A, B, C."
    assert text_of(own.prompt(third)).startswith("Count.\nHow many?\nA. one")
    prompt = own.prompt(first)
    assert (prompt.thinking, prompt.sampling.max_tokens, prompt.sampling.temperature, prompt.id) == (
        None,
        64,
        0.0,
        "q1",
    )
    assert len(prompt.conversation.messages) == 1


def test_thinking_has_its_own_wording_system_message_and_length(tmp_path):
    extra = {"prompt": {"system": "Be brief.", "thinking_system": "Think first.", "thinking_max_tokens": 99}}
    own = task(tmp_path, asked=TaskOptions(thinking=True), **extra)
    prompt = own.prompt(own.samples()[0])
    assert [message.role for message in prompt.conversation.messages] == ["system", "user"]
    assert prompt.conversation.messages[0].parts == (TextPart("Think first."),)
    assert text_of(prompt) == "Think. What is it?"
    assert (prompt.thinking, prompt.sampling.max_tokens) == (True, 99)
    plain = task(tmp_path, asked=TaskOptions(thinking=False), **extra)
    prompt = plain.prompt(plain.samples()[0])
    assert prompt.conversation.messages[0].parts == (TextPart("Be brief."),)
    assert (prompt.thinking, prompt.sampling.max_tokens) == (False, 64)
    assert len({fingerprint(one) for one in (own, plain, task(tmp_path, **extra))}) == 3


def test_open_questions_and_variants_have_their_own_wording(tmp_path):
    rows = [ROWS[0], {"id": "q9", "q": "Say?", "a": "yes", "kind": "v", "film": "f"}]
    own = task(tmp_path, rows, prompt={"direct_open": "{question} Short."}, metric={"name": "choice_or_open"})
    choice, open_one = own.samples()
    assert text_of(own.prompt(choice)).endswith("Answer with A, B, C.")
    assert text_of(own.prompt(open_one)) == "Say? Short."
    fields = {"placeholders": {"kind": "kind"}}
    wording = {
        "direct": "D {question}",
        "variant": "kind",
        "variants": {"y": "Y {question}"},
        "thinking": "T {question}",
    }
    own = task(tmp_path, fields=fields, prompt=wording)
    assert [text_of(own.prompt(sample))[0] for sample in own.samples()] == ["D", "Y", "Y"]
    thinking = {**wording, "thinking_variants": {"x": "X {question}"}}
    own = task(tmp_path, fields=fields, prompt=thinking, asked=TaskOptions(thinking=True))
    assert [text_of(own.prompt(sample))[0] for sample in own.samples()] == ["X", "Y", "Y"]


def test_scores_groups_and_invalid_answers(tmp_path):
    own = task(tmp_path, report={"groups": ["kind"], "together": ["film"]})
    records = run(own, {"q1": "The answer is (B).", "q2": "no idea at all", "q3": "The answer is (C)."})
    measures = own.aggregate(records)
    found = by_name(measures)
    assert (measures[0].metric, measures[0].value, measures[0].n) == ("accuracy", pytest.approx(2 / 3), 3)
    assert measures[0].low < 2 / 3 < measures[0].high
    assert found["invalid_ratio", ""].value == pytest.approx(1 / 3)
    assert found["accuracy", "kind=x"].value == 1
    assert found["accuracy", "kind=y"].value == 0.5
    assert found["all right by film", ""].value == 0.5
    assert [record.verdict.valid for record in records] == [True, False, True]
    assert [record.verdict.scores["accuracy"] for record in records] == [1, 0, 1]
    failed = [*records[:2], Record(records[2].sample, Answer(finish_reason="error", error="x"), None)]
    assert own.aggregate(failed)[0].n == 2
    assert own.aggregate([])[0].value is None


def test_a_macro_average_weighs_groups_the_same(tmp_path):
    own = task(tmp_path, report={"average": "macro", "over": "kind"})
    records = run(own, {"q1": "The answer is (B).", "q2": "The answer is (B).", "q3": "The answer is (B)."})
    measures = own.aggregate(records)
    assert (measures[0].metric, measures[0].value) == ("accuracy", 0.5)
    assert by_name(measures)["accuracy (micro)", ""].value == pytest.approx(1 / 3)
    assert by_name(measures)["accuracy", "kind=x"].value == 1


def test_circular_evaluation_wants_every_rotation_right(tmp_path):
    own = task(tmp_path, options={"order": "circular"}, report={"groups": ["kind"]})
    samples = own.samples()
    assert len(samples) == 9
    assert [sample.id for sample in samples[:3]] == ["q1#0", "q1#1", "q1#2"]
    assert [sample.choices[sample.reference] for sample in samples[:3]] == ["a boat"] * 3
    assert len({sample.choices for sample in samples[:3]}) == 3
    right = {s.id: f"The answer is ({'ABC'[s.reference]})." for s in samples}
    measures = own.aggregate(run(own, right))
    assert (measures[0].value, measures[0].n) == (1.0, 3)
    once_wrong = {**right, "q1#2": "The answer is (A)." if samples[2].reference else "The answer is (B)."}
    found = by_name(own.aggregate(run(own, once_wrong)))
    assert found["accuracy", ""].value == pytest.approx(2 / 3)
    assert found["accuracy (first order)", ""].value == 1
    assert found["accuracy", "kind=x"].value == 0
    always_a = by_name(own.aggregate(run(own, "The answer is (A).")))
    assert always_a["accuracy", ""].value == 0
    assert always_a["accuracy (first order)", ""].value == pytest.approx(1 / 3)
    unreadable = by_name(own.aggregate(run(own, {**right, "q2#1": "?"})))
    assert unreadable["invalid_ratio", ""].value == pytest.approx(1 / 3)
    missing = run(own, right)[:-1]
    assert own.aggregate(missing)[0].n == 2


def test_shuffled_choices_depend_on_the_seed(tmp_path):
    orders = {}
    for seed in range(8):
        own = task(tmp_path, asked=TaskOptions(seed=seed), options={"order": "shuffled"})
        assert [s.choices[s.reference] for s in own.samples()] == ["a boat", "red", "three"]
        orders[seed] = tuple(sample.choices for sample in own.samples())
        assert own.definition()["seed"] == seed
    assert len(set(orders.values())) > 4
    assert task(tmp_path).definition()["seed"] is None


@pytest.mark.parametrize(
    ("preset", "texts", "wording", "reduction"),
    [
        (None, ("a kite", "a boat", "a hill"), "What is it?", "mean"),
        ("letter,sum", ("A", "B", "C"), "What is it?\nA. a kite\nB. a boat\nC. a hill\nAnswer with A, B, C.", "sum"),
        ("pmi", ("a kite", "a boat", "a hill"), "What is it?", "pmi"),
    ],
)
def test_choices_can_be_ranked_by_their_likelihood(tmp_path, preset, texts, wording, reduction):
    own = task(tmp_path, asked=TaskOptions(method="likelihood", preset=preset))
    sample = own.samples()[0]
    prompt = own.prompt(sample)
    assert prompt.candidates.texts == texts
    assert prompt.candidates.reduction == reduction
    assert text_of(prompt) == wording
    values = {"a kite": -3.0, "a boat": -1.0, "a hill": -2.0}
    scores = tuple(CandidateScore(t, (v,), v, v, v, v, v) for t, v in zip(texts, values.values(), strict=True))
    verdict = own.score(sample, Answer(candidates=scores))
    assert (verdict.scores, verdict.extracted, verdict.tie) == ({"accuracy": 1.0}, "B", False)
    equal = tuple(CandidateScore(t, (-1.0,), -1.0, -1.0, -1.0, -1.0, -1.0) for t in texts)
    tied = own.score(sample, Answer(candidates=equal))
    assert (tied.scores["accuracy"], tied.extracted, tied.tie) == (0.0, "A", True)
    measures = by_name(own.aggregate([Record(sample, Answer(candidates=equal), tied)]))
    assert measures["ties", ""].value == 1


def test_a_likelihood_needs_choices(tmp_path):
    rows = [*ROWS, {"id": "q4", "q": "Open?", "a": "x", "kind": "z", "film": "f"}]
    metric = {"name": "choice_or_open"}
    own = task(tmp_path, rows, metric=metric, asked=TaskOptions(method="likelihood"))
    assert len(own.samples()) == 3
    assert own.problems == ["1 row left out: no choices to rank (rows.jsonl:4)"]
    only = task(tmp_path, rows[3:], metric=metric, asked=TaskOptions(method="likelihood"))
    with pytest.raises(DataError, match=r"no usable row in .*rows\.jsonl: 1 row left out: no choices to rank"):
        only.samples()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "method 'guess', expected one of generate, likelihood"),
        ({"method": "likelihood", "preset": "leter"}, "preset 'leter', expected .*did you mean 'letter'"),
        ({"method": "likelihood", "preset": "sum,mean"}, "names two kinds of reduction"),
        ({"preset": "sum"}, "preset 'sum' is for --method likelihood"),
        ({"preset": "pixels"}, "preset 'pixels' is for tasks of places"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        task(tmp_path, asked=TaskOptions(**options))


def test_presets_are_joined_by_commas_or_pluses():
    assert read_preset("letter+sum", "t") == {"candidates": "letter", "reduction": "sum"}
    assert read_preset(None, "t") == read_preset("", "t") == {}


def picture(size=(40, 20)):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_places_are_read_in_the_declared_coordinates(tmp_path):
    rows = [{"id": "1", "q": "the kite", "image": picture(), "a": [10, 5, 30, 15]}]
    fields = {"id": "id", "question": "q", "media": [{"column": "image"}], "answer": "a"}
    extra = {"fields": None, "prompt": {"direct": "Where is {question}? In {coordinates}.", "thinking": None}}

    def own(preset=None):
        base = {**BASE, **extra, "fields": fields, "metric": {"name": "box"}}
        (tmp_path / "rows.jsonl").write_text(json.dumps(rows[0]))
        return DeclaredTask(parse_declaration(base, "t"), TaskOptions(preset=preset), tmp_path)

    thousand, pixels = own(), own("pixels")
    (sample,) = thousand.samples()
    assert "0 to 999" in text_of(thousand.prompt(sample))
    assert "pixels of the image" in text_of(pixels.prompt(sample))
    assert thousand.score(sample, Answer("<bbox>250 250 750 750</bbox>")).scores["accuracy"] == 1
    assert pixels.score(sample, Answer("[10, 5, 30, 15]")).scores == {"accuracy": 1.0, "iou": 1.0}
    assert thousand.score(sample, Answer("[10, 5, 30, 15]")).scores["accuracy"] == 0
    assert thousand.definition()["metric"]["coordinates"] == "thousand"
    assert fingerprint(thousand) != fingerprint(pixels)


def test_media_stand_at_their_marks_and_a_missing_file_is_said(tmp_path):
    rows = [{"id": "1", "q": "Is <image 2> after <image 1>?", "m1": picture(), "m2": "gone.png", "a": "yes"}]
    fields = {"choices": [], "media": [{"column": "m1"}, {"column": "m2"}], "tags": {}}
    own = task(tmp_path, rows, fields=fields, metric={"name": "exact"}, prompt={"direct": "{question}"})
    (sample,) = own.samples()
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        own.prompt(sample)
    (tmp_path / "gone.png").write_bytes(base64.b64decode(picture()))
    parts = own.prompt(sample).conversation.messages[0].parts
    assert [type(part) for part in parts] == [TextPart, ImagePart, TextPart, ImagePart, TextPart]
    assert parts[1].image == tmp_path / "gone.png"


def test_a_video_is_shown_as_its_chosen_frames(tmp_path):
    (tmp_path / "a.mp4").write_bytes(clip())
    rows = [{"id": "1", "q": "What?", "v": "a.mp4", "from": 0.2, "to": "0:00.7", "a": "yes"}]
    fields = {"choices": [], "tags": {}, "media": [{"column": "v", "kind": "video", "start": "from", "end": "to"}]}
    extra = {"fields": fields, "metric": {"name": "exact"}, "prompt": {"direct": "{question}"}}
    own = task(tmp_path, rows, frames={"rule": "ends", "count": 3}, **extra)
    part = own.prompt(own.samples()[0]).conversation.messages[0].parts[0]
    assert isinstance(part.video, Frames)
    assert part.video.seconds == pytest.approx((0.2, 0.4, 0.7))
    assert own.definition()["frames"] == {"rule": "ends", "count": 3, "fps": 1.0}
    whole = {**fields, "media": [{"column": "v", "kind": "video"}]}
    own = task(tmp_path, rows, **{**extra, "fields": whole})
    assert own.prompt(own.samples()[0]).conversation.messages[0].parts[0] == VideoPart(tmp_path / "a.mp4")


def test_a_judge_is_asked_and_its_silence_is_no_score(tmp_path):
    rows = [{"id": "1", "q": "What?", "a": "a kite", "kind": "x", "film": "f"}]
    fields, metric = {"choices": []}, {"name": "judged_correct"}
    without = task(tmp_path, rows, fields=fields, metric=metric)
    with pytest.raises(DataError, match=r"task own: its answers are judged by a model, name one with --judge URL#NAME"):
        without.samples()
    judge = StubJudge()
    own = task(tmp_path, rows, fields=fields, metric=metric, judge=judge)
    (sample,) = own.samples()
    verdict = own.score(sample, Answer("It is a kite."))
    assert verdict.scores == {"accuracy": 1.0}
    assert verdict.extracted["replies"] == ["[[1]]"]
    assert not own.score(sample, Answer(" ")).valid
    assert own.definition()["judge"]["judge"]["model"] == {"kind": "stub"}
    assert own.scoring_threads > 1, "judges take their time"
    assert Blind(own).scoring_threads == Circular(own).scoring_threads == own.scoring_threads
    assert task(tmp_path, rows).scoring_threads == 1
    stopped: list[str] = []
    judge.stop = lambda: stopped.append("stopped")
    Circular(Blind(own)).stop()
    assert stopped == ["stopped"]
    judge.reply = lambda text: "I would rather not say."
    with pytest.raises(DataError, match="1: the judge gave no readable reply"):
        own.score(sample, Answer("Another kite."))


def test_broken_rows_are_named_and_the_others_kept(tmp_path):
    rows = [
        *ROWS,
        {**ROWS[0], "a": "E"},
        {**ROWS[0], "id": "q5", "o": "no list"},
        {**ROWS[0], "id": "q2"},
        {**ROWS[0], "id": "q6", "a": None},
        {key: value for key, value in ROWS[0].items() if key != "q"},
    ]
    own = task(tmp_path, rows)
    assert [sample.id for sample in own.samples()] == ["q1", "q2", "q3"]
    assert own.problems == [
        "1 row left out: the answer 'E' is none of the 3 choices (rows.jsonl:4)",
        "1 row left out: choices are not a list: 'no list' (rows.jsonl:5)",
        "1 row left out: the id 'q2' was there before (rows.jsonl:6)",
        "1 row left out: no answer (rows.jsonl:7)",
        "1 row left out: no column 'q', there are id, o, a, kind, film (rows.jsonl:8)",
    ]


def test_a_tag_without_a_column_is_said_and_costs_no_row(tmp_path):
    own = task(tmp_path, fields={"tags": {"kind": "knid"}}, report={"groups": ["kind"]})
    assert len(own.samples()) == 3
    assert own.problems == ["no row has the tag 'kind' (column 'knid'): no scores by it"]


def test_rows_can_be_kept_bounded_and_exploded(tmp_path):
    rows = [{"id": n, "q": ["a?", "b?"], "a": ["x", "y"], "part": "test" if n else "train"} for n in range(4)]
    data = {"keep": {"part": ["test"]}, "below": {"id": "3"}, "explode": ["q", "a"]}
    fields = {"id": "{id}-{_part}", "choices": [], "tags": {}}
    own = task(tmp_path, rows, data=data, fields=fields, metric={"name": "exact"})
    assert [(s.id, s.question, s.reference) for s in own.samples()] == [
        ("1-0", "a?", ["x"]),
        ("1-1", "b?", ["y"]),
        ("2-0", "a?", ["x"]),
        ("2-1", "b?", ["y"]),
    ]


def test_where_the_data_may_lie(tmp_path):
    declaration = parse_declaration(
        {**BASE, "data": {"files": ["rows.jsonl", "*.json"], "hub": "nobody/own"}}, "own.yaml"
    )

    def opened(data, folder=None):
        return DeclaredTask(declaration, TaskOptions(data=data), folder)

    with pytest.raises(DataNotFoundError, match=r"needs data, give --data DIR \(expected rows.jsonl or \*.json"):
        opened(None).samples()
    with pytest.raises(DataNotFoundError, match=r"data not found at .*nowhere"):
        opened(tmp_path / "nowhere").samples()
    with pytest.raises(DataNotFoundError, match=r"data not found at .*own \(expected"):
        opened(tmp_path).samples()
    text = json.dumps(ROWS[:2])
    for folder in (tmp_path / "a", tmp_path / "b" / "own", tmp_path / "c" / "own"):
        folder.mkdir(parents=True)
    (tmp_path / "a" / "x.json").write_text(text)
    (tmp_path / "b" / "own" / "x.json").write_text(text)
    (tmp_path / "c" / "own" / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    found = [opened(tmp_path / name) for name in ("a", "b", "c", "a/x.json")]
    assert [len(one.samples()) for one in found] == [2, 2, 3, 2]
    assert fingerprint(found[0]) == fingerprint(found[1]) == fingerprint(found[3])
    assert fingerprint(found[2]) != fingerprint(found[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrc": {}}, r"metrc: unknown key, expected one of task, version.*did you mean \"metric\""),
        ({"fields": {"qestion": "q"}}, r"fields\.qestion: unknown key.*did you mean \"question\""),
        ({"fields": {"answer_as": "leter"}}, r"fields\.answer_as: found \"leter\", expected one of \"letter\""),
        ({"fields": {"media": [{"colunm": "x"}]}}, r"fields\.media\.0\.colunm: unknown key"),
        ({"fields": {"media": [{"column": "x", "kind": "sound"}]}}, r"fields\.media\.0\.kind: found \"sound\""),
        ({"fields": {"fixed_choices": ["a"]}}, "fixed_choices excludes choices"),
        ({"data": {"path": None}}, "expected path, files or hub"),
        ({"data": {"below": {"id": "many"}}}, r"data\.below\.id: found \"many\", expected a number"),
        ({"prompt": {"direct": "{qestion}"}}, r"prompt\.direct: \{qestion\} is neither built in"),
        ({"prompt": {"direct": None}}, r"prompt\.direct: found null, expected text"),
        ({"prompt": {"max_tokens": "0"}}, r"prompt\.max_tokens: found 0, expected a whole number, at least 1"),
        ({"prompt": {"variant": "kind"}}, r"prompt\.variant: 'kind' is not in fields\.placeholders"),
        ({"options": {"format": "{letter}"}}, r"options\.format: expected a template with \{text\}"),
        ({"options": {"order": "round"}}, r"options\.order: found \"round\""),
        ({"report": {"groups": ["colour"]}}, r"report: 'colour' is not one of fields\.tags \(kind, film\)"),
        ({"report": {"average": "macro"}}, "macro needs over"),
        ({"metric": {"name": "choise"}}, r"metric\.name: found \"choise\".*did you mean \"choice\""),
        ({"metric": {"parameters": {"iou": "1"}}}, r"metric\.parameters\.iou: unknown key"),
        ({"metric": {"name": "box", "parameters": {"threshold": "2"}}}, r"metric\.parameters\.threshold: found 2"),
        (
            {"metric": {"name": "box", "parameters": {"coordinates": "pixel"}}},
            r"metric\.parameters\.coordinates: found \"pixel\".*did you mean \"pixels\"",
        ),
        (
            {"metric": {"name": "anls", "parameters": {"compat": "dcvqa"}}},
            r"compat: found 'dcvqa', expected one of docvqa",
        ),
        ({"frames": {"rule": "all"}}, r"frames\.rule: found \"all\""),
        (
            {"fields": {"media": [{"column": "v", "kind": "video", "end": "t"}]}},
            r"frames\.rule: a video that is cut by start or end needs a rule other than model",
        ),
        ({"likelihood": {"reduction": "max"}}, r"likelihood\.reduction: found \"max\""),
        ({"task": "Own Task"}, r"task: found \"Own Task\""),
    ],
)
def test_every_wrong_key_and_value_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        parse_declaration(merged(BASE, **change), "own.yaml")


def test_all_that_is_wrong_is_said_at_once():
    wrong = merged(BASE, fields={"qestion": "q"}, prompt={"max_tokens": "many"}, frames={"cont": "3"})
    with pytest.raises(ConfigError) as error:
        parse_declaration(wrong, "own.yaml")
    assert len(error.value.problems) == 3
