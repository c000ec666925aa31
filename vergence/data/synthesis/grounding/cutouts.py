"""Real cut-outs with transparency that have a name by which they can be counted and pointed to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from vergence.data.pictures import Split, split_of
from vergence.data.sources.items import Item, cutout
from vergence.data.sources.real import load_items
from vergence.errors import DataError, UsageError

SIDE = 192
"""The longer side, in pixels, at which a cut-out is rendered once; it is only ever made smaller."""

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "openmoji": ("animal", "food", "vehicle"),
    "fluent-emoji-3d": ("animal", "food", "travel", "object"),
    "tuxpaint-stamps": ("animals/", "clothes", "food", "hobbies", "household", "plants", "vehicles"),
}
"""Source -> the beginnings of the categories whose pictures show one thing each."""

LOOKALIKES: tuple[str, ...] = (
    "dog poodle wolf fox raccoon hyena coyote husky puppy",
    "cat tiger leopard lion kitten cheetah jaguar lynx panther",
    "bird chicken rooster chick duck eagle owl turkey penguin parrot dove swan goose flamingo peacock bluejay crow "
    "hen cardinal sparrow robin pigeon hawk heron pelican woodpecker blackbird bluebird falcon dodo chicks toucan gull "
    "seagull drake gander fowl lorikeet swallow lark magpie cuckoo quetzal crane ostrich rhea vulture",
    "fish blowfish tropical shark whale dolphin salmon trout goldfish seal clownfish orca wrasse butterflyfish "
    "dolphinfish",
    "mouse rat hamster chipmunk rabbit squirrel hedgehog beaver otter skunk badger porcupine",
    "cow ox buffalo bison goat ram sheep ewe lamb deer llama bull yak antelope gazelle moose elk giraffe camel "
    "gnu doe wapiti caribou zebu blackbuck dromedary",
    "horse donkey zebra unicorn pony mule racehorse",
    "monkey gorilla orangutan ape chimpanzee tamarin",
    "elephant mammoth rhinoceros hippopotamus rhino hippo",
    "bug ant beetle bee honeybee ladybug cricket mosquito fly cockroach spider butterfly moth caterpillar wasp "
    "hornet grasshopper dragonfly mantis woodlouse worm slug",
    "snake lizard dragon crocodile alligator sauropod dinosaur rex turtle frog toad iguana newt",
    "car taxi automobile bus trolleybus minibus truck lorry van ambulance firetruck engine police vehicle tractor rv",
    "train tram railway locomotive metro monorail subway bullettrain station railcar light rail wagon",
    "boat ship sailboat canoe ferry speedboat motorboat yacht",
    "plane airplane aircraft jet helicopter rocket parachute flight",
    "bicycle bike motorcycle scooter moped motor unicycle",
    "bread baguette croissant bagel sandwich loaf toast burrito taco wrap flatbread pretzel hamburger burger",
    "cake cupcake pie dessert custard pudding pancake pancakes waffle doughnut donut cookie tart bun roll",
    "rice bowl soup stew ramen noodle noodles spaghetti curry salad pot food oden bento sushi plate dish",
    "apple pear peach tomato cherry cherries tangerine orange lemon lime mango melon watermelon grapefruit plum fruit",
    "leaf herb lettuce leafy plant flower rose tulip blossom sunflower hibiscus tree seedling daisy lily bouquet fern "
    "anthurium balsam daffodil gazania marigold petunia hyacinth lotus clover shamrock birch oak plant thyme",
    "glass cup drink beer wine cocktail tea coffee milk sake mug bottle juice bubble tumbler clinking champagne",
    "shell snail oyster conch clam",
    "shrimp lobster crab squid octopus",
    "moon sun star globe earth clock watch hourglass",
    "book notebook ledger newspaper page scroll paper envelope letter mail card calendar clipboard folder",
    "shirt dress kimono coat blouse jeans shorts sari skirt trousers pants clothes",
    "shoe boot sandal slipper sneaker heel",
    "hat cap fedora sombrero helmet",
    "guitar banjo violin cello bass",
    "pepper chile",
    "mushroom cep toadstool",
    "speaker loudspeaker megaphone",
    "knife dagger swords saw",
    "teapot kettle pitcher",
    "house building hotel hospital bank school castle church mosque temple store office tent home hut",
)
"""Words of which one scene holds one at most, so that "bird" is never asked where an eagle is too."""

_GROUPS: Mapping[str, int] = {word: number for number, line in enumerate(LOOKALIKES) for word in line.split()}
_PLAIN = re.compile(r"^[a-z]+(?: [a-z]+){0,2}$")
_CLASSIFIER = re.compile(r"^(?:这是)?(?:一|这)[只个個头匹条條辆架艘棵朵把张件顶双支片块座台颗本盏根瓶杯串枝幅对枚种套]")
_HAN = re.compile(r"^[\u4e00-\u9fff]{1,8}$")
_VAGUES = "person man woman boy girl sign symbol button face with no of in and tone skin flag on"
_VAGUE = frozenset(_VAGUES.split())


RENAMED: Mapping[str, str] = {
    "birthday": "birthday cake",
    "bullettrain front": "bullet train",
    "bullettrain side": "high speed train",
    "icecream": "ice cream cone",
    "hotdog": "hot dog",
    "feet": "paw prints",
    "bug": "caterpillar",
    "fried shrimp": "tempura shrimp",
    "mountaingoat": "mountain goat",
    "page facing up": "document",
    "bank": "bank building",
    "black nib": "pen nib",
    "building construction": "tower crane",
    "construction": "road barrier",
    "high voltage": "lightning bolt",
    "cooking": "frying pan",
    "shower": "shower head",
    "camping": "campsite",
    "speaker low volume": "speaker",
    "mountain cableway": "cable car",
    "telephone receiver": "telephone handset",
    "package": "cardboard box",
    "locked": "closed padlock",
    "unlocked": "open padlock",
    "airplane departure": "departing airplane",
    "airplane arrival": "arriving airplane",
    "flight departure": "departing airplane",
    "flight arrival": "arriving airplane",
    "prune": "pruning shears",
}
"""English names that aren't what one calls the picture -> what one does."""

MISNAMED: frozenset[str] = frozenset(
    {
        *("mate", "wedding", "station", "muted speaker", "speaker high volume", "speaker medium volume", "tux airways"),
        *("two wild boars", "spider playing soccer", "eddie the helicopter", "edward bear", "xanthia", "pili nut tree"),
        *("coral trout", "adelaide rosella", "new moon", "motorway", "national park", "love hotel", "knitting"),
        *("level slider", "bookmark tabs", "milky way", "foggy", "low battery", "link", "barber pole", "black bird"),
    }
)
"""English names by which nobody would know the picture, or that two different pictures share: such are left out."""

CHINESE: Mapping[str, str] = {
    "hatching chick": "破壳的小鸡",
    "airplane departure": "起飞的飞机",
    "flight departure": "起飞的飞机",
    "airplane arrival": "降落的飞机",
    "flight arrival": "降落的飞机",
    "pickup truck": "皮卡车",
    "moai": "摩艾石像",
    "derelict house": "废弃的房屋",
    "poultry leg": "鸡腿",
    "candy": "糖果",
    "building construction": "塔吊",
    "high voltage": "闪电",
    "shower": "淋浴喷头",
    "cooking": "平底锅",
    "speaker low volume": "扬声器",
    "locked": "合上的锁",
    "llama": "羊驼",
    "sauropod": "蜥脚类恐龙",
    "rat": "老鼠",
    "plunger": "马桶搋子",
    "hair pick": "发梳",
    "funeral urn": "骨灰瓮",
    "teacup without handle": "茶杯",
    "hatched chick": "小鸡",
    "wilted flower": "枯萎的花",
    "blossom": "花",
    "feet": "爪印",
    "package": "包裹",
    "camping": "露营地",
    "pink cake": "粉红色的蛋糕",
    "anthurium": "红掌",
    "balsam": "凤仙花",
    "bear": "熊",
    "lion": "狮子",
    "yak": "牦牛",
    "prune": "修枝剪",
    "sliced lime": "切开的青柠",
    "red gazania": "红色勋章菊",
    "highlighting pen": "荧光笔",
    "dry erase marker": "白板笔",
    "lark": "云雀",
    "rhea": "美洲鸵鸟",
    "zebu": "瘤牛",
    "sea lion": "海狮",
    "ferret": "雪貂",
    "pepper grinder": "胡椒研磨器",
    "home compost bin": "家用堆肥箱",
    "helmeted guinea fowl": "珍珠鸡",
    "indian blackbuck": "印度黑羚",
    "magellanic penguin": "麦哲伦企鹅",
    "purple pigface flower": "紫色海榕菜花",
    "toucan": "巨嘴鸟",
    "floor tom drum": "落地鼓",
    "chile pepper": "辣椒",
    "walnut": "核桃",
    "walnut sailboat": "核桃壳帆船",
    "tamworth pig": "塔姆沃思猪",
    "modern clothespin": "晾衣夹",
    "propeller hat": "带螺旋桨的帽子",
    "huge dump truck": "大型自卸卡车",
    "passenger carriage": "客车车厢",
    "hornet": "大黄蜂",
    "purple hat": "紫色的帽子",
}
"""English names whose Chinese in the sources is wrong or odd (a lion called an onion) -> the right one."""


_STUFF = (
    "butter rice champagne salt bacon milk bread meat honey garlic broccoli lettuce beer wine sake tea coffee "
    "popcorn sushi curry spaghetti ice fruit grass corn money paper soap toast cherry bean peanut chestnut "
    "ginger bento tempura mail luggage jewelry clothing furniture food water fire fog snow rain wind lightning "
    "wood rock herb falafel fondue dango oden tofu cheese chocolate custard pudding shrimp seafood equipment "
    "music hair dumpling meatball family couple pair set bunch bowl pasta ramen stew salad soup pea olive "
    "pouring dice"
)
_UNCOUNTABLE = frozenset(_STUFF.split())
"""Names of stuff, and of what a drawing shows more than one of: such things are named but not counted."""


class Thing(NamedTuple):
    """A cut-out that can be asked for: its item, its names, and the words it must not share with another."""

    item: Item
    names: Mapping[str, str]
    words: frozenset[str]

    def name(self, language: str) -> str:
        """What it is called."""
        return self.names[language]

    def picture(self) -> Image.Image:
        """RGBA, cropped to what is visible, its longer side near `SIDE`."""
        return cutout(self.item.read, SIDE, self.item.name)


def countable(thing: Thing) -> bool:
    """Whether its picture shows one of what its name says."""
    english = thing.names["en"]
    return plural(english) != english and not _UNCOUNTABLE & set(english.split())


@cache
def countable_things(sources: tuple[str, ...], split: Split, language: str) -> tuple[Thing, ...]:
    """Those of `things` that can be counted."""
    return tuple(thing for thing in things(sources, split, language) if countable(thing))


@cache
def things(sources: tuple[str, ...], split: Split, language: str) -> tuple[Thing, ...]:
    """The cut-outs of a split that have a name in a language; the English name decides the side of the split.

    Raises `UsageError` where a source isn't here or has nothing to show.
    """
    found: list[Thing] = []
    for source in sources:
        if source not in CATEGORIES:
            raise UsageError(f"no cut-outs come from {source!r}; there are: {', '.join(CATEGORIES)}")
        for item in load_items(source):
            thing = _thing(item) if item.category.startswith(CATEGORIES[source]) else None
            if thing and language in thing.names and split_of(f"thing:{thing.names['en']}") == split:
                found.append(thing)
    if len(found) < 8:
        hint = ": vergence data fetch emojibase" if language == "zh" else ""
        raise UsageError(f"{', '.join(sources)} have too few cut-outs with a name in {language!r}{hint}")
    return tuple(found)


def _thing(item: Item) -> Thing | None:
    english = item.names.get("en", "").casefold().strip()
    if not _PLAIN.match(english) or _VAGUE & set(english.split()) or english in MISNAMED:
        return None
    chinese = CHINESE.get(english) if "zh" in item.names else None
    if chinese:
        others = {tag: text for tag, text in item.captions.items() if tag != "zh"}
        item = item._replace(names={**item.names, "zh": chinese}, captions=others)
    chinese = chinese or _CLASSIFIER.sub("", item.names.get("zh", ""))
    if english in RENAMED:
        english = RENAMED[english]
        item = item._replace(names={**item.names, "en": english})
    names = {"en": english}
    if _HAN.match(chinese) and not chinese.startswith("一"):
        names["zh"] = chinese
    words = frozenset(f"group {_GROUPS[word]}" if word in _GROUPS else word for word in english.split())
    return Thing(item, names, words)


def usable(thing: Thing) -> bool:
    """Whether a cut-out is one: it can be drawn, has transparency, and isn't a hair's breadth wide."""
    try:
        alpha = np.asarray(thing.picture().getchannel("A"))
    except DataError:
        return False
    return min(alpha.shape) >= SIDE // 4 and bool(0.2 <= float((alpha >= 128).mean()) <= 0.97)


def distinct(chosen: Sequence[Thing], thing: Thing, language: str) -> bool:
    """Whether a thing can't be mistaken for one of those chosen."""
    return all(not other.words & thing.words and other.name(language) != thing.name(language) for other in chosen)


_IRREGULAR = {"mouse": "mice", "sheep": "sheep", "fish": "fish", "ox": "oxen", "goose": "geese", "deer": "deer"}
_IRREGULAR |= {"shrimp": "shrimp", "squid": "squid", "knife": "knives", "leaf": "leaves", "loaf": "loaves"}
_IRREGULAR |= {"wolf": "wolves", "tomato": "tomatoes", "potato": "potatoes", "mango": "mangoes", "bison": "bison"}
_IRREGULAR |= {"scarf": "scarves", "caribou": "caribou", "butterflyfish": "butterflyfish", "calf": "calves"}
_IRREGULAR |= {"dolphinfish": "dolphinfish", "clownfish": "clownfish", "blowfish": "blowfish"}


def plural(name: str) -> str:
    """Several of a thing in English."""
    head, space, last = name.rpartition(" ")
    if last in _IRREGULAR:
        return head + space + _IRREGULAR[last]
    if last.endswith("s") and not last.endswith(("ss", "us")):
        return name
    if last.endswith(("s", "x", "z", "ch", "sh")):
        return name + "es"
    return name[:-1] + "ies" if last.endswith("y") and last[-2:-1] not in "aeiou" else name + "s"


def mirrorable(thing: Thing) -> bool:
    """Whether a thing looks right in a mirror: vehicles, clocks, books and signs don't, for they bear writing."""
    written = {"clock", "watch", "calendar", "score", "map", "keyboard", "banknote", "card", "thermometer", "receipt"}
    return not thing.item.category.startswith(("vehicle", "travel")) and not written & set(thing.names["en"].split())


def article(name: str) -> str:
    """A thing with "a" or "an", or with neither where its name is a plural."""
    if name.endswith("s") and not name.endswith(("ss", "us")):
        return name
    vowel = name[0] in "aeiou" and not name.startswith(("uni", "ute", "euro", "one "))
    return f"{'an' if vowel else 'a'} {name}"
