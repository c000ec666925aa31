"""The command: how fast it helps, its exit codes, and one call of every subcommand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vergence import __version__
from vergence.cli import main
from vergence.data.catalogue import TASKS
from vergence.data.recipes import load_checked_recipe
from vergence.data.sources.folder import read_folder
from vergence.models.checkpoint import open_checkpoint
from vergence.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "PIL", "pydantic", "yaml", "tokenizers", "sklearn"}
SUBCOMMANDS = [
    [],
    ["train"],
    ["eval"],
    ["chat"],
    ["config"],
    ["data"],
    ["data", "list"],
    ["data", "generate"],
    ["data", "packing"],
    ["tokenizer"],
    ["tokenizer", "train"],
    ["convert"],
    ["convert", "import"],
    ["convert", "export"],
    ["build"],
    ["report"],
    ["compare"],
    ["contamination"],
    ["seed-bench"],
    *(["seed-bench", action] for action in ("submission", "validate", "tables", "leaderboard", "export")),
    ["demo"],
]


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command in this process."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as exit_:  # argparse's way
        code = exit_.code if isinstance(exit_.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def problem(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and the one message of a command that fails."""
    code, _, err = run(*arguments, capsys=capsys)
    (line,) = [line for line in err.splitlines() if line.startswith("vergence")]
    assert "Traceback" not in err
    return code, line


# Help


@pytest.mark.parametrize(
    "command", [["-m", "vergence"], ["-c", "import sys; from vergence.cli import main; sys.exit(main())"]]
)
def test_help_is_quick(command):
    pytest.importorskip("resource")
    import resource

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    result = subprocess.run([sys.executable, *command, "--help"], capture_output=True, text=True, cwd=ROOT)
    assert used() - before < 0.3
    assert result.returncode == 0
    for name in ("train", "eval", "chat", "config", "data", "tokenizer", "convert", "report", "compare", "demo"):
        assert re.search(rf"^    {name}\b", result.stdout, re.MULTILINE)
    assert "exit codes: 0 done" in result.stdout


def test_help_of_every_subcommand_imports_nothing_heavy():
    script = f"""
import contextlib, io, sys
from vergence.cli import main
for command in {SUBCOMMANDS!r}:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as said:
        main([*command, "--help"])
    assert "usage: vergence" in said.getvalue(), command
print(*sorted({HEAVY!r} & sys.modules.keys()))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout.strip()) == (0, ""), result.stderr


def test_the_version(capsys):
    assert run("--version", capsys=capsys) == (0, f"vergence {__version__}\n", "")


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["trian"], "invalid choice: 'trian'"),
        (["train"], "the following arguments are required: recipe"),
        (["train", "RECIPE", "--outputs", "x"], "unrecognized arguments: --outputs x"),
        (["train", "RECIPE", "seed=1", "--outputs", "x"], "unrecognized arguments: --outputs x"),
        (["data", "list", "shapes", "seed=1"], "unrecognized arguments: seed=1"),
        (["report"], "the following arguments are required: run_folder"),
        (["compare", "a"], "the following arguments are required: second"),
        (["contamination", "RECIPE"], "the following arguments are required: --task"),
        (["seed-bench", "submission", "run"], "the following arguments are required: --output"),
        (["eval", "run", "--lengths", "8,x"], "argument --lengths: expected a whole number of at least 1, found 'x'"),
        (["eval", "run", "--depths", "0,2"], "argument --depths: expected numbers from 0 to 1 with commas between"),
        (["eval", "run", "--method", "guess"], "argument --method: invalid choice: 'guess'"),
        (["eval", "run", "--keep-media", "-3"], "argument --keep-media: expected a whole number of at least 0, found"),
        (["config", "print", "RECIPE"], "invalid choice: 'print'"),
        (["data", "generate", "RECIPE"], "the following arguments are required: --output"),
        (["data", "packing", "RECIPE", "--rows", "0"], "argument --rows: expected a whole number of at least 1"),
        (
            ["eval", "run", "--samples", "-5"],
            "argument --limit/--samples: expected a whole number of at least 1, found '-5'",
        ),
        (["tokenizer", "train", "RECIPE", "--output", "x", "--samples", "many"], "found 'many'"),
        (["convert", "import", "somewhere"], "the following arguments are required: destination"),
        (["convert", "import", "a", "b", "--dtype", "int8"], "argument --dtype: invalid choice: 'int8'"),
        (["chat", "run", "--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
        (["chat", "run", "--fps", "many"], "argument --fps: invalid float value: 'many'"),
    ],
)
def test_wrong_usage_is_exit_code_2(small_recipe, capsys, arguments, said):
    code, out, err = run(*(str(small_recipe) if a == "RECIPE" else a for a in arguments), capsys=capsys)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["train", "RECIPE", "--output", "FILE"], 2, "file.txt: can't hold a run, there is a file in its place"),
        (["train", "RECIPE", "--output", "NONE", "--device", "warp"], 2, "device 'warp' is not available here"),
        (["train", "nowhere.yaml"], 2, "nowhere.yaml: no such recipe file; shipped recipes: "),
        (["config", "show", "RECIPE", "seed"], 2, "seed: expected key.sub=value, found no '='"),
        (["config", "show", "RECIPE", "stages.ansers.tokens=5"], 2, 'did you mean "answers"?'),
        (["config", "show", "RECIPE", "stages.words.mixture.0.source=shpes"], 2, "did you mean 'shapes'?"),
        (["data", "generate", "RECIPE", "--output", "FILE"], 2, "file.txt: exists already"),
        (["data", "packing", "RECIPE", "--stage", "none"], 2, "no stage 'none' in recipe small"),
        (["tokenizer", "train", "RECIPE", "--vocab-size", "9", "--output", "NONE"], 2, "vocab_size 9 is too small"),
        (["eval"], 2, "name a model: a checkpoint folder, transformers:..., http://..., or recorded:FILE"),
        (["eval", "--json", "RUN"], 2, " was taken as the FILE of --json)"),
        (["eval", "RUN", "--task", ","], 2, "--task ',' names no task"),
        (["eval", "RUN", "--task", "digit", "--json", "FOLDER"], 2, "folder: is a folder, expected a file"),
        (["eval", "RUN", "--task", "digit", "--output", "FILE"], 2, "a file stands where the run's folder should be"),
        (["eval", "RUN", "--task", "digit", "--judge", "somebody"], 2, "the endpoint's model is not named"),
        (["eval", "recorded:x", "--task", "seed-bench-2", "--limit", "3"], 2, "predictions is scored whole"),
        (["contamination", "RECIPE", "--task", ""], 2, "--task '' names no task"),
        (["contamination", "RECIPE", "--task", "digit", "--data", "NONE"], 2, "none: digit makes its own questions"),
        (["eval", "NONE", "--task", "sudoku"], 2, "'sudoku' is not a task (`vergence eval --list` shows them)"),
        (["eval", "NONE", "--suite", "kimi"], 2, "'kimi' is not a suite; did you mean 'kimi-vl'"),
        (["eval", "RUN", "--task", "mmmu", "--data", "NONE", "--output", "OUT"], 3, "no task could be evaluated; "),
        (["eval", "RUN", "--task", "digit", "--lengths", "64"], 2, "are for needle tasks, not for digit"),
        (["eval", "RUN", "--task", "needle-video", "--tokenizer", "RUN"], 2, "it takes no --tokenizer"),
        (["eval", "RUN", "--task", "needle-text", "--lengths", "9", "--output", "OUT"], 2, "length 9 is too short"),
        (["compare", "NONE", "NONE"], 3, "none: not the folder of an evaluation (it has no results.json)"),
        (["report", "NONE", "FOLDER"], 3, "none: not the folder of an evaluation (it has no results.json)"),
        (["eval", "NONE"], 3, "none: no such run or checkpoint folder"),
        (["eval", "FOLDER"], 3, "not a Vergence checkpoint"),
        (["chat", "NONE", "--prompt", "hi"], 3, "none: no such run or checkpoint folder"),
        (["chat", "RUN", "--prompt", "hi", "--image", "FILE"], 3, "file.txt: "),
        (["chat", "RUN", "--json"], 2, "--json needs --prompt"),
        (["chat", "RUN", "--prompt", "hi", "--temperature", "-1"], 2, "temperature must be"),
        (["chat", "RUN", "--prompt", "hi", "--video", "FILE", "--fps", "0"], 2, "fps must be a number greater than 0"),
        (["report", "NONE"], 3, "none: not the folder of a run (it has no recipe.yaml, and no results.json"),
        (["report", "FOLDER"], 3, "not the folder of a run"),
        (["tokenizer", "train", "RECIPE", "--samples", "2", "--output", "FILE/x"], 1, "file.txt"),
    ],
)
def test_what_cannot_be_done_is_one_line(small_recipe, small_run, tmp_path, capsys, arguments, code, said):
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    names = {
        "RECIPE": small_recipe,
        "RUN": small_run,
        "NONE": tmp_path / "none",
        "FOLDER": tmp_path / "folder",
        "FILE": tmp_path / "file.txt",
        "OUT": tmp_path / "folder" / "out",
        "FILE/x": tmp_path / "file.txt" / "x",
    }
    found, line = problem(*(str(names.get(a, a)) for a in arguments), capsys=capsys)
    assert found == code
    assert said in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.txt", "folder"]
    assert (tmp_path / "file.txt").read_text() == "mine"


def test_three_mistakes_are_reported_at_once(small_recipe, tmp_path, capsys):
    text = small_recipe.read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("seed: 7", "sead: 7").replace("lanes: 2", "lanes: two"), encoding="utf-8")
    code, out, err = run("train", str(wrong), "--output", str(tmp_path / "run"), "checkpoint.keep=0", capsys=capsys)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0] == f"vergence: {wrong}: 3 problems"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["loader.lanes", "checkpoint.keep", "sead"]
    assert "did you mean" in lines[3]
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_is_exit_code_1(small_recipe, tmp_path, capsys):
    arguments = ["train", str(small_recipe), "stages.encoder.optimizer.lr=1e30", "--output", str(tmp_path)]
    code, line = problem(*arguments, capsys=capsys)
    assert code == 1
    assert "stage encoder, step" in line
    assert "lower stages.encoder.optimizer.lr" in line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "vergence: stopped\n"),
        (OSError(28, "No space left on device"), 1, "vergence: No space left on device\n"),
        (OSError(13, "Permission denied", "a.txt"), 1, "vergence: a.txt: Permission denied\n"),
    ],
)
def test_what_happens_from_outside_is_one_line(tmp_path, monkeypatch, capsys, error, code, said):
    def build_any_report(runs: list[Path], output: Path | None) -> Path:
        raise error

    monkeypatch.setattr("vergence.evaluation.report.build_any_report", build_any_report)
    assert run("report", str(tmp_path), capsys=capsys) == (code, "", said)


def test_a_reader_that_goes_away_is_no_drama(small_recipe):
    """As in `vergence config schema tiny | head -1`: the output is longer than a pipe holds."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "vergence", "config", "schema", str(small_recipe)]
    result = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    os.close(write)
    assert (result.returncode, result.stderr) == (1, "")


def test_a_terminal_that_lacks_a_character_is_no_drama():
    command = [sys.executable, "-m", "vergence", "eval", "--list"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (result.returncode, result.stderr) == (0, "")


# Recipes


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_a_shown_recipe_is_the_recipe(small_recipe, tmp_path, capsys, name):
    recipe = str(small_recipe) if name == "small" else name
    code, out, _ = run("config", "show", recipe, capsys=capsys)
    assert code == 0
    shown = tmp_path / "shown.yaml"
    shown.write_text(out, encoding="utf-8")
    assert load_checked_recipe(shown) == load_checked_recipe(recipe)
    assert run("config", "show", str(shown), capsys=capsys)[1] == out


def test_the_schema_describes_recipes(small_recipe, capsys):
    code, out, _ = run("config", "schema", str(small_recipe), capsys=capsys)
    schema = json.loads(out)
    assert code == 0
    assert schema["type"] == "object"
    assert schema["properties"].keys() == Recipe.model_fields.keys()
    assert set(schema["required"]) == {"name", "model", "stages"}
    assert schema["additionalProperties"] is False

    def references(node: object) -> set[str]:
        if isinstance(node, dict):
            return {node["$ref"]} & {node.get("$ref")} if "$ref" in node else references(list(node.values()))
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    assert {reference.removeprefix("#/$defs/") for reference in references(schema)} == schema["$defs"].keys()
    rate = schema["$defs"]["OptimizerConfig"]["properties"]["lr"]
    assert (rate["type"], rate["exclusiveMinimum"]) == ("number", 0)


@pytest.mark.parametrize(
    "order",
    [
        ["RECIPE", "A", "B", "--stage", "words", "--rows", "2"],
        ["RECIPE", "--stage", "words", "A", "--rows", "2", "B"],
        ["--stage", "words", "--rows=2", "RECIPE", "A", "B"],
        ["--stage", "words", "RECIPE", "--rows", "2", "A", "B"],
    ],
)
def test_overrides_stand_before_and_after_options(small_recipe, capsys, order):
    names = {"RECIPE": str(small_recipe), "A": "stages.words.row_tokens=2e2", "B": "loader.open_rows=1"}
    code, out, err = run("data", "packing", *(names.get(word, word) for word in order), capsys=capsys)
    assert (code, err) == (0, "")
    assert out.startswith("stage words: 2 rows of 200 tokens, ")


def test_a_rate_may_be_written_as_people_write_it(small_recipe, capsys):
    code, out, _ = run("config", "show", str(small_recipe), "stages.words.optimizer.lr=1e-4", capsys=capsys)
    assert code == 0
    assert "lr: 0.0001" in out


# Data


def test_the_list_of_tasks(capsys):
    code, out, _ = run("data", "list", "--tasks", capsys=capsys)
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert code == 0
    expected = {task: [info.kind, "real" if info.real else "rendered", info.metric] for task, info in TASKS.items()}
    assert rows == expected


def test_a_generated_folder_can_be_read_back(small_recipe, tmp_path, capsys):
    arguments = ["--stage", "encoder", "--split", "heldout", "--samples", "5", "--output", str(tmp_path / "data")]
    code, out, _ = run("data", "generate", str(small_recipe), *arguments, capsys=capsys)
    assert (code, out) == (0, f"5 conversations in {tmp_path / 'data'}\n")
    assert len(read_folder(tmp_path / "data")) == 5
    assert problem("data", "generate", str(small_recipe), *arguments, capsys=capsys)[0] == 2


def test_a_tokenizer_is_the_same_in_every_process(small_recipe, tmp_path, capsys):
    arguments = ["tokenizer", "train", str(small_recipe), "--vocab-size", "330", "--samples", "40", "--output"]
    code, out, _ = run(*arguments, str(tmp_path / "one.json"), capsys=capsys)
    assert (code, out) == (0, f"330 tokens in {tmp_path / 'one.json'}\n")
    command = [sys.executable, "-m", "vergence", *arguments, str(tmp_path / "two.json")]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "77"})
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    override = f"model.processing.tokenizer={tmp_path / 'one.json'}"
    assert run("data", "packing", str(small_recipe), override, "--rows", "1", capsys=capsys)[0] == 0


# Public checkpoints


def test_a_checkpoint_is_exported_and_imported_again(tmp_path, capsys):
    from vergence.models.checkpoint import save_model
    from vergence.models.vlm import VLM
    from vergence.presets import PRESETS
    from vergence.processing.tokenizer import Tokenizer

    model = VLM(PRESETS["llava-onevision-tiny"])
    model.initialise(seed=0)
    made, public, again = (str(tmp_path / name) for name in ("made", "public", "again"))
    save_model(Path(made), model, tokenizer=Tokenizer.load("tiny").backend.to_str())
    assert run("convert", "export", made, public, capsys=capsys) == (0, f"{public}: llava-onevision (hf)\n", "")
    code, out, err = run("convert", "import", public, again, "--dtype", "bfloat16", capsys=capsys)
    assert (code, err) == (0, "")
    assert re.fullmatch(rf"{again}: llava-onevision \(hf\), [\d,]+ weights in bfloat16\n", out)
    files = ["model.json", "model.safetensors", "source.json", "tokenizer.json"]
    assert sorted(open_checkpoint(Path(again)).files) == files
    assert problem("convert", "import", public, again, capsys=capsys) == (
        2,
        f"vergence: {again}: exists already; name a new folder",
    )
    code, said = problem("convert", "export", made, str(tmp_path / "x"), "--format", "gguf", capsys=capsys)
    assert code == 2
    assert "no format 'gguf' for this model; there is hf, original" in said
    code, said = problem("convert", "import", str(tmp_path / "nowhere"), str(tmp_path / "x"), capsys=capsys)
    assert code == 3
    assert "nowhere" in said


# A run, and what is done with it


def test_a_recipe_is_trained_into_the_folder_of_its_name(small_recipe, small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", str(small_recipe), capsys=capsys)
    assert (code, out) == (0, "")
    assert f"report: {Path('runs') / 'small' / 'report.html'}" in err
    final = open_checkpoint(tmp_path / "runs" / "small" / "final")
    assert final.files == open_checkpoint(small_run / "final").files, "to the bit what another run gave"
    assert load_recipe(tmp_path / "runs" / "small" / "recipe.yaml") == load_checked_recipe(small_recipe)


def test_an_evaluation_its_comparison_and_its_report(small_run, tmp_path, capsys):
    file = tmp_path / "results.json"
    arguments = ["--task", "colour,shape", "--task", "digit", "--samples", "2", "--no-blind"]
    first, second = (str(tmp_path / name) for name in ("first", "second"))
    code, out, err = run("eval", str(small_run), *arguments, "--output", first, "--json", str(file), capsys=capsys)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["colour", "shape", "digit"]
    assert "colour: " in err
    results = json.loads(file.read_text(encoding="utf-8"))
    assert {name: task["n"] for name, task in results["tasks"].items()} == {"colour": 2, "shape": 2, "digit": 2}
    code, out, _ = run("eval", str(small_run), *arguments, "--output", second, "--json", capsys=capsys)
    assert (code, json.loads(out)) == (0, results)
    code, out, _ = run("compare", first, second, "--json", capsys=capsys)
    assert {name: row["difference"] for name, row in json.loads(out).items()} == dict.fromkeys(results["tasks"], 0)
    page = tmp_path / "page.html"
    assert run("report", first, second, "--output", str(page), capsys=capsys) == (0, f"{page}\n", "")
    assert "<title>" in page.read_text(encoding="utf-8")


def test_the_tasks_are_listed_without_a_model(capsys):
    code, out, _ = run("eval", "--list", capsys=capsys)
    assert code == 0
    assert {"mmmu", "seed-bench-2", "kimi-vl"} <= {line.split()[0] for line in out.splitlines() if line}


def test_one_answer_as_json(small_run, tmp_path, capsys):
    picture = tmp_path / "picture.png"
    Image.new("RGB", (56, 84), "red").save(picture)
    options = ["--json", "--max-tokens", "5", "--logprobs", "--temperature", "0.5", "--seed", "1", "--stop", "###"]
    arguments = ["chat", str(small_run), "--image", str(picture), "--prompt", "What colour is it?", *options]
    code, out, _ = run(*arguments, capsys=capsys)
    answer = json.loads(out)
    assert code == 0
    assert answer["usage"]["image_tokens"] == 6
    assert 1 <= len(answer["token_ids"]) == len(answer["logprobs"]) <= 5
    assert answer["image"] == {"width": 56, "height": 84}
    assert answer["thought"] is None
    assert run(*arguments, capsys=capsys)[1] == out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"videos": [], "fps": None, "thinking": None, "dtype": "auto"}),
        (["--thinking", "--dtype", "bfloat16"], {"thinking": True, "dtype": "bfloat16"}),
        (["--no-thinking", "--dtype", "float32"], {"thinking": False, "dtype": "float32"}),
        (
            ["--video", "a.mp4", "--fps", "0.5", "--video", "b.gif"],
            {"videos": [Path("a.mp4"), Path("b.gif")], "fps": 0.5},
        ),
    ],
)
def test_the_options_of_a_chat_reach_it(monkeypatch, capsys, options, expected):
    calls = []
    monkeypatch.setattr("vergence.chat.main", lambda *_, **given: calls.append(given) or 0)
    assert run("chat", "model", *options, capsys=capsys)[0] == 0
    assert {key: calls[0][key] for key in expected} == expected


def test_a_report_is_built_again(small_recipe, tmp_path, capsys):
    overrides = ["evaluation.tasks=[colour]", "evaluation.samples=1", "evaluation.stage_samples=0"]
    assert run("train", str(small_recipe), *overrides, "--output", str(tmp_path), capsys=capsys)[0] == 0
    report = tmp_path / "report.html"
    before = report.read_bytes()
    report.unlink()
    assert run("report", str(tmp_path), capsys=capsys) == (0, f"{report}\n", "")
    assert report.read_bytes() == before


def test_the_demo_takes_a_folder_and_overrides(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr("vergence.demo.main", lambda *arguments: calls.append(arguments) or 0)
    assert run("demo", "--output", str(tmp_path), "seed=3", capsys=capsys)[0] == 0
    assert run("demo", capsys=capsys)[0] == 0
    assert calls == [(tmp_path, ["seed=3"]), (Path("runs/demo"), [])]
