"""Matplotlib's charts, checked by their pixels, by numpy's statistics of the raw numbers, and by running their code."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib
from PIL import ImageColor

from vergence.data.generator import make_sample
from vergence.data.kinds import why_unavailable
from vergence.data.sources.packages import fetched
from vergence.data.synthesis.charts import matplotlib_charts as plots
from vergence.processing.media import decode_image

if why_unavailable("plot"):
    pytest.skip(why_unavailable("plot"), allow_module_level=True)


def sample(index, *types, **settings):
    return make_sample("plot", plots, plots.Config(types=types or plots.TYPES, **settings), 11, index)


def pixels(conversation):
    [part] = conversation.media
    return np.asarray(part.image.convert("RGB"), dtype=int)


def constant(code, name):
    """The literal that a chart's code gives a name."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise KeyError(name)


def numbers(conversation):
    """The table's numbers, series by series."""
    return np.array([[float(cell) for cell in row[1:]] for row in conversation.metadata["truth"]["table"][1:]]).T


def run_of(line, colour):
    """The number of pixels in a line that are of a colour, but for the blended ones at the ends."""
    return int((np.abs(line - colour).sum(axis=-1) < 24).sum())


@pytest.mark.parametrize("kind", ["bar", "horizontal bar", "grouped bar", "stacked bar", "histogram"])
def test_the_lengths_of_bars_in_pixels_are_the_numbers(kind):
    """Along the bar's quarter line, off the printed number, as many pixels have its colour as the number says."""
    checked = 0
    for index in range(8):
        conversation = sample(index, kind)
        code = conversation.metadata["truth"]["code"]
        if "hatch=" in code:
            continue
        picture, values = pixels(conversation), numbers(conversation).ravel()
        lengths = []
        for region in conversation.metadata["regions"]:
            left, top, right, bottom = region["box"]
            if kind == "horizontal bar":
                line = picture[int(top * 0.9 + bottom * 0.1) + 1, int(left) + 1 : int(right) + 8]
                end, middle = right - left, int((right - left) * 0.5)
            else:
                line = picture[max(0, int(top) - 8) : int(bottom), int(left * 0.9 + right * 0.1) + 1]
                end, middle = bottom - top, len(line) - int((bottom - top) * 0.5)
            lengths.append(run_of(line, line[min(middle, len(line) - 1)]))
            assert abs(lengths[-1] - end) <= 4, (index, region)
        scale = np.array(lengths) / values
        room = 4 / values.min() + 1e-9
        assert scale.max() - scale.min() <= room, (index, lengths, values)
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize("kind", ["line", "area"])
def test_the_points_of_lines_are_where_the_numbers_are(kind):
    """The drawn height of each point is an affine function of its number, and there is ink there."""
    for index in range(8):
        conversation = sample(index, kind)
        picture, values = pixels(conversation), numbers(conversation).ravel()
        centres = np.array([np.array(r["box"]).reshape(2, 2).mean(axis=0) for r in conversation.metadata["regions"]])
        slope, start = np.polyfit(values, centres[:, 1], 1)
        assert slope < 0
        assert np.abs(slope * values + start - centres[:, 1]).max() < 1
        back = ImageColor.getrgb(re.search(r'"axes.facecolor": "(#\w+)"', conversation.metadata["truth"]["code"])[1])
        for x, y in centres:
            near = picture[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3]
            assert np.abs(near - np.array(back)).sum(axis=-1).max() > 60, (index, x, y)


def test_the_areas_of_sectors_are_the_shares():
    for index in range(8):
        conversation = sample(index, "pie")
        picture, values = pixels(conversation), numbers(conversation).ravel()
        colours = constant(conversation.metadata["truth"]["code"], "colors")
        assert values.sum() == 100
        if len(set(colours)) < len(colours):
            continue
        counts = np.array([(np.abs(picture - np.array(ImageColor.getrgb(c))).sum(axis=-1) < 9).sum() for c in colours])
        assert np.abs(counts / counts.sum() * 100 - values).max() < 2.5, (index, counts, values)


def test_heat_maps_are_darker_or_lighter_in_the_order_of_their_numbers():
    """Cells of equal numbers have equal colours, others different ones."""
    for index in range(6):
        conversation = sample(index, "heat map")
        picture, values = pixels(conversation), numbers(conversation).ravel()
        colours = []
        for region in conversation.metadata["regions"]:
            left, top, right, bottom = region["box"]
            colours.append(tuple(picture[int(top + (bottom - top) * 0.15), int(left + (right - left) * 0.15)]))
        for a, first in zip(values, colours, strict=True):
            for b, second in zip(values, colours, strict=True):
                assert (first == second) or a != b
        assert len(set(colours)) > len(set(values)) / 2


def test_histograms_and_boxes_summarise_their_raw_numbers():
    for index in range(10):
        code = (conversation := sample(index, "histogram")).metadata["truth"]["code"]
        assert "integer=True" in code  # no tick at half a number
        edges = constant(code, "edges")
        assert constant(code, "counts") == numbers(conversation).ravel().tolist()
        rows = [row[0] for row in conversation.metadata["truth"]["table"][1:]]
        assert rows == [f"{low}-{high}" for low, high in pairwise(edges)]
        code = (conversation := sample(index, "box plot")).metadata["truth"]["code"]
        quartiles = [np.percentile(group, (0, 25, 50, 75, 100)) for group in constant(code, "groups")]
        assert np.allclose(np.array(quartiles).T, numbers(conversation))
        # The picture shows nothing of other numbers, so the code has none.
        assert all(len(group) == 5 for group in constant(code, "groups"))


def test_bins_boxes_and_shares_are_spoken_of_as_what_they_are():
    seen = set()
    for index in range(24):
        for kind, language in (("histogram", "en"), ("box plot", "zh"), ("box plot", "en"), ("pie", "en")):
            conversation = sample(index, kind, language=language, turns=6, tasks=("question",))
            rows = [row[0] for row in conversation.metadata["truth"]["table"][1:]]
            header = conversation.metadata["truth"]["table"][0][1:]
            if kind == "pie":
                assert conversation.metadata["truth"]["printed"]
            for question, answer, _ in turns(conversation):
                text = question.split("\n")[0]
                if kind == "histogram" and ("lowest" in text or "highest" in text) and "Name the three" not in text:
                    assert text.startswith("In which range of the ")
                    seen.add("range")
                if kind == "histogram" and "How many bins" in text:
                    assert answer == str(len(rows))
                    seen.add("bins")
                if kind == "box plot" and ("Which has" in text or "中哪个更高" in text):
                    statistic = [name for name in header if name.lower() in text.lower()]
                    assert len(statistic) == 1
                    assert sum(row in text for row in rows) >= 2
                    seen.add(language)
    assert seen == {"range", "bins", "en", "zh"}


def test_questions_about_scatter_plots_are_answered_by_their_points():
    seen = set()
    for index in range(16):
        conversation = sample(index, "scatter", language="en", turns=6, tasks=("question",))
        code = conversation.metadata["truth"]["code"]
        x, y = np.array(constant(code, "x")), np.array(constant(code, "y"))
        for question, answer, check in turns(conversation):
            if "How many points are" in question:
                assert int(answer) == len(x)
            elif "How many points lie" in question:
                assert int(answer.split()[-1]) == (y > float(re.search(r"above ([\d.]+) on", question)[1])).sum()
            elif "highest point" in question:
                assert float(answer) == x[y.argmax()]
            else:
                r = np.corrcoef(x, y)[0, 1]
                words = check["choices"][check["target"]]
                expected = "together" if r > 0.6 else "fall" if r < -0.6 else "no clear"
                assert expected in words
            seen.add(" ".join(question.split()[:4]))
    assert len(seen) >= 4


def turns(conversation):
    """Question, answer and check of every turn."""
    messages, checks = conversation.messages, conversation.metadata["checks"]
    return [(q.text, a.text, check) for q, a, check in zip(messages[::2], messages[1::2], checks, strict=True)]


def test_the_code_of_a_chart_draws_it(tmp_path, monkeypatch):
    """With pyplot, from a fresh state, the answer's program writes the same pixels."""
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    for index in range(len(plots.TYPES)):
        conversation = sample(index, plots.TYPES[index])
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            pyplot.switch_backend("Agg")
            exec(compile(conversation.metadata["truth"]["code"], "chart", "exec"), {})
            pyplot.close("all")
        drawn = decode_image((tmp_path / "chart.png").read_bytes()).convert("RGB")
        assert np.array_equal(np.asarray(drawn), pixels(conversation)), plots.TYPES[index]


def test_a_users_settings_of_matplotlib_change_nothing():
    expected = pixels(sample(3, "line"))
    with matplotlib.rc_context({"axes.facecolor": "red", "lines.linewidth": 9, "font.size": 30}):
        assert np.array_equal(pixels(sample(3, "line")), expected)


def test_drawing_leaves_no_figure_behind():
    from matplotlib import pyplot

    sample(0)
    assert pyplot.get_fignums() == []


def test_chinese_labels_are_drawn_in_the_fetched_font():
    if not (fetched("font-noto-sans-sc") and fetched("font-zcool-xiaowei")):
        pytest.skip("the Chinese fonts aren't fetched")
    for split in ("train", "heldout"):
        conversation = sample(2, "bar", labels="zh", language="zh", split=split)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in conversation.metadata["truth"]["title"])
        [source] = conversation.metadata["provenance"]["sources"]
        assert source["package"] == {"train": "font-noto-sans-sc", "heldout": "font-zcool-xiaowei"}[split]
