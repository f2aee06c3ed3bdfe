import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from goassist_desktop import doctor, weights
from goassist_desktop.config import (
    Config,
    EngineChoice,
    FaceSettings,
    LanguageServer,
    VllmSettings,
    XttsSettings,
)
from goassist_desktop.doctor import Tone
from goassist_desktop.finding import Finding
from goassist_desktop.pipeline.engines import coqui
from tests.fakes.language_server import hello, language_server

ROOT = Path(__file__).resolve().parents[2]


def one(findings: list[Finding], check: str) -> Finding:
    (found,) = (finding for finding in findings if finding.check == check)
    return found


# Libraries --------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder both this process and its children import from."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def library(site: Path, name: str, code: str) -> None:
    (site / f"{name}.py").write_text(code)
    info = site / f"{name}-3.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.1\n")


def test_libraries_that_work_break_crash_and_lack(site: Path) -> None:
    library(site, "works", "print('noise on import')")
    library(site, "breaks", "raise OSError('libnothing.so.2: no such file')")
    library(site, "crashes", "import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    required = {"works": ["works"], "breaks": ["breaks"], "lacks": [], "crashes": ["crashes"]}
    found = list(doctor.libraries(required))
    assert one(found, "works") == Finding("works", "ok", "3.1")
    assert one(found, "breaks").state == "fail"
    assert one(found, "breaks").found == "OSError: libnothing.so.2: no such file"
    assert one(found, "lacks").found == "is not installed"
    assert one(found, "crashes").state == "fail" and "SIGILL" in one(found, "crashes").found


def test_a_missing_portaudio_is_named_by_its_package(site: Path) -> None:
    library(site, "sounddevice", "raise OSError('PortAudio library not found')")
    (found,) = doctor.libraries({"sounddevice": ["sounddevice"]})
    assert found.state == "fail" and "libportaudio2" in found.remedy


def test_every_requirement_of_the_program_is_examined() -> None:
    required = doctor.required_libraries()
    assert {"numpy", "onnxruntime", "sounddevice", "hibari-tts"} <= required.keys()
    assert "llama-cpp-python" not in required, "an extra is not required"
    assert required["hibari-tts"] == ["hibari"] and required["faster-whisper"] == ["faster_whisper"]


# Models, memory, disk ---------------------------------------------------------------------------


@pytest.fixture
def no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOASSIST_MODELS_DIR", str(tmp_path / "none"))
    return tmp_path


def sparse_model(name: str) -> None:
    """Files of the right sizes and no content."""
    folder = weights.models_dir() / name
    folder.mkdir(parents=True)
    for file in weights.model(name).files:
        with (folder / file.name).open("wb") as stream:
            stream.truncate(file.size)


def test_models_of_the_configured_profile(no_models: Path) -> None:
    config = Config(profile="ci")
    sparse_model("silero-vad")
    found = list(doctor.models(config))
    assert [f.check for f in found] == [f"model {m.name}" for m in weights.profile("ci")]
    assert one(found, "model silero-vad").state == "ok"
    missing = one(found, "model qwen2.5-coder-0.5b-instruct")
    assert missing.state == "fail" and missing.found.endswith("model.gguf is missing")
    assert missing.remedy == "run: goassist models pull qwen2.5-coder-0.5b-instruct"


def test_the_disk_counts_only_what_is_missing(no_models: Path) -> None:
    assert "0.6 GB of models to come" in doctor.disk(Config(profile="ci")).found
    for model in weights.profile("ci"):
        sparse_model(model.name)
    assert "0.0 GB of models to come" in doctor.disk(Config(profile="ci")).found


def test_memory_is_what_a_container_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_models: Path
) -> None:
    monkeypatch.setattr(weights, "_CGROUP_LIMIT", tmp_path / "memory.max")
    unlimited = weights.memory_bytes()
    (tmp_path / "memory.max").write_text("max\n")
    assert weights.memory_bytes() == unlimited
    (tmp_path / "memory.max").write_text("500000000\n")
    assert weights.memory_bytes() == 500_000_000
    found = doctor.memory(Config(profile="ci"))
    assert found.state == "warn" and found.found.startswith("0.5 GB, 0.5 GB free")


# Processor and graphics -------------------------------------------------------------------------


def test_a_processor_without_avx2_is_slow() -> None:
    state = {flags: doctor.processor(set(flags.split())).state for flags in ("sse2", "sse2 avx2")}
    expected = {"sse2": "warn", "sse2 avx2": "ok"}
    if (os.cpu_count() or 1) < 2:
        expected["sse2 avx2"] = "warn"
    assert state == expected


# Sound ------------------------------------------------------------------------------------------

RATE = 48_000


def noise(peak: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-peak, peak, count).astype(np.float32)


def played(seconds: float) -> np.ndarray:
    tone = Tone()
    assert not tone.pull(480).any(), "silent until it plays"
    tone.playing = True
    return np.concatenate([tone.pull(480) for _ in range(int(seconds * 100))])


def test_the_tone_is_one_sine_over_all_blocks() -> None:
    at_s = np.arange(RATE // 2) / RATE
    assert np.allclose(played(0.5), 0.03 * np.sin(2 * np.pi * 1000 * at_s), atol=1e-6)


def test_a_tone_in_a_noisy_room_is_heard() -> None:
    room = noise(0.01, RATE, 1)
    heard = noise(0.01, RATE, 2)
    heard[RATE // 3 : RATE // 3 + RATE // 2] += 0.1 * played(0.5)
    found = doctor.judge_tone(room, heard)
    assert found.state == "ok"
    assert found.found.startswith("-50 dBFS"), "a tenth of the tone's -30 dBFS is -50"


def test_a_noisy_room_without_the_tone_is_not_it() -> None:
    found = doctor.judge_tone(noise(0.01, RATE, 1), noise(0.01, RATE, 2))
    assert found.state == "warn" and "not heard" in found.remedy


def test_a_muted_microphone_is_told_from_a_quiet_one() -> None:
    silence = np.zeros(RATE, np.float32)
    found = doctor.judge_tone(silence, silence)
    assert found.state == "warn" and "muted" in found.remedy


# The command ------------------------------------------------------------------------------------


def examined(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "goassist_desktop", "doctor", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        check=False,
    )


def test_the_command_fails_when_something_does(no_models: Path) -> None:
    done = examined("--json", GOASSIST_PROFILE="ci")
    report = json.loads(done.stdout)
    assert done.returncode == 1 and report["ok"] is False and done.stderr == ""
    failed = {f["check"] for f in report["findings"] if f["state"] == "fail"}
    assert {f"model {m.name}" for m in weights.profile("ci")} <= failed
    assert all(f["remedy"] for f in report["findings"] if f["state"] != "ok")


def test_a_wrong_setting_is_a_finding(no_models: Path) -> None:
    done = examined(GOASSIST_PROFILE="enormous")
    first, second, *_ = done.stdout.splitlines()
    assert done.returncode == 1 and done.stderr == ""
    assert first.startswith("fail settings: GOASSIST_PROFILE = 'enormous'")
    assert second.startswith("ok   Python")


def test_the_face_is_drawn_by_something() -> None:
    found = doctor.face(Config())
    assert found.check == "face"
    assert found.found.startswith("drawn by ")
    assert (found.state == "ok") is not bool(found.remedy)


def test_a_face_that_can_not_be_drawn_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DRAW", "import os; os.abort()")
    found = doctor.face(Config())
    assert found.state == "warn" and "SIGABRT" in found.found


def test_a_driver_that_hangs_hangs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DRAW", "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "_DRAW_S", 0.2)
    found = doctor.face(Config())
    assert found.state == "warn" and "within 0.2 s" in found.found and "driver" in found.remedy


def test_without_a_screen_the_terminal_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    found = doctor.window()
    assert (found.state, found.found) == ("warn", "there is no screen")
    monkeypatch.setenv("QT_QPA_PLATFORM", "paper")
    assert "QT_QPA_PLATFORM=paper is not known" in doctor.window().found
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert doctor.window().state == "ok"


def moved_by(engine: str, service: str = "localhost:52000") -> Finding:
    return doctor.face_engine(Config(face=FaceSettings(engine=engine, service=service)))


def test_the_mover_of_the_face_is_examined(no_models: Path) -> None:
    assert moved_by("none") == Finding("face engine", "ok", "none")
    assert moved_by("lipsync") == Finding("face engine", "ok", "lipsync")
    for engine, folder in (("audio2face", "audio2face-3d-v2.3-mark"), ("lam", "lam-audio2expre")):
        found = moved_by(engine)
        assert found.state == "warn" and found.found.startswith(f"{engine}: ")
        assert str(no_models / "none" / folder) in found.found and found.remedy


def test_a_service_is_reached_or_named() -> None:
    pytest.importorskip("nvidia_audio2face_3d")
    with socket.create_server(("127.0.0.1", 0)) as service:
        address = f"127.0.0.1:{service.getsockname()[1]}"
        assert moved_by("audio2face-service", address).state == "ok"
    found = moved_by("audio2face-service", address)
    assert found.state == "warn" and f"{address}: Connection refused" in found.found
    assert "face.service" in found.remedy


def test_a_service_without_its_protocol_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nvidia_audio2face_3d", None)
    found = moved_by("audio2face-service")
    assert found.state == "warn" and "not installed" in found.found
    assert found.remedy == "run: pip install 'goassist-desktop[audio2face-service]'"


def served_by(url: str) -> Config:
    choice = EngineChoice(language_model="openai-server")
    return Config(engines=choice, language_server=LanguageServer(url))


def test_a_server_of_a_language_model_is_asked_for_a_word() -> None:
    assert list(doctor.language_server(Config())) == []
    with language_server(hello) as server:
        (found,) = doctor.language_server(served_by(server.url))
    assert (found.state, found.found) == ("ok", f"m at {server.url}, near")
    (lost,) = doctor.language_server(served_by(server.url))
    assert lost.state == "fail"
    assert "nobody listens there" in lost.found
    assert "language_server" in lost.remedy


def test_xtts_is_looked_for(tmp_path: Path) -> None:
    def found(**settings: object) -> Finding:
        xtts = XttsSettings(licence_accepted=True, model=str(tmp_path), **settings)
        config = Config(engines=EngineChoice(synthesis="xtts"), xtts=xtts)
        (finding,) = doctor.voice_apart(config)
        return finding

    assert list(doctor.voice_apart(Config())) == []
    assert "'no-such-program' is not installed" in found(program="no-such-program").found
    lost = found(program=sys.executable)
    assert (lost.state, lost.remedy) == ("fail", "see docs/xtts.md")
    assert "config.json is missing" in lost.found
    for name in coqui.FILES:
        (tmp_path / name).touch()
    assert found(program=sys.executable).state == "ok"


def test_vllm_is_looked_for() -> None:
    def with_program(program: str) -> Finding:
        choice = EngineChoice(language_model="vllm")
        config = Config(engines=choice, vllm=VllmSettings(program=program))
        (found,) = doctor.language_server(config)
        return found

    assert with_program("no-such-program").state == "fail"
    assert with_program(sys.executable).state == "ok"
