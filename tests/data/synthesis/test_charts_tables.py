"""Pictures of tables: ink at the cells' boxes, sources read back by other readers, answers by pandas."""

from __future__ import annotations

import io
import random
import re
from itertools import pairwise

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import why_unavailable
from vergence.data.synthesis.charts import table_images
from vergence.data.synthesis.charts.table_content import draw_page_table
from vergence.verifiers.tables import read_latex, read_table

if why_unavailable("table-page"):
    pytest.skip(why_unavailable("table-page"), allow_module_level=True)


def sample(index, **settings):
    return make_sample("table-page", table_images, table_images.Config(**settings), 3, index)


def turns(conversation):
    messages, checks = conversation.messages, conversation.metadata["checks"]
    return [(q.text, a.text, check) for q, a, check in zip(messages[::2], messages[1::2], checks, strict=True)]


def pixels(conversation):
    [part] = conversation.media
    return np.asarray(part.image.convert("L"), dtype=int)


def test_every_cell_has_ink_in_its_box_and_none_around_it():
    """Inside of a text's box pixels differ from its background; on the box's rim they hardly do."""
    for index in range(25):
        conversation = sample(index)
        picture = pixels(conversation)
        height, width = picture.shape
        for cell in conversation.metadata["truth"]["cells"]:
            left, top, right, bottom = map(int, cell["box"])
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            inside = picture[top:bottom, left:right]
            back = np.bincount(picture[top - 3 : bottom + 3, left - 4 : left - 2].ravel()).argmax()
            assert np.abs(inside - back).max() > 80, cell
            rows, columns = np.nonzero(np.abs(inside - back) > 12)
            edges = (rows.min(), columns.min(), inside.shape[0] - 1 - rows.max(), inside.shape[1] - 1 - columns.max())
            assert max(edges) <= 1, (cell, edges)
            rim = np.concatenate([picture[top:bottom, left - 2], picture[top:bottom, right + 1]])
            assert np.abs(rim - back).max() < 12, cell


def test_no_text_leaves_its_column():
    for index in range(25):
        by_row = {}
        for cell in sample(index).metadata["truth"]["cells"]:
            by_row.setdefault(cell["row"], []).append(cell["box"])
        for boxes in by_row.values():
            boxes.sort()
            for first, second in pairwise(boxes):
                assert first[2] + 5 < second[0]


def test_html_and_latex_give_the_rows():
    spanning = 0
    for index in range(40):
        truth = sample(index).metadata["truth"]
        assert read_table(truth["html"]) == truth["table"]
        assert (
            read_latex(truth["latex"].removeprefix(r"\begin{tabular}").removesuffix(r"\end{tabular}")) == truth["table"]
        )
        spanning += "colspan" in truth["html"]
    assert spanning > 3


def test_html_is_read_alike_by_pandas():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("lxml")
    for index in range(20):
        truth = sample(index).metadata["truth"]
        width = len(truth["table"][0])
        html = truth["html"].replace("th>", "td>").replace("<th ", "<td ")
        [frame] = pandas.read_html(io.StringIO(html), thousands=None, converters=dict.fromkeys(range(width), str))
        assert frame.astype(str).values.tolist() == truth["table"]


def number(text):
    return float(re.sub(r"[^\d.]", "", text))


def test_answers_follow_from_the_rows():
    """Cells, counts, sums and extremes, read from the truth's rows by the words of the question."""
    seen = {}
    for index in range(150):
        conversation = sample(index, language="en", labels="en", tasks=("question",), turns=8)
        rows = conversation.metadata["truth"]["table"]
        heads = rows[1] if rows[0][0] == rows[1][0] else rows[0]
        body = rows[2:] if heads is rows[1] else rows[1:]
        labels = [
            head if heads is rows[0] or group == head else f"{head} ({group})"
            for head, group in zip(heads, rows[0], strict=True)
        ]
        columns = {label: [row[i] for row in body] for i, label in enumerate(labels)}
        names = columns["Name"]
        for question, answer, check in turns(conversation):
            text = question.split("\n")[0]
            answer = answer.rpartition("Answer: ")[2]
            if found := re.match(r"What is the “(.+)” of (\w+)\?", text):
                kind, expected = "cell", columns[found[1]][names.index(found[2])]
            elif found := re.match(r"Which entry has (.+) in the column “(.+)”\?", text):
                kind, expected = "entry", names[columns[found[2]].index(found[1])]
            elif found := re.match(r"How many rows have “(.+)” in the column “(.+)”\?", text):
                kind, expected = "word", str(columns[found[2]].count(found[1]))
            elif "How many columns" in text:
                kind, expected = "columns", str(len(heads))
            elif "below its header" in text:
                kind, expected = "rows", str(len(body))
            elif found := re.match(r"For which name is the (.+) (highest|lowest)\?", text):
                values = [
                    number(cell)
                    for cell in next(c for label, c in columns.items() if label.lower() == found[1].lower())
                ]
                best = max(values) if found[2] == "highest" else min(values)
                kind, expected = "extreme", names[values.index(best)]
                if check["verifier"] == "choice":
                    answer = check["choices"][check["target"]]
            elif found := re.match(r"What is the (.+) in total\?", text):
                values = [
                    number(cell)
                    for cell in next(c for label, c in columns.items() if label.lower() == found[1].lower())
                ]
                kind, expected = "sum", pytest.approx(sum(values))
                answer = float(answer)
            else:
                continue
            assert answer == expected, (text, answer)
            seen[kind] = seen.get(kind, 0) + 1
    assert set(seen) == {"cell", "entry", "word", "columns", "rows", "extreme", "sum"}
    assert min(seen.values()) >= 5, seen


def test_chinese_tables_write_dates_in_chinese_order_and_no_english_words():
    dates = 0
    for seed in range(120):
        table = draw_page_table(random.Random(seed), "train", "zh", columns=6, rows=4)
        for texts in (column.texts for column in table.columns if column.kind == "date"):
            dates += len(texts)
            assert all(re.fullmatch(r"20\d\d[-/.年]\d\d[-/.月]\d\d日?", text) for text in texts), texts
    assert dates > 50


def test_a_spanning_table_is_never_asked_for_in_markdown():
    for index in range(60):
        conversation = sample(index, tasks=("table",))
        [(question, _, _)] = turns(conversation)
        assert not (conversation.metadata["tags"]["spanning"] and "Markdown" in question)
