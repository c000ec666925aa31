"""What a cell of a row holds: a list, a text, several rows."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def as_list(cell: Any) -> list[Any]:
    """A cell that holds several values: a list, or one written as text in JSON or as Python prints it; None is none.

    Raises `ValueError` for anything else.
    """
    if cell is None:
        return []
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if isinstance(cell, list | tuple):
        return list(cell)
    if isinstance(cell, str):
        if not cell.strip():
            return []
        for read in (json.loads, ast.literal_eval):
            try:
                value = read(cell.strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(value, list | tuple):
                return list(value)
    raise ValueError(f"not a list: {shorten(cell)}")


def explode(row: Row, columns: Sequence[str]) -> list[Row]:
    """A row for each place in its parallel list columns; a row that has none of them stays as it is.

    Raises `ValueError` where they are not lists of one length.
    """
    if all(row.get(column) is None for column in columns):
        return [row]
    lists = {column: as_list(row.get(column)) for column in columns}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) > 1:
        raise ValueError(f"the lists {', '.join(columns)} have {' and '.join(map(str, sorted(lengths)))} entries")
    return [{**row, **dict(zip(lists, values, strict=True))} for values in zip(*lists.values(), strict=True)]


def as_text(cell: Any) -> str:
    """A cell as text: nothing for None, whole numbers without a decimal point, lists with commas."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, list | tuple):
        return ", ".join(map(as_text, cell))
    return str(cell)


def shorten(value: Any) -> str:
    """A value as a message shows it: printable and not long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}..."
