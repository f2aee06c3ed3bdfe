"""Whatever ONNX Runtime raises becomes an error of ours, in one line that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from goassist_desktop import shipped
from goassist_desktop.pipeline.engines.lipsync import LipSync
from goassist_desktop.pipeline.engines.onnx_file import open_session
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing
from goassist_desktop.pipeline.frames import Speech

OF_THE_FILE = [
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "NoModel",
    "NoSuchFile",
]
OF_THE_RUN = ["EPFail", "EngineError", "NotImplemented", "RuntimeException", "MemoryError"]


class Broken:
    """An InferenceSession that can be made, and not be run."""

    error: Exception

    def __init__(self, *args: object) -> None:
        pass

    def run(self, *args: object) -> Any:
        raise self.error


class Unmade(Broken):
    def __init__(self, *args: object) -> None:
        raise self.error


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    path.touch()
    return path


def breaks_with(status: str, monkeypatch: pytest.MonkeyPatch, kind: type[Broken] = Broken) -> None:
    error = MemoryError if status == "MemoryError" else getattr(ort_errors, status)
    kind = type(kind.__name__, (kind,), {"error": error("it broke\nin a file of theirs")})
    monkeypatch.setattr(onnxruntime, "InferenceSession", kind)


@pytest.mark.parametrize("status", [*OF_THE_FILE, *OF_THE_RUN])
def test_a_run_that_breaks(status: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks_with(status, monkeypatch)
    session = open_session(file, threads=1)
    with pytest.raises(EngineFailed) as caught:
        session.run(None, {})
    assert str(caught.value) == "network.onnx broke: it broke"


@pytest.mark.parametrize("status", [*OF_THE_FILE, *OF_THE_RUN])
def test_a_file_that_can_not_be_loaded(
    status: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks_with(status, monkeypatch, Unmade)
    with pytest.raises(ModelMissing if status in OF_THE_FILE else EngineFailed) as caught:
        open_session(file, threads=1)
    assert str(caught.value).startswith(f"model file {file} ")
    assert "\n" not in str(caught.value)


def test_an_error_without_words_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", type("", (Broken,), {"error": MemoryError()})
    )
    with pytest.raises(EngineFailed, match=r"^network\.onnx broke: MemoryError$"):
        open_session(file, threads=1).run(None, {})


def test_a_face_whose_network_breaks_in_mid_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = LipSync(shipped.folder())
    engine.load()
    stream = engine.open()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)
    assert list(stream.push(Speech(noise, 16_000)))

    class Lost:
        def run(self, *args: object) -> Any:
            raise ort_errors.EPFail("the device is gone")

    monkeypatch.setattr(engine._network._session, "_session", Lost())
    with pytest.raises(EngineFailed, match=r"lipsync\.onnx broke: the device is gone"):
        list(stream.push(Speech(noise, 16_000)))


def test_a_node_inside_the_network_becomes_an_output(tmp_path: Path) -> None:
    network = shipped.folder() / "lipsync.onnx"
    inside = next(
        node.output[0] for node in onnx.load(network).graph.node if node.op_type in ("Relu", "Conv")
    )
    outputs = [one.name for one in open_session(network, threads=1).get_outputs()]
    more = [one.name for one in open_session(network, threads=1, node=inside).get_outputs()]
    assert more == [*outputs, inside]
    with pytest.raises(ModelMissing, match=r"lipsync.onnx is damaged"):
        open_session(network, threads=1, node="/nowhere")
