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

_SOUND = re.compile(r"\([^)]*\)|\[[^\]]*\]|\*[^*]*\*|[♩♪♫♬]")
_TYPICAL = {
    **dict.fromkeys(("thank you", "thank you very much", "bye", "bye bye"), (0.3, 0.65)),
    **dict.fromkeys(
        (
            "you",
            "thanks for watching",
            "thank you for watching",
            "thank you so much for watching",
            "please subscribe",
            "subtitles by the amara org community",
        ),
        (0.05, 0.95),
    ),
}
"""What is invented most, and what takes the place of NO_SPEECH and SURE for it: for what people
say to an assistant (a spoken "Thank you." had at most 0.45 and at least 0.72), and for what they
do not."""


def spoken_words(text: str, *, no_speech: float, confidence: float) -> str:
    """The text without descriptions of sounds, such as "(coughing)"; "" where it was made up.

    `no_speech` and `confidence` are the model's, both in [0, 1], as in `Transcript`.
    """
    words = " ".join(_SOUND.sub(" ", text).split())
    plain = " ".join(re.findall(r"\w+", words.casefold()))
    doubt, sure = _TYPICAL.get(plain, (NO_SPEECH, SURE))
    made_up = no_speech > doubt and confidence < sure
    return "" if made_up or not plain else words
