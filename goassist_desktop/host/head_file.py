"""A baked head as the page reads it: one file of numbers, made of the one that the window draws.

Little-endian: the four bytes GAH1, the length of a JSON text, that text, and at the next multiple
of four what it names, in the order of `SECTIONS`:

- `vertices`: of each point 3 + 3 + 3 float32 (point, normal, place) and 4 bytes (tone), as in Head;
- `triangles`: uint16;
- `moved`: for each blendshape in turn the points it moves, as uint16 …
- `deltas`: … and for each of these 3 + 3 float16: what a whole unit adds to point and normal.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

import numpy as np

from goassist_desktop.avatar.head import Head, load_head

MAGIC: Final = b"GAH1"
SECTIONS: Final = ("vertices", "triangles", "moved", "deltas")
UNSEEN: Final = 1e-5
"""Decimetres: what moves less is left out."""


def head_file(person: str) -> bytes:
    """The small head of a person. Raises ModelMissing and EngineFailed, as `load_head`."""
    head = load_head(person, "small")
    moved, deltas, counts = _sparse(head)
    kinds = [("point", "<f4", 3), ("normal", "<f4", 3), ("place", "<f4", 3), ("tone", "u1", 4)]
    vertices = np.zeros(len(head.points), np.dtype(kinds))
    vertices["point"], vertices["normal"] = head.points, head.normals
    vertices["place"], vertices["tone"] = head.places, head.tones
    sections = {
        "vertices": vertices.tobytes(),
        "triangles": head.triangles.astype("<u2").tobytes(),
        "moved": moved.astype("<u2").tobytes(),
        "deltas": deltas.astype("<f2").tobytes(),
    }
    about: dict[str, Any] = {
        "person": person,
        "points": len(head.points),
        "morphed": head.shapes.shape[1],
        "moved": counts,
        "parts": {name: [part.start, part.stop] for name, part in head.parts.items()},
        "eye_centres": head.eye_centres.tolist(),
        "eye_radius": head.eye_radius,
        "eye_turns": head.eye_turns.tolist(),
        "colours": {name: colour.tolist() for name, colour in head.colours.items()},
        "lengths": [len(sections[name]) for name in SECTIONS],
    }
    text = json.dumps(about, separators=(",", ":")).encode()
    parts = [MAGIC + struct.pack("<I", len(text)) + text, *(sections[name] for name in SECTIONS)]
    return b"".join(part + bytes(-len(part) % 4) for part in parts)


def _sparse(head: Head) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The points that move (k,), what is added to each (k, 6), and how many are of each shape."""
    both = np.concatenate([head.shapes, head.shape_normals], axis=2)
    moves = np.abs(both).max(axis=2) > UNSEEN
    return np.nonzero(moves)[1], both[moves], moves.sum(axis=1).tolist()
