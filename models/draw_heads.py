"""Draw the picture of each head that the settings show: heads/<name>.jpg.

Run it again when a head or its renderer changes: python models/draw_heads.py
"""

from __future__ import annotations

from pathlib import Path

import moderngl
from PIL import Image

from goassist_desktop.avatar.head import load_head
from goassist_desktop.avatar.renderer import HeadRenderer
from goassist_desktop.pipeline.blendshapes import Pose, weights

HEADS = Path(__file__).parent / "heads"
SIZE = (960, 540)
FINER = 2
"""Drawn so many times larger, for smooth edges."""


def main() -> None:
    width, height = SIZE[0] * FINER, SIZE[1] * FINER
    pose = Pose(0.0, weights(mouthSmile=0.12), (0.0, 0.0, 0.0), speaking=False)
    with moderngl.create_context(standalone=True, backend="egl", require=330) as context:
        frame = context.simple_framebuffer((width, height), 4)
        for baked in sorted(HEADS.glob("*.npz")):
            renderer = HeadRenderer(context, load_head(baked.stem, "large"), "full")
            frame.use()
            renderer.draw(pose, width, height)
            pixels = frame.read(components=3)
            picture = Image.frombytes("RGB", (width, height), pixels).transpose(
                Image.Transpose.FLIP_TOP_BOTTOM
            )
            target = baked.with_suffix(".jpg")
            picture.resize(SIZE, Image.Resampling.LANCZOS).save(target, quality=88)
            print(target)


if __name__ == "__main__":
    main()
