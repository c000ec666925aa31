"""One function for every kind of check that a generated sample carries: is this response right?

A check is plain data, so that it can stand in a shard:
`{"verifier": "box", "target": [10, 20, 50, 80], "size": [640, 480]}`.
The response may think first: what counts is what stands behind `</think>`, and in that behind the last line that begins
with "Answer:" or "答案：", or else all of it. A thought that was cut off answers nothing. Where a rule compares
words, what is commonly put around an answer (emphasis, quotes, a box, bullets) doesn't count.

Boxes and points are read strictly, in the one form that Seed1.5-VL publishes and that is trained here: `<bbox>1 2 3 4
</bbox>`, `<point>1 2</point>`, whole numbers with white space between (`vergence.processing.coordinates`). With commas
(`<point>1, 2</point>`) they are wrong, or a reward would teach a second form, in which actions such as
`click(point='<point>1 2</point>')` can't be read. Other models' forms are evaluated by `vergence.verifiers.boxes`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from vergence.errors import UsageError
from vergence.processing.coordinates import iou, parse_boxes, parse_points
from vergence.verifiers.boxes_3d import BOX_IOU_3D, box_of_numbers, iou_3d, parse_boxes_3d
from vergence.verifiers.choice import read_choice
from vergence.verifiers.counting import read_count
from vergence.verifiers.maths import boxed, equal, final_answer, tagged
from vergence.verifiers.places import f1, match_boxes, point_in_box
from vergence.verifiers.text import exact, levenshtein, read_number

Check = Mapping[str, Any]

_ANSWER = re.compile(
    r"^[ \t>*_#]*(?:(?:the )?(?:final |correct )?answer(?: is)?|(?:最终|正确)?答案[是为]?)[*_]*[ \t]*[:：][*_]*[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_SEPARATOR = re.compile(r"\s*(?:,|;|，|、|；|→|[-=]>|\\(?:right)?arrow\b|\\to\b|\n)\s*")
_BULLET = re.compile(r"^(?:[-*•]|\d{1,2}[.)])\s+")
_AND = re.compile(r"^and\s+", re.IGNORECASE)
_JOINED = re.compile(r"\s+and\s+|和|与|以及", re.IGNORECASE)
_AROUND = " \t\r\n*_`$\"'“”‘’"
_LATEX_TEXT = re.compile(r"^\\(?:text|math)(?:rm|bf|it|sf|tt)?\{([^{}]*)\}$")
LONGEST_SMILES = 1000
_TIMES = re.compile(
    r"(?<![A-Za-z\d_.:])(?:(\d{1,3}):)?(\d+(?:\.\d+)?)(?!:\d)(?=\s*(?:s|sec|secs|seconds?|秒)?(?![A-Za-z\d.]\w))"
)

_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|，|\\,)(?=\d{3})")
_TEN_TO = re.compile(r"(?<=\d)\s*(?:×|x|\*|·|\\times|\\cdot)\s*10\s*\^\s*\{?([-+]?\d{1,3})\}?")
_POWER = re.compile(r"(?<=[A-Za-z°])\^\{?[-−+]?\d+\}?|(?<![A-Za-z])(?:[cdkµ]?m|ft|in)[23]\b")
_FRACTION = re.compile(r"([-−]?)\\?(?:[dt]?frac\{(\d{1,30})\}\{(\d{1,30})\}|(\d{1,30})\s*/\s*(\d{1,30}))")
_NUMBERS = re.compile(
    r"(?:(?<![\d.])[-+−–])?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
    r"(?:\s*(?:千|万|萬|亿|億|(?i:thousand|million|billion|trillion)\b))?"
)
_SCALES = {"千": 10**3, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}


def answer_part(response: str) -> str:
    """What a response gives as its answer: what stands behind its thought and its last "Answer:", or all of it."""
    text = _spoken(response)
    marks = list(_ANSWER.finditer(text))
    return text[marks[-1].end() :].strip() if marks else text


def _spoken(response: str) -> str:
    """What a response says behind its thought; nothing where the thought never ends."""
    text = response.rpartition("</think>")[2].strip()
    return "" if text.startswith("<think>") else text


def verify(check: Check, response: str) -> float | None:
    """How right a response is, in 0..1; None for a check that no rule decides (`open`), such as a caption.

    Raises `ValueError` for a check of an unknown verifier and `KeyError` for one that lacks something.
    """
    rule = RULES.get(check["verifier"])
    if rule is None:
        raise ValueError(f"unknown verifier {check['verifier']!r}; known are {', '.join(RULES)}")
    score = rule(check, answer_part(response))
    if rule is _text and score is not None:  # a page may have a line "Answer:" of its own
        return max(score, _text(check, _spoken(response)))
    return score


def _bare(answer: str) -> str:
    """An answer without tags, a box, emphasis, quotes and a full stop around it."""
    text = _stripped(tagged(answer) or answer)
    text = _stripped(boxed(text) or text)
    return _stripped(_LATEX_TEXT.sub(r"\1", text))


def _stripped(text: str) -> str:
    return text.lstrip(_AROUND).rstrip(_AROUND + ".。")


def _exact(check: Check, answer: str) -> float:
    """Equal to `target`, or to one of `accepted`, but for case, white space and a full stop at the end."""
    given = (answer.strip().rstrip(".。").strip(), _bare(answer))
    wanted = [str(text).rstrip(".。") for text in (check["target"], *check.get("accepted", ()))]
    return float(any(exact(one, text) for one in given for text in wanted))


def _choice(check: Check, answer: str) -> float:
    """The option number `target` of `choices`, by letter or text."""
    return float(read_choice(answer, check["choices"]).index == check["target"])


def _count(check: Check, answer: str) -> float:
    """The whole number `target`."""
    return float(read_count(answer) == check["target"])


def _number(check: Check, answer: str) -> float:
    """The number `target` within `tolerance`, absolute, or `relative`, a share of it; whichever is larger."""
    found = _last_number(boxed(answer) or answer)
    if found is None:
        return 0.0
    target = float(check["target"])
    room = max(float(check.get("tolerance", 0.0)), abs(target) * float(check.get("relative", 0.0)), 1e-9)
    return float(abs(found - Fraction(target)) <= Fraction(room))


def _last_number(text: str) -> Fraction | None:
    """The number that a text is, or the last one in it; powers of units aren't numbers, and a range is none."""
    text = _TEN_TO.sub(r"e\1", _THOUSANDS.sub(",", text.strip().rstrip("。").rstrip(".")))
    if (whole := read_number(text)) is not None:
        return whole.value
    if (fraction := _FRACTION.fullmatch(_stripped(text))) is not None:
        sign, *parts = fraction.groups()
        above, below = (int(part) for part in parts if part)
        return Fraction(-above if sign else above, below) if below else None
    text = _POWER.sub("", text)
    numbers = list(_NUMBERS.finditer(text))
    if not numbers or re.search(r"\d(?:[-−–~～]|\s+[–~～]\s*)$", text[: numbers[-1].start()]):
        return None
    written = numbers[-1][0].rstrip(",").replace("−", "-").replace("–", "-")
    scale = _SCALES.get(written[-1], 1)
    found = read_number(written[:-1] if scale > 1 else written)
    return found.value * scale if found else None


def _text(check: Check, answer: str) -> float:
    """1 - edit distance / longer length to `target`, with single spaces; case counts."""
    first, second = (" ".join(str(text).split()) for text in (answer, check["target"]))
    longest = max(len(first), len(second))
    return 1 - levenshtein(first, second) / longest if longest else 1.0


def _box(check: Check, answer: str) -> float:
    """The first `<bbox>` overlaps `target` (pixels of a picture of `size`) with an IoU of at least `threshold`, 0.5."""
    boxes = parse_boxes(answer, *check["size"])
    return float(bool(boxes) and iou(boxes[0], check["target"]) >= check.get("threshold", 0.5))


def _boxes(check: Check, answer: str) -> float:
    """F1 of a one-to-one matching of the `<bbox>`es with `targets` at an IoU of 0.5."""
    matching = match_boxes(parse_boxes(answer, *check["size"]), check["targets"], check.get("threshold", 0.5))
    return f1(len(matching.pairs), matching.predicted, matching.expected)


def _box3d(check: Check, answer: str) -> float:
    """The first `<3dbbox>` overlaps `target` (nine numbers in the format's units) with an IoU of `threshold`, 0.25, and
    its centre lies within `distance` metres of the target's, where that is given."""
    boxes = parse_boxes_3d(answer)
    if not boxes:
        return 0.0
    target = box_of_numbers(check["target"])
    near = math.dist(boxes[0].centre, target.centre) <= check.get("distance", math.inf)
    return float(near and iou_3d(boxes[0], target) >= check.get("threshold", BOX_IOU_3D))


def _point(check: Check, answer: str) -> float:
    """The first `<point>` lies in one of the boxes of `targets`, or within `radius` pixels of one that is a point."""
    points = parse_points(answer, *check["size"])
    return float(bool(points) and any(_near(points[0], target, check) for target in check["targets"]))


def _points(check: Check, answer: str) -> float:
    """F1 of points and `targets`: each target is met once at most, by the first point that lies in it."""
    points, left = parse_points(answer, *check["size"]), list(check["targets"])
    expected, met = len(left), 0
    for point in points:
        found = next((target for target in left if _near(point, target, check)), None)
        if found is not None:
            left.remove(found)
            met += 1
    return f1(met, len(points), expected)


def _near(point: tuple[float, float], target: list[float], check: Check) -> bool:
    if len(target) == 4:
        return point_in_box(point, target)
    return math.dist(point, target) <= check["radius"]


def _sequence(check: Check, answer: str) -> float:
    """The items of `target` in their order, separated by commas, arrows or line breaks."""
    wanted = [str(item) for item in check["target"]]
    return float(
        any(len(items) == len(wanted) and all(map(exact, items, wanted)) for items in _readings(answer, wanted))
    )


def _set(check: Check, answer: str) -> float:
    """F1 of the items of `target`, in any order."""
    wanted = [str(item) for item in check["target"]]
    expected = {_folded(item) for item in wanted}
    found = []
    for items in _readings(answer, wanted):
        given = {part for item in map(_folded, items) for part in ([item] if item in expected else _JOINED.split(item))}
        found += [set(map(_folded, items)), given]
    return max(f1(len(items & expected), len(items), len(expected)) for items in found)


def _folded(item: str) -> str:
    return " ".join(item.split()).casefold()


def _readings(answer: str, wanted: Sequence[str]) -> list[list[str]]:
    """The ways to read a list: as it stands; without bullets and what is around items; words, where each is one."""
    plain = [item.strip() for item in _SEPARATOR.split(answer.strip().rstrip(".。")) if item.strip()]
    text = _bare(answer)
    inner = text[1:-1] if text[:1] + text[-1:] in ("[]", "()", "{}") else text
    bare = [_bare(_AND.sub("", _BULLET.sub("", item))) for item in _SEPARATOR.split(inner)]
    readings = [plain, [item for item in bare if item]]
    words = inner.split()
    if len(words) == len(wanted) and not any(" " in item for item in wanted):
        readings.append(words)
    return readings


def _interval(check: Check, answer: str) -> float:
    """The first two numbers are an interval in seconds whose overlap with `target` is at least 0.5 of their union."""
    numbers = [60 * float(minutes or 0) + float(seconds) for minutes, seconds in _TIMES.findall(answer)][:2]
    if len(numbers) < 2 or numbers[0] >= numbers[1]:
        return 0.0
    (start, end), (first, last) = numbers, check["target"]
    shared = max(0.0, min(end, last) - max(start, first))
    return float(shared / (max(end, last) - min(start, first)) >= check.get("threshold", 0.5))


def _json(check: Check, answer: str) -> float:
    """JSON equal to `target`; a fence around it is taken off, and numbers may be written in either way."""
    fenced = re.findall(r"```(?:json)?\s*(.*?)```", answer, re.DOTALL | re.IGNORECASE)
    try:
        return float(_same_json(json.loads(fenced[-1] if fenced else answer), check["target"]))
    except (ValueError, RecursionError):
        return 0.0


def _same_json(found: Any, wanted: Any) -> bool:
    """Equality of JSON values, of which true isn't 1."""
    if isinstance(wanted, Mapping):
        same = isinstance(found, dict) and found.keys() == wanted.keys()
        return same and all(_same_json(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list | tuple):
        same = isinstance(found, list) and len(found) == len(wanted)
        return same and all(map(_same_json, found, wanted))
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def _open(check: Check, answer: str) -> None:
    """A caption or description, which no rule decides; `target` is a reference."""


def _puzzle(check: Check, answer: str) -> float:
    """Any solution of the puzzle `puzzle` in the state that the check holds."""
    from vergence.verifiers.puzzles.rules import solves

    return float(solves(check, answer))


def _table(check: Check, answer: str) -> float:
    """The share of cells equal to the rows of `target`, numbers within the share `tolerance`; Markdown, HTML, LaTeX."""
    from vergence.verifiers.tables import table_score

    return table_score(answer, check["target"], check.get("tolerance", 0.0))


def _action(check: Check, answer: str) -> float:
    """The action that a step of a trajectory wants, in Seed's action grammar."""
    from vergence.verifiers.actions import action_score

    return action_score(answer, check)


def _maths(check: Check, answer: str) -> float:
    """Mathematically equal to `target`, LaTeX or plain, or after rounding to `decimals`."""
    return float(equal(final_answer(answer) or answer, check["target"], decimals=check.get("decimals")) is True)


def _smiles(check: Check, answer: str) -> float:
    """A SMILES of the same molecule as `target`; `stereo` says whether its stereochemistry counts too."""
    stereo = bool(check.get("stereo", False))
    text = re.sub(r"\s\([^()]*\)[.\s]*$", "", _bare(answer))  # a name behind it
    words = text.replace("`", " ").replace("$", " ").replace("*", " ").split()
    found = canonical_smiles(words[-1].rstrip(".,。"), stereo=stereo) if words else None
    return float(found is not None and found == canonical_smiles(check["target"], stereo=stereo))


def canonical_smiles(smiles: str, *, stereo: bool) -> str | None:
    """RDKit's one way to write a molecule; None for what is no SMILES. Raises `UsageError` where RDKit is missing."""
    try:
        from rdkit import Chem, rdBase
    except ImportError:
        raise UsageError("comparing molecules needs rdkit: pip install 'vergence[render]'") from None
    rdBase.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(smiles) if len(smiles) <= LONGEST_SMILES else None
    return Chem.MolToSmiles(molecule, isomericSmiles=stereo) if molecule is not None else None


RULES: dict[str, Callable[[Check, str], float | None]] = {
    "exact": _exact,
    "choice": _choice,
    "count": _count,
    "number": _number,
    "text": _text,
    "box": _box,
    "boxes": _boxes,
    "box3d": _box3d,
    "point": _point,
    "points": _points,
    "sequence": _sequence,
    "set": _set,
    "interval": _interval,
    "json": _json,
    "puzzle": _puzzle,
    "table": _table,
    "action": _action,
    "maths": _maths,
    "smiles": _smiles,
    "open": _open,
}
"""Verifier -> its rule. Adding one here makes it known to every generator, filter and reward."""
