"""Rendering Jinja chat templates that come with a checkpoint, as text only and within bounds.

The environment is that of Hugging Face's `apply_chat_template`, so that templates read the same. A template is still a
program written by somebody else: it runs in jinja2's immutable sandbox, with a short list of filters and methods, and
every loop step, call and string that it makes is paid from a budget.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes as nodes
import jinja2.sandbox
import jinja2.utils

from vergence.errors import DataError

MAX_SOURCE = 256 * 1024  # characters of a template
MAX_OUTPUT = 4 * 1024 * 1024  # characters of a rendering beyond twice the text put in
_STEP = 512  # price of a loop step, a call or a list's item, in characters
_SECONDS = 10.0  # a second bound, for what the budget can't see
_TOO_MUCH = "it takes too much time or makes too much text"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILTERS = _words(
    "abs attr capitalize count d default dictsort e escape first float forceescape groupby indent int items join last "
    "length list lower map max min reject rejectattr replace reverse round safe select selectattr sort string title "
    "tojson trim truncate unique upper wordcount"
)
_METHODS: dict[type, frozenset[str]] = {
    str: _words(
        "capitalize casefold count endswith find format index isalnum isalpha isdecimal isdigit islower isnumeric "
        "isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition "
        "rsplit rstrip split splitlines startswith strip title upper"
    ),
    dict: _words("copy get items keys values"),
    list: _words("copy count index"),
    tuple: _words("count index"),
}


class TemplateError(Exception):
    """A template that can't be used, or a conversation that it refuses; the message says why."""


def check_template(source: str, name: str) -> None:
    """Raise `DataError` for a template that can't be used: too long, no Jinja, or out for Python's insides."""
    try:
        Sandbox(source)
    except TemplateError as error:
        raise DataError(f"{name}: {error}") from None


class Sandbox:
    """One compiled template. Threads may share it: they render one after the other."""

    def __init__(self, source: str) -> None:
        """Raises `TemplateError` for a template that is too long, isn't Jinja, or reaches for Python's insides."""
        if len(source) > MAX_SOURCE:
            raise TemplateError(f"it has {len(source):,} characters, more than {MAX_SOURCE:,}")
        self._budget = _Budget()
        self._lock = threading.Lock()
        try:
            self._template = _Environment(self._budget).from_string(source)
        except jinja2.TemplateError as error:
            raise TemplateError(_first_line(error)) from None
        except (RecursionError, SyntaxError, MemoryError, OverflowError, ValueError) as error:
            raise TemplateError(f"it can't be compiled ({type(error).__name__})") from None

    def render(self, messages: list[dict[str, Any]], **variables: Any) -> str:
        """The text that the template makes of `messages`.

        Raises `TemplateError` for a template that fails, refuses the messages, or goes beyond its bounds.
        """
        with self._lock:
            self._budget.start(messages)
            try:
                return self._join(self._template.generate(messages=messages, tools=None, documents=None, **variables))
            except jinja2.TemplateError as error:
                raise TemplateError(_first_line(error)) from None
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
                raise TemplateError(f"it fails with {type(error).__name__}: {_first_line(error)}") from None

    def _join(self, parts: Iterable[str]) -> str:
        kept, length = [], 0
        for part in parts:
            length += len(part)
            if length > self._budget.output:
                raise TemplateError(_TOO_MUCH)
            kept.append(part)
        return "".join(kept)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


class _Budget:
    """What one rendering may still cost, in characters."""

    def __init__(self) -> None:
        self.start([])

    def start(self, messages: list[dict[str, Any]]) -> None:
        """Begin a rendering of these messages."""
        self.output = MAX_OUTPUT + 2 * _size(messages, sys.maxsize)
        self.left = 32 * self.output
        self.until = time.monotonic() + _SECONDS

    def spend(self, characters: int) -> None:
        """Pay for a string of this length, a step or a call. Raises `TemplateError` when too little is left."""
        self.left -= characters
        if self.left < 0 or characters > self.output or time.monotonic() > self.until:
            raise TemplateError(_TOO_MUCH)

    def steps(self, values: Iterable[Any]) -> Iterator[Any]:
        """`values`, each paid for when it is taken."""
        for value in values:
            self.spend(_STEP + _size(value, self.left))
            yield value

    def text(self, value: Any) -> Any:
        """`value`, paid for by the length of its text: a list of lists of long strings is longer than it looks."""
        self.spend(_size(value, self.left))
        return value

    def replace(self, text: str, old: str, new: str) -> None:
        """Pay for `text.replace(old, new)`."""
        self.spend(len(text) + text.count(old) * len(new))


def _size(value: Any, limit: int) -> int:
    """The price of a value's text: about its length, and `_STEP` for each item; any number beyond `limit`, if more."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if not isinstance(value, Collection) or isinstance(value, range | bytes):
        return 8
    size = 0
    for item in value:
        size += _STEP + _size(item, limit - size)
        if size > limit:
            break
    return size


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The environment of transformers' chat templates, which refuses the unsafe at once and lets everything be paid."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))

    def __init__(self, budget: _Budget) -> None:
        extensions = [_Generation, jinja2.ext.loopcontrols]
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=extensions, finalize=budget.text)
        self.budget = budget
        self.filters = {name: self.filters[name] for name in _FILTERS} | _paid_filters(budget, self.filters)
        self.globals = {
            "dict": lambda *args, **kwargs: dict(*args, **kwargs),
            "namespace": _Namespace,
            "raise_exception": _raise_exception,
            "range": self._range,
            "strftime_now": lambda form: datetime.now().strftime(form),
        }

    def _range(self, *bounds: int) -> range:
        values = range(*bounds)
        self.budget.spend(min(_STEP * len(values), self.budget.left + 1))
        return values

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return _with_payment(super()._parse(source, name, filename))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Methods are safe by list, everything else by jinja2's rules."""
        for kind, names in _METHODS.items():
            if isinstance(obj, kind) and callable(value):
                return attr in names
        return super().is_safe_attribute(obj, attr, value)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Any:
        """The sandbox answers with an undefined value, which prints as nothing; a refusal is clearer."""
        raise jinja2.sandbox.SecurityError(f"it reaches for {attribute!r} of a {type(obj).__name__}")

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Every call in a template comes through here."""
        self.budget.spend(_STEP)
        if len(args) + len(kwargs) > 1:
            self.budget.text([args, kwargs])  # arguments can be kept together, and so double a list again and again
        method = getattr(obj, "__wrapped__", obj)  # str.format is wrapped by the sandbox
        owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
        if isinstance(owner, str):
            args = _paid_arguments(self.budget, owner, name, args, kwargs)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Operators whose result can be much larger than their operands."""
        if isinstance(left, int | float) and isinstance(right, int | float):
            if operator == "**" and (abs(left) > 10**6 or abs(right) > 64):
                raise TemplateError(_TOO_MUCH)
            self.budget.spend((int(left).bit_length() + int(right).bit_length()) if operator == "*" else 1)
        elif operator == "*":
            number, value = (left, right) if isinstance(left, int) else (right, left)
            size = _size(value, self.budget.left)
            self.budget.spend(min(size * number if isinstance(number, int) else size, self.budget.left + 1))
        elif operator == "%" and isinstance(left, str):
            _pay_format(self.budget, left, "%", right)
        else:
            self.budget.text([left, right])
        return super().call_binop(context, operator, left, right)


class _Namespace(jinja2.utils.Namespace):
    """jinja2's namespace, whose text doesn't hold what is in it."""

    def __repr__(self) -> str:
        return "<Namespace>"


class _Generation(jinja2.ext.Extension):
    """`{% generation %}` marks answers for training; here it is read and has no effect."""

    tags = {"generation"}

    def parse(self, parser: Any) -> nodes.Node:
        """The body as it stands."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


def _raise_exception(message: Any) -> None:
    raise TemplateError(f"it refuses the conversation: {str(message)[:200]}")


def _with_payment(tree: nodes.Template) -> nodes.Template:
    """The syntax tree with loops, literals and concatenations that pay, and without names of Python's insides."""
    names: list[Any] = [node.attr for node in tree.find_all(nodes.Getattr)]
    names += [node.attr for node in tree.find_all(nodes.NSRef)] + [node.value for node in tree.find_all(nodes.Const)]
    for name in names:
        if isinstance(name, str) and re.fullmatch(r"__\w+__", name):
            raise TemplateError(f"it reaches for {name!r}, an inside of Python")
    for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends):
        if tree.find(kind):
            raise TemplateError("it takes in other files")
    for loop in tree.find_all(nodes.For):
        loop.iter = _filtered("_steps", loop.iter)
    for concat in tree.find_all(nodes.Concat):
        concat.nodes = [_filtered("_text", node) for node in concat.nodes]
    for assignment in tree.find_all(nodes.Assign):
        assignment.node = _filtered("_text", assignment.node)
    for block in tree.find_all(nodes.With):
        block.values = [_filtered("_text", node) for node in block.values]
    macros: list[Any] = [*tree.find_all(nodes.Macro), *tree.find_all(nodes.CallBlock)]
    for macro in macros:
        macro.defaults = [_filtered("_text", node) for node in macro.defaults]
    return tree


def _filtered(name: str, node: Any) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _paid_arguments(
    budget: _Budget, owner: str, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The arguments of a string's method, after what it will make is paid for."""
    if name == "replace" and len(args) > 1:
        budget.replace(owner, str(args[0]), str(args[1]))
    elif name == "join" and args:
        args = (list(budget.steps(args[0])),)
        budget.text(args)
        budget.spend(len(owner) * len(args[0]))
    elif name in ("format", "format_map"):
        _pay_format(budget, owner, "{", [args, kwargs])
    else:
        budget.spend(4 * len(owner))  # a list of words takes more room than the text
    return args


def _pay_format(budget: _Budget, form: str, mark: str, values: Any) -> None:
    """Pay for a formatted string. A width can make any length, so large and computed ones are refused."""
    if re.search(r"\d{4}|\*|\{[^{}]*\{", form):
        raise TemplateError(_TOO_MUCH)
    budget.spend(len(form) + form.count(mark) * (1000 + _size(values, budget.left)))


def _paid_filters(budget: _Budget, filters: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """The filters that the syntax tree is given, and those whose result can be much longer than what goes in."""

    @jinja2.pass_eval_context
    def join(context: Any, value: Iterable[Any], d: str = "", attribute: Any = None) -> str:
        values = list(budget.steps(value))
        budget.text(values)
        budget.spend(len(str(d)) * len(values))
        return str(filters["join"](context, values, d, attribute))

    def replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
        text = str(budget.text(value))
        budget.replace(text, str(old), str(new))
        return text.replace(str(old), str(new), -1 if count is None else count)

    def indent(s: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        space = width if isinstance(width, str) else " " * min(width, 1000)
        budget.spend(len(s) + (len(s.splitlines()) + 1) * len(space))
        return str(filters["indent"](s, space, first, blank))

    def tojson(
        x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
    ) -> str:
        indent = indent[:16] if isinstance(indent, str) else indent and min(indent, 16)
        encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
        return "".join(budget.text(part) for part in encoder.iterencode(x))

    return {
        "_steps": budget.steps,
        "_text": budget.text,
        "indent": indent,
        "join": join,
        "list": lambda value: list(budget.steps(value)),
        "replace": replace,
        "round": lambda value, precision=0, method="common": filters["round"](value, min(precision, 20), method),
        "string": lambda value: filters["string"](budget.text(value)),
        "tojson": tojson,
    }
