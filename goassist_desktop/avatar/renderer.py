"""Draws a head in a pose with OpenGL 3.3 or OpenGL ES 3.0, from the same shaders.

The blendshapes are added in the vertex shader: their deltas lie in a texture, two texels (point and
normal) for each point and shape, and only the shapes in use are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal

import moderngl
import numpy as np
import numpy.typing as npt
from PIL import Image

from goassist_desktop.avatar.head import Head
from goassist_desktop.pipeline.blendshapes import COUNT, INDEX, Pose

FRAME_HEIGHT: Final = 3.62
"""How much of the world the picture shows at the eyes, in decimetres …"""
FRAME_WIDTH: Final = 2.75
"""… and how much at least from left to right."""
FRAME_MIDDLE_Y: Final = -0.36
FRAME_BOTTOM_Y: Final = -2.6
"""Nothing below is shown, however tall the picture: the body ends there."""
CAMERA_DISTANCE: Final = 11.0
NEAR, FAR = 4.0, 20.0
ROUNDED: Final = [INDEX["mouthFunnel"], INDEX["mouthPucker"]]
CLOSE, JAW = INDEX["mouthClose"], INDEX["jawOpen"]
NECK: Final = (0.0, -1.15, -0.75)
"""About this point the head turns."""
MOST_DEGREES: Final = 60.0
"""No neck turns further."""
MORPH_WIDTH: Final = 2048
UNSEEN: Final = 1e-3
"""A weight below this moves nothing one could see."""
SAMPLES: Final = {"full": 4, "light": 1}
"""A pixel."""
LIGHT_REDUCTION: Final = {"skin": 2, "detail": 8, "iris": 3, "strands": 3}
"""So many pixels of a picture become one, in each direction."""
FIRST_BLENDED: Final = "lashes"

Quality = Literal["full", "light"]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Step:
    """One part of the head: which shader draws which indices."""

    part: str
    program: moderngl.Program
    vertices: moderngl.VertexArray
    first: int
    count: int
    eye: int | None = None


class HeadRenderer:
    """Belongs to one context, which must be current whenever a method is called."""

    def __init__(self, context: moderngl.Context, head: Head, quality: Quality = "full") -> None:
        """`quality` "light" leaves out what a renderer in software has no time for."""
        self.head = head
        self.quality: Quality = quality
        self._context = context
        self._samples = max(1, min(SAMPLES[quality], context.max_samples))
        self._target: _Target | None = None
        self._prelude = _prelude(context, quality)
        self._points = context.buffer(_interleaved(head))
        self._indices = context.buffer(head.triangles)
        self._morphs, rows = _morph_texture(context, head)
        self._pictures = {name: _picture(context, head, name, quality) for name in head.pictures}
        self._backdrop = self._screen("backdrop")
        self._present = self._screen("present")
        self._steps = [
            self._step("skin", "skin", rows),
            self._step("mouth", "mouth", rows),
            self._step("cloth", "cloth", rows),
            self._step("eye", "eye", rows, eye=0),
            self._step("eye", "eye", rows, eye=1),
            self._step("lashes", "strand", rows),
            self._step("hair", "strand", rows),
        ]

    def draw(self, pose: Pose, width: int, height: int) -> None:
        """Draw into the framebuffer in use (`context.fbo`), all its `width` by `height` pixels."""
        context = self._context
        bound = context.fbo
        if self._target is None or self._target.size != (width, height):
            self._release_target()
            self._target = _Target(context, (width, height), self._samples)
        target = self._target
        target.drawn.use()
        target.drawn.clear(depth=1.0)
        context.disable(moderngl.CULL_FACE | moderngl.BLEND)
        self._draw_head(pose, width / height)
        context.disable(moderngl.DEPTH_TEST | moderngl.BLEND)
        if target.resolved is not target.drawn:
            context.copy_framebuffer(target.resolved, target.drawn)
        bound.use()
        bound.viewport = (0, 0, width, height)
        target.picture.use(0)
        _set(self._present.program, "texel", (1 / width, 1 / height))
        _set(self._present.program, "smooth_edges", self._samples == 1)
        self._present.render(moderngl.TRIANGLES, vertices=3)

    def release(self) -> None:
        """Free what the context holds for this head."""
        self._release_target()
        for step in self._steps:
            step.vertices.release()
            step.program.release()
        for screen in (self._backdrop, self._present):
            screen.program.release()
            screen.release()
        for buffer in (self._points, self._indices):
            buffer.release()
        for texture in (self._morphs, *self._pictures.values()):
            texture.release()

    # -- inside ----------------------------------------------------------------------------------

    def _draw_head(self, pose: Pose, aspect: float) -> None:
        context = self._context
        weights = np.clip(np.nan_to_num(pose.weights, nan=0.0), 0.0, 1.0).astype(np.float32)
        # mouthClose takes back what jawOpen does to the lips; more would push one over the other.
        weights[CLOSE] = min(weights[CLOSE], weights[JAW])
        active = np.flatnonzero(weights > UNSEEN)
        which = np.zeros(COUNT, np.int32)
        how_much = np.zeros(COUNT, np.float32)
        which[: len(active)] = active
        how_much[: len(active)] = weights[active]
        turn = head_rotation(*np.clip(np.nan_to_num(pose.head), -MOST_DEGREES, MOST_DEGREES))
        view = _view(aspect)
        context.enable(moderngl.DEPTH_TEST)
        context.depth_func = "<="
        self._morphs.use(0)
        for unit, picture in enumerate(self._pictures.values(), start=1):
            picture.use(unit)
        for step in self._steps:
            _set(step.program, "view", view.T)
            _set(step.program, "turn", turn.T)
            _set(step.program, "in_use", len(active))
            _set(step.program, "which", which)
            _set(step.program, "how_much", how_much)
            _set(step.program, "rounded", float(weights[ROUNDED].max()))
            if step.eye is not None:
                side = "Left" if step.eye == 0 else "Right"
                _set(step.program, "eye_turn", self._eye_rotation(weights, step.eye).T)
                _set(step.program, "eye_centre", self.head.eye_centres[step.eye])
                lids = [f"eye{lid}{side}" for lid in ("Blink", "Wide", "LookDown")]
                _set(step.program, "lids", weights[[INDEX[lid] for lid in lids]])
            if step.part == FIRST_BLENDED:  # the wall shows where nothing opaque is in front
                _set(self._backdrop.program, "aspect", aspect)
                self._backdrop.render(moderngl.TRIANGLES, vertices=3)
                context.enable(moderngl.BLEND)
                context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
            step.vertices.render(moderngl.TRIANGLES, vertices=step.count, first=step.first)

    def _eye_rotation(self, weights: npt.NDArray[np.float32], eye: int) -> Matrix:
        side = "Left" if eye == 0 else "Right"
        down, inward, outward, up = (
            float(weights[INDEX[f"eyeLook{way}{side}"]] * turn)
            for way, turn in zip(("Down", "In", "Out", "Up"), self.head.eye_turns[eye], strict=True)
        )
        to_their_left = outward - inward if eye == 0 else inward - outward
        return head_rotation(to_their_left, up - down, 0.0)

    def _step(self, part: str, shader: str, rows: int, eye: int | None = None) -> _Step:
        defines = f"#define PART_{part.upper()}\n"
        program = self._context.program(
            vertex_shader=self._prelude + defines + _source("vertex"),
            fragment_shader=self._prelude + defines + _source("lighting") + _source(shader),
        )
        head = self.head
        _set(program, "morphs", 0)
        for unit, name in enumerate(self._pictures, start=1):
            _set(program, f"{name}_picture", unit)
        _set(program, "rows", rows)
        _set(program, "morphed", head.shapes.shape[1])
        _set(program, "neck", NECK)
        _set(program, "eye_radius", head.eye_radius)
        _set(program, "camera", (0.0, FRAME_MIDDLE_Y, CAMERA_DISTANCE))
        for name, colour in head.colours.items():
            _set(program, f"{name}_colour", colour)
        formats = {"point": "3f", "normal": "3f", "place": "3f", "tone": "4f1"}
        used = [name for name in formats if name in program]
        layout = " ".join(
            formats[name] if name in used else {"3f": "12x", "4f1": "4x"}[formats[name]]
            for name in formats
        )
        vertices = self._context.vertex_array(
            program, [(self._points, layout, *used)], index_buffer=self._indices
        )
        triangles = head.parts[part]
        return _Step(
            part,
            program,
            vertices,
            3 * triangles.start,
            3 * (triangles.stop - triangles.start),
            eye,
        )

    def _screen(self, shader: str) -> moderngl.VertexArray:
        program = self._context.program(
            vertex_shader=self._prelude + _source("screen"),
            fragment_shader=self._prelude + _source("lighting") + _source(shader),
        )
        return self._context.vertex_array(program, [])

    def _release_target(self) -> None:
        if self._target is not None:
            self._target.release()
            self._target = None


class _Target:
    """What the head is drawn into before it is shown: several samples a pixel, if there can be."""

    def __init__(self, context: moderngl.Context, size: tuple[int, int], samples: int) -> None:
        self.size = size
        self.picture = context.texture(size, 4)
        self._depth = context.depth_renderbuffer(size, samples=samples if samples > 1 else 0)
        self._colour: moderngl.Renderbuffer | None = None
        if samples > 1:
            self._colour = context.renderbuffer(size, 4, samples=samples)
            self.drawn = context.framebuffer([self._colour], self._depth)
            self.resolved = context.framebuffer([self.picture])
        else:
            self.drawn = self.resolved = context.framebuffer([self.picture], self._depth)

    def release(self) -> None:
        self.drawn.release()
        if self.resolved is not self.drawn:
            self.resolved.release()
        if self._colour is not None:
            self._colour.release()
        self._depth.release()
        self.picture.release()


def head_rotation(yaw: float, pitch: float, roll: float) -> Matrix:
    """The rotation (3, 3) for degrees to the person's left, up, and to their left shoulder."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    rotation: Matrix = (about_y @ about_x @ about_z).astype(np.float32)
    return rotation


def _view(aspect: float) -> Matrix:
    """The perspective (4, 4) of a camera on the z axis that sees what the frame must show."""
    height = max(FRAME_HEIGHT, FRAME_WIDTH / aspect)
    middle_y = max(FRAME_MIDDLE_Y, FRAME_BOTTOM_Y + height / 2)
    zoom = 2 * CAMERA_DISTANCE / height
    depth = NEAR - FAR
    project = np.array(
        [
            [zoom / aspect, 0, 0, 0],
            [0, zoom, 0, 0],
            [0, 0, (FAR + NEAR) / depth, 2 * FAR * NEAR / depth],
            [0, 0, -1, 0],
        ]
    )
    place = np.eye(4)
    place[:3, 3] = 0.0, -middle_y, -CAMERA_DISTANCE
    return (project @ place).astype(np.float32)


def _prelude(context: moderngl.Context, quality: Quality) -> str:
    version = "#version 330 core\n"
    if "OpenGL ES" in str(context.info["GL_VERSION"]):
        version = "#version 300 es\nprecision highp float;\nprecision highp int;\n"
    return version + (f"#define MORPH_WIDTH {MORPH_WIDTH}\n#define {quality.upper()}\n")


def _source(name: str) -> str:
    return files("goassist_desktop.avatar").joinpath(f"shaders/{name}.glsl").read_text("utf-8")


def _interleaved(head: Head) -> bytes:
    kinds = [("point", "<f4", 3), ("normal", "<f4", 3), ("place", "<f4", 3), ("tone", "u1", 4)]
    vertices = np.zeros(len(head.points), np.dtype(kinds))
    vertices["point"], vertices["normal"] = head.points, head.normals
    vertices["place"], vertices["tone"] = head.places, head.tones
    return vertices.tobytes()


def _morph_texture(context: moderngl.Context, head: Head) -> tuple[moderngl.Texture, int]:
    """The deltas of all shapes, and how many rows of texels each one takes."""
    count, points, _ = head.shapes.shape
    rows = -(-points // MORPH_WIDTH)
    texels = np.zeros((count, 2, rows * MORPH_WIDTH, 4), np.float16)
    texels[:, 0, :points, :3] = head.shapes
    texels[:, 1, :points, :3] = head.shape_normals
    texture = context.texture((MORPH_WIDTH, count * 2 * rows), 4, texels.tobytes(), dtype="f2")
    texture.filter = moderngl.NEAREST, moderngl.NEAREST
    return texture, rows


def _picture(
    context: moderngl.Context, head: Head, name: str, quality: Quality
) -> moderngl.Texture:
    """A picture of the head; in the light variant so small that skin and eyes need no mipmaps."""
    pixels = head.pictures[name]
    if quality == "light":
        pixels = np.asarray(Image.fromarray(pixels).reduce(LIGHT_REDUCTION[name]))
    height, width, channels = pixels.shape
    data = np.ascontiguousarray(pixels).tobytes()
    texture = context.texture((width, height), channels, data, alignment=1)
    if quality == "full":
        texture.build_mipmaps()
        texture.filter = moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR
    elif name == "strands":
        texture.build_mipmaps()
        texture.filter = moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR
    else:
        texture.filter = moderngl.LINEAR, moderngl.LINEAR
    texture.repeat_x = texture.repeat_y = False
    return texture


def _set(program: moderngl.Program, name: str, value: object) -> None:
    """Set a uniform; a shader that has no use for it does not have it."""
    uniform = program.get(name, None)
    if not isinstance(uniform, moderngl.Uniform):
        return
    if isinstance(value, np.ndarray):
        uniform.write(np.ascontiguousarray(value).tobytes())
    else:
        uniform.value = value
