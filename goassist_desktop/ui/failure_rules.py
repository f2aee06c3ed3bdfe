"""What is told where things break, by its wording, and how it is put for who sees it. A table.

Its texts are tried in order. A test holds them to the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from goassist_desktop.pipeline.engines import REGISTRY

Severity = Literal["info", "warning", "error"]
Action = Literal[
    "sound-settings",
    "models",
    "retry",
    "engine-settings",
    "diagnostics",
    "face-settings",
    "open-config",
    "browser-settings",
]


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: str
    """Searched for in what was told; its named groups are put into headline and detail."""
    key: str
    headline: str
    detail: str = ""
    action: Action | None = None
    label: str = ""
    """In place of the action's usual one."""
    severity: Severity | None = None
    """In place of the one it was told with."""
    stays: bool | None = None
    """None: errors do."""


START: Final = "start"
"""The key of all that keeps the conversation from beginning."""
REPLY: Final = "reply"
"""The key of what went wrong with one reply."""

_ENGINES = "|".join(REGISTRY["face"])
_MODELS = r"model file|language model|voice model|model "
RULES: Final = (
    # -- another engine took over ------------------------------------------------------------------
    Rule(
        r"^(?!face: )(?P<broken>[\w-]+): (?P<why>.*); (?P<other>[\w-]+) takes over$",
        "spare",
        "{other} goes on in place of {broken}.",
        "{why}.",
        "engine-settings",
    ),
    Rule(r"^(?P<broken>[\w-]+) is back$", "spare", "{broken} works again."),
    Rule(
        r"^(?P<broken>[\w-]+): it has a bug, and is not tried again$",
        "spare",
        "{broken} broke, by a fault of this program.",
        "Another engine goes on. What happened is in the log.",
    ),
    # -- servers of language models ----------------------------------------------------------------
    Rule(
        r"^(?P<url>https?://\S+): (?P<why>.+)$",
        "engine",
        "The server of the language model does not work.",
        "{why}. Its address is {url}",
        "engine-settings",
    ),
    Rule(
        r"^Kyutai's server (?P<url>\S+) (?P<why>.+)$",
        "engine",
        "The server that speaks does not work.",
        "It {why}. Its address is {url}",
        "engine-settings",
    ),
    Rule(r"^vLLM('s)? ", "engine", "vLLM does not work.", "{told}", "engine-settings"),
    # -- sound -------------------------------------------------------------------------------------
    Rule(
        r"^no (?P<what>microphone|loudspeaker) found",
        "sound",
        "There is no {what}.",
        "Connect one, or choose another device.",
        "sound-settings",
    ),
    Rule(
        r"^(?P<which>input|output)_device = '(?P<name>.*?)': no ",
        "sound",
        "“{name}” is not connected.",
        "Connect it again, or choose another device.",
        "sound-settings",
    ),
    Rule(
        r"^(?P<which>input|output)_device = '(?P<name>.*?)': \d+ ",
        "sound",
        "More than one device is called “{name}”.",
        "Choose which one it should be.",
        "sound-settings",
    ),
    Rule(
        r"^the (?P<what>microphone|loudspeaker) ['\"](?P<name>.*?)['\"] .*; "
        r"going on with ['\"](?P<kept>.*)['\"]$",
        "switch",
        "“{name}” can not be used.",
        "It is not connected, or another program has it. Going on with “{kept}”.",
        "sound-settings",
    ),
    Rule(
        r"^the (?P<what>microphone|loudspeaker) ['\"](?P<name>.*?)['\"] is not connected",
        "sound",
        "“{name}” is not connected.",
        "Connect it again, or choose another {what}.",
        "sound-settings",
    ),
    Rule(
        r"^the (?P<what>microphone|loudspeaker) ['\"](?P<name>.*)['\"] is connected$",
        "sound",
        "“{name}” is connected.",
    ),
    Rule(
        r"^the (?P<what>microphone|loudspeaker) ['\"](?P<name>.*)['\"] stopped: waiting",
        "sound",
        "The {what} is gone.",
        "“{name}” stopped. The conversation goes on as soon as it is back.",
        "sound-settings",
        "Choose another",
        stays=True,
    ),
    Rule(
        r"^the (?P<what>microphone|loudspeaker) ['\"](?P<name>.*)['\"] can not be opened",
        "sound",
        "The {what} can not be used.",
        "Another program may be using “{name}”. Close that one, or choose another device.",
        "sound-settings",
    ),
    Rule(r"^microphone and loudspeaker are back$", "sound", "Microphone and loudspeaker are back."),
    Rule(
        r"^your microphone is silent: is it muted\?$",
        "silent-microphone",
        "Nothing comes from your microphone.",
        "It may be muted, by a switch of its own or in the system's settings.",
        "sound-settings",
        stays=True,
    ),
    Rule(
        r"^your microphone is heard again$", "silent-microphone", "Your microphone is heard again."
    ),
    Rule(
        r"^the sound system hangs",
        "sound",
        "The sound system does not answer any more.",
        "Close GoAssist and start it again.",
    ),
    Rule(
        r"^the sound card is no longer served",
        "sound",
        "Sound stopped, because of a fault in GoAssist.",
        "Begin again. If it comes back, a report helps us to mend it.",
        "retry",
        "Begin again",
    ),
    Rule(
        r"^the sound system does not answer",
        "sound",
        "The sound system does not answer.",
        "The system's sound service may have stopped.",
        "retry",
    ),
    Rule(
        r"^the PortAudio library is missing",
        "sound",
        "A part of the system that GoAssist needs for sound is missing.",
        "Install PortAudio: libportaudio2 on Debian and Ubuntu, portaudio elsewhere.",
        "retry",
    ),
    # -- disk, memory, graphics --------------------------------------------------------------------
    Rule(
        r"^the recording ends here: .*No space left on device",
        "disk",
        "The disk is full.",
        "The conversation goes on, but is not recorded any more. Make room on the disk.",
        severity="error",
    ),
    Rule(
        r"disk full|No space left on device",
        "disk",
        "The disk is full.",
        "Make room on it, and try again.",
        "retry",
        severity="error",
    ),
    Rule(
        r"^the recording ends here",
        "recording",
        "The conversation is not recorded any more.",
        "Its file could not be written. The conversation itself goes on.",
    ),
    Rule(
        r"^language model (?P<name>\S+) needs (?P<need>[\d.]+ GB) of memory, (?P<free>[\d.]+ GB)",
        "memory",
        "There is not enough memory.",
        "The language model {name} needs {need}, {free} are free. Close other programs, "
        "or choose a smaller one.",
        "engine-settings",
        "Choose a smaller one",
    ),
    Rule(
        r"^(?P<engine>[\w-]+), (?P<model>\S+): it needs (?P<need>[\d.]+ GB) of a graphics card's "
        r"memory, of which (?P<free>[\d.]+ GB) are free",
        "gpu",
        "{model} does not fit the graphics card.",
        "It needs {need}, and {free} are free. Close other programs that use the card.",
        "engine-settings",
        "Choose a smaller one",
    ),
    Rule(
        r"^recognition: the graphics card has too little memory",
        "gpu",
        "The graphics card has no memory left.",
        "Close other programs that use it, or choose engines that do without.",
        "engine-settings",
    ),
    Rule(
        r"^recognition: (?P<library>\S+), a library of CUDA, is not installed",
        "gpu",
        "A part that the graphics card needs is not installed.",
        "It is {library}, of CUDA. Install it, or set recognition.device to cpu.",
    ),
    Rule(
        r"^recognition: the graphics card failed",
        "gpu",
        "The graphics card does not answer.",
        "Choose engines that do without, or start the computer again.",
        "engine-settings",
    ),
    Rule(
        r"^recognition.device = 'cuda': no graphics card",
        "gpu",
        "There is no graphics card with CUDA.",
        "Set recognition.device to auto or cpu.",
    ),
    Rule(
        r"(?i)^(?!face: ).*(CUDA out of memory|cudaMalloc|CUDNN_STATUS_ALLOC_FAILED)",
        "gpu",
        "The graphics card has no memory left.",
        "Close other programs that use it, or choose engines that do without.",
        "engine-settings",
    ),
    Rule(
        r"(?i)^(?!face: ).*(out of memory|bad_alloc|cannot allocate memory"
        r"|failed to allocate|unable to allocate|MemoryError)",
        "memory",
        "There is not enough memory.",
        "Close other programs, or choose a smaller model.",
        "engine-settings",
        "Choose a smaller one",
    ),
    Rule(
        r"(?i)context of the renderer is lost; (?P<next>.*) takes over",
        "drawing",
        "The graphics card was lost.",
        "The face is drawn more simply now. The conversation goes on.",
        "face-settings",
    ),
    Rule(
        r"(?i)^(?!face: ).*\b(CUDA|cuDNN|cuBLAS|GPU|Vulkan|HIP)\b.*(error|fail|lost|not )",
        "gpu",
        "The graphics card does not answer.",
        "Choose engines that do without, or start the computer again.",
        "engine-settings",
    ),
    # -- browsers ----------------------------------------------------------------------------------
    Rule(
        r"(?i)^browser access: can not listen at .*port (?P<port>\d+): address already in use",
        "browsers",
        "Browsers can not come in: port {port} is taken.",
        "Another program uses it. Choose another one.",
        "browser-settings",
        severity="warning",
    ),
    Rule(
        r"^browser access: browsers can reach",
        "browsers",
        "Browsers can come in again.",
    ),
    Rule(
        r"^browser access: (?P<why>.*)",
        "browsers",
        "Browsers can not come in.",
        "{why}.",
        "browser-settings",
        severity="warning",
    ),
    # -- the face ----------------------------------------------------------------------------------
    Rule(
        r"^face: (?P<name>\S+) lags; the face rests",
        "face",
        "The face rests for a moment.",
        "This computer is too busy to move it. The voice goes on.",
        "face-settings",
    ),
    Rule(
        rf"^face: (?P<name>{_ENGINES}): .*; (?P<next>\S+) takes over$",
        "face",
        "{name} could not move the face.",
        "{next} does it now. The conversation goes on.",
        "face-settings",
    ),
    Rule(
        rf"^face: ({_ENGINES}): .*; the mouth rests, speech goes on$",
        "face",
        "The face does not move any more.",
        "The conversation goes on. With the next answer it is tried again.",
        "face-settings",
    ),
    Rule(
        r"^face: .*(it is drawn more simply|takes over)$",
        "drawing",
        "The face is drawn more simply.",
        "This computer can not draw it as it should be. The conversation goes on.",
        "face-settings",
    ),
    Rule(
        r"^live link: (?P<address>\S+): ",
        "live-link",
        "The face may be missing elsewhere.",
        "It can not be sent to {address}. Here it goes on.",
        "face-settings",
    ),
    # -- XTTS-v2, and voices in processes of their own ---------------------------------------------
    Rule(
        r"^voice model of XTTS-v2: ",
        "engine",
        "A file of XTTS-v2 is missing or damaged.",
        "{told}",
        "engine-settings",
    ),
    Rule(
        r"^XTTS-v2 can not be used: its licence|^engines\.synthesis = 'xtts': its licence",
        "engine",
        "The licence of XTTS-v2 is not accepted.",
        "Read it and accept it under Settings, Engines, or choose another voice.",
        "engine-settings",
    ),
    Rule(
        r"^voice model of Pocket TTS: ",
        "engine",
        "A file of Pocket TTS is missing or damaged.",
        "{told}",
        "engine-settings",
    ),
    Rule(r"^Pocket TTS ", "engine", "Pocket TTS does not work.", "{told}", "engine-settings"),
    Rule(r"^XTTS-v2 ", "engine", "XTTS-v2 does not work.", "{told}", "engine-settings"),
    Rule(
        r"^[\w -]+'s process ",
        REPLY,
        "The voice stopped.",
        "Ask again. If it comes back, choose another voice.",
        "engine-settings",
    ),
    # -- models ------------------------------------------------------------------------------------
    Rule(
        r"is part of the program: install that again$",
        "models",
        "A part of GoAssist is missing or damaged.",
        "Install GoAssist again: your settings are kept.",
        severity="error",
    ),
    Rule(
        rf"({_MODELS}).*\b(is damaged|damaged or of an unknown kind)",
        "models",
        "A model is damaged.",
        "It is fetched again, and what is whole is kept.",
        "models",
        "Repair it",
    ),
    Rule(
        rf"({_MODELS}).*(is missing|can not be read|run: goassist models pull)",
        "models",
        "A model is missing.",
        "Without it GoAssist can not talk. It is fetched once, and then works offline.",
        "models",
    ),
    Rule(
        r"could not be had",
        "models",
        "A model could not be fetched.",
        "Is this computer online? What was fetched so far is kept.",
        "models",
        "Try again",
    ),
    # -- engines -----------------------------------------------------------------------------------
    Rule(
        r"^recognition\.deepgram_key: must be a key",
        "engine",
        "Deepgram needs a key.",
        "Set recognition.deepgram_key, or choose a recogniser that needs none.",
        "engine-settings",
    ),
    Rule(
        r"^Deepgram (?P<what>refused.*) \(HTTP",
        REPLY,
        "Deepgram does not understand for you.",
        "It {what}.",
        "engine-settings",
    ),
    Rule(
        r"^Deepgram can not be reached",
        REPLY,
        "Deepgram can not be reached.",
        "Check the connection to the internet, or choose a recogniser that needs none.",
        "engine-settings",
    ),
    Rule(
        r"^Deepgram ",
        REPLY,
        "Deepgram failed.",
        "Say it again. If it comes back, choose another recogniser.",
        "engine-settings",
    ),
    Rule(
        r"^no word from the language model for (?P<time>[\d.]+) s",
        REPLY,
        "The answer took too long.",
        "Nothing came for {time} seconds. Ask again; a smaller model answers faster.",
        "engine-settings",
        "Choose a smaller one",
        severity="warning",
    ),
    Rule(
        r"^language model: a prompt of ",
        REPLY,
        "That was too much to take in at once.",
        "Say it in fewer words.",
        severity="warning",
    ),
    Rule(
        r"^language model: install one of |is broken: |is not installed; run: ",
        "engine",
        "A part that GoAssist needs is not installed.",
        "{told}",
        "engine-settings",
    ),
    Rule(
        r"^language model: (connection lost|stopped in mid-answer|not loaded)",
        REPLY,
        "The language model stopped.",
        "Begin again. If it comes back, another model may do better.",
        "retry",
        "Begin again",
    ),
    Rule(
        r"^language model\b",
        REPLY,
        "The language model failed.",
        "Ask again. If it comes back, choose another model.",
        "engine-settings",
    ),
    Rule(
        r"^synthesis: the voice ",
        REPLY,
        "The voice failed.",
        "Ask again. If it comes back, begin anew.",
        "retry",
        "Begin again",
    ),
    Rule(
        r"^\S+ broke: ",
        REPLY,
        "A part of GoAssist stopped in the middle of its work.",
        "Ask again. If it comes back, begin anew.",
        "retry",
        "Begin again",
    ),
    Rule(
        r"can not be loaded",
        "engine",
        "A model can not be loaded.",
        "Get it again, or choose another.",
        "models",
        "See the models",
    ),
    # -- settings ----------------------------------------------------------------------------------
    Rule(
        r"^(?P<file>.*\.toml): ",
        "config",
        "The settings file can not be read.",
        "{told}",
        "open-config",
    ),
    Rule(
        r"^GOASSIST_\w+( =|:)|^--set |^[a-z_]+\.[a-z_]+ = ",
        "config",
        "A setting can not be used.",
        "{told}",
    ),
)
