"""Special tokens added to the tokenizer of a public checkpoint, in its tokenizer.json itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vergence.errors import DataError


def read_tokenizer(text: str, where: str) -> dict[str, Any]:
    """The object in a tokenizer.json. Raises `DataError` where it isn't one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("model"), dict):
        raise DataError(f"{where}: not a tokenizer.json")
    return document


def token_ids(document: Mapping[str, Any]) -> dict[str, int]:
    """Every token's id: those of the vocabulary and the added ones."""
    vocabulary = document["model"].get("vocab")
    ids = dict(vocabulary) if isinstance(vocabulary, dict) else {}
    if isinstance(vocabulary, list):  # a unigram model: pairs of token and score
        ids = {str(pair[0]): index for index, pair in enumerate(vocabulary) if isinstance(pair, list) and pair}
    added = document.get("added_tokens")
    for token in added if isinstance(added, list) else []:
        if isinstance(token, dict) and isinstance(token.get("id"), int):
            ids[str(token.get("content"))] = token["id"]
    return ids


def with_special_tokens(text: str, tokens: Sequence[str], *, size: int, where: str) -> str:
    """A tokenizer.json that has all these special tokens; new ones get the next ids, below `size`.

    The text stays as it is where nothing is missing. Raises `DataError` where there are no ids left.
    """
    document = read_tokenizer(text, where)
    ids = token_ids(document)
    missing = [token for token in dict.fromkeys(tokens) if token not in ids]
    if not missing:
        return text
    first = max(ids.values(), default=-1) + 1
    if first + len(missing) > size:
        raise DataError(
            f"{where}: has no room for {', '.join(missing)}: {first} of the model's {size} token ids are taken"
        )
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    new = [{"id": first + i, "content": token, **flags} for i, token in enumerate(missing)]
    document["added_tokens"] = [*(document.get("added_tokens") or []), *new]
    return json.dumps(document, ensure_ascii=False)
