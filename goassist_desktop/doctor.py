"""What this machine has and lacks for the program, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from goassist_desktop import gpu_check, screen, weights
from goassist_desktop.app import face_engines
from goassist_desktop.catalogue import studio
from goassist_desktop.config import Config
from goassist_desktop.finding import Finding, State
from goassist_desktop.pipeline.endpoints import sound_card
from goassist_desktop.pipeline.endpoints.capture import DEVICE_RATE_HZ
from goassist_desktop.pipeline.endpoints.sound_card import NOUN, Direction, SoundDevice, Streams
from goassist_desktop.pipeline.engines import audio2face_service, coqui
from goassist_desktop.pipeline.engines.openai_server import OpenAIServer, Server
from goassist_desktop.pipeline.errors import ConfigError, DeviceFailed, EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Samples
from goassist_desktop.pipeline.network_address import host_and_port
from goassist_desktop.supply.offers import BESIDE_MODELS_BYTES, model_names

DISTRIBUTION = "goassist-desktop"
_NEWEST_PYTHON = (3, 14)
"""The newest the program was tried with. It does not start on one older than 3.11."""
_DEMONSTRATION = "without it the program holds the demonstration conversation"

_TONE_HZ = 1000
_TONE_PEAK = 0.03
_TONE_S = 0.6
_HUSH_S = 0.4
_HEARD_RISE_DB = 6.0
_SILENT_DB = -120.0


def examine(config: Config) -> Iterator[Finding]:
    """All findings, in the order a user would mend them. Plays a quiet tone of 0.6 s."""
    yield from examine_silently(config)
    yield from sound(config)


def examine_silently(config: Config) -> Iterator[Finding]:
    """The same without a sound, while a conversation goes on: its devices are in use."""
    yield python()
    yield from libraries(required_libraries())
    yield from models(config)
    yield from language_server(config)
    yield from voice_apart(config)
    yield memory(config)
    yield disk(config)
    yield processor(_cpu_flags())
    yield from gpu_check.examine(config)
    yield window()
    yield face(config)
    yield face_engine(config)


def python() -> Finding:
    """The interpreter."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info[:2] > _NEWEST_PYTHON:
        newest = ".".join(map(str, _NEWEST_PYTHON))
        return Finding("Python", "warn", found, f"in case of trouble use {newest}")
    return Finding("Python", "ok", found)


# -- libraries -------------------------------------------------------------------------------------

_IMPORT_ALL = """
import importlib, json, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        print(json.dumps([name, f"{type(error).__name__}: {error}"]), flush=True)
    else:
        print(json.dumps([name, ""]), flush=True)
"""


def required_libraries() -> dict[str, list[str]]:
    """The distributions the program needs, with the modules of each; none where not installed."""
    modules: dict[str, list[str]] = {}
    for module, distributions in importlib.metadata.packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(_normal(distribution), []).append(module)
    required = [
        re.split(r"[^\w.-]", line)[0]
        for line in importlib.metadata.requires(DISTRIBUTION) or []
        if "extra ==" not in line
    ]
    return {
        name: sorted(m for m in modules.get(_normal(name), []) if not m.startswith("_"))
        for name in required
    }


def libraries(required: dict[str, list[str]]) -> Iterator[Finding]:
    """Whether each can be imported; tried in a child process, for some crash where they fail."""
    wanted = [module for modules in required.values() for module in modules]
    child = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, *wanted], capture_output=True, text=True, check=False
    )
    tried: dict[str, str] = dict(
        json.loads(line) for line in child.stdout.splitlines() if line.startswith('["')
    )
    for name, modules in required.items():
        faults = [_fault(module, tried, child.returncode) for module in modules]
        fault = next(filter(None, faults), None)
        if not modules:
            yield Finding(name, "fail", "is not installed", "run: make run")
        elif fault:
            yield Finding(name, "fail", fault, _library_remedy(name))
        else:
            yield Finding(name, "ok", importlib.metadata.version(name))


def _fault(module: str, tried: dict[str, str], status: int) -> str:
    if module in tried:
        return tried[module]
    if status < 0:
        return f"the import ended in {signal.Signals(-status).name}, in it or in one before it"
    return "the import did not come to an end"


def _library_remedy(name: str) -> str:
    if name == "sounddevice":
        return "install the PortAudio library (Debian and Ubuntu: apt-get install libportaudio2)"
    return f"install it again: {sys.executable} -m pip install --force-reinstall {name}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# -- models, memory, disk --------------------------------------------------------------------------


def _model_names(config: Config) -> list[str]:
    return list(dict.fromkeys(model_names(config).values()))


def models(config: Config) -> Iterator[Finding]:
    """The models of the configured profile, by name and size of their files."""
    for name in _model_names(config):
        try:
            folder = weights.path(name)
        except ModelMissing as error:
            fault, _, remedy = str(error).removeprefix(f"model {name}: ").partition("; ")
            yield Finding(f"model {name}", "fail", fault, remedy)
        else:
            licence = weights.model(name).licence
            yield Finding(f"model {name}", "ok", f"{licence}, in {folder}")


def language_server(config: Config) -> Iterator[Finding]:
    """Whether one that is chosen answers: it is asked for a word."""
    match config.engines.language_model:
        case "openai-server":
            at = config.language_server
            engine = OpenAIServer(Server(at.url, at.model, at.key))
            try:
                engine.load()
            except EngineFailed as error:
                remedy = "start it, or correct language_server in the settings"
                yield Finding("language server", "fail", str(error), remedy)
            else:
                where = "in the cloud" if engine.info.cloud else "near"
                found = f"{engine.info.model} at {at.url}, {where}"
                yield Finding("language server", "ok", found)
        case "vllm":
            program = shutil.which(config.vllm.program)
            if program is None:
                found = f"the program {config.vllm.program!r} is not installed"
                remedy = "install vLLM in an environment of its own, and set vllm.program"
                yield Finding("vLLM", "fail", found, remedy)
            else:
                yield Finding("vLLM", "ok", f"{program}, for {config.vllm.model}")


def voice_apart(config: Config) -> Iterator[Finding]:
    """Whether one that is chosen, and is not part of this program, is there."""
    if config.engines.synthesis == "xtts":
        at = studio(config)
        missing = at.missing()
        fault = at.lacks() or (f"{missing} is missing" if missing else "")
        found = fault or f"{at.speaker}, by {at.program}"
        state: State = "fail" if fault else "ok"
        yield Finding(coqui.TITLE, state, found, "see docs/xtts.md" if fault else "")


def memory(config: Config) -> Finding:
    """Whether the models of the profile fit into the memory that is free now."""
    total_gb = weights.memory_bytes() / 1e9
    free_gb = min(psutil.virtual_memory().available / 1e9, total_gb)
    need = BESIDE_MODELS_BYTES + sum(weights.model(n).size for n in _model_names(config))
    need_gb = need / 1e9
    found = f"{total_gb:.1f} GB, {free_gb:.1f} GB free, about {need_gb:.1f} GB needed"
    if free_gb >= need_gb:
        return Finding("memory", "ok", found)
    return Finding("memory", "warn", found, "close other programs, or set profile to 'ci'")


def disk(config: Config) -> Finding:
    """Whether what is missing of the models fits on their disk."""
    folder = weights.models_dir()
    while not folder.exists():
        folder = folder.parent
    free_gb = shutil.disk_usage(folder).free / 1e9
    need_gb = sum(weights.model(n).size for n in _model_names(config) if not _is_here(n)) / 1e9
    found = f"{free_gb:.1f} GB free at {folder}, {need_gb:.1f} GB of models to come"
    if free_gb < need_gb:
        return Finding("disk", "fail", found, "free some space, or point GOASSIST_MODELS_DIR away")
    if free_gb - need_gb < 1:
        return Finding("disk", "warn", found, "free some space")
    return Finding("disk", "ok", found)


def _is_here(name: str) -> bool:
    try:
        weights.path(name)
    except ModelMissing:
        return False
    return True


# -- processor and graphics ------------------------------------------------------------------------


def processor(flags: set[str]) -> Finding:
    """Cores and vector units, which decide how soon an answer comes."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    threads = os.cpu_count() or 1
    has = [name for name in ("avx2", "avx512f", "asimd") if name in flags]
    units = ", ".join(has) or "no vector units known"
    found = f"{cores} cores, {threads} threads, {units}"
    if cores < 2:
        return Finding("processor", "warn", found, "answers will be slow: two cores are needed")
    if not has and platform.machine() in ("x86_64", "AMD64"):
        return Finding("processor", "warn", found, "answers will be slow: AVX2 is needed")
    return Finding("processor", "ok", found)


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    found = [line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))]
    return set(found[0].split()) if found else set()


def window() -> Finding:
    """Whether there is a screen for one. None is needed: the program then talks in the terminal."""
    fault = screen.fault()
    if fault:
        return Finding("screen", "warn", fault, "without one captions come in the terminal")
    return Finding("screen", "ok", "there is one")


_DRAW = """
import sys
from goassist_desktop.avatar import open_face
renderer = open_face(sys.argv[1], 64, 64, lambda notice: print(notice.what))
renderer.close()
"""
_DRAW_S = 10
_CONNECT_S = 1.0


def face(config: Config) -> Finding:
    """Who draws the face; tried in a child process, for graphics drivers crash where they fail."""
    command = [sys.executable, "-c", _DRAW, config.persona.head]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=_DRAW_S, check=False
        )
    except subprocess.TimeoutExpired:
        remedy = "the graphics driver may hang: restart the machine, or install the driver again"
        return Finding("face", "warn", f"it could not be drawn within {_DRAW_S} s", remedy)
    *faults, last = [line.removeprefix("face: ") for line in child.stdout.splitlines()] or [""]
    if child.returncode:
        status = child.returncode
        how = f"ended in {signal.Signals(-status).name}" if status < 0 else "failed"
        fault = f"drawing it {how}"
        return Finding("face", "warn", fault, "run: make run")
    if faults:
        remedy = "for a better one install EGL (Debian and Ubuntu: apt-get install libegl1)"
        return Finding("face", "warn", f"{last} ({'; '.join(faults)})", remedy)
    return Finding("face", "ok", last)


def face_engine(config: Config) -> Finding:
    """Whether what is to move the face can: its files, or its service on the network."""
    name = config.face.engine
    engine = face_engines(config).get(name)
    try:
        if name == "audio2face-service":
            audio2face_service.protocol()
            _reach(config.face.service)
        elif engine is not None:
            engine.load()
            engine.close()
    except (ModelMissing, EngineFailed) as error:
        fault, _, remedy = str(error).partition("; ")
        remedy = remedy or "choose another face.engine"
        return Finding("face engine", "warn", f"{name}: {fault}", remedy)
    return Finding("face engine", "ok", name)


def _reach(address: str) -> None:
    try:
        socket.create_connection(host_and_port(address, "face.service"), _CONNECT_S).close()
    except OSError as error:
        raise EngineFailed(
            f"{address}: {error.strerror or error}; start the service, or correct face.service"
        ) from error


# -- sound -----------------------------------------------------------------------------------------


def sound(config: Config) -> Iterator[Finding]:
    """The microphone and loudspeaker the program would take, and a tone from one to the other."""
    names: dict[Direction, str] = {
        "input": config.audio.input_device,
        "output": config.audio.output_device,
    }
    try:
        devices = sound_card.list_devices()
    except DeviceFailed as error:
        fault, _, remedy = str(error).partition(": ")
        yield Finding("sound", "fail", fault, remedy)
        return
    chosen: dict[Direction, SoundDevice] = {}
    for direction, name in names.items():
        noun = NOUN[direction]
        if not any(device.channels(direction) for device in devices):
            yield Finding(noun, "warn", "none", f"connect one; {_DEMONSTRATION}")
            continue
        try:
            device = chosen[direction] = sound_card.find_device(direction, name or None)
        except ConfigError as error:
            yield Finding(noun, "fail", str(error), f"correct audio.{direction}_device")
        else:
            yield Finding(noun, "ok", f"{device.name}, {device.rate_hz} Hz")
    if len(chosen) == len(names):
        yield tone(chosen["input"], chosen["output"])


def tone(microphone: SoundDevice, loudspeaker: SoundDevice) -> Finding:
    """Play a quiet tone and look for it in what the microphone hears."""
    source = Tone()
    streams = Streams(source.pull, lambda: None)
    try:
        streams.open("output", loudspeaker)
        streams.open("input", microphone)
    except DeviceFailed as error:
        _close(streams)
        return Finding("tone", "fail", str(error), "close the program that holds the device")
    try:
        before = _record(streams, _HUSH_S)
        source.playing = True
        during = _record(streams, _TONE_S)
        fault = streams.fault(time.monotonic())
    finally:
        _close(streams)
    if before is None or during is None:
        what = "no sound came" if fault is None else fault[1]
        return Finding("tone", "fail", what, "connect the device again")
    return judge_tone(before, during)


def _close(streams: Streams) -> None:
    with suppress(DeviceFailed):  # it hangs, and nobody waits for it
        streams.close()


class Tone:
    """Silence, and a sine of _TONE_HZ at 48 kHz while `playing`."""

    def __init__(self) -> None:
        self.playing = False
        self._played = 0

    def pull(self, count: int) -> Samples:
        """The next (count,) samples."""
        if not self.playing:
            return np.zeros(count, np.float32)
        at_s = np.arange(self._played, self._played + count) / DEVICE_RATE_HZ
        self._played += count
        return (_TONE_PEAK * np.sin(2 * np.pi * _TONE_HZ * at_s)).astype(np.float32)


def judge_tone(before: Samples, during: Samples) -> Finding:
    """From (n,) samples at 48 kHz without and (m,) with the tone: was it heard?"""
    quiet_db, tone_db = _tone_db(before), _tone_db(during)
    if tone_db <= _SILENT_DB:
        remedy = "the microphone gives nothing at all: is it muted?"
        return Finding("tone", "warn", "pure silence", remedy)
    found = f"{tone_db:.0f} dBFS at the microphone, {quiet_db:.0f} before it"
    if tone_db - quiet_db < _HEARD_RISE_DB:
        remedy = "not heard: right with headphones, else turn up loudspeaker or microphone"
        return Finding("tone", "warn", found, remedy)
    return Finding("tone", "ok", found)


def _tone_db(samples: Samples) -> float:
    """Peak of the loudest 100 ms of the sine of _TONE_HZ in the samples, in dB of full scale."""
    window = DEVICE_RATE_HZ // 10
    carrier = np.exp(-2j * np.pi * _TONE_HZ * np.arange(window) / DEVICE_RATE_HZ)
    whole = samples[: len(samples) // window * window].reshape(-1, window)
    peak = float(np.abs(whole @ carrier).max(initial=0)) * 2 / window
    return max(20 * float(np.log10(max(peak, 1e-12))), _SILENT_DB)


def _record(streams: Streams, seconds: float) -> Samples | None:
    """What the microphone gives from now on; None when it does not come in time."""
    streams.mic.skip(streams.mic.available)
    count = int(seconds * DEVICE_RATE_HZ)
    deadline_s = time.monotonic() + seconds + 2
    while time.monotonic() < deadline_s:
        if (heard := streams.mic.read(count)) is not None:
            return heard
        time.sleep(0.02)
    return None
