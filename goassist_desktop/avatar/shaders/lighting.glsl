// The lights of the studio, which stand still while the head turns, and how the film takes them.
const vec3 KEY = vec3(-0.468, 0.468, 0.749);
const vec3 FILL = vec3(0.816, 0.048, 0.576);
const vec3 RIM = vec3(0.667, 0.400, -0.628);
const vec3 KEY_COLOUR = vec3(1.00, 0.93, 0.85) * 2.0;
const vec3 FILL_COLOUR = vec3(0.66, 0.78, 1.00) * 0.42;
const vec3 RIM_COLOUR = vec3(0.80, 0.90, 1.00) * 1.3;

vec3 surroundings(vec3 n) {
    return mix(vec3(0.16, 0.13, 0.12), vec3(0.33, 0.36, 0.41), n.y * 0.5 + 0.5);
}

// K. Narkowicz's fit of the ACES curve (2015), then about the display's gamma.
vec3 developed(vec3 light) {
    vec3 c = light * 0.85;
    c = clamp(c * (2.51 * c + 0.03) / (c * (2.43 * c + 0.59) + 0.14), 0.0, 1.0);
    return sqrt(c) * (0.94 + 0.06 * c);
}

// The light variant sees everything from straight ahead, so that half-way vectors are constants.
vec3 to_camera(vec3 at, vec3 camera) {
#ifdef FULL
    return normalize(camera - at);
#else
    return vec3(0.0, 0.0, 1.0);
#endif
}

// A lobe about the mirror direction as a spherical Gaussian (J. Wang et al. 2009), with Schlick's
// Fresnel term for skin, water and enamel alike.
float shine(vec3 n, vec3 v, vec3 l, float sharpness) {
    vec3 h = normalize(v + l);
    float grazing = 1.0 - max(dot(v, h), 0.0);
    float squared = grazing * grazing;
    float fresnel = 0.03 + 0.97 * squared * squared * grazing;
    float lobe = exp2(1.44 * sharpness * (dot(n, h) - 1.0)) * (sharpness + 8.0) / 25.0;
    return lobe * fresnel * max(dot(n, l), 0.0);
}
