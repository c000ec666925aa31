"""`vergence data pack`, `unpack` and `stats` from the command line."""

from __future__ import annotations

import json

from shard_samples import contents

from vergence.cli import main


def test_pack_unpack_and_stats(samples, shards, tmp_path, capsys):
    out, back = tmp_path / "out", tmp_path / "back"
    assert main(["data", "pack", str(samples), "--out", str(out), "--shard-bytes", "12000"]) == 0
    assert contents(out) == contents(shards)
    count = len(list(out.glob("*.tar")))
    assert capsys.readouterr().out == f"20 conversations in {count} shards in {out}\n"
    assert main(["data", "stats", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["licences"] == {"CC0-1.0": 10, "MIT": 10}
    assert main(["data", "stats", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"20 samples in {count} shards, ")
    assert "19 pictures, 0 videos\nwidth: 20 to 26 pixels" in printed
    assert "licences: CC0-1.0 10, MIT 10\nsources: none named 20\n" in printed
    assert main(["data", "unpack", str(out), "--out", str(back), "--format", "llava"]) == 0
    assert capsys.readouterr().out == f"20 conversations in {back}\n"
    assert main(["data", "unpack", str(out), "--out", str(back), "--format", "llava"]) == 2
    assert "exists already; name a new folder" in capsys.readouterr().err


def test_rows_left_out_are_named_up_to_a_number_and_counted(tmp_path, capsys):
    good = {"messages": [{"role": "user", "content": "x"}]}
    lines = [json.dumps(good), *["{"] * 30, json.dumps({"messages": [{"role": "robot", "content": "x"}]})]
    (tmp_path / "chat.jsonl").write_text("\n".join(lines))
    assert main(["data", "pack", str(tmp_path / "chat.jsonl"), "--out", str(tmp_path / "shards")]) == 0
    captured = capsys.readouterr()
    assert captured.out.endswith("left out: JSON 30, role 1\n")
    named = captured.err.splitlines()
    assert named[0].startswith(f"{tmp_path / 'chat.jsonl'}:2: not JSON (")
    assert named[-1] == "and 11 more"
    assert len(named) == 21
    assert main(["data", "stats", str(tmp_path / "shards")]) == 0
    assert capsys.readouterr().out.endswith("left out: JSON 30, role 1\n")
    assert main(["data", "stats", str(tmp_path)]) == 3
    assert "holds no tar with a sample" in capsys.readouterr().err
