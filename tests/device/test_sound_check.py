"""The sound check of the first start, on real streams."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from goassist_desktop.sound_check import Check, Probe, SoundCard
from tests.signals import speech

if TYPE_CHECKING:
    from conftest import VirtualCard


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def check(card: VirtualCard) -> Iterator[Check]:
    probe = Probe(SoundCard())
    probe.start("", "")
    until(lambda: probe.check is not None)
    assert any(device.default_input for device in probe.devices)
    assert probe.check is not None
    yield probe.check
    assert probe.fault == ""
    probe.stop()
    until(lambda: probe.ended)


def test_somebody_who_speaks_is_heard(card: VirtualCard, check: Check) -> None:
    speaking = card.speak(speech("beckett", 48_000)[:96_000])
    until(lambda: check.voice_heard)
    speaking.wait()


def test_the_loudspeaker_is_heard_and_removed(card: VirtualCard, check: Check) -> None:
    card.connect_echo()
    check.play()
    until(lambda: check.echo is not None)
    assert check.echo is not None and check.echo.outcome == "removed"
    assert check.echo.removed_db > 20 and 0 < check.echo.delay_ms < 300


def test_a_microphone_that_gives_nothing_is_told(card: VirtualCard, check: Check) -> None:
    check.play()
    until(lambda: check.echo is not None)
    assert check.echo is not None and check.echo.outcome == "silent"
