"""The doctor's tone, from a real loudspeaker stream to a real microphone stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goassist_desktop import doctor
from goassist_desktop.config import Config
from goassist_desktop.finding import Finding
from goassist_desktop.pipeline.endpoints import sound_card

if TYPE_CHECKING:
    from conftest import VirtualCard


def examined() -> dict[str, Finding]:
    sound_card.rescan()
    return {finding.check: finding for finding in doctor.sound(Config())}


def test_a_microphone_that_hears_the_loudspeaker(card: VirtualCard) -> None:
    card.connect_echo()
    found = examined()
    assert {check: finding.state for check, finding in found.items()} == {
        "microphone": "ok",
        "loudspeaker": "ok",
        "tone": "ok",
    }
    level_db = float(found["tone"].found.split(" dBFS")[0])
    assert -32 <= level_db <= -29, "a peak of 0.03 is -30.5 dBFS"


def test_a_microphone_that_hears_nothing(card: VirtualCard) -> None:
    found = examined()
    assert found["tone"].state == "warn" and "muted" in found["tone"].remedy


def test_no_sound_at_all_is_a_warning(card: VirtualCard) -> None:
    card.kill()
    found = examined()
    assert {check: (finding.state, finding.found) for check, finding in found.items()} == {
        "microphone": ("warn", "none"),
        "loudspeaker": ("warn", "none"),
    }
    assert "demonstration" in found["microphone"].remedy
