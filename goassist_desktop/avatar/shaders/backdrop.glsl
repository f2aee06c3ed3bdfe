// A studio wall: lit behind the shoulders, darker to the corners.
in vec2 screen;
uniform float aspect;
out vec4 pixel;

void main() {
    vec2 from = (screen - vec2(0.56, 0.55)) * vec2(max(aspect, 1.0) * 0.9, 1.0);
    float fall = exp2(-3.75 * dot(from, from));
    pixel = vec4(developed(mix(vec3(0.012, 0.016, 0.022), vec3(0.085, 0.10, 0.115), fall)), 1.0);
}
