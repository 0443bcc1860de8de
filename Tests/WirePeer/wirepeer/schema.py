"""The messages of Protocols/*.proto as Python classes, and the methods of methods.txt.

The classes are made at run time out of a descriptor set that `protoc` writes, so nothing generated lies about, and any
pair of protoc and protobuf library will do.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

PACKAGE = "shardline.v1"


class SchemaError(Exception):
    """The protocol's files cannot be used."""


class MalformedMessage(Exception):
    """Bytes that are no message of their type."""


@dataclass(frozen=True)
class Method:
    number: int
    name: str
    lane: int
    is_call: bool


LANE_NAMES = ("control", "activations", "bulk")

# What each method takes and, if it is called, gives back: the table of wire.md, "Objects and methods".
ARGUMENTS = {
    "Coordinator.register": "RegisterRequest",
    "Coordinator.stagePrepared": "StagePrepared",
    "Coordinator.stageFailed": "StageFailed",
    "Coordinator.stepFinished": "StepFinished",
    "Coordinator.stepFailed": "StepFailed",
    "Coordinator.stageProgress": "StageProgress",
    "Coordinator.nodeLeaving": "NodeLeaving",
    "Coordinator.renewCertificate": "RenewCertificate",
    "Node.prepare": "PrepareStage",
    "Node.release": "ReleaseStage",
    "Node.certificatesRevoked": "CertificatesRevoked",
    "Stage.forward": "ForwardStep",
    "Admin.topology": "TopologyRequest",
}
RESULTS = {
    "Coordinator.register": "RegisterReply",
    "Coordinator.renewCertificate": "Enrolled",
    "Node.prepare": "Empty",
    "Admin.topology": "TopologyReply",
}


def protocols_folder() -> Path:
    """The repository's Protocols/, or SHARDLINE_PROTOCOLS."""
    named = os.environ.get("SHARDLINE_PROTOCOLS")
    return Path(named) if named else Path(__file__).resolve().parents[3] / "Protocols"


@functools.cache
def _descriptors() -> descriptor_pb2.FileDescriptorSet:
    folder = protocols_folder()
    sources = sorted(path.name for path in folder.glob("*.proto"))
    if not sources:
        raise SchemaError(f"{folder} holds no .proto files; set SHARDLINE_PROTOCOLS to the folder that does")
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "descriptors"
        try:
            subprocess.run(
                ["protoc", f"--proto_path={folder}", "--include_imports", f"--descriptor_set_out={target}", *sources],
                check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise SchemaError("protoc is missing; on Debian and Ubuntu: apt-get install protobuf-compiler") from None
        except subprocess.CalledProcessError as error:
            raise SchemaError(f"protoc refuses {folder}: {error.stderr.strip()}") from None
        return descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())


@functools.cache
def messages() -> dict[str, type[Message]]:
    """All message classes by their names without the package."""
    pool = descriptor_pool.DescriptorPool()
    names: list[str] = []
    for file in _descriptors().file:
        pool.Add(file)
        names += [message.name for message in file.message_type]
    # Renamed in version 4.22 of the library.
    make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return {name: make(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in names}


@functools.cache
def wire() -> SimpleNamespace:
    """The same, for writing `wire().Hello(node="a")`."""
    return SimpleNamespace(**messages())


def parse(name: str, control: bytes) -> Message:
    try:
        message = messages()[name].FromString(control)
    except DecodeError as error:
        raise MalformedMessage(f"no {name}: {error}") from None
    _check(message, control)
    return message


def _check(message: Message | type[Message], control: bytes) -> None:
    """What wire.md refuses and the library takes: U+0000 in texts, and messages that come in several parts."""
    fields = message.DESCRIPTOR.fields_by_number
    whole: set[int] = set()
    position = 0
    while position < len(control):
        tag, position = _varint(control, position)
        match tag & 7:
            case 0:
                _, position = _varint(control, position)
            case 2:
                length, position = _varint(control, position)
                content, position = control[position:position + length], position + length
                field = fields.get(tag >> 3)
                if field is None:
                    continue
                if field.type == FieldDescriptor.TYPE_STRING and b"\0" in content:
                    raise MalformedMessage(f"{field.full_name} holds U+0000")
                if field.message_type is not None:
                    if not is_repeated(field) and field.number in whole:
                        raise MalformedMessage(f"{field.full_name} comes in several parts")
                    whole.add(field.number)
                    _check(messages()[field.message_type.name], content)
            case kind:
                position += 8 if kind == 1 else 4


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def is_repeated(field: FieldDescriptor) -> bool:
    # Newer versions of the library have the property, older ones the label.
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED


def serialise(message: Message) -> bytes:
    """Fields in the order of their numbers, without those that have their default: the canonical form."""
    return message.SerializeToString(deterministic=True)


@functools.cache
def methods() -> dict[str, Method]:
    table: dict[str, Method] = {}
    for line in (protocols_folder() / "methods.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            number, name, lane, kind = line.split()
            table[name] = Method(int(number), name, LANE_NAMES.index(lane), kind == "call")
    return table


@functools.cache
def methods_by_number() -> dict[int, Method]:
    return {method.number: method for method in methods().values()}
