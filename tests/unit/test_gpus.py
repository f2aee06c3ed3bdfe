"""Graphics cards: what their driver tells, who gets which, and what the doctor says of it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

from goassist_desktop import config, gpu_account, gpu_check, gpus, profiles
from goassist_desktop.cli import main
from goassist_desktop.config import Config, EngineChoice, ModelChoice, Recognition
from goassist_desktop.finding import Finding
from goassist_desktop.gpu_account import PROCESSOR, Account, Place
from goassist_desktop.gpus import Driver, DriverFailed, Gpu
from goassist_desktop.supply import manifest
from tests.fakes.nvml import Card, Nvml, put_in

GB = 1_000_000_000
EVERY = "computes_on_cards"


def card(index: int, total: float, used: float = 0.0) -> Gpu:
    return Gpu(index, "Card", int(total * GB), int(used * GB), 0.0)


# What the driver tells ----------------------------------------------------------------------------


def test_cards_and_driver_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(Card(used=6 * GB, busy=37), Card("NVIDIA GB10", busy=None)))
    first, second = gpus.look()
    assert first == Gpu(0, "NVIDIA L4", 24 * GB, 6 * GB, 0.37)
    assert (first.full, second.index, second.name, second.busy) == (0.25, 1, "NVIDIA GB10", 0.0)
    assert gpus.driver() == Driver("550.54.15", (12, 4))


@pytest.mark.parametrize("fault", ["NVML_ERROR_LIBRARY_NOT_FOUND", "NVML_ERROR_DRIVER_NOT_LOADED"])
def test_without_a_driver_there_are_none(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(Card(), fault=getattr(pynvml, fault)))
    assert gpus.look() == []
    assert gpus.driver() is None


def test_a_broken_driver_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put_in(monkeypatch, Nvml(fault=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    with pytest.raises(DriverFailed, match="mismatch"):
        gpus.look()
    with caplog.at_level(logging.ERROR):  # no warning may be left in a test
        assert gpu_account.cards() == gpu_account.cards() == []


def test_a_lost_card_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = put_in(monkeypatch, Nvml(Card(), Card("other")))
    nvml.cards[0].lost = True
    assert [(one.index, one.name) for one in gpus.look()] == [(1, "other")]


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("1,0", ["b", "a"]),
        ("GPU-bb", ["b"]),
        ("0,9,1", ["a"]),
        ("", []),
        ("-1", []),
        ("GPU-", []),
    ],
)
def test_cards_are_counted_as_cuda_does(
    visible: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch, Nvml(Card("a", uuid="GPU-aa11"), Card("b", uuid="GPU-bb22")))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [one.name for one in gpus.look()] == names
    assert [one.index for one in gpus.look()] == list(range(len(names)))


# Who gets which -----------------------------------------------------------------------------------


def test_the_hungriest_chooses_first_and_the_emptiest_card_is_taken() -> None:
    cards = [card(0, 16), card(1, 24, used=2)]
    assert gpu_account.placed({"a": 3 * GB, "b": 12 * GB}, cards) == {"b": 1, "a": 0}
    assert gpu_account.placed({"a": 7 * GB, "b": 12 * GB}, [card(0, 24)]) == {"b": 0, "a": 0}
    assert gpu_account.placed({"a": 9 * GB, "b": 12 * GB}, [card(0, 24)]) == {"b": 0}
    assert gpu_account.placed({"a": GB}, []) == {}


def test_four_gb_of_every_card_are_nobodys() -> None:
    assert gpu_account.placed({"a": 4 * GB}, [card(0, 8)]) == {"a": 0}
    assert gpu_account.placed({"a": 4 * GB + 1}, [card(0, 8)]) == {}
    assert gpu_account.placed({"a": 4 * GB}, [card(0, 8, used=0.1)]) == {}


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_account, EVERY, lambda stage, name, device="auto": device != "cpu")


BIG = Config(
    engines=EngineChoice(),
    models=ModelChoice(
        recognition="faster-whisper-large-v3-turbo", language_model="qwen2.5-7b-instruct"
    ),
)


def size(name: str) -> int:
    return manifest.load().model(name).size


@pytest.mark.usefixtures("able")
def test_chosen_engines_get_places_by_what_their_models_weigh() -> None:
    places = gpu_account.plan(BIG, [card(0, 24)])
    assert {stage: place.device for stage, place in places.items()} == {
        "recognition": "cuda:0",
        "language_model": "cuda:0",
    }
    assert size("qwen2.5-7b-instruct") < places["language_model"].needs < 7 * GB
    apart = gpu_account.plan(BIG, [card(0, 11), card(1, 8)])
    assert (apart["language_model"].device, apart["recognition"].device) == ("cuda:0", "cuda:1")


@pytest.mark.usefixtures("able")
def test_what_finds_no_room_computes_elsewhere_or_not_at_all() -> None:
    places = gpu_account.plan(BIG, [card(0, 8)])
    assert places["recognition"].device == "cuda:0"
    assert places["language_model"].refused.startswith(
        "it needs 6.6 GB of a graphics card's memory, of which 4.0 GB are free"
    )
    assert gpu_account.plan(Config(), [card(0, 8, used=3.5)])["recognition"] == PROCESSOR
    assert gpu_account.plan(BIG, []) == {}, "without a card nothing changes"


@pytest.mark.usefixtures("able")
def test_vllm_gets_the_share_it_will_take() -> None:
    chosen = Config(engines=EngineChoice(language_model="vllm"))
    assert gpu_account.plan(chosen, [card(0, 40)])["language_model"] == Place("cuda:0", 24 * GB)
    crowded = gpu_account.plan(chosen, [card(0, 40, used=20)])["language_model"]
    assert crowded.refused.startswith("it needs 24.0 GB")


@pytest.mark.usefixtures("able")
def test_xtts_is_in_the_account_too() -> None:
    chosen = replace(BIG, engines=EngineChoice(synthesis="xtts"))
    devices = {stage: one.device for stage, one in gpu_account.plan(chosen, [card(0, 24)]).items()}
    assert devices == dict.fromkeys(("recognition", "language_model", "synthesis"), "cuda:0")
    assert gpu_account.plan(chosen, [card(0, 15)])["synthesis"].device == "cuda:0"
    assert gpu_account.plan(chosen, [card(0, 14)])["synthesis"].refused


@pytest.mark.usefixtures("able")
def test_recognition_can_be_kept_off_the_card() -> None:
    chosen = Config(recognition=Recognition(device="cpu"))
    assert "recognition" not in gpu_account.plan(chosen, [card(0, 24)])


def test_what_was_taken_is_written_down(caplog: pytest.LogCaptureFixture) -> None:
    used = [1.0]
    account = Account(lambda: [card(0, 24, used[0])])
    with caplog.at_level(logging.INFO), account.taking("synthesis", Place("cuda:0", 2 * GB)):
        used[0] = 4.5
    assert account.took == {"synthesis": int(3.5 * GB)}
    assert "synthesis took 3.5 GB of cuda:0, 2.0 GB foretold" in caplog.text
    with account.taking("recognition", PROCESSOR):
        used[0] = 9.0
    assert "recognition" not in account.took


# What the doctor says -----------------------------------------------------------------------------


def found(config: Config, pci: Path = Path("/nowhere")) -> list[Finding]:
    return list(gpu_check.examine(config, pci))


def test_without_a_driver_the_bus_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(fault=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    assert [one.state for one in found(Config(), tmp_path)] == ["ok"]
    for name, vendor, kind in (("0", "0x8086", "0x030000"), ("1", "0x10de", "0x040300")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "class").write_text(f"{kind}\n")
    [sound] = found(Config(), tmp_path)
    assert sound.found.startswith("none"), "its sound function is no GPU"
    (tmp_path / "1" / "class").write_text("0x030200\n")
    [lacking] = found(Config(), tmp_path)
    assert lacking.state == "warn" and lacking.remedy == "install the driver"


def test_a_driver_that_fails_or_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(fault=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    [broken] = found(Config())
    assert broken.state == "warn" and "mismatch" in broken.found and broken.remedy
    put_in(monkeypatch, Nvml(Card(), cuda=11080))
    [old] = found(Config())
    assert (old.state, old.remedy) == (
        "warn",
        "the libraries need CUDA 12: install a newer driver",
    )


@pytest.mark.usefixtures("able")
def test_it_is_said_what_fits_before_it_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(Card(total=8 * GB, used=0)))
    lines = {one.check: one for one in found(BIG)}
    assert lines["GPU"].found == "NVIDIA L4 with 8 GB, 0 % used; driver 550.54.15, CUDA 12.4"
    assert lines["recognition on the GPU"].found == "card 0, about 2.7 GB"
    assert lines["language model on the GPU"].state == "fail"
    assert "6.6 GB" in lines["language model on the GPU"].found
    assert lines["profile"].remedy == "set profile = 'gpu-8g': goassist doctor --choose-profile"


def test_what_can_not_use_a_card_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Nvml(Card(total=48 * GB, used=40 * GB)))
    monkeypatch.setattr(gpu_check.cuda_libraries, "preload", lambda: ["libcublas.so.12"])
    lines = {one.check: one for one in found(Config())}
    assert lines["GPU"].remedy == "it is nearly full: close other programs that use it"
    assert lines["recognition on the GPU"].found.startswith("libcublas.so.12 is not installed")
    assert lines["language model on the GPU"].found.startswith("llama.cpp was built without CUDA")
    assert "set profile = 'server', engines.language_model = 'vllm'" in lines["profile"].remedy
    off = Config(recognition=Recognition(device="cpu"))
    assert "recognition on the GPU" not in {one.check for one in found(off)}


# Profiles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cards", "name"),
    [
        ([], "embedded"),
        ([6.0], "embedded"),
        ([8.5], "gpu-8g"),
        ([17.1, 8.5], "gpu-16g"),
        ([25.7], "gpu-24g"),
        ([42.4], "server"),
    ],
)
def test_the_profile_is_that_of_the_largest_card(cards: list[float], name: str) -> None:
    assert profiles.fitting([card(n, total) for n, total in enumerate(cards)]).name == name


@pytest.mark.usefixtures("able")
@pytest.mark.parametrize("profile", profiles.PROFILES, ids=lambda one: one.name)
def test_a_profile_fits_the_card_it_is_for(profile: profiles.Profile) -> None:
    members = {model.stage for model in manifest.load().profile(profile.name, 64 * GB)}
    assert members == {
        "voice_activity",
        "turn_detection",
        "recognition",
        "language_model",
        "synthesis",
    }
    if profile.card_gb:
        engines = EngineChoice(
            **{key.removeprefix("engines."): value for key, value in profile.settings.items()}
        )
        places = gpu_account.plan(
            Config(profile=profile.name, engines=engines), [card(0, profile.card_gb)]
        )
        assert {place.device for place in places.values()} == {"cuda:0"}, places


def test_the_doctor_chooses_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[reply]\nmax_tokens = 100  # short\n")
    monkeypatch.setenv("GOASSIST_CONFIG", str(file))
    put_in(monkeypatch, Nvml(Card(total=48 * GB)))
    assert main(["doctor", "--choose-profile"]) == 0
    assert "goassist models pull server" in " ".join(capsys.readouterr().out.split())
    chosen = config.load({}, {})
    assert (chosen.profile, chosen.engines.language_model) == ("server", "vllm")
    assert "# short" in file.read_text() and chosen.reply.max_tokens == 100
    put_in(monkeypatch, Nvml())
    assert main(["doctor", "--choose-profile"]) == 0
    chosen = config.load({}, {})
    assert (chosen.profile, chosen.engines.language_model) == ("embedded", "llama-cpp")
