"""Tokenizers: our own byte-level BPE, trained by `vergence tokenizer train`, and those of public checkpoints.

Text given by anybody is encoded with special tokens switched off, so `<|end|>` typed by a user is seven plain
characters. Special tokens are put in by the chat template alone, by id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from vergence.errors import DataError, UsageError

# Words with their leading space, digits one by one (numbers stay comparable place by place), tags such as <bbox> whole.
_PIECES = r"</?[a-z0-9]+>|\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}<]+|<|\s+"

# Longer texts are encoded anew each time: they seldom come twice, and their ids would fill the memory.
_CACHED_LENGTH = 512


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A token beside the learned vocabulary. In a rendered template, `lstrip` and `rstrip` take in the space around it.

    A token that isn't `special`, such as `<think>` in Qwen3, is encoded wherever its text is written.
    """

    text: str
    id: int = -1
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False


class Tokenizer:
    """Text to ids and back, with special tokens reachable only by `special`."""

    def __init__(self, backend: Any) -> None:
        """`backend` is a `tokenizers.Tokenizer`, which must not be used for anything else from now on."""
        backend.encode_special_tokens = True  # special tokens written in a text are encoded as plain text
        self.backend = backend
        self._cached = lru_cache(maxsize=65_536)(self._encode)
        self._find_special()

    def _find_special(self) -> None:
        self.added_tokens = tuple(
            AddedToken(token.content, index, token.special, token.lstrip, token.rstrip)
            for index, token in sorted(self.backend.get_added_tokens_decoder().items())
        )
        self.special_tokens = {token.text: token.id for token in self.added_tokens if token.special}
        unknown = getattr(self.backend.model, "unk_token", None)  # stands for letters that a vocabulary lacks
        self._forbidden = {index for text, index in self.special_tokens.items() if text != unknown}
        names = sorted(self.special_tokens, key=len, reverse=True)
        self._written = re.compile("|".join(map(re.escape, names)) or r"(?!)")

    @classmethod
    def load(cls, name: str) -> Tokenizer:
        """A shipped tokenizer by name, or a `tokenizer.json` by path. Raises `UsageError` or `DataError` by name."""
        from tokenizers import Tokenizer as Backend

        shipped = resources.files("vergence.processing") / "tokenizers" / f"{name}.json"
        path = Path(name)
        try:
            if shipped.is_file():
                return cls(Backend.from_str(shipped.read_text(encoding="utf-8")))
            if path.is_file():
                return cls(Backend.from_str(path.read_text(encoding="utf-8")))
        except Exception as error:  # the backend raises a bare Exception
            raise DataError(f"{name}: not a tokenizer.json ({type(error).__name__})") from None
        raise UsageError(f"no tokenizer {name!r}: neither a shipped name nor a tokenizer.json file")

    @property
    def size(self) -> int:
        """Number of ids, special tokens included; unused ids below an added token count too."""
        known = int(self.backend.get_vocab_size(with_added_tokens=True))
        return max([known, *(token.id + 1 for token in self.added_tokens)])

    def reserve(self, names: Iterable[str]) -> None:
        """Make special those of the tokens `names` that the vocabulary has: from now on no text is encoded as them.

        For placeholders of images and for turn markers that a checkpoint's file doesn't call special.
        """
        from tokenizers import AddedToken as Backend

        flags = {token.text: token for token in self.added_tokens}
        new = [name for name in names if name not in self.special_tokens and self.backend.token_to_id(name) is not None]
        if new:
            known = [flags.get(name, AddedToken(name)) for name in new]
            self.backend.add_special_tokens(
                [Backend(t.text, special=True, lstrip=t.lstrip, rstrip=t.rstrip, normalized=False) for t in known]
            )
            self._cached.cache_clear()
            self._find_special()

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; never a special token. Raises `DataError` for half a surrogate pair, which isn't text."""
        return list(self._cached(text) if len(text) <= _CACHED_LENGTH else self._encode(text))

    def _encode(self, text: str) -> tuple[int, ...]:
        ids = self._plain(text)
        if self._forbidden.isdisjoint(ids):
            return ids
        # Some vocabularies hold the spelling of a special token as a word: cut it after its first character.
        cuts = [0, *(match.start() + 1 for match in self._written.finditer(text)), len(text)]
        ids = tuple(i for start, stop in pairwise(cuts) for i in self._plain(text[start:stop]))
        if not self._forbidden.isdisjoint(ids):
            raise DataError(f"the tokenizer makes a special token of plain text: {text[:40]!r}")
        return ids

    def _plain(self, text: str) -> tuple[int, ...]:
        try:
            return tuple(self.backend.encode(text, add_special_tokens=False).ids)
        except TypeError:  # JSON can spell a lone surrogate, UTF-8 can't
            raise DataError(f"text with a lone surrogate can't be encoded: {text[:40]!r}") from None

    @property
    def opening(self) -> list[int]:
        """The ids that the tokenizer itself puts before a text that stands alone (Llama's beginning), often none."""
        return list(self.backend.encode("", add_special_tokens=True).ids)

    def special(self, token: str) -> int:
        """The id of a special token. Raises `DataError` where the tokenizer doesn't have it."""
        index = self.backend.token_to_id(token)
        if index is None:
            raise DataError(f"the tokenizer has no special token {token!r}")
        return int(index)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`, without special tokens; bytes that are not UTF-8 become U+FFFD."""
        return str(self.backend.decode(list(ids), skip_special_tokens=True))

    def save(self, path: Path) -> None:
        """Write `tokenizer.json` (the Hugging Face format), whole or not at all."""
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_text(self.backend.to_str(pretty=True), encoding="utf-8")
        temporary.replace(path)


def train_tokenizer(texts: Iterable[str], *, vocab_size: int, special_tokens: Sequence[str]) -> Tokenizer:
    """Learn byte-level BPE merges from `texts`. Source: Sennrich et al. 2016, arXiv 1508.07909; bytes as in GPT-2.

    `vocab_size` counts the 256 bytes, the merges and the special tokens. Raises `UsageError` when it is too small.
    """
    from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Backend

    smallest = 256 + len(special_tokens)
    if vocab_size < smallest:
        raise UsageError(f"vocab_size {vocab_size} is too small: bytes and special tokens alone take {smallest}")
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return Tokenizer(backend)
