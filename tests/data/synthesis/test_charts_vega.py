"""Vega-Lite's charts, checked by their pixels, their specification, and Vega's own scales."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("vl_convert")

from vergence.data.generator import make_sample
from vergence.data.kinds import why_unavailable
from vergence.data.synthesis.charts import vega_charts as charts

if why_unavailable("vega-chart"):
    pytest.skip(why_unavailable("vega-chart"), allow_module_level=True)


def sample(index, *types, **settings):
    return make_sample("vega-chart", charts, charts.Config(types=types or charts.TYPES, **settings), 5, index)


def pixels(conversation):
    [part] = conversation.media
    return np.asarray(part.image.convert("RGB"), dtype=int)


def table(conversation):
    """(row, series) -> number, from the truth's table, series by series."""
    head, *body = conversation.metadata["truth"]["table"]
    return {(row[0], head[s]): float(row[s]) for s in range(1, len(head)) for row in body}


@pytest.mark.parametrize("kind", charts.TYPES)
def test_the_specification_holds_the_table(kind):
    for index in range(5):
        conversation = sample(index, kind)
        truth = conversation.metadata["truth"]
        only = truth["table"][0][1]
        found = {(v["row"], v.get("series", only)): v["value"] for v in truth["spec"]["data"]["values"]}
        assert found == table(conversation)
        assert truth["spec"]["title"]["text"] == truth["title"]


def test_the_code_in_an_answer_is_the_specification():
    for index in range(5):
        conversation = sample(index, tasks=("code",))
        answer = conversation.messages[-1].text
        assert (
            json.loads(answer.removeprefix("```json\n").removesuffix("\n```")) == conversation.metadata["truth"]["spec"]
        )


@pytest.mark.parametrize("kind", ["bar", "horizontal bar", "grouped bar", "stacked bar"])
def test_the_lengths_of_bars_in_pixels_are_the_numbers(kind):
    """Across each bar, beside its number, as many pixels have its colour as its number says."""
    for index in range(6):
        conversation = sample(index, kind)
        picture = pixels(conversation)
        values = np.array(list(table(conversation).values()))
        boxes = np.array([region["box"] for region in conversation.metadata["regions"]])
        sizes = boxes[:, 2:] - boxes[:, :2]
        along = 1 if np.ptp(sizes[:, 0]) < np.ptp(sizes[:, 1]) else 0
        lengths = []
        for left, top, right, bottom in boxes:
            if along:
                x = int(left + (right - left) * 0.15) + 1
                line = picture[max(0, int(top) - 6) : int(bottom) + 6, x]
                middle = line[int(top - max(0, int(top) - 6) + (bottom - top) * 0.5)]
            else:
                y = int(top + (bottom - top) * 0.15) + 1
                line = picture[y, max(0, int(left) - 6) : int(right) + 6]
                middle = line[int(left - max(0, int(left) - 6) + (right - left) * 0.5)]
            lengths.append((np.abs(line - middle).sum(axis=-1) < 30).sum())
        expected = sizes[:, along]
        assert np.abs(np.array(lengths) - expected).max() <= 5, (index, lengths, expected)
        scale = expected / values
        assert np.ptp(scale) / scale.mean() < 0.02


def test_heat_maps_have_one_colour_a_number():
    for index in range(5):
        conversation = sample(index, "heat map")
        picture, numbers = pixels(conversation), list(table(conversation).values())
        colours = {}
        for number, region in zip(numbers, conversation.metadata["regions"], strict=True):
            left, top, _, _ = region["box"]
            colours.setdefault(number, set()).add(tuple(picture[int(top) + 5, int(left) + 5]))
        assert all(len(found) == 1 for found in colours.values())
        assert len(set().union(*colours.values())) >= 0.6 * len(colours)


def test_stacked_numbers_stand_in_their_own_bars():
    """The text layer is stacked as the bars are: Vega's own scene has each number inside of the bar with its value."""
    import vl_convert

    for index in range(5):
        spec = sample(index, "stacked bar").metadata["truth"]["spec"]
        scene = vl_convert.vegalite_to_scenegraph(spec)
        bars, texts = [], []

        def collect(node, kind="", bars=bars, texts=texts):
            kind = node.get("marktype", kind) if isinstance(node, dict) else kind
            if isinstance(node, dict):
                if node.get("role") == "mark" and node.get("marktype") in ("rect", "text"):
                    (bars if node["marktype"] == "rect" else texts).extend(node["items"])
                for child in node.get("items", ()):
                    collect(child, kind)

        collect(scene["scenegraph"])
        values = spec["data"]["values"]
        assert len(bars) == len(texts) == len(values)
        for bar, value in zip(bars, values, strict=True):
            inside = [
                text["text"]
                for text in texts
                if bar["x"] <= text["x"] <= bar["x"] + bar["width"]
                and bar["y"] <= text["y"] <= bar["y"] + bar["height"]
            ]
            assert [float(str(text).replace(",", "")) for text in inside] == [value["value"]]
