"""Letters that an answer ends with or mentions as options, where no statement says which one is the answer."""

from __future__ import annotations

import re

from vergence.verifiers.labels import CLOSED, LATIN, QUOTE, REASON, TARGET, UPPER, index_of, listed
from vergence.verifiers.option_texts import LONGEST
from vergence.verifiers.statements import doubted

_SHORT = 120
"""Characters of an answer whose every sentence is looked at for letters."""

_LEADS = (
    r"so|thus|therefore|hence|then|is|be|it['’]s|that['’]s|but|think|believe|guess|say|conclude|suggests?|indicates?|means?|"
    r"matches|fits|leaves|leaving|with|option|choice|letter|definitely|certainly|clearly|obviously|surely"
)
_LEADS_CHINESE = r"因此|所以|故|综上|是|为|选"
_SIGNS = r"→|[-=]+>|∴|\?|,"
_END = re.compile(
    rf"(?:(?i:(?<!\w)(?:{_LEADS}))\s*,?\s*|(?:{_LEADS_CHINESE})\s*,?\s*|(?P<sign>{_SIGNS})\s*(?:(?i:so|thus|hence)\s+)?)"
    rf"(?i:it\s+is\s+|it['’]s\s+|must\s+be\s+)?(?i:only\s+|\w+ly\s+)?(?!I(?!\s*[.)])\b){TARGET}\s*[.。!)\]吧呢啊]*$"
)
_NOT_YET = re.compile(
    r"(?:\b(?:or|and|also|not|never|cannot|might|may|could|maybe|perhaps|anything|everything|nothing|all)|n['’]t|也(?:可能)?)\s*$",
    re.IGNORECASE,
)

_LOOKED_AT = re.compile(
    r"(?:\b(?:figure|fig\.?|panel|table|equation|eq\.?|section|step|part|shown\s+in|see|consider\w*|check\w*|examin\w+|"
    r"evaluat\w+|look\w*\s+at|start\w*\s+with|compar\w+\s+(?:to|with)|like|unlike|than|not|cannot|never|except|anything|"
    r"everything|neither|nor)|n['’]t)\s*(?:option|choice)?\s*$",
    re.IGNORECASE,
)


def ending(text: str) -> list[int]:
    """A letter at the very end, behind a word or sign that leads to it: "A rabbit is shown, so B"."""
    match = _END.search(text[-LONGEST:])
    if match is None or doubted(match.string, match.start()):
        return []
    before = match.string[: match.start()].rstrip()
    # Between two letters or numbers a sign joins them ("A → B"), and doesn't lead to an answer.
    joined = match["sign"] not in (None, "?") and re.search(rf"(?<![{LATIN}])(?:[A-Za-z]|\d+)[)\].]?$", before)
    return [] if joined or _NOT_YET.search(before) or _LOOKED_AT.search(before) else [index_of(match)]


_MENTION = re.compile(
    rf"(?<!\w)\(\s*([A-Z])\s*\)|\[([A-Z])\]|(?i:\b(?:option|choice)|选项)\s*{QUOTE}(?:{UPPER})"
    rf"|(?i:\b(?:{_LEADS}))\s*{QUOTE}(?!I\b)(?:{UPPER})(?:(?!\s*=){CLOSED}|(?=\s+(?:{REASON})\b))"
)
WRONG = re.compile(
    r"[\"”'’)\].:]*\s*(?:(?:is|was|seems|looks|can|could|does|would|should|are)(?:n['’]t|\s+not|\s+(?:never|hardly|wrong|"
    r"incorrect|false|ruled|out|unlikely|impossible|(?:an?|the)\s+wrong))|can(?:no|['’])t|wrong|incorrect|false|no)\b"
    r"|[.:)]\s*[Nn]o[.,;]\s*[A-J][.:)]|[\"”'’)\].:]*\s*(?:选项)?(?:是)?(?:不|错|非|排除)"
)
"""What follows a letter that is said to be wrong."""


def gist(text: str, whole: int = LONGEST) -> str:
    """What of an answer is looked at for what it mentions: all of a short one, of a longer one its last sentence.

    A long answer that ends within a sentence was cut off on its way, and has no gist.
    """
    ended = re.search(r"[.!?。！？)]\s*$", text) is not None
    if len(text) <= (whole if ended else _SHORT):
        return text
    sentence = re.search(r"[^.!?。！？\n]*[.!?。！？]?\s*$", text[-LONGEST:])
    return sentence[0].strip() if sentence and ended else ""


def mentioned(text: str) -> list[int]:
    """The letters that are mentioned as options: in brackets, or behind a word such as "option" or "so"."""
    text = gist(text, _SHORT)
    found: list[int] = []
    for match in _MENTION.finditer(text):
        before, behind = text[: match.start()], text[match.end() :]
        denied = WRONG.match(behind) or _LOOKED_AT.search(before) or doubted(text, match.start())
        if not denied and not re.match(r"[^.!\n]*\?", behind):
            found += listed(text, match)
    return found
