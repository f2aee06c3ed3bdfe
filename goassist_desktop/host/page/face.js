// The head, drawn as the window draws it: by the same shaders, from the same numbers. But the
// blendshapes are added here: a graphics card could do it too, and a processor that stands in for
// one takes fifty times as long.

const VERTEX = { floats: 10, bytes: 40 };
const FRAME = { height: 3.62, width: 2.75, middleY: -0.36, bottomY: -2.6, distance: 11 };
const NECK = [0, -1.15, -0.75];
const NEAR = 4, FAR = 20;
const UNSEEN = 1e-3;
const MOST_DEGREES = 60;
const STEPS = [
  ["skin", "skin"], ["mouth", "mouth"], ["cloth", "cloth"], ["eye", "eye", 0], ["eye", "eye", 1],
  ["lashes", "strand"], ["hair", "strand"],
];
const PICTURES = { skin: "jpg", detail: "jpg", iris: "jpg", strands: "png" };
const SCALE = { most: 0.6, least: 0.3 };
const COST_MS = { low: 8, high: 16 };
const IN_SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

/** Order of the blendshapes in the head's file. */
export const NAMES = [
  "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
  "eyeSquintLeft", "eyeWideLeft",
  "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
  "eyeSquintRight", "eyeWideRight",
  "jawForward", "jawRight", "jawLeft", "jawOpen",
  "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft",
  "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
  "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
  "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
  "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
  "mouthUpperUpLeft", "mouthUpperUpRight",
  "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
  "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
  "tongueOut",
];
const INDEX = Object.fromEntries(NAMES.map((name, index) => [name, index]));

/** A face at rest: weights in the order of NAMES, and degrees of yaw, pitch and roll. */
export function restPose() {
  return { weights: new Float32Array(NAMES.length), head: [0, 0, 0] };
}

/** Draws one person's head into a canvas. */
export class Face {
  /** Resolves when it can draw. Rejects where there is no WebGL2. */
  static async open(canvas, person) {
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, depth: false });
    if (!gl) throw new Error("no WebGL2");
    const [head, shaders, pictures] = await Promise.all([
      loadHead(person), loadShaders(), loadPictures(person),
    ]);
    return new Face(gl, canvas, head, shaders, pictures);
  }

  constructor(gl, canvas, head, shaders, pictures) {
    this.gl = gl;
    this.canvas = canvas;
    this.head = head;
    this.lost = false;
    this.frames = 0;
    const info = gl.getExtension("WEBGL_debug_renderer_info");
    this.renderer = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
    this.light = IN_SOFTWARE.test(this.renderer);
    this.scale = this.light ? SCALE.most : 1;
    this.costMs = 0;
    this.fence = null;
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.lost = true;
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.#build(shaders, pictures);
      this.lost = false;
    });
    this.#build(shaders, pictures);
  }

  /** Draw a pose, in the size the canvas has on the page. */
  draw(pose) {
    if (this.lost) return;
    const gl = this.gl;
    const ratio = Math.min(window.devicePixelRatio || 1, 2) * this.scale;
    const width = Math.max(16, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(16, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height || !this.target) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.#makeTarget(width, height);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target.drawn);
    gl.viewport(0, 0, width, height);
    gl.depthMask(true);
    gl.clear(gl.DEPTH_BUFFER_BIT | gl.COLOR_BUFFER_BIT);
    gl.disable(gl.BLEND);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    this.#drawHead(pose, width / height);
    gl.disable(gl.DEPTH_TEST);
    gl.disable(gl.BLEND);
    if (this.target.samples > 1) {
      gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.target.drawn);
      gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, this.target.resolved);
      gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    const present = this.present;
    gl.useProgram(present.program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.target.picture);
    gl.uniform1i(present.at("picture"), 0);
    gl.uniform2f(present.at("texel"), 1 / width, 1 / height);
    gl.uniform1i(present.at("smooth_edges"), this.target.samples > 1 ? 0 : 1);
    gl.bindVertexArray(null);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    this.frames += 1;
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    this.drawnAt = performance.now();
    gl.flush();
  }

  /** Whether the last picture is finished. Where that takes long, the next ones are smaller. */
  ready() {
    if (this.lost) return false;
    if (!this.fence) return true;
    const gl = this.gl;
    if (gl.getSyncParameter(this.fence, gl.SYNC_STATUS) !== gl.SIGNALED) return false;
    gl.deleteSync(this.fence);
    this.fence = null;
    this.costMs += 0.2 * (performance.now() - this.drawnAt - this.costMs);
    if (this.light && this.frames % 10 === 0) {
      if (this.costMs > COST_MS.high) this.scale = Math.max(SCALE.least, this.scale * 0.85);
      else if (this.costMs < COST_MS.low) this.scale = Math.min(SCALE.most, this.scale * 1.1);
    }
    return true;
  }

  #drawHead(pose, aspect) {
    const gl = this.gl;
    const weights = Float32Array.from(pose.weights, (w) => Math.min(Math.max(w || 0, 0), 1));
    // mouthClose takes back what jawOpen does to the lips; more would push one over the other.
    weights[INDEX.mouthClose] = Math.min(weights[INDEX.mouthClose], weights[INDEX.jawOpen]);
    this.#move(weights);
    const turn = rotation(...pose.head.map((d) => Math.min(Math.max(d || 0, -MOST_DEGREES), MOST_DEGREES)));
    const view = camera(aspect);
    const rounded = Math.max(weights[INDEX.mouthFunnel], weights[INDEX.mouthPucker]);
    for (const step of this.steps) {
      const { program, at } = step;
      if (step.part === "lashes") this.#drawWall(aspect);
      gl.useProgram(program);
      gl.uniformMatrix4fv(at("view"), true, view);
      gl.uniformMatrix3fv(at("turn"), true, turn);
      gl.uniform1f(at("rounded"), rounded);
      if (step.eye !== undefined) {
        const side = step.eye === 0 ? "Left" : "Right";
        gl.uniformMatrix3fv(at("eye_turn"), true, this.#eyeTurn(weights, step.eye));
        gl.uniform3fv(at("eye_centre"), this.head.eye_centres[step.eye]);
        gl.uniform3f(at("lids"), ...["Blink", "Wide", "LookDown"].map((lid) => weights[INDEX[`eye${lid}${side}`]]));
      }
      this.#bindTextures();
      gl.bindVertexArray(step.vertices);
      gl.drawElements(gl.TRIANGLES, step.count, gl.UNSIGNED_SHORT, step.first * 2);
    }
  }

  /** Add the blendshapes to the points they move. */
  #move(weights) {
    const { head, moved } = this;
    moved.set(head.still);
    let entry = 0;
    head.moved.forEach((count, shape) => {
      const weight = weights[shape];
      const end = entry + count;
      if (weight <= UNSEEN) {
        entry = end;
        return;
      }
      for (; entry < end; entry++) {
        const to = head.movedPoints[entry] * VERTEX.floats;
        const from = entry * 6;
        for (let n = 0; n < 6; n++) moved[to + n] += weight * head.deltas[from + n];
      }
    });
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, moved);
  }

  /** The wall shows where nothing opaque is in front. */
  #drawWall(aspect) {
    const gl = this.gl;
    gl.useProgram(this.backdrop.program);
    gl.uniform1f(this.backdrop.at("aspect"), aspect);
    gl.bindVertexArray(null);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  }

  #bindTextures() {
    const gl = this.gl;
    // The finished picture must not be read while it is drawn into.
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.pictures.skin);
    Object.values(this.pictures).forEach((texture, index) => {
      gl.activeTexture(gl.TEXTURE1 + index);
      gl.bindTexture(gl.TEXTURE_2D, texture);
    });
  }

  #eyeTurn(weights, eye) {
    const side = eye === 0 ? "Left" : "Right";
    const [down, inward, outward, up] = ["Down", "In", "Out", "Up"].map(
      (way, index) => weights[INDEX[`eyeLook${way}${side}`]] * this.head.eye_turns[eye][index]);
    return rotation(eye === 0 ? outward - inward : inward - outward, up - down, 0);
  }

  #build(shaders, pictures) {
    const gl = this.gl;
    const head = this.head;
    this.target = this.fence = null;
    this.points = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
    gl.bufferData(gl.ARRAY_BUFFER, head.vertices, gl.DYNAMIC_DRAW);
    this.moved = head.still.slice();
    this.triangles = gl.createBuffer();
    gl.bindVertexArray(null);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.triangles);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, head.triangles, gl.STATIC_DRAW);
    this.pictures = {};
    for (const [name, bitmap] of Object.entries(pictures)) {
      this.pictures[name] = pictureTexture(gl, bitmap);
    }
    const prelude = `#version 300 es\nprecision highp float;\nprecision highp int;\n` +
      `#define MORPH_WIDTH 1\n#define ${this.light ? "LIGHT" : "FULL"}\n`;
    const screen = (name) => makeProgram(gl, prelude + shaders.screen, prelude + shaders.lighting + shaders[name]);
    this.backdrop = screen("backdrop");
    this.present = screen("present");
    this.steps = STEPS.map(([part, shader, eye]) => {
      const defines = `#define PART_${part.toUpperCase()}\n`;
      const made = makeProgram(gl, prelude + defines + shaders.vertex,
        prelude + defines + shaders.lighting + shaders[shader]);
      gl.useProgram(made.program);
      Object.keys(pictures).forEach((name, index) => gl.uniform1i(made.at(`${name}_picture`), index + 1));
      gl.uniform1i(made.at("morphed"), 0);
      gl.uniform3f(made.at("neck"), ...NECK);
      gl.uniform1f(made.at("eye_radius"), head.eye_radius);
      gl.uniform3f(made.at("camera"), 0, FRAME.middleY, FRAME.distance);
      for (const [name, colour] of Object.entries(head.colours)) {
        gl.uniform3fv(made.at(`${name}_colour`), colour);
      }
      const vertices = gl.createVertexArray();
      gl.bindVertexArray(vertices);
      gl.bindBuffer(gl.ARRAY_BUFFER, this.points);
      [["point", 3, gl.FLOAT, 0], ["normal", 3, gl.FLOAT, 12], ["place", 3, gl.FLOAT, 24],
        ["tone", 4, gl.UNSIGNED_BYTE, 36]].forEach(([name, size, type, offset]) => {
        const location = gl.getAttribLocation(made.program, name);
        if (location < 0) return;
        gl.enableVertexAttribArray(location);
        gl.vertexAttribPointer(location, size, type, type === gl.UNSIGNED_BYTE, VERTEX.bytes, offset);
      });
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.triangles);
      gl.bindVertexArray(null);
      const [start, stop] = head.parts[part];
      return { part, eye, vertices, first: 3 * start, count: 3 * (stop - start), ...made };
    });
  }

  #makeTarget(width, height) {
    const gl = this.gl;
    if (this.target) {
      Object.values(this.target.owned).forEach(([free, thing]) => gl[free](thing));
    }
    const samples = this.light ? 1 : Math.min(4, gl.getParameter(gl.MAX_SAMPLES));
    const picture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, picture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height);
    clampTexture(gl, gl.LINEAR);
    const depth = gl.createRenderbuffer();
    gl.bindRenderbuffer(gl.RENDERBUFFER, depth);
    gl.renderbufferStorageMultisample(gl.RENDERBUFFER, samples > 1 ? samples : 0, gl.DEPTH_COMPONENT24, width, height);
    const resolved = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, resolved);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, picture, 0);
    const owned = [["deleteTexture", picture], ["deleteRenderbuffer", depth], ["deleteFramebuffer", resolved]];
    let drawn = resolved;
    if (samples > 1) {
      const colour = gl.createRenderbuffer();
      gl.bindRenderbuffer(gl.RENDERBUFFER, colour);
      gl.renderbufferStorageMultisample(gl.RENDERBUFFER, samples, gl.RGBA8, width, height);
      drawn = gl.createFramebuffer();
      gl.bindFramebuffer(gl.FRAMEBUFFER, drawn);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, colour);
      owned.push(["deleteRenderbuffer", colour], ["deleteFramebuffer", drawn]);
    }
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, depth);
    this.target = { picture, drawn, resolved, samples, owned };
  }
}

// -- from the files -------------------------------------------------------------------------------

async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response;
}

async function loadShaders() {
  const names = ["vertex", "screen", "lighting", "backdrop", "present", "skin", "mouth", "cloth", "eye", "strand"];
  const texts = await Promise.all(names.map(async (name) => (await fetched(`/shaders/${name}.glsl`)).text()));
  return Object.fromEntries(names.map((name, index) => [name, `${texts[index]}\n`]));
}

async function loadPictures(person) {
  const entries = await Promise.all(Object.entries(PICTURES).map(async ([name, kind]) => {
    const blob = await (await fetched(`/heads/${person}-${name}.${kind}`)).blob();
    const options = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
    return [name, await createImageBitmap(blob, options)];
  }));
  return Object.fromEntries(entries);
}

async function loadHead(person) {
  const buffer = await (await fetched(`/heads/${person}.bin`)).arrayBuffer();
  const view = new DataView(buffer);
  const length = view.getUint32(4, true);
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  let place = 8 + length;
  const sections = about.lengths.map((bytes) => {
    place += -place & 3;
    const start = place;
    place += bytes;
    return [start, bytes];
  });
  const [vertices, triangles, moved, deltas] = sections;
  return {
    ...about,
    vertices: new Uint8Array(buffer, ...vertices),
    still: new Float32Array(buffer.slice(vertices[0], vertices[0] + about.morphed * VERTEX.bytes)),
    triangles: new Uint16Array(buffer, triangles[0], triangles[1] / 2),
    movedPoints: new Uint16Array(buffer, moved[0], moved[1] / 2),
    deltas: Float32Array.from(new Uint16Array(buffer, deltas[0], deltas[1] / 2), half),
  };
}

/** A half float's bits as a number. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = bits >> 10 & 31;
  const fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

function pictureTexture(gl, bitmap) {
  const texture = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.generateMipmap(gl.TEXTURE_2D);
  clampTexture(gl, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  return texture;
}

function clampTexture(gl, filter) {
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
}

function makeProgram(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(gl.getShaderInfoLog(shader));
    }
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(gl.getProgramInfoLog(program));
  }
  const places = new Map();
  const at = (name) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
    return places.get(name);
  };
  return { program, at };
}

// -- matrices, row by row -------------------------------------------------------------------------

/** For degrees to the person's left, up, and to their left shoulder: about y, then x, then z. */
function rotation(yaw, pitch, roll) {
  const [y, p, r] = [yaw, pitch, roll].map((degrees) => degrees * Math.PI / 180);
  const [cy, sy, cp, sp, cr, sr] = [Math.cos(y), Math.sin(y), Math.cos(p), Math.sin(p), Math.cos(r), Math.sin(r)];
  return multiplied(
    multiplied([cy, 0, sy, 0, 1, 0, -sy, 0, cy], [1, 0, 0, 0, cp, sp, 0, -sp, cp]),
    [cr, -sr, 0, sr, cr, 0, 0, 0, 1]);
}

function multiplied(a, b) {
  const product = [];
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) {
      product.push(a[3 * row] * b[column] + a[3 * row + 1] * b[3 + column] + a[3 * row + 2] * b[6 + column]);
    }
  }
  return product;
}

/** The perspective of a camera on the z axis that sees what the frame must show. */
function camera(aspect) {
  const height = Math.max(FRAME.height, FRAME.width / aspect);
  const middleY = Math.max(FRAME.middleY, FRAME.bottomY + height / 2);
  const zoom = 2 * FRAME.distance / height;
  const depth = NEAR - FAR;
  const [far, near] = [(FAR + NEAR) / depth, 2 * FAR * NEAR / depth];
  return [
    zoom / aspect, 0, 0, 0,
    0, zoom, 0, -zoom * middleY,
    0, 0, far, near - far * FRAME.distance,
    0, 0, -1, FRAME.distance,
  ];
}
