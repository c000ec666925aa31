"""The `vergence` command. Each subcommand calls one function of one room; torch is imported only where it is needed."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vergence import __version__
from vergence.cli import curate, data, evaluation, make, rollouts
from vergence.cli.arguments import count, engine_arguments
from vergence.errors import VergenceError

if TYPE_CHECKING:
    from vergence.models.hub.source import Source

EPILOG = """exit codes: 0 done, 1 failure, 2 wrong usage or configuration, 3 unusable data, 130 stopped by Ctrl-C"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal's encoding lacks is escaped, not an error
            stream.reconfigure(errors="backslashreplace")
    parser = build_parser()
    arguments, rest = parser.parse_known_args(argv)
    # argparse stops taking KEY=VALUE once an option stood between them.
    if any(word.startswith("-") for word in rest) or (rest and not hasattr(arguments, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        arguments.overrides += rest
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except VergenceError as error:
        print(f"vergence: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("vergence: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output is gone. What is still buffered goes nowhere, or Python would complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a full disk, a folder that can't be written
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"vergence: {where}{error.strerror or error}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="vergence", description="Build, train, evaluate and talk to vision-language models.", epilog=EPILOG
    )
    parser.add_argument("--version", action="version", version=f"vergence {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    evaluation.add_commands(commands)
    _add_chat(commands)
    _add_config(commands)
    _add_data(commands)
    _add_tokenizer(commands)
    _add_convert(commands)
    _add_build(commands)
    _add_demo(commands)
    return parser


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("train", help="train a recipe; run again to go on where it was stopped")
    _recipe_arguments(parser)
    parser.add_argument("--output", type=Path, help="the run's folder (default: runs/NAME)")
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.set_defaults(run=_train)


def _add_chat(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("chat", help="talk to a checkpoint; with --prompt, one answer")
    parser.add_argument("checkpoint", type=Path, help="a checkpoint or run folder")
    parser.add_argument("--image", type=Path, action="append", default=[], help="a picture to attach; repeatable")
    parser.add_argument("--video", type=Path, action="append", default=[], help="a video to attach; repeatable")
    parser.add_argument("--fps", type=float, help="frames a second to look at (default: the model's choice)")
    parser.add_argument("--prompt", help="ask this and print the answer; without it, an interactive chat")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON, for programs")
    parser.add_argument("--temperature", type=float, default=0.0, help="0: always the likeliest token (default)")
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--stop", action="append", default=[], help="end the answer before this text; repeatable")
    parser.add_argument("--seed", type=int, help="seed of sampled answers")
    parser.add_argument("--logprobs", action="store_true", help="with --json: the log-probability of each token")
    parser.add_argument(
        "--thinking", action=argparse.BooleanOptionalAction, help="think first, or don't, if the model has the switch"
    )
    engine_arguments(parser)
    parser.set_defaults(run=_chat)


def _add_config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("config", help="show a recipe with everything filled in, or the schema of recipes")
    parser.add_argument("what", choices=("show", "schema"))
    _recipe_arguments(parser)
    parser.set_defaults(run=_config)


def _add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "data", help="picture kinds and tasks; data folders written, packed into shards and unpacked"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    generate = actions.add_parser("generate", help="write a recipe's conversations and pictures into a folder")
    _recipe_arguments(generate)
    generate.add_argument("--stage", help="the stage whose mixture is written (default: the last)")
    generate.add_argument("--split", choices=("train", "heldout"), default="train")
    generate.add_argument("--samples", type=count, default=100)
    generate.add_argument("--output", type=Path, required=True, help="the folder to write; must not exist")
    generate.set_defaults(run=_data_generate)
    packing = actions.add_parser("packing", help="pack a stage's mixture and print how full the rows are")
    _recipe_arguments(packing)
    packing.add_argument("--stage", help="the stage (default: the last)")
    packing.add_argument("--rows", type=count, default=100)
    packing.set_defaults(run=_data_packing)
    data.add_commands(actions)
    make.add_commands(actions)
    curate.add_commands(actions)
    rollouts.add_commands(actions)


def _add_tokenizer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("tokenizer", help="train a tokenizer on what a recipe's mixtures say")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    train = actions.add_parser("train", help="learn byte-level BPE merges and write tokenizer.json")
    _recipe_arguments(train)
    train.add_argument("--vocab-size", type=int, default=400)
    train.add_argument("--samples", type=count, default=4000, help="conversations read per stage")
    train.add_argument("--output", type=Path, required=True)
    train.set_defaults(run=_tokenizer_train)


def _add_convert(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("convert", help="read public checkpoints (Hugging Face, GGUF), and write them")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    reading = actions.add_parser("import", help="make a checkpoint of a public one")
    reading.add_argument("source", help="a folder, a hub id such as Qwen/Qwen3-0.6B, or a .gguf file")
    reading.add_argument("destination", type=Path, help="the folder to write; must not exist")
    reading.add_argument("--revision", help="the hub's branch, tag or commit (default: its main branch)")
    reading.set_defaults(run=_convert_import)
    writing = actions.add_parser("export", help="write a checkpoint in the form that others read")
    writing.add_argument("source", type=Path, help="a checkpoint or run folder")
    writing.add_argument("destination", type=Path, help="the folder to write; must not exist")
    writing.add_argument("--format", help="hf or original, for example (default: that of the import, or hf)")
    writing.set_defaults(run=_convert_export)
    for action in (reading, writing):
        action.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), help="default: as it is stored")


def _add_build(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("build", help="join a vision encoder and a language model into a new model")
    parser.add_argument(
        "--vision", required=True, help="a checkpoint, public folder or hub id; or a preset: fresh weights"
    )
    parser.add_argument("--language", required=True, help="a checkpoint, public folder, hub id or .gguf file")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write; must not exist")
    parser.add_argument("--preset", help="whose encoder, projector and processing to take (default: by the encoder)")
    parser.add_argument("--seed", type=int, default=0, help="seed of fresh weights (default: 0)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), help="default: what loses nothing")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="e.g. processing.max_patches=16384")
    parser.set_defaults(run=_build)


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("demo", help="take a tiny model through its whole life cycle, in about ten minutes")
    parser.add_argument("--output", type=Path, default=Path("runs/demo"))
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes to the recipe `tiny`")
    parser.set_defaults(run=_demo)


def _recipe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", help="a recipe file, or the name of a shipped one")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="e.g. stages.pretrain.optimizer.lr=1e-3")


def _train(arguments: argparse.Namespace) -> int:
    from vergence.data.recipes import load_checked_recipe

    recipe = load_checked_recipe(arguments.recipe, arguments.overrides)
    from vergence.training.trainer import Trainer

    Trainer(recipe, arguments.output or Path("runs") / recipe.name, device=arguments.device).run()
    return 0


def _chat(arguments: argparse.Namespace) -> int:
    from vergence import chat
    from vergence.inference.sampler import Sampling

    sampling = Sampling(
        temperature=arguments.temperature,
        top_p=arguments.top_p,
        top_k=arguments.top_k,
        seed=arguments.seed,
        max_tokens=arguments.max_tokens,
        stop=tuple(arguments.stop),
        logprobs=arguments.logprobs,
    )
    return chat.main(
        arguments.checkpoint,
        images=arguments.image,
        videos=arguments.video,
        fps=arguments.fps,
        prompt=arguments.prompt,
        json_output=arguments.json,
        sampling=sampling,
        thinking=arguments.thinking,
        device=arguments.device,
        dtype=arguments.dtype,
    )


def _config(arguments: argparse.Namespace) -> int:
    import json

    from vergence.config import dump_yaml, json_schema
    from vergence.data.recipes import load_checked_recipe
    from vergence.recipe import Recipe

    recipe = load_checked_recipe(arguments.recipe, arguments.overrides)
    print(dump_yaml(recipe) if arguments.what == "show" else json.dumps(json_schema(Recipe), indent=2), end="\n")
    return 0


def _data_generate(arguments: argparse.Namespace) -> int:
    from vergence.data.generate import write_folder
    from vergence.data.recipes import load_checked_recipe

    recipe = load_checked_recipe(arguments.recipe, arguments.overrides)
    count = write_folder(
        recipe, stage=arguments.stage, split=arguments.split, samples=arguments.samples, output=arguments.output
    )
    print(f"{count} conversations in {arguments.output}")
    return 0


def _data_packing(arguments: argparse.Namespace) -> int:
    from vergence.data.generate import packing_report
    from vergence.data.recipes import load_checked_recipe

    print(packing_report(load_checked_recipe(arguments.recipe, arguments.overrides), arguments.stage, arguments.rows))
    return 0


def _tokenizer_train(arguments: argparse.Namespace) -> int:
    from vergence.data.generate import train_tokenizer_on
    from vergence.data.recipes import load_checked_recipe

    recipe = load_checked_recipe(arguments.recipe, arguments.overrides)
    size = train_tokenizer_on(
        recipe, samples=arguments.samples, vocab_size=arguments.vocab_size, output=arguments.output
    )
    print(f"{size} tokens in {arguments.output}")
    return 0


def _convert_import(arguments: argparse.Namespace) -> int:
    from vergence.models.hub.convert import describe, import_checkpoint
    from vergence.processing.jinja_sandbox import check_template

    checkpoint = import_checkpoint(
        arguments.source,
        arguments.destination,
        revision=arguments.revision,
        dtype=arguments.dtype,
        make_tokenizer=_convert_tokenizer,
        check_template=check_template,
        progress=_show_tensors,
    )
    print(f"{arguments.destination}: {describe(checkpoint)}")
    return 0


def _convert_tokenizer(source: Source) -> str | None:
    """A tokenizer.json for a public checkpoint that has the ranks of one instead (models don't read tokenizers)."""
    from vergence.processing.tiktoken_file import load_kimi_tokenizer

    return load_kimi_tokenizer(source.path).backend.to_str() if "tiktoken.model" in source.names else None


def _show_tensors(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} tensors", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _convert_export(arguments: argparse.Namespace) -> int:
    from vergence.models.hub.convert import export_checkpoint

    form = export_checkpoint(
        arguments.source,
        arguments.destination,
        layout=arguments.format,
        dtype=arguments.dtype,
        progress=_show_tensors,
    )
    print(f"{arguments.destination}: {form}")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from vergence.models.build import build_checkpoint
    from vergence.processing.special_tokens import template_tokens

    built = build_checkpoint(
        arguments.vision,
        arguments.language,
        arguments.output,
        preset=arguments.preset,
        overrides=arguments.overrides,
        seed=arguments.seed,
        dtype=arguments.dtype,
        template_tokens=template_tokens,
        make_tokenizer=_convert_tokenizer,
    )
    print("\n".join(built.notes))
    print(f"a new model in {arguments.output}")
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from vergence.demo import main as demo

    return demo(arguments.output, arguments.overrides)
