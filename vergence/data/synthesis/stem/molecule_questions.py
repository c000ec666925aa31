"""The questions about a structural formula."""

from __future__ import annotations

import random
import re
from typing import Any

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import Turn
from vergence.data.pictures import split_of
from vergence.data.synthesis.stem.compounds import (
    ELEMENTS,
    GROUPS,
    Compound,
    Facts,
    atomic_mass,
    compounds,
    systematic_name,
)
from vergence.data.synthesis.stem.molecule_drawing import Picture
from vergence.processing.coordinates import format_point


def molecule_turns(
    molecule: Any, compound: Compound, facts: Facts, picture: Picture, language: str, rng: random.Random
) -> list[Turn]:
    """One to three different questions, perhaps with one for the name and one for places."""
    makers = [_ask_count, _ask_group, _ask_formula, _ask_unsaturation, _ask_weight, _ask_smiles]
    weights = [3, 3, 3, 1 if _has_usual_valences(facts) else 0, 1, 3]
    chosen: list[int] = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        place = rng.choices(range(len(makers)), weights)[0]
        weights[place] = 0
        chosen.append(place)
    # A later one may be worked out from an earlier one, but isn't written in it: SMILES say everything.
    found = [makers[place](facts, language, rng) for place in sorted(chosen)]
    if compound.systematic and "$" not in compound.systematic and rng.random() < 0.35:
        found.insert(0, _ask_name(compound, facts, language, rng))
    point = _ask_place(molecule, picture, language, rng)
    if point is not None and rng.random() < 0.4:
        found.insert(0, point)
    return found


def _ask_smiles(facts: Facts, language: str, rng: random.Random) -> Turn:
    text = rng.choice(
        ("Write this molecule as SMILES.", "What is the SMILES of the structure?", "Give the SMILES string.")
        if language == "en"
        else ("请写出该分子的SMILES。", "图中结构的SMILES是什么？", "请给出该结构式的SMILES字符串。")
    )
    return Turn(text, facts.smiles, {"verifier": "smiles", "target": facts.smiles, "stereo": False})


def _ask_formula(facts: Facts, language: str, rng: random.Random) -> Turn:
    en = language == "en"
    text = "What is the molecular formula?" if en else "该化合物的分子式是什么？"
    check = {"verifier": "exact", "target": facts.formula}
    if rng.random() < 0.4:
        return short_turn(text, facts.formula, check, language)
    heavy = [symbol for symbol in facts.atoms if symbol not in ("C", "H")]
    counts = [(symbol, facts.atoms[symbol]) for symbol in (*(["C"] if "C" in facts.atoms else []), *heavy)]
    listed = (", " if en else "，").join(f"{symbol}: {count}" for symbol, count in counts)
    hydrogen = facts.atoms.get("H", 0)
    steps = [
        f"Atoms at corners, ends and letters: {listed}." if en else f"数端点、拐点和字母处的原子：{listed}。",
        f"Hydrogen fills the free valences: {hydrogen}." if en else f"按化合价补足氢原子：H共{hydrogen}个。",
    ]
    return thought_turn(text, steps, facts.formula, check, language)


def _ask_weight(facts: Facts, language: str, rng: random.Random) -> Turn:
    en = language == "en"
    text = "What is the molecular weight in g/mol?" if en else "该化合物的摩尔质量约为多少（g/mol）？"
    answer = f"{facts.weight:.1f}"
    check = {"verifier": "number", "target": round(facts.weight, 3), "tolerance": 0.2}
    steps = [
        f"The molecular formula is {facts.formula}." if en else f"分子式为{facts.formula}。",
        " + ".join(f"{count} × {atomic_mass(symbol):.3f}" for symbol, count in facts.atoms.items())
        + f" = {facts.weight:.3f}",
    ]
    return thought_turn(text, steps, answer, check, language)


def _ask_count(facts: Facts, language: str, rng: random.Random) -> Turn:
    en = language == "en"
    asked: list[tuple[str, str, int]] = [
        ("How many rings does the molecule have?", "该分子有几个环？", facts.rings),
        ("How many aromatic rings are there?", "该分子中有几个芳香环？", facts.aromatic_rings),
        ("How many double bonds are drawn?", "图中画了几个双键？", facts.double_bonds),
    ]
    for symbol, (english, chinese) in ELEMENTS.items():
        if facts.atoms.get(symbol):
            asked.append(
                (f"How many {english} atoms are there?", f"该分子中有几个{chinese}原子？", facts.atoms[symbol])
            )
    english, chinese, count = rng.choice(asked)
    return short_turn(english if en else chinese, str(count), {"verifier": "count", "target": count}, language)


def _has_usual_valences(facts: Facts) -> bool:
    """Whether the formula for degrees of unsaturation holds: no sulfur, phosphorus or nitro group."""
    return not (facts.atoms.get("P") or facts.atoms.get("S") or "nitro group" in facts.groups)


def _ask_unsaturation(facts: Facts, language: str, rng: random.Random) -> Turn:
    """Degrees of unsaturation: (2 C + 2 + N - H - halogens) / 2."""
    atoms, en = facts.atoms, language == "en"
    carbon, three = atoms.get("C", 0), atoms.get("N", 0)
    one = atoms.get("H", 0) + sum(atoms.get(symbol, 0) for symbol in ("F", "Cl", "Br", "I"))
    degree = (2 * carbon + 2 + three - one) // 2
    text = "What is the degree of unsaturation?" if en else "该化合物的不饱和度是多少？"
    steps = [
        f"The molecular formula is {facts.formula}." if en else f"分子式为{facts.formula}。",
        f"(2 × {carbon} + 2 + {three} − {one}) / 2 = {degree}",
    ]
    return thought_turn(text, steps, str(degree), {"verifier": "count", "target": degree}, language)


def _ask_group(facts: Facts, language: str, rng: random.Random) -> Turn:
    en = language == "en"
    having = [name for name in facts.groups if name not in facts.doubtful]
    lacking = [name for name in GROUPS if name not in facts.groups and name not in facts.doubtful]
    if having and len(lacking) >= 3 and rng.random() < 0.6:
        names = [rng.choice(having), *rng.sample(lacking, 3)]
        shown = names if en else [GROUPS[name][1] for name in names]
        text = "Which functional group does the molecule contain?" if en else "该分子含有下列哪种官能团？"
        return choice_turn(text, shown[0], shown[1:], rng, language)
    there = bool(having) and rng.random() < 0.5
    name = rng.choice(having if there else lacking)
    article = "an" if name[0] in "aeiou" else "a"
    noun = name if name.endswith(("group", "bond")) else f"{name} group"
    text = f"Is there {article} {noun} in the molecule?" if en else f"该分子中有{GROUPS[name][1]}吗？"
    answer = ("yes" if there else "no") if en else ("有" if there else "没有")
    accepted = [] if en else (["是", "有的"] if there else ["否", "无", "不含"])
    return short_turn(text, answer, {"verifier": "exact", "target": answer, "accepted": accepted}, language)


def _ask_name(compound: Compound, facts: Facts, language: str, rng: random.Random) -> Turn:
    """A choice of systematic names of compounds that are about as large, first of all of the same elements."""
    table = compounds()
    alike: list[str] = []
    unlike: list[str] = []
    elements = _elements(compound)
    for _ in range(800):
        if len(alike) == 3:
            break
        other = table[rng.randrange(len(table))]
        near = abs(len(other.smiles) - len(compound.smiles)) <= 6
        known = other.systematic in (compound.systematic, *alike, *unlike)
        if not near or not other.systematic or "$" in other.systematic or known:
            continue
        same_side = split_of(f"molecule/{other.key}") == split_of(f"molecule/{compound.key}")
        if same_side and other.key[:14] != compound.key[:14]:
            (alike if _elements(other) == elements else unlike).append(other.systematic)
    names = [systematic_name(name) for name in (compound.systematic, *[*alike, *unlike][:3])]
    text = "Which compound is this?" if language == "en" else "图中是哪种化合物？"
    return choice_turn(text, names[0], names[1:], rng, language)


def _elements(compound: Compound) -> set[str]:
    """The symbols in a SMILES string; c and C are the same element."""
    return {symbol.capitalize() for symbol in re.findall(r"Cl|Br|[A-Z]|[cnops]", compound.smiles)} - {"H"}


def _ask_place(molecule: Any, picture: Picture, language: str, rng: random.Random) -> Turn | None:
    """Point to the atoms of an element that is written in letters; None where there is none, or too many."""
    places: dict[str, list[tuple[float, float]]] = {}
    for atom in molecule.GetAtoms():
        if atom.GetSymbol() != "C":
            places.setdefault(atom.GetSymbol(), []).append(picture.places[atom.GetIdx()])
    few = {symbol: found for symbol, found in places.items() if len(found) <= 4}
    if not few:
        return None
    symbol = rng.choice(list(few))
    english, chinese = ELEMENTS[symbol]
    found, en = few[symbol], language == "en"
    answer = ", ".join(format_point(place, *picture.size) for place in found)
    check = {"verifier": "points", "targets": [list(p) for p in found], "size": list(picture.size), "radius": 14.0}
    if len(found) == 1:
        text = f"Point to the {english} atom." if en else f"请指出{chinese}原子。"
        return Turn(text, answer, {**check, "verifier": "point"})
    return Turn(f"Point to every {english} atom." if en else f"请指出所有的{chinese}原子。", answer, check)
