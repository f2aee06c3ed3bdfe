"""The flags that override settings, the same for every command that talks."""

from __future__ import annotations

import argparse

from goassist_desktop import config
from goassist_desktop.config import Config
from goassist_desktop.pipeline.errors import ConfigError


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="override a setting, as in audio.input_device=headset; repeatable",
    )


def configured(args: argparse.Namespace) -> Config:
    """The settings in force. Raises ConfigError."""
    return config.load(flags(args))


def with_flags(overridden: dict[str, str]) -> Config:
    """The settings in force, with these. Raises ConfigError."""
    return config.load(overridden)


def flags(args: argparse.Namespace) -> dict[str, str]:
    """What was overridden: key -> text. Raises ConfigError."""
    found = {}
    for setting in args.settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: must be KEY=VALUE")
        found[key.strip()] = value.strip()
    return found
