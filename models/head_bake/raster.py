"""What the bake lets OpenGL do: depth maps from many sides, values spread over the skin's map."""

from collections.abc import Sequence

import moderngl
import numpy as np

from head_bake.source import Floats, Ints

DEPTH_PIXELS = 768
REACH = 3.6
"""Half the width of what a depth map shows, in decimetres."""
BIAS = 0.016


class Raster:
    def __init__(self) -> None:
        self._context = moderngl.create_context(standalone=True, backend="egl")
        self._depth_program = self._context.program(
            vertex_shader="""#version 330
                in vec3 point; uniform mat4 view;
                void main() { gl_Position = view * vec4(point, 1.0); }""",
            fragment_shader="#version 330\nvoid main() {}",
        )
        self._map_program = self._context.program(
            vertex_shader="""#version 330
                in vec2 place; in float rank; in vec4 value; out vec4 carried;
                void main() {
                    gl_Position = vec4(place * 2.0 - 1.0, rank, 1.0);
                    carried = value;
                }""",
            fragment_shader="""#version 330
                in vec4 carried; out vec4 pixel; void main() { pixel = carried; }""",
        )

    def seen_from(
        self, directions: Floats, points: Floats, scene: Floats, triangles: Ints, middle: Floats
    ) -> Floats:
        """Whether each of `points` (n, 3) sees each direction: (directions, n) in [0, 1]."""
        context = self._context
        vertices = context.buffer(scene.astype("f4").tobytes())
        indices = context.buffer(triangles.astype("u4").tobytes())
        drawn = context.vertex_array(
            self._depth_program, [(vertices, "3f", "point")], index_buffer=indices
        )
        depth = context.depth_texture((DEPTH_PIXELS, DEPTH_PIXELS))
        frame = context.framebuffer(depth_attachment=depth)
        context.enable(moderngl.DEPTH_TEST)
        seen = np.zeros((len(directions), len(points)), np.float32)
        for index, direction in enumerate(directions):
            view = _orthographic(direction, middle)
            self._depth_program["view"].write(view.T.astype("f4").tobytes())
            frame.use()
            frame.clear(depth=1.0)
            drawn.render()
            held = np.frombuffer(depth.read(), "f4").reshape(DEPTH_PIXELS, DEPTH_PIXELS)
            at = np.c_[points, np.ones(len(points))] @ view.T[:, :3]
            place = (at[:, :2] * 0.5 + 0.5) * DEPTH_PIXELS - 0.5
            seen[index] = _compared(held, place, at[:, 2] * 0.5 + 0.5 - BIAS / (2 * REACH))
        for held_by_context in (drawn, vertices, indices, frame, depth):
            held_by_context.release()
        return seen

    def spread(
        self, places: Floats, rank: Floats, values: Sequence[Floats], triangles: Ints, pixels: int
    ) -> Floats:
        """Values of points (n,) interpolated over the map: (pixels, pixels, len(values)).

        Where triangles overlap on the map the one of the highest rank, in (0, 1), is seen.
        """
        context = self._context
        context.enable(moderngl.DEPTH_TEST)
        picture = context.texture((pixels, pixels), 4, dtype="f4")
        depth = context.depth_renderbuffer((pixels, pixels))
        frame = context.framebuffer([picture], depth)
        wraps = np.ptp(places[triangles, 0], axis=1) > 0.5
        indices = context.buffer(triangles[~wraps].astype("u4").tobytes())
        found = []
        for first in range(0, len(values), 4):
            group = list(values[first : first + 4])
            padded = np.stack(group + [np.zeros(len(places))] * (4 - len(group)), axis=1)
            table = np.c_[places[:, 0], places[:, 1], 1 - 2 * rank, padded]
            vertices = context.buffer(table.astype("f4").tobytes())
            drawn = context.vertex_array(
                self._map_program,
                [(vertices, "2f 1f 4f", "place", "rank", "value")],
                index_buffer=indices,
            )
            frame.use()
            frame.clear(depth=1.0)
            drawn.render()
            held = np.frombuffer(picture.read(), "f4").reshape(pixels, pixels, 4)
            found.append(held[:, :, : len(group)])
            drawn.release()
            vertices.release()
        for held_by_context in (indices, frame, picture, depth):
            held_by_context.release()
        return np.concatenate(found, axis=2).astype(float)


def _orthographic(direction: Floats, middle: Floats) -> Floats:
    """Looks at `middle` from where `direction` points to."""
    side = np.cross([0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0], direction)
    side /= np.linalg.norm(side)
    up = np.cross(direction, side)
    view = np.eye(4)
    view[:3, :3] = np.stack([side, up, -direction]) / REACH
    view[:3, 3] = view[:3, :3] @ -middle
    return view


def _compared(held: Floats, place: Floats, depth: Floats) -> Floats:
    """The share of the four nearest texels that are not in front, weighted by distance."""
    low = np.floor(place).astype(int)
    part = place - low
    share = np.zeros(len(place))
    for dx in (0, 1):
        for dy in (0, 1):
            x = np.clip(low[:, 0] + dx, 0, held.shape[1] - 1)
            y = np.clip(low[:, 1] + dy, 0, held.shape[0] - 1)
            weight = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            share += weight * (held[y, x] >= depth)
    return share
