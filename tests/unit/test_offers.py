"""Which models are used, what is said of them, and the queue that fetches them."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from goassist_desktop import weights
from goassist_desktop.config import Config, EngineChoice, ModelChoice, load
from goassist_desktop.pipeline.engines import REGISTRY
from goassist_desktop.supply import manifest, offers
from goassist_desktop.supply.manifest import Manifest, Model
from goassist_desktop.supply.offers import Offer, model_names
from goassist_desktop.supply.partial import partial_path
from goassist_desktop.supply.queue import CLOSE_S, Item, PullQueue, Rate
from tests.fakes.model_sources import BIG, NOWHERE, SMALL, Hub

GB = 10**9


@pytest.fixture(autouse=True)
def empty_folder(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(target))
    monkeypatch.setenv("GOASSIST_CONFIG", os.devnull)


def memory(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> None:
    monkeypatch.setattr(weights, "memory_bytes", lambda: round(gigabytes * GB))


def offer(name: str, config: Config | None = None) -> Offer:
    (found,) = (one for one in offers.offers(config or Config()) if one.model.name == name)
    return found


def put(model: Model, *, but_bytes: int = 0) -> None:
    """Files of the right sizes and no content; the first one shorter by `but_bytes`."""
    folder = weights.models_dir() / model.name
    folder.mkdir(parents=True)
    for nth, file in enumerate(model.files):
        with (folder / file.name).open("wb") as stream:
            stream.truncate(file.size - (but_bytes if nth == 0 else 0))


# Which are used -----------------------------------------------------------------------------------


def test_the_profile_decides_where_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 64)
    assert model_names(Config()) == {m.stage: m.name for m in weights.profile("embedded")}
    memory(monkeypatch, 4)
    assert model_names(Config())["language_model"] == "qwen2.5-coder-0.5b-instruct"


def test_what_is_chosen_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 4)
    chosen = ModelChoice("faster-whisper-base", "qwen2.5-coder-1.5b-instruct")
    names = model_names(Config(models=chosen))
    assert names["recognition"] == "faster-whisper-base"
    assert names["language_model"] == "qwen2.5-coder-1.5b-instruct", "whatever the memory"


def test_an_engine_brings_its_model() -> None:
    names = model_names(Config(engines=EngineChoice(recognition="moonshine")))
    assert names["recognition"] == "moonshine-tiny-en"
    assert (
        model_names(Config(engines=EngineChoice(synthesis="kokoro")))["synthesis"] == "kokoro-82m"
    )


def test_an_engine_in_the_cloud_has_no_model() -> None:
    names = model_names(Config(engines=EngineChoice(recognition="deepgram")))
    assert "recognition" not in names
    assert set(names) == {*model_names(Config())} - {"recognition"}


@pytest.mark.parametrize("name", list(manifest.load().models))
def test_using_a_model_makes_settings_that_are_accepted_and_use_it(name: str) -> None:
    stage = weights.model(name).stage
    for before in (Config(), Config(engines=EngineChoice(recognition="moonshine"))):
        changed = load(offers.using(before, name), environment={})
        assert model_names(changed)[stage] == name


def test_using_the_profile_s_own_model_chooses_nothing() -> None:
    settings = offers.using(Config(), "faster-whisper-tiny.en")
    assert settings == {"engines.recognition": "whisper", "models.recognition": ""}


@pytest.mark.parametrize("model", manifest.load().models.values(), ids=lambda model: model.name)
def test_every_model_has_an_engine_and_words(model: Model) -> None:
    assert model.engine in REGISTRY[model.stage]
    assert model.note.endswith(".")
    assert offers.licence_in_words(model.licence) == "Free for everyone and everything."
    assert model.stage in offers.STAGES


# Whether they fit, and are here -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gigabytes", "fit"), [(64, "well"), (3.5, "tight"), (2.0, "memory"), (5.5, "tight")]
)
def test_whether_a_model_fits(monkeypatch: pytest.MonkeyPatch, gigabytes: float, fit: str) -> None:
    memory(monkeypatch, gigabytes)
    assert offer("qwen2.5-coder-1.5b-instruct").fit == fit


def test_a_full_disk_is_seen_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    memory(monkeypatch, 64)
    monkeypatch.setattr(offers, "disk_free_bytes", lambda: 1_000_000_000)
    assert offer("qwen2.5-coder-1.5b-instruct").fit == "disk"
    assert offer("qwen2.5-coder-0.5b-instruct").fit == "well"
    model = weights.model("qwen2.5-coder-1.5b-instruct")
    put(model)
    assert offer(model.name).fit == "well", "it is here already"


def test_memory_is_counted_for_the_whole_program() -> None:
    whole = sum(weights.model(name).size for name in model_names(Config()).values())
    base, tiny = (offer(f"faster-whisper-{name}") for name in ("base", "tiny.en"))
    assert tiny.memory == whole + offers.BESIDE_MODELS_BYTES
    assert base.memory - tiny.memory == base.model.size - tiny.model.size
    assert tiny.in_use and not base.in_use


def test_how_much_of_a_model_is_here() -> None:
    model = weights.model("faster-whisper-tiny.en")
    assert offers.state(model) == ("missing", 0)
    assert model in offers.missing(Config())
    staging = weights.models_dir() / ".staging"
    staging.mkdir(parents=True)
    big = next(file for file in model.files if file.name == "model.bin")
    partial_path(staging, big).write_bytes(bytes(1000))
    assert offers.state(model) == ("partial", 1000)
    put(model)
    assert offers.state(model) == ("here", model.size)
    assert model not in offers.missing(Config())
    assert model not in offers.to_fetch(Config())
    offers.remove(model.name)
    assert offers.state(model) == ("missing", 0)
    assert not list(staging.iterdir())
    put(model, but_bytes=1)
    assert offers.state(model) == ("damaged", model.size - 1)


def test_where_all_seem_whole_all_are_looked_into() -> None:
    """Of a model that is damaged inside, the files have the right sizes."""
    used = [weights.model(name) for name in model_names(Config()).values()]
    for model in used:
        put(model)
    assert not offers.missing(Config())
    assert offers.to_fetch(Config()) == used


# In words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("licence", ["CC-BY-NC-4.0", "Coqui Public Model License (CPML)"])
def test_what_is_not_for_work_says_so(licence: str) -> None:
    assert offers.licence_in_words(licence) == "For private use only, not for work or business."


def test_an_unknown_licence_is_to_be_read() -> None:
    assert offers.licence_in_words("Llama-3") == "Read its licence before you use it at work."


@pytest.mark.parametrize(
    ("count", "words"), [(300, "1 MB"), (7_936_868, "8 MB"), (1_117_320_768, "1.1 GB")]
)
def test_sizes(count: int, words: str) -> None:
    assert offers.size_in_words(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (20, "less than a minute left"),
        (130, "about 2 min left"),
        (5400, "about 1.5 h left"),
    ],
)
def test_times(seconds: float, words: str) -> None:
    assert offers.time_in_words(seconds) == words


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("disk full: this needs 1118 MB in /m, 300 MB are free", "The disk is full."),
        ("/m: Permission denied", "Nothing can be written"),
        ("a/b could not be had (hub: was refused: its sha256 is 0)", "was not the right file"),
        ("a/b could not be had (hub: x can not be reached: y)", "Check the connection"),
        ("a/b could not be had (package: npm: network timeout)", "Check the connection"),
        ("something new", "It could not be fetched."),
    ],
)
def test_failures(fault: str, words: str) -> None:
    assert words in offers.failure_in_words(fault)


# The queue ----------------------------------------------------------------------------------------


@pytest.fixture
def queue(known: Manifest, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[PullQueue]:
    """On a made-up manifest and a hub that serves it."""
    monkeypatch.setattr(manifest, "load", lambda: known)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    hub.files = {"big.bin": BIG, "small-v1.bin": SMALL}
    made = PullQueue(lambda: None)
    yield made
    hub.go_on.set()
    made.close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def phase(queue: PullQueue, name: str) -> str | None:
    item = queue.items().get(name)
    return item.phase if item else None


def test_one_after_the_other(queue: PullQueue, hub: Hub) -> None:
    hub.hold_after = 300_000
    queue.add("big")
    until(hub.held.is_set)
    queue.add("small")
    queue.add("small")
    assert phase(queue, "small") == "waiting"
    assert len(hub.requests) == 1
    hub.go_on.set()
    until(lambda: phase(queue, "small") == "done")
    assert [path.rpartition("/")[2] for path, _ in hub.requests] == ["big.bin", "small-v1.bin"]
    assert queue.items()["big"] == Item("big", "done", len(BIG), len(BIG))
    assert weights.path("big") and weights.path("small")


def test_a_pause_lets_the_next_one_go_and_keeps_what_came(queue: PullQueue, hub: Hub) -> None:
    hub.hold_after = 600_000
    queue.add("big")
    queue.add("small")
    until(hub.held.is_set)
    until(lambda: offers.state(weights.model("big"))[1] == 600_000)
    queue.pause("big")
    assert phase(queue, "big") == "paused"
    hub.go_on.set()
    until(lambda: phase(queue, "small") == "done")
    assert phase(queue, "big") == "paused"
    state, fetched = offers.state(weights.model("big"))
    assert state == "partial" and fetched >= 600_000
    queue.add("big")
    until(lambda: phase(queue, "big") == "done")
    assert hub.requests[-1][1] == f"bytes={fetched}-", "it goes on where it was"


def test_what_waits_can_be_dropped(queue: PullQueue, hub: Hub) -> None:
    hub.hold_after = 0
    queue.add("big")
    until(hub.held.is_set)
    queue.add("small")
    queue.drop("small")
    hub.go_on.set()
    until(lambda: phase(queue, "big") == "done")
    assert list(queue.items()) == ["big"] and len(hub.requests) == 1


def test_a_failure_is_told_and_another_try_works(
    queue: PullQueue, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    queue.add("small")
    until(lambda: phase(queue, "small") == "failed")
    assert "can not be reached" in queue.items()["small"].fault
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    queue.add("small")
    until(lambda: phase(queue, "small") == "done")
    assert queue.items()["small"].fault == ""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_does_not_stop_the_queue_for_ever(
    queue: PullQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(weights, "pull", lambda *_, **__: 1 / 0)
        queue.add("small")
        until(lambda: phase(queue, "small") == "failed")
        assert "ZeroDivisionError" in queue.items()["small"].fault
    queue.add("small")
    until(lambda: phase(queue, "small") == "done")


def test_it_closes_at_once_though_the_network_stands_still(queue: PullQueue, hub: Hub) -> None:
    hub.hold_after = 500_000
    queue.add("big")
    until(hub.held.is_set)
    began = time.monotonic()
    queue.close()
    assert time.monotonic() - began < 2 * CLOSE_S
    queue.add("small")
    assert list(queue.items()) == ["big"], "nothing is begun any more"


def test_what_is_looked_on_is_told_of_progress(queue: PullQueue, hub: Hub, known: Manifest) -> None:
    told = threading.Event()
    looked_on = PullQueue(told.set)
    looked_on.add("small")
    assert told.wait(10)
    until(lambda: phase(looked_on, "small") == "done")
    looked_on.close()


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.at(10.0, 0) == 0
    assert rate.at(10.5, 500) == 0, "too short to say"
    assert rate.at(12.0, 2000) == 1000
    for second in range(13, 20):
        assert rate.at(second, 2000 + (second - 12) * 10) <= 1000
    assert rate.at(20.0, 2080) == 10
    item = dataclasses.replace(Item("m", done=400, total=1000), rate=100.0)
    assert item.remaining_s == 6 and Item("m").remaining_s is None
