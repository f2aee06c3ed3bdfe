// The line to the assistant: signalling, sound both ways, and the two data channels.

import { ask, Refused } from "./api.js";

const LOST_MS = 3000;
const QUEUE_MS = 2000;
const LONGEST_WAIT_MS = 8000;

/**
 * One conversation, over as many connections as it takes. It tells its `listener`:
 * phase(name, detail), message(object), face(object), sound(stream).
 * Phases: connecting, waiting (detail: place), connected, lost (detail: why), ended (detail: why).
 */
export class Call {
  constructor(listener) {
    this.listener = listener;
    this.sessionId = sessionStorage.getItem("session") || null;
    this.microphone = null;
    this.peer = null;
    this.over = true;
    window.addEventListener("online", () => this.#soon(0));
  }

  /** Call with this microphone; resolves when connected, or when it was given up. */
  async start(microphone) {
    this.microphone = microphone;
    this.over = false;
    await this.#connect();
  }

  /** Another microphone, in the middle of it. */
  async use(microphone) {
    this.microphone = microphone;
    const [track] = microphone.getAudioTracks();
    await this.sender?.replaceTrack(track);
  }

  send(message) {
    if (this.events?.readyState === "open") this.events.send(JSON.stringify(message));
  }

  /** Hang up for good. */
  async end() {
    this.over = true;
    this.#drop();
    const id = this.sessionId;
    this.#forget();
    if (id) await ask("DELETE", `/sessions/${id}`).catch(() => {});
    this.listener.phase("ended", "");
  }

  async #connect(attempt = 0) {
    if (this.over) return;
    clearTimeout(this.retry);
    this.#drop();
    this.listener.phase("connecting", "");
    try {
      await this.#negotiate(await this.#session());
    } catch (error) {
      this.#failed(error, attempt);
    }
  }

  #failed(error, attempt) {
    if (this.over) return;
    if (error instanceof Refused) {
      if (error.status === 404) {
        this.#forget();
        if (attempt < 3) return void this.#soon(0, attempt + 1);
      }
      const later = error.status === 429 || error.status === 503;
      if (!later) {
        this.over = true;
        this.listener.phase("ended", error.message);
        return;
      }
      this.listener.phase("lost", error.message);
      this.#soon(error.retryAfter * 1000, attempt + 1);
      return;
    }
    console.info("not connected:", error);
    this.listener.phase("lost", "The assistant can not be reached.");
    this.#soon(Math.min(500 * 2 ** attempt, LONGEST_WAIT_MS), attempt + 1);
  }

  #soon(ms, attempt = 0) {
    if (this.over) return;
    const connected = this.peer?.connectionState === "connected";
    if (connected) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.#connect(attempt), ms);
  }

  /** The session there was, or a new one, when there is a place for it. */
  async #session() {
    let session = null;
    if (this.sessionId) {
      session = await ask("GET", `/sessions/${this.sessionId}`).catch((error) => {
        if (error instanceof Refused && error.status === 404) return null;
        throw error;
      });
    }
    session ??= await ask("POST", "/sessions", { wait: true });
    this.sessionId = session.session_id;
    sessionStorage.setItem("session", this.sessionId);
    while (session.state === "waiting") {
      this.listener.phase("waiting", session.place);
      await new Promise((resolve) => setTimeout(resolve, QUEUE_MS));
      if (this.over) throw new Refused(404, "ended", "ended", 0);
      session = await ask("GET", `/sessions/${this.sessionId}`);
    }
    return session;
  }

  async #negotiate(session) {
    const peer = new RTCPeerConnection({ iceServers: session.ice_servers });
    this.peer = peer;
    const path = `/sessions/${session.session_id}`;
    const [track] = this.microphone.getAudioTracks();
    this.sender = peer.addTrack(track, this.microphone);
    this.events = peer.createDataChannel("events");
    this.events.onmessage = (event) => this.listener.message(JSON.parse(event.data));
    const faces = peer.createDataChannel("blendshapes", { ordered: false, maxRetransmits: 0 });
    faces.onmessage = (event) => this.listener.face(JSON.parse(event.data));
    peer.ontrack = ({ receiver, streams, track: sound }) => {
      this.receiver = receiver;
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      this.listener.sound(streams[0] ?? new MediaStream([sound]));
    };
    const early = [];
    let answered = false;
    const tell = (candidate) => ask("POST", `${path}/ice-candidate`, candidate.toJSON()).catch(() => {});
    peer.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate || peer !== this.peer) return;
      if (answered) tell(candidate);
      else early.push(candidate);
    };
    peer.onconnectionstatechange = () => this.#onState(peer);
    await peer.setLocalDescription();
    const answer = await ask("POST", `${path}/offer`, { type: "offer", sdp: peer.localDescription.sdp });
    if (peer !== this.peer) return;
    await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    answered = true;
    early.forEach(tell);
  }

  #onState(peer) {
    if (peer !== this.peer) return;
    clearTimeout(this.losing);
    switch (peer.connectionState) {
      case "connected":
        this.listener.phase("connected", "");
        break;
      case "disconnected":
        this.losing = setTimeout(() => this.#lost(), LOST_MS);
        break;
      case "failed":
      case "closed":
        this.#lost();
        break;
    }
  }

  #lost() {
    if (this.over) return;
    this.#drop();
    this.listener.phase("lost", "The connection was lost.");
    this.#soon(300);
  }

  #drop() {
    clearTimeout(this.losing);
    const peer = this.peer;
    this.peer = this.receiver = this.events = this.sender = null;
    peer?.close();
  }

  #forget() {
    this.sessionId = null;
    sessionStorage.removeItem("session");
  }
}
