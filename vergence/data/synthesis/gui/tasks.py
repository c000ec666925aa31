"""Tasks for episodes: MiniWoB's whose instructions can be read, and made pages that know when they are done."""

from __future__ import annotations

import html
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vergence.data.generator import SourceItem
from vergence.data.pictures import Split
from vergence.data.synthesis.gui.browser import Site
from vergence.data.synthesis.gui.episode import Intent
from vergence.data.synthesis.gui.gallery import VALUES, WORDS, document, header, theme


@dataclass(frozen=True, slots=True)
class Task:
    """A made task: its page, what it asks for, how it is done; `goal()` on the page says whether it is done."""

    name: str
    site: Site
    instruction: str
    intents: tuple[Intent, ...]
    sources: tuple[SourceItem, ...]


TOAST = (
    ".toast { position: fixed; right: 16px; bottom: 16px; padding: 8px 14px; background: #222; color: #fff;"
    " border: 1px solid #aaa }"
)
TELL = """
function tell(button) {
  for (const old of document.querySelectorAll(".toast")) old.remove();
  const toast = document.createElement("div");
  toast.className = "toast";
  toast.textContent = "TOLD" + button.textContent;
  document.body.append(toast);
}"""
"""Says which button was pressed, so that the last screenshot shows that it was."""


def _quoted(text: str) -> list[str]:
    return re.findall(r'"([^"]*)"', text)


def _listed(text: str) -> list[Intent]:
    names = text.removeprefix("Select ").removesuffix(" and click Submit.").removesuffix(".")
    chosen = [] if names == "nothing" else names.split(", ")
    return [*(Intent("click", name.strip()) for name in chosen), Intent("click", "Submit", "button")]


def _typed(texts: Sequence[str], button: str) -> list[Intent]:
    steps = []
    for number, text in enumerate(texts):
        steps += [Intent("click", type="text field", number=number), Intent("type", text=text)]
    return [*steps, Intent("click", button, "button")]


MINIWOB: Mapping[str, Callable[[str], list[Intent]]] = {
    "click-button": lambda text: [Intent("click", _quoted(text)[0], "button")],
    "click-link": lambda text: [Intent("click", _quoted(text)[0])],
    "click-test-2": lambda text: [Intent("click", "ONE", "button")],
    "click-tab": lambda text: [Intent("click", re.findall(r"Tab #\d", text)[0])],
    "click-button-sequence": lambda text: [Intent("click", "ONE"), Intent("click", "TWO")],
    "focus-text": lambda text: [Intent("click", type="text field", number=0)],
    "enter-text": lambda text: _typed(_quoted(text)[:1], "Submit"),
    "enter-password": lambda text: _typed(_quoted(text)[:1] * 2, "Submit"),
    "login-user": lambda text: _typed(_quoted(text)[:2], "Login"),
    "click-checkboxes": _listed,
    "click-option": _listed,
}
"""Task -> what its instruction asks for, step by step."""


def made_task(rng: random.Random, language: str, split: Split) -> Task:
    """A task on a page of one's own."""
    words = {name: rng.sample(list(these), len(these)) for name, these in WORDS[language].items()}
    css, folders = theme(rng, language, split)
    title = words["app"].pop()
    top, sources = header(rng, language, split, title)
    name = rng.choice(list(_MADE))
    body, instruction, intents, goal = _MADE[name](rng, words, language)
    told = {"en": "Pressed: ", "zh": "已点击："}[language]
    page = document(language, title, css + TOAST, f"{top}<main>{body}</main>", goal + TELL.replace("TOLD", told))
    site = Site(page, folders=folders)
    return Task(name, site, instruction, tuple(intents), sources)


Words = dict[str, list[str]]
Built = tuple[str, str, list[Intent], str]
"""HTML, the instruction, the intents, and a script that defines `goal`."""


def _form(rng: random.Random, words: Words, language: str) -> Built:
    """Fill in some of the fields, perhaps replace what is in one, tick a box, press the button."""
    fields = words["field"][:4]
    asked = sorted(rng.sample(range(4), rng.randint(1, 2)))
    values, filled = {}, {}
    for number in asked:
        values[number], old = rng.sample(VALUES[language][fields[number]], 2)
        if rng.random() < 0.3:
            filled[number] = old
    button, tick = words["button"][0], words["switch"][0] if rng.random() < 0.6 else ""
    rows = "".join(
        f'<div class="row"><label for="f{n}">{field}</label>'
        f'<input id="f{n}" value="{html.escape(filled.get(n, ""))}"></div>'
        for n, field in enumerate(fields)
    )
    rows += "".join(
        f'<div class="row"><input type="checkbox" id="t{n}"><label for="t{n}">{name}</label></div>'
        for n, name in enumerate(words["switch"][:2])
    )
    press = f'<button onclick="done = true; tell(this)">{button}</button>'
    body = f"<section><h2>{words['title'][0]}</h2>{rows}{press}</section>"
    intents: list[Intent] = []
    for number, value in values.items():
        intents.append(Intent("click", fields[number], "text field"))
        if number in filled:
            intents.append(Intent("hotkey", text="ctrl a"))
        intents.append(Intent("type", text=value))
    if tick:
        intents.append(Intent("click", tick, "checkbox"))
    intents.append(Intent("click", button, "button"))
    wanted = [values.get(n, "") for n in range(4)]
    goal = (
        f"let done = false; function goal() {{ return done && {json.dumps(wanted)}.every((text, n) =>"
        f' document.getElementById("f" + n).value === text) && t0.checked === {json.dumps(bool(tick))}'
        " && !t1.checked }"
    )
    parts = [
        {"en": f"set “{fields[n]}” to “{v}”", "zh": f"将“{fields[n]}”设为“{v}”"}[language] for n, v in values.items()
    ]
    if tick:
        parts.append({"en": f"tick “{tick}”", "zh": f"勾选“{tick}”"}[language])
    parts.append({"en": f"press “{button}”", "zh": f"点击“{button}”"}[language])
    return body, _sentence(parts, language), intents, goal


def _tabs(rng: random.Random, words: Words, language: str) -> Built:
    """Open a tab, and press a button on its panel."""
    tabs, buttons = words["nav"][:4], words["offer"][:4]
    target = rng.randrange(1, 4)
    bar = "".join(
        f'<div role="tab" tabindex="0" id="t{n}" onclick="show({n})" aria-selected="{str(n == 0).lower()}">{tab}</div>'
        for n, tab in enumerate(tabs)
    )
    panels = "".join(
        f'<section id="p{n}"{" hidden" if n else ""}><h2>{words["item"][n]}</h2><p>{words["blurb"][n]}</p>'
        f'<button onclick="pressed = {n}; tell(this)">{buttons[n]}</button></section>'
        for n in range(4)
    )
    body = f'<div style="flex: 1 1 100%"><nav role="tablist">{bar}</nav></div>{panels}'
    goal = (
        "let pressed = -1; function show(n) { for (let k = 0; k < 4; k++) {"
        ' document.getElementById("p" + k).hidden = k !== n;'
        ' document.getElementById("t" + k).setAttribute("aria-selected", k === n) } }'
        f" function goal() {{ return pressed === {target} }}"
    )
    intents = [Intent("click", tabs[target], "tab"), Intent("click", buttons[target], "button")]
    parts = {
        "en": [f"open the tab “{tabs[target]}”", f"press “{buttons[target]}”"],
        "zh": [f"打开选项卡“{tabs[target]}”", f"点击“{buttons[target]}”"],
    }[language]
    return body, _sentence(parts, language), intents, goal


def _long_list(rng: random.Random, words: Words, language: str) -> Built:
    """Scroll to an item of a long list and press its button."""
    verb = words["offer"][0] + ("：" if language == "zh" else ": ")
    items = words["item"]
    target = rng.randrange(5, len(items))
    cards = "".join(
        f'<section style="flex: 1 1 100%; min-height: 110px"><h2>{item}</h2><p>{rng.choice(words["blurb"])}</p>'
        f'<button onclick="pressed = {n}; tell(this)">{verb}{item}</button></section>'
        for n, item in enumerate(items)
    )
    name = f"{verb}{items[target]}"
    goal = f"let pressed = -1; function goal() {{ return pressed === {target} }}"
    parts = {"en": [f"find “{items[target]}” in the list", f"press its button “{name}”"],
             "zh": [f"在列表中找到“{items[target]}”", f"点击它的按钮“{name}”"]}[language]  # fmt: skip
    return cards, _sentence(parts, language), [Intent("click", name, "button")], goal


def _sort(rng: random.Random, words: Words, language: str) -> Built:
    """Drag an item into a folder."""
    items, folders = words["item"][:4], words["nav"][:3]
    item, folder = rng.randrange(4), rng.randrange(3)
    cards = "".join(f'<section role="option" id="i{n}" class="item">{name}</section>' for n, name in enumerate(items))
    bins = "".join(
        f'<section role="option" id="b{n}" class="bin" style="min-height: 90px">{name}</section>'
        for n, name in enumerate(folders)
    )
    body = (
        f"<style>body {{ user-select: none }}</style>{cards}"
        f'<div style="flex: 1 1 100%; display: flex; gap: 12px">{bins}</div>'
    )
    goal = (
        "let held = null, put = null;"
        " addEventListener('mousedown', (event) => { held = event.target.closest('.item') });"
        " addEventListener('mouseup', (event) => { const bin = event.target.closest('.bin'); if (held && bin) {"
        " put = [held.id, bin.id]; const kept = document.createElement('p');"
        " kept.textContent = '• ' + held.textContent;"
        " kept.style.margin = '8px 0 0'; bin.append(kept); held.remove() } held = null });"
        f" function goal() {{ return put !== null && put[0] === 'i{item}' && put[1] === 'b{folder}' }}"
    )
    parts = {"en": [f"drag “{items[item]}” into “{folders[folder]}”"],
             "zh": [f"把“{items[item]}”拖到“{folders[folder]}”中"]}[language]  # fmt: skip
    return body, _sentence(parts, language), [Intent("drag", items[item], onto=folders[folder])], goal


def _sentence(parts: Sequence[str], language: str) -> str:
    if language == "zh":
        return "请" + "，然后".join(parts) + "。"
    text = ", then ".join(parts) + "."
    return text[0].upper() + text[1:]


_MADE: Mapping[str, Callable[[random.Random, Words, str], Built]] = {
    "form": _form,
    "tabs": _tabs,
    "long-list": _long_list,
    "sort": _sort,
}
