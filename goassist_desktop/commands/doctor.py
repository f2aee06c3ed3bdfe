"""`goassist doctor`: examine the machine and say what to do."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from goassist_desktop import doctor
from goassist_desktop.commands import settings
from goassist_desktop.config import Config
from goassist_desktop.finding import Finding
from goassist_desktop.pipeline.errors import ConfigError

_STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor` to the program's commands."""
    parser = subparsers.add_parser("doctor", help="examine this machine: what is missing, and why")
    parser.add_argument("--json", action="store_true", help="for machines")
    settings.add_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 when nothing failed, 1 otherwise."""
    console = Console(highlight=False, soft_wrap=True)
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


def _findings(args: argparse.Namespace) -> Iterator[Finding]:
    """A setting that is wrong is a finding; the rest is then examined with the defaults."""
    try:
        config = settings.configured(args)
    except ConfigError as error:
        yield Finding("settings", "fail", str(error), "correct or remove it")
        config = Config()
    yield from doctor.examine(config)


def _line(finding: Finding) -> Text:
    line = Text.assemble(
        (f"{finding.state:<5}", _STYLE[finding.state]), f"{finding.check}: {finding.found}"
    )
    if finding.remedy:
        line.append(f"  -> {finding.remedy}", style="bold" if finding.state == "fail" else "")
    return line
