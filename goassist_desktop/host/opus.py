"""Opus for speech (RFC 6716), by the system's own library.

What aiortc brings decodes to 48 kHz stereo and conceals nothing. The library itself decodes any
stream straight to the 16 kHz mono that is listened to, and makes up for packets that were lost.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import weakref
from functools import lru_cache
from typing import Final

import numpy as np

from goassist_desktop.pipeline.errors import EngineFailed
from goassist_desktop.pipeline.frames import ANALYSIS_RATE_HZ, Samples

RATE_HZ: Final = 48_000
"""Of the encoder, and of all timestamps (RFC 7587)."""
BITRATE: Final = 32_000
"""Bits a second: wideband speech without audible loss, and room for the redundancy."""
EXPECTED_LOSS_PERCENT: Final = 10
"""So much of the speech is sent a second time, at a lower rate, in the packet after."""
LONGEST_PACKET: Final = 1275
LONGEST_MS: Final = 120
"""Of a packet."""

# The numbers of opus_defines.h.
_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_INBAND_FEC, _SET_PACKET_LOSS_PERC, _SET_SIGNAL = 4002, 4012, 4014, 4024
_SIGNAL_VOICE = 3001

_FLOATS = ctypes.POINTER(ctypes.c_float)


class Decoder:
    """Packets of one stream to speech at 16 kHz."""

    def __init__(self) -> None:
        """Raises EngineFailed without the library."""
        self._library = library()
        failed = ctypes.c_int()
        self._state = self._library.opus_decoder_create(ANALYSIS_RATE_HZ, 1, ctypes.byref(failed))
        if failed.value:
            raise EngineFailed(f"opus: no decoder (error {failed.value})")
        weakref.finalize(self, self._library.opus_decoder_destroy, self._state)
        self._out = np.zeros(ANALYSIS_RATE_HZ * LONGEST_MS // 1000, np.float32)

    def decode(self, packet: bytes) -> Samples | None:
        """The speech (n,) of a packet; None where it is none of Opus."""
        return self._decoded(packet, len(self._out), fec=False)

    def recover(self, next_packet: bytes, samples: int) -> Samples | None:
        """The (samples,) before a packet, from what it says of them; else made up."""
        return self._decoded(next_packet, samples, fec=True)

    def conceal(self, samples: int) -> Samples | None:
        """(samples,) that go on as the speech did, and fade."""
        return self._decoded(None, samples, fec=False)

    def _decoded(self, packet: bytes | None, samples: int, *, fec: bool) -> Samples | None:
        count = self._library.opus_decode_float(
            self._state,
            packet,
            len(packet or b""),
            self._out.ctypes.data_as(_FLOATS),
            samples,
            int(fec),
        )
        return None if count < 0 else self._out[:count].copy()


class Encoder:
    """Speech at 48 kHz to packets of one stream."""

    def __init__(self) -> None:
        """Raises EngineFailed without the library."""
        self._library = library()
        failed = ctypes.c_int()
        self._state = self._library.opus_encoder_create(
            RATE_HZ, 1, _APPLICATION_VOIP, ctypes.byref(failed)
        )
        if failed.value:
            raise EngineFailed(f"opus: no encoder (error {failed.value})")
        weakref.finalize(self, self._library.opus_encoder_destroy, self._state)
        for setting, value in (
            (_SET_BITRATE, BITRATE),
            (_SET_SIGNAL, _SIGNAL_VOICE),
            (_SET_INBAND_FEC, 1),
            (_SET_PACKET_LOSS_PERC, EXPECTED_LOSS_PERCENT),
        ):
            self._library.opus_encoder_ctl(
                ctypes.c_void_p(self._state), ctypes.c_int(setting), ctypes.c_int(value)
            )
        self._out = ctypes.create_string_buffer(LONGEST_PACKET)

    def encode(self, samples: Samples) -> bytes:
        """The packet of (n,) samples: 2.5, 5, 10, 20, 40 or 60 ms. Raises ValueError for others."""
        frame = np.ascontiguousarray(samples, np.float32)
        count = self._library.opus_encode_float(
            self._state, frame.ctypes.data_as(_FLOATS), len(frame), self._out, LONGEST_PACKET
        )
        if count < 0:
            raise ValueError(f"{len(frame)} samples are no frame of Opus")
        return self._out.raw[:count]


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """libopus. Raises EngineFailed where there is none."""
    name = ctypes.util.find_library("opus") or "libopus.so.0"
    try:
        opus = ctypes.CDLL(name)
    except OSError as error:
        raise EngineFailed("opus: the system library is missing: install libopus0") from error
    pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_int32
    result = ctypes.POINTER(ctypes.c_int)
    for function, answer, arguments in (
        (opus.opus_decoder_create, pointer, (size, number, result)),
        (opus.opus_decoder_destroy, None, (pointer,)),
        (
            opus.opus_decode_float,
            number,
            (pointer, ctypes.c_char_p, size, _FLOATS, number, number),
        ),
        (opus.opus_encoder_create, pointer, (size, number, number, result)),
        (opus.opus_encoder_destroy, None, (pointer,)),
        (opus.opus_encode_float, size, (pointer, _FLOATS, number, ctypes.c_char_p, size)),
    ):
        function.restype, function.argtypes = answer, arguments
    return opus
