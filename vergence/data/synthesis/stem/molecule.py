"""Structural formulas of real compounds: SMILES, formula, weight, atoms, rings, functional groups, names, places."""

from __future__ import annotations

import random
from typing import Any, Literal

from pydantic import Field

from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue, source_item
from vergence.data.pictures import split_of
from vergence.data.synthesis.stem.compounds import Compound, Facts, compounds, facts_of, read_compound
from vergence.data.synthesis.stem.molecule_drawing import Picture, draw
from vergence.data.synthesis.stem.molecule_questions import molecule_turns
from vergence.errors import DataError

VERSION = 2
PACKAGES = ("rdkit",)
_TRIES = 300


class Config(GeneratorConfig):
    """How large the molecules are, and in which language is asked."""

    min_atoms: int = Field(4, ge=1, description="fewest atoms that aren't hydrogen")
    max_atoms: int = Field(26, ge=1, le=60, description="most atoms that aren't hydrogen")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of questions and answers")


def generate(rng: random.Random, config: Config) -> Draft:
    """A compound and questions. Raises `DataError` where none of many is of the size asked for."""
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    table = compounds()
    for _ in range(_TRIES):
        compound = rng.choice(table)
        if split_of(f"molecule/{compound.key}") != config.split:
            continue
        molecule = read_compound(compound, config.min_atoms, config.max_atoms)
        if molecule is None:
            continue
        facts, picture = facts_of(molecule), draw(molecule, rng)
        turns = molecule_turns(molecule, compound, facts, picture, language, rng)
        return _draft(compound, molecule, facts, picture, turns, language)
    raise DataError(f"no compound has {config.min_atoms} to {config.max_atoms} atoms")


def _draft(
    compound: Compound, molecule: Any, facts: Facts, picture: Picture, turns: list[Turn], language: str
) -> Draft:
    messages, checks = dialogue((picture.png,), turns)
    symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    lettered = [(symbol, place) for symbol, place in zip(symbols, picture.places, strict=True) if symbol != "C"]
    truth = {
        "smiles": facts.smiles,
        "name": compound.systematic,
        "common_name": compound.common,
        "inchikey": compound.key,
        "formula": facts.formula,
        "weight": round(facts.weight, 3),
        "atoms": facts.atoms,
        "rings": facts.rings,
        "aromatic_rings": facts.aromatic_rings,
        "double_bonds": facts.double_bonds,
        "groups": facts.groups,
        "places": [[symbol, round(x, 2), round(y, 2)] for symbol, (x, y) in zip(symbols, picture.places, strict=True)],
    }
    return Draft(
        messages,
        checks,
        truth=truth,
        capability="stem/molecule",
        domain="chemistry",
        difficulty=min(1.0, 0.15 + len(symbols) / 40),
        language=language,
        licence="MIT",
        source="compounds of the package chemicals (PubChem), drawn by RDKit",
        sources=(source_item("chemicals", compound.key, compound.line.encode(), "MIT"),),
        regions=tuple(Region(symbol, (x - 9, y - 9, x + 9, y + 9)) for symbol, (x, y) in lettered),
    )
