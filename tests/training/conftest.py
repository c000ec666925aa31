"""The bad pictures of tests/processing, for the data folders that are trained on."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_spec = spec_from_file_location("bad_pictures", Path(__file__).parents[1] / "processing" / "conftest.py")
assert _spec
assert _spec.loader
_bad_pictures = module_from_spec(_spec)
_spec.loader.exec_module(_bad_pictures)

bad_bytes = _bad_pictures.bad_bytes
bad_files = _bad_pictures.bad_files
