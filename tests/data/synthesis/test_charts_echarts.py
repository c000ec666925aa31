"""ECharts' charts, checked by their pixels, the numbers at their axes, and the SVG that they are made from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from hashlib import sha256
from xml.etree import ElementTree

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import why_unavailable
from vergence.errors import DataError, UsageError

if why_unavailable("echarts-chart"):
    pytest.skip(why_unavailable("echarts-chart"), allow_module_level=True)

from vergence.data.synthesis.charts import echarts_charts as charts
from vergence.data.synthesis.charts import echarts_renderer
from vergence.data.synthesis.charts.chart_fonts import latin_fonts
from vergence.data.synthesis.charts.echarts_renderer import Renderer, draw_pixels, draw_svg

BARS = ("bar", "horizontal bar", "grouped bar", "stacked bar")


def sample(index, *types, **settings):
    return make_sample("echarts-chart", charts, charts.Config(types=types or charts.TYPES, **settings), 5, index)


def pixels(conversation):
    [part] = conversation.media
    return np.asarray(part.image.convert("RGB"), dtype=int)


def table(conversation):
    """(series, row) -> number, from the truth's table, series by series."""
    head, *body = conversation.metadata["truth"]["table"]
    return {(head[s], row[0]): float(row[s]) for s in range(1, len(head)) for row in body}


def boxes(conversation):
    """The boxes of the regions in units of the SVG."""
    found = np.array([region["box"] for region in conversation.metadata["regions"]])
    return found / conversation.metadata["truth"]["scale"]


def font_of(option):
    [font] = [font for font in latin_fonts("train") if font.family == option["textStyle"]["fontFamily"]]
    return font


def svg(conversation):
    truth = conversation.metadata["truth"]
    return draw_svg(truth["option"], tuple(truth["size"]), font_of(truth["option"]))[0]


def texts(conversation):
    """The texts of the SVG that stand upright: (text, x, y, anchor)."""
    found = []
    for node in ElementTree.fromstring(svg(conversation)).iter("{http://www.w3.org/2000/svg}text"):
        moved = re.fullmatch(r"translate\(([-\d.]+) ([-\d.]+)\)", node.get("transform", "translate(0 0)"))
        if moved:
            x, y = float(node.get("x", 0)) + float(moved[1]), float(node.get("y", 0)) + float(moved[2])
            found.append((node.text, x, y, node.get("text-anchor")))
    return found


def scale_of(conversation, along):
    """Pixel -> number on an axis (0 across, 1 up), by the numbers that are written at its ticks."""
    height = conversation.metadata["truth"]["size"][1]
    ticks = [
        (float(text.replace(",", "")), x, y)
        for text, x, y, anchor in texts(conversation)
        if re.fullmatch(r"[\d,.]+", text) and anchor == ("end" if along else "middle")
    ]
    lines = {}
    for number, x, y in ticks:
        lines.setdefault(x if along else y, []).append((y if along else x, number))
    # Along the axis they stand in one line, the lowest of the picture or the one furthest to the left.
    at = min(lines) if along else max(line for line in lines if line > height / 2)
    places, numbers = zip(*sorted(lines[at]), strict=True)
    assert len(places) > 2
    return lambda place: np.interp(place, places, numbers)


def lies(conversation):
    return conversation.metadata["truth"]["option"]["xAxis"]["type"] == "value"


@pytest.mark.parametrize("kind", charts.TYPES)
def test_the_option_holds_the_table(kind):
    for index in range(6):
        conversation = sample(index, kind)
        truth = conversation.metadata["truth"]
        option, series = truth["option"], truth["option"]["series"]
        if kind == "pie":
            found = {(series[0]["name"], part["name"]): part["value"] for part in series[0]["data"]}
        elif kind == "radar":
            names = [one["name"] for one in option["radar"]["indicator"]]
            found = {
                (one["name"], name): v for one in series[0]["data"] for name, v in zip(names, one["value"], strict=True)
            }
        elif kind == "heat map":
            across, up = option["xAxis"]["data"], option["yAxis"]["data"]
            found = {(up[y], across[x]): v for x, y, v in series[0]["data"]}
        elif kind == "scatter":
            names = (option["xAxis"]["name"], option["yAxis"]["name"])
            found = {(names[a], str(i + 1)): p[a] for a in (0, 1) for i, p in enumerate(series[0]["data"])}
        else:
            rows = option["yAxis" if lies(conversation) else "xAxis"]["data"]
            found = {(one["name"], row): v for one in series for row, v in zip(rows, one["data"], strict=True)}
        assert found == table(conversation)
        assert option["title"]["text"] == truth["title"]


def test_the_code_in_an_answer_draws_the_picture():
    for index in range(8):
        conversation = sample(index, tasks=("code",))
        truth = conversation.metadata["truth"]
        option = json.loads(conversation.messages[-1].text.removeprefix("```json\n").removesuffix("\n```"))
        assert option == truth["option"]
        drawn, _ = draw_svg(option, tuple(truth["size"]), font_of(option))
        assert (np.asarray(draw_pixels(drawn, font_of(option), truth["scale"])) == pixels(conversation)).all()


@pytest.mark.parametrize("kind", BARS)
def test_the_lengths_of_bars_in_pixels_are_the_numbers(kind):
    """Along each bar, beside its number, as many pixels have its colour as its number says."""
    for index in range(6):
        conversation = sample(index, kind)
        picture = pixels(conversation)
        if lies(conversation):
            picture = picture.transpose(1, 0, 2)
        found = np.array([region["box"] for region in conversation.metadata["regions"]])
        found = found[:, [1, 0, 3, 2]] if lies(conversation) else found
        lengths = []
        for left, top, right, bottom in found:
            line = picture[max(0, int(top) - 6) : int(bottom) + 6, int(left + (right - left) * 0.2) + 1]
            middle = line[int((top + bottom) / 2) - max(0, int(top) - 6)]
            lengths.append((np.abs(line - middle).sum(axis=-1) < 30).sum())
        expected = found[:, 3] - found[:, 1]
        assert np.abs(np.array(lengths) - expected).max() <= 3, (index, lengths, expected)
        scale = expected / np.array(list(table(conversation).values()))
        assert np.ptp(scale) / scale.mean() < 0.02


@pytest.mark.parametrize("kind", ["bar", "horizontal bar", "grouped bar", "line", "area", "scatter"])
def test_the_numbers_can_be_read_off_the_axes(kind):
    for index in range(8):
        conversation = sample(index, kind)
        left, top, right, bottom = boxes(conversation).T
        numbers = list(table(conversation).values())
        if kind == "scatter":
            count = len(numbers) // 2
            assert np.allclose(scale_of(conversation, 0)((left + right) / 2), numbers[:count], atol=max(numbers) / 200)
            numbers, place = numbers[count:], (top + bottom) / 2
        elif kind == "horizontal bar":
            place = right
        else:
            place = (top + bottom) / 2 if kind in ("line", "area") else top
        read = scale_of(conversation, 0 if kind == "horizontal bar" else 1)(place)
        assert np.allclose(read, numbers, atol=max(numbers) / 150), (index, read, numbers)


def test_sectors_have_the_areas_of_their_numbers():
    for index in range(8):
        conversation = sample(index, "pie")
        truth = conversation.metadata["truth"]
        left, top, right, bottom = np.array([r["box"] for r in conversation.metadata["regions"]]).T
        inside = pixels(conversation)[int(top.min()) : int(bottom.max()), int(left.min()) : int(right.max())]
        colours = [tuple(bytes.fromhex(c[1:])) for c in truth["option"]["color"]]
        areas = np.array([(np.abs(inside - colour).sum(axis=-1) < 12).sum() for colour in colours], dtype=float)
        shares = 100 * areas / areas.sum()
        assert np.abs(shares - list(table(conversation).values())).max() < 1.2, (index, shares)


def test_corners_of_radar_charts_lie_as_far_out_as_their_numbers():
    for index in range(8):
        conversation = sample(index, "radar")
        truth = conversation.metadata["truth"]
        radar, size = truth["option"]["radar"], np.array(truth["size"])
        centre = size * [float(part[:-1]) / 100 for part in radar["center"]]
        radius = min(size) / 2 * float(radar["radius"][:-1]) / 100
        top = radar["indicator"][0]["max"]
        assert top % 5 == 0 or top < 10
        lines = [
            np.array(points.split(), dtype=float).reshape(-1, 2)[:-1]  # the last closes the line
            for points in re.findall(r'<polyline points="([^"]+)"', svg(conversation))
        ]
        found = np.concatenate([np.hypot(*(line - centre).T) for line in lines]) / radius * top
        assert np.allclose(found, list(table(conversation).values()), atol=top / 200), index
        rings = {text for text, x, y, _ in texts(conversation) if abs(x - centre[0]) < 30}
        assert f"{top:,g}" in rings or f"{top:,.0f}" in rings


def test_printed_numbers_stand_in_their_own_parts():
    for index in range(12):
        conversation = sample(index, "stacked bar" if index % 2 else "heat map")
        written = texts(conversation)
        for number, (left, top, right, bottom) in zip(table(conversation).values(), boxes(conversation), strict=True):
            inside = [text for text, x, y, _ in written if left <= x <= right and top <= y <= bottom]
            assert [float(text.replace(",", "")) for text in inside] == [number]


def test_heat_maps_have_one_colour_a_number():
    for index in range(6):
        conversation = sample(index, "heat map")
        picture, colours = pixels(conversation), {}
        for number, region in zip(table(conversation).values(), conversation.metadata["regions"], strict=True):
            left, top, _, _ = region["box"]
            colours.setdefault(number, set()).add(tuple(picture[int(top) + 5, int(left) + 5]))
        assert all(len(found) == 1 for found in colours.values())
        assert len(set().union(*colours.values())) >= 0.6 * len(colours)


@pytest.mark.parametrize("kind", charts.TYPES)
def test_nothing_is_cut_off_or_left_out(kind):
    for index in range(8):
        conversation = sample(index, kind)
        picture = pixels(conversation)
        for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
            assert (edge == picture[0, 0]).all(), index
        option = conversation.metadata["truth"]["option"]
        lines = [text.strip() for text in ElementTree.fromstring(svg(conversation)).itertext()]
        names = [option["title"]["text"], *(option.get(axis, {}).get("name") for axis in ("xAxis", "yAxis"))]
        if kind != "scatter":
            names += [
                name
                for cell in table(conversation)
                for name in cell[0 if len({s for s, _ in table(conversation)}) > 1 else 1 :]
            ]
        for name in filter(None, names):
            assert any(line == name or line.startswith(f"{name}: ") for line in lines), (index, name)


def test_another_process_gives_the_same_bytes_whatever_was_drawn_before():
    program = (
        "from vergence.data.generator import make_sample\n"
        "from vergence.data.synthesis.charts import echarts_charts as c\n"
        "from hashlib import sha256\n"
        "for i in (4, 3, 2, 1, 0):\n"
        "    s = make_sample('echarts-chart', c, c.Config(), 5, i)\n"
        "    print(sha256(repr(s.metadata).encode() + s.media[0].image.tobytes()).hexdigest())\n"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    here = [sample(i) for i in range(5)]
    assert other[::-1] == [sha256(repr(s.metadata).encode() + s.media[0].image.tobytes()).hexdigest() for s in here]
    assert svg(here[0]) == svg(here[0])


REQUEST = {"option": {"animation": False, "series": []}, "width": 50, "height": 40, "widths": {}}


def test_a_process_that_died_is_started_anew_and_ends_with_its_input():
    renderer = Renderer()
    first = renderer.draw(REQUEST)
    renderer._process.kill()
    renderer._process.wait()
    assert renderer.draw(REQUEST) == first
    process = renderer._process
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    renderer.close()


def test_what_cannot_be_drawn_is_an_error_and_the_process_goes_on():
    renderer = Renderer()
    with pytest.raises(DataError, match="ECharts can't draw this option: "):
        renderer.draw({**REQUEST, "option": {"xAxis": {"type": "nothing"}, "yAxis": {}, "series": []}})
    process = renderer._process
    assert renderer.draw(REQUEST)["svg"].startswith("<svg")
    assert renderer._process is process
    renderer.close()
    assert process.poll() is not None


def test_a_process_that_dies_twice_is_an_error(tmp_path, monkeypatch):
    script = tmp_path / "ends.js"
    script.write_text("process.exit(3)")
    monkeypatch.setattr(echarts_renderer, "SCRIPT", script)
    with pytest.raises(DataError, match="ended twice"):
        Renderer().draw(REQUEST)


def test_a_machine_without_node_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(echarts_renderer, "PROGRAMS", ("no-such-program",))
    with pytest.raises(UsageError, match="apt-get install"):
        Renderer().draw(REQUEST)
