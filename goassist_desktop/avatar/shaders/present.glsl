// The finished picture: edges smoothed where there were not several samples a pixel, a vignette,
// and noise below one step of brightness against banding.
in vec2 screen;
uniform sampler2D picture;
uniform vec2 texel;
uniform bool smooth_edges;
out vec4 pixel;

float luma(vec3 c) {
    return dot(c, vec3(0.3, 0.6, 0.1));
}

float beside(int x, int y) {
    ivec2 place = ivec2(gl_FragCoord.xy) + ivec2(x, y);
    return luma(texelFetch(picture, clamp(place, ivec2(0), textureSize(picture, 0) - 1), 0).rgb);
}

vec3 on_both_sides(vec2 away) {
    return texture(picture, screen - away).rgb + texture(picture, screen + away).rgb;
}

// After T. Lottes, "FXAA" (2009): blurs along an edge, as far as its contrast tells its direction.
vec3 smoothed(vec3 middle) {
    float nw = beside(-1, -1), ne = beside(1, -1), sw = beside(-1, 1), se = beside(1, 1);
    float m = luma(middle);
    float low = min(m, min(min(nw, ne), min(sw, se)));
    float high = max(m, max(max(nw, ne), max(sw, se)));
    if (high - low < max(0.04, high * 0.12)) return middle;
    vec2 along = vec2(sw + se - nw - ne, nw + sw - ne - se);
    float least = min(abs(along.x), abs(along.y)) + max((nw + ne + sw + se) * 0.03, 0.008);
    along = clamp(along / least, -4.0, 4.0) * texel;
    vec3 near = 0.5 * on_both_sides(along / 6.0);
    vec3 both = 0.5 * near + 0.25 * on_both_sides(along * 0.5);
    float there = luma(both);
    return there < low || there > high ? near : both;
}

void main() {
    vec3 colour = texelFetch(picture, ivec2(gl_FragCoord.xy), 0).rgb;
    if (smooth_edges) colour = smoothed(colour);
    vec2 from = screen - 0.5;
    colour *= 1.0 - 0.35 * dot(from, from);
    float grain = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
    pixel = vec4(colour + (grain - 0.5) / 255.0, 1.0);
}
