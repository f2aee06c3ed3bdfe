"""An ONNX file, with a fixed number of threads; on the CPU but where a GPU is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing

_CUDA = "CUDAExecutionProvider"
DAMAGED: Final[tuple[type[Exception], ...]] = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
)
"""What is raised for a file that is no network."""
BROKEN: Final[tuple[type[Exception], ...]] = (
    *(
        one
        for one in vars(ort_errors).values()
        if isinstance(one, type) and issubclass(one, Exception)
    ),
    MemoryError,
)
"""What may be raised besides: ONNX Runtime has a class for each status, and none above them all."""


class Session:
    """An onnxruntime.InferenceSession; it may be run by many threads at once."""

    def __init__(self, file: Path, session: Any) -> None:
        self._file, self._session = file, session

    def run(self, output_names: Any, input_feed: Any) -> Any:
        """All outputs, as arrays. Raises EngineFailed where it breaks."""
        try:
            return self._session.run(output_names, input_feed)
        except BROKEN as error:
            raise EngineFailed(f"{self._file.name} broke: {_first_line(error)}") from error

    def get_inputs(self) -> Any:
        """What it takes: objects with `name`, `type` and `shape`."""
        return self._session.get_inputs()

    def get_outputs(self) -> Any:
        """What it gives, likewise."""
        return self._session.get_outputs()


def open_session(file: Path, *, threads: int, gpu: bool = False, node: str = "") -> Session:
    """Read `file`. Raises ModelMissing where it is absent or damaged, EngineFailed otherwise.

    `gpu`: on CUDA, where this machine and its ONNX Runtime have it. `node`: see `with_output`.
    """
    if not file.is_file():
        raise ModelMissing(f"model file {file} is missing; run: goassist models pull")
    options = ort.SessionOptions()  # type: ignore[attr-defined]
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    if gpu and _CUDA in ort.get_available_providers():  # type: ignore[attr-defined]
        providers.insert(0, _CUDA)
    try:
        model = with_output(file.read_bytes(), node) if node else str(file)
    except OSError as error:
        raise ModelMissing(
            f"model file {file} can not be read; run: goassist models pull"
        ) from error
    try:
        session = ort.InferenceSession(model, options, providers)  # type: ignore[attr-defined]
    except DAMAGED as error:
        raise ModelMissing(f"model file {file} is damaged; run: goassist models verify") from error
    except BROKEN as error:
        raise EngineFailed(f"model file {file} can not be loaded: {_first_line(error)}") from error
    return Session(file, session)


def with_output(model: bytes, node: str) -> bytes:
    """The serialised model with one more graph output.

    Protocol buffers define the concatenation of two messages as their merge, so a second
    ModelProto { graph (7) { output (12) { name (1) } } } behind the first adds to its outputs.
    """
    message = node.encode()
    for field in (1, 12, 7):
        message = bytes([field << 3 | 2, len(message)]) + message
    return model + message


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
