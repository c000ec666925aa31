"""The safetensors format: what is written is what others read, one tensor at a time, and a damaged file is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vergence.errors import DataError, UsageError
from vergence.models.hub.safetensors_file import (
    DTYPES,
    WEIGHTS,
    LazyTensor,
    read_header,
    read_tensor,
    write_safetensors,
    write_sharded,
)


def lazy(tensors: dict[str, torch.Tensor]) -> list[LazyTensor]:
    return [LazyTensor(name, t.dtype, t.shape, lambda t=t: t) for name, t in tensors.items()]


def raw(path: Path, header: object, data: bytes = b"", *, length: int | None = None) -> Path:
    """A file with any header."""
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(content) if length is None else length).to_bytes(8, "little") + content + data)
    return path


def entry(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


EXAMPLES = {
    "half": torch.randn(3, 5).bfloat16(),
    "single": torch.randn(7),
    "scalar": torch.tensor(2.5),
    "empty": torch.empty(0, 4),
    "double": torch.randn(2, 2).double(),
    "float16": torch.randn(1, 3).half(),
    "turned": torch.randn(4, 6).T,
}


def test_others_read_what_is_written(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, lazy(EXAMPLES))
    loaded = load_file(path)
    assert loaded.keys() == EXAMPLES.keys()
    for name, tensor in EXAMPLES.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_what_others_write_is_read(tmp_path):
    others = {name: tensor.contiguous() for name, tensor in EXAMPLES.items()}
    save_file(others, tmp_path / "model.safetensors", metadata={"format": "pt", "by": "others"})
    header = read_header(tmp_path / "model.safetensors")
    assert header.keys() == others.keys()
    for name, tensor in others.items():
        read = read_tensor(name, header[name])
        assert (header[name].dtype, header[name].shape) == (read.dtype, tuple(read.shape))
        assert read.dtype == tensor.dtype
        assert torch.equal(read, tensor)


@given(
    st.lists(
        st.tuples(st.sampled_from(WEIGHTS), st.lists(st.integers(0, 5), max_size=4)),
        max_size=6,
    )
)
def test_round_trip(tmp_path_factory, kinds):
    path = tmp_path_factory.mktemp("round") / "a.safetensors"
    tensors = {f"t{i}é": torch.randn(shape).to(dtype) for i, (dtype, shape) in enumerate(kinds)}
    write_safetensors(path, lazy(tensors))
    header = read_header(path)
    assert header.keys() == tensors.keys()
    assert all(info.offset % info.dtype.itemsize == 0 for info in header.values())
    assert all(torch.equal(read_tensor(name, header[name]), tensor) for name, tensor in tensors.items())


def test_tensors_are_loaded_in_order_and_one_at_a_time(tmp_path):
    log = []

    def load(name):
        log.append((name, [p.name for p in tmp_path.iterdir()]))
        return torch.zeros(2)

    write_safetensors(tmp_path / "a", [LazyTensor(n, torch.float32, (2,), lambda n=n: load(n)) for n in "cab"])
    assert log == [(name, [".partial-a"]) for name in "cab"]


@pytest.mark.parametrize("wrong", [torch.zeros(3), torch.zeros(2, 1), torch.zeros(2).half()])
def test_a_tensor_that_is_not_what_was_declared_is_refused(tmp_path, wrong):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    entries = [
        LazyTensor("fine", torch.float32, (1,), lambda: torch.zeros(1)),
        LazyTensor("off", torch.float32, (2,), lambda: wrong),
    ]
    with pytest.raises(DataError, match=r"a\.safetensors: tensor 'off' is \w+ \[.*\], expected F32 \[2\]"):
        write_safetensors(path, entries)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_comes_twice_is_refused(tmp_path):
    twice = lazy({"a": torch.zeros(1)}) * 2
    with pytest.raises(DataError, match="two tensors are named 'a'"):
        write_safetensors(tmp_path / "a", twice)
    with pytest.raises(DataError, match="two tensors are named 'a'"):
        write_sharded(tmp_path / "shards", twice, max_bytes=4)


HEADERS = {
    "empty file": (b"", None, "not a safetensors file"),
    "too long": (b"{}", 2**60, "no header of at most 100,000,000 bytes"),
    "beyond the end": (b"{}", 1000, r"truncated \(10 bytes, its header alone ends at 1008\)"),
    "not JSON": (b"hello", None, "its header is not JSON"),
    "not UTF-8": (b'{"\xff": 1}', None, "its header is not JSON"),
    "deep": (b"[" * 100_000, None, "its header is not JSON"),
    "a list": (b"[1]", None, "its header is not an object"),
    "no object": ({"a": 1}, None, "tensor 'a' must be an object, found 1"),
    "no type": ({"a": {"shape": [1], "data_offsets": [0, 4]}}, None, "unknown type None"),
    "odd type": ({"a": entry([1], 0, 4, "F4")}, None, "unknown type 'F4'"),
    "negative": ({"a": entry([-1], 0, 4)}, None, r"no valid shape: \[-1\]"),
    "truth": ({"a": entry([True], 0, 4)}, None, r"no valid shape: \[True\]"),
    "many dimensions": ({"a": entry([1] * 100, 0, 4)}, None, "no valid shape"),
    "offsets": ({"a": entry([1], 4, 0)}, None, "can't have -4 bytes"),
    "three offsets": ({"a": {**entry([1], 0, 4), "data_offsets": [0, 4, 8]}}, None, "no valid data_offsets"),
    "bytes": ({"a": entry([2], 0, 4)}, None, "can't have 4 bytes"),
    "overflow": ({"a": entry([2**62, 2**62], 0, 4)}, None, "can't have 4 bytes"),
    "truncated": ({"a": entry([4], 0, 16)}, None, r"truncated \(\d+ bytes, tensor 'a' ends at \d+\)"),
    "overlap": ({"a": entry([1], 0, 4), "b": entry([1], 2, 6)}, None, "tensor 'b' overlaps the one before it"),
    "gap": ({"a": entry([1], 0, 4), "b": entry([1], 5, 9)}, None, "tensor 'b' leaves a gap"),
    "more": ({"a": entry([1], 0, 4)}, None, "4 bytes follow the last tensor"),
    "twice": (b'{"a": {}, "a": {}}', None, "the header names 'a' twice"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_header_is_named_in_one_line(tmp_path, case):
    header, length, message = HEADERS[case]
    path = tmp_path / "bad.safetensors"
    raw(path, header, bytes(8) if isinstance(header, dict) else b"", length=length)
    if case == "empty file":
        path.write_bytes(b"")
    with pytest.raises(DataError, match=rf"bad\.safetensors: .*{message}") as caught:
        read_header(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


@given(st.data())
def test_any_damage_is_a_data_error_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "a.safetensors"
    write_safetensors(path, lazy({"a": torch.zeros(3), "b": torch.zeros(2, 2)}))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(DataError):
        for name, info in read_header(path).items():
            read_tensor(name, info)


def test_a_file_that_shrinks_while_it_is_read_is_named(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, lazy({"a": torch.zeros(100)}))
    info = read_header(path)["a"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"a\.safetensors: truncated while it was read \(tensor 'a' is incomplete\)"):
        read_tensor("a", info)
    path.unlink()
    with pytest.raises(DataError, match="can't be read"):
        read_tensor("a", info)


@pytest.mark.parametrize("kind", [name for name, dtype in DTYPES.items() if dtype not in WEIGHTS])
def test_types_that_no_weight_has_are_listed_but_not_read(tmp_path, kind):
    size = DTYPES[kind].itemsize
    path = raw(tmp_path / "a.safetensors", {"a": entry([3], 0, 3 * size, kind)}, bytes(3 * size))
    info = read_header(path)["a"]
    assert info.dtype == DTYPES[kind]
    with pytest.raises(DataError, match=rf"tensor 'a' is {kind}, which is not supported for weights \(F64, F32, F16"):
        read_tensor("a", info)


def test_one_file_where_all_fits(tmp_path):
    assert write_sharded(tmp_path / "new", lazy(EXAMPLES)) == [tmp_path / "new" / "model.safetensors"]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["model.safetensors"]


def test_shards_are_those_of_hugging_face(tmp_path):
    tensors = {f"t{i}": torch.full((size,), float(i)) for i, size in enumerate([4, 4, 20, 1, 6, 3])}
    written = write_sharded(tmp_path, lazy(tensors), max_bytes=40)
    names = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    assert [p.name for p in written] == [*names, "model.safetensors.index.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in written)
    index = json.loads(written[-1].read_text())
    assert index["metadata"] == {"total_size": 38 * 4}
    shards = [load_file(path) for path in written[:-1]]
    assert [list(shard) for shard in shards] == [["t0", "t1"], ["t2"], ["t3", "t4", "t5"]]
    assert index["weight_map"] == {t: names[i] for i, shard in enumerate(shards) for t in shard}


def test_weights_are_never_mixed_with_older_ones(tmp_path):
    write_sharded(tmp_path, lazy({"a": torch.zeros(4), "b": torch.zeros(4)}), max_bytes=16)
    with pytest.raises(UsageError, match=r"holds weights already \(model-00001-of-00002\.safetensors\)"):
        write_sharded(tmp_path, lazy({"a": torch.zeros(1)}))


def test_transformers_reads_shards(tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    model = LlamaForCausalLM(config)
    config.save_pretrained(tmp_path)
    written = write_sharded(tmp_path, lazy(model.state_dict()), max_bytes=4000)
    assert len(written) > 2
    loaded = LlamaForCausalLM.from_pretrained(tmp_path)
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in model.state_dict().items())


# A peak is a process's, so the copy has a process of its own. VmHWM, since ru_maxrss starts at the parent's.
COPY = """
import sys
from pathlib import Path
import torch
from vergence.models.hub.safetensors_file import LazyTensor, read_header, read_tensor, write_safetensors

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024

source, copy = map(Path, sys.argv[1:])
torch.zeros(8).numpy()
before = peak()
write_safetensors(copy, [
    LazyTensor(name, info.dtype, info.shape, lambda name=name, info=info: read_tensor(name, info))
    for name, info in read_header(source).items()
])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
def test_copying_needs_the_memory_of_a_tensor_not_of_a_file(tmp_path):
    tensor_bytes, count = 2**22, 24
    ones = torch.ones(tensor_bytes // 4)
    write_safetensors(tmp_path / "source", lazy({f"t{i}": ones for i in range(count)}))
    done = subprocess.run(
        [sys.executable, "-c", COPY, str(tmp_path / "source"), str(tmp_path / "copy")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "source").read_bytes()
    assert int(done.stdout) < 4 * tensor_bytes
