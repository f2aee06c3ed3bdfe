"""`goassist doctor`: examine the machine and say what to do."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from goassist_desktop import config, doctor, gpu_account, profiles, settings_file
from goassist_desktop.commands import settings
from goassist_desktop.config import Config
from goassist_desktop.finding import Finding
from goassist_desktop.pipeline.errors import ConfigError

_STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor` to the program's commands."""
    parser = subparsers.add_parser("doctor", help="examine this machine: what is missing, and why")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument(
        "--choose-profile",
        action="store_true",
        help="write the profile that fits this machine's graphics card into the settings",
    )
    settings.add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when nothing failed, 1 otherwise."""
    console = Console(highlight=False, soft_wrap=True)
    if args.choose_profile:
        return _choose(console)
    findings = []
    for finding in _findings(args):
        findings.append(finding)
        if not args.json:
            console.print(_line(finding))
    failed = any(finding.state == "fail" for finding in findings)
    if args.json:
        rows = [dataclasses.asdict(finding) for finding in findings]
        json.dump({"version": 1, "ok": not failed, "findings": rows}, sys.stdout, indent=2)
        sys.stdout.write("\n")
    return 1 if failed else 0


def _choose(console: Console) -> int:
    """Raises ConfigError."""
    best = profiles.fitting(gpu_account.cards())
    path = config.default_path()
    settings_file.change(path, {"profile": best.name, **_undone(), **best.settings})
    console.print(f"{best.name}: {best.where}; {best.expect}", markup=False)
    console.print(
        f"It is set in {path}. Its models: goassist models pull {best.name}", markup=False
    )
    return 0


def _undone() -> dict[str, object]:
    """What the profile of now brought with it, as it was before."""
    now, usual = config.values(config.load({})), config.settings()
    brought = {one.name: one.settings for one in profiles.PROFILES}.get(now["profile"], {})
    return {key: usual[key] for key, value in brought.items() if now[key] == value}


def _findings(args: argparse.Namespace) -> Iterator[Finding]:
    """A setting that is wrong is a finding; the rest is then examined with the defaults."""
    try:
        chosen = settings.configured(args)
    except ConfigError as error:
        yield Finding("settings", "fail", str(error), "correct or remove it")
        chosen = Config()
    yield from doctor.examine(chosen)


def _line(finding: Finding) -> Text:
    line = Text.assemble(
        (f"{finding.state:<5}", _STYLE[finding.state]), f"{finding.check}: {finding.found}"
    )
    if finding.remedy:
        line.append(f"  -> {finding.remedy}", style="bold" if finding.state == "fail" else "")
    return line
