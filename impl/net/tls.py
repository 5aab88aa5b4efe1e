"""Who may talk to whom over TLS: nodes prove to each other which node of which cluster they are; clients check the
server.

It does not know sockets. A node's certificate names it as `NODE.CLUSTER.quorate`; a certificate of the same authority
for another node, or of another cluster, opens no door.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ..settings import SettingsError, Tls


class Certified(Protocol):
    """A connection whose other end may have shown a certificate."""

    def get_extra_info(self, name: str) -> object: ...


def certified_name(node: str, cluster: str) -> str:
    """What a node's certificate calls it."""
    return f"{node}.{cluster}.quorate"


def for_peers(tls: Tls, purpose: ssl.Purpose) -> ssl.SSLContext:
    """Between nodes: both ends show a certificate of the authority. Raises SettingsError."""
    context = _context(tls, purpose)
    context.verify_mode = ssl.CERT_REQUIRED
    context.check_hostname = False  # the name is looked at below: nodes are known by name, not by address
    return context


def for_clients(tls: Tls) -> ssl.SSLContext:
    """At the port for clients: the node shows its certificate, and asks for none. Raises SettingsError."""
    return _context(tls, ssl.Purpose.CLIENT_AUTH)


def of_client(authority: Path) -> ssl.SSLContext:
    """For a client: the node must show a certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(authority))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def proves(connection: Certified, node: str, cluster: str) -> bool:
    """Did the other end show the certificate of this node? True where no TLS is spoken."""
    if connection.get_extra_info("ssl_object") is None:
        return True
    shown = connection.get_extra_info("peercert")
    names: Iterable[tuple[str, str]] = shown.get("subjectAltName", ()) if isinstance(shown, dict) else ()
    return ("DNS", certified_name(node, cluster)) in names


def _context(tls: Tls, purpose: ssl.Purpose) -> ssl.SSLContext:
    for key, path in (("authority", tls.authority), ("certificate", tls.certificate), ("key", tls.key)):
        if not path.is_file():
            raise SettingsError(
                f"tls.{key}: {path}: there is no such file; `quorate certs` makes some to try out"
            )
    try:
        context = ssl.create_default_context(purpose, cafile=str(tls.authority))
        context.load_cert_chain(str(tls.certificate), str(tls.key))
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(f"tls: the files do not go together, or are no PEM: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
