"""A development authority: certificates for the nodes of a cluster, to try TLS out.

It does not know how they are used (`impl.net.tls`). Whoever has the authority's key can be any node: for a cluster that
matters, keep it elsewhere, or use an authority of your own that names nodes in the same way.
"""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..quoting import quoted
from .settings import is_host, is_name

VALID: Final = timedelta(days=397)
AUTHORITY: Final = "authority"

Key = ec.EllipticCurvePrivateKey


class CannotCertify(Exception):
    """A name cannot be used, or the authority that is there; the text is one line with what to do."""


def make_certificates(folder: Path, cluster: str, nodes: Sequence[str], hosts: Sequence[str]) -> list[Path]:
    """Make `authority.pem` and `authority.key`, and for each node `NODE.pem` and `NODE.key`; the files.

    `hosts` are the names and addresses at which clients reach the nodes. An authority that is there already signs.
    Raises CannotCertify before anything is made, and FileExistsError for a node that has a certificate.
    """
    _check_names(cluster, nodes, hosts)
    _check_new(folder, nodes)
    folder.mkdir(parents=True, exist_ok=True)
    authority, authority_key = _authority(folder, cluster)
    made = [folder / f"{AUTHORITY}.pem", folder / f"{AUTHORITY}.key"]
    for node in nodes:
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(f"{node}.{cluster}.quorate")]
        names += [_host(host) for host in hosts]
        certificate = (
            _begun(f"{node}.{cluster}", authority.subject, key)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(authority_key, hashes.SHA256())
        )
        made += [
            _write_certificate(folder / f"{node}.pem", certificate),
            _write_key(folder / f"{node}.key", key),
        ]
    return made


def _check_names(cluster: str, nodes: Sequence[str], hosts: Sequence[str]) -> None:
    for name in (cluster, *nodes):
        if not is_name(name):
            raise CannotCertify(f"{quoted(name)} is no name; letters, digits, '.', '_' and '-' make one")
    if dotted := [name for name in nodes if "." in name]:
        raise CannotCertify(
            f"{quoted(dotted[0])} has a dot, and could be another cluster's node; a certified node's name has none"
        )
    if AUTHORITY in nodes:
        raise CannotCertify(
            f"a node cannot be called {AUTHORITY}, which signs for the others; choose another name"
        )
    if len(set(nodes)) < len(nodes):
        raise CannotCertify("a node stands twice; name each once")
    for host in hosts:
        if not is_host(host.removeprefix("*.")):
            raise CannotCertify(
                f"--host: {quoted(host)} is no host; give a name or an IP address, without a port"
            )


def _check_new(folder: Path, nodes: Sequence[str]) -> None:
    for path in (folder / f"{node}.{suffix}" for node in nodes for suffix in ("pem", "key")):
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _authority(folder: Path, cluster: str) -> tuple[x509.Certificate, Key]:
    kept, kept_key = folder / f"{AUTHORITY}.pem", folder / f"{AUTHORITY}.key"
    if kept.exists() or kept_key.exists():
        return _kept_authority(kept, kept_key)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"quorate development authority of {cluster}")
    certificate = (
        _begun(f"quorate development authority of {cluster}", name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(kept_key, key)
    _write_certificate(kept, certificate)
    return certificate, key


def _kept_authority(kept: Path, kept_key: Path) -> tuple[x509.Certificate, Key]:
    """The authority in these files. Raises CannotCertify unless they are one, whole."""
    advice = "put back the authority that was there, or make another one in a new folder"
    for path in (kept, kept_key):
        if not path.is_file():
            raise CannotCertify(f"{path}: is missing, and the other half of the authority is there; {advice}")
    try:
        certificate = x509.load_pem_x509_certificate(kept.read_bytes())
        public_key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise CannotCertify(f"{kept}: is no certificate, in PEM; {advice}") from None
    try:
        key = serialization.load_pem_private_key(kept_key.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CannotCertify(
            f"{kept_key}: is no private key, in PEM and without a password; {advice}"
        ) from None
    if not isinstance(key, Key) or key.public_key() != public_key:
        raise CannotCertify(f"{kept_key}: is not the key of {kept}; {advice}")
    return certificate, key


def _begun(subject: str, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + VALID)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text.encode("idna").decode())


def _write_certificate(path: Path, certificate: x509.Certificate) -> Path:
    with path.open("xb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _write_key(path: Path, key: Key) -> Path:
    """A key that only its owner may read, from the first moment on."""
    form = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
    return path
