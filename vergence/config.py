"""Configuration: typed, frozen sections read from YAML and `key.sub=value` overrides.

A value means what its *declared* type says, never what YAML guesses. The reader keeps every scalar as text, and
`Section` turns that text into the declared type: `1e-4` is a number where a number is declared and text where text is.
In a union, types are tried from the narrowest: true/false, whole number, number, fixed choices, then text. A field
declared `Any` keeps text.

    data = apply_overrides(read_yaml(path), ["stages.pretrain.optimizer.lr=1e-3"])
    recipe = parse(Recipe, data, source=str(path))

Everything wrong with a file is reported at once, one problem a line, by `ConfigError`.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, core_schema

from vergence.errors import UsageError

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 64
_BUILT_IN_ERRORS = frozenset(get_args(core_schema.ErrorType))

S = TypeVar("S", bound="Section")


class ConfigError(UsageError):
    """A configuration that can't be used; `problems` holds one line for each thing that is wrong with it."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = list(problems)
        if len(self.problems) == 1:
            message = f"{source}: {self.problems[0]}"
        else:
            message = "\n  ".join([f"{source}: {len(self.problems)} problems", *self.problems])
        super().__init__(message)


class Section(BaseModel):
    """The base of every configuration model: unknown keys are errors and a built section never changes.

    Fields are converted from text by their declared type before pydantic checks them. A model's own "before" validators
    run earlier and see the text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _by_declared_type(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        fields = cls.model_fields
        return {k: _convert(v, fields[k].annotation) if k in fields else v for k, v in data.items()}


# Reading, merging and overriding: plain dictionaries of text, no models.


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file as nested dicts and lists whose leaves are text, or None for `null`, `~` and nothing.

    Raises `ConfigError`, in one line, for a missing or oversized file, bad YAML, a repeated key, a tag, an alias that
    expands without end, and anything but a mapping at the top.
    """
    source = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(source, [f"can't be read: {error.strerror or error}"]) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(source, [f"is larger than {MAX_BYTES} bytes, too large for a configuration"])
    try:
        data = _load(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(source, [f"is not UTF-8 text (byte {error.start})"]) from None
    except ValueError as error:
        raise ConfigError(source, [str(error)]) from None
    if not isinstance(data, dict):
        raise ConfigError(source, [f"expected a mapping (key: value) at the top, found {_found(data)}"])
    return data


def merge(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `extra` laid over it: mappings merge key by key, anything else is replaced."""
    merged = {key: _copy(value) for key, value in base.items()}
    for key, value in extra.items():
        below: Any = merged.get(key)
        deeper = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if deeper else _copy(value)
    return merged


def apply_overrides(data: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return `data` with `path.to.key=value` overrides applied in order; `data` itself is not changed.

    In a list, an entry is addressed by its index or by its `name`. A value that starts with `[`, `{` or a quote is read
    as YAML, `null`, `~` and nothing are None, and any other value is text, word for word.
    """
    result: dict[str, Any] = merge(data, {})
    problems = []
    for override in overrides:
        try:
            path, equals, text = override.partition("=")
            if not equals:
                raise ValueError("expected key.sub=value, found no '='")
            _assign(result, path.strip(), _override_value(text.strip()))
        except ValueError as error:
            problems.append(f"{' '.join(override.split())}: {error}")
    if problems:
        raise ConfigError("override" if len(problems) == 1 else "overrides", problems)
    return result


def parse(model: type[S], data: Mapping[str, Any], *, source: str, context: dict[str, Any] | None = None) -> S:
    """Build `model` from `data`; `context` reaches the models' validators.

    Raises `ConfigError` with every problem: its dotted path, what was found, what was expected and the nearest name.
    """
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        raise ConfigError(source, _explain(model, data, error.errors(include_url=False))) from None


def dump_yaml(section: Section) -> str:
    """Write a section as YAML, keys in declared order; reading and parsing it gives an equal section."""
    return yaml.dump(
        section.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf
    )


def json_schema(model: type[Section]) -> dict[str, Any]:
    """The JSON schema of a section, for editors and documentation."""
    return model.model_json_schema()


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `word` most likely meant, or None if none is close."""
    by_folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _assign(data: dict[str, Any], path: str, value: Any) -> None:
    keys = path.split(".")
    if not all(keys):
        raise ValueError("expected key.sub=value, found an empty key")
    at: Any = data
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(at, list):
            index = _entry(at, key, where=".".join(keys[:depth]))
            if last or at[index] is None:
                at[index] = value if last else {}
            at = at[index]
        elif isinstance(at, dict):
            if last or at.get(key) is None:
                at[key] = value if last else {}
            at = at[key]
        else:
            raise ValueError(f"{'.'.join(keys[:depth])} is a single value ({_found(at)}) and has no {_found(key)}")


def _entry(entries: list[Any], key: str, *, where: str) -> int:
    """The index that `key`, a name or a number, means in a list."""
    names = [_name(entry) for entry in entries]
    if key in names:
        return names.index(key)
    if key.isascii() and key.isdigit() and int(key) < len(entries):
        return int(key)
    known = [name for name in names if name is not None]
    valid = _one_of(known) if known else f"an index below {len(entries)}"
    expected = f"expected {valid}" if entries else "the list is empty"
    raise ValueError(f"{where} has no entry {_found(key)}, {expected}{_hint(key, known)}")


def _name(entry: Any) -> str | None:
    name = entry.get("name") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) else None


def _override_value(text: str) -> Any:
    if text in ("", "~", "null"):
        return None
    return _load(text) if text[0] in "[{\"'" else text


class _Loader(yaml.SafeLoader):
    """Resolves only null; every other plain scalar stays text."""

    yaml_implicit_resolvers: dict[str, Any] = {}


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)\Z"), ["~", "n", ""])


class _Dumper(yaml.SafeDumper):
    """Quotes what any YAML reader would misread, and writes a repeated list in full instead of as an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Unicode's own line breaks survive only as escapes, which only double quotes have.
        style = '"' if re.search("[\x85\u2028\u2029]", data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def _load(text: str) -> Any:
    """YAML text as dicts, lists, text and None; raises ValueError with a one-line message."""
    try:
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else _plain(node, 0, iter(range(MAX_NODES)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = " ".join((error.problem or error.context or "syntax error").split())
        hint = " (indent with spaces, not tabs)" if "\\t" in reason else ""
        raise ValueError(f"is not valid YAML{where}: {reason}{hint}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"is not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels") from None


def _plain(node: yaml.Node, depth: int, budget: Iterator[int]) -> Any:
    where = f"line {node.start_mark.line + 1}"
    if next(budget, None) is None:
        raise ValueError(f"{where}: holds more than {MAX_NODES} values once its aliases are expanded")
    if depth > MAX_DEPTH:
        raise ValueError(f"{where}: is nested deeper than {MAX_DEPTH} levels")
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if isinstance(node, yaml.ScalarNode) and kind in ("str", "null"):
        return None if kind == "null" else node.value
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_plain(item, depth + 1, budget) for item in node.value]
    if isinstance(node, yaml.MappingNode) and kind == "map":
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _plain(key_node, depth + 1, budget)
            where = f"line {key_node.start_mark.line + 1}"
            if not isinstance(key, str):
                raise ValueError(f"{where}: expected text as a key, found {_found(key)}")
            if key in result:
                raise ValueError(f"{where}: the key {key!r} stands here a second time")
            result[key] = _plain(value_node, depth + 1, budget)
        return result
    raise ValueError(f"{where}: the tag {node.tag!r} is not supported, write the plain value")


# From text to the declared type.


@dataclass(frozen=True)
class _Misfit:
    """A value that its declared type can't read. Pydantic accepts it nowhere, so the error has its exact place."""

    value: Any


def _convert(value: Any, declared: Any) -> Any:
    """Turn the text in `value` into what `declared` asks for; what doesn't fit becomes a `_Misfit`."""
    declared = _bare(declared)
    origin, args = get_origin(declared), get_args(declared)
    if members := _members(declared):
        return None if value is None else _convert_union(value, members)
    if isinstance(value, list | tuple):
        return [_convert(item, _item_type(declared, i)) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        fits = len(args) == 2 and _is(origin, Mapping)
        return {key: _convert(item, args[1]) for key, item in value.items()} if fits else value
    if origin is Literal:
        same = (choice for choice in args if type(choice) is type(value) and choice == value)
        spelt = (choice for choice in args if type(choice) in _READERS and _convert(value, type(choice)) == choice)
        return next(chain(same, spelt), _Misfit(value))
    if declared in _READERS and isinstance(value, str):
        read = _READERS[declared](value)
        return _Misfit(value) if read is None else read
    if declared in _READERS and isinstance(value, bool) != (declared is bool):
        return _Misfit(value)
    return value


def _convert_union(value: Any, members: Sequence[Any]) -> Any:
    if isinstance(value, list | tuple | Mapping):
        shape = Mapping if isinstance(value, Mapping) else Sequence
        fitting = [m for m in members if _is_section(m) or _is(_kind(m), shape)]
        return _convert(value, fitting[0]) if len(fitting) == 1 else value
    scalars = sorted((m for m in members if _kind(m) in _NARROW_FIRST), key=lambda m: _NARROW_FIRST.index(_kind(m)))
    if float in map(_kind, scalars) and isinstance(value, str) and not value.lstrip("+-").replace("_", "").isdigit():
        scalars = [m for m in scalars if _kind(m) is not int]  # 2.0 and 1e3 are numbers where both are declared
    converted = (_convert(value, member) for member in scalars)
    otherwise = _Misfit(value) if len(scalars) == len(members) else value
    return next((item for item in converted if not isinstance(item, _Misfit)), otherwise)


def _number(text: str) -> float | None:
    try:
        number = float(text) if text.isascii() else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(text: str) -> int | None:
    try:
        exact = Decimal(text) if text.isascii() else Decimal("nan")
    except InvalidOperation:
        return None
    # Past 40 digits only a slip of the exponent is likely, and 1e999999999 would fill the memory.
    if not exact.is_finite() or exact.adjusted() > 40 or exact != exact.to_integral_value():
        return None
    return int(exact)


_READERS: dict[Any, Callable[[str], Any]] = {
    bool: {"true": True, "false": False}.get,
    int: _whole,
    float: _number,
}
_NARROW_FIRST = [bool, int, float, Literal]


def _bare(declared: Any) -> Any:
    while get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    return declared


def _item_type(declared: Any, key: int | str) -> Any:
    """What a list, tuple or mapping type declares for the item at `key`."""
    args = get_args(declared)
    if get_origin(declared) is tuple and args[-1:] != (Ellipsis,):
        return args[key] if isinstance(key, int) and key < len(args) else Any
    return args[0 if isinstance(key, int) else -1] if args else Any


def _members(declared: Any) -> list[Any]:
    """The alternatives of a union, also of one inside it, without None; nothing if `declared` isn't a union."""
    if get_origin(declared) not in (Union, types.UnionType):
        return []
    nested = ((_members(_bare(member)) or [member]) for member in get_args(declared) if member is not type(None))
    return list(chain.from_iterable(nested))


def _kind(declared: Any) -> Any:
    bare = _bare(declared)
    return get_origin(bare) or bare


def _is(origin: Any, kind: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)


def _is_section(declared: Any) -> bool:
    return _is(_bare(declared), BaseModel)


# From pydantic's errors to one plain line each.


@dataclass
class _Place:
    """Where an error stands: its path as a user writes it, what is declared there, and the section around it."""

    path: str
    declared: Any
    owner: type[BaseModel] | None
    branches: list[tuple[str, str]]  # (path of a union, pydantic's label of the alternative that failed)


def _locate(model: type[BaseModel], data: Any, loc: tuple[int | str, ...]) -> _Place:
    names: list[str] = []
    branches: list[tuple[str, str]] = []
    declared: Any = model
    owner: type[BaseModel] | None = None
    for step, part in enumerate(loc):
        bare = _bare(declared)
        members = _members(bare)
        bare = _bare(members[0]) if len(members) == 1 else bare
        if len(members) > 1:  # pydantic puts the alternative's label into the location
            branches.append((".".join(names), str(part)))
            if step < len(loc) - 1:
                declared = next((m for m in members if _labelled(m, str(part))), Any)
            continue
        if part == "[key]":
            continue
        if _is_section(bare):
            owner = bare
            field = bare.model_fields.get(str(part))
            declared = Annotated[field.annotation, field] if field else Any
        else:
            declared = _item_type(bare, part)
        inside = isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
        data = data[part] if inside else data.get(part) if isinstance(data, Mapping) else None
        name = (_name(data) if isinstance(part, int) else None) or str(part)
        names.append(name if name.isprintable() else _found(name))
    return _Place(".".join(names), declared, owner, branches)


def _labelled(member: Any, label: str) -> bool:
    bare = _bare(member)
    if _is_section(bare):
        tags = {str(tag) for field in bare.model_fields.values() for tag in _choices(field.annotation)}
        return label in tags or re.search(rf"\b{re.escape(bare.__name__)}\b", label) is not None
    return label.startswith(getattr(get_origin(bare) or bare, "__name__", "?"))


def _explain(model: type[BaseModel], data: Any, errors: list[ErrorDetails]) -> list[str]:
    # A list whose entries are wrong counts as too short as well, since wrong entries don't count: say the first only.
    wrong = [error["loc"] for error in errors if error["type"] != "too_short"]
    errors = [
        error
        for error in errors
        if error["type"] != "too_short" or not any(loc[: len(error["loc"])] == error["loc"] for loc in wrong)
    ]
    located = [(error, _locate(model, data, error["loc"])) for error in errors]
    # Of a union's alternatives, only the one that the value was most likely meant for is worth a line: the one that
    # accepted the value's shape and complains about the fewest things inside it.
    deep: dict[str, dict[str, int]] = {}
    for _, place in located:
        for union, label in place.branches:
            if place.path != union:
                counts = deep.setdefault(union, {})
                counts[label] = counts.get(label, 0) + 1
    meant = {union: min(counts, key=lambda label: counts[label]) for union, counts in deep.items()}
    kept = [(e, p) for e, p in located if all(meant.get(union, label) == label for union, label in p.branches)]
    return list(dict.fromkeys(_line(error, place) for error, place in kept))


def _line(error: ErrorDetails, place: _Place) -> str:
    kind, context = error["type"], error.get("ctx", {})
    start = f"{place.path}: " if place.path else ""
    found = error["input"].value if isinstance(error["input"], _Misfit) else error["input"]
    if kind == "extra_forbidden" and place.owner:
        keys = list(place.owner.model_fields)
        return f"{start}unknown key, expected {_one_of(keys, quote=False)}{_hint(str(error['loc'][-1]), keys)}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        key = str(context["discriminator"]).strip("'")
        tags = [tag.strip("' ") for tag in str(context.get("expected_tags", "")).split(",") if tag]
        tag = found.get(key) if isinstance(found, Mapping) else None
        tags = tags or [str(t) for m in _members(_bare(place.declared)) for t in _tags(m, key)]
        wrong = f"found {_found(tag)}" if tag is not None else "missing"
        path = ".".join(filter(None, [place.path, key]))
        return f"{path}: {wrong}, expected {_one_of(tags)}{_hint(tag, tags)}"
    if kind == "missing":
        return f"{start}missing, expected {_describe(place.declared)}"
    if kind in ("value_error", "assertion_error"):
        return start + " ".join(str(context.get("error", error["msg"])).split())
    if kind not in _BUILT_IN_ERRORS or _bare(place.declared) is Any:
        return start + " ".join(error["msg"].split())
    choices = [str(choice) for choice in _choices(place.declared)]
    return f"{start}found {_found(found)}, expected {_describe(place.declared)}{_hint(found, choices)}"


def _tags(member: Any, key: str) -> list[Any]:
    return _choices(_bare(member).model_fields[key].annotation) if _is_section(member) else []


def _choices(declared: Any) -> list[Any]:
    """Every fixed value that a declared type names."""
    bare = _bare(declared)
    if get_origin(bare) is Literal:
        return list(get_args(bare))
    if _is(bare, Enum):
        return [item.value for item in bare]
    return [choice for member in _members(bare) for choice in _choices(member)]


_PLAIN_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
_LIMITS = {
    "gt": "greater than",
    "ge": "at least",
    "lt": "less than",
    "le": "at most",
    "multiple_of": "a multiple of",
    "min_length": "of length at least",
    "max_length": "of length at most",
    "pattern": "matching",
}


def _describe(declared: Any) -> str:
    """A declared type and its limits in plain words."""
    bare = _bare(declared)
    args = get_args(bare)
    if members := _members(bare):
        words = " or ".join([*dict.fromkeys(map(_describe, members)), *["null"] * (type(None) in args)])
    elif _choices(bare):
        words = _one_of(_choices(bare))
    elif bare in _PLAIN_NAMES:
        words = _PLAIN_NAMES[bare]
    elif _is_section(bare):
        words = f"a section with {', '.join(bare.model_fields) or 'no keys'}"
    elif _is(get_origin(bare) or bare, Mapping):
        words = f"a mapping, each value {_describe(args[1])}" if args else "a mapping"
    elif get_origin(bare) is tuple and args[-1] is not Ellipsis:
        words = f"a list of {len(args)} ({', '.join(map(_describe, args))})"
    elif _is(get_origin(bare) or bare, AbstractSet | Sequence):
        words = f"a list, each entry {_describe(args[0])}" if args else "a list"
    else:
        words = getattr(bare, "__name__", str(bare))
    return ", ".join(filter(None, [words, " and ".join(_limits(declared))]))


def _limits(declared: Any) -> Iterator[str]:
    for item in get_args(declared)[1:] if get_origin(declared) is Annotated else []:
        for limit in item.metadata if isinstance(item, FieldInfo) else [item]:
            yield from (
                f"{words} {v}" for name, words in _LIMITS.items() if (v := getattr(limit, name, None)) is not None
            )


def _one_of(names: Sequence[Any], *, quote: bool = True) -> str:
    shown = [_found(n) if quote else str(n) for n in names[:30]]
    more = [f"and {len(names) - 30} more"] if len(names) > 30 else []
    return ("one of " if len(names) > 1 else "") + ", ".join(shown + more)


def _found(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=not value.isprintable())
    else:
        text = json.dumps(value) if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:76]}..."


def _hint(word: Any, names: Sequence[str]) -> str:
    close = nearest(word, names) if isinstance(word, str) else None
    return f"; did you mean {_found(close)}?" if close else ""
