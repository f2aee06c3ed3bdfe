// Microphones and loudspeakers: choosing one, remembering it, and saying what is wrong.

const WHY = {
  NotAllowedError: "The browser may not use the microphone. Allow it beside the address, and try again.",
  NotFoundError: "There is no microphone. Connect one, and try again.",
  NotReadableError: "The microphone can not be used: another program may have it.",
  OverconstrainedError: "The chosen microphone is gone. Choose another.",
};

/** The menus, and what they choose. */
export class Devices {
  constructor(microphones, loudspeakers, changed) {
    this.menus = { audioinput: microphones, audiooutput: loudspeakers };
    for (const [kind, menu] of Object.entries(this.menus)) {
      menu.addEventListener("change", () => {
        localStorage.setItem(kind, menu.value);
        changed(kind, menu.value);
      });
    }
    navigator.mediaDevices?.addEventListener("devicechange", () => this.refresh());
  }

  /** The chosen microphone, cleaned of echo or not. Rejects with an Error that says why in words. */
  async microphone(echoCancellation = true) {
    if (!navigator.mediaDevices) {
      throw new Error("Browsers give a microphone to secure pages only. Open this page by https.");
    }
    const wanted = localStorage.getItem("audioinput");
    const audio = { echoCancellation, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted ? { ...audio, deviceId: { ideal: wanted } } : audio });
      await this.refresh();
      return stream;
    } catch (error) {
      throw new Error(WHY[error.name] ?? `The microphone can not be used (${error.name}).`);
    }
  }

  /** Have a sound element use the chosen loudspeaker. */
  async apply(element) {
    const wanted = localStorage.getItem("audiooutput");
    if (wanted && element.setSinkId) await element.setSinkId(wanted).catch(() => {});
  }

  async refresh() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    for (const [kind, menu] of Object.entries(this.menus)) {
      const mine = devices.filter((device) => device.kind === kind && device.deviceId);
      menu.replaceChildren(...mine.map((device, index) => new Option(device.label || `Device ${index + 1}`, device.deviceId)));
      const wanted = localStorage.getItem(kind);
      if (mine.some((device) => device.deviceId === wanted)) menu.value = wanted;
      menu.disabled = mine.length === 0;
    }
    const speaker = this.menus.audiooutput;
    speaker.closest("label").hidden = !("setSinkId" in HTMLMediaElement.prototype) || speaker.options.length === 0;
  }
}

/** Level of a stream, in [0, 1], as often as it is asked for. */
export class Level {
  constructor(stream) {
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 512;
    this.samples = new Float32Array(512);
    this.context.createMediaStreamSource(stream).connect(this.analyser);
  }

  now() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    return Math.min(Math.max((10 * Math.log10(power + 1e-10) + 60) / 50, 0), 1);
  }

  close() {
    this.context.close();
  }
}
