// An eye: the iris lies behind the cornea, the lids shade the white, tears mirror the lights.
in vec3 at;
in vec3 facing;
in vec3 local;
uniform vec3 camera;
uniform mat3 turn;
uniform mat3 eye_turn;
uniform vec3 lids;  // how far the blink, the wide eye and the look down have gone
uniform sampler2D iris_picture;
out vec4 pixel;

const float IRIS = 0.49;
const vec3 WINDOW = vec3(-0.335, 0.265, 0.904);  // where the key light is mirrored: its lower half

void main() {
    vec3 n = normalize(facing);
    vec3 v = normalize(camera - at);
    vec3 d = normalize(local);
    vec3 seen = (v * turn) * eye_turn;
    float r = length(d.xy);
    float depth = 0.26 * sqrt(max(1.0 - r * r / (IRIS * IRIS), 0.0));
    vec2 behind = d.xy - seen.xy / max(seen.z, 0.5) * depth;
    float rim = step(0.0, d.z) * (1.0 - smoothstep(IRIS - 0.035, IRIS + 0.02, r));
    vec3 iris = texture(iris_picture, 0.5 + 0.5 * behind / IRIS).rgb;
    iris *= iris;
    float corner = smoothstep(0.6, 1.0, abs(d.x));
    vec3 white = mix(vec3(0.60, 0.56, 0.53), vec3(0.55, 0.40, 0.36), corner);
    vec3 albedo = mix(white, iris, rim);

    vec3 in_head = n * turn;
    float upper = 0.50 - 0.95 * lids.x + 0.12 * lids.y - 0.2 * lids.z;
    float open = 1.0 - smoothstep(upper - 0.62, upper + 0.06, in_head.y);
    open *= smoothstep(-0.62, -0.30, in_head.y) * 0.45 + 0.55;
    open *= 1.0 - 0.55 * smoothstep(0.55, 0.95, abs(in_head.x));
    vec3 light = max(dot(n, KEY) * 0.75 + 0.25, 0.0) * KEY_COLOUR * 0.75 + surroundings(n) * 0.9;
    vec3 colour = albedo * light * open;
    // Light that the cornea bends falls on the side of the iris away from the lamp.
    colour += iris * rim * 0.35 * max(-dot(d.xy, vec2(-0.5, 0.6)), 0.0) * KEY_COLOUR * open;

    vec3 bulge = vec3(d.xy * (1.0 + 0.45 * (1.0 - smoothstep(0.25, 0.62, r))), d.z);
    vec3 wet = turn * (eye_turn * normalize(bulge));
    vec3 mirrored = reflect(-v, wet);
    float window = smoothstep(0.966, 0.980, dot(mirrored, WINDOW));
    float soft = smoothstep(0.90, 0.99, dot(mirrored, FILL));
    vec3 seen_in_tears = window * KEY_COLOUR * 0.9 + soft * FILL_COLOUR * 0.25;
    seen_in_tears += 0.025 * surroundings(mirrored);
    colour += seen_in_tears * smoothstep(0.1, 0.6, open);
    pixel = vec4(developed(colour), 1.0);
}
