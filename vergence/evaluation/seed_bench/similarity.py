"""Which of the option pictures a generated picture is most like, by a CLIP that the user names.

SEED-Bench-2 chooses in dimensions 25 to 27 the option of highest CLIP similarity (the authors in issue 19 of
github.com/AILab-CVC/SEED-Bench and of AILab-CVC/SEED). Which CLIP isn't published, so its name and the hash of its
weights belong to every result. Cosines of picture features, fp32, pictures prepared as OpenAI's CLIP does: the shorter
side to the input size (bicubic), its centre cut out, normalised. Weights are safetensors; nothing is unpickled.

    load_similarity("transformers:/models/clip-vit-large-patch14")
    load_similarity("open_clip:ViT-L-14:/models/open_clip_model.safetensors")
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from vergence.errors import DataError, UsageError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp")
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_USUAL = {"image_mean": _MEAN, "image_std": _STD}
_WEIGHTS = ".safetensors"


class ImageSimilarity(Protocol):
    """Anything that makes features of pictures; `name` and `sha256` (of its weights) identify it in results."""

    name: str
    sha256: str

    def features(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Pictures (RGB) -> features `[N, D]` float32, of any length."""
        ...


@dataclass(frozen=True, slots=True)
class Likeness:
    """The most similar option (the first of equal ones), whether others are exactly as similar, and all cosines."""

    index: int
    tie: bool
    cosines: tuple[float, ...]


def most_similar(similarity: ImageSimilarity, picture: Image.Image, options: Sequence[Image.Image]) -> Likeness:
    """Compare a picture with the options by the cosine of their features. Raises `DataError` for features of zeros."""
    features = np.asarray(similarity.features([picture, *options]), dtype=np.float64)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    if not np.isfinite(features).all() or not lengths.all():
        raise DataError(f"{similarity.name}: features that are zero or not numbers")
    unit = features / lengths
    # Rounded, so that equal pictures are equal however a matrix product orders its sums.
    cosines = [round(float(value), 9) for value in unit[1:] @ unit[0]]
    best = max(cosines)
    return Likeness(cosines.index(best), cosines.count(best) > 1, tuple(cosines))


def find_picture(folder: Path, question_id: str) -> Path | None:
    """The picture that a model made for a question: `<question_id>.png` (or jpg, jpeg, webp); None where none is."""
    return next((path for end in EXTENSIONS if (path := folder / (question_id + end)).is_file()), None)


def load_similarity(text: str) -> ImageSimilarity:
    """A CLIP by `transformers:FOLDER` or `open_clip:MODEL:WEIGHTS`, both local; its weights are read when needed.

    Raises `UsageError` for another form and where the package is missing, `DataError` where the files are.
    """
    kind, _, rest = text.partition(":")
    if kind == "transformers" and rest:
        return TransformersClip(Path(rest))
    model, _, weights = rest.partition(":")
    if kind == "open_clip" and model and weights:
        return OpenClip(model, Path(weights))
    raise UsageError(f"{text!r}: expected transformers:FOLDER or open_clip:MODEL:WEIGHTS")


class TransformersClip:
    """A CLIP in a folder of the transformers library (config.json, weights, perhaps preprocessor_config.json)."""

    def __init__(self, folder: Path) -> None:
        """Find and hash the weights. Raises `DataError` where a file is missing or can't be used."""
        self.name = folder.resolve().name
        self._folder = folder
        if not (folder / "config.json").is_file():
            raise DataError(f"{folder}: no config.json, expected the folder of a transformers CLIP model")
        files = sorted(folder.glob(f"*{_WEIGHTS}"))
        if not files:
            raise DataError(f"{folder}: no weights (*{_WEIGHTS})")
        self.sha256 = _sha256(files)
        self._mean, self._std = _normalisation(folder / "preprocessor_config.json")
        self._model: Any = None

    def features(self, images: Sequence[Image.Image]) -> np.ndarray:
        """See `ImageSimilarity`."""
        import torch

        if self._model is None:
            self._model = self._load()
        size = int(self._model.config.vision_config.image_size)
        pixels = torch.from_numpy(np.stack([prepare(image, size, self._mean, self._std) for image in images]))
        with torch.inference_mode():
            pooled = self._model.vision_model(pixel_values=pixels).pooler_output
            projected: np.ndarray = self._model.visual_projection(pooled).float().numpy()
        return projected

    def _load(self) -> Any:
        try:
            clip: Any = import_module("transformers").CLIPModel
        except ImportError:
            raise UsageError("CLIP similarity needs transformers: pip install 'vergence[eval]'") from None
        try:
            model, found = clip.from_pretrained(
                str(self._folder), local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except Exception as error:  # whatever a broken file makes the libraries raise
            raise DataError(f"{self._folder}: not a CLIP model: {' '.join(str(error).split())[:200]}") from None
        if found["missing_keys"]:
            raise DataError(f"{self._folder}: not a CLIP model: {len(found['missing_keys'])} weights are missing")
        return model.float().eval()


class OpenClip:
    """A model of open_clip by its name there, with weights from a local file."""

    def __init__(self, model: str, weights: Path) -> None:
        """Hash the weights. Raises `DataError` where they are missing or of another kind."""
        if not weights.is_file():
            raise DataError(f"{weights}: no such file (the weights of {model})")
        if weights.suffix != _WEIGHTS:
            raise DataError(f"{weights}: weights of {model} are read from a {_WEIGHTS} file only")
        self.name, self.sha256 = model, _sha256([weights])
        self._weights = weights
        self._loaded: tuple[Any, Callable[[Image.Image], Any]] | None = None

    def features(self, images: Sequence[Image.Image]) -> np.ndarray:
        """See `ImageSimilarity`."""
        import torch

        if self._loaded is None:
            self._loaded = self._load()
        model, transform = self._loaded
        with torch.inference_mode():
            found: np.ndarray = model.encode_image(torch.stack([transform(image) for image in images])).float().numpy()
        return found

    def _load(self) -> tuple[Any, Callable[[Image.Image], Any]]:
        try:
            open_clip = import_module("open_clip")
        except ImportError:
            raise UsageError("this CLIP needs open_clip: pip install open_clip_torch") from None
        try:
            model, _, transform = open_clip.create_model_and_transforms(self.name, pretrained=str(self._weights))
        except Exception as error:  # as above
            raise DataError(
                f"{self._weights}: not weights of {self.name}: {' '.join(str(error).split())[:200]}"
            ) from None
        return model.float().eval(), transform


def prepare(image: Image.Image, size: int, mean: Sequence[float] = _MEAN, std: Sequence[float] = _STD) -> np.ndarray:
    """A picture -> float32 `[3, size, size]` as OpenAI's CLIP takes it; see the module."""
    width, height = image.size
    short = min(width, height)
    # The longer side is rounded down, as torchvision's Resize does, and the cut is as its CenterCrop's.
    scaled = image.resize((size * width // short, size * height // short), Image.Resampling.BICUBIC)
    left, top = (round((side - size) / 2) for side in scaled.size)
    pixels = np.asarray(scaled.crop((left, top, left + size, top + size)).convert("RGB"), dtype=np.float32) / 255
    normed = (pixels - np.asarray(mean, dtype=np.float32)) / np.asarray(std, dtype=np.float32)
    return np.ascontiguousarray(normed.transpose(2, 0, 1))


def _normalisation(path: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of the three channels; OpenAI's where the file isn't there or doesn't tell them."""
    if not path.is_file():
        return _MEAN, _STD
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        found = [[float(value) for value in told.get(key, usual)] for key, usual in _USUAL.items()]
    except (AttributeError, TypeError, ValueError):
        found = []
    if [len(values) for values in found] != [3, 3] or not all(found[1]):
        raise DataError(f"{path}: expected an object whose image_mean and image_std are three numbers each")
    return found[0], found[1]


def _sha256(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def described(similarity: ImageSimilarity | None) -> dict[str, str] | None:
    """What a result says of the CLIP that was used."""
    return None if similarity is None else {"name": similarity.name, "sha256": similarity.sha256}
