"""What can be seen on a page: type, name, text, state, box and depth of each element, asked of the browser at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

Box = tuple[float, float, float, float]

NAMES: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "link": "链接",
        "button": "按钮",
        "drop-down list": "下拉列表",
        "text field": "输入框",
        "image": "图片",
        "heading": "标题",
        "table cell": "表格单元格",
        "code": "代码块",
        "checkbox": "复选框",
        "radio button": "单选按钮",
        "switch": "开关",
        "tab": "选项卡",
        "menu item": "菜单项",
        "slider": "滑块",
        "option": "选项",
        "text": "文本",
    }
}
"""Language -> type of element -> its word there; English is the type itself."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element that can be seen, at least in part.

    `name` is what a person would call it (its label, its own words, the text that stands for a picture), `text` what is
    written in it, `state` "on" or "off", the text typed or the option chosen. `box` is in pixels of the screenshot, cut
    at its border; `visible` the share of five points of the element that nothing else covers; `centre` whether its
    middle is one of them; `lines` in how many pieces it is laid out. `label` is the box of the words that belong to a
    control, a click on which does what one on the control does.
    """

    type: str
    name: str
    text: str
    state: str
    box: Box
    depth: int
    visible: float
    lines: int
    centre: bool
    whole: bool
    clickable: bool
    tag: str
    id: str
    label: Box | None = None

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the box."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def plain(self) -> bool:
        """Whether it stands there whole, in one piece and with nothing over it, so that its box is beyond doubt."""
        return self.whole and self.centre and self.visible == 1 and self.lines == 1

    def record(self) -> dict[str, Any]:
        """The element as plain data."""
        found = asdict(self)
        found["box"] = [round(value, 2) for value in self.box]
        del found["label"]
        return found

    @property
    def targets(self) -> list[list[float]]:
        """Where a click does what the element does."""
        return [list(self.box), *([list(self.label)] if self.label else [])]


@cache
def _script() -> str:
    return (files("vergence.data.synthesis.gui") / "elements.js").read_text(encoding="utf-8")


def visible_elements(page: Page, scale: float = 1) -> tuple[Element, ...]:
    """The elements in the order of the document; boxes are CSS pixels times `scale`."""
    found = page.evaluate(_script())
    return tuple(
        Element(**{**record, "box": _scaled(record["box"], scale), "label": _scaled(record["label"], scale)})
        for record in found
    )


def _scaled(box: Sequence[float] | None, scale: float) -> tuple[float, ...] | None:
    return None if box is None else tuple(float(value) * scale for value in box)


def type_name(kind: str, language: str) -> str:
    """The word for a type of element."""
    return NAMES.get(language, {}).get(kind, kind)


def unique_names(elements: Sequence[Element]) -> list[Element]:
    """Those whose name no other element of the page bears, and that can be pointed at."""
    count: dict[str, int] = {}
    for element in elements:
        for words in {element.name.casefold(), element.text.casefold()}:
            count[words] = count.get(words, 0) + 1
    return [e for e in elements if e.plain and e.name and count[e.name.casefold()] == 1]
