"""Tar files whose bytes follow from their content; Python's tarfile is the judge of what they hold."""

from __future__ import annotations

import io
import os
import tarfile
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from vergence.data.shards.index import scan_tar
from vergence.data.shards.writer import ShardWriter

SAMPLES = st.lists(
    st.dictionaries(st.from_regex(r"[a-z0-9]{1,8}\.[a-z]{3}", fullmatch=True), st.binary(max_size=1500), min_size=1),
    max_size=5,
)


@settings(max_examples=30)
@given(SAMPLES)
def test_tarfile_reads_the_members_in_order_and_nothing_tells_when_or_by_whom(tmp_path, samples):
    path = tmp_path / "a.tar"
    with ShardWriter(path) as writer:
        for members in samples:
            writer.add(members)
    expected = [member for members in samples for member in members.items()]
    data = path.read_bytes()
    with tarfile.open(path, "r:") as archive:
        infos = archive.getmembers()
        assert [(info.name, archive.extractfile(info).read()) for info in infos] == expected
        assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode, i.type) for i in infos} <= {
            (0, 0, 0, "", "", 0o644, tarfile.REGTYPE)
        }
    assert (writer.size, writer.sha256) == (len(data), sha256(data).hexdigest())
    assert len(data) % 512 == 0
    found = [place for sample in scan_tar(path).samples for place in sample.places]
    assert [(p.name, data[p.offset : p.offset + p.length]) for p in found] == expected
    assert scan_tar(path).damage is None


def test_it_writes_what_tarfile_would_write(tmp_path):
    with ShardWriter(tmp_path / "a.tar") as writer:
        writer.add({"1.json": b"{}", "1.0.png": bytes(700)})
    theirs = io.BytesIO()
    with tarfile.open(fileobj=theirs, mode="w:", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in (("1.json", b"{}"), ("1.0.png", bytes(700))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    ours = (tmp_path / "a.tar").read_bytes()
    assert theirs.getvalue().rstrip(b"\0") == ours.rstrip(b"\0")
    assert not any(theirs.getvalue()[len(ours) :]), "which fills its last block of 10,240 bytes"


def test_a_tar_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.tar"
    writer = ShardWriter(path).__enter__()
    writer.add({"1.json": b"{}"})
    assert [file.name for file in tmp_path.iterdir()] == [f"a.tar.{os.getpid()}.partial"]
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not list(tmp_path.iterdir())


def test_the_index_says_what_a_sample_holds(tmp_path):
    """Hashes by their own function, tokens by counting squares, bytes of text in every form."""
    import json

    from PIL import Image
    from pyarrow import parquet

    from vergence.data.curation.perceptual_hash import frequency_hash
    from vergence.data.shards.index import sidecar_of, write_sidecar

    picture = Image.linear_gradient("L").resize((57, 28)).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "PNG")
    records = {
        "0": {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "añb"}]}],
            "kind": "x",
            "difficulty": 1,
        },
        "1": {"conversations": [{"from": "human", "value": "abc"}, {"from": "gpt", "value": "de"}]},
        "2": {"caption": "猫", "difficulty": "hard"},
    }
    path = tmp_path / "a.tar"
    with ShardWriter(path) as writer:
        for key, record in records.items():
            writer.add({f"{key}.json": json.dumps(record).encode(), f"{key}.0.png": file.getvalue()})
    write_sidecar(path)
    rows = parquet.read_table(sidecar_of(path)).to_pylist()
    assert [row["phashes"] for row in rows] == [[frequency_hash(picture.convert("L"))]] * 3
    assert [row["visual_tokens"] for row in rows] == [3] * 3
    assert [row["text_bytes"] for row in rows] == [4, 5, 3]
    assert [(row["kind"], row["difficulty"]) for row in rows] == [("x", 1.0), (None, None), (None, None)]
