"""The subcommands of `vergence data` that ask a model: rejection sampling, new captions, questions about pictures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vergence.cli.arguments import count, engine_arguments
from vergence.progress import Progress

if TYPE_CHECKING:
    from vergence.data.shards.rows import RowSource
    from vergence.evaluation.task import Model
    from vergence.inference.sampler import Sampling
    from vergence.posttraining.rewriting import Write


def add_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `rollouts`, `select`, `solutions`, `recaption` and `instruct`."""
    rollouts = _asking(actions, "rollouts", "sample responses to every question that a rule can check; keep all")
    rollouts.add_argument("--rollouts", type=count, default=8, metavar="K", help="responses to a question (8)")
    rollouts.add_argument("--log", type=Path, required=True, metavar="FILE", help="responses and verdicts (.jsonl)")
    rollouts.set_defaults(run=_rollouts, temperature=1.0)
    select = actions.add_parser("select", help="keep the samples whose pass rate lies in a range")
    select.add_argument("source", type=Path, help="the folder that the rollouts are about")
    select.add_argument("--log", type=Path, required=True, metavar="FILE")
    select.add_argument("--least", type=float, default=0.1, help="least pass rate (0.1)")
    select.add_argument("--most", type=float, default=0.9, help="largest pass rate (0.9)")
    select.add_argument("--threshold", type=float, default=1.0, help="score from which on a response is right (1)")
    select.add_argument("--out", type=Path, required=True, metavar="FILE", help="the decisions (.parquet)")
    select.set_defaults(run=_select)
    solutions = actions.add_parser("solutions", help="write the right responses as conversations to learn from")
    solutions.add_argument("source", type=Path, help="the folder that the rollouts are about")
    solutions.add_argument("--log", type=Path, required=True, metavar="FILE")
    solutions.add_argument("--choice", choices=("shortest", "first", "all"), default="shortest")
    solutions.add_argument("--threshold", type=float, default=1.0, help="score from which on a response is right (1)")
    solutions.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of shards")
    solutions.set_defaults(run=_solutions)
    recaption = _asking(actions, "recaption", "let a model describe every picture anew")
    recaption.add_argument("--prompt", help="what it is asked; {caption} becomes the caption there is")
    recaption.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of shards")
    recaption.add_argument("--without-failed", action="store_true", help="leave out pictures that got no answer")
    recaption.set_defaults(run=_recaption)
    instruct = _asking(actions, "instruct", "let a model write questions with answers about every picture")
    instruct.add_argument("--prompt", help="what it is asked; it must reply with JSON of question and answer")
    instruct.add_argument("--questions", type=count, default=5, metavar="N", help="how many it is asked for (5)")
    instruct.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder of shards")
    instruct.add_argument("--without-failed", action="store_true", help="leave out pictures that got no answer")
    instruct.set_defaults(run=_instruct)


def _asking(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=f"{text}; run again to go on")
    parser.add_argument("source", type=Path, help="a data folder, a folder of shards, or a tar")
    parser.add_argument("--model", required=True, help="a checkpoint, or another model as `vergence eval` takes it")
    parser.add_argument("--batch", type=count, metavar="N", help="prompts that are asked together")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--max-tokens", type=count, default=512)
    parser.add_argument("--seed", type=int, default=0)
    engine_arguments(parser)
    return parser


def _model(arguments: argparse.Namespace) -> Model:
    from vergence.evaluation.models.open_model import open_model

    return open_model(arguments.model, device=arguments.device, dtype=arguments.dtype, batch=arguments.batch)


def _sampling(arguments: argparse.Namespace) -> Sampling:
    from vergence.inference.sampler import Sampling

    return Sampling(
        temperature=arguments.temperature,
        top_p=arguments.top_p,
        max_tokens=arguments.max_tokens,
        seed=arguments.seed,
    )


def _rollouts(arguments: argparse.Namespace) -> int:
    from vergence.data.mixture_sources import open_folder
    from vergence.posttraining.rollouts import collect_rollouts, pass_rates

    progress = Progress()
    collect_rollouts(
        open_folder(arguments.source),
        _model(arguments),
        arguments.log,
        rollouts=arguments.rollouts,
        sampling=_sampling(arguments),
        show=lambda number: progress.show(f"{number:,} responses"),
    )
    rates = pass_rates(arguments.log).rates
    mean = sum(rates.values()) / len(rates) if rates else 0.0
    never = sum(rate == 0 for rate in rates.values())
    always = sum(rate == 1 for rate in rates.values())
    print(f"{len(rates)} questions, pass rate {mean:.1%}; {never} never right, {always} always; {arguments.log}")
    return _tell_failures(arguments.log)


def _select(arguments: argparse.Namespace) -> int:
    from vergence.data.curation.decisions import summary, write_decisions
    from vergence.data.mixture_sources import open_folder
    from vergence.posttraining.rollouts import keep_by_rate, rollouts_of

    folder = open_folder(arguments.source)
    rates = rollouts_of(folder, arguments.log, arguments.threshold)
    decisions = keep_by_rate(folder, rates, arguments.least, arguments.most)
    write_decisions(decisions, arguments.out)
    print(summary(decisions))
    return 0


def _solutions(arguments: argparse.Namespace) -> int:
    from vergence.data.mixture_sources import open_folder
    from vergence.posttraining.rollouts import SolutionRows, rollouts_of

    folder = open_folder(arguments.source)
    rates = rollouts_of(folder, arguments.log, arguments.threshold)
    fingerprint = f"{folder.fingerprint}/{arguments.log.stat().st_size}/{arguments.choice}/{arguments.threshold}"
    rows = SolutionRows(folder, rates, arguments.choice, arguments.threshold, fingerprint)
    return _pack(rows, arguments.out, "solutions")


def _recaption(arguments: argparse.Namespace) -> int:
    from vergence.posttraining.rewriting import CAPTION, recaptioned

    return _rewrite(arguments, arguments.prompt or CAPTION, recaptioned, "recaption")


def _instruct(arguments: argparse.Namespace) -> int:
    from vergence.posttraining.rewriting import INSTRUCT, instructed

    prompt = arguments.prompt or INSTRUCT.replace("{count}", str(arguments.questions))
    return _rewrite(arguments, prompt, instructed, "instruct")


def _rewrite(arguments: argparse.Namespace, prompt: str, write: Write, form: str) -> int:
    from vergence.data.mixture_sources import open_folder
    from vergence.posttraining.rewriting import ask_about_pictures, rewritten

    folder = open_folder(arguments.source)
    progress = Progress()
    output = arguments.out.resolve()
    log = output.with_name(output.name + ".answers.jsonl")
    ask_about_pictures(
        folder,
        _model(arguments),
        log,
        prompt=prompt,
        sampling=_sampling(arguments),
        show=lambda number: progress.show(f"{number:,} of {len(folder):,} pictures"),
    )
    failed = _tell_failures(log)
    if failed and not arguments.without_failed:
        return failed  # a folder that is packed can't be gone on with once there are more answers
    return _pack(rewritten(folder, log, write), arguments.out, form)


def _tell_failures(log: Path) -> int:
    """Say how many prompts have no answer yet; the exit code of that."""
    from vergence.posttraining.answer_log import failures

    failed = failures(log)
    if failed:
        first = " ".join(next(iter(failed.values())).split())[:200]
        print(f"vergence: {len(failed)} prompts got no answer ({first}); run again to ask them again", file=sys.stderr)
    return int(bool(failed))


def _pack(rows: RowSource, output: Path, form: str) -> int:
    from vergence.cli.data import tell
    from vergence.data.shards.pack import SHARD_BYTES, pack

    packed = pack(rows, output, form=form, shard_bytes=SHARD_BYTES, show=lambda *_: None)
    tell(packed, f"{packed.samples} conversations in {packed.shards} shards in {output}")
    return 0
