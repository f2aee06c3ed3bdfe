"""The names and addresses this machine is reached by."""

from __future__ import annotations

import ipaddress
import socket

import psutil

LOOPBACK = "127.0.0.1"


def own_names() -> list[str]:
    """All of them, for a certificate."""
    host = socket.gethostname().lower()
    names = ["localhost", host, f"{host.removesuffix('.local')}.local", LOOPBACK, "::1"]
    return list(dict.fromkeys([name for name in names if _is_name(name)] + network_addresses()))


def network_addresses() -> list[str]:
    """Of the networks this machine is in, private ones of IPv4 first."""
    up = psutil.net_if_stats()
    found = [
        ipaddress.ip_address(address.address)
        for name, addresses in psutil.net_if_addrs().items()
        if name in up and up[name].isup
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6) and "%" not in address.address
    ]
    usable = [ip for ip in found if not (ip.is_loopback or ip.is_link_local)]
    usable.sort(key=lambda ip: (ip.version, not ip.is_private))
    return [str(ip) for ip in usable]


def _is_name(name: str) -> bool:
    return bool(name) and name.isascii() and len(name) < 64
