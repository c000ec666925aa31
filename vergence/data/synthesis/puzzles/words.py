"""The words of word puzzles: common English ones of three to six letters, and Chinese idioms written for this."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from vergence.data.pictures import Split, split_of


@cache
def common_words(split: Split) -> tuple[str, ...]:
    """The common words on one side of the split."""
    text = (files("vergence.data.synthesis") / "words.txt").read_text(encoding="utf-8")
    words = (word.strip() for word in text.splitlines())
    return tuple(
        word
        for word in words
        if 3 <= len(word) <= 6 and word.isascii() and word.isalpha() and split_of(f"rebus:{word}") == split
    )


IDIOMS = """
一心一意 意气风发 发扬光大 大功告成 成家立业 人山人海 海阔天空 空前绝后 后来居上 上下一心 心中有数 数一数二 一帆风顺
风和日丽 日新月异 月下老人 人来人往 往事如烟 水落石出 出人头地 地大物博 博学多才 才高八斗 天长地久 久别重逢 花好月圆
画龙点睛 画蛇添足 对牛弹琴 马到成功 龙马精神 虎头蛇尾 鸟语花香 山清水秀 春暖花开 开门见山 山高水长 长治久安 安居乐业
五光十色 色彩缤纷 七上八下 三心二意 四面八方 十全十美 百发百中 千方百计 万众一心 心想事成 成千上万 家喻户晓 守株待兔
亡羊补牢 井底之蛙 掩耳盗铃 狐假虎威 自相矛盾 刻舟求剑 滥竽充数 叶公好龙 杯弓蛇影 愚公移山 胸有成竹 水滴石穿 半途而废
乐极生悲 大海捞针 雪中送炭 锦上添花 一举两得 得心应手 手忙脚乱 脚踏实地 天马行空 目不转睛 眉开眼笑 笑逐颜开 雨过天晴
晴空万里 里应外合 合情合理 理直气壮 名不虚传 前所未有 有始有终 自言自语 东张西望 左顾右盼 南来北往 古往今来 来日方长
"""
"""Idioms of four characters that every reader of Chinese knows."""


@cache
def idioms(split: Split) -> tuple[str, ...]:
    """The idioms on one side of the split."""
    return tuple(idiom for idiom in dict.fromkeys(IDIOMS.split()) if split_of(f"idiom:{idiom}") == split)
