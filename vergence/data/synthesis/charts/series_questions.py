"""Questions about all of a series or of a table: sums, averages, counts, trends in time, orders.

A question is None where its answer would be in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from vergence.data.synthesis.charts.cell_questions import any_series
from vergence.data.synthesis.charts.table_reader import BINS, Asked, Reader, number_check, plain


def total(read: Reader) -> Asked | None:
    """The sum of a series, or of two of its rows."""
    if not read.table.additive:
        return None
    table, s = read.table, any_series(read)
    count = len(table.rows)
    rows = list(range(count)) if count <= 6 and read.rng.random() < 0.5 else sorted(read.rng.sample(range(count), 2))
    values = [table.values[s][r] for r in rows]
    found = sum(values, Decimal(0))
    named = ", ".join(table.rows[r] for r in rows[:-1]) + read.say(" and ", "和") + table.rows[rows[-1]]
    named = named if read.language == "en" else named.replace(", ", "、")
    whole = len(rows) == count
    line = read.line(s)
    of = "的" if len(table.series) == 1 else ""
    question = read.say(
        f"What is {line} in total?" if whole else f"What is the sum of {line} for {named}?",
        f"{read.rows_zh(2)}{of}{line}总和是多少？" if whole else f"{named}{of}{line}之和是多少？",
    )
    steps = (read.readings(s, rows), " + ".join(map(plain, values)) + f" = {plain(found)}")
    check = number_check(found, len(rows) * read.tolerance)
    return Asked("sum", question, plain(found), steps, check, tuple((s, r) for r in rows))


def average(read: Reader) -> Asked | None:
    """The mean of a series, to two decimals."""
    table, s = read.table, any_series(read)
    values = table.values[s]
    if len(values) > 7:
        return None
    sum_ = sum(values, Decimal(0))
    mean = (sum_ / len(values)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    exact = mean * len(values) == sum_
    line = read.line(s)
    question = read.say(
        f"What is the average of {line} over all {len(values)} shown?" + ("" if exact else " Round to two decimals."),
        f"图中{len(values)}个{line}的平均值是多少？" + ("" if exact else "结果保留两位小数。"),
    )
    steps = (
        read.readings(s, range(len(values))),
        " + ".join(map(plain, values)) + f" = {plain(sum_)}",
        f"{plain(sum_)} / {len(values)} {'=' if exact else '≈'} {plain(mean)}",
    )
    check = number_check(mean, max(read.tolerance, Decimal(0) if exact else Decimal("0.0051")))
    return Asked("average", question, plain(mean), steps, check, tuple((s, r) for r in range(len(values))))


def above(read: Reader) -> Asked | None:
    """How many values of a series are over or under a limit that none of them is near."""
    table, s, rng = read.table, any_series(read), read.rng
    values = sorted(table.values[s])
    gaps = [(a + b) / 2 for a, b in pairwise(values) if b - a >= 2 * read.margin]
    if not gaps:
        return None
    limit = (rng.choice(gaps) / table.step).quantize(Decimal(1), ROUND_HALF_UP) * table.step
    if any(abs(v - limit) < max(read.margin, table.step) for v in values):
        return None
    over = rng.random() < 0.5
    hits = [r for r, v in enumerate(table.values[s]) if (v > limit) == over]
    rows = "ranges" if table.key == BINS else "entries"
    line = read.line(s)
    of = "的" if len(table.series) == 1 else ""
    question = read.say(
        f"For how many of the {len(values)} {rows} is {line} {'above' if over else 'below'} {plain(limit)}?",
        f"{read.rows_zh(1)}{of}{line}{'高于' if over else '低于'}{plain(limit)}？",
    )
    named = ", ".join(table.rows[r] for r in hits)
    steps = (
        read.readings(s, range(len(values))),
        read.say(
            f"{'Above' if over else 'Below'} {plain(limit)}: {named}.",
            f"{'高于' if over else '低于'}{plain(limit)}的有：{named.replace(', ', '、')}。",
        ),
    )
    check = {"verifier": "count", "target": len(hits)}
    return Asked("count", question, str(len(hits)), steps, check, tuple((s, r) for r in hits))


TRENDS: Mapping[str, tuple[str, str]] = {
    "rising": ("it rises throughout", "一直上升"),
    "falling": ("it falls throughout", "一直下降"),
    "peak": ("it rises, then falls", "先升后降"),
    "valley": ("it falls, then rises", "先降后升"),
    "mixed": ("it changes direction more than once", "多次反复升降"),
}


def trend(read: Reader) -> Asked | None:
    """The shape of a series in time."""
    table, s = read.table, any_series(read)
    values = table.values[s]
    changes = [b - a for a, b in pairwise(values)]
    if not table.time or len(values) < 3 or min(map(abs, changes)) < read.margin / 2 or not all(changes):
        return None
    ups = [change > 0 for change in changes]
    turns = sum(a != b for a, b in pairwise(ups))
    shape = "mixed" if turns > 1 else ("peak" if ups[0] else "valley") if turns else "rising" if ups[0] else "falling"
    column = 1 if read.language == "zh" else 0
    answer = TRENDS[shape][column]
    line = read.line(s)
    question = read.say(
        f"How does {line} develop from {table.rows[0]} to {table.rows[-1]}?",
        f"从{table.rows[0]}到{table.rows[-1]}，{line}如何变化？",
    )
    others = tuple(texts[column] for name, texts in TRENDS.items() if name != shape)
    return Asked("trend", question, answer, (), {}, tuple((s, r) for r in range(len(values))), others)


def jump(read: Reader) -> Asked | None:
    """The time with the largest rise or fall since the one before."""
    table, s, up = read.table, any_series(read), read.rng.random() < 0.5
    values = table.values[s]
    changes = sorted(((b - a if up else a - b, r) for r, (a, b) in enumerate(pairwise(values), 1)), reverse=True)
    if not table.time or len(changes) < 2 or changes[0][0] < read.margin:
        return None
    if changes[0][0] - changes[1][0] < 2 * read.margin:
        return None
    size, r = changes[0]
    line = read.line(s)
    question = read.say(
        f"When does {line} {'rise' if up else 'fall'} most, compared with the time before?",
        f"与前一个时间点相比，{line}在什么时候{'上升' if up else '下降'}最多？",
    )
    steps = (
        read.readings(s, range(len(values))),
        read.say(
            f"The largest {'rise' if up else 'fall'} is from {plain(values[r - 1])} to {plain(values[r])},"
            f" by {plain(size)}, {read.place(r)}.",
            f"最大的{'升幅' if up else '降幅'}出现在{table.rows[r]}，从{plain(values[r - 1])}变为{plain(values[r])}，"
            f"变化{plain(size)}。",
        ),
    )
    check = {"verifier": "exact", "target": table.rows[r]}
    return Asked("jump", question, table.rows[r], steps, check, ((s, r - 1), (s, r)))


def ranking(read: Reader) -> Asked | None:
    """The three rows with the largest values, in their order."""
    table, s = read.table, any_series(read)
    order = sorted(range(len(table.rows)), key=lambda r: table.values[s][r], reverse=True)
    if len(order) < 4:
        return None
    values = [table.values[s][r] for r in order[:4]]
    if min(a - b for a, b in pairwise(values)) < read.margin:
        return None
    names = [table.rows[r] for r in order[:3]]
    line = read.line(s)
    question = read.say(
        f"Name the three entries with the highest values of {line}, from highest to lowest, separated by commas."
        if len(table.series) > 1
        else f"Name the three entries with the highest {read.measure}, from highest to lowest, separated by commas.",
        f"请按从高到低的顺序列出{line}最高的三项，用逗号分隔。",
    )
    steps = (read.readings(s, order),)
    answer = read.say(", ", "，").join(names)
    return Asked(
        "ranking", question, answer, steps, {"verifier": "sequence", "target": names}, tuple((s, r) for r in order[:3])
    )


def best_series(read: Reader) -> Asked | None:
    """The series with the largest sum."""
    if not read.table.additive:
        return None
    table = read.table
    totals = sorted(((sum(line, Decimal(0)), s) for s, line in enumerate(table.values)), reverse=True)
    if len(totals) < 2 or totals[0][0] - totals[1][0] < read.margin * len(table.rows) / 2:
        return None
    answer = table.series[totals[0][1]]
    most, most_zh = ("highest", "最") if len(totals) > 2 else ("higher", "更")
    question = read.say(
        f"Which of {', '.join(table.series[:-1])} and {table.series[-1]} has the {most} {read.measure} in total?",
        f"{'、'.join(table.series[:-1])}和{table.series[-1]}中，哪个的{read.measure}总和{most_zh}高？",
    )
    steps = tuple(
        f"{table.series[s]}: " + " + ".join(map(plain, table.values[s])) + f" = {plain(v)}" for v, s in totals
    )
    others = tuple(name for name in table.series if name != answer)
    cells = tuple((totals[0][1], r) for r in range(len(table.rows)))
    return Asked("total", question, answer, steps, {"verifier": "exact", "target": answer}, cells, others)


def entries(read: Reader) -> Asked | None:
    """How many rows or series there are."""
    table = read.table
    several = len(table.series) > 1 and read.rng.random() < 0.5
    names = table.series if several else table.rows
    what = "series are shown" if several else "bins are shown" if read.table.key == BINS else "categories are shown"
    what_zh = "系列" if several else "区间" if read.table.key == BINS else "类别"
    question = read.say(f"How many {what}?", f"图中共有多少个{what_zh}？")
    steps = (", ".join(names),)
    return Asked("entries", question, str(len(names)), steps, {"verifier": "count", "target": len(names)})
