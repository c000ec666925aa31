"""A byte-level BPE tokenizer: trained by `vergence tokenizer train`, used everywhere text becomes ids.

Text given by anybody is encoded with special tokens switched off, so `<|end|>` typed by a user is seven plain
characters. Special tokens are put in by the chat template alone, by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from vergence.errors import DataError, UsageError

# Words with their leading space, digits one by one (numbers stay comparable place by place), tags such as <bbox> whole.
_PIECES = r"</?[a-z0-9]+>|\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}<]+|<|\s+"


class Tokenizer:
    """Text to ids and back, with special tokens reachable only by `special`."""

    def __init__(self, backend: Any) -> None:
        """`backend` is a `tokenizers.Tokenizer`."""
        backend.encode_special_tokens = True  # special tokens written in a text are encoded as plain text
        self.backend = backend
        self._encode = lru_cache(maxsize=65_536)(self._encode_uncached)

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
        """Number of ids, special tokens included."""
        return int(self.backend.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; never a special token. Raises `DataError` for half a surrogate pair, which isn't text."""
        return list(self._encode(text))

    def _encode_uncached(self, text: str) -> tuple[int, ...]:
        try:
            return tuple(self.backend.encode(text, add_special_tokens=False).ids)
        except TypeError:  # JSON can spell a lone surrogate, UTF-8 can't
            raise DataError(f"text with a lone surrogate can't be encoded: {text[:40]!r}") from None

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
