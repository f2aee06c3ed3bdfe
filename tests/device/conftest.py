"""A sound card without hardware: PulseAudio with a microphone and a loudspeaker made of nothing.

Of a private server in a folder of its own. What is played into `voice_in` is heard by the
microphone, and the loudspeaker's monitor is recorded. ALSA, and so PortAudio, knows the devices by
the descriptions in MICROPHONE and LOUDSPEAKER.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 48_000
MICROPHONE = "goassist-test-microphone"
LOUDSPEAKER = "goassist-test-loudspeaker"
LOOP = "goassist-test-loop"
"""A microphone that hears the loudspeaker, without a room or a delay of its own."""
PROGRAMS = ("pulseaudio", "pactl", "paplay", "parec")

# Without norewinds streams on a null sink die silently.
_SINK = "rate=48000 channels=1 channel_map=mono norewinds=1"
_ASOUNDRC = f"""
pcm.!default {{ type pulse }}
ctl.!default {{ type pulse }}
pcm.{MICROPHONE} {{ type pulse device "microphone" hint {{ show on description "in" }} }}
pcm.{LOOP} {{ type pulse device "loudspeaker.monitor" hint {{ show on description "loop" }} }}
pcm.{LOUDSPEAKER} {{ type pulse device "loudspeaker" hint {{ show on description "out" }} }}
"""


class VirtualCard:
    """The server and its two devices. `environment` makes programs use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pulse = folder / "pulse"
        self._pulse.mkdir(mode=0o700)
        (folder / ".asoundrc").write_text(_ASOUNDRC)
        self.environment = {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(self._pulse),
            "PULSE_STATE_PATH": str(self._pulse),
            "PULSE_SERVER": f"unix:{self._pulse}/native",
        }
        self._server: subprocess.Popen[bytes] | None = None

    devices: tuple[str, ...] = (
        f"module-null-sink sink_name=loudspeaker {_SINK}",
        f"module-null-sink sink_name=voice_in {_SINK}",
        "module-remap-source source_name=microphone master=voice_in.monitor",
    )

    def start(self) -> None:
        modules = (
            f"module-native-protocol-unix socket={self._pulse}/native auth-anonymous=1",
            *self.devices,
        )
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
            + [f"--log-target=file:{self._pulse}/log"]
            + [f"--load={module}" for module in modules],
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while self._control("set-default-source", "microphone", check=False).returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"pulseaudio did not start: {(self._pulse / 'log').read_text()}")
            time.sleep(0.02)
        self._control("set-default-sink", "loudspeaker")

    def kill(self) -> None:
        """Pull the plug."""
        if self._server is not None:
            self._server.send_signal(signal.SIGKILL)
            self._server.wait()
            self._server = None
            (self._pulse / "native").unlink(missing_ok=True)

    def add_device(self, name: str, device: str) -> None:
        """Plug in another one, which is one of the server's by another name."""
        with (self.folder / ".asoundrc").open("a") as file:
            file.write(f'pcm.{name} {{ type pulse device "{device}" hint {{ show on ')
            file.write('description "new" } }\n')

    def connect_echo(self) -> None:
        """Let the microphone hear the loudspeaker, at its full level."""
        self._control(
            "load-module",
            "module-loopback",
            "source=loudspeaker.monitor",
            "sink=voice_in",
            "latency_msec=20",
        )

    def speak(self, samples: np.ndarray) -> subprocess.Popen[bytes]:
        """Begin to speak (n,) at 48 kHz into the microphone."""
        wav = self.folder / f"said-{time.monotonic_ns()}.wav"
        soundfile.write(wav, samples, RATE_HZ, "PCM_16")
        return subprocess.Popen(
            ["paplay", "--device=voice_in", "--latency-msec=20", wav],
            env=os.environ | self.environment,
        )

    def record(self) -> Recording:
        """Begin to record what the loudspeaker plays."""
        return Recording(self)

    def _control(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["pactl", *words],
            env=os.environ | self.environment,
            check=check,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


class Recording:
    """What the loudspeaker plays, from construction until `stop`."""

    def __init__(self, card: VirtualCard) -> None:
        self._file = (card.folder / "played.s16").open("w+b")
        self._parec = subprocess.Popen(
            f"parec --device=loudspeaker.monitor --latency-msec=20 --raw --format=s16le "
            f"--rate={RATE_HZ} --channels=1".split(),
            env=os.environ | card.environment,
            stdout=self._file,
        )
        deadline = time.monotonic() + 10
        while self._file.seek(0, os.SEEK_END) == 0 and time.monotonic() < deadline:
            time.sleep(0.02)

    def latest(self, seconds: float) -> np.ndarray:
        """The newest samples (n,) at 48 kHz, while it goes on."""
        with Path(self._file.name).open("rb") as file:
            end = file.seek(0, os.SEEK_END) // 2 * 2
            file.seek(max(0, end - 2 * round(seconds * RATE_HZ)))
            return np.frombuffer(file.read(end - file.tell()), np.int16).astype("f4") / 32768

    def stop(self) -> np.ndarray:
        """The samples (n,) at 48 kHz."""
        self._parec.terminate()
        self._parec.wait()
        self._file.seek(0)
        samples = np.frombuffer(self._file.read(), np.int16).astype(np.float32) / 32768
        self._file.close()
        return samples


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualCard]:
    """A virtual sound card, which this process uses too."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.fail(f"{', '.join(missing)} not found: `make test` installs what is needed")
    card = VirtualCard(tmp_path)
    for name, value in card.environment.items():
        monkeypatch.setenv(name, value)
    card.start()
    yield card
    card.kill()
