"""What a setting of text may be: each raises ConfigError, naming the setting, for anything else."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from goassist_desktop.pipeline.errors import ConfigError
from goassist_desktop.pipeline.network_address import host_and_port
from goassist_desktop.pipeline.wake_word import meant_for

LONGEST_PIN = 32
SHORTEST_TOKEN = 16
LONGEST_HOT_WORDS = 500


def digits(text: str, key: str) -> None:
    if not re.fullmatch(rf"[0-9]{{1,{LONGEST_PIN}}}", text):
        raise ConfigError(f"{key}: must be digits, at most {LONGEST_PIN} of them, or empty")


def token(text: str, key: str) -> None:
    if not re.fullmatch(rf"[\x21-\x7e]{{{SHORTEST_TOKEN},256}}", text):
        raise ConfigError(
            f"{key}: must be {SHORTEST_TOKEN} to 256 letters, digits and signs, or empty"
        )


def key(text: str, key: str) -> None:
    if not re.fullmatch(r"[\x21-\x7e]{1,256}", text):
        raise ConfigError(f"{key}: must be 1 to 256 letters, digits and signs, or empty")


def hot_words(text: str, key: str) -> None:
    if len(text) > LONGEST_HOT_WORDS or not text.isprintable():
        raise ConfigError(
            f"{key} = {text[:40]!r}: must be words with commas between them, on one line of at "
            f"most {LONGEST_HOT_WORDS} characters"
        )


def ice_url(schemes: str) -> Callable[[str, str], None]:
    def check(text: str, key: str) -> None:
        scheme, _, place = text.partition(":")
        server, _, transport = place.partition("?transport=")
        if scheme not in schemes.split() or transport not in ("", "udp", "tcp"):
            raise ConfigError(f"{key} = {text!r}: must be {schemes.split()[0]}:HOST:PORT, or empty")
        host_and_port(server, key)

    return check


def url(text: str, key: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(f"{key} = {text!r}: must be such as http://localhost:8000/v1, or empty")
    try:
        parts.port  # noqa: B018 - raises for one that is none
    except ValueError as error:
        raise ConfigError(f"{key} = {text!r}: {error}") from error


def word(text: str, key: str) -> None:
    try:
        meant_for(text, "")
    except ValueError as error:
        raise ConfigError(f"{key} = {text!r}: must have a letter in it, or be empty") from error
