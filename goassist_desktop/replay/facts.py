"""What a recorded session was made with: the program, its settings, its models."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from goassist_desktop import weights
from goassist_desktop.config import (
    Audio,
    Config,
    EngineChoice,
    ModelChoice,
    Persona,
    Recognition,
    Reply,
    TurnTaking,
)
from goassist_desktop.pipeline.errors import BadInput
from goassist_desktop.supply.offers import model_names

NOBODY = Persona(name="", role="")
"""Who answered before there were personas: what the system prompt says."""


def facts(config: Config) -> dict[str, Any]:
    """For the header of a recording: settings with system prompt and seed, models with hashes."""
    return {
        "program": version("goassist-desktop"),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": asdict(_for_strangers(config)),
        "models": models(config),
    }


def _for_strangers(config: Config) -> Config:
    return replace(
        config,
        kiosk=replace(config.kiosk, pin=""),
        host=replace(config.host, token="", turn_password=""),
        recognition=replace(config.recognition, deepgram_key=""),
        language_server=replace(config.language_server, key=""),
        kyutai=replace(config.kyutai, key=""),
    )


def models(config: Config) -> dict[str, dict[str, Any]]:
    """Stage -> the model in use and the sha256 of its files, as the manifest has them."""
    return {
        stage: {
            "model": name,
            "sha256": {file.name: file.sha256 for file in weights.model(name).files},
        }
        for stage, name in model_names(config).items()
    }


def recorded_config(header: dict[str, Any]) -> Config:
    """The settings of a recording. Raises BadInput for those this version does not have."""
    try:
        config = header["config"]
        return Config(
            profile=config["profile"],
            engines=EngineChoice(**config["engines"]),
            models=ModelChoice(**config.get("models", {})),
            audio=Audio(**config["audio"]),
            recognition=Recognition(**config.get("recognition", {})),
            reply=Reply(**config["reply"]),
            turn_taking=TurnTaking(**config["turn_taking"]),
            persona=Persona(**config["persona"]) if "persona" in config else NOBODY,
        )
    except (KeyError, TypeError) as error:
        raise BadInput(
            f"recorded by goassist {header.get('program')} with settings that this version "
            f"does not know: {error}"
        ) from error
