"""A development authority: certificates for the nodes of a cluster, to try TLS out.

It does not know how they are used (`impl.net.tls`). Whoever has the authority's key can be any node: for a cluster that
matters, keep it elsewhere, or use an authority of your own that names nodes in the same way.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID: Final = timedelta(days=397)

Key = ec.EllipticCurvePrivateKey


def make_certificates(folder: Path, cluster: str, nodes: Sequence[str], hosts: Sequence[str]) -> list[Path]:
    """Make `authority.pem` and `authority.key`, and for each node `NODE.pem` and `NODE.key`; the files.

    `hosts` are the names and addresses at which clients reach the nodes. An authority that is there already signs.
    Raises FileExistsError for a node that has a certificate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    authority, authority_key = _authority(folder, cluster)
    made = [folder / "authority.pem", folder / "authority.key"]
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


def _authority(folder: Path, cluster: str) -> tuple[x509.Certificate, Key]:
    kept, kept_key = folder / "authority.pem", folder / "authority.key"
    if kept.exists():
        key = serialization.load_pem_private_key(kept_key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "it is as this function makes it"
        return x509.load_pem_x509_certificate(kept.read_bytes()), key
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
        return x509.DNSName(text)


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
