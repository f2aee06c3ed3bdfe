"""What every face engine must do, asked of the built-in one: with phonemes, and by ear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from goassist_desktop import shipped
from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.protocols import FaceEngine
from tests.engines.face_contract import FaceContract, Reply

pytestmark = pytest.mark.models


class TestLipSync(FaceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[FaceEngine]:
        engine = create("face", "lipsync", shipped.folder(), threads=1)
        engine.load()
        yield engine
        engine.close()


class TestLipSyncByEar(TestLipSync):
    @pytest.fixture
    def reply(self, said: Reply) -> Reply:
        return [replace(piece, phonemes=()) for piece in said]
