"""Questions about one or two cells of a table: their values, which is larger, how far they are apart.

A question is None where its answer would be in doubt.
"""

from __future__ import annotations

from vergence.data.synthesis.charts.table_reader import STATISTICS, Asked, Cell, Reader, number_check, plain


def any_series(read: Reader) -> int:
    """The number of one of the series."""
    return read.rng.randrange(len(read.table.series))


def value(read: Reader) -> Asked | None:
    """One cell."""
    s, r = any_series(read), read.rng.randrange(len(read.table.rows))
    found = read.table.values[s][r]
    name = read.cell(s, r)
    question = read.say(
        read.rng.choice((f"What is {name}?", f"How large is {name}?", f"Give {name}.")),
        read.rng.choice((f"{name}是多少？", f"请给出{name}。")),
    )
    steps = read.say(f"{name[0].upper()}{name[1:]} reads {plain(found)}.", f"{name}为{plain(found)}。")
    return Asked("value", question, plain(found), (steps,), number_check(found, read.tolerance), ((s, r),))


def extreme(read: Reader) -> Asked | None:
    """The row with the largest or smallest value of a series."""
    table, s, largest = read.table, any_series(read), read.rng.random() < 0.5
    order = sorted(range(len(table.rows)), key=lambda r: table.values[s][r], reverse=largest)
    best, second = order[0], order[1]
    if abs(table.values[s][best] - table.values[s][second]) < read.margin:
        return None
    line = read.line(s)
    of = "的" if len(table.series) == 1 else ""
    question = read.say(
        f"{read.which()} is {line} {'highest' if largest else 'lowest'}?",
        f"{read.rows_zh(0)}{of}{line}{'最高' if largest else '最低'}？",
    )
    steps = (
        read.readings(s, range(len(table.rows))),
        read.say(
            f"The {'largest' if largest else 'smallest'} of these is {plain(table.values[s][best])},"
            f" {read.place(best)}.",
            f"其中{'最大' if largest else '最小'}的是{table.rows[best]}，为{plain(table.values[s][best])}。",
        ),
    )
    others = tuple(table.rows[r] for r in order[1:4])
    check = {"verifier": "exact", "target": table.rows[best]}
    return Asked("extreme", question, table.rows[best], steps, check, ((s, best),), others)


def comparison(read: Reader) -> Asked | None:
    """Which of two cells is larger, as a choice of names or as yes or no."""
    table, rng = read.table, read.rng
    first, second = _two_cells(read)
    a, b = (table.values[s][r] for s, r in (first, second))
    if abs(a - b) < read.margin or (table.key == STATISTICS and first[1] == second[1]):
        return None  # of one box the order of the statistics is known without looking
    names = read.cell(*first), read.cell(*second)
    steps = [
        read.say(f"{name[0].upper()}{name[1:]} is {plain(v)}.", f"{name}为{plain(v)}。")
        for name, v in zip(names, (a, b), strict=True)
    ]
    if rng.random() < 0.5:
        more = rng.random() < 0.5
        right = (a > b) == more
        question = read.say(
            f"Is {names[0]} {'higher' if more else 'lower'} than {names[1]}?",
            f"{names[0]}是否{'高于' if more else '低于'}{names[1]}？请回答“是”或“否”。",
        )
        answer = read.say("Yes" if right else "No", "是" if right else "否")
        steps.append(
            read.say(
                f"{plain(a)} is {'larger' if a > b else 'smaller'} than {plain(b)}.",
                f"{plain(a)}{'大于' if a > b else '小于'}{plain(b)}。",
            )
        )
    else:
        question, short = _which_is_higher(read, first, second)
        answer = short[0] if a > b else short[1]
        steps.append(read.say(f"{plain(max(a, b))} is the larger of the two.", f"两者中{plain(max(a, b))}更大。"))
    return Asked("comparison", question, answer, tuple(steps), {"verifier": "exact", "target": answer}, (first, second))


def _which_is_higher(read: Reader, first: Cell, second: Cell) -> tuple[str, tuple[str, str]]:
    """The question which of two cells of a row or of a series is larger, and the two names to choose from."""
    table = read.table
    if first[1] == second[1]:
        a, b = table.series[first[0]], table.series[second[0]]
        row = table.rows[first[1]]
        where = row if table.time else f"就{row}而言"
        return read.say(
            f"Which has the higher {read.measure} {read.place(first[1])}, {a} or {b}?",
            f"{where}，{a}和{b}哪个的{read.measure}更高？",
        ), (a, b)
    a, b = table.rows[first[1]], table.rows[second[1]]
    line = read.line(first[0])
    zh = f"{a}和{b}哪个的{line}更高？" if len(table.series) == 1 else f"{line}在{a}和{b}中哪个更高？"
    return read.say(f"Which has the higher {line.removeprefix('the ')}, {a} or {b}?", zh), (a, b)


def _two_cells(read: Reader) -> tuple[Cell, Cell]:
    """Two cells of a row or of a series."""
    table, rng = read.table, read.rng
    if len(table.series) > 1 and rng.random() < 0.5:
        r = rng.randrange(len(table.rows))
        s, t = rng.sample(range(len(table.series)), 2)
        return (s, r), (t, r)
    s = any_series(read)
    r, q = rng.sample(range(len(table.rows)), 2)
    return (s, r), (s, q)


def difference(read: Reader) -> Asked | None:
    """How far two cells are apart."""
    first, second = _two_cells(read)
    a, b = (read.table.values[s][r] for s, r in (first, second))
    apart = abs(a - b)
    if apart < read.margin:
        return None
    names = read.cell(*first), read.cell(*second)
    question = read.say(
        f"What is the difference between {names[0]} and {names[1]}?", f"{names[0]}与{names[1]}相差多少？"
    )
    steps = (
        *(
            read.say(f"{n[0].upper()}{n[1:]} is {plain(v)}.", f"{n}为{plain(v)}。")
            for n, v in zip(names, (a, b), strict=True)
        ),
        f"{plain(max(a, b))} - {plain(min(a, b))} = {plain(apart)}",
    )
    return Asked("difference", question, plain(apart), steps, number_check(apart, 2 * read.tolerance), (first, second))
