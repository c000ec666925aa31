"""Configuration: values mean what their declared type says, and every mistake is reported at once."""

from __future__ import annotations

import copy
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from vergence.config import (
    MAX_BYTES,
    ConfigError,
    Section,
    apply_overrides,
    dump_yaml,
    json_schema,
    merge,
    nearest,
    parse,
    read_yaml,
)
from vergence.errors import UsageError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Optimizer(Section):
    lr: float = Field(gt=0)
    kind: Literal["adamw", "muon"] = "adamw"
    betas: tuple[float, float] = (0.9, 0.95)
    warmup: int | float | None = None


class Digits(Section):
    kind: Literal["digits"]
    size: int = 8


class Shapes(Section):
    kind: Literal["shapes"]
    sides: list[int]


class Stage(Section):
    name: str
    optimizer: Optimizer
    source: Annotated[Digits | Shapes, Field(discriminator="kind")] | None = None
    freeze: tuple[str, ...] = ()
    compile: bool = False


class Recipe(Section):
    name: str
    seed: int = 0
    stages: list[Stage] = []
    weights: dict[str, float] = {}


STAGES = """
name: tiny
stages:
  - name: adapter
    optimizer: {lr: 1e-3}
  - name: pretrain
    optimizer:
      lr: 1e-4
"""


def one(declared: Any, value: Any) -> Any:
    """Parse a single value that is declared as `declared`."""
    model = type("One", (Section,), {"__annotations__": {"value": declared}, "__module__": __name__})
    return parse(model, {"value": value}, source="test").value


def problems(model: type[Section], data: Any, **kwargs: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(model, data, source="test.yaml", **kwargs)
    return caught.value.problems


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


# Reading


def test_every_scalar_stays_text(tmp_path):
    text = "a: 1e-4\nb: 010\nc: 12:30\nd: no\ne: 1_000\nf: 2024-01-01\ng: 0x10\nh: 'null'\ni: .5\n"
    values = ["1e-4", "010", "12:30", "no", "1_000", "2024-01-01", "0x10", "null", ".5"]
    assert read_yaml(written(tmp_path, text)) == dict(zip("abcdefghi", values, strict=True))


def test_null_spellings(tmp_path):
    assert read_yaml(written(tmp_path, "a: null\nb: ~\nc:\nd: ''\n")) == {"a": None, "b": None, "c": None, "d": ""}


def test_keys_are_text_and_aliases_are_expanded(tmp_path):
    data = read_yaml(written(tmp_path, "\ufeffno: &x [1, {y: z}]\n1: *x\n"))
    assert data == {"no": ["1", {"y": "z"}], "1": ["1", {"y": "z"}]}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "not valid YAML at line 1"),
        ("a: 1\n\tb: 2", "not valid YAML at line 2"),
        ("a:\n\t- b", "indent with spaces, not tabs"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' stands here a second time"),
        ("x: {a: 1, a: 2}", "second time"),
        ("- a\n- b", "expected a mapping (key: value) at the top, found a list of 2"),
        ("", "found null"),
        ("just text", 'found "just text"'),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("a: *missing", "undefined alias"),
        ("a: &a [*a]", "nested deeper than 64"),
        (BOMB, "more than 100000 values"),
        ("[" * 50_000, "nested deeper than 64"),
        ("a: " + "[" * 70 + "]" * 70, "nested deeper than 64"),
        ("a: !!python/object/apply:os.system [ls]", "tag"),
        ("a: !!int 5", "tag"),
        ("? [a]\n: b", "expected text as a key, found a list of 1"),
        ("~: b", "expected text as a key, found null"),
        (b"a: \xff", "not UTF-8 text (byte 3)"),
        (b"a: \x00", "not valid YAML"),
        (b"a: " + b"x" * MAX_BYTES, "is larger than 1048576 bytes"),
    ],
)
def test_a_bad_file_gives_one_line(tmp_path, text, expected):
    assert expected in refusal(written(tmp_path, text))


def test_a_missing_file_and_a_folder(tmp_path):
    assert "No such file" in refusal(tmp_path / "nothing.yaml")
    assert "directory" in refusal(tmp_path)


# The declared type decides


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        (float, "1e-4", 1e-4),
        (float, "1_000.5", 1000.5),
        (float, ".5", 0.5),
        (float, "-3", -3.0),
        (int, "1e3", 1000),
        (int, "1_000", 1000),
        (int, "010", 10),
        (int, "2.0", 2),
        (int, "123456789012345678901234567890", 123456789012345678901234567890),
        (bool, "true", True),
        (bool, "false", False),
        (str, "010", "010"),
        (str, "no", "no"),
        (str, "12:30", "12:30"),
        (str, "1e-4", "1e-4"),
        (Path, "a/b", Path("a/b")),
        (Colour, "red", Colour.RED),
        (Literal["no", "yes"], "no", "no"),
        (Literal[14, 16], "14", 14),
        (Literal[True, "auto"], "true", True),
        (int | None, None, None),
        (int | None, "5", 5),
        (str | None, "5", "5"),
        (int | str, "5", 5),
        (str | int, "5", 5),
        (str | int, "five", "five"),
        (int | float, "5", 5),
        (int | float, "5.0", 5.0),
        (int | float, "1e3", 1000.0),
        (int | float, "5.5", 5.5),
        (float | Literal["auto"], "auto", "auto"),
        (float | Literal["auto"], "1e-4", 1e-4),
        (bool | str, "yes", "yes"),
        (bool | str, "true", True),
        (list[float] | float, "1e-1", 0.1),
        (list[float] | float, ["1e-1"], [0.1]),
        (list[int], ["1", "1e1"], [1, 10]),
        (tuple[int, ...], ["1", "2"], (1, 2)),
        (tuple[str, float], ["010", "010"], ("010", 10.0)),
        (dict[str, float], {"a": "1e-4"}, {"a": 1e-4}),
        (dict[str, list[bool]], {"a": ["true"]}, {"a": [True]}),
        (Annotated[int, Field(ge=2)] | None, "2", 2),
        (Any, "1", "1"),
    ],
)
def test_coercion(declared, text, expected):
    value = one(declared, text)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (float, "fast", 'found "fast", expected a number'),
        (float, "nan", 'found "nan", expected a number'),
        (float, "1e999", 'found "1e999", expected a number'),
        (float, True, "found true, expected a number"),
        (float, None, "found null, expected a number"),
        (int, "1.5", 'found "1.5", expected a whole number'),
        (int, "1e999999999", 'found "1e999999999", expected a whole number'),
        (int, "\u0663", 'found "\u0663", expected a whole number'),
        (int, "0x10", 'found "0x10", expected a whole number'),
        (bool, "yes", 'found "yes", expected true or false'),
        (bool, "True", 'found "True", expected true or false'),
        (bool, "1", 'found "1", expected true or false'),
        (bool, 1, "found 1, expected true or false"),
        (str, ["a"], "found a list of 1, expected text"),
        (list[int], "1", 'found "1", expected a list, each entry a whole number'),
        (dict[str, int], "1", 'found "1", expected a mapping, each value a whole number'),
        (Colour, "rde", 'found "rde", expected one of "red", "blue"; did you mean "red"?'),
        (Literal[14, 16], "15", 'found "15", expected one of 14, 16'),
        (bool | int, "yes", 'found "yes", expected true or false or a whole number'),
        (int | None, "x", 'found "x", expected a whole number or null'),
        (
            float | Literal["auto"] | None,
            "auot",
            'found "auot", expected a number or "auto" or null; did you mean "auto"?',
        ),
        (Annotated[int, Field(ge=1, le=9)], "10", "found 10, expected a whole number, at least 1 and at most 9"),
        (Annotated[int, Field(multiple_of=14)], "15", "found 15, expected a whole number, a multiple of 14"),
        (Annotated[str, Field(pattern="^[a-z]+$")], "A1", 'found "A1", expected text, matching ^[a-z]+$'),
        (
            Annotated[list[int], Field(min_length=1)],
            [],
            "found a list of 0, expected a list, each entry a whole number, of length at least 1",
        ),
        (tuple[int, int], ["1"], "missing, expected a whole number"),
    ],
)
def test_what_does_not_fit_is_explained(declared, value, expected):
    with pytest.raises(ConfigError) as caught:
        one(declared, value)
    (problem,) = caught.value.problems
    assert problem.partition(": ")[2] == expected
    assert problem.startswith("value")


def test_a_long_value_is_shortened():
    with pytest.raises(ConfigError) as caught:
        one(int, "x" * 10_000)
    assert len(str(caught.value)) < 200


@given(st.integers(-(10**12), 10**12))
def test_integers_have_many_spellings(number):
    for text in (str(number), f"{number:_}", f"{number}.0", f"{number:+}", f"{number}e0", f"{number}000e-3"):
        assert one(int, text) == number
        assert one(float, text) == number
        assert one(str, text) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_exact(number):
    for text in (repr(number), f"{number:.17e}", f"{number:.17E}"):
        assert one(float, text) == number
        assert one(int | float, text) == number


@given(st.text())
def test_numbers_agree_with_python(text):
    try:
        expected = float(text)
    except ValueError:
        expected = None
    try:
        found = one(float, text)
    except ConfigError:
        found = None
    if found is not None:
        assert found == expected


# Overrides and merging


def test_overrides_address_entries_by_name_and_number(tmp_path):
    data = read_yaml(written(tmp_path, STAGES))
    before = copy.deepcopy(data)
    changed = apply_overrides(
        data, ["stages.pretrain.optimizer.lr=1e-5", "stages.0.optimizer.betas=[0.8, 0.9]", "seed=7", "weights.a=1"]
    )
    assert data == before
    recipe = parse(Recipe, changed, source="test")
    assert recipe.stages[1].optimizer.lr == 1e-5
    assert recipe.stages[0].optimizer.betas == (0.8, 0.9)
    assert (recipe.seed, recipe.weights) == (7, {"a": 1.0})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("'null'", "null"),
        ("no", "no"),
        ("a=b: c # d", "a=b: c # d"),
        ("- a", "- a"),
        ("[a, [b]]", ["a", ["b"]]),
        ("{a: {b: 1}}", {"a": {"b": "1"}}),
    ],
)
def test_override_values(text, expected):
    assert apply_overrides({}, [f"x.y={text}"]) == {"x": {"y": expected}}


def test_overrides_apply_in_order_and_replace_an_entry():
    data = {"stages": [{"name": "a", "x": "1"}, None]}
    changed = apply_overrides(data, ["stages.a={name: b}", "stages.b.x=2", "stages.1.y=3"])
    assert changed == {"stages": [{"name": "b", "x": "2"}, {"y": "3"}]}
    assert data == {"stages": [{"name": "a", "x": "1"}, None]}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "seed: expected key.sub=value, found no '='"),
        ("=1", "=1: expected key.sub=value, found an empty key"),
        ("a..b=1", "a..b=1: expected key.sub=value, found an empty key"),
        (
            "stages.pretran.x=1",
            'stages.pretran.x=1: stages has no entry "pretran", expected one of "adapter", "pretrain";'
            ' did you mean "pretrain"?',
        ),
        ("stages.2.x=1", 'stages.2.x=1: stages has no entry "2", expected one of "adapter", "pretrain"'),
        ("stages.-1.x=1", 'stages.-1.x=1: stages has no entry "-1", expected one of "adapter", "pretrain"'),
        ("name.x=1", 'name.x=1: name is a single value ("tiny") and has no "x"'),
        ("list.5=1", 'list.5=1: list has no entry "5", expected an index below 2'),
        ("none.0=1", 'none.0=1: none has no entry "0", the list is empty'),
    ],
)
def test_a_wrong_override_is_named(tmp_path, override, expected):
    data = {**read_yaml(written(tmp_path, STAGES)), "list": ["1", "2"], "none": []}
    with pytest.raises(ConfigError) as caught:
        apply_overrides(data, [override])
    assert caught.value.problems == [expected]


def test_all_wrong_overrides_are_reported():
    with pytest.raises(ConfigError) as caught:
        apply_overrides({}, ["a", "b=[1", "c=1"])
    assert len(caught.value.problems) == 2


def test_merge_is_deep_and_pure():
    base = {"a": {"b": "1", "c": ["1", "2"]}, "d": "4"}
    extra = {"a": {"b": "2", "c": ["3"]}, "d": {"e": "5"}, "f": None}
    before = copy.deepcopy((base, extra))
    merged = merge(base, extra)
    assert merged == {"a": {"b": "2", "c": ["3"]}, "d": {"e": "5"}, "f": None}
    merged["a"]["c"].append("x")
    merged["d"]["e"] = "x"
    assert (base, extra) == before


TREES = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=2), TREES, max_size=3), st.dictionaries(st.text(max_size=2), TREES, max_size=3))
def test_merge_laws(base, extra):
    merged = merge(base, extra)
    assert merge(base, {}) == base
    assert merge({}, base) == base
    assert merge(merged, extra) == merged
    assert set(merged) == set(base) | set(extra)


# Errors


def test_three_mistakes_are_reported_in_one_go(tmp_path):
    data = read_yaml(written(tmp_path, STAGES + "seeds: 4\n"))
    data = apply_overrides(data, ["stages.pretrain.optimizer.lr=fast", "stages.adapter.optimizer.kind=adam"])
    with pytest.raises(ConfigError) as caught:
        parse(Recipe, data, source="recipe.yaml")
    error = caught.value
    assert isinstance(error, UsageError)
    assert error.exit_code == 2
    assert error.problems == [
        'stages.adapter.optimizer.kind: found "adam", expected one of "adamw", "muon"; did you mean "adamw"?',
        'stages.pretrain.optimizer.lr: found "fast", expected a number, greater than 0',
        'seeds: unknown key, expected one of name, seed, stages, weights; did you mean "seed"?',
    ]
    assert str(error).splitlines() == ["recipe.yaml: 3 problems", *(f"  {line}" for line in error.problems)]


def test_one_mistake_is_one_line():
    with pytest.raises(ConfigError) as caught:
        parse(Recipe, {}, source="recipe.yaml")
    assert str(caught.value) == "recipe.yaml: name: missing, expected text"


def test_entries_without_a_name_are_shown_by_number():
    data = {"name": "x", "stages": [{"optimizer": {"lr": "1"}}, {"name": "b"}, "c"]}
    assert problems(Recipe, data) == [
        "stages.0.name: missing, expected text",
        "stages.b.optimizer: missing, expected a section with lr, kind, betas, warmup",
        'stages.2: found "c", expected a section with name, optimizer, source, freeze, compile',
    ]


def test_inside_lists_and_mappings():
    stage = {"name": "a", "optimizer": {"lr": "-1", "betas": ["x", "0.9"]}, "freeze": ["a", ["b"]]}
    assert problems(Recipe, {"name": "x", "weights": {"w": "heavy"}, "stages": [stage]}) == [
        "stages.a.optimizer.lr: found -1.0, expected a number, greater than 0",
        'stages.a.optimizer.betas.0: found "x", expected a number',
        "stages.a.freeze.1: found a list of 1, expected text",
        'weights.w: found "heavy", expected a number',
    ]


def test_tagged_alternatives():
    def stage(source: Any) -> dict[str, Any]:
        return {"name": "x", "stages": [{"name": "a", "optimizer": {"lr": "1"}, "source": source}]}

    assert parse(Recipe, stage({"kind": "shapes", "sides": ["3"]}), source="").stages[0].source == Shapes(
        kind="shapes", sides=[3]
    )
    where = "stages.a.source"
    assert problems(Recipe, stage({"kind": "digit"})) == [
        f'{where}.kind: found "digit", expected one of "digits", "shapes"; did you mean "digits"?'
    ]
    assert problems(Recipe, stage({"size": "8"})) == [f'{where}.kind: missing, expected one of "digits", "shapes"']
    assert problems(Recipe, stage({"kind": "shapes", "sides": ["x"], "side": "1"})) == [
        f'{where}.sides.0: found "x", expected a whole number',
        f'{where}.side: unknown key, expected one of kind, sides; did you mean "sides"?',
    ]


class Either(Section):
    value: Optimizer | float | Digits


def test_untagged_alternatives_report_the_one_that_was_meant():
    assert parse(Either, {"value": "2"}, source="").value == 2.0
    assert problems(Either, {"value": {"lr": "x"}}) == ['value.lr: found "x", expected a number, greater than 0']
    assert problems(Either, {"value": {"kind": "digits", "size": "x"}}) == [
        'value.size: found "x", expected a whole number'
    ]
    (problem,) = problems(Either, {"value": "x"})
    assert problem.startswith('value: found "x", expected a section with lr, kind, betas, warmup or a number or')


class Checked(Section):
    low: int
    high: int = Field(default=9, validate_default=True)

    @field_validator("low")
    @classmethod
    def _allowed(cls, low: int, info: ValidationInfo) -> int:
        if low < (info.context or {}).get("least", 0):
            raise ValueError("lies under\n  the least")
        return low

    @model_validator(mode="after")
    def _in_order(self) -> Checked:
        if self.low > self.high:
            raise ValueError("low is greater than high")
        return self

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        return {"low": data} if isinstance(data, str) else data


class Holder(Section):
    part: Checked
    other: Checked | list[int] | None = None


def test_own_validators_context_and_short_forms():
    assert parse(Holder, {"part": "3"}, source="").part == Checked(low=3, high=9)
    assert parse(Holder, {"part": "3"}, source="", context={"least": 3}).part.low == 3
    assert problems(Holder, {"part": "3"}, context={"least": 4}) == ["part.low: lies under the least"]
    assert problems(Holder, {"part": {"low": "3", "high": "2"}}) == ["part: low is greater than high"]
    assert problems(Checked, {"low": "3", "high": "2"}) == ["low is greater than high"]
    assert problems(Holder, {"part": "1", "other": {"low": "x"}}) == ['other.low: found "x", expected a whole number']


def test_the_top_must_be_a_mapping():
    assert problems(Recipe, ["a"]) == ["found a list of 1, expected a section with name, seed, stages, weights"]


def test_sections_are_frozen_and_checked_in_python_too():
    optimizer = Optimizer(lr=1)
    with pytest.raises(ValidationError):
        optimizer.lr = 2.0
    with pytest.raises(ValidationError):
        Optimizer(lr=1.0, rl=1)
    with pytest.raises(ValidationError):
        Optimizer(lr=float("nan"))


KEYS = st.sampled_from(["name", "stages", "optimizer", "lr", "source", "kind", "value", "weights", "freeze", "a\nb"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["1", "true", "digits", "x\ny"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=2), inner, max_size=4),
    max_leaves=20,
)


@given(ANYTHING, st.sampled_from([Recipe, Either, Holder, Stage]))
def test_whatever_is_wrong_is_reported_in_plain_lines(data, model):
    reported = []
    try:
        parse(model, data, source="test")
    except ConfigError as error:
        reported = error.problems or ["no problem"]
    assert [line for line in reported if "\n" in line or "_Misfit" in line or "expected " not in line] == []


def test_nearest():
    assert nearest("patch", ["width", "patch_size"]) == "patch_size"
    assert nearest("ADAMW", ["adamw"]) == "adamw"
    assert nearest("zzz", ["adamw"]) is None


# Writing

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TRICKY = st.sampled_from(
    ["null", "~", "", "no", "010", "1e-4", "12:30", "- a", "a: b", "#x", " x ", "a\nb\n", "\t", "\x85"]
)
NAMES = TEXT | TRICKY
RECIPES = st.builds(
    Recipe,
    name=NAMES,
    seed=st.integers(-(2**63), 2**64),
    stages=st.lists(
        st.builds(
            Stage,
            name=NAMES,
            optimizer=st.builds(
                Optimizer,
                lr=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
                kind=st.sampled_from(["adamw", "muon"]),
                betas=st.tuples(st.floats(0, 1), st.floats(0, 1)),
                warmup=st.none() | st.integers(0, 10**9) | st.floats(0, 1),
            ),
            source=st.none()
            | st.builds(Digits, kind=st.just("digits"), size=st.integers(0, 99))
            | st.builds(Shapes, kind=st.just("shapes"), sides=st.lists(st.integers(-9, 9), max_size=3)),
            freeze=st.lists(NAMES, max_size=3).map(tuple),
            compile=st.booleans(),
        ),
        max_size=3,
    ),
    weights=st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)


@given(RECIPES)
def test_what_is_written_reads_back_equal(tmp_path_factory, recipe):
    path = tmp_path_factory.mktemp("dump") / "recipe.yaml"
    path.write_text(dump_yaml(recipe), encoding="utf-8", newline="")
    again = parse(Recipe, read_yaml(path), source="")
    assert again == recipe
    assert dump_yaml(again) == dump_yaml(recipe)


def test_the_order_is_the_declared_one():
    recipe = Recipe(weights={"b": 1.0, "a": 2.0}, name="x")
    assert dump_yaml(recipe) == "name: x\nseed: 0\nstages: []\nweights:\n  b: 1.0\n  a: 2.0\n"


def test_schema():
    schema = json_schema(Recipe)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["seed"]["type"] == "integer"
    assert set(schema["$defs"]) == {"Stage", "Optimizer", "Digits", "Shapes"}


def test_torch_is_not_imported():
    code = "import sys, vergence.config; sys.exit(any(n in sys.modules for n in ('torch', 'numpy', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
