"""Flow charts: the arrows are followed in the picture's pixels, paths and loops by networkx, sources read back."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import why_unavailable
from vergence.data.synthesis.charts import flow_charts
from vergence.data.synthesis.charts.flow_graph import processes

networkx = pytest.importorskip("networkx")

if why_unavailable("flow-chart"):
    pytest.skip(why_unavailable("flow-chart"), allow_module_level=True)


def sample(index, **settings):
    return make_sample("flow-chart", flow_charts, flow_charts.Config(**settings), 2, index)


def turns(conversation):
    messages, checks = conversation.messages, conversation.metadata["checks"]
    return [(q.text, a.text, check) for q, a, check in zip(messages[::2], messages[1::2], checks, strict=True)]


def graph(conversation):
    truth = conversation.metadata["truth"]
    texts = {node["name"]: node["text"] for node in truth["nodes"]}
    found = networkx.DiGraph()
    found.add_nodes_from(texts.values())
    for start, end, label in truth["edges"]:
        found.add_edge(texts[start], texts[end], label=label)
    return found


def boxes_and_arrows(conversation):
    regions = conversation.metadata["regions"]
    return [r["box"] for r in regions if "box" in r], [r["points"] for r in regions if "points" in r]


def test_arrows_are_drawn_from_the_rim_of_one_box_to_the_rim_of_another():
    """Every arrow is ink along all of its way, and meets no box between its ends."""
    for index in range(30):
        conversation = sample(index)
        [part] = conversation.media
        picture = np.asarray(part.image.convert("L"), dtype=int)
        back = picture[2, 2]
        boxes, arrows = boxes_and_arrows(conversation)
        names = [node["name"] for node in conversation.metadata["truth"]["nodes"]]
        for points, (start, end, _) in zip(arrows, conversation.metadata["truth"]["edges"], strict=True):
            for (x1, y1), (x2, y2) in pairwise(points):
                assert abs(x1 - x2) < 0.6 or abs(y1 - y2) < 0.6, "an arrow is slanted"
                for share in np.linspace(0.02, 0.9, 25):
                    x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
                    near = picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
                    assert np.abs(near - back).max() > 50, (index, points)
                    inside = [
                        n
                        for n, b in zip(names, boxes, strict=True)
                        if b[0] + 2 < x < b[2] - 2 and b[1] + 2 < y < b[3] - 2
                    ]
                    assert not set(inside) - {start, end}, (index, inside, start, end)
            for (x, y), name in ((points[0], start), (points[-1], end)):
                left, top, right, bottom = boxes[names.index(name)]
                assert min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom)) <= 1.5
                assert left - 1.5 <= x <= right + 1.5
                assert top - 1.5 <= y <= bottom + 1.5


def segments(points):
    return list(pairwise(points))


def test_no_two_arrows_cross_or_share_a_way():
    for index in range(60):
        _, arrows = boxes_and_arrows(sample(index))
        for i, first in enumerate(arrows):
            for second in arrows[:i]:
                for a, b in segments(first):
                    for c, d in segments(second):
                        # Only the last point may be shared, where two arrows end at one box.
                        low_x, high_x = max(min(a[0], b[0]), min(c[0], d[0])), min(max(a[0], b[0]), max(c[0], d[0]))
                        low_y, high_y = max(min(a[1], b[1]), min(c[1], d[1])), min(max(a[1], b[1]), max(c[1], d[1]))
                        assert low_x > high_x + 1 or low_y > high_y + 1, (index, first, second)


def test_boxes_are_apart_and_inside():
    for index in range(60):
        conversation = sample(index)
        [part] = conversation.media
        boxes, arrows = boxes_and_arrows(conversation)
        for i, (left, top, right, bottom) in enumerate(boxes):
            assert left >= 4
            assert top >= 4
            assert right <= part.image.width - 4
            assert bottom <= part.image.height - 4
            assert all(right + 8 < b[0] or b[2] + 8 < left or bottom + 8 < b[1] or b[3] + 8 < top for b in boxes[:i])
        assert all(4 <= x <= part.image.width - 4 and 4 <= y <= part.image.height - 4 for way in arrows for x, y in way)


def test_mermaid_and_graphviz_say_the_same_as_the_arrows():
    for index in range(40):
        truth = sample(index).metadata["truth"]
        edges = {(start, end, label) for start, end, label in truth["edges"]}
        mermaid = re.findall(r"^ +(\w) -->(?:\|(.+?)\|)? (\w)$", truth["mermaid"], re.MULTILINE)
        assert {(start, end, label) for start, label, end in mermaid} == edges
        dot = re.findall(r'^ +(\w) -> (\w)(?: \[label="(.+?)"\])?;$', truth["dot"], re.MULTILINE)
        assert set(dot) == edges
        for node in truth["nodes"]:
            assert re.search(
                rf"^ +{node['name']}[\[({{].*{re.escape(node['text'])}.*[\])}}]$", truth["mermaid"], re.MULTILINE
            )
            assert f'{node["name"]} [label="{node["text"]}"' in truth["dot"]


def test_answers_follow_from_the_arrows():
    seen = {}
    for index in range(120):
        conversation = sample(index, language="en", labels="en", turns=8)
        steps, roles = graph(conversation), {n["text"]: n["role"] for n in conversation.metadata["truth"]["nodes"]}
        for question, answer, _ in turns(conversation):
            text, answer = question.split("\n")[0], answer.rpartition("Answer: ")[2]
            if found := re.match(r"Where does the arrow “(.+)” of “(.+)” lead\?", text):
                kind = "branch"
                assert steps.edges[found[2], answer]["label"] == found[1]
            elif found := re.match(r"Which step follows “(.+)”\?", text):
                kind = "next"
                assert list(steps.successors(found[1])) == [answer]
            elif found := re.match(r"From which step does an arrow lead to “(.+)”\?", text):
                kind = "before"
                assert list(steps.predecessors(found[1])) == [answer]
            elif text.startswith("Name all boxes"):
                kind = "path"
                given = dict(re.findall(r"“([^”]+)” (Yes|No)", text.partition("answers are: ")[2]))
                path = answer.split(", ")
                assert path[0] == "Start"
                assert path[-1] == "End"
                assert networkx.is_simple_path(steps, path)
                for a, b in pairwise(path):
                    assert steps.edges[a, b]["label"] == given.get(a, "")
            elif text.startswith("How many"):
                kind = "count"
                decisions = sum(role == "decision" for role in roles.values())
                expected = {"dec": decisions, "box": len(steps), "arr": steps.number_of_edges()}[text.split()[2][:3]]
                assert int(answer) == expected
            elif text.startswith("Can a step"):
                kind = "loop"
                assert (answer == "Yes") == (not networkx.is_directed_acyclic_graph(steps))
            elif text.startswith("Give the arrows"):
                kind = "edges"
                assert json.loads(answer) == {n: sorted(steps.successors(n)) for n in steps if steps.out_degree(n)}
            else:
                continue
            seen[kind] = seen.get(kind, 0) + 1
    assert set(seen) == {"branch", "next", "before", "path", "count", "loop", "edges"}
    assert min(seen.values()) >= 10, seen


def test_every_step_is_reached_and_leads_to_the_end():
    loops = 0
    for index in range(100):
        steps = graph(sample(index, labels="en"))
        for step in steps:
            labels = sorted(steps.edges[edge]["label"] for edge in steps.out_edges(step))
            assert labels in ([], [""], ["No", "Yes"])
        assert networkx.descendants(steps, "Start") | {"Start"} == set(steps)
        assert networkx.ancestors(steps, "End") | {"End"} == set(steps)
        loops += not networkx.is_directed_acyclic_graph(steps)
    assert 10 < loops < 80


def test_the_splits_share_no_process():
    train, heldout = ({process[0] for process in processes(split)} for split in ("train", "heldout"))
    assert train
    assert heldout
    assert not train & heldout
