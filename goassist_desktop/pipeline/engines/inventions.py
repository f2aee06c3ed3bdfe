"""What speech models say when nobody spoke.

They were trained on subtitles, so silence and noise come out as "you", as thanks for watching, or
as a description of a sound. The same words are also really said ("Thank you."), so a list of them
is not enough: the model's own doubt that there is speech decides.
"""

from __future__ import annotations

import re

NO_SPEECH = 0.6
"""OpenAI's threshold. Measured: 0.63 to 0.97 on silence, noise, hum, clicks and coughs; up to 0.56
on spoken words, the high ones for single short words."""
SURE = 0.5
"""Confidence from which words count in spite of NO_SPEECH. Inventions were below 0.48, spoken words
with so high a NO_SPEECH above 0.62."""

TYPICAL_NO_SPEECH = 0.3
TYPICAL_SURE = 0.65
"""The same two for the phrases below. A spoken "Thank you." had at most 0.45 and at least 0.72."""

_SOUND = re.compile(r"\([^)]*\)|\[[^\]]*\]|\*[^*]*\*|[♩♪♫♬]")
_TYPICAL = frozenset(
    (
        "you",
        "bye",
        "bye bye",
        "thank you",
        "thank you very much",
        "thank you for watching",
        "thanks for watching",
        "thank you so much for watching",
        "please subscribe",
        "subscribe",
        "subtitles by the amara org community",
    )
)


def spoken_words(text: str, *, no_speech: float, confidence: float) -> str:
    """The text without descriptions of sounds, such as "(coughing)"; "" where it was made up.

    `no_speech` and `confidence` are the model's, both in [0, 1], as in `Transcript`.
    """
    words = " ".join(_SOUND.sub(" ", text).split())
    plain = " ".join(re.findall(r"\w+", words.casefold()))
    made_up = no_speech > NO_SPEECH and confidence < SURE
    if plain in _TYPICAL:
        made_up = made_up or (no_speech > TYPICAL_NO_SPEECH and confidence < TYPICAL_SURE)
    return "" if made_up or not plain else words
