// How long everything took: what the assistant measured, and what the way here adds.

const SHOWN = [
  ["felt", "Answer heard after", 900],
  ["ttfa", "First sound after deciding", 250],
  ["barge_in", "Silent after you spoke up", 250],
];
const KEPT = 24;

/** The meters, and the way between here and the assistant. */
export class Latency {
  constructor(list, way) {
    this.way = way;
    this.rows = new Map(SHOWN.map(([name, label, limit]) => [name, new Row(list, label, limit)]));
    this.roundTripMs = 0;
    this.bufferMs = 0;
    this.before = null;
  }

  /** A turn is over. */
  turn(turn) {
    if (turn.retold) return;
    const gap = turn.intervals_ms.response_gap;
    if (gap !== null) this.rows.get("felt").add(gap + this.roundTripMs / 2);
    if (turn.intervals_ms.ttfa !== null) this.rows.get("ttfa").add(turn.intervals_ms.ttfa);
    for (const one of turn.barge_ins) this.rows.get("barge_in").add(one.latency_ms + this.roundTripMs / 2);
  }

  /** Look at the connection: how much later a sample is heard here than it left there, in ms. */
  async look(peer) {
    const stats = await peer.getStats();
    for (const one of stats.values()) {
      if (one.type === "candidate-pair" && one.nominated && one.currentRoundTripTime !== undefined) {
        this.roundTripMs = one.currentRoundTripTime * 1000;
      }
      if (one.type === "inbound-rtp" && one.kind === "audio" && one.jitterBufferEmittedCount) {
        const { jitterBufferDelay: delay, jitterBufferEmittedCount: count } = one;
        const [delayBefore, countBefore] = this.before ?? [0, 0];
        if (count > countBefore) this.bufferMs = (delay - delayBefore) / (count - countBefore) * 1000;
        this.before = [delay, count];
        this.lost = one.packetsLost;
      }
    }
    this.way.textContent =
      `Way there and back ${Math.round(this.roundTripMs)} ms · held back here ${Math.round(this.bufferMs)} ms`;
    return this.roundTripMs / 2 + this.bufferMs;
  }

  forget() {
    this.before = null;
  }
}

class Row {
  constructor(list, label, limit) {
    this.limit = limit;
    this.values = [];
    const name = document.createElement("dt");
    name.textContent = label;
    this.value = document.createElement("dd");
    this.value.textContent = "–";
    this.graph = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.graph.setAttribute("viewBox", "0 0 120 28");
    this.graph.setAttribute("preserveAspectRatio", "none");
    this.graph.setAttribute("aria-hidden", "true");
    const box = document.createElement("div");
    box.append(name, this.value, this.graph);
    list.append(box);
  }

  add(ms) {
    this.values.push(ms);
    if (this.values.length > KEPT) this.values.shift();
    this.value.textContent = `${Math.round(ms)} ms`;
    this.value.classList.toggle("over", ms > this.limit);
    const most = Math.max(this.limit * 1.4, ...this.values);
    const y = (value) => 27 - 26 * value / most;
    const step = 120 / KEPT;
    const bars = this.values.map((value, index) => {
      const bar = shape("rect", { x: index * step + 0.5, y: y(value), width: step - 1, height: 27 - y(value) });
      if (value > this.limit) bar.setAttribute("class", "over");
      return bar;
    });
    const line = shape("line", { x1: 0, x2: 120, y1: y(this.limit), y2: y(this.limit) });
    this.graph.replaceChildren(...bars, line);
  }
}

function shape(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
