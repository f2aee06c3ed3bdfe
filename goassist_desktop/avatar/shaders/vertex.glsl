// Adds the blendshapes in use to a point, turns the eye, then the head about the neck.
in vec3 point;
in vec3 normal;
in vec3 place;
in vec4 tone;

uniform highp sampler2D morphs;
uniform int rows;
uniform int morphed;
uniform int in_use;
uniform int which[52];
uniform float how_much[52];
uniform mat4 view;
uniform mat3 turn;
uniform vec3 neck;
uniform mat3 eye_turn;
uniform vec3 eye_centre;
uniform float eye_radius;

out vec3 at;
out vec3 facing;
out vec3 placed;
out vec4 toned;
out vec3 local;

void main() {
    vec3 p = point;
    vec3 n = normal;
    local = point;
#ifdef PART_EYE
    n = eye_turn * point;
    p = eye_centre + eye_radius * n;
#else
    if (gl_VertexID < morphed) {
        ivec2 texel = ivec2(gl_VertexID % MORPH_WIDTH, gl_VertexID / MORPH_WIDTH);
        for (int i = 0; i < in_use; i++) {
            int row = texel.y + 2 * which[i] * rows;
            p += how_much[i] * texelFetch(morphs, ivec2(texel.x, row), 0).xyz;
            n += how_much[i] * texelFetch(morphs, ivec2(texel.x, row + rows), 0).xyz;
        }
    }
#endif
    float follows = place.z;
    p = mix(p, neck + turn * (p - neck), follows);
    n = mix(n, turn * n, follows);
    at = p;
    facing = n;
    placed = place;
    toned = tone;
    gl_Position = view * vec4(p, 1.0);
}
