"""Flow charts drawn by ourselves, with Mermaid and Graphviz source as ground truth: next steps, paths, counts."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from typing import Literal

from pydantic import Field

from vergence.data.formats import short_turn, thought_turn
from vergence.data.generator import Draft, Region, Turn, dialogue
from vergence.data.pictures import Box
from vergence.data.synthesis.charts.chart_fonts import chinese_font, latin_fonts
from vergence.data.synthesis.charts.chart_turns import ChartConfig, languages
from vergence.data.synthesis.charts.flow_graph import Flow, draw_flow, name, to_dot, to_mermaid, walk
from vergence.data.synthesis.charts.flow_layout import draw_chart, draw_look
from vergence.processing.coordinates import format_box

VERSION = 1
PACKAGES: tuple[str, ...] = ()


class Config(ChartConfig):
    """The settings of `flow-chart`."""

    tasks: tuple[Literal["next", "before", "path", "count", "loop", "edges", "place", "code"], ...] = Field(  # type: ignore[assignment]
        ("next", "before", "path", "count", "loop", "edges", "place", "code"),
        min_length=1,
        description="what is asked for",
    )
    steps: tuple[int, int] = Field((3, 6), description="least and most steps in the main column, at most 7")


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw a process and ask how it goes."""
    spoken, drawn = languages(config, rng)
    flow = draw_flow(rng, config.split, drawn, min(7, rng.randint(*config.steps)))
    font = chinese_font(config.split) if drawn == "zh" else rng.choice(latin_fonts(config.split))
    look = draw_look(rng, len(flow.nodes) <= 7)
    image, boxes, ways = draw_chart(flow, look, font)
    asker = _Asker(flow, boxes, image.size, rng, spoken, "LR" if look.across else "TD")
    turns = [turn for task in config.tasks for turn in [getattr(asker, task)()] if turn]
    rng.shuffle(turns)
    long = [turn for turn in turns if turn.check["verifier"] in ("json", "text")]
    kept = [turn for turn in turns if turn not in long][: config.turns]
    if long and (not kept or rng.random() < 0.5):
        kept[config.turns - 1 :] = long[:1]
    messages, checks = dialogue((image,), kept)
    decisions = sum(node.role == "decision" for node in flow.nodes)
    return Draft(
        messages,
        checks,
        truth={
            "nodes": [{"name": name(i), "text": n.text, "role": n.role} for i, n in enumerate(flow.nodes)],
            "edges": [[name(edge.start), name(edge.end), edge.label] for edge in flow.edges],
            "mermaid": to_mermaid(flow, asker.direction),
            "dot": to_dot(flow, asker.direction),
        },
        capability="ocr/diagrams",
        domain=flow.domain,
        difficulty=min(1.0, 0.1 + 0.04 * len(flow.nodes) + 0.12 * decisions),
        language=spoken,
        sources=(font.item(),),
        regions=(
            *(Region(node.text, box, order=i) for i, (node, box) in enumerate(zip(flow.nodes, boxes, strict=True))),
            *(Region("arrow", points=tuple(way)) for way in ways),
        ),
        tags={"labels": drawn, "direction": asker.direction},
    )


class _Asker:
    """Asks about one chart; every task gives a turn, or None where it has no clear answer."""

    def __init__(
        self, flow: Flow, boxes: list[Box], size: tuple[int, int], rng: random.Random, language: str, direction: str
    ) -> None:
        self.flow, self.boxes, self.size, self.rng = flow, boxes, size, rng
        self.language, self.direction = language, direction

    def say(self, en: str, zh: str) -> str:
        return zh if self.language == "zh" else en

    def text(self, node: int) -> str:
        return self.flow.nodes[node].text

    def next(self) -> Turn | None:
        """What follows a step, or an answer to a decision."""
        edge = self.rng.choice(self.flow.edges)
        if edge.start == 0 and len(self.flow.edges) > 2:
            edge = self.rng.choice(self.flow.edges[1:])
        start, target = self.text(edge.start), self.text(edge.end)
        if edge.label:
            question = self.say(
                f"Where does the arrow “{edge.label}” of “{start}” lead?", f"“{start}”的“{edge.label}”分支通向哪一步？"
            )
        else:
            question = self.say(f"Which step follows “{start}”?", f"“{start}”的下一步是什么？")
        return self._text_turn(question, target)

    def before(self) -> Turn | None:
        """The one step from which an arrow leads to a step."""
        single = [edge for edge in self.flow.edges if len(self.flow.into(edge.end)) == 1]
        edge = self.rng.choice(single)
        question = self.say(
            f"From which step does an arrow lead to “{self.text(edge.end)}”?",
            f"哪一步的箭头指向“{self.text(edge.end)}”？",
        )
        return self._text_turn(question, self.text(edge.start))

    def _text_turn(self, question: str, answer: str) -> Turn:
        check = {"verifier": "exact", "target": answer, "accepted": [answer.rstrip("?？")]}
        return short_turn(question, answer, check, self.language)

    def path(self) -> Turn | None:
        """The steps from start to end under given answers to the decisions on the way."""
        decisions = [i for i, node in enumerate(self.flow.nodes) if node.role == "decision"]
        for _ in range(8):
            answers = {i: self.rng.choice(self.flow.out(i)).label for i in decisions}
            passed = walk(self.flow, answers)
            if passed:
                break
        else:
            return None
        met = [i for i in passed if i in answers]
        if not met:
            return None
        comma = self.say(", ", "，")
        given = comma.join(f"“{self.text(i)}” {answers[i]}" for i in met)
        question = self.say(
            f"Name all boxes that are passed from “{self.text(0)}” to the end, in order and separated by commas,"
            f" if the answers are: {given}.",
            f"若各判断的答案为：{given}，请从“{self.text(0)}”到结束，按顺序列出经过的所有框，用逗号分隔。",
        )
        names = [self.text(i) for i in passed]
        steps = []
        for first, second in pairwise(passed):
            by = f" ({answers[first]})" if first in answers else ""
            steps.append(f"{self.text(first)}{by} → {self.text(second)}")
        return thought_turn(
            question, steps, comma.join(names), {"verifier": "sequence", "target": names}, self.language
        )

    def count(self) -> Turn | None:
        """How many decisions, boxes or arrows there are."""
        nodes, edges = self.flow.nodes, self.flow.edges
        what, count = self.rng.choice(
            (
                (self.say("decisions (diamonds)", "判断（菱形框）"), sum(node.role == "decision" for node in nodes)),
                (self.say("boxes of any shape", "框（包括所有形状）"), len(nodes)),
                (self.say("arrows", "箭头"), len(edges)),
            )
        )
        question = self.say(f"How many {what} does the flow chart have?", f"这个流程图中共有多少个{what}？")
        return short_turn(question, str(count), {"verifier": "count", "target": count}, self.language)

    def loop(self) -> Turn | None:
        """Whether an arrow leads back to a step that was already passed."""
        found = _has_cycle(self.flow)
        answer = self.say("Yes" if found else "No", "有" if found else "没有")
        question = self.say(
            "Can a step be passed twice, because an arrow leads back to it?",
            "流程图中有没有循环（箭头回到前面的步骤）？",
        )
        return short_turn(question, answer, {"verifier": "exact", "target": answer}, self.language)

    def edges(self) -> Turn | None:
        """All arrows as JSON."""
        found = {
            node.text: [self.text(edge.end) for edge in self.flow.out(i)] for i, node in enumerate(self.flow.nodes)
        }
        target = {text: sorted(ends) for text, ends in found.items() if ends}
        question = self.say(
            "Give the arrows as a JSON object: the text of each box that has arrows going out, with the list of the"
            " texts of the boxes they lead to, in alphabetical order.",
            "请用JSON对象给出所有箭头：键为有箭头指出的框的文字，值为它指向的框的文字列表（按字符编码排序）。",
        )
        answer = json.dumps(target, ensure_ascii=False)
        return Turn(question, answer, {"verifier": "json", "target": target})

    def place(self) -> Turn | None:
        """Where a box is."""
        number = self.rng.randrange(len(self.boxes))
        box = [round(value, 2) for value in self.boxes[number]]
        question = self.say(f"Give the box of “{self.text(number)}”.", f"请给出“{self.text(number)}”的边界框。")
        check = {"verifier": "box", "target": box, "size": list(self.size)}
        return Turn(question, format_box(box, *self.size), check)

    def code(self) -> Turn | None:
        """The chart in Mermaid's or Graphviz's language."""
        tool, source, fence = self.rng.choice(
            (
                ("Mermaid", to_mermaid(self.flow, self.direction), "mermaid"),
                ("Graphviz (DOT)", to_dot(self.flow, self.direction), "dot"),
            )
        )
        question = self.say(f"Write this flow chart in {tool}.", f"请用{tool}写出这个流程图。")
        answer = f"```{fence}\n{source}\n```"
        return Turn(question, answer, {"verifier": "text", "target": answer})


def _has_cycle(flow: Flow) -> bool:
    """Whether nodes are left when those without arrows in are taken away again and again (Kahn 1962)."""
    left = set(range(len(flow.nodes)))
    while True:
        free = {i for i in left if not any(edge.start in left for edge in flow.into(i))}
        if not free:
            return bool(left)
        left -= free
