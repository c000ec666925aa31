"""The subcommands about evaluation: eval, report, compare, contamination, seed-bench."""

from __future__ import annotations

import argparse
from pathlib import Path

from vergence.cli.arguments import count, count_or_none, counts, engine_arguments, shares
from vergence.errors import UsageError

Commands = argparse._SubParsersAction  # the type of what add_subparsers returns


def add_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    _add_eval(commands)
    _add_report(commands)
    _add_compare(commands)
    _add_contamination(commands)
    _add_seed_bench(commands)


def _add_eval(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("eval", help="score a model on tasks; run again to go on where it was stopped")
    parser.add_argument(
        "model",
        nargs="?",
        help="a checkpoint or run folder; transformers:FOLDER_OR_ID; http://HOST/v1#NAME (an OpenAI-compatible "
        "endpoint); recorded:FILE",
    )
    parser.add_argument("--list", action="store_true", help="list the tasks and suites instead")
    parser.add_argument("--task", action="append", default=[], metavar="A,B", help="tasks by name, or a YAML file")
    parser.add_argument("--suite", help="all tasks of a report: seed1.5-vl, kimi-vl, llava-onevision; or heldout")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="where the tasks' files lie (recorded SEED-Bench answers: the questions)",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="the run's folder (default: runs/eval/NAME-WEIGHTS)")
    parser.add_argument("--limit", "--samples", type=count, metavar="N", help="the first N samples of each task")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="print the results as JSON, or write them to FILE"
    )
    parser.add_argument("--method", choices=("generate", "likelihood", "similarity"), help="default: the task's own")
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help="how choices are ranked: letter or text, and sum, mean, character, byte or pmi, with commas between; "
        "of SEED-Bench an official interface, such as llava-1.5",
    )
    parser.add_argument("--circular", action="store_true", help="ask with all rotations of the options (CircularEval)")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="ask with shuffled options")
    parser.add_argument("--blind", action=argparse.BooleanOptionalAction, help="ask again about grey pictures")
    parser.add_argument("--thinking", action=argparse.BooleanOptionalAction, help="thinking or direct prompts")
    parser.add_argument("--repeats", type=count, default=1, metavar="N", help="ask each question N times")
    parser.add_argument("--temperature", type=float, help="default: the task's own, mostly 0")
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--max-tokens", type=count, metavar="N", help="most tokens of an answer")
    parser.add_argument("--seed", type=int, default=0, help="seed of sampled answers (default: 0)")
    parser.add_argument("--batch", type=count, metavar="N", help="prompts at once (an endpoint: requests at once)")
    parser.add_argument("--judge", metavar="URL#NAME", help="the endpoint that judges free-form answers")
    parser.add_argument("--lengths", type=counts, default=(), metavar="N,M", help="needle tasks: lengths of haystacks")
    parser.add_argument("--depths", type=shares, default=(), metavar="X,Y", help="needle tasks: places, from 0 to 1")
    parser.add_argument("--tokenizer", type=Path, metavar="CHECKPOINT", help="needle-text: count lengths in its tokens")
    parser.add_argument(
        "--keep-media", type=count_or_none, default=60, metavar="N", help="samples of a task with small pictures"
    )
    engine_arguments(parser)
    parser.set_defaults(run=_eval)


def _add_report(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("report", help="one HTML page of a training run, or of one or more evaluations")
    parser.add_argument("run_folder", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: report.html in the (first) folder")
    parser.set_defaults(run=_report)


def _add_compare(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("compare", help="two evaluations, question by question: is the difference real?")
    parser.add_argument("first", type=Path, help="an evaluation's folder")
    parser.add_argument("second", type=Path, help="another one, with the same tasks")
    parser.add_argument("--task", action="append", default=[], metavar="A,B", help="default: all that both have")
    parser.add_argument("--metric", help="default: each task's own")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=_compare)


def _add_contamination(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("contamination", help="is anything of a recipe's training data in a task?")
    parser.add_argument("recipe", help="a recipe file, or the name of a shipped one")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes to the recipe")
    parser.add_argument("--task", action="append", required=True, metavar="A,B", help="tasks by name, or a YAML file")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the tasks' files lie")
    parser.add_argument("--conversations", type=count, default=2000, help="read so many of each stage (default: 2000)")
    parser.add_argument("--limit", type=count, metavar="N", help="the first N samples of each task")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=_contamination)


def _add_seed_bench(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("seed-bench", help="SEED-Bench's tables, leaderboard and submission files")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    submission = actions.add_parser("submission", help="write the leaderboard's file from an evaluation")
    submission.add_argument("run_folder", type=Path, help="an evaluation's folder, or a task's file of samples in it")
    submission.add_argument("--output", type=Path, required=True, metavar="FILE")
    submission.set_defaults(run=_seed_submission)
    validate = actions.add_parser("validate", help="check a submission against the published questions")
    validate.add_argument("file", type=Path)
    validate.add_argument("--questions", type=Path, required=True, metavar="FILE", help="the published JSON")
    validate.set_defaults(run=_seed_validate)
    tables = actions.add_parser("tables", help="write the leaderboard's CSV files over several evaluations")
    tables.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="evaluations' folders, or prediction files")
    tables.add_argument("--output", type=Path, required=True, metavar="DIR")
    tables.set_defaults(run=_seed_tables)
    board = actions.add_parser("leaderboard", help="write an HTML page over several evaluations")
    board.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="evaluations' folders, or prediction files")
    board.add_argument("--output", type=Path, required=True, metavar="FILE")
    board.set_defaults(run=_seed_leaderboard)
    export = actions.add_parser("export", help="write a task of choices as one of lmms-eval's")
    export.add_argument("task", help="a task by name, or a YAML file")
    export.add_argument("--data", type=Path, metavar="DIR", help="where the task's files lie")
    export.add_argument("--method", choices=("generate", "likelihood"), help="default: the task's own")
    export.add_argument("--preset", metavar="NAME", help="how candidates are ranked")
    export.add_argument("--output", type=Path, required=True, metavar="DIR")
    export.set_defaults(run=_export_task)


def split_names(values: list[str]) -> list[str]:
    """`--task a,b --task c` -> a, b, c. Raises `UsageError` where names were given and none is there."""
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if values and not names:
        raise UsageError(f"--task {','.join(values)!r} names no task")
    return names


def _eval(arguments: argparse.Namespace) -> int:
    from vergence.evaluation import command

    if arguments.list:
        print(command.list_tasks())
        return 0
    from vergence.evaluation.runner import RunSettings
    from vergence.evaluation.task import TaskOptions

    return command.evaluate_model(
        arguments.model,
        tasks=split_names(arguments.task),
        suite=arguments.suite,
        options=TaskOptions(
            data=arguments.data,
            method=arguments.method,
            preset=arguments.preset,
            thinking=arguments.thinking,
            seed=arguments.seed,
            lengths=arguments.lengths,
            depths=arguments.depths,
            tokenizer=arguments.tokenizer,
        ),
        settings=RunSettings(
            limit=arguments.limit,
            repeats=arguments.repeats,
            temperature=arguments.temperature,
            top_p=arguments.top_p,
            max_tokens=arguments.max_tokens,
            seed=arguments.seed,
            keep_media=arguments.keep_media,
        ),
        variants=command.Variants(arguments.circular, arguments.shuffle, arguments.blind),
        device=arguments.device,
        dtype=arguments.dtype,
        batch=arguments.batch,
        judge=arguments.judge,
        output=arguments.output,
        json_output=arguments.json,
    )


def _report(arguments: argparse.Namespace) -> int:
    from vergence.evaluation.report import build_any_report

    print(build_any_report(arguments.run_folder, arguments.output))
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from vergence.evaluation.command import compare_runs

    print(
        compare_runs(
            arguments.first,
            arguments.second,
            tasks=split_names(arguments.task),
            metric=arguments.metric,
            as_json=arguments.json,
        )
    )
    return 0


def _contamination(arguments: argparse.Namespace) -> int:
    from vergence.data.recipes import load_checked_recipe
    from vergence.evaluation.command import check_contamination
    from vergence.evaluation.task import TaskOptions

    text = check_contamination(
        load_checked_recipe(arguments.recipe, arguments.overrides),
        split_names(arguments.task),
        TaskOptions(data=arguments.data),
        conversations=arguments.conversations,
        limit=arguments.limit,
        as_json=arguments.json,
    )
    print(text)
    return 0


def _seed_submission(arguments: argparse.Namespace) -> int:
    from vergence.evaluation.seed_bench.command import write_run_submission

    print(write_run_submission(arguments.run_folder, arguments.output))
    return 0


def _seed_validate(arguments: argparse.Namespace) -> int:
    from vergence.evaluation.seed_bench.command import validate_file

    print(validate_file(arguments.file, arguments.questions))
    return 0


def _seed_tables(arguments: argparse.Namespace) -> int:
    from vergence.evaluation.seed_bench.command import write_tables

    print("\n".join(map(str, write_tables(arguments.runs, arguments.output))))
    return 0


def _seed_leaderboard(arguments: argparse.Namespace) -> int:
    from vergence.evaluation.seed_bench.command import write_leaderboard

    print(write_leaderboard(arguments.runs, arguments.output))
    return 0


def _export_task(arguments: argparse.Namespace) -> int:
    from vergence.evaluation.lmms_export import export_task
    from vergence.evaluation.task import TaskOptions
    from vergence.evaluation.tasks.catalogue import open_task

    options = TaskOptions(data=arguments.data, method=arguments.method, preset=arguments.preset)
    print(export_task(open_task(arguments.task, options), arguments.output))
    return 0
