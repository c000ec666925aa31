"""Made pages: forms, menus, tables, cards, settings and dialogs in seeded themes, with real icons."""

from __future__ import annotations

import html
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vergence.data.generator import SourceItem
from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.gui.browser import Site
from vergence.data.synthesis.gui.icon_sets import SETS, MeaningIcon, meaning_icons, svg

FONTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        "Noto Sans": ("font-noto-sans", "noto-sans-latin"),
        "Open Sans": ("font-open-sans", "open-sans-latin"),
        "Noto Serif": ("font-noto-serif", "noto-serif-latin"),
    },
    "zh": {"Noto Sans SC": ("font-noto-sans-sc", "noto-sans-sc-chinese-simplified")},
}
"""Language -> name of a font -> its source package and the beginning of its file names."""

WORDS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "app": ("Harbour Mail", "Field Notes", "Ledger", "Clinic Desk", "Greenhouse", "Transit Planner", "Studio Shop"),
        "nav": ("Overview", "Orders", "Customers", "Messages", "Reports", "Invoices", "Team", "Projects", "Archive"),
        "field": ("First name", "Last name", "Email", "Phone number", "City", "Postcode", "Company", "Street",
                  "Order number", "Comment"),
        "choice": ("Country", "Time zone", "Currency", "Delivery", "Category", "Priority"),
        "option": ("Standard", "Express", "Automatic", "Basic", "Premium", "Monthly", "Yearly", "Manual"),
        "switch": ("Email alerts", "Two-step sign-in", "Weekly summary", "Offline mode", "Large text", "Sounds",
                   "Share usage data", "Automatic updates"),
        "button": ("Apply", "Continue", "Reset", "Preview", "Publish", "Register", "Subscribe", "Export", "Accept"),
        "item": ("Desk lamp", "Rain jacket", "Teapot", "Backpack", "Wall clock", "Garden hose", "Notebook", "Tripod",
                 "Blanket", "Kettle"),
        "column": ("Item", "Price", "Stock"),
        "title": ("Your details", "New order", "Account settings", "Contact form", "Preferences"),
        "text": ("Changes take effect at the next start.", "Fields may be left empty.", "Prices include tax.",
                 "We answer within two working days."),
        "dialog": ("Leave this page?", "Keep these changes?", "Remove the draft?"),
        "yes": ("Leave", "Keep", "Remove"),
        "no": ("Not now", "Stay here", "Dismiss"),
    },
    "zh": {
        "app": ("海港邮箱", "田野笔记", "家庭账本", "诊所助手", "温室管理", "出行规划", "工作室商店"),
        "nav": ("概览", "订单", "客户", "消息", "报表", "发票", "团队", "项目", "归档"),
        "field": ("姓名", "昵称", "电子邮箱", "电话号码", "城市", "邮政编码", "公司", "街道", "订单编号", "备注"),
        "choice": ("国家", "时区", "货币", "配送方式", "类别", "优先级"),
        "option": ("标准", "加急", "自动", "基础版", "高级版", "按月", "按年", "手动"),
        "switch": ("邮件提醒", "两步登录", "每周摘要", "离线模式", "大号字体", "提示音", "共享使用数据", "自动更新"),
        "button": ("应用", "继续", "重置", "预览", "发布", "注册", "订阅", "导出", "接受"),
        "item": ("台灯", "雨衣", "茶壶", "背包", "挂钟", "水管", "笔记本", "三脚架", "毛毯", "水壶"),
        "column": ("商品", "价格", "库存"),
        "title": ("您的资料", "新建订单", "账户设置", "联系表单", "偏好设置"),
        "text": ("更改将在下次启动时生效。", "各项均可留空。", "价格已含税。", "我们会在两个工作日内答复。"),
        "dialog": ("离开此页面？", "保留这些更改？", "移除草稿？"),
        "yes": ("离开", "保留", "移除"),
        "no": ("暂不", "留在此处", "忽略"),
    },
}  # fmt: skip

HUES = tuple(range(0, 360, 15))
"""The hue of a theme is a source item of the split."""


@dataclass(frozen=True, slots=True)
class Made:
    """A made page: what to open, and the icons in it."""

    site: Site
    sources: tuple[SourceItem, ...]
    title: str
    covered: bool
    """Whether a dialog lies over the rest of the page."""


@cache
def _hues(split: Split) -> tuple[int, ...]:
    return tuple(hue for hue in HUES if split_of(f"theme/{hue}") == split)


def theme(rng: random.Random, language: str, split: Split) -> tuple[str, dict[str, Path]]:
    """CSS of a random theme, and the source packages of its fonts by name."""
    package, file = rng.choice(list(FONTS[language].values()))
    hue, dark = rng.choice(_hues(split)), rng.random() < 0.25
    paper, card, ink, line = (
        (f"hsl({hue} 12% 12%)", f"hsl({hue} 12% 18%)", "#eceff4", f"hsl({hue} 10% 32%)")
        if dark
        else (f"hsl({hue} 24% 96%)", "#ffffff", "#22262e", f"hsl({hue} 14% 78%)")
    )
    accent = f"hsl({hue} {rng.choice((45, 60, 75))}% {rng.choice((32, 38))}%)"
    radius, space = rng.choice((0, 3, 6, 12, 18)), rng.choice((8, 10, 12))
    faces = "".join(
        f"@font-face {{ font-family: page; font-weight: {weight};"
        f" src: url(/{package}/package/files/{file}-{weight}-normal.woff2) }}\n"
        for weight in (400, 700)
    )
    css = f"""{faces}
* {{ box-sizing: border-box; font-family: page, sans-serif; }}
body {{ margin: 0; background: {paper}; color: {ink}; font-size: {rng.choice((14, 15, 16))}px; }}
header {{ display: flex; align-items: center; gap: {space}px; padding: {space}px 16px; background: {accent};
  color: #fff; }}
header b {{ font-size: 1.2em; margin-right: auto; }}
header button {{ background: transparent; color: #fff; padding: 4px; }}
button svg {{ display: block; width: 20px; height: 20px; }}
nav {{ display: flex; gap: 4px; padding: 6px 16px 0; border-bottom: 1px solid {line}; }}
nav [role=tab] {{ padding: 6px 12px; border: 1px solid transparent; border-radius: {radius}px {radius}px 0 0; }}
nav [aria-selected=true] {{ background: {card}; border-color: {line}; font-weight: 700; }}
main {{ padding: 16px; display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }}
section {{ background: {card}; border: 1px solid {line}; border-radius: {radius}px; padding: 14px; flex: 1 1 250px; }}
h2 {{ margin: 0 0 {space}px; font-size: 1.1em; }}
p {{ margin: 0 0 {space}px; }}
.row {{ display: flex; align-items: center; gap: {space}px; margin-bottom: {space}px; }}
.row label {{ flex: 1; }}
input:not([type=checkbox]):not([type=radio]), select {{ flex: 1.4; min-width: 90px; padding: 6px; background: {paper};
  color: {ink}; border: 1px solid {line}; border-radius: {min(radius, 8)}px; font-size: 1em; }}
button {{ border: 0; padding: 7px 14px; border-radius: {radius}px; background: {accent}; color: #fff; font-size: 1em; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid {line}; padding: 6px 8px; text-align: left; }}
.shade {{ position: fixed; inset: 0; background: rgb(0 0 0 / 45%); display: flex; align-items: center;
  justify-content: center; }}
.shade section {{ flex: 0 0 280px; }}
"""
    return css, {package: package_folder(package)}


def document(language: str, title: str, css: str, body: str, script: str = "") -> str:
    """A whole HTML page."""
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{css}</style></head><body>{body}<script>{script}</script></body></html>"
    )


def icon_button(found: MeaningIcon, language: str) -> str:
    """A button with an icon, whose label isn't shown."""
    label = found.meaning.name_zh if language == "zh" else found.meaning.name
    return f'<button aria-label="{html.escape(label)}">{svg(found.icon, "currentColor").split("-->")[-1]}</button>'


def header(rng: random.Random, language: str, split: Split, title: str) -> tuple[str, tuple[SourceItem, ...]]:
    """The bar on top of a page with icon buttons."""
    package = rng.choice(list(SETS))
    chosen = rng.sample(meaning_icons(package, split), rng.randint(2, 5))
    buttons = "".join(icon_button(found, language) for found in chosen)
    return f"<header><b>{title}</b>{buttons}</header>", tuple(found.icon.source() for found in chosen)


def make_page(rng: random.Random, language: str, split: Split) -> Made:
    """A page of random parts."""
    words = {name: rng.sample(list(these), len(these)) for name, these in WORDS[language].items() if name != "column"}
    css, folders = theme(rng, language, split)
    title = words["app"].pop()
    top, sources = header(rng, language, split, title)
    tabs = "".join(
        f'<div role="tab" tabindex="0" aria-selected="{str(number == 0).lower()}">{words["nav"].pop()}</div>'
        for number in range(rng.randint(3, 5))
    )
    tabs = f'<nav role="tablist">{tabs}</nav>' if rng.random() < 0.8 else ""
    makers = rng.sample((_form, _settings, _table, _cards), rng.randint(2, 4))
    parts = "".join(make(rng, words, language) for make in makers)
    dialog = _dialog(rng, language) if rng.random() < 0.2 else ""
    page = document(language, title, css, f"{top}{tabs}<main>{parts}</main>{dialog}")
    return Made(Site(page, folders=folders), sources, title, bool(dialog))


Words = dict[str, list[str]]


def _form(rng: random.Random, words: Words, language: str) -> str:
    rows = ""
    for number in range(rng.randint(2, 4)):
        name = words["field"].pop()
        value = f' value="{rng.choice(words["item"])}"' if rng.random() < 0.3 else ""
        rows += f'<div class="row"><label for="f{number}">{name}</label><input id="f{number}"{value}></div>'
    options = "".join(f"<option>{text}</option>" for text in rng.sample(words["option"], 4))
    choice = words["choice"].pop()
    rows += f'<div class="row"><label for="choice">{choice}</label><select id="choice">{options}</select></div>'
    buttons = "".join(f"<button>{words['button'].pop()}</button> " for _ in range(rng.randint(1, 2)))
    return f'<section><h2>{words["title"].pop()}</h2>{rows}<div class="row">{buttons}</div></section>'


def _settings(rng: random.Random, words: Words, language: str) -> str:
    rows = "".join(
        f'<div class="row"><input type="checkbox" id="s{number}"{rng.choice(("", " checked"))}>'
        f'<label for="s{number}">{words["switch"].pop()}</label></div>'
        for number in range(rng.randint(2, 5))
    )
    return f"<section><h2>{words['title'].pop()}</h2>{rows}<p>{words['text'].pop()}</p></section>"


def _table(rng: random.Random, words: Words, language: str) -> str:
    head = "".join(f"<th>{text}</th>" for text in WORDS[language]["column"])
    rows = "".join(
        f"<tr><td>{words['item'].pop()}</td><td>{rng.randint(3, 99)}.{rng.randint(10, 99)}</td>"
        f"<td>{rng.randint(0, 400)}</td></tr>"
        for _ in range(rng.randint(2, 5))
    )
    return f"<section><table><tr>{head}</tr>{rows}</table></section>"


def _cards(rng: random.Random, words: Words, language: str) -> str:
    return "".join(
        f"<section><h2>{words['item'].pop()}</h2><p>{rng.choice(words['text'])}</p>"
        f"<button>{words['button'].pop()}</button></section>"
        for _ in range(2)
    )


def _dialog(rng: random.Random, language: str) -> str:
    number = rng.randrange(len(WORDS[language]["dialog"]))
    question, yes = WORDS[language]["dialog"][number], WORDS[language]["yes"][number]
    return (
        f'<div class="shade"><section role="dialog"><h2>{question}</h2>'
        f"<button>{yes}</button> <button>{rng.choice(WORDS[language]['no'])}</button></section></div>"
    )
