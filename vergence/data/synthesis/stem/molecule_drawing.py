"""Structural formulas drawn by RDKit."""

from __future__ import annotations

import random
from typing import Any, NamedTuple


class Picture(NamedTuple):
    """A drawing as PNG, its size, and where each atom is."""

    png: bytes
    size: tuple[int, int]
    places: list[tuple[float, float]]


def draw(molecule: Any, rng: random.Random) -> Picture:
    """Draw a molecule in a style of its own: turn, pen, font, colours, layout."""
    from rdkit.Chem import rdCoordGen, rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    if rng.random() < 0.3:
        rdCoordGen.AddCoords(molecule)
    else:
        rdDepictor.Compute2DCoords(molecule, canonOrient=True)
    size = (rng.randint(300, 480), rng.randint(260, 400))
    drawer = rdMolDraw2D.MolDraw2DCairo(*size)
    options: Any = drawer.drawOptions()
    options.includeMetadata = False
    options.rotate = rng.choice((0, 0, rng.randint(-30, 30), rng.randint(0, 359)))
    options.bondLineWidth = rng.choice((1.5, 2, 2, 3))
    options.padding = rng.uniform(0.06, 0.14)
    options.fixedFontSize = rng.choice((-1, -1, 14, 17))
    options.multipleBondOffset = rng.uniform(0.12, 0.2)
    options.explicitMethyl = rng.random() < 0.15
    options.maxFontSize = 26
    colours = rng.random()
    if colours < 0.4:
        options.useBWAtomPalette()
    elif colours < 0.5:
        options.useAvalonAtomPalette()
    elif colours < 0.6:
        options.useCDKAtomPalette()
    paper = rng.choice((255, 255, 255, 255, 250, 245))
    options.setBackgroundColour((paper / 255, paper / 255, rng.choice((paper, paper - 8)) / 255, 1))
    drawer.DrawMolecule(rdMolDraw2D.PrepareMolForDrawing(molecule, kekulize=True))
    places = [drawer.GetDrawCoords(number) for number in range(molecule.GetNumAtoms())]
    drawer.FinishDrawing()
    return Picture(drawer.GetDrawingText(), size, [(place.x, place.y) for place in places])
