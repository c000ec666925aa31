"""Rows that a published file doesn't have in the form of questions, made from what it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from vergence.errors import DataError
from vergence.evaluation.metrics.depth import da2k_questions
from vergence.evaluation.tasks.cells import Row, as_text
from vergence.evaluation.tasks.files import KEY
from vergence.evaluation.tasks.media_cells import below
from vergence.processing.coordinates import normalise
from vergence.processing.media import image_size


def da2k(row: Row, folder: Path | None) -> Iterator[Row]:
    """Both questions of a pair of points of DA-2K's annotations.json, the points in thousandths of the sides.

    Raises `ValueError` where the pair isn't of the published form or its picture can't be read, which tells the size.
    """
    image = as_text(row.get(KEY))
    if folder is None or not image:
        raise ValueError("a pair of points without its picture")
    try:
        size = image_size(below(folder, image))
        questions = list(da2k_questions({image: [row]}))
    except DataError as error:
        raise ValueError(str(error)) from None
    first = questions[0]
    pair = f"{image}#" + "-".join(f"{value:g}" for value in (*first.first, *first.second))
    for order, question in enumerate(questions, start=1):
        points = [
            " ".join(str(normalise(value, side)) for value, side in zip(point, size, strict=True))
            for point in (question.first, question.second)
        ]
        yield {
            "id": f"{pair}/{order}",
            "image": image,
            "pair": pair,
            "scene": PurePosixPath(image).parent.name,
            "first": points[0],
            "second": points[1],
            "nearer": question.nearer,
        }


TRANSFORMS: Mapping[str, Callable[[Row, Path | None], Iterator[Row]]] = {"da2k": da2k}
"""What `data.transform` can name."""
