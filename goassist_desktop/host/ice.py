"""How a peer is found: nobody outside this network is asked unless a server for that is configured.

Left to itself aiortc asks a public STUN server for the machine's address.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from aiortc import RTCConfiguration, RTCIceServer


@dataclass(frozen=True, slots=True)
class IceSettings:
    """`stun` and `turn` are URLs as in RFC 7064 and 7065; empty: none is asked."""

    stun: str = ""
    turn: str = ""
    turn_user: str = ""
    turn_password: str = ""

    @property
    def private(self) -> bool:
        """Only this machine's own networks are used."""
        return not (self.stun or self.turn)

    def configuration(self) -> RTCConfiguration:
        servers = [RTCIceServer(self.stun)] if self.stun else []
        if self.turn:
            servers.append(RTCIceServer(self.turn, self.turn_user, self.turn_password))
        return RTCConfiguration(iceServers=servers)

    def for_browser(self) -> list[dict[str, Any]]:
        """The same, as a browser's RTCPeerConnection takes it."""
        servers: list[dict[str, Any]] = [{"urls": self.stun}] if self.stun else []
        if self.turn:
            servers.append(
                {"urls": self.turn, "username": self.turn_user, "credential": self.turn_password}
            )
        return servers


def reachable(address: str, *, private: bool) -> bool:
    """Whether we may send to this address of a candidate.

    An offer can name any address as the caller's own: without this, whoever calls could let us send
    to anybody. Names of mDNS are those of the local network (RFC 8828).
    """
    if address.endswith(".local"):
        return True
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if ip.is_multicast or ip.is_unspecified:
        return False
    return not (private and ip.is_global)


def without_strangers(sdp: str, *, private: bool) -> str:
    """The same offer, without the candidates that are not `reachable`."""
    kept = [
        line
        for line in sdp.splitlines()
        if not line.startswith("a=candidate:") or reachable(_address(line), private=private)
    ]
    return "\r\n".join(kept) + "\r\n"


def _address(candidate: str) -> str:
    words = candidate.split()
    return words[4] if len(words) > 4 else ""
