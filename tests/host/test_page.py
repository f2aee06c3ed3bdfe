"""The page, in a real browser, before a host of echoes: what it shows, and what it says."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from goassist_desktop.host import page_files
from tests.host import conftest
from tests.host.chromium import CHROMIUM
from tests.host.conftest import Running, generous

MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@asynccontextmanager
async def visiting(
    monkeypatch: pytest.MonkeyPatch, *flags: str, width: int = 1280, height: int = 800
) -> AsyncIterator[tuple[Running, Page]]:
    """A browser that was paired."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    monkeypatch.setattr(conftest, "PAGE", page_files.files())
    async with Running(generous(), max_sessions=2) as running, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *flags]
        )
        try:
            page = await browser.new_page(viewport={"width": width, "height": height})
            await page.goto(f"{running.url}/#code={running.pairing.code}")
            await expect(page.locator("#call")).to_be_visible()
            yield running, page
        finally:
            await browser.close()


async def tell(page: Page, *messages: str) -> None:
    """As if these had come from the assistant."""
    for message in messages:
        await page.evaluate(f"goassist.receive({message})")


async def test_a_microphone_that_may_not_be_used_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with visiting(monkeypatch, MICROPHONE[0], "--deny-permission-prompts") as (running, page):
        await page.click("#call")
        await expect(page.locator("#notices")).to_contain_text("may not use the microphone")
        await expect(page.locator("#state-text")).to_have_text("Ready to talk")
        assert not running.house.opened


async def test_without_a_microphone_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with visiting(monkeypatch, "--use-fake-ui-for-media-stream") as (_, page):
        await page.click("#call")
        await expect(page.locator("#notices .error")).to_contain_text("microphone")


async def test_who_waits_sees_their_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with visiting(monkeypatch, *MICROPHONE) as (running, page):
        await running.create(session_id="one")
        await running.create(session_id="two")
        await running.create(session_id="three", wait=True)
        await page.click("#call")
        await expect(page.locator("#state-text")).to_have_text("Place 2 in the queue")
        await running.code("DELETE", "/sessions/three")
        await expect(page.locator("#state-text")).to_have_text("You are next")
        await page.screenshot(path=tmp_path / "waiting.png")
        await running.code("DELETE", "/sessions/one")
        await expect(page.locator("#state-text")).not_to_have_text("You are next")


async def test_what_is_said_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with visiting(monkeypatch) as (_, page):
        await tell(
            page,
            '{type: "state", state: "listening"}',
            '{type: "partial", text: "tell me a"}',
        )
        await expect(page.locator("#transcript .uncertain")).to_contain_text("tell me a")
        await tell(
            page,
            '{type: "user", text: "Tell me a <b>story</b>.", final: true}',
            '{type: "state", state: "speaking"}',
            '{type: "reply", turn_id: 1, text: "Once upon a time.", heard: "Once upon"}',
        )
        await expect(page.locator("#transcript .user p")).to_have_text("Tell me a <b>story</b>.")
        await expect(page.locator("#transcript .unheard")).to_have_text(" a time.")
        await expect(page.locator("#caption")).to_have_text("Once upon")
        turn = (
            '{type: "turn", turn_id: 1, user_text: "x", reply_text: "Once upon a time.",'
            ' heard_text: "Once upon", outcome: "interrupted", warmup: false, barge_ins:'
            ' [{latency_ms: 80, outcome: "stopped"}], intervals_ms: {ttfa: 120, response_gap: 600}}'
        )
        await tell(page, turn, '{type: "notice", level: "warning", text: "The disk is full."}')
        await expect(page.locator("#transcript s")).to_have_text(" a time.")
        await expect(page.locator("#notices .warning")).to_have_text("The disk is full.")
        await page.click("#latency-box summary")
        await expect(page.locator("#latency dd").nth(2)).to_have_text("80 ms")
        await page.click("#settings summary")
        await page.click("#captions")
        await expect(page.locator("#caption")).to_be_hidden()
        await page.screenshot(path=tmp_path / "said.png")


async def test_all_of_it_is_reached_by_keyboard(monkeypatch: pytest.MonkeyPatch) -> None:
    async with visiting(monkeypatch) as (_, page):
        await tell(page, '{type: "state", state: "listening"}')
        await page.focus("#mute")
        reached = ["mute"]
        for _ in range(8):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.id"))
        wanted = ["mute", "call", "stop", "end", "transcript", "line"]
        assert [name for name in reached if name in wanted] == wanted
        await page.evaluate("document.activeElement.blur()")
        await page.keyboard.press("m")
        await expect(page.locator("#mute")).to_have_attribute("aria-pressed", "true")
        for control in await page.locator("button, input, select, canvas, summary").all():
            named = await control.evaluate(
                "(e) => e.textContent.trim() || e.labels?.length || e.ariaHidden || e.ariaLabel"
            )
            assert named, await control.evaluate("(e) => e.outerHTML")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390), (1280, 800), (1920, 1080)])
async def test_nothing_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, width: int, height: int
) -> None:
    async with visiting(monkeypatch, width=width, height=height) as (_, page):
        await tell(page, '{type: "state", state: "listening"}')
        size = await page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert size == [width, height]
        for name in ("#call", "#mute", "#stop", "#state", "#side"):
            box = await page.locator(name).bounding_box()
            assert box is not None, name
            assert box["x"] >= 0 and box["x"] + box["width"] <= width, name
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, name
        await page.screenshot(path=tmp_path / f"{width}x{height}.png")


async def test_the_face_opens_its_mouth(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with visiting(monkeypatch) as (_, page):
        await _drawn(page)
        closed = await page.locator("#face").screenshot(path=tmp_path / "closed.png")
        shapes = "Object.fromEntries(goassist.names.map((n) => [n, n === 'jawOpen' ? 0.9 : 0]))"
        frame = (
            f"{{seq: 0, t_audio_ms: 0, heartbeat: false, head: [0, 0, 0], blendshapes: {shapes}}}"
        )
        await page.evaluate(f"goassist.show({frame})")
        await _drawn(page)
        opened = await page.locator("#face").screenshot(path=tmp_path / "open.png")
    assert _changed(closed, opened, (0.58, 0.72)) > 0.02, "the mouth"
    assert _changed(closed, opened, (0.0, 0.2)) < 0.01, "the wall"


async def _drawn(page: Page) -> None:
    """Until it was drawn some more times."""

    async def count() -> int:
        drawn: int = await page.evaluate("goassist.figures().drawn")
        return drawn

    before = await count()
    async with asyncio.timeout(20):
        while await count() < before + 4:
            await asyncio.sleep(0.05)


def _changed(before: bytes, after: bytes, rows: tuple[float, float]) -> float:
    """Part of the pixels of these rows, in the middle, that are plainly different."""
    a, b = (np.asarray(Image.open(io.BytesIO(p)).convert("L"), int) for p in (before, after))
    height, width = a.shape
    place = slice(int(rows[0] * height), int(rows[1] * height)), slice(width // 3, 2 * width // 3)
    return float((abs(a[place] - b[place]) > 25).mean())
