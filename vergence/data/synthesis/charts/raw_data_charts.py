"""Charts of raw numbers: histograms, box plots and scatter plots, with the table of what they show."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from vergence.data.pictures import Split
from vergence.data.synthesis.charts.chart_code import Code, literal, numbers
from vergence.data.synthesis.charts.chart_style import Style
from vergence.data.synthesis.charts.data_tables import DataTable, Language, draw_table, lowered
from vergence.data.synthesis.charts.table_reader import BINS, STATISTICS, Asked, Reader, plain

SUMMARY = {
    "en": ("Minimum", "Lower quartile", "Median", "Upper quartile", "Maximum"),
    "zh": ("最小值", "下四分位数", "中位数", "上四分位数", "最大值"),
}


def shares(table: DataTable, rng: random.Random) -> DataTable:
    """A table of one series as whole percentages that sum to 100 and differ."""
    count = len(table.rows)
    while True:
        cuts = sorted(rng.sample(range(1, 100), count - 1))
        parts = [b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
        if min(parts) >= 5 and len(set(parts)) == count:
            break
    zh = table.language == "zh"
    name = f"{table.measure}占比" if zh else f"Share of {lowered(table.measure)}"
    title = f"各{table.row_name}{name}" if zh else f"{name} by {table.row_name.lower()}"
    return replace(
        table,
        measure=name,
        unit="%",
        series=(name,),
        values=(tuple(map(Decimal, parts)),),
        step=Decimal(1),
        title=title,
    )


def histogram(rng: random.Random, split: Split, language: Language, style: Style) -> tuple[DataTable, Code]:
    """Bins of equal width; the table has the count of each. The code holds the counts, because nobody could write the
    raw numbers down from the picture."""
    about = draw_table(rng, split, language)
    bins, width = rng.randint(4, 7), rng.choice((5, 10, 20))
    start = width * rng.randint(0, 4)
    edges = [start + width * i for i in range(bins + 1)]
    counts = rng.sample(range(1, 19), bins)
    zh = language == "zh"
    measure = "频数" if zh else "Frequency"
    title = f"{about.measure}分布" if zh else f"Distribution of {lowered(about.measure)}"
    table = replace(
        about,
        key=BINS,
        measure=measure,
        unit="个" if zh else "count",
        row_name=about.axis_label,
        rows=tuple(f"{a}-{b}" for a, b in pairwise(edges)),
        series=(measure,),
        values=(tuple(map(Decimal, counts)),),
        step=Decimal(1),
        time=False,
        title=title,
    )
    annotated = rng.random() < 0.3
    hatch = f', hatch="{rng.choice(("//", ".."))}"' if style.hatched else ""
    data = (f"edges = {edges}", f"counts = {counts}")
    body = [
        "_, _, bars = ax.hist(edges[:-1], bins=edges, weights=counts,"
        f' color="{style.colours[0]}", edgecolor="white"{hatch})',
        *(['ax.bar_label(bars, labels=[f"{count:g}" for count in counts])'] if annotated else []),
        "ax.set_xticks(edges)",
        f"ax.set_ylim(0, {max(counts) * 1.1:g})",
        "ax.yaxis.get_major_locator().set_params(integer=True)",
        f"ax.set_title({json.dumps(title, ensure_ascii=False)}{style.title_words})",
        f"ax.set_xlabel({json.dumps(table.row_name, ensure_ascii=False)})",
        f"ax.set_ylabel({json.dumps(measure, ensure_ascii=False)})",
        *(['ax.grid(axis="y", color="#888888", alpha=0.35)', "ax.set_axisbelow(True)"] if style.grid else []),
    ]
    return table, Code(data, tuple(body), annotated)


def box_plot(rng: random.Random, split: Split, language: Language, style: Style) -> tuple[DataTable, Code]:
    """Groups of five numbers, which are their own minimum, quartiles and maximum: all that a box shows of a group."""
    about = draw_table(rng, split, language, rows=(3, 5), time=False)
    groups = []
    for _ in about.rows:
        counts = sorted(rng.sample(range(4, 61), 9))
        while min(b - a for a, b in zip(counts[::2], counts[2::2], strict=False)) < 3:
            counts = sorted(rng.sample(range(4, 61), 9))
        groups.append([count * about.step for count in counts[::2]])
    table = replace(
        about,
        key=STATISTICS,
        series=SUMMARY[language],
        values=tuple(zip(*groups, strict=True)),
    )
    data = [f"labels = {literal(table.rows)}", "groups = ["]
    data += [*(f"    {numbers(group)}," for group in groups), "]", f"colors = {literal(style.colours[: len(groups)])}"]
    body = [
        "boxes = ax.boxplot(groups, tick_labels=labels, whis=(0, 100), patch_artist=True, widths=0.5,"
        f' medianprops={{"color": "{style.ink}", "linewidth": 1.6}})',
        'for box, color in zip(boxes["boxes"], colors):',
        "    box.set_facecolor(color)",
        *([f'for part in boxes["whiskers"] + boxes["caps"]:\n    part.set_color("{style.ink}")'] if style.dark else []),
        f"ax.set_title({json.dumps(table.title, ensure_ascii=False)}{style.title_words})",
        f"ax.set_ylabel({json.dumps(table.axis_label, ensure_ascii=False)})",
        'ax.grid(axis="y", color="#888888", alpha=0.35)',
        "ax.set_axisbelow(True)",
    ]
    return table, Code(tuple(data), tuple(body), False)


CORRELATION = {
    "positive": ("they tend to rise together", "一个增大，另一个也趋于增大"),
    "negative": ("when one rises, the other tends to fall", "一个增大，另一个趋于减小"),
    "none": ("there is no clear relation", "没有明显关系"),
}


def scatter(rng: random.Random, split: Split, language: Language, style: Style) -> tuple[DataTable, Code]:
    """Points of one or two groups, apart from one another; the table has x and y of each, which no two share."""
    first = draw_table(rng, split, language)
    second = draw_table(rng, split, language)
    while second.key == first.key:
        second = draw_table(rng, split, language)
    relation = rng.choice(tuple(CORRELATION))
    points: list[tuple[int, int]] = []
    wanted = rng.randint(8, 16)
    while len(points) < wanted:
        x, y = rng.randint(2, 58), rng.randint(2, 58)
        expected = {"positive": x, "negative": 60 - x}.get(relation)
        if (expected is None or abs(y - expected) < 9) and all(abs(x - a) > 1 and abs(y - b) > 1 for a, b in points):
            points.append((x, y))
        elif rng.random() < 0.02:
            points.clear()  # stuck: start again
    if relation == "none" and abs(_correlation(points)) > 0.25:
        return scatter(rng, split, language, style)
    xs, ys = ([p[i] * table.step for p in points] for i, table in enumerate((first, second)))
    zh = language == "zh"
    title = f"{first.measure}与{second.measure}" if zh else f"{first.measure} and {second.measure}"
    rows = tuple(str(number + 1) for number in range(len(points)))
    table = replace(
        second,
        key="points",
        row_name="点" if zh else "Point",
        rows=rows,
        series=(first.axis_label, second.axis_label),
        values=(tuple(xs), tuple(ys)),
        time=False,
        title=title,
    )
    data = (f"x = {numbers(xs)}", f"y = {numbers(ys)}")
    body = [
        f'ax.scatter(x, y, s={rng.choice((30, 45, 60))}, color="{style.colours[0]}", marker="{rng.choice("osD^")}")',
        f"ax.set_title({json.dumps(title, ensure_ascii=False)}{style.title_words})",
        f"ax.set_xlabel({json.dumps(first.axis_label, ensure_ascii=False)})",
        f"ax.set_ylabel({json.dumps(second.axis_label, ensure_ascii=False)})",
        'ax.grid(color="#888888", alpha=0.35)',
        "ax.set_axisbelow(True)",
    ]
    return table, Code(data, tuple(body), False)


def _correlation(points: Sequence[tuple[float, float]]) -> float:
    """Pearson's r."""
    n = len(points)
    mx, my = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    covariance = sum((x - mx) * (y - my) for x, y in points)
    spread = (sum((x - mx) ** 2 for x, _ in points) * sum((y - my) ** 2 for _, y in points)) ** 0.5
    return covariance / spread if spread else 0.0


def scatter_questions(read: Reader) -> list[Asked]:
    """How many points there are, how the two measures go together, points over a limit, where the highest point is."""
    rng, say = read.rng, read.say
    xs, ys = read.table.values
    step = read.table.step
    count = len(xs)
    asked = [
        Asked(
            "entries",
            say("How many points are plotted?", "图中共有多少个点？"),
            str(count),
            (),
            {"verifier": "count", "target": count},
        )
    ]
    r = _correlation([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)])
    shape = "positive" if r > 0.7 else "negative" if r < -0.7 else "none" if abs(r) < 0.3 else None
    column = 1 if read.language == "zh" else 0
    if shape:
        others = tuple(texts[column] for name, texts in CORRELATION.items() if name != shape)
        question = say("How are the two measures related in this plot?", "图中两个量之间是什么关系？")
        asked.append(Asked("trend", question, CORRELATION[shape][column], (), {}, (), others))
    limits = [k * 10 * step for k in (2, 3, 4)]
    limits = [limit for limit in limits if all(abs(y - limit) >= step for y in ys)]
    if limits:
        limit = rng.choice(limits)
        over = sum(y > limit for y in ys)
        question = say(
            f"How many points lie above {plain(limit)} on the vertical axis?", f"纵轴上高于{plain(limit)}的点有多少个？"
        )
        cells = tuple((1, i) for i, y in enumerate(ys) if y > limit)
        asked.append(Asked("count", question, str(over), (), {"verifier": "count", "target": over}, cells))
    top = max(range(count), key=lambda i: ys[i])
    question = say("What is the value on the horizontal axis of the highest point?", "最高的点在横轴上的值是多少？")
    room = float((max(xs) - min(xs)) * Decimal("0.04"))
    check = {"verifier": "number", "target": float(xs[top]), "tolerance": room}
    asked.append(Asked("value", question, plain(xs[top]), (), check, ((1, top),)))
    rng.shuffle(asked)
    return asked
