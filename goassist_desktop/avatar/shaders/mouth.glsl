// Teeth, gums and tongue, in the dark of the mouth.
in vec3 at;
in vec3 facing;
in vec3 placed;
in vec4 toned;
uniform vec3 camera;
uniform float rounded;
out vec4 pixel;

void main() {
    vec3 n = normalize(facing);
    vec3 v = to_camera(at, camera);
    n = dot(n, v) < 0.0 ? -n : n;
    float flesh = toned.z;
    float open = max(toned.x, 0.0) * (1.0 - 0.45 * rounded);  // lips in front keep light out
    vec3 albedo = mix(vec3(0.84, 0.76, 0.63), vec3(0.42, 0.13, 0.12), flesh);
    vec3 diffuse = (max(dot(n, KEY) * 0.7 + 0.3, 0.0) * KEY_COLOUR * 0.65 + surroundings(n)) * open;
    vec3 sheen = shine(n, v, KEY, 60.0) * KEY_COLOUR + shine(n, v, FILL, 60.0) * FILL_COLOUR;
    pixel = vec4(developed(albedo * diffuse + sheen * open), 1.0);
}
