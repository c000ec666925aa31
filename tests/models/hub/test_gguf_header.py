"""The header of a GGUF file: whatever a file declares, it is checked before it is believed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from gguf_models import refused

from vergence.models.hub.gguf_header import MAX_METADATA_BYTES


def string(text: str | bytes) -> bytes:
    content = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(content)) + content


def raw(path: Path, *, tensors: int = 0, keys: int = 0, body: bytes = b"", version: int = 3) -> Path:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body)
    return path


def place(name: str, shape=(4,), kind: int = 0, offset: int = 0) -> bytes:
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


HUGE = 2**63
HEADERS = {
    "no GGUF": ({"version": 0x0300}, "GGUF version 768 is not supported"),
    "version 1": ({"version": 1}, r"version 1 is not supported \(2 and 3"),
    "many keys": ({"keys": HUGE}, r"the header is truncated or damaged \(a metadata key would take 8 more bytes\)"),
    "many tensors": ({"tensors": HUGE}, r"truncated or damaged \(a tensor's name"),
    "long string": ({"keys": 1, "body": struct.pack("<Q", HUGE)}, r"a metadata key would take 9,223,\S+ more bytes"),
    "long array": ({"keys": 1, "body": string("a") + struct.pack("<IIQ", 9, 4, HUGE)}, "a would take"),
    "many strings": ({"keys": 1, "body": string("a") + struct.pack("<IIQ", 9, 8, HUGE)}, "a would take"),
    "nested": ({"keys": 1, "body": string("a") + struct.pack("<IIQ", 9, 9, 1)}, "array of the unsupported type 9"),
    "value type": ({"keys": 1, "body": string("a") + struct.pack("<I", 99)}, "a has the unknown type 99"),
    "encoding": ({"keys": 1, "body": string(b"\xff")}, "a metadata key is not UTF-8 text"),
    "twice": ({"keys": 2, "body": (string("a") + struct.pack("<II", 4, 1)) * 2}, "key 'a' comes twice"),
    "alignment": (
        {"keys": 1, "body": string("general.alignment") + struct.pack("<II", 4, 0)},
        r"general\.alignment 0 is not possible",
    ),
    "dimensions": ({"tensors": 1, "body": place("t", (1,) * 5) + bytes(64)}, "'t' has 5 dimensions"),
    "no dimension": ({"tensors": 1, "body": place("t", ()) + bytes(64)}, "'t' has 0 dimensions"),
    "empty": ({"tensors": 1, "body": place("t", (0, HUGE)) + bytes(64)}, "'t' is empty"),
    "tensor type": ({"tensors": 1, "body": place("t", kind=77) + bytes(64)}, "'t' has the unknown type 77"),
    "block": (
        {"tensors": 1, "body": place("t", (5,), 8) + bytes(64)},
        r"rows of 5, which Q8_0 can't hold \(blocks of 32",
    ),
    "size": (
        {"tensors": 1, "body": place("t", (HUGE, HUGE)) + bytes(64)},
        r"truncated \(\d+ bytes, tensor 't' ends at",
    ),
    "offset": ({"tensors": 1, "body": place("t", offset=HUGE) + bytes(64)}, r"truncated \(\d+ bytes, tensor 't' ends"),
    "overlap": ({"tensors": 2, "body": place("t") + place("u", offset=8) + bytes(99)}, "'u' overlaps another one"),
    "same name": ({"tensors": 2, "body": place("t") + place("t", offset=32) + bytes(99)}, "'t' comes twice"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_header_is_named_in_one_line(tmp_path, case):
    options, message = HEADERS[case]
    refused(raw(tmp_path / "m.gguf", **options), rf"m\.gguf: .*{message}")


def test_other_files_are_refused(tmp_path):
    for content in (b"", b"GGU", b"\x08\x00\x00\x00\x00\x00\x00\x00{}", b"PK\x03\x04" * 10):
        (tmp_path / "m.gguf").write_bytes(content)
        refused(tmp_path / "m.gguf", "not a GGUF file")
    refused(tmp_path / "absent.gguf", "can't be read")
    refused(tmp_path, "can't be read")


def test_metadata_of_a_large_file_are_bounded(tmp_path):
    path = raw(tmp_path / "m.gguf", keys=1, body=string("a") + struct.pack("<IIQ", 9, 0, MAX_METADATA_BYTES))
    with path.open("r+b") as file:
        file.truncate(2 * MAX_METADATA_BYTES)  # a hole; nothing is on the disk
    refused(path, r"the header is too long or damaged \(a would take 100,000,000 more bytes\)")
