// Whether the microphone hears the loudspeaker. Who wears headphones needs no echo cancellation, and
// Chromium's takes the first words of who speaks up for an echo, where there never was one.

const TONES_HZ = [523, 659, 784];
const TONE_S = 0.13;
const GAIN = 0.12;
const BEFORE_S = 0.15;
const AFTER_S = 0.35;
const LOOK_MS = 20;
const RISE_DB = 10;

/** Plays a short chime, and says whether it was heard. Speech meanwhile counts as heard. */
export async function hearsLoudspeaker(stream) {
  const context = new AudioContext();
  try {
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(stream).connect(analyser);
    const bands = new Float32Array(analyser.frequencyBinCount);
    const places = TONES_HZ.map((hz) => Math.round(hz * analyser.fftSize / context.sampleRate));
    const loudest = async (seconds) => {
      const peaks = places.map(() => -150);
      const end = context.currentTime + seconds;
      while (context.currentTime < end) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        analyser.getFloatFrequencyData(bands);
        places.forEach((place, index) => {
          peaks[index] = Math.max(peaks[index], ...bands.subarray(place - 1, place + 2));
        });
      }
      return peaks;
    };
    const before = await loudest(BEFORE_S);
    chime(context);
    const during = await loudest(TONES_HZ.length * TONE_S + AFTER_S);
    return during.filter((peak, index) => peak > Math.max(before[index], -100) + RISE_DB).length > 1;
  } finally {
    context.close();
  }
}

function chime(context) {
  TONES_HZ.forEach((hz, index) => {
    const start = context.currentTime + 0.02 + index * TONE_S;
    const tone = new OscillatorNode(context, { frequency: hz });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(GAIN, start + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, start + TONE_S + 0.06);
    tone.connect(gain).connect(context.destination);
    tone.start(start);
    tone.stop(start + TONE_S + 0.08);
  });
}
