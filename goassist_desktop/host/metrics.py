"""What is counted and timed, as Prometheus reads it: the same events that the window shows."""

from __future__ import annotations

from typing import Final

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from goassist_desktop.pipeline.conversation import State
from goassist_desktop.pipeline.events import ContextRolled, Notice, SessionEvent, TurnClosed

_BUCKETS_S: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.65, 0.8, 0.9, 1.2, 1.5, 2.0, 4.0, 8.0)
_OFFSETS_S: Final = (-0.125, -0.08, -0.04, -0.02, 0.0, 0.02, 0.04, 0.045, 0.08, 0.12)


class Metrics:
    """Of one host, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()

        def histogram(name: str, what: str, buckets: tuple[float, ...] = _BUCKETS_S) -> Histogram:
            return Histogram(f"goassist_{name}_seconds", what, buckets=buckets, registry=registry)

        self._of_interval = {
            "ttfa": histogram("ttfa", "Decision to the first sample heard"),
            "response_gap": histogram("response_gap", "End of speech to the first sample heard"),
            "recognition": histogram("asr", "End of speech to its words"),
            "llm_ttft": histogram("llm_ttft", "Words of the user to the first of the answer"),
            "clause_to_audio": histogram("tts", "First clause to the first sample heard"),
        }
        self._barge_in = histogram("barge_in", "Speech over the assistant to its silence")
        self.av_offset = histogram("av_offset", "Face after its sound", _OFFSETS_S)

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"goassist_{name}", what, labels, registry=registry)

        self.sessions_begun = counter("sessions", "Conversations that began")
        self._turns = counter("turns", "Turns", "outcome")
        self._barge_ins = counter("barge_ins", "Speech over the assistant", "outcome")
        self.yields = counter("yields", "Faces that lagged and rested")
        self._rollovers = counter("rollovers", "Conversations whose beginning was summarised")
        self._dropped = counter("backpressure", "Packets of sound that were not taken in time")
        self._errors = counter("errors", "What failed", "component", "type")

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"goassist_{name}", what, labels, registry=registry)

        self.sessions = gauge("sessions_active", "Conversations that go on")
        self._states = gauge("state", "Conversations in this state", "state")
        self.waiting = gauge("queue_depth", "Who waits for a place")
        self.level = gauge("load_level", "Load, 0 to 5")
        self._gpu_memory = gauge("gpu_memory_bytes", "Memory of a graphics card", "gpu", "kind")
        self._memory = gauge("resident_memory_bytes", "Memory of the program")
        self._process = psutil.Process()

    def take(self, event: SessionEvent) -> None:
        """What happened in any conversation."""
        match event:
            case TurnClosed():
                self._turns.labels(event.outcome).inc()
                if event.outcome == "failed":
                    self._errors.labels("turn", "failed").inc()
                for name, histogram in self._of_interval.items():
                    if (ms := event.intervals_ms.get(name)) is not None:
                        histogram.observe(max(0.0, ms) / 1000)
                for one in event.barge_ins:
                    self._barge_ins.labels(one.outcome).inc()
                    self._barge_in.observe(max(0.0, one.latency_ms) / 1000)
            case ContextRolled():
                self._rollovers.inc()
            case Notice(level="warning", source="recognition" | "language_model" | "synthesis"):
                self._errors.labels(event.source, "replaced").inc()
            case Notice(level="error"):
                self._errors.labels(event.source or "conversation", "notice").inc()
            case Notice(source="face"):
                self.yields.inc()
            case _:
                pass

    def dropped(self, packets: int) -> None:
        """So many more packets of sound were not taken in time."""
        self._dropped.inc(max(0, packets))

    def states(self, now: list[str]) -> None:
        """The state of every conversation that goes on."""
        for state in State:
            self._states.labels(str(state)).set(now.count(str(state)))
        self.sessions.set(len(now))

    def gpu_memory(self, gpu: int, used: int, total: int) -> None:
        """Of one graphics card, by all programs, in bytes."""
        self._gpu_memory.labels(str(gpu), "used").set(used)
        self._gpu_memory.labels(str(gpu), "total").set(total)

    def render(self) -> bytes:
        """Prometheus' text format 0.0.4."""
        self._memory.set(self._process.memory_info().rss)
        return generate_latest(self._registry)
