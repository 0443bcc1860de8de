"""The first certificate (wire.md, "Enrolment")."""

from __future__ import annotations

import asyncio
import hashlib
import ssl

from . import schema
from .credentials import (
    ENROLMENT_PROTOCOL, Credentials, CredentialsError, certificate_request, enrolment_context, new_key)
from .frames import HEADER_BYTE_COUNT, FrameError, Header, Kind, decode_body, encode_frame
from .identity import Identity, IdentityError
from .tokens import JoinToken

TIMEOUT_SECONDS = 5.0


class EnrolmentRefused(Exception):
    """The coordinator gives no certificate, and says why."""


async def enrol(host: str, port: int, token: JoinToken, role: str, name: str) -> Credentials:
    key = new_key()
    request = certificate_request(key, name)
    async with asyncio.timeout(2 * TIMEOUT_SECONDS):
        authority = await _authority(host, port, token.fingerprint)
        answer = await _ask(host, port, authority, token, request, role, name)
    certificates = [ssl.DER_cert_to_PEM_cert(der) for der in answer.certificates]
    if not 2 <= len(certificates) <= 8:
        raise CredentialsError(f"{len(certificates)} certificates came")
    if hashlib.sha256(answer.certificates[-1]).digest() != token.fingerprint:
        raise CredentialsError("the last certificate is not the authority's of the token")
    credentials = Credentials.parse(
        "".join(certificates), key.decode(), certificates[-1], set(answer.revoked_serials))
    if (credentials.identity.role, credentials.identity.name) != (role, name):
        raise IdentityError(f"the certificate is for {credentials.identity}, not for {role} {name!r}")
    return credentials


async def _authority(host: str, port: int, fingerprint: bytes) -> str:
    """The certificate in the server's chain that the token names, in PEM.

    `ssl` cannot be told to trust what comes during the handshake; so one connection looks, says nothing, and closes.
    """
    _, writer = await asyncio.open_connection(host, port, ssl=enrolment_context(None))
    try:
        chain = _unverified_chain(writer.get_extra_info("ssl_object"))
    finally:
        writer.close()
    for der in chain:
        if hashlib.sha256(der).digest() == fingerprint:
            return ssl.DER_cert_to_PEM_cert(der)
    raise IdentityError(f"{host}:{port} does not show the authority that the token names: nothing was sent to it")


def _unverified_chain(stream: ssl.SSLObject) -> list[bytes]:
    if hasattr(stream, "get_unverified_chain"):  # Python 3.13
        return list(stream.get_unverified_chain())
    # Python 3.10 to 3.12 have it one layer further down, and encode with 2 for DER.
    return [certificate.public_bytes(2) for certificate in stream._sslobj.get_unverified_chain()]


async def _ask(
    host: str, port: int, authority: str, token: JoinToken, request: bytes, role: str, name: str
) -> schema.Message:
    reader, writer = await asyncio.open_connection(host, port, ssl=enrolment_context(authority))
    try:
        stream = writer.get_extra_info("ssl_object")
        if stream.selected_alpn_protocol() != ENROLMENT_PROTOCOL:
            raise IdentityError(f"{host}:{port} does not speak {ENROLMENT_PROTOCOL}")
        server = Identity.of_peer(stream.getpeercert())
        if server.role != "coordinator":
            raise IdentityError(f"{host}:{port} is a {server.role}, not a coordinator")
        wire = schema.wire()
        message = wire.Enrol(
            token_id=token.token_id, secret=token.secret, certificate_request=request, node=name,
            role={"node": 2, "operator": 3}[role])
        writer.write(encode_frame(Header(Kind.ENROL), schema.serialise(message), checksum=False))
        await writer.drain()
        header = Header.parse(await reader.readexactly(HEADER_BYTE_COUNT), is_encrypted=True)
        if header.kind not in (Kind.ENROLLED, Kind.REFUSE):
            raise FrameError(f"{header.kind.name} came as the answer")
        frame = decode_body(header, await reader.readexactly(header.control_byte_count), b"")
    finally:
        writer.close()
    if header.kind is Kind.REFUSE:
        failure = schema.parse("RemoteFailure", frame.control)
        raise EnrolmentRefused(f"{failure.code}: {failure.message}")
    return schema.parse("Enrolled", frame.control)
