"""Who somebody is, as a certificate says it (wire.md, "Encryption")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

ROLES = ("coordinator", "node", "operator")
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_URI = re.compile(r"spiffe://([a-z0-9._-]{1,255})/(coordinator|node|operator)/([A-Za-z0-9_.-]{1,64})")


class IdentityError(Exception):
    """A certificate that is not good enough."""


@dataclass(frozen=True)
class Identity:
    cluster: str
    role: str
    name: str
    # Lowercase hexadecimal, two digits a byte.
    serial: str

    @property
    def role_number(self) -> int:
        """Of the enum Role in handshake.proto."""
        return ROLES.index(self.role) + 1

    @staticmethod
    def of_peer(certificate: dict[str, Any] | None) -> Identity:
        """Of what `SSLObject.getpeercert` says of a certificate that OpenSSL has verified."""
        if not certificate:
            raise IdentityError("the peer shows no certificate")
        uris = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
        if len(uris) != 1:
            raise IdentityError(f"the peer's certificate names {len(uris)} URIs instead of one")
        match = _URI.fullmatch(uris[0])
        if match is None:
            raise IdentityError(f"the peer's certificate is for {uris[0]!r}, not for spiffe://CLUSTER/ROLE/NAME")
        return Identity(match[1], match[2], match[3], normal_serial(certificate["serialNumber"]))


def normal_serial(digits: str) -> str:
    digits = digits.lower()
    return digits if len(digits) % 2 == 0 else "0" + digits
