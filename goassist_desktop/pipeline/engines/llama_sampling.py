"""How the next token is chosen, in llama.cpp's own names."""

from __future__ import annotations


def sampling(temperature: float) -> dict[str, float]:
    """Settings for a temperature; at 0 the likeliest token is taken, always.

    The others are what the makers of Qwen2.5's small instruct models give with them
    (generation_config.json): spoken answers are short, and rare words at their tail do more harm
    than a little sameness. Without the penalty the smallest one says the same clause for ever.
    """
    if temperature == 0:
        return {"temperature": 0.0, "top_k": 1, "repeat_penalty": 1.1}
    return {
        "temperature": temperature,
        "top_k": 20,
        "top_p": 0.8,
        "min_p": 0.0,
        "repeat_penalty": 1.1,
    }
