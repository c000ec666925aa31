"""What tables of a page hold: columns of names, numbers, money, percentages, dates and words, maybe under a spanning
header, and the same table in HTML, Markdown and LaTeX."""

from __future__ import annotations

import html
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from vergence.data.pictures import Split
from vergence.data.synthesis.charts.data_tables import Language

Kind = Literal["number", "money", "percent", "date", "word"]
Syntax = Literal["html", "markdown", "latex"]

CURRENCIES = ("$", "€", "£", "¥")
SUBJECTS: tuple[tuple[str, str, str, str], ...] = tuple(
    tuple(line.split("|"))  # type: ignore[misc]
    for line in """\
orders|retail|Orders|订单表
inventory|retail|Inventory|库存清单
invoices|finance|Open invoices|未付发票
expenses|finance|Travel expenses|差旅费用
timetable|transport|Departures|发车时刻
fleet|transport|Vehicle fleet|车队一览
results|sport|Race results|比赛成绩
members|society|Club members|会员名单
projects|business|Projects|项目进度
contracts|business|Contracts|合同列表
trials|science|Trial runs|试验记录
samples|science|Soil samples|土壤样本
students|education|Course results|课程成绩
books|education|Reading list|书目
servers|computing|Servers|服务器列表
releases|computing|Releases|版本发布
harvests|farming|Field harvests|田块收成
clinics|health|Clinic visits|门诊记录
hotels|tourism|Hotels|酒店列表
meters|energy|Meter readings|电表读数""".splitlines()
)
"""Key, domain, caption in English and Chinese."""

NAMES: dict[Language, str] = {
    "en": "Alder Birch Cedar Dahlia Elm Fern Garnet Hazel Iris Juniper Kestrel Larch Maple Nettle Olive Poplar Quartz "
    "Rowan Sage Thistle Umber Violet Willow Yarrow Zinnia Amber Basil Clover Drake Ember",
    "zh": "白杨 青松 红枫 银杏 丁香 海棠 玉兰 茉莉 紫藤 木槿 雪松 垂柳 金桂 梧桐 石榴 芙蓉 蔷薇 杜鹃 百合 兰花",
}
WORDS: dict[Language, dict[str, tuple[str, ...]]] = {
    "en": {
        "Status": ("open", "closed", "pending", "delayed", "approved"),
        "Region": ("North", "South", "East", "West", "Centre"),
        "Grade": ("A", "B", "C", "D"),
        "Type": ("basic", "standard", "premium", "custom"),
    },
    "zh": {
        "状态": ("进行中", "已完成", "待处理", "已延期", "已批准"),
        "地区": ("华北", "华南", "华东", "华西", "华中"),
        "等级": ("甲", "乙", "丙", "丁"),
        "类型": ("基础", "标准", "高级", "定制"),
    },
}
HEADS: dict[Language, dict[Kind, tuple[str, ...]]] = {
    "en": {
        "number": ("Units", "Count", "Hours", "Weight (kg)", "Score", "Distance (km)", "Stock"),
        "money": ("Price", "Total", "Budget", "Fee", "Balance"),
        "percent": ("Share", "Change", "Discount", "Progress"),
        "date": ("Date", "Start", "Due", "Updated"),
    },
    "zh": {
        "number": ("数量", "件数", "工时", "重量（千克）", "得分", "距离（公里）", "库存"),
        "money": ("单价", "总额", "预算", "费用", "余额"),
        "percent": ("占比", "变化", "折扣", "进度"),
        "date": ("日期", "开始", "截止", "更新"),
    },
}
GROUPS: dict[Language, tuple[str, ...]] = {
    "en": ("Plan", "Actual", "2023", "2024", "First half", "Second half", "Before", "After"),
    "zh": ("计划", "实际", "2023年", "2024年", "上半年", "下半年", "之前", "之后"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: header, the header above it that it shares with neighbours, kind, texts, its numbers if any."""

    head: str
    group: str
    kind: Kind
    texts: tuple[str, ...]
    numbers: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table on a page: the first column has names that differ. `key` is its subject."""

    key: str
    domain: str
    caption: str
    language: Language
    columns: tuple[Column, ...]

    @property
    def grouped(self) -> bool:
        """Whether a header spans columns."""
        return any(column.group for column in self.columns)

    @property
    def body(self) -> list[list[str]]:
        """The rows below the header."""
        return [list(row) for row in zip(*(column.texts for column in self.columns), strict=True)]

    @property
    def rows(self) -> list[list[str]]:
        """Header and body; a spanning header stands in each of its columns, a header over two rows in both."""
        heads = [column.head for column in self.columns]
        above = [[column.group or column.head for column in self.columns]] if self.grouped else []
        return [*above, heads, *self.body]


def subjects(split: Split) -> list[tuple[str, str, str, str]]:
    """The subjects of a split: every fifth is held out (a hash would hold out two)."""
    return [subject for number, subject in enumerate(SUBJECTS) if (number % 5 == 4) == (split == "heldout")]


def draw_page_table(rng: random.Random, split: Split, language: Language, *, columns: int, rows: int) -> PageTable:
    """A table with a number of columns and rows."""
    key, domain, *captions = rng.choice(subjects(split))
    zh = language == "zh"
    names = tuple(rng.sample(NAMES[language].split(), rows))
    first = Column("名称" if zh else "Name", "", "word", names, ())
    style = _Formats(rng, language)
    if columns >= 4 and rng.random() < 0.35:
        body = _grouped_columns(rng, language, columns - 1, rows, style)
    else:
        body = _plain_columns(rng, language, columns - 1, rows, style)
    return PageTable(key, domain, captions[zh], language, (first, *body))


DATES: Mapping[Language, tuple[str, ...]] = {
    "en": ("%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%m/%d/%Y"),
    "zh": ("%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y.%m.%d"),
}
"""Language -> how dates are written in it, in the form of `strftime`."""


class _Formats:
    """How one table writes money, large numbers and dates."""

    def __init__(self, rng: random.Random, language: Language) -> None:
        self.currency = rng.choice(CURRENCIES)
        self.commas = rng.random() < 0.7
        self.decimals = rng.choice((0, 0, 1, 2))
        self.dates = rng.choice(DATES[language])

    def number(self, value: Decimal, decimals: int) -> str:
        return format(value, f"{',' if self.commas else ''}.{decimals}f")


def _plain_columns(
    rng: random.Random, language: Language, count: int, rows: int, style: _Formats
) -> tuple[Column, ...]:
    kinds: list[Kind] = ["number"]  # so that there is always a number to ask for
    kinds += [rng.choice(("number", "number", "money", "percent", "date", "word")) for _ in range(count - 1)]
    rng.shuffle(kinds)
    used: set[str] = set()
    found = []
    for kind in kinds:
        choices = tuple(WORDS[language]) if kind == "word" else HEADS[language][kind]
        left = [name for name in choices if name not in used]
        if not left:
            kind, left = "number", [name for name in HEADS[language]["number"] if name not in used]
        head = rng.choice(left)
        used.add(head)
        found.append(_column(rng, language, head, "", kind, rows, style))
    return tuple(found)


def _grouped_columns(
    rng: random.Random, language: Language, count: int, rows: int, style: _Formats
) -> tuple[Column, ...]:
    """Two or three columns under each of two headers, and an own column where one is left."""
    start = rng.randrange(0, len(GROUPS[language]), 2)
    each = min(count // 2, 3)
    kinds: list[Kind] = [rng.choice(("number", "money", "percent")) for _ in range(each - 1)] + ["number"]
    heads: list[str] = []
    for kind in kinds:
        heads.append(rng.choice([name for name in HEADS[language][kind] if name not in heads]))
    found = [
        _column(rng, language, head, group, kind, rows, style)
        for group in GROUPS[language][start : start + 2]
        for head, kind in zip(heads, kinds, strict=True)
    ]
    if len(found) < count:
        word = rng.choice(tuple(WORDS[language]))
        found.append(_column(rng, language, word, "", "word", rows, style))
    return tuple(found)


def _column(
    rng: random.Random, language: Language, head: str, group: str, kind: Kind, rows: int, style: _Formats
) -> Column:
    if kind == "word":
        return Column(head, group, kind, tuple(rng.choice(WORDS[language][head]) for _ in range(rows)), ())
    if kind == "date":
        start = date(2019, 1, 1)
        days = [start + timedelta(days=rng.randrange(2300)) for _ in range(rows)]
        return Column(head, group, kind, tuple(_date(day, style.dates) for day in days), ())
    decimals = {"number": rng.choice((0, 0, 1)), "money": style.decimals, "percent": rng.choice((0, 1))}[kind]
    top = {"number": rng.choice((90, 900, 20000)), "money": rng.choice((100, 2000, 90000)), "percent": 95}[kind]
    scale = 10**decimals
    values = tuple(
        Decimal(count) / scale for count in rng.sample(range(scale, max(top * scale, scale + 4 * rows)), rows)
    )
    texts = [style.number(value, decimals) for value in values]
    if kind == "money":
        texts = [f"{style.currency}{text}" for text in texts]
    elif kind == "percent":
        texts = [f"{text}%" for text in texts]
    return Column(head, group, kind, tuple(texts), values)


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _date(day: date, form: str) -> str:
    """A date in a form of `strftime`, with English months whatever the locale."""
    return day.strftime(form.replace("%b", _MONTHS[day.month - 1]))


def to_markdown(table: PageTable) -> str:
    """Markdown, for a table without spanning headers."""
    from vergence.data.synthesis.charts.chart_turns import markdown

    return markdown(table.rows)


def to_html(table: PageTable) -> str:
    """HTML with `colspan` and `rowspan` for spanning headers, without styles."""
    lines = ["<table>"]
    heads = [html.escape(column.head) for column in table.columns]
    if table.grouped:
        cells = [
            f'<th rowspan="2">{heads[start]}</th>' if not group else f'<th colspan="{count}">{html.escape(group)}</th>'
            for group, start, count in runs(table.columns)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
        heads = [head for head, column in zip(heads, table.columns, strict=True) if column.group]
    lines.append(f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>")
    lines += [f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in table.body]
    return "\n".join([*lines, "</table>"])


def runs(columns: Sequence[Column]) -> list[tuple[str, int, int]]:
    """Neighbouring columns under one header: header, first column, their number. A column without one is by itself."""
    found: list[tuple[str, int, int]] = []
    for number, column in enumerate(columns):
        if column.group and found and found[-1][0] == column.group:
            found[-1] = (column.group, found[-1][1], found[-1][2] + 1)
        else:
            found.append((column.group, number, 1))
    return found


def to_latex(table: PageTable) -> str:
    r"""A `tabular` with the rules of booktabs, `\multicolumn` and `\multirow`."""
    layout = "".join("l" if column.kind in ("word", "date") else "r" for column in table.columns)
    lines = [rf"\begin{{tabular}}{{{layout}}}", r"\toprule"]
    heads = [_latex(column.head) for column in table.columns]
    if table.grouped:
        cells = [
            rf"\multirow{{2}}{{*}}{{{heads[start]}}}"
            if not group
            else rf"\multicolumn{{{count}}}{{c}}{{{_latex(group)}}}"
            for group, start, count in runs(table.columns)
        ]
        lines.append(" & ".join(cells) + r" \\")
        lines.append(
            " ".join(
                rf"\cmidrule(lr){{{start + 1}-{start + count}}}" for group, start, count in runs(table.columns) if group
            )
        )
        heads = [head if column.group else "" for head, column in zip(heads, table.columns, strict=True)]
    lines += [" & ".join(heads) + r" \\", r"\midrule"]
    lines += [" & ".join(map(_latex, row)) + r" \\" for row in table.body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _latex(text: str) -> str:
    for letter in "%&$#_":
        text = text.replace(letter, f"\\{letter}")
    return text
