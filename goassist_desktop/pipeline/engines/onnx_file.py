"""An ONNX file on the CPU, with a fixed number of threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing

_DAMAGED = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
)


class Session(Protocol):
    """What of onnxruntime.InferenceSession is used here; it may be run by many threads at once."""

    def run(self, output_names: Any, input_feed: Any) -> Any:
        """All outputs, as arrays."""


def open_session(file: Path, *, threads: int) -> Session:
    """Read `file`. Raises ModelMissing where it is absent or damaged, EngineFailed otherwise."""
    if not file.is_file():
        raise ModelMissing(f"model file {file} is missing; run: goassist models pull")
    options = ort.SessionOptions()  # type: ignore[attr-defined]
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    try:
        session: Session = ort.InferenceSession(  # type: ignore[attr-defined]
            str(file), options, providers
        )
    except _DAMAGED as error:
        raise ModelMissing(f"model file {file} is damaged; run: goassist models verify") from error
    except (ort_errors.NotImplemented, ort_errors.RuntimeException, MemoryError) as error:
        raise EngineFailed(f"model file {file} can not be loaded: {error}") from error
    return session
