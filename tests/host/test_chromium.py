"""Conversations in a real browser: spoken to through its microphone, heard from its loudspeaker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from goassist_desktop import weights
from goassist_desktop.pipeline.engines.whisper import Whisper
from tests.device.conftest import RATE_HZ
from tests.device.test_conversation import recorded
from tests.host.chromium import Host, chromium, hosting, no_complaints, wait_until
from tests.host.sound_card import BothSides, TwoSidedCard
from tests.talk.hearing import plain, transcribe, word_errors

pytestmark = [pytest.mark.models, pytest.mark.timeout(300)]

QUIET = 10 ** (-50 / 20)


@pytest.fixture(scope="module")
def ear() -> Iterator[Whisper]:
    ear = Whisper(weights.models_dir() / "faster-whisper-tiny.en")
    ear.load()
    yield ear
    ear.close()


class Visit:
    """A browser on the page, at a sound card of its own."""

    def __init__(self, card: TwoSidedCard, host: Host, page: Page, folder: Path) -> None:
        self.card, self.host, self.page, self.folder = card, host, page, folder
        self.complaints = no_complaints(page)
        self.asked: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))

    def talk(self) -> BothSides:
        self.page.goto(self.host.link)
        self.page.click("#call")
        self.wait_for("listening")
        # After the chime it knows that this microphone does not hear this loudspeaker.
        wait_until(lambda: self.page.evaluate("goassist.figures().headphones"), 10)
        return self.card.record_both()

    @property
    def state(self) -> str:
        state: str = self.page.evaluate("document.body.dataset.state")
        return state

    @property
    def session(self) -> str:
        session: str = self.page.evaluate("goassist.figures().session")
        return session

    def wait_for(self, state: str, seconds: float = 30.0) -> None:
        wait_until(lambda: self.state == state, seconds, lambda: f"{self.state}, not {state}")

    def speak(self, name: str) -> None:
        self.card.speak(recorded(name)).wait()

    def ask(self, name: str) -> None:
        """Ask, and hear the answer to its end."""
        self.speak(name)
        self.wait_for("speaking")
        self.wait_for("listening")

    def said(self) -> list[tuple[str, str]]:
        """Who said what, as the transcript shows it."""
        shown: list[list[str]] = self.page.evaluate(
            "[...document.querySelectorAll('#transcript li')]"
            ".map((li) => [li.className, li.querySelector('p').textContent])"
        )
        return [(who, text) for who, text in shown]

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.folder / f"{name}.png")


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visit]:
    card = TwoSidedCard(tmp_path)
    card.start()
    try:
        with hosting(tmp_path) as host, chromium(card.environment) as browser:
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.grant_permissions(["microphone"])
            yield Visit(card, host, context.new_page(), tmp_path)
    finally:
        card.kill()


def silent_from(loudspeaker: np.ndarray, start: int) -> int | None:
    """The first sample from here on after which a fifth of a second is silent."""
    block = RATE_HZ // 100
    blocks = loudspeaker[start : len(loudspeaker) // block * block]
    blocks = blocks[: len(blocks) // block * block].reshape(-1, block)
    loud = np.abs(blocks).max(axis=1) > QUIET
    for place in range(len(loud) - 20):
        if not loud[place : place + 20].any():
            return start + place * block
    return None


def test_three_turns_with_an_interruption(visit: Visit, ear: Whisper) -> None:
    both = visit.talk()
    visit.ask("voices/joe_germany")
    visit.speak("voices/joe_story")
    visit.wait_for("speaking")
    visit.page.wait_for_timeout(1200)
    visit.picture("speaking")
    assert visit.state == "speaking"
    before = len(both.so_far()[1])
    visit.speak("voices/slt_colors")
    visit.wait_for("speaking")
    visit.wait_for("listening")
    visit.picture("after")
    loudspeaker, microphone = both.stop()

    onset = before + int(np.flatnonzero(np.abs(microphone[before:]) > 0.02)[0])
    spoken = len(recorded("voices/slt_colors"))
    silence = silent_from(loudspeaker, onset)
    assert silence is not None and silence < onset + spoken, "it was not silent for the user"

    said = visit.said()
    assert [who for who, _ in said[:4]] == ["user", "assistant", "user", "assistant"]
    assert "capital of germany" in plain(said[0][1])
    assert "berlin" in plain(said[1][1])
    assert plain(said[4][1]).startswith("what"), said
    assert "berlin" in plain(transcribe(ear, loudspeaker[:onset], RATE_HZ))
    struck = visit.page.locator("#transcript s").all_inner_texts()
    assert len(struck) == 1 and len(struck[0].split()) > 2
    answer = plain(transcribe(ear, loudspeaker[silence:], RATE_HZ)).split()
    assert set(answer) & set(plain(said[5][1]).split()), (answer, said)

    assert {re.match(r"\w+://[^/]+", url)[0] for url in visit.asked} == {  # type: ignore[index]
        visit.host.link.split("/#")[0]
    }
    assert not [text for text in visit.complaints if "GL Driver Message" not in text]
    figures = visit.page.evaluate("goassist.figures()")
    assert figures["drawn"] > 20 and len(figures["intervals"]) > 20


def test_a_reload_in_mid_sentence_goes_on_with_the_conversation(visit: Visit, ear: Whisper) -> None:
    both = visit.talk()
    session = visit.session
    visit.speak("voices/joe_story")
    visit.wait_for("speaking")
    visit.page.wait_for_timeout(1000)
    visit.page.reload()
    visit.wait_for("listening")
    assert visit.session == session
    told = visit.said()
    assert [who for who, _ in told] == ["user", "assistant"]
    asked = len(both.so_far()[0])
    visit.ask("voices/joe_germany")
    loudspeaker, _ = both.stop()
    told = visit.said()
    assert len(told) == 4
    assert "capital of germany" in plain(told[2][1])
    # Nothing of the story came after the reload: nobody was there to hear it. What a small model
    # knows after half a story is another matter.
    assert word_errors(told[3][1], transcribe(ear, loudspeaker[asked:], RATE_HZ)) <= 0.25


def test_the_network_is_lost_and_found_again(visit: Visit, ear: Whisper) -> None:
    both = visit.talk()
    session = visit.session
    visit.host.process.send_signal(19)  # SIGSTOP: nothing comes from there any more
    visit.wait_for("lost", 40)
    visit.picture("lost")
    visit.host.process.send_signal(18)  # SIGCONT
    visit.wait_for("listening", 40)
    asked = len(both.so_far()[0])
    visit.ask("voices/joe_germany")
    loudspeaker, _ = both.stop()
    assert "berlin" in plain(transcribe(ear, loudspeaker[asked:], RATE_HZ))
    assert visit.session
    assert session


def test_a_browser_that_was_not_paired_is_asked_for_the_code(visit: Visit) -> None:
    page = visit.page
    address, code = visit.host.link.split("#code=")
    page.goto(address)
    page.fill("#code", "0000 0000" if code != "00000000" else "1111 1111")
    page.keyboard.press("Enter")
    wait_until(lambda: "not good" in page.inner_text("#pair-error"), 5)
    visit.picture("pairing")
    page.fill("#code", f"{code[:4]} {code[4:]}")
    page.keyboard.press("Enter")
    wait_until(lambda: page.is_visible("#call"), 5)
    assert page.evaluate("document.activeElement.id") == "call"
    assert "code" not in page.url
    page.reload()
    wait_until(lambda: page.is_visible("#call"), 5)
