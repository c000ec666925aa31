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
from vergence.data.synthesis.gui.icon_sets import SETS, MeaningIcon, alike, meaning_icons, svg

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
        "switch": ("Email alerts", "Two-step sign-in", "Weekly summary", "Offline mode", "Large text", "Sounds",
                   "Share usage data", "Automatic updates"),
        "button": ("Apply", "Continue", "Reset", "Preview", "Publish", "Register", "Subscribe", "Export", "Accept"),
        "item": ("Desk lamp", "Rain jacket", "Teapot", "Backpack", "Wall clock", "Garden hose", "Notebook", "Tripod",
                 "Blanket", "Kettle"),
        "column": ("Item", "Price", "Stock"),
        "title": ("Your details", "New order", "Contact form", "Registration"),
        "panel": ("Account settings", "Preferences", "Notifications", "General"),
        "text": ("Changes take effect at the next start.", "Changes are saved at once.",
                 "Some options need a new sign-in.", "These options apply to this device only."),
        "offer": ("Add to basket", "View details", "Compare", "Order now", "Save for later", "Ask a question"),
        "blurb": ("Price includes tax.", "Delivered within two days.", "Only a few left in stock.",
                  "May be returned for free.", "Comes in four colours."),
        "dialog": ("Leave this page?", "Keep these changes?", "Remove the draft?", "Allow notifications?",
                   "End this session?"),
        "yes": ("Leave", "Keep", "Remove", "Allow", "End session"),
        "no": ("Stay here", "Discard", "Not now", "Block", "Go on working"),
    },
    "zh": {
        "app": ("海港邮箱", "田野笔记", "家庭账本", "诊所助手", "温室管理", "出行规划", "工作室商店"),
        "nav": ("概览", "订单", "客户", "消息", "报表", "发票", "团队", "项目", "归档"),
        "field": ("姓名", "昵称", "电子邮箱", "电话号码", "城市", "邮政编码", "公司", "街道", "订单编号", "备注"),
        "choice": ("国家", "时区", "货币", "配送方式", "类别", "优先级"),
        "switch": ("邮件提醒", "两步登录", "每周摘要", "离线模式", "大号字体", "提示音", "共享使用数据", "自动更新"),
        "button": ("应用", "继续", "重置", "预览", "发布", "注册", "订阅", "导出", "接受"),
        "item": ("台灯", "雨衣", "茶壶", "背包", "挂钟", "水管", "笔记本", "三脚架", "毛毯", "水壶"),
        "column": ("商品", "价格", "库存"),
        "title": ("您的资料", "新建订单", "联系我们", "用户注册"),
        "panel": ("账户设置", "偏好设置", "通知设置", "常规设置"),
        "text": ("更改将在下次启动时生效。", "更改会立即保存。", "部分选项需要重新登录。", "这些选项仅适用于本设备。"),
        "offer": ("加入购物车", "查看详情", "对比", "立即订购", "稍后再买", "咨询客服"),
        "blurb": ("价格已含税。", "两天内送达。", "库存不多。", "支持免费退货。", "共有四种颜色。"),
        "dialog": ("离开此页面？", "保留这些更改？", "移除草稿？", "允许发送通知？", "结束本次会话？"),
        "yes": ("离开", "保留", "移除", "允许", "结束会话"),
        "no": ("留在此处", "放弃", "暂不", "阻止", "继续使用"),
    },
}  # fmt: skip

VALUES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "First name": ("Nora", "Samuel", "Ines"), "Last name": ("Lind", "Okafor", "Marsh"),
        "Email": ("nora@lind.example", "ines.marsh@post.example"), "Phone number": ("020 7946 0112", "0161 496 0758"),
        "City": ("Leeds", "Porto", "Gdansk"), "Postcode": ("LS1 4DY", "40217", "90-210"),
        "Company": ("Lind & Sons", "Northway Ltd"), "Street": ("Oak Lane 7", "12 Mill Road"),
        "Order number": ("R2-118", "A-40391"), "Comment": ("It's urgent", "Please call after 5 pm"),
    },
    "zh": {
        "姓名": ("林小雨", "陈志远", "王佳宁"), "昵称": ("小雨", "远山", "阿宁"),
        "电子邮箱": ("xiaoyu@lin.example", "chen.zy@post.example"), "电话号码": ("010-5550-0112", "021-5550-0758"),
        "城市": ("杭州", "成都", "青岛"), "邮政编码": ("310000", "610041"), "公司": ("北方贸易公司", "林氏木业"),
        "街道": ("橡树路7号", "磨坊街12号"), "订单编号": ("R2-118", "A-40391"),
        "备注": ("请加急处理", "请下午五点后来电"),
    },
}  # fmt: skip
"""Language -> field -> what may be typed into it."""

OPTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "en": {
        "Country": ("Norway", "Portugal", "Kenya", "Canada"),
        "Time zone": ("UTC-05:00", "UTC", "UTC+01:00", "UTC+08:00"),
        "Currency": ("Euro", "Dollar", "Pound", "Yen"),
        "Delivery": ("Standard", "Express", "Collect in store", "Locker"),
        "Category": ("Kitchen", "Garden", "Office", "Outdoor"), "Priority": ("Low", "Normal", "High", "Critical"),
    },
    "zh": {
        "国家": ("中国", "挪威", "葡萄牙", "加拿大"), "时区": ("UTC-05:00", "UTC", "UTC+01:00", "UTC+08:00"),
        "货币": ("人民币", "欧元", "美元", "日元"), "配送方式": ("标准配送", "加急配送", "到店自取", "快递柜"),
        "类别": ("厨房用品", "园艺", "办公用品", "户外"), "优先级": ("低", "普通", "高", "紧急"),
    },
}  # fmt: skip
"""Language -> drop-down list -> its options."""

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
    pool, count = meaning_icons(package, split), rng.randint(2, 5)
    chosen: list[MeaningIcon] = []
    for found in rng.sample(pool, len(pool)):
        if len(chosen) < count and not alike(found.icon, [other.icon for other in chosen]):
            chosen.append(found)
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
    dialog = _dialog(rng, language) if rng.random() < 0.12 else ""
    page = document(language, title, css, f"{top}{tabs}<main>{parts}</main>{dialog}")
    return Made(Site(page, folders=folders), sources, title, bool(dialog))


Words = dict[str, list[str]]


def _form(rng: random.Random, words: Words, language: str) -> str:
    rows = ""
    for number in range(rng.randint(2, 4)):
        name = words["field"].pop()
        value = f' value="{html.escape(rng.choice(VALUES[language][name]))}"' if rng.random() < 0.3 else ""
        rows += f'<div class="row"><label for="f{number}">{name}</label><input id="f{number}"{value}></div>'
    choice = words["choice"].pop()
    options = "".join(f"<option>{text}</option>" for text in rng.sample(OPTIONS[language][choice], 4))
    rows += f'<div class="row"><label for="choice">{choice}</label><select id="choice">{options}</select></div>'
    buttons = "".join(f"<button>{words['button'].pop()}</button> " for _ in range(rng.randint(1, 2)))
    return f'<section><h2>{words["title"].pop()}</h2>{rows}<div class="row">{buttons}</div></section>'


def _settings(rng: random.Random, words: Words, language: str) -> str:
    rows = "".join(
        f'<div class="row"><input type="checkbox" id="s{number}"{rng.choice(("", " checked"))}>'
        f'<label for="s{number}">{words["switch"].pop()}</label></div>'
        for number in range(rng.randint(2, 5))
    )
    return f"<section><h2>{words['panel'].pop()}</h2>{rows}<p>{words['text'].pop()}</p></section>"


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
        f"<section><h2>{words['item'].pop()}</h2><p>{rng.choice(words['blurb'])}</p>"
        f"<button>{words['offer'].pop()}</button></section>"
        for _ in range(2)
    )


def _dialog(rng: random.Random, language: str) -> str:
    number = rng.randrange(len(WORDS[language]["dialog"]))
    question, yes = WORDS[language]["dialog"][number], WORDS[language]["yes"][number]
    return (
        f'<div class="shade"><section role="dialog"><h2>{question}</h2>'
        f"<button>{yes}</button> <button>{WORDS[language]['no'][number]}</button></section></div>"
    )
