// The page as a whole: what is pressed, what is shown.

import { isPaired, pair, Refused } from "./api.js";
import { Call } from "./call.js";
import { Devices, Level } from "./devices.js";
import { hearsLoudspeaker } from "./echo.js";
import { Face, NAMES } from "./face.js";
import { Latency } from "./latency.js";
import { FaceClock } from "./sync.js";
import { Transcript } from "./transcript.js";

const $ = (id) => document.getElementById(id);
const STATES = {
  off: "Ready to talk", connecting: "Connecting …", waiting: "Waiting", lost: "Connection lost",
  idle: "One moment …", listening: "Listening", thinking: "Thinking …", speaking: "Speaking",
  held: "Listening to you", interrupted: "Listening to you",
};
const CALM_FRAME_MS = 33;
/** Drawn in software, the face leaves the processor to the sound: so much longer it waits. */
const BUSY = 3;
const SLOWEST_MS = 200;
const NOTICE_MS = 8000;
const FALSE_STOPS = 2;
const DRAINED_MS = 300;

const transcript = new Transcript($("transcript"), $("caption"), $("empty"));
const latency = new Latency($("latency"), $("way"));
const clock = new FaceClock();
const devices = new Devices($("microphones"), $("loudspeakers"), onDevice);
const call = new Call({ phase: onPhase, message: onMessage, face: (frame) => clock.add(frame), sound: onSound });

let face = null;
let person = "";
let level = null;
let stream = null;
let muted = false;
let measuring = 0;
let headphones = false;
let falseStops = 0;
let hushed = 0;

/** For tests, and for whoever looks into it. */
window.goassist = {
  names: NAMES,
  receive: onMessage,
  show: (frame) => clock.add(frame),
  figures: () => ({
    intervals: clock.intervals, offsets: clock.offsets, drawn: face?.frames ?? 0,
    costMs: face?.costMs ?? 0, scale: face?.scale ?? 0,
    renderer: face?.renderer ?? "none", heardMs: clock.heardMs(), roundTripMs: latency.roundTripMs,
    bufferMs: latency.bufferMs, headphones, session: call.sessionId,
  }),
};

// -- pairing --------------------------------------------------------------------------------------

async function begin() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (location.hash) history.replaceState(null, "", location.pathname);
  if (code) await pair(code).catch((error) => { $("pair-error").textContent = told(error); });
  try {
    show(await isPaired());
  } catch (error) {
    $("pair-error").textContent = told(error);
    show(false);
  }
}

function show(paired) {
  $("pair").hidden = paired;
  $("talk").hidden = !paired;
  if (!paired) return $("code").focus();
  showFace("mira");
  if (sessionStorage.getItem("session")) talk();
  else $("call").focus();
}

function told(error) {
  if (!(error instanceof Refused)) return "The assistant can not be reached.";
  return error.status === 429 ? `Too many tries. Try again in ${error.retryAfter} s.` : error.message;
}

$("pair-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("pair-error").textContent = "";
  try {
    await pair($("code").value);
    show(true);
  } catch (error) {
    $("pair-error").textContent = told(error);
    $("code").select();
  }
});

// -- the call -------------------------------------------------------------------------------------

async function talk() {
  setState("connecting");
  try {
    stream = await devices.microphone();
  } catch (error) {
    notice("error", error.message, true);
    return setState("off");
  }
  watchLevel();
  call.start(stream).then(checkEcho);
}

/** Without an echo there is nothing to cancel. Only Chromium gives one microphone twice. */
async function checkEcho() {
  if (!navigator.userAgentData?.brands.some(({ brand }) => brand === "Chromium")) return;
  falseStops = 0;
  const plain = await devices.microphone(false).catch(() => null);
  if (!plain) return;
  if (await hearsLoudspeaker(plain).catch(() => true) || !stream) {
    plain.getTracks().forEach((track) => track.stop());
    return;
  }
  await listenTo(plain, true);
}

async function listenTo(next, uncancelled = false) {
  const before = stream;
  stream = next;
  headphones = uncancelled;
  watchLevel();
  await call.use(stream);
  before?.getTracks().forEach((track) => track.stop());
}

/** Stopped by a sound without words, again and again: it may be its own voice after all. */
async function onFalseStop() {
  falseStops += 1;
  if (!headphones || falseStops < FALSE_STOPS) return;
  headphones = false;
  const cleaned = await devices.microphone().catch(() => null);
  if (cleaned) await listenTo(cleaned);
}

async function hangUp() {
  stream?.getTracks().forEach((track) => track.stop());
  level?.close();
  level = stream = null;
  await call.end();
  transcript.clear();
}

function onPhase(phase, detail) {
  clearInterval(measuring);
  if (phase === "connected") {
    latency.forget();
    measuring = setInterval(measure, 1000);
    $("notices").replaceChildren();
    if (muted) call.send({ type: "mute", muted });
    return;
  }
  if (phase === "waiting") {
    setState("waiting", detail === 1 ? "You are next" : `Place ${detail} in the queue`);
  } else if (phase === "ended") {
    if (detail) notice("error", detail, true);
    setState("off");
  } else {
    if (phase === "lost") notice("warning", `${detail} Trying again …`);
    setState(phase);
  }
}

function onMessage(message) {
  switch (message.type) {
    case "hello":
      document.body.dataset.persona = message.persona;
      showFace(message.head);
      break;
    case "state":
      if (message.state === "speaking" && document.body.dataset.state === "held") onFalseStop();
      hush(message.state);
      setState(message.state);
      break;
    case "partial":
      transcript.partial(message.text);
      break;
    case "user":
      if (message.final) transcript.said(message.text);
      else transcript.partial(message.text);
      break;
    case "reply":
      transcript.reply(message.turn_id, message.text, message.heard);
      break;
    case "turn":
      transcript.turn(message);
      latency.turn(message);
      break;
    case "notice":
      notice(message.level, message.text);
      break;
    case "load":
      if (message.text) notice("info", message.text);
      break;
    case "clock":
      clock.setClock(message);
      break;
  }
}

/** Silent at once when the assistant stops, without what the browser still holds back of it. */
function hush(state) {
  const voice = $("voice");
  clearTimeout(hushed);
  if (state === "held" || state === "interrupted") voice.muted = true;
  else if (state === "speaking") voice.muted = false;
  else hushed = setTimeout(() => { voice.muted = false; }, DRAINED_MS);
}

function stop() {
  hush("interrupted");
  call.send({ type: "stop" });
}

function onSound(sound) {
  clock.receiver = call.receiver;
  const voice = $("voice");
  voice.srcObject = sound;
  devices.apply(voice);
  voice.play().catch(() => notice("warning", "The browser plays no sound before you press something."));
}

async function measure() {
  if (!call.peer) return;
  const delayMs = await latency.look(call.peer).catch(() => null);
  if (delayMs !== null) call.send({ type: "playout", delay_ms: delayMs, face_ms: clock.newOffset() });
}

async function onDevice(kind, id) {
  if (kind === "audiooutput") return devices.apply($("voice"));
  if (!stream) return;
  try {
    await listenTo(await devices.microphone());
    await checkEcho();
  } catch (error) {
    notice("error", error.message);
  }
}

// -- what is pressed ------------------------------------------------------------------------------

$("call").addEventListener("click", () => {
  if (document.body.dataset.state === "off") talk();
  else if (document.body.dataset.state === "speaking") stop();
});
$("stop").addEventListener("click", stop);
$("mute").addEventListener("click", toggleMute);
$("end").addEventListener("click", hangUp);
$("captions").addEventListener("change", (event) => {
  $("stage").classList.toggle("captionless", !event.target.checked);
});
$("type").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("line").value.trim();
  if (text) call.send({ type: "say", text });
  $("line").value = "";
});

function toggleMute() {
  muted = !muted;
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute").lastElementChild.textContent = muted ? "Muted" : "Mute";
  call.send({ type: "mute", muted });
}

const typing = (target) => target.closest("input, select, textarea, summary");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
  if (event.key === "Escape") stop();
  if (event.key.toLowerCase() === "m" && !$("mute").disabled && !event.repeat) toggleMute();
  if (event.key === " " && document.body.dataset.state !== "off") {
    event.preventDefault();
    if (!event.repeat) call.send({ type: "talk", pressed: true });
  }
});
document.addEventListener("keyup", (event) => {
  if (event.key === " " && !typing(event.target) && document.body.dataset.state !== "off") {
    event.preventDefault();
    call.send({ type: "talk", pressed: false });
  }
});
window.addEventListener("blur", () => call.send({ type: "talk", pressed: false }));

// -- what is shown --------------------------------------------------------------------------------

function setState(state, text = STATES[state]) {
  document.body.dataset.state = state;
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
  const off = state === "off";
  const live = !["off", "connecting", "waiting", "lost"].includes(state);
  $("call-text").textContent = off ? "Talk" : state === "speaking" ? "Stop" : "Live";
  for (const control of [$("mute"), $("stop"), $("line"), $("type").lastElementChild]) control.disabled = !live;
  $("end").hidden = off;
}

function notice(kind, text, stays = false) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  const same = [...$("notices").children].find((shown) => shown.textContent === text);
  same?.remove();
  $("notices").append(line);
  if (!stays) setTimeout(() => line.remove(), NOTICE_MS);
}

function watchLevel() {
  level?.close();
  level = new Level(stream);
  const [track] = stream.getAudioTracks();
  track.addEventListener("ended", () => notice("error", "The microphone is gone.", true));
}

async function showFace(head) {
  if (head === person) return;
  person = head;
  try {
    face = await Face.open($("face"), head);
  } catch (error) {
    console.info("no face:", error);
    $("portrait").src = `/heads/${head}.jpg`;
    $("portrait").hidden = false;
    $("face").hidden = true;
  }
}

let drawnAt = 0;
function draw(now) {
  requestAnimationFrame(draw);
  $("ring").style.setProperty("--level", level && !muted ? level.now().toFixed(2) : "0");
  const moving = document.body.dataset.state !== "off";
  if (!face || document.hidden || !face.ready()) return;
  const calm = moving ? 0 : CALM_FRAME_MS;
  const every = face.light ? Math.min(Math.max(CALM_FRAME_MS, BUSY * face.costMs), SLOWEST_MS) : calm;
  if (now - drawnAt < every - 4) return;
  drawnAt = now;
  face.draw(clock.pose());
}
requestAnimationFrame(draw);

begin();
