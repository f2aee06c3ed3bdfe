"""The files of a Pocket TTS of the true architecture, but small and with random weights.

    python pocket_files.py FOLDER      with the Python of an environment that has pocket-tts

The language model has two layers of 64 channels instead of six of 1024; the codec is as large as
the true one. It never finds an end, and so says what the library allows for a text at most.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

CHANNELS: Final = 64
LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'.,!?-:; "
VOICE: Final = "alba"


def write(folder: Path) -> None:
    import safetensors.torch
    import torch
    import yaml
    from pocket_tts import TTSModel
    from pocket_tts.models.model_state import export_model_state
    from pocket_tts.utils.config import CONFIGS_DIR

    folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(folder / "tokenizer.json")
    config = yaml.safe_load((CONFIGS_DIR / "english_2026-09.yaml").read_text())
    for key in ("weights_path", "weights_path_without_voice_cloning"):
        del config[key]
    model = config["flow_lm"]
    model["flow"] |= {"depth": 2, "dim": CHANNELS}
    model["transformer"] |= {"d_model": CHANNELS, "num_heads": 2, "num_layers": 2}
    model["lookup_table"] |= {
        "dim": CHANNELS,
        "n_bins": len(LETTERS) + 1,
        "tokenizer_path": str(folder / "tokenizer.json"),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    torch.manual_seed(1)
    made = TTSModel.load_model(config=str(folder / "config.yaml"))
    for name, value in made.state_dict().items():
        if not value.isfinite().all():
            raise SystemExit(f"{name} was left as it came")
    safetensors.torch.save_file(made.state_dict(), folder / "model.safetensors")
    state = made.get_state_for_audio_prompt(0.1 * torch.randn(1, 24_000))
    export_model_state(state, folder / f"{VOICE}.safetensors")


def write_vocabulary(file: Path) -> None:
    """One token a letter."""
    from tokenizers import Tokenizer, models

    vocabulary = {letter: number for number, letter in enumerate(("[UNK]", *LETTERS))}
    tokenizer: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.save(str(file))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
