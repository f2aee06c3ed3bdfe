// Which frame of the face belongs to the sound that is heard at this moment.

import { NAMES, restPose } from "./face.js";

const KEPT_MS = 2000;
const HOLD_MS = 100;
const EASE_MS = 150;
const RATE_PER_MS = 48;

/** Frames as they come, poses as they are due. */
export class FaceClock {
  constructor() {
    this.frames = [];
    this.mapping = null;
    this.receiver = null;
    this.intervals = [];
    this.offsets = [];
    this.lately = [];
    this.lastArrival = 0;
  }

  /** The assistant says which sample is heard when. */
  setClock({ rtp, t_audio_ms: heardMs }) {
    this.mapping = { rtp, heardMs };
  }

  /** A frame came. */
  add(frame) {
    const now = performance.now();
    const weights = NAMES.map((name) => frame.blendshapes[name] ?? 0);
    const entry = { at: frame.t_audio_ms, seq: frame.seq, weights, head: frame.head, heartbeat: frame.heartbeat };
    let place = this.frames.length;
    while (place > 0 && this.frames[place - 1].seq > entry.seq) place--;
    this.frames.splice(place, 0, entry);
    const newest = this.frames[this.frames.length - 1].at;
    while (this.frames.length > 2 && this.frames[0].at < newest - KEPT_MS) this.frames.shift();
    if (!frame.heartbeat && this.wasMoving) push(this.intervals, now - this.lastArrival);
    this.wasMoving = !frame.heartbeat;
    this.lastArrival = now;
  }

  /** Of the assistant's timeline: what is heard now, in ms; null while nobody knows. */
  heardMs() {
    const source = this.receiver?.getSynchronizationSources?.()[0];
    if (!source || !this.mapping) return null;
    const since = performance.timeOrigin + performance.now() - source.timestamp;
    const samples = (source.rtpTimestamp - this.mapping.rtp) | 0;
    return this.mapping.heardMs + samples / RATE_PER_MS + Math.min(Math.max(since, 0), 200);
  }

  /** How much older than its sound the face was since this was last asked, in ms; null: unknown. */
  newOffset() {
    const sorted = this.lately.splice(0).sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : null;
  }

  /** The pose to show now. */
  pose() {
    const frames = this.frames;
    if (!frames.length) return restPose();
    const heard = this.heardMs() ?? frames[frames.length - 1].at;
    let after = frames.findIndex((frame) => frame.at > heard);
    if (after === 0) return frames[0];
    if (after < 0) return this.#stale(frames[frames.length - 1], heard);
    const [a, b] = [frames[after - 1], frames[after]];
    push(this.offsets, heard - a.at);
    push(this.lately, heard - a.at);
    if (b.at - a.at > HOLD_MS + 20) return a;
    const share = (heard - a.at) / (b.at - a.at);
    return mixed(a, b, share);
  }

  /** Nothing new: the last pose, and then rest, by 1 - (1 - t)². */
  #stale(last, heard) {
    const late = heard - last.at - HOLD_MS;
    if (late <= 0) {
      push(this.offsets, heard - last.at);
      return last;
    }
    const t = Math.min(late / EASE_MS, 1);
    return mixed(last, restPose(), 1 - (1 - t) ** 2);
  }
}

function mixed(a, b, share) {
  const between = (x, y) => x + share * (y - x);
  return {
    weights: Float32Array.from(a.weights, (weight, index) => between(weight, b.weights[index])),
    head: a.head.map((degrees, index) => between(degrees, b.head[index])),
  };
}

function push(list, value) {
  list.push(value);
  if (list.length > 3000) list.shift();
}
