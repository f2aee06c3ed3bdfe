"""The Audio2Face-3D service, against one on loopback that speaks the real protocol."""

from __future__ import annotations

import asyncio
import builtins
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from goassist_desktop.pipeline import blendshapes
from goassist_desktop.pipeline.blendshapes import INDEX
from goassist_desktop.pipeline.clock import SampleClock
from goassist_desktop.pipeline.engines import audio2face_service as engine_module
from goassist_desktop.pipeline.engines import create
from goassist_desktop.pipeline.engines.audio2face_service import (
    FRAME_S,
    HELD_BACK_MS,
    LOOK_AHEAD_MS,
    Audio2FaceService,
)
from goassist_desktop.pipeline.errors import ConfigError, EngineFailed
from goassist_desktop.pipeline.events import Notice
from goassist_desktop.pipeline.face import Face
from goassist_desktop.pipeline.frames import FaceFrame, Speech
from goassist_desktop.pipeline.protocols import FaceEngine
from goassist_desktop.pipeline.speaker import Speaker
from goassist_desktop.pipeline.workers import Hosted, ThreadLane
from tests.engines.face_contract import FaceContract
from tests.fakes import audio2face_server as fake
from tests.fakes.audio2face_server import Audio2FaceServer, Fault, weights_of
from tests.fakes.faces import LoudnessFace

FRAME_MS = 1000 / fake.FPS
RATES_HZ = (16_000, 24_000, 48_000)


def speech(seconds: float, rate_hz: int = 16_000, *, loud: float = 0.5, seed: int = 1) -> Speech:
    """A hum in syllables, six a second."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    hum = np.sin(2 * np.pi * (100 + 50 * seed) * t)
    return Speech((loud * hum * np.sin(np.pi * 6 * t) ** 2).astype(np.float32), rate_hz)


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Audio2FaceServer, Audio2FaceService]]]:
    """A service and a loaded engine for it; in the end neither may have anything to complain of."""
    servers: list[Audio2FaceServer] = []
    engines: list[Audio2FaceService] = []

    def start(fault: Fault | None = None) -> tuple[Audio2FaceServer, Audio2FaceService]:
        servers.append(Audio2FaceServer(fault).__enter__())
        engines.append(Audio2FaceService(servers[-1].address))
        engines[-1].load()
        return servers[-1], engines[-1]

    yield start
    for engine in engines:
        engine.close()
    for server in servers:
        server.__exit__()
        assert server.complaints == []


def reply(engine: Audio2FaceService, *pieces: Speech) -> list[FaceFrame]:
    stream = engine.open()
    try:
        frames = [frame for piece in pieces for frame in stream.push(piece)]
        return [*frames, *stream.finish()]
    finally:
        stream.close()


@pytest.mark.models  # speaks with the real voice
class TestContract(FaceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[FaceEngine]:
        with Audio2FaceServer() as server:
            engine = Audio2FaceService(server.address)
            engine.load()
            yield engine
            engine.close()
            assert server.complaints == []


# -- a good service --------------------------------------------------------------------------------


def test_a_reply_is_header_buffers_and_end(serve: Callable) -> None:
    server, engine = serve()
    said = speech(2.5)
    reply(engine, said, speech(0.0), speech(0.3, seed=2))
    greeting, clip = server.clips
    assert not greeting.audio.any()
    assert greeting.ended
    assert clip.ended
    assert [len(buffer) / 16_000 for buffer in clip.buffers] == [1.0, 1.0, 0.5, 0.3]
    assert clip.audio[: len(said.samples)] / 32767 == pytest.approx(said.samples, abs=2e-5)


def test_the_face_is_asked_to_stay_neutral(serve: Callable) -> None:
    server, engine = serve()
    reply(engine, speech(0.5))
    header = server.clips[-1].header
    emotion = header.emotion_post_processing_params
    assert emotion.HasField("emotion_strength")
    assert (emotion.emotion_strength, emotion.enable_preferred_emotion) == (0.0, False)
    assert not header.emotion_params.beginning_emotion
    assert header.blendshape_params.enable_clamping_bs_weight


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_each_moment_has_the_weights_the_service_made_for_it(rate_hz: int, serve: Callable) -> None:
    """By name, whatever its order; and its jaw under closed lips as ARKit means it."""
    server, engine = serve()
    frames = reply(engine, speech(1.3, rate_hz), speech(0.7, rate_hz, seed=2))
    audio = server.clips[-1].audio
    assert len(audio) == 2.0 * 16_000
    assert [frame.at_ms for frame in frames] == pytest.approx(
        [n * FRAME_MS for n in range(60)], abs=0.01
    )
    jaws = []
    for frame in frames:
        theirs = weights_of(audio, frame.at_ms / 1000)
        ours = blendshapes.weights(
            jawOpen=min(1.0, theirs["JawOpen"] + theirs["MouthClose"]),
            mouthClose=theirs["MouthClose"],
            mouthSmileLeft=0.125,
            eyeBlinkRight=theirs["EyeBlinkRight"],
        )
        assert frame.weights == pytest.approx(ours, abs=1e-5)
        assert frame.weights.dtype == np.float32
        jaws.append(float(frame.weights[INDEX["jawOpen"]]))
    assert min(jaws) < 0.15
    assert max(jaws) > 0.6


def test_loud_speech_stays_within_the_range(serve: Callable) -> None:
    frames = reply(serve()[1], speech(1.0, loud=1.0))
    values = np.array([frame.weights for frame in frames])
    assert values.min() >= 0
    assert values.max() <= 1
    assert values[:, INDEX["jawOpen"]].max() == 1.0, "0.8 and 0.4 are more than a jaw can do"


def test_a_piece_gives_what_needs_no_more_sound_and_does_not_wait_for_the_rest(
    serve: Callable,
) -> None:
    _, engine = serve()
    stream = engine.open()
    began = time.monotonic()
    frames = list(stream.push(speech(1.5)))
    took_s = time.monotonic() - began
    assert 1500 - LOOK_AHEAD_MS - FRAME_MS <= frames[-1].at_ms < 1500 - 260
    assert took_s < FRAME_S, "nobody waited for what can not come"
    more = list(stream.push(speech(0.4, seed=2)))
    assert more[0].at_ms == pytest.approx(frames[-1].at_ms + FRAME_MS)
    rest = list(stream.finish())
    assert rest[-1].at_ms == pytest.approx(1900 - FRAME_MS)
    stream.close()


def test_a_service_that_works_in_larger_blocks_is_waited_for_a_little(serve: Callable) -> None:
    def in_blocks(context: object, answers: Iterator) -> Iterator:
        held: list = []
        for answer in answers:
            held.append(answer)
            if answer.WhichOneof("stream_part") != "animation_data" or len(held) > 22:
                yield from held
                held.clear()

    _, engine = serve(in_blocks)
    stream = engine.open()
    began = time.monotonic()
    frames = list(stream.push(speech(1.5)))
    assert time.monotonic() - began < 2 * FRAME_S
    assert 0 < 1500 - frames[-1].at_ms <= HELD_BACK_MS
    assert len(frames) + len(list(stream.finish())) == 45
    stream.close()


def test_a_reply_longer_than_a_call_may_be_takes_several(
    serve: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "CLIP_S", 2.0)
    server, engine = serve()
    frames = reply(engine, speech(1.5), speech(3.0, seed=2), speech(0.2, seed=3))
    assert [len(clip.audio) / 16_000 for clip in server.clips[1:]] == [1.5, 2.0, 1.2]
    assert all(clip.ended for clip in server.clips)
    assert [frame.at_ms for frame in frames] == pytest.approx(
        [n * FRAME_MS for n in range(141)], abs=0.01
    )


def test_nothing_said_is_no_call(serve: Callable) -> None:
    server, engine = serve()
    assert reply(engine) == []
    assert reply(engine, speech(0.0), speech(0.0, 24_000)) == []
    assert len(server.clips) == 1, "the greeting"


def test_loading_twice_greets_once_and_a_closed_engine_can_be_loaded_again(
    serve: Callable,
) -> None:
    server, engine = serve()
    engine.load()
    assert len(server.clips) == 1
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="before load"):
        engine.open()
    engine.load()
    assert len(reply(engine, speech(0.5))) == 15


def test_many_replies_at_once(serve: Callable) -> None:
    _, engine = serve()
    streams = [engine.open() for _ in range(4)]
    counts = [len(list(stream.push(speech(1.0 + n)))) for n, stream in enumerate(streams)]
    totals = [n + len(list(s.finish())) for n, s in zip(counts, streams, strict=True)]
    assert totals == [30, 60, 90, 120]
    for stream in streams:
        stream.close()


# -- closing ---------------------------------------------------------------------------------------


def test_closing_ends_the_call_at_once(serve: Callable) -> None:
    server, engine = serve()
    stream = engine.open()
    list(stream.push(speech(1.0)))
    stream.close()
    assert server.clips[-1].over.wait(0.5)
    assert not server.clips[-1].ended
    stream.close()
    assert list(stream.push(speech(1.0))) == []
    assert list(stream.finish()) == []


def test_closing_from_another_thread_frees_whoever_waits(
    serve: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "FRAME_S", 30.0)
    server, engine = serve(fake.stalls)
    stream = engine.open()
    done: list[float] = []

    def wait() -> None:
        assert list(stream.push(speech(2.0))) == []
        done.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    while len(server.clips) < 2:
        time.sleep(0.01)
    closed = time.monotonic()
    stream.close()
    waiting.join(5)
    assert done[0] - closed < 0.3
    assert server.clips[-1].over.wait(0.5)


def test_closing_the_engine_ends_its_calls(serve: Callable) -> None:
    server, engine = serve()
    stream, silent = engine.open(), engine.open()
    list(stream.push(speech(1.0)))
    engine.close()
    assert server.clips[-1].over.wait(0.5)
    with pytest.raises(EngineFailed, match="cancelled"):
        list(stream.finish())
    with pytest.raises(EngineFailed, match=f"the connection to {server.address} is closed"):
        list(silent.push(speech(1.0)))


def test_a_stream_closed_before_its_first_piece_makes_no_call(serve: Callable) -> None:
    server, engine = serve()
    stream = engine.open()
    stream.close()
    assert list(stream.push(speech(1.0))) == []
    assert len(server.clips) == 1


# -- a service that breaks -------------------------------------------------------------------------

FAULTS: dict[str, tuple[Fault, str]] = {
    "stalls": (fake.stalls, "did not answer for 0.5 s"),
    "stalls later": (fake.after(20, fake.stalls), "sent no frame for 0.5 s"),
    "drops": (fake.drops, "ended the stream in the middle"),
    "drops later": (fake.after(20, fake.drops), "ended the stream in the middle"),
    "aborts": (fake.after(20, fake.aborts), "internal: the GPU fell off the bus"),
    "error status": (fake.after(20, fake.reports_an_error), "reports: out of memory"),
    "not a number": (fake.after(20, fake.is_not_a_number), "a weight that is not a number"),
    "too few": (fake.after(20, fake.has_too_few_weights), "sent 67 weights for 68 blendshapes"),
    "too many": (fake.after(20, fake.has_too_many_weights), "sent 69 weights for 68"),
    "no time": (fake.after(20, fake.is_of_no_time), "a time that is not a number"),
    "no header": (fake.has_no_header, "frames without a header"),
    "another face": (fake.is_of_another_face, "has no blendshape jawForward and 26 more"),
    "no lips": (fake.has_no_lips, "has no blendshape mouthClose$"),
    "done too early": (fake.after(20, fake.is_done_too_early), "in the middle of a reply"),
    "repeats itself": (fake.after(20, fake.repeats_itself), "sent no frame for 0.5 s"),
    "chats": (fake.chats, "did not answer for 0.5 s"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_service_is_told_in_one_line_at_once(name: str, serve: Callable) -> None:
    fault, message = FAULTS[name]
    server, engine = serve(fault)
    stream = engine.open()
    frames: list[FaceFrame] = []
    began = time.monotonic()
    parts = (stream.push(speech(2.0)), stream.push(speech(1.0)), stream.finish())
    with pytest.raises(EngineFailed, match=message) as caught:
        frames.extend(itertools.chain.from_iterable(parts))
    assert time.monotonic() - began < FRAME_S + 0.5
    assert server.address in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(np.all(np.isfinite(frame.weights)) for frame in frames)
    if "later" in name:
        assert len(frames) == 20, "what was good before counts"
    stream.close()
    assert server.clips[-1].over.wait(0.5)


def test_a_service_without_a_last_word(serve: Callable) -> None:
    def never_ends(context: object, answers: Iterator) -> Iterator:
        for answer in answers:
            if answer.WhichOneof("stream_part") != "status":
                yield answer

    server, engine = serve(never_ends)
    with pytest.raises(EngineFailed, match="ended the stream in the middle"):
        reply(engine, speech(1.0))
    assert server.clips[-1].ended


def test_a_service_that_keeps_frames_to_itself(serve: Callable) -> None:
    def keeps(context: object, answers: Iterator) -> Iterator:
        sent = 0
        for answer in answers:
            sent += answer.WhichOneof("stream_part") == "animation_data"
            if sent <= 40 or answer.WhichOneof("stream_part") != "animation_data":
                yield answer

    _, engine = serve(keeps)
    stream = engine.open()
    assert len(list(stream.push(speech(1.9)))) == 40
    with pytest.raises(EngineFailed, match=r"left out the last 600 ms"):
        list(stream.finish())
    stream.close()


def test_a_service_killed_in_mid_reply(serve: Callable) -> None:
    server, engine = serve()
    stream = engine.open()
    assert list(stream.push(speech(1.0)))
    server.kill()
    began = time.monotonic()
    with pytest.raises(EngineFailed, match=server.address):
        for _ in range(3):
            list(stream.push(speech(1.0)))
    assert time.monotonic() - began < 1.0
    stream.close()
    again = engine.open()
    with pytest.raises(EngineFailed, match="unavailable"):
        list(again.push(speech(1.5)))
    again.close()


async def test_the_next_engine_takes_over_from_a_service_killed_in_mid_reply(
    serve: Callable,
) -> None:
    server, engine = serve()
    spare = LoudnessFace()
    told: list[Notice] = []
    lanes = ThreadLane("service"), ThreadLane("spare")
    ladder = [Hosted(face, lane) for face, lane in zip((engine, spare), lanes, strict=True)]
    face = Face(ladder, Speaker(16_000), SampleClock(), lambda: 0.0, told.append)
    pieces: asyncio.Queue[Speech | None] = asyncio.Queue()
    following = asyncio.create_task(face.follow(1, pieces))
    pieces.put_nowait(speech(1.0))
    while len(server.clips) < 2 or len(server.clips[-1].audio) < 16_000:
        await asyncio.sleep(0.01)
    assert (spare.opened, told) == (0, [])
    await asyncio.to_thread(server.kill)
    pieces.put_nowait(speech(1.0))
    pieces.put_nowait(None)
    await asyncio.wait_for(following, 2.0)
    assert (spare.opened, spare.closed) == (1, 1)
    (notice,) = told
    assert notice.what.startswith(f"face: audio2face-service: {server.address}: ")
    assert notice.what.endswith("; loudness takes over")
    for lane in lanes:
        lane.close()


# -- no service ------------------------------------------------------------------------------------


def test_a_refused_connection_is_tried_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(engine_module.time, "sleep", waits.append)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        engine = Audio2FaceService(address)
        with pytest.raises(EngineFailed, match=f"{address}: unavailable: .*refused") as caught:
            engine.load()
    assert "\n" not in str(caught.value)
    assert waits == list(engine_module.BACK_OFF_S)
    with pytest.raises(RuntimeError, match="before load"):
        engine.open()


def test_a_service_that_is_just_starting_is_reached() -> None:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    engine = Audio2FaceService(f"127.0.0.1:{port}")
    loaded = threading.Thread(target=engine.load)
    loaded.start()
    time.sleep(0.7)  # between the second try and the third
    with Audio2FaceServer(port=port) as server:
        loaded.join(5)
        assert len(server.clips) == 1
        assert len(reply(engine, speech(0.5))) == 15
        engine.close()
    assert server.complaints == []


def test_somebody_who_accepts_and_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CONNECT_S", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        engine = Audio2FaceService(f"127.0.0.1:{deaf.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(EngineFailed, match=r"did not answer for 0\.6 s"):
            engine.load()
        assert 0.6 <= time.monotonic() - began < 1.2


def test_something_that_is_no_such_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module.time, "sleep", lambda s: None)
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            while True:
                try:
                    link, _ = web.accept()
                except OSError:
                    return
                with link:
                    link.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        engine = Audio2FaceService(f"127.0.0.1:{web.getsockname()[1]}")
        with pytest.raises(EngineFailed, match="unavailable") as caught:
            engine.load()
        assert "\n" not in str(caught.value)
        web.shutdown(socket.SHUT_RDWR)
    answering.join(2)


@pytest.mark.parametrize("name", ["stalls", "not a number", "too few", "another face", "drops"])
def test_a_service_that_is_broken_from_the_start(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "CONNECT_S", 0.5)
    fault, message = FAULTS[name]
    with Audio2FaceServer(fault, faulty_from=0) as server:
        engine = Audio2FaceService(server.address)
        with pytest.raises(EngineFailed) as caught:
            engine.load()
    assert message.removesuffix(" for 68 blendshapes") in str(caught.value)
    assert len(server.clips) == 1, "trying again would not help"


@pytest.mark.parametrize("absent", ["grpc", "nvidia_audio2face_3d"])
def test_without_the_protocol_it_names_the_extra(
    absent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.partition(".")[0] == absent:
            raise ModuleNotFoundError(f"No module named {absent!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    engine = Audio2FaceService("localhost:52000")
    with pytest.raises(EngineFailed, match=r"pip install 'goassist-desktop\[audio2face-service\]'"):
        engine.load()


@pytest.mark.parametrize(
    "address",
    ["", "localhost", "localhost:", "localhost:0", "localhost:x", "http://a:1", "a:99999"],
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ConfigError, match=r"face\.service = .*must be a host and a port"):
        create("face", "audio2face-service", address, threads=1)


def test_what_a_user_is_told() -> None:
    """Known before anything is loaded."""
    info = create("face", "audio2face-service", "[::1]:52000", threads=1).info
    assert (info.stage, info.name) == ("face", "audio2face-service")
    assert "[::1]:52000" in info.model
    assert not info.stand_in
