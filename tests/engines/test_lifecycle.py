"""What the engines that listen share: loading, closing, and files that are not what they should be.

The moonshine engine is skipped where its optional model was not pulled.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.errors import ModelMissing

pytestmark = pytest.mark.models

SECOND = np.zeros(16_000, np.float32)

USES: dict[str, tuple[str, str, Callable[[Any], object]]] = {
    "silero": ("voice_activity", "silero-vad", lambda e: e.open().probability(SECOND[:512])),
    "smart-turn": ("turn_detection", "smart-turn-v3.2", lambda e: e.finished(SECOND)),
    "whisper": ("recognition", "faster-whisper-tiny.en", lambda e: e.transcribe(SECOND)),
    "moonshine": ("recognition", "moonshine-tiny-en", lambda e: e.transcribe(SECOND)),
}
FILES = {
    "silero": ["silero_vad.onnx"],
    "smart-turn": ["smart-turn-v3.2-cpu.onnx"],
    "whisper": ["config.json", "model.bin", "tokenizer.json", "vocabulary.txt"],
    "moonshine": ["decoder_model_merged.ort", "encoder_model.ort", "tokenizer.bin"],
}


def model_of(name: str, models: Callable[[str], Path]) -> Path:
    try:
        return models(USES[name][1])
    except ModelMissing:
        if name != "moonshine":
            raise
        pytest.skip("optional engine moonshine: its model was not pulled")


@pytest.mark.parametrize("name", USES)
def test_life(name: str, models: Callable[[str], Path]) -> None:
    stage, _, use = USES[name]
    engine = create(stage, name, model_of(name, models), threads=1)
    with pytest.raises(RuntimeError, match="before load"):
        use(engine)
    engine.close()
    engine.load()
    first = use(engine)
    engine.load()
    assert use(engine) == first
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="before load"):
        use(engine)
    engine.load()
    assert use(engine) == first
    engine.close()


@pytest.mark.parametrize("fault", ["absent", "empty", "cut", "other"])
@pytest.mark.parametrize(
    ("name", "file"), [(name, file) for name, files in FILES.items() for file in files]
)
def test_a_file_that_is_not_what_it_should_be(
    name: str, file: str, fault: str, models: Callable[[str], Path], tmp_path: Path
) -> None:
    """The message names it, in one line, and `load` works once the file is mended."""
    whole = model_of(name, models)
    for each in whole.iterdir():
        (tmp_path / each.name).symlink_to(each)
    broken = tmp_path / file
    broken.unlink()
    if fault == "empty":
        broken.touch()
    elif fault == "cut":
        content = (whole / file).read_bytes()
        broken.write_bytes(content[: len(content) // 2])
    elif fault == "other":
        broken.write_bytes(b"<html>404 Not Found</html>" * 10)
    stage, _, use = USES[name]
    engine = create(stage, name, tmp_path, threads=1)
    with pytest.raises(ModelMissing, match=str(tmp_path / Path(file).stem)) as caught:
        engine.load()
    assert "goassist models" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match="before load"):
        use(engine)
    broken.unlink(missing_ok=True)
    broken.symlink_to(whole / file)
    engine.load()
    use(engine)
    engine.close()


@pytest.mark.parametrize(
    ("name", "licence"),
    [("silero", "MIT"), ("smart-turn", "BSD-2-Clause"), ("whisper", "MIT"), ("moonshine", "MIT")],
)
def test_what_a_user_is_told(name: str, licence: str) -> None:
    """Known before anything is loaded."""
    stage, model, _ = USES[name]
    info = create(stage, name, Path(model), threads=1).info
    assert (info.stage, info.name, info.licence) == (stage, name, licence)
    assert info.model
    assert not info.cloud
    assert not info.stand_in
