"""Join tokens as text (wire.md, "Enrolment"): sl1.ID.SECRET.FINGERPRINT."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FORM = re.compile(r"sl1\.([0-9a-f]{12})\.([0-9a-f]{40})\.([0-9a-f]{64})")


class TokenError(Exception):
    """A text that is no join token; says nothing of its contents, which are a secret."""


@dataclass(frozen=True)
class JoinToken:
    token_id: str
    secret: str = field(repr=False)
    # SHA-256 of the authority's certificate in DER.
    fingerprint: bytes

    @staticmethod
    def parse(text: str) -> JoinToken:
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise TokenError("no join token: `shardline token create` prints one, sl1.ID.SECRET.FINGERPRINT")
        return JoinToken(match[1], match[2], bytes.fromhex(match[3]))
