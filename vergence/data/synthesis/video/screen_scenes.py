"""Recordings of a screen as clips: which app is used for what, in English or Chinese.

Held out are what is typed, what is replied, and the typefaces.
"""

from __future__ import annotations

import random
from functools import cache

from vergence.data.generator import SourceItem
from vergence.data.pictures import Split, split_of
from vergence.data.synthesis.ocr.fonts import Typeface, families, font_item
from vergence.data.synthesis.text import words
from vergence.data.synthesis.video.events import Clip, Event, Fact, Text
from vergence.data.synthesis.video.screen_layout import APP_NAMES, APPS, App, new_look
from vergence.data.synthesis.video.screen_recording import (
    FPS,
    Recording,
    change_settings,
    draw,
    send_message,
    write_note,
)

_PHRASES = (
    "明天开会", "记得买菜", "下午三点见", "去图书馆", "带上雨伞", "给妈妈打电话", "周末去爬山", "订火车票",
    "还书给老师", "晚上吃面条", "修理自行车", "准备生日礼物", "浇花喂猫", "整理房间", "学习新单词", "看医生",
    "交电费水费", "预约理发", "写读书笔记", "练习钢琴", "早点休息", "检查作业", "收拾行李", "洗衣服",
    "取快递包裹", "参加比赛", "打扫厨房", "联系客户", "更新简历", "购买车票",
)  # fmt: skip
_REPLIES = (
    "好的", "没问题", "马上到", "谢谢你", "明天见", "我知道了", "稍等一下", "太好了",
    "辛苦了", "可以的", "不客气", "我在路上",
)  # fmt: skip


@cache
def _choices(texts: tuple[str, ...], split: Split) -> tuple[str, ...]:
    return tuple(text for text in texts if split_of(f"phrase:{text}") == split)


def screen_clip(rng: random.Random, language: str, split: Split) -> tuple[Clip, tuple[SourceItem, ...]]:
    """A clip of one or two apps in use, and its typeface. Raises `UsageError` where a font isn't there."""
    typeface = _typeface(rng, language, split)
    look = new_look(rng, language, typeface)
    width, height = look.size
    recording = Recording(look, pointer=(width * rng.uniform(0.4, 0.6), height * rng.uniform(0.4, 0.6)))
    recording.wait(rng.randint(4, 7))
    apps: list[App] = [rng.choice(APPS)]
    if apps[0] != "settings" and rng.random() < 0.15:
        apps.append("settings")
    for app in rng.sample(apps, len(apps)):
        if app == "notes":
            write_note(recording, _typed(rng, language, split), rng)
        elif app == "messages":
            send_message(recording, _typed(rng, language, split), _reply(rng, language, split), rng)
        else:
            change_settings(recording, rng, most=3 if len(apps) == 1 else 1)
    recording.wait(4)
    frames, boxes = draw(recording)
    clip = Clip(
        frames=tuple(frames),
        fps=FPS,
        scene=_scene_text(look.phone),
        events=tuple(sorted(recording.events, key=lambda event: event.end)),
        activities=tuple(recording.activities),
        facts=(*recording.facts, *_opened(recording.events)),
        names=(recording.actor,),
        tracks={recording.actor.en: boxes},
        world={
            "telephone": look.phone,
            "window": list(look.window),
            "changes": [[kind, time, list(box)] for kind, time, box in recording.changes],
            "clicks": [[time, key] for time, key in recording.clicks],
            "switches": [switch.en for switch in look.switches],
        },
        domain="screens",
        difficulty=min(1.0, 0.05 * len(recording.events) + 0.02 * len(frames) / FPS),
    )
    return clip, (font_item(typeface),)


def _typeface(rng: random.Random, language: str, split: Split) -> Typeface:
    return rng.choice(rng.choice(families("han" if language == "zh" else "latin", "print", split)))


def _typed(rng: random.Random, language: str, split: Split) -> str:
    if language == "zh":
        return rng.choice(_choices(_PHRASES, split))
    return " ".join(rng.choice(words(split)) for _ in range(2))


def _reply(rng: random.Random, language: str, split: Split) -> str:
    return rng.choice(_choices(_REPLIES, split)) if language == "zh" else rng.choice(words(split))


def _scene_text(phone: bool) -> Text:
    if phone:
        return Text("Someone uses a telephone; a red dot shows the finger.", "有人在使用手机，红点表示手指的位置。")
    return Text("Someone uses a computer with a mouse.", "有人在用鼠标操作电脑。")


def _opened(events: list[Event]) -> list[Fact]:
    shown = [event for event in events if event.kind == "show"]
    if not shown:
        return []
    first = next(app for app in APPS if APP_NAMES[app].en in shown[0].subject.en)
    return [Fact(Text("Which app is opened first?", "最先打开的是哪个应用？"), APP_NAMES[first], shown[0].end)]
