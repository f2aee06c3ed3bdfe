// Ribbons of hair. J. Kajiya, T. Kay (1989): a hair shines across, not along, the way it grows.
in vec3 at;
in vec3 facing;
in vec3 placed;
in vec4 toned;
uniform vec3 camera;
uniform vec3 hair_colour;
uniform vec3 hair_tip_colour;
uniform sampler2D strands_picture;
out vec4 pixel;

const float CUT = 0.22;  // what is more transparent would, in the depth buffer, hide what is behind

float across(float cosine, float sharpness) {
    return exp2(-1.44 * sharpness * cosine * cosine);
}

void main() {
    vec4 strand = texture(strands_picture, placed.xy);
#ifdef PART_LASHES
    if (strand.a < 0.04) discard;
    pixel = vec4(0.05, 0.035, 0.03, min(2.6 * strand.a, 1.0) * (1.0 - 0.5 * toned.w));
#else
    if (strand.a < CUT) discard;
    float cover = smoothstep(CUT - 0.05, 0.65, strand.a);
    vec3 along = normalize(facing);
    vec3 v = to_camera(at, camera);
    float tip = toned.w * 0.65 + 0.35 * strand.r;
    vec3 base = mix(hair_colour, hair_tip_colour, tip) * (0.7 + 0.6 * toned.z);
    float key = dot(along, KEY);
    float between = dot(along, normalize(KEY + v)) + (strand.r - 0.5) * 0.22;
    vec3 light = (1.0 - 0.7 * key * key) * KEY_COLOUR * toned.y;
    light += vec3(0.30, 0.31, 0.34) * toned.x;
    vec3 sheen = across(between, 30.0) * 0.035 + across(between + 0.16, 9.0) * base * 0.9;
    sheen *= KEY_COLOUR * toned.y;
#ifdef FULL
    float back = dot(along, RIM);
    float edge = toned.x * smoothstep(0.2, 0.9, at.x);
    sheen += (1.0 - 0.7 * back * back) * RIM_COLOUR * base * 0.5 * edge;
#endif
    pixel = vec4(developed((base * light + sheen) * (0.4 + 1.0 * strand.r)), cover);
#endif
}
