"""The compounds of the package chemicals, and what RDKit knows of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from vergence.data.sources.packages import package_folder

_TABLE = "chemicals/Identifiers/chemical identifiers pubchem large.tsv"


class Compound(NamedTuple):
    """A line of the table of the package chemicals; `key` is its InChIKey."""

    key: str
    smiles: str
    systematic: str
    common: str
    line: str


@cache
def compounds() -> tuple[Compound, ...]:
    """The table, in its own order. Raises `UsageError` where it isn't fetched."""
    text = (package_folder("chemicals") / _TABLE).read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        cells = line.split("\t", 9)
        if len(cells) >= 9 and "." not in cells[4]:
            found.append(Compound(cells[6], cells[4], cells[7], cells[8], "\t".join(cells[:9])))
    return tuple(found)


GROUPS: Mapping[str, tuple[str, str]] = {
    "carboxylic acid": ("[CX3](=O)[OX2H1]", "羧基"),
    "ester": ("[CX3;!$(C(=O)(O)[OX2H1])](=O)[OX2H0][#6]", "酯基"),
    "amide": ("[CX3](=O)[NX3]", "酰胺基"),
    "ketone": ("[#6][CX3](=O)[#6]", "酮羰基"),
    "aldehyde": ("[CX3H1](=O)[#6]", "醛基"),
    "alcohol": ("[CX4][OX2H]", "醇羟基"),
    "phenol": ("c[OX2H]", "酚羟基"),
    "primary amine": ("[NX3;H2;!$(N[C,S]=[O,S,N])][#6]", "伯氨基"),
    "nitrile": ("[CX2]#[NX1]", "氰基"),
    "nitro group": ("[!#8][$([NX3](=O)=O),$([NX3+](=O)[O-])]", "硝基"),
    "thiol": ("[#6][SX2H]", "巯基"),
    "carbon-carbon triple bond": ("[CX2]#[CX2]", "碳碳三键"),
}
"""Name of a functional group -> its SMARTS pattern and its Chinese name."""

DOUBTFUL: Mapping[str, str] = {
    "carboxylic acid": "[#7,#8,#16][CX3](=O)[OX2H1]",
    "ester": "[$([#6X3](=O)([#7,#8,#16])[#8X2H0]),$(c(=O)o)]",
    "amide": "[$([#6X3](=O)([#7])[#7,#8,#16]),$(c(=O)n),$([#6](=O)[#7][#6]=O),$([S,P](=O)N),$(C(=S)N)]",
    "ketone": "[$([c;r]=O),$([#6]C(=O)C(=O))]",
    "aldehyde": "[CX3;H1,H2](=O)[!#6]",
    "alcohol": "[$([CX3;!$(C=O)][OX2H]),$([#7,#8][CX4][OX2H]),$([OX2H][!#6])]",
    "phenol": "[$([OX2H]c:[n,o,s]),$([OX2H]c:*:[n,o,s]),$([OX2H]c:*:*:[n,o,s])]",
    "primary amine": "[$([NX3;H2][!#6]),$([NX3;H2][#6]=[N,S]),$([NX3;H2]c:n)]",
    "nitrile": "[!#6]C#N",
    "nitro group": "[#7,#8][$([NX3](=O)=O),$([NX3+](=O)[O-])]",
    "thiol": "[$([SX2H][#6]=[O,S,N]),$([SX2H]c:n)]",
}
"""Name of a functional group -> a SMARTS pattern of what some count as one and others don't (a urea as an amide)."""

ELEMENTS: Mapping[str, tuple[str, str]] = {
    "N": ("nitrogen", "氮"),
    "O": ("oxygen", "氧"),
    "S": ("sulfur", "硫"),
    "F": ("fluorine", "氟"),
    "Cl": ("chlorine", "氯"),
    "Br": ("bromine", "溴"),
    "I": ("iodine", "碘"),
    "P": ("phosphorus", "磷"),
    "C": ("carbon", "碳"),
}


@cache
def _patterns() -> dict[str, Any]:
    from rdkit import Chem

    return {name: Chem.MolFromSmarts(pattern) for name, (pattern, _) in GROUPS.items()}


@cache
def _doubtful_patterns() -> dict[str, Any]:
    from rdkit import Chem

    return {name: Chem.MolFromSmarts(pattern) for name, pattern in DOUBTFUL.items()}


_ATOM_LOCANT = re.compile(r"(?<![a-z])([nos])(?=[\d',-])")
_STEREO = re.compile(r"\((?:\d+[a-z]*)?[rsez](?:,(?:\d+[a-z]*)?[rsez])*\)-")
_HYDROGEN = re.compile(r"(?<=\d)(a?)h(?=[-,\])])")


def systematic_name(name: str) -> str:
    """A name of the table, which is in small letters, with the capitals of N, O, S and H where they count places.

    What it says of stereochemistry, which isn't drawn, is left out.
    """
    capital = _ATOM_LOCANT.sub(lambda found: found[1].upper(), _STEREO.sub("", name))
    return _HYDROGEN.sub(lambda found: f"{found[1]}H", capital)


@dataclass(slots=True)
class Facts:
    """What RDKit knows of a molecule; `atoms` counts each element's symbol, hydrogen included."""

    smiles: str
    formula: str
    weight: float
    atoms: dict[str, int]
    rings: int
    aromatic_rings: int
    double_bonds: int
    groups: list[str]
    doubtful: list[str]
    """Groups about which nothing should be asked, since opinions differ."""


def facts_of(molecule: Any) -> Facts:
    """The facts of a molecule; double bonds are counted as a Kekulé structure shows them."""
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors

    atoms: dict[str, int] = {}
    for atom in Chem.AddHs(molecule).GetAtoms():
        atoms[atom.GetSymbol()] = atoms.get(atom.GetSymbol(), 0) + 1
    kekule = Chem.Mol(molecule)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    return Facts(
        Chem.MolToSmiles(molecule, isomericSmiles=False),
        rdMolDescriptors.CalcMolFormula(molecule),
        sum(atomic_mass(symbol) * count for symbol, count in atoms.items()),
        dict(sorted(atoms.items())),
        rdMolDescriptors.CalcNumRings(molecule),
        rdMolDescriptors.CalcNumAromaticRings(molecule),
        sum(bond.GetBondType() == Chem.BondType.DOUBLE for bond in kekule.GetBonds()),
        [name for name, pattern in _patterns().items() if molecule.HasSubstructMatch(pattern)],
        [name for name, pattern in _doubtful_patterns().items() if molecule.HasSubstructMatch(pattern)],
    )


def read_compound(compound: Compound, min_atoms: int, max_atoms: int) -> Any | None:
    """RDKit's molecule, without stereochemistry; None where it can't be read, is charged or of another size."""
    from rdkit import Chem, rdBase

    rdBase.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(compound.smiles)
    if molecule is None or not min_atoms <= molecule.GetNumAtoms() <= max_atoms:
        return None
    Chem.RemoveStereochemistry(molecule)
    for atom in molecule.GetAtoms():
        if atom.GetSymbol() not in ELEMENTS or atom.GetIsotope() or atom.GetNumRadicalElectrons():
            return None
    return molecule if Chem.GetFormalCharge(molecule) == 0 else None


@cache
def atomic_mass(symbol: str) -> float:
    """The standard atomic weight of an element in g/mol."""
    from rdkit import Chem

    return float(Chem.GetPeriodicTable().GetAtomicWeight(symbol))
