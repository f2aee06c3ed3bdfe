"""The network of a face engine: what it must take and give is checked when it is opened, and what
it gives is checked whenever it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from goassist_desktop.pipeline.engines.onnx_file import open_session
from goassist_desktop.pipeline.errors import EngineFailed, ModelMissing

Shape = tuple[int | None, ...]
"""None: any number, such as that of a batch."""


class FaceNetwork:
    """Raises ModelMissing where `file` is no network with these inputs and this output."""

    def __init__(
        self,
        file: Path,
        *,
        threads: int,
        inputs: Mapping[str, Shape],
        output: str,
        output_shape: Shape,
    ) -> None:
        try:
            self._session = open_session(file, threads=threads, gpu=True)
        except ModelMissing as error:
            raise ModelMissing(f"{file} is no network that can be read; fetch it again") from error
        self._file, self._output, self._output_shape = file, output, output_shape
        taken, given = self._session.get_inputs(), self._session.get_outputs()
        self._check("input", inputs, taken)
        self._check("output", {output: output_shape}, given)
        firsts = [one.shape[0] for one in (*taken, *given) if one.name in (*inputs, output)]
        surplus = {one.name for one in taken} - inputs.keys()
        if surplus:
            raise ModelMissing(f"{file}: expected no input {min(surplus)!r}")
        self.batches = not any(isinstance(first, int) for first in firsts)
        """Whether it takes more than one at once."""

    def run(self, **feed: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Raises EngineFailed where it breaks, or gives what it should not."""
        (result,) = self._session.run([self._output], feed)
        if not _fits(result.shape, self._output_shape):
            raise EngineFailed(
                f"{self._file.name} gave {self._output} of shape {result.shape}, "
                f"expected {_text(self._output_shape)}"
            )
        if not np.all(np.isfinite(result)):
            raise EngineFailed(f"{self._file.name} gave a {self._output} that is not a number")
        return np.asarray(result, np.float32)

    def _check(self, kind: str, wanted: Mapping[str, Shape], found: Sequence[Any]) -> None:
        declared = {one.name: one for one in found}
        for name, shape in wanted.items():
            expected = f"{self._file}: expected an {kind} {name!r} of shape {_text(shape)}"
            if name not in declared:
                raise ModelMissing(f"{expected}, found {', '.join(declared)}")
            one = declared[name]
            sizes = tuple(size if isinstance(size, int) else None for size in one.shape)
            if one.type != "tensor(float)" or not _fits(sizes, shape):
                raise ModelMissing(f"{expected}, found {one.type} {_text(sizes)}")


def _fits(sizes: Shape, wanted: Shape) -> bool:
    """Whether each size is the one wanted, where both are known."""
    return len(sizes) == len(wanted) and all(
        one == other for one, other in zip(sizes, wanted, strict=True) if None not in (one, other)
    )


def _text(shape: Shape) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
