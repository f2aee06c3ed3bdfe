// Skin: light that enters comes out redder a little further on, so shadows begin warm.
in vec3 at;
in vec3 facing;
in vec3 placed;
in vec4 toned;
uniform vec3 camera;
uniform mat3 turn;
uniform vec3 lips_colour;
uniform sampler2D skin_picture;
uniform sampler2D detail_picture;
out vec4 pixel;

vec3 scattered(float cosine, vec3 width) {
    return clamp((cosine + width) / (1.0 + width), 0.0, 1.0);
}

void main() {
    vec3 smooth_n = normalize(facing);
    vec3 v = to_camera(at, camera);
    if (!gl_FrontFacing) smooth_n = -smooth_n;
    vec3 painted = texture(skin_picture, placed.xy).rgb;
    vec3 n = smooth_n;
#ifdef FULL
    vec3 detail = texture(detail_picture, placed.xy).rgb - 0.5;
    n = normalize(n + turn * (detail * 0.8));
#endif
    vec3 albedo = painted * painted;
    float open = clamp(toned.x, 0.0, 1.0);
    float lit = clamp(toned.y, 0.0, 1.0);
    float lip = smoothstep(0.25, 0.75, toned.z);
    float inside = toned.w;
    albedo = mix(albedo, lips_colour * (0.5 + 0.95 * painted.g), lip * 0.85);
    albedo = mix(albedo, vec3(0.26, 0.055, 0.05), inside);

    vec3 hidden = vec3(mix(open, sqrt(open), 0.5), open, open * (0.9 + 0.1 * open));
    vec3 shadow = vec3(mix(lit, sqrt(lit), 0.4), lit, lit * (0.85 + 0.15 * lit));
    vec3 diffuse = scattered(dot(n, KEY), vec3(0.32, 0.17, 0.11)) * KEY_COLOUR * shadow;
    diffuse += scattered(dot(n, FILL), vec3(0.36, 0.20, 0.15)) * FILL_COLOUR * hidden;
    diffuse += max(dot(n, RIM), 0.0) * RIM_COLOUR * 0.5;
    diffuse += surroundings(n) * hidden;

    float wet = max(lip, inside);
    float sharpness = mix(13.0, 42.0, wet);
    vec3 sheen = shine(n, v, KEY, sharpness) * lit * KEY_COLOUR;
#ifdef FULL
    sheen += 0.45 * shine(n, v, KEY, sharpness * 4.0) * lit * KEY_COLOUR;
    sheen += shine(n, v, FILL, sharpness) * FILL_COLOUR * open;
#endif
    float grazing = 1.0 - max(dot(smooth_n, v), 0.0);
    grazing *= grazing;
    sheen += grazing * grazing * RIM_COLOUR * 0.3 * max(dot(smooth_n, RIM) + 0.35, 0.0) * open;
    float gloss = mix(0.62, 1.0, wet) * (1.0 - 0.6 * inside);
    gloss *= smoothstep(0.08, 0.42, painted.g);  // hair painted on skin does not shine like it
    gloss *= smoothstep(0.0, 0.45, open);
    pixel = vec4(developed(albedo * diffuse + sheen * gloss), 1.0);
}
