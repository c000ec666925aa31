"""Seeded tables of numbers with their topics, in English and Chinese: what charts and tables are drawn from.

```
split ─▶ measure (held out by topic) ─▶ rows and series (pools of names) ─▶ values = whole number x step
```

Values are whole multiples of a step, so that they can be read off an axis, and decimals are exact. Held out are
measures: no training chart is about a held-out one. Row and series names are the same on both sides.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal

from vergence.data.pictures import Split, split_of

Language = Literal["en", "zh"]
Shape = Literal["rising", "falling", "peak", "valley", "mixed"]

LOW, HIGH = 4, 60
"""Least and largest value in steps."""

NOT_SUMMED = ("prices", "rent", "scores", "temperature", "delay", "accuracy", "latency")
"""Measures whose sum means nothing."""

_PLACES = {"city", "region", "site", "school"}


ROW_WORDS = {
    "星期": ("哪一天", "有几天", "这几天", "每天"),
    "年份": ("哪一年", "有几年", "这几年", "历年"),
    "月份": ("哪个月", "有几个月", "这几个月", "各月"),
    "名称": ("哪一项", "有多少项", "所有项", "各项"),
}
"""Chinese name of rows -> which of them, how many of them, all of them, for each of them, where usage has words."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What the numbers of a table are: key and domain, name and unit in both languages, steps to choose from."""

    key: str
    domain: str
    en: str
    zh: str
    unit_en: str
    unit_zh: str
    steps: tuple[str, ...]
    rows: tuple[str, ...]
    series: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """Names of rows or series; those of a `time` pool stand in their order, one after the other."""

    en: str
    zh: str
    names: tuple[tuple[str, str], ...]
    time: bool = False


def _pool(en: str, zh: str, names: str, time: bool = False) -> Pool:
    pairs = tuple((pair.split("=")[0].strip(), pair.split("=")[1].strip()) for pair in names.split(","))
    return Pool(en, zh, pairs, time)


POOLS: dict[str, Pool] = {
    "year": Pool("Year", "年份", tuple((str(year), f"{year}年") for year in range(1990, 2026)), time=True),
    "month": _pool(
        "Month",
        "月份",
        "Jan=1月,Feb=2月,Mar=3月,Apr=4月,May=5月,Jun=6月,Jul=7月,Aug=8月,Sep=9月,Oct=10月,Nov=11月,Dec=12月",
        time=True,
    ),
    "weekday": _pool("Day", "星期", "Mon=周一,Tue=周二,Wed=周三,Thu=周四,Fri=周五,Sat=周六,Sun=周日", time=True),
    "quarter": Pool(
        "Quarter",
        "季度",
        tuple((f"Q{q} {year}", f"{year}年{q}季度") for year in range(2019, 2026) for q in range(1, 5)),
        time=True,
    ),
    "city": _pool(
        "City",
        "城市",
        "Lisbon=里斯本,Oslo=奥斯陆,Lima=利马,Nairobi=内罗毕,Osaka=大阪,Quito=基多,Hanoi=河内,Perth=珀斯,"
        "Riga=里加,Tunis=突尼斯,Dakar=达喀尔,Turin=都灵,Porto=波尔图,Chengdu=成都,Xiamen=厦门,Denver=丹佛",
    ),
    "region": _pool("Region", "地区", "North=北部,South=南部,East=东部,West=西部,Centre=中部,Coast=沿海,Islands=岛屿"),
    "product": _pool(
        "Product",
        "产品",
        "Tea=茶叶,Coffee=咖啡,Rice=大米,Bread=面包,Milk=牛奶,Cheese=奶酪,Juice=果汁,Honey=蜂蜜,Pasta=意面,"
        "Soap=肥皂,Shoes=鞋,Books=图书,Lamps=台灯,Chairs=椅子,Bicycles=自行车",
    ),
    "crop": _pool("Crop", "作物", "Wheat=小麦,Maize=玉米,Barley=大麦,Soybeans=大豆,Potatoes=土豆,Oats=燕麦,Beans=豆类"),
    "department": _pool(
        "Department",
        "部门",
        "Sales=销售部,Research=研发部,Finance=财务部,Support=客服部,Design=设计部,Legal=法务部,Logistics=物流部",
    ),
    "sector": _pool(
        "Sector", "行业", "Energy=能源,Transport=交通,Housing=住房,Health=医疗,Education=教育,Farming=农业,Retail=零售"
    ),
    "school": _pool(
        "School", "学校", "Oakwood=橡林小学,Riverside=河滨小学,Hilltop=山顶小学,Lakeview=湖景小学,Parkside=公园小学"
    ),
    "team": _pool("Team", "队伍", "Falcons=猎鹰队,Tigers=猛虎队,Sharks=鲨鱼队,Wolves=狼队,Bears=熊队,Eagles=雄鹰队"),
    "transport": _pool("Mode", "方式", "Bus=公交,Train=火车,Tram=电车,Car=汽车,Bicycle=自行车,Ferry=轮渡,Walking=步行"),
    "source": _pool("Source", "来源", "Solar=太阳能,Wind=风能,Hydro=水能,Coal=煤炭,Gas=天然气,Nuclear=核能"),
    "model": _pool("Model", "模型", "Model A=模型A,Model B=模型B,Model C=模型C,Model D=模型D,Model E=模型E"),
    "age": _pool(
        "Age group", "年龄段", "0-14=0-14岁,15-29=15-29岁,30-44=30-44岁,45-59=45-59岁,60-74=60-74岁,75+=75岁以上"
    ),
    "site": _pool("Site", "站点", "Site 1=1号站,Site 2=2号站,Site 3=3号站,Site 4=4号站,Site 5=5号站,Site 6=6号站"),
}


def _measure(line: str) -> Measure:
    key, domain, en, zh, unit_en, unit_zh, steps, rows, series = (part.strip() for part in line.split("|"))
    return Measure(key, domain, en, zh, unit_en, unit_zh, *(tuple(part.split()) for part in (steps, rows, series)))


MEASURES: tuple[Measure, ...] = tuple(
    map(_measure, Path(__file__).with_name("measures.txt").read_text(encoding="utf-8").splitlines())
)


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table as a chart shows it: `values[s][r]` is the value of series `s` in row `r`, a multiple of `step`.

    All texts are in `language`. `time` says that the rows follow one another in time. With one series its name is the
    measure's.
    """

    key: str
    domain: str
    language: Language
    measure: str
    unit: str
    row_name: str
    rows: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[Decimal, ...], ...]
    step: Decimal
    time: bool
    title: str

    @property
    def additive(self) -> bool:
        """Whether the sum of values means something."""
        return self.key not in NOT_SUMMED

    @property
    def grid(self) -> list[list[str]]:
        """Header and rows as texts: the row's name, then its value in each series."""
        body = [[row, *(format(line[r], "f") for line in self.values)] for r, row in enumerate(self.rows)]
        return [[self.row_name, *self.series], *body]

    @property
    def axis_label(self) -> str:
        """The measure with its unit, unless its name says it."""
        if not self.unit or self.unit.lower() in self.measure.lower():
            return self.measure
        return f"{self.measure}（{self.unit}）" if self.language == "zh" else f"{self.measure} ({self.unit})"


def lowered(name: str) -> str:
    """A name as it stands inside a sentence: "Revenue" as "revenue", but "CO2 output" as it is."""
    return name if name[1:2].isupper() else name[0].lower() + name[1:]


@cache
def measures(split: Split) -> tuple[Measure, ...]:
    """The measures of a split."""
    return tuple(measure for measure in MEASURES if split_of(f"measure:{measure.key}") == split)


def draw_table(
    rng: random.Random,
    split: Split,
    language: Language,
    *,
    rows: tuple[int, int] = (3, 8),
    series: tuple[int, int] = (1, 1),
    time: bool | None = None,
    additive: bool = False,
) -> DataTable:
    """A table with a number of rows and series within limits; `time` asks for rows that are times, or are not,
    `additive` for values that can be summed."""
    while True:
        measure = rng.choice(measures(split))
        if additive and measure.key in NOT_SUMMED:
            continue
        pools = [name for name in measure.rows if time in (None, POOLS[name].time)]
        wanted = rng.randint(*series)
        others = [name for name in measure.series if wanted > 1]
        if not pools or (wanted > 1 and not others):
            continue
        pool = rng.choice(pools)
        others = [name for name in others if name != pool and not {name, pool} <= _PLACES]
        if len(POOLS[pool].names) < rows[0] or (wanted > 1 and not others):
            continue
        break
    zh = language == "zh"
    names = _row_names(rng, POOLS[pool], min(rng.randint(*rows), len(POOLS[pool].names)), zh)
    label = measure.zh if zh else measure.en
    columns: tuple[str, ...] = (label,)
    if wanted > 1:
        choices = POOLS[rng.choice(others)].names
        columns = tuple(pair[zh] for pair in rng.sample(choices, min(wanted, len(choices))))
    step = Decimal(rng.choice(measure.steps))
    values = tuple(
        tuple(count * step for count in _counts(rng, len(names), POOLS[pool].time)) for _ in range(len(columns))
    )
    row_name = POOLS[pool].zh if zh else POOLS[pool].en
    return DataTable(
        measure.key,
        measure.domain,
        language,
        label,
        measure.unit_zh if zh else measure.unit_en,
        row_name,
        names,
        columns,
        values,
        step,
        POOLS[pool].time,
        _title(rng, label, row_name, zh),
    )


def _row_names(rng: random.Random, pool: Pool, count: int, zh: bool) -> tuple[str, ...]:
    if pool.time:
        start = rng.randrange(len(pool.names) - count + 1)
        return tuple(pair[zh] for pair in pool.names[start : start + count])
    return tuple(pair[zh] for pair in rng.sample(pool.names, count))


def _title(rng: random.Random, label: str, row_name: str, zh: bool) -> str:
    if zh:
        every = ROW_WORDS.get(row_name, ("", "", "", f"各{row_name}"))[3]
        return rng.choice((f"{every}{label}", f"{label}统计", f"{label}（按{row_name}）"))
    return rng.choice((f"{label} by {row_name.lower()}", label, f"{label}, {row_name.lower()} by {row_name.lower()}"))


def _counts(rng: random.Random, number: int, time: bool) -> list[int]:
    """Values in steps. Those in time have a shape; all of a series differ while there are numbers left."""
    high = rng.randint(max(HIGH // 2, LOW + number + 4), HIGH)
    counts = rng.sample(range(LOW, high + 1), number)
    shape: Shape = rng.choice(("rising", "falling", "peak", "valley", "mixed", "mixed")) if time else "mixed"
    if shape == "mixed":
        return counts
    counts.sort()
    if shape == "rising":
        return counts
    if shape == "falling":
        return counts[::-1]
    turned = counts[::2] + counts[1::2][::-1]  # up over every other value, and down over the rest
    return turned if shape == "peak" else [LOW + high - count for count in turned]
