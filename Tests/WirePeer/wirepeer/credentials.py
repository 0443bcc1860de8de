"""Keys, certificates and TLS contexts.

Python's `ssl` can neither make a key nor ask for a certificate, and reads the own certificate only over a detour; so
these three things are done by the `openssl` command. All else is `ssl`.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .identity import Identity, IdentityError, normal_serial

LANE_PROTOCOL = "shardline/1"
ENROLMENT_PROTOCOL = "shardline-enrol/1"

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
_KEY = re.compile(r"-----BEGIN (?:EC )?PRIVATE KEY-----.+?-----END (?:EC )?PRIVATE KEY-----\n?", re.DOTALL)


class CredentialsError(Exception):
    """A folder or a file that holds no usable credentials."""


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True)
    except FileNotFoundError:
        raise CredentialsError("the openssl command is missing; on Debian and Ubuntu: apt-get install openssl") from None
    except subprocess.CalledProcessError as error:
        raise CredentialsError(f"openssl {arguments[0]}: {error.stderr.decode(errors='replace').strip()}") from None
    return done.stdout


def new_key() -> bytes:
    """A key on P-256, in PEM."""
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def certificate_request(key: bytes, name: str) -> bytes:
    """PKCS#10 in DER, signed with the key. The subject is for people only."""
    with private_file(key) as path:
        return openssl("req", "-new", "-key", path, "-subj", f"/CN={name}", "-outform", "DER")


class private_file:  # noqa: N801  (used like a function)
    """A file that only its owner may read, for the time of a `with`."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __enter__(self) -> str:
        descriptor, self._path = tempfile.mkstemp()
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._data)
        return self._path

    def __exit__(self, *_: object) -> None:
        os.unlink(self._path)


@dataclass
class Credentials:
    identity: Identity
    # PEM: the chain, leaf first; the key; whom to trust.
    chain: str
    key: str
    authorities: str
    revoked: set[str]

    @staticmethod
    def read(path: Path) -> Credentials:
        """A folder that `enrol` wrote, or a file of `shardline operator create`."""
        if path.is_dir():
            revoked = path / "revoked"
            return Credentials.parse(
                (path / "chain.pem").read_text(), (path / "key.pem").read_text(), (path / "authority.pem").read_text(),
                set(revoked.read_text().split()) if revoked.exists() else set())
        text = path.read_text()
        certificates = _PEM.findall(text)
        if not certificates:
            raise CredentialsError(f"{path} holds no certificate")
        # The last one is the authority's; the chain ends with it too.
        return Credentials.parse("".join(certificates), text, certificates[-1])

    @staticmethod
    def parse(chain: str, key: str, authorities: str, revoked: set[str] | None = None) -> Credentials:
        leaf, found = _PEM.search(chain), _KEY.search(key)
        if leaf is None or found is None:
            raise CredentialsError("a certificate and a private key are needed, both in PEM")
        return Credentials(_own_identity(leaf[0]), chain, found[0], authorities, revoked or set())

    def write(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        parts = {"chain.pem": self.chain, "key.pem": self.key, "authority.pem": self.authorities,
                 "revoked": "".join(f"{serial}\n" for serial in sorted(self.revoked))}
        for name, text in parts.items():
            new = folder / f"{name}.new"
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            new.replace(folder / name)

    def context(self, is_server: bool) -> ssl.SSLContext:
        """For lanes: both ends show a certificate, both check the other's."""
        context = _context(is_server, LANE_PROTOCOL)
        context.load_verify_locations(cadata=self.authorities)
        context.verify_mode = ssl.CERT_REQUIRED
        with private_file((self.key + self.chain).encode()) as path:
            context.load_cert_chain(path)
        return context

    def check(self, stream: ssl.SSLObject, expected_role: str | None = None) -> Identity:
        """Who is at the other end, once the handshake is over; what OpenSSL does not look at is checked here."""
        if stream.selected_alpn_protocol() != LANE_PROTOCOL:
            raise IdentityError(f"the other end speaks {stream.selected_alpn_protocol()!r}, not {LANE_PROTOCOL!r}")
        peer = Identity.of_peer(stream.getpeercert())
        if peer.cluster != self.identity.cluster:
            raise IdentityError(f"the peer is of cluster {peer.cluster!r}, not {self.identity.cluster!r}")
        if peer.serial in self.revoked:
            raise IdentityError(f"the certificate of {peer.name!r} is revoked")
        if expected_role is not None and peer.role != expected_role:
            raise IdentityError(f"{peer.name!r} is a {peer.role}, not a {expected_role}")
        return peer


def enrolment_context(authority: str | None) -> ssl.SSLContext:
    """For a client without a certificate: trusts `authority` (PEM) alone, or, with None, looks at nothing."""
    context = _context(False, ENROLMENT_PROTOCOL)
    if authority is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(is_server: bool, protocol: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Names are those of certificates.
    context.check_hostname = False
    context.set_alpn_protocols([protocol])
    context.options |= ssl.OP_NO_TICKET
    if is_server:
        context.num_tickets = 0
    return context


def _own_identity(leaf: str) -> Identity:
    text = openssl("x509", "-noout", "-serial", "-ext", "subjectAltName", data=leaf.encode()).decode()
    serial = re.search(r"serial=([0-9A-Fa-f]+)", text)
    uris = re.findall(r"URI:(\S+?)(?:,|\s|$)", text)
    if serial is None:
        raise IdentityError("the own certificate has no serial number")
    names = tuple(("URI", uri) for uri in uris)
    return Identity.of_peer({"subjectAltName": names, "serialNumber": normal_serial(serial[1])})
