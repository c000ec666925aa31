"""The subcommands of `vergence data` that decide which samples are kept. They write decisions, never pictures."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vergence.cli.arguments import count
from vergence.errors import UsageError
from vergence.progress import Progress

if TYPE_CHECKING:
    from vergence.config import Section
    from vergence.data.curation.decisions import Decisions

S = TypeVar("S", bound="Section")


def add_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `clean`, `score`, `dedup`, `rebalance` and `decontaminate`."""
    clean = _filter(actions, "clean", "leave out bad captions, small or broken pictures, licences that aren't allowed")
    clean.set_defaults(run=_clean)
    score = _filter(actions, "score", "score how well pictures and texts fit, by an encoder, and drop low scores")
    score.add_argument("--encoder", required=True, metavar="NAME", help="transformers:FOLDER or transformers:HUB/NAME")
    score.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    score.set_defaults(run=_score)
    dedup = _filter(actions, "dedup", "keep the first of samples whose pictures or texts are alike")
    dedup.set_defaults(run=_dedup)
    rebalance = _filter(actions, "rebalance", "cap common concepts and repeat rare ones, by text or by look")
    rebalance.add_argument("--lexicon", type=Path, required=True, metavar="FILE", help="concepts, one a line")
    rebalance.add_argument("--encoder", metavar="NAME", help="find concepts by the pictures' look; see `score`")
    rebalance.add_argument("--nearest", type=count, default=3, metavar="K", help="concepts of a picture, by look (3)")
    rebalance.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    rebalance.set_defaults(run=_rebalance)
    decontaminate = _filter(actions, "decontaminate", "leave out samples that hold something of an evaluation task")
    decontaminate.add_argument("--task", action="append", required=True, help="a task of `vergence eval`; repeatable")
    decontaminate.add_argument("--data", type=Path, metavar="PATH", help="where the tasks' own data lies")
    decontaminate.set_defaults(run=_decontaminate)


def _filter(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=text)
    parser.add_argument("source", type=Path, help="a data folder, a folder of shards, or a tar")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="settings of the filter")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the decisions (.parquet)")
    return parser


def _settings(arguments: argparse.Namespace, model: type[S]) -> S:
    """The filter's settings; what can't be written is said before hours of work, not behind them."""
    if arguments.out.is_dir():
        raise UsageError(f"{arguments.out}: is a folder; --out names the file of decisions")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(arguments.out.parent, os.W_OK):
        raise UsageError(f"{arguments.out.parent}: can't be written to; name another --out")
    from vergence.config import apply_overrides, parse

    return parse(model, apply_overrides({}, arguments.overrides), source="settings of the filter")


def _done(decisions: Decisions, arguments: argparse.Namespace) -> int:
    from vergence.data.curation.decisions import summary, write_decisions

    write_decisions(decisions, arguments.out)
    print(summary(decisions))
    print(f"decisions in {arguments.out}")
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    from vergence.data.curation.clean import CleanRules, clean
    from vergence.data.mixture_sources import open_folder

    rules = _settings(arguments, CleanRules)
    return _done(clean(open_folder(arguments.source), rules, Progress().show), arguments)


def _score(arguments: argparse.Namespace) -> int:
    from vergence.data.curation.similarity import ScoreRules, open_encoder, score
    from vergence.data.mixture_sources import open_folder

    rules = _settings(arguments, ScoreRules)
    folder = open_folder(arguments.source)
    return _done(
        score(folder, open_encoder(arguments.encoder, device=arguments.device), rules, Progress().show), arguments
    )


def _dedup(arguments: argparse.Namespace) -> int:
    from vergence.data.curation.dedup import DuplicateRules, deduplicate
    from vergence.data.mixture_sources import open_folder

    rules = _settings(arguments, DuplicateRules)
    return _done(deduplicate(open_folder(arguments.source), rules, Progress().show), arguments)


def _rebalance(arguments: argparse.Namespace) -> int:
    from vergence.data.curation.lexicon import read_lexicon
    from vergence.data.curation.rebalance import BalanceRules, rebalance, report_text
    from vergence.data.mixture_sources import open_folder

    rules = _settings(arguments, BalanceRules)
    lexicon = read_lexicon(arguments.lexicon)
    folder, show = open_folder(arguments.source), Progress().show
    if arguments.encoder:
        from vergence.data.curation.similarity import open_encoder, rebalance_by_look

        encoder = open_encoder(arguments.encoder, device=arguments.device)
        decisions = rebalance_by_look(folder, lexicon, encoder, rules, k=arguments.nearest, show=show)
    else:
        decisions = rebalance(folder, lexicon, rules, show)
    print(report_text(decisions.settings["report"]))
    return _done(decisions, arguments)


def _decontaminate(arguments: argparse.Namespace) -> int:
    from vergence.data.mixture_sources import open_folder
    from vergence.evaluation.decontamination import ContaminationRules, decontaminate
    from vergence.evaluation.task import TaskOptions
    from vergence.evaluation.tasks.catalogue import open_task

    rules = _settings(arguments, ContaminationRules)
    folder = open_folder(arguments.source)
    tasks = [open_task(name, TaskOptions(data=arguments.data)) for name in arguments.task]
    return _done(decontaminate(folder, tasks, rules, Progress().show), arguments)
