// One triangle over the whole screen.
out vec2 screen;

void main() {
    screen = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
    gl_Position = vec4(screen * 2.0 - 1.0, 1.0, 1.0);
}
