"""The files of an XTTS-v2 of the true architecture, but small and with random weights.

    python xtts_files.py FOLDER      with the Python of an environment that has coqui-tts

The language model has two layers of 64 channels instead of thirty of 1024, and says at most some
two seconds; the vocoder is as large as the true one. model.pth holds the configuration as an
object of the class's former place beside the weights, as the true file does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

SPEAKERS: Final = ("Ana Florence", "Damien Black")
CHANNELS: Final = 64
AUDIO_TOKENS: Final = 1024
LONGEST: Final = 48
"""Audio tokens of one text: 2.1 s."""
LATENTS: Final = 32
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz'.,!?-:;"
SPECIAL: Final = ("[STOP]", "[UNK]", "[SPACE]", "[START]", "[en]", "[de]")


def write(folder: Path) -> None:
    import torch
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts, _legacy_safe_globals

    folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(folder / "vocab.json")
    config = XttsConfig(
        model_args=XttsArgs(
            gpt_layers=2,
            gpt_n_model_channels=CHANNELS,
            gpt_n_heads=2,
            gpt_max_audio_tokens=LONGEST,
            gpt_num_audio_tokens=AUDIO_TOKENS + 2,
            gpt_start_audio_token=AUDIO_TOKENS,
            gpt_stop_audio_token=AUDIO_TOKENS + 1,
            gpt_use_perceiver_resampler=True,
            decoder_input_dim=CHANNELS,
        )
    )
    config.save_json(str(folder / "config.json"))
    torch.manual_seed(1)
    model = Xtts(config)
    model.tokenizer = VoiceBpeTokenizer(vocab_file=str(folder / "vocab.json"))
    model.init_models()
    with _legacy_safe_globals():
        torch.save({"config": config, "model": model.state_dict()}, folder / "model.pth")
    speakers = {
        name: {
            "gpt_cond_latent": torch.randn(1, LATENTS, CHANNELS),
            "speaker_embedding": torch.randn(1, 512, 1),
        }
        for name in SPEAKERS
    }
    torch.save(speakers, folder / "speakers_xtts.pth")


def write_vocabulary(file: Path) -> None:
    """One token a letter."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *LETTERS))}
    tokenizer: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(file))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
