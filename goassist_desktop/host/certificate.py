"""The host's own certificate: made at first use, and again when it does not fit any more.

Nobody vouches for it, so browsers warn. Its fingerprint, shown beside the address, is what tells
this machine from another.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID: Final = timedelta(days=397)
"""The most that browsers take."""
RENEW: Final = timedelta(days=7)
"""So long before it expires there is a new one."""


def ready_certificate(folder: Path, names: Iterable[str], now: datetime | None = None) -> Path:
    """The file with key and certificate for these names and addresses, made where there is none
    that serves: absent, damaged, of other names, or soon expired. Raises OSError."""
    path = folder / "certificate.pem"
    wanted = set(names)
    now = now or datetime.now(UTC)
    if not _serves(path, wanted, now):
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_make(sorted(wanted), now))
        fresh.replace(path)
    return path


def tls(path: Path) -> ssl.SSLContext:
    """To serve with a file of `ready_certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context


def fingerprint(path: Path) -> str:
    """SHA-256 of the certificate, as browsers show it: pairs of hexadecimal digits."""
    digest = x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def _serves(path: Path, wanted: set[str], now: datetime) -> bool:
    try:
        content = path.read_bytes()
        certificate = x509.load_pem_x509_certificate(content)
        key = serialization.load_pem_private_key(content, None)
    except (OSError, ValueError, TypeError):
        return False
    if key.public_key() != certificate.public_key():
        return False
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW:
        return False
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return False
    named = set(extension.value.get_values_for_type(x509.DNSName))
    named |= {str(ip) for ip in extension.value.get_values_for_type(x509.IPAddress)}
    return wanted <= named


def _make(names: list[str], now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "GoAssist")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
