"""Screenshots of real and made pages with every element's type, words, state, box and depth, and questions on them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal

from PIL import ImageChops
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import OURS, Draft, GeneratorConfig, Region, SourceItem, Turn, dialogue, source_item
from vergence.data.pictures import split_of, wording
from vergence.data.sources.manuals import MANUALS, pages_of
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.gui.browser import Site, opened, renderer, screenshot
from vergence.data.synthesis.gui.elements import Box, Element, type_name, unique_names, visible_elements
from vergence.data.synthesis.gui.gallery import make_page
from vergence.data.synthesis.gui.miniwob import TASKS, start, task_site
from vergence.errors import DataError
from vergence.processing.coordinates import format_box, format_point
from vergence.processing.media import decode_image
from vergence.verifiers.actions import click

VERSION = 2
PACKAGES = ("playwright",)

SIZES = ((1280, 720), (1024, 768), (960, 640), (800, 900), (412, 732))
"""Windows in CSS pixels; the last is a telephone's."""

WHERE = {
    "en": ("Where is the {type} “{name}”?", "Find the {type} “{name}”.", "Locate the {type} “{name}”."),
    "zh": ("{type}“{name}”在哪里？", "请找到{type}“{name}”。", "请定位{type}“{name}”。"),
}
POINT = {"en": " Answer with a point.", "zh": "请用点坐标回答。"}
BOX = {"en": " Give its bounding box.", "zh": "请给出它的边界框。"}
CLICK = {
    "en": ("Click the {type} “{name}”. Answer with Action: click(point='<point>x y</point>').",),
    "zh": ("点击{type}“{name}”。请以 Action: click(point='<point>x y</point>') 的形式回答。",),
}
COUNTED = ("button", "checkbox", "text field", "tab")
CONFUSED = {"button": ("link", "tab"), "link": ("button", "tab"), "tab": ("button", "link")}
"""Type of an element -> those that look like it on many pages."""
PLURALS = {"checkbox": "checkboxes"}


class Config(GeneratorConfig):
    """Pages and language."""

    source: Literal["mix", "made", "documentation", "miniwob"] = Field("mix", description="what pages are shown")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and made pages; mix: a third Chinese")
    turns: int = Field(4, ge=1, le=8, description="most questions about a page")


def generate(rng: random.Random, config: Config) -> Draft:
    """Show a page and ask about it. Raises `DataError` for one with too little on it."""
    language = config.language if config.language != "mix" else rng.choice(("en", "en", "zh"))
    source = config.source
    if source == "mix":
        source = rng.choice(("made", "made", "documentation", "miniwob"))
    if source == "made":
        made = make_page(rng, language, config.split)
        width, height = rng.choice(SIZES)
        return _shown(
            rng, made.site, (width, height), 1, language, config, made.sources, made.title, OURS, source, made.covered
        )
    if source == "miniwob":
        task = rng.choice([name for name in TASKS if split_of(f"miniwob/{name}") == config.split])
        site, item = task_site(task)
        return _shown(rng, site, (160, 210), 3, language, config, (item,), task, "MIT", source)
    manual = rng.choice(("gimp-help", "debian-handbook"))
    name = rng.choice(pages_of(manual, config.split))
    folder = package_folder(manual) / MANUALS[manual].folder
    path = f"{MANUALS[manual].languages['en']}/{name}.html"
    item = source_item(manual, f"{name}.html", (folder / path).read_bytes(), MANUALS[manual].licence)
    site = Site(path=f"manual/{path}", folders={"manual": folder})
    return _shown(rng, site, rng.choice(SIZES), 1, language, config, (item,), name, item.licence, source)


def _shown(
    rng: random.Random,
    site: Site,
    window: tuple[int, int],
    scale: int,
    language: str,
    config: Config,
    sources: Sequence[SourceItem],
    title: str,
    licence: str,
    source: str,
    covered: bool = False,
) -> Draft:
    size = (window[0] * scale, window[1] * scale)
    with opened(site, *window, scale=scale, seed=rng.getrandbits(31)) as page:
        if source == "miniwob":
            start(page, rng.getrandbits(31))
        else:
            page.evaluate("share => scrollTo(0, share * (document.documentElement.scrollHeight - innerHeight))",
                          rng.choice((0, 0, rng.random())))  # fmt: skip
        elements = visible_elements(page, scale)
        pictures = [screenshot(page)]
        changed = None
        if rng.random() < 0.2:
            changed = _change(rng, page, elements, scale)
            if changed:
                pictures.append(screenshot(page))
    turns = (
        [_changed_turn(changed_box(*pictures), size, language)]
        if changed
        else _turns(rng, elements, size, language, config.turns, covered)
    )
    if not turns:
        raise DataError(f"web page {title}: nothing on it can be asked about")
    messages, checks = dialogue(pictures, turns)
    shown = [element for element in elements if element.clickable or element.type in ("image", "heading")]
    return Draft(
        messages,
        checks,
        truth={
            "page": title,
            "pages": source,
            "window": list(window),
            "scale": scale,
            "elements": [element.record() for element in elements],
            "renderer": {**renderer(), "fonts": "embedded" if source == "made" else "system"},
        },
        capability="gui/change" if changed else "gui/grounding",
        domain="interface" if source != "documentation" else "documentation",
        difficulty=min(1.0, 0.1 + 0.012 * len(elements) + (0.2 if changed else 0.0)),
        language=language,
        licence=licence if source != "made" else next(
            (name for name in (OURS, "MIT", "ISC") if name in {item.licence for item in sources}), OURS
        ),
        source=f"{source}: {title}",
        sources=tuple(sources),
        regions=tuple(Region(f"{element.type}: {element.name}"[:60], element.box) for element in shown),
    )  # fmt: skip


def _turns(
    rng: random.Random, elements: Sequence[Element], size: tuple[int, int], language: str, most: int, covered: bool
) -> list[Turn]:
    """Questions of different forms about different elements."""
    targets = [
        e for e in unique_names(elements) if len(e.name) <= 60 and (e.clickable or e.type in ("image", "heading"))
    ]
    rng.shuffle(targets)
    turns: list[Turn] = []
    forms = ["point", "box", "click", "type", "read", "state", "nearest"]
    rng.shuffle(forms)
    for form in forms:
        if not targets:
            break
        turn = _asked(rng, form, targets, size, language)
        if turn is not None:
            turns.append(turn)
    counting = None if covered else _counted(rng, elements, language)
    if counting is not None:
        turns.insert(rng.randrange(len(turns) + 1), counting)
    return turns[:most]


def _asked(rng: random.Random, form: str, targets: list[Element], size: tuple[int, int], language: str) -> Turn | None:
    """A question of a form about one of the elements, which is taken out of them; None where none fits."""
    fitting = [e for e in targets if _fits(form, e)]
    if not fitting:
        return None
    element = fitting[0]
    targets.remove(element)
    names = {"type": _type(element, language), "name": element.name}
    place: dict[str, Any] = {"targets": element.targets, "size": list(size)}
    where = format_box(element.box, *size)
    if form == "point":
        question = wording(rng, WHERE[language], **names) + POINT[language]
        return Turn(question, format_point(element.middle, *size), {"verifier": "point", **place})
    if form == "box":
        check = {"verifier": "box", "target": list(element.box), "size": list(size)}
        return Turn(wording(rng, WHERE[language], **names) + BOX[language], where, check)
    if form == "click":
        check = {"verifier": "action", "action": "click", **place}
        return Turn(wording(rng, CLICK[language], **names), f"Action: {click(element.middle, size)}", check)
    if form == "type":
        question = {"en": f"What type of element is at {where}?", "zh": f"{where} 处是什么类型的元素？"}[language]
        types = ["button", "link", "text field", "checkbox", "tab", "drop-down list", "image", "heading"]
        unlike = (element.type, *CONFUSED.get(element.type, ()), *(("image",) if _is_icon(element) else ()))
        others = rng.sample([kind for kind in types if kind not in unlike], 3)
        return choice_turn(
            question, type_name(element.type, language), [type_name(kind, language) for kind in others], rng, language
        )
    if form == "read":
        question = {"en": f"What is written at {where}?", "zh": f"{where} 处写着什么？"}[language]
        return Turn(question, element.text, {"verifier": "exact", "target": element.text})
    if form == "state":
        return _state(element, language)
    return _nearest(element, targets, size, language)


def _is_icon(element: Element) -> bool:
    """Whether a button shows a picture alone, so that its name is written nowhere."""
    return element.type == "button" and element.tag != "input" and not element.text


def _type(element: Element, language: str) -> str:
    if _is_icon(element):
        return "图标按钮" if language == "zh" else "icon button"
    return type_name(element.type, language)


def _fits(form: str, element: Element) -> bool:
    if form == "read":
        return bool(element.text) and element.type not in ("text field", "drop-down list", "image")
    if form == "state":
        return element.type in ("checkbox", "radio button", "drop-down list") and bool(element.state)
    if form == "type":
        return element.type != "option"
    return form not in ("nearest", "click") or element.clickable


def _state(element: Element, language: str) -> Turn:
    if element.type == "drop-down list":
        question = {
            "en": f"Which option is chosen in the drop-down list “{element.name}”?",
            "zh": f"下拉列表“{element.name}”中选中的是哪一项？",
        }[language]
        return short_turn(question, element.state, {"verifier": "exact", "target": element.state}, language)
    on = element.state == "on"
    done = {"checkbox": ("ticked", "勾选")}.get(element.type, ("selected", "选中"))
    question = {"en": f"Is “{element.name}” {done[0]}?", "zh": f"“{element.name}”是否已{done[1]}？"}[language]
    answer = {"en": "Yes" if on else "No", "zh": "是" if on else "否"}[language]
    return short_turn(question, answer, {"verifier": "exact", "target": answer}, language)


def _nearest(element: Element, others: Sequence[Element], size: tuple[int, int], language: str) -> Turn | None:
    """Which of two elements stands higher; None where they are too close to tell."""
    far = [other for other in others if other.clickable and abs(other.middle[1] - element.middle[1]) > 30]
    if not far:
        return None
    other = far[0]
    upper = min(element, other, key=lambda each: each.middle[1])
    colon = "：" if language == "zh" else ": "
    places = [f"“{each.name}”{colon}{format_point(each.middle, *size)}" for each in (element, other)]
    question = {
        "en": f"Which is higher on the screen, “{element.name}” or “{other.name}”?",
        "zh": f"“{element.name}”和“{other.name}”，哪一个在屏幕上更靠上？",
    }[language]
    last = {"en": "The one with the smaller second number is higher.", "zh": "第二个坐标较小者更靠上。"}[language]
    check = {"verifier": "exact", "target": upper.name}
    return thought_turn(question, [*places, last], upper.name, check, language)


def _counted(rng: random.Random, elements: Sequence[Element], language: str) -> Turn | None:
    """How many of a type there are, where none of them is cut off or covered."""
    kinds = [kind for kind in COUNTED if any(e.type == kind for e in elements)]
    kinds = [kind for kind in kinds if all(e.plain for e in elements if e.type == kind)]
    if not kinds:
        return None
    kind = rng.choice(kinds)
    count = sum(e.type == kind for e in elements)
    if count > 15:
        return None
    plural = PLURALS.get(kind, f"{kind}s")
    icons = any(_is_icon(e) for e in elements if e.type == kind)
    question = {
        "en": f"How many {plural} can be seen{', icon buttons included' if icons else ''}?",
        "zh": f"可以看到多少个{type_name(kind, 'zh')}{'（包括图标按钮）' if icons else ''}？",
    }[language]
    return short_turn(question, str(count), {"verifier": "count", "target": count}, language)


def _change(rng: random.Random, page: Any, elements: Sequence[Element], scale: int) -> Element | None:
    """Change the looks of one element: it is hidden, its colours are turned over, or its mark is set."""
    targets = [e for e in elements if e.plain and (e.clickable or e.type == "heading")]
    if not targets:
        return None
    element = rng.choice(targets)
    how = "tick" if element.type in ("checkbox", "radio button") else rng.choice(("hide", "invert"))
    page.evaluate(
        """([x, y, how]) => {
            const found = document.elementFromPoint(x, y).closest(
                "a, button, input, select, textarea, [role], h1, h2, h3, h4, h5, h6"
            ) || document.elementFromPoint(x, y);
            if (how === "tick") found.checked = !found.checked;
            if (how === "hide") found.style.setProperty("visibility", "hidden", "important");
            if (how === "invert") found.style.setProperty("filter", "invert(1)", "important");
        }""",
        [element.middle[0] / scale, element.middle[1] / scale, how],
    )
    return element


def changed_box(before: bytes, after: bytes) -> Box:
    """The box of the pixels in which two screenshots differ. Raises `DataError` where nothing or a speck does."""
    differing = ImageChops.difference(decode_image(before).convert("RGB"), decode_image(after).convert("RGB"))
    found = differing.convert("L").point(lambda value: 255 if value >= 8 else 0).getbbox()
    if found is None or min(found[2] - found[0], found[3] - found[1]) < 4:
        raise DataError("web page: the change can't be seen")
    return found


def _changed_turn(box: Box, size: tuple[int, int], language: str) -> Turn:
    question = {
        "en": "The second screenshot was taken after something changed. Give the bounding box of what changed.",
        "zh": "第二张截图是在某处发生变化之后截取的。请给出发生变化之处的边界框。",
    }[language]
    check = {"verifier": "box", "target": list(box), "size": list(size)}
    return Turn(question, format_box(box, *size), check)
