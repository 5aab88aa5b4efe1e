"""Who may talk to whom over TLS: nodes prove to each other which node of which cluster they are; clients check the
server.

It does not know sockets. A node's certificate names it as `NODE.CLUSTER.quorate`; a certificate of the same authority
for another node, or of another cluster, opens no door.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from ..settings import SettingsError, Tls


class Certified(Protocol):
    """A connection whose other end may have shown a certificate."""

    def get_extra_info(self, name: str) -> object: ...


def certified_name(node: str, cluster: str) -> str:
    """What a node's certificate calls it."""
    return f"{node}.{cluster}.quorate"


@dataclass(frozen=True, slots=True)
class Contexts:
    """What a node speaks TLS with at its port for clients, at its port for peers, and when it calls one; None where it
    speaks none."""

    clients: ssl.SSLContext | None = None
    peers: ssl.SSLContext | None = None
    calling: ssl.SSLContext | None = None

    @classmethod
    def of(cls, tls: Tls | None) -> Self:
        """Read the files that the settings name. Raises SettingsError."""
        if tls is None:
            return cls()
        heard = _context(tls, ssl.Purpose.CLIENT_AUTH)
        calling = _context(tls, ssl.Purpose.SERVER_AUTH)
        for context in (heard, calling):
            context.verify_mode = ssl.CERT_REQUIRED
            # `proves` looks at the name: nodes are known by it, not by address
            context.check_hostname = False
        return cls(_context(tls, ssl.Purpose.CLIENT_AUTH) if tls.clients else None, heard, calling)


def of_client(authority: Path) -> ssl.SSLContext:
    """For a client: the node must show a certificate of the authority. Raises SettingsError."""
    return _believing("authority", authority, ssl.Purpose.SERVER_AUTH)


def proves(connection: Certified, node: str, cluster: str) -> bool:
    """Did the other end show the certificate of this node? True where no TLS is spoken."""
    if connection.get_extra_info("ssl_object") is None:
        return True
    shown = connection.get_extra_info("peercert")
    names: Iterable[tuple[str, str]] = shown.get("subjectAltName", ()) if isinstance(shown, dict) else ()
    return ("DNS", certified_name(node, cluster)) in names


def _believing(key: str, authority: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=_there(key, authority))
    except OSError as error:
        raise SettingsError(
            f"{key}: {authority}: cannot be read as certificates, in PEM: {_why(error)}; "
            "name the authority's, as `quorate certs` makes one"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _context(tls: Tls, purpose: ssl.Purpose) -> ssl.SSLContext:
    context = _believing("tls.authority", tls.authority, purpose)
    certificate, key = _there("tls.certificate", tls.certificate), _there("tls.key", tls.key)
    try:
        context.load_cert_chain(certificate, key, password=_nobody_is_asked)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"tls: {certificate} and {key} do not go together, are no PEM, or have a password: {_why(error)}; "
            "name a node's certificate and its key, as `quorate certs` makes them"
        ) from error
    return context


def _there(key: str, path: Path) -> str:
    if not os.path.isfile(path):
        raise SettingsError(f"{key}: {path}: there is no such file; `quorate certs` makes some to try out")
    return str(path)


def _nobody_is_asked() -> str:
    """A key with a password would have OpenSSL ask the terminal for it."""
    return ""


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
