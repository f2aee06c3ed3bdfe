// Knitted cloth: matt, with a soft edge where its fibres catch the light.
in vec3 at;
in vec3 facing;
in vec3 placed;
in vec4 toned;
in vec3 local;
uniform vec3 camera;
uniform vec3 cloth_colour;
out vec4 pixel;

void main() {
    vec3 n = normalize(facing);
    vec3 v = to_camera(at, camera);
    n = dot(n, v) < 0.0 ? -n : n;
    float open = clamp(toned.x, 0.0, 1.0);
    float lit = clamp(toned.y, 0.0, 1.0);
    float weave = 1.0;
#ifdef FULL
    // Rows of stitches on the body; ribs across the collar. Both fade before they alias.
    vec2 stitch = local.xy * vec2(230.0, 190.0);
    float ribs = atan(local.x, local.z + 0.95) * 70.0;
    float phase = mix(stitch.x + 1.2 * sin(stitch.y), ribs, step(0.5, toned.z));
    float fade = 1.0 - smoothstep(0.6, 2.2, fwidth(phase));
    weave += fade * (0.13 * sin(phase) * mix(0.6 + 0.4 * sin(stitch.y), 1.0, step(0.5, toned.z)));
#endif
    vec3 light = max(dot(n, KEY) * 0.8 + 0.2, 0.0) * KEY_COLOUR * lit;
    light += max(dot(n, FILL) * 0.8 + 0.2, 0.0) * FILL_COLOUR * open + surroundings(n) * open;
    float fuzz = 1.0 - abs(dot(n, v));
    fuzz *= fuzz * fuzz;
    vec3 caught = KEY_COLOUR * 0.3 * lit + RIM_COLOUR * max(dot(n, RIM) + 0.3, 0.0);
    vec3 colour = cloth_colour * light + fuzz * (cloth_colour + 0.01) * caught;
    pixel = vec4(developed(colour * weave), 1.0);
}
