"""Random messages of every type, valid by wire.md ("Values") and canonical, and other bytes that mean the same."""

from __future__ import annotations

import random
import string
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from wirepeer import schema
from wirepeer.identity import NAME
from wirepeer.schema import is_repeated

_LETTERS = "az AZ09/:.-\"\\\n\u0001äß€漢字🙂"
_NAME_LETTERS = string.ascii_letters + string.digits + "._-"


class RandomMessages:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._wire = schema.wire()

    def message(self, name: str) -> schema.Message:
        return getattr(self, "_" + name)()

    # MARK: Values

    def _chance(self, one_in: int = 2) -> bool:
        return self._random.randrange(one_in) == 0

    def _int(self, lowest: int, highest: int) -> int:
        """The ends are likely."""
        match self._random.randrange(5):
            case 0:
                return lowest
            case 1:
                return highest
            case _:
                return self._random.randint(lowest, highest) >> self._random.randrange(32) if lowest == 0 else (
                    self._random.randint(lowest, highest))

    def _wide(self) -> int:
        return self._int(0, 2**64 - 1)

    def _u32(self) -> int:
        return self._int(0, 2**32 - 1)

    def _count(self, highest: int = 2**31 - 1) -> int:
        return self._int(0, highest)

    def _list(self, highest: int, make: Callable[[], Any], lowest: int = 0) -> list[Any]:
        return [make() for _ in range(self._random.randint(lowest, highest))]

    def _text(self, most: int = 255) -> str:
        text = "".join(self._random.choices(_LETTERS, k=self._random.choice([0, 3, 20, 90])))
        return text.encode()[:most].decode(errors="ignore")

    def _name(self) -> str:
        name = "".join(self._random.choices(_NAME_LETTERS, k=self._random.randint(1, 64)))
        assert NAME.fullmatch(name)
        return name

    def _bytes(self, highest: int) -> bytes:
        return self._random.randbytes(self._random.randint(0, highest))

    def _serial(self) -> str:
        return self._random.randbytes(self._random.randint(1, 20)).hex()

    def _bits(self) -> float:
        """Any float32 at all."""
        special = (0x80000000, 1, 0x7F800000, 0xFF800000, 0x7FC00001)
        bits = self._random.choice(special) if self._chance(4) else self._random.getrandbits(32)
        return struct.unpack("<f", struct.pack("<I", bits))[0]

    def _finite(self) -> float:
        while True:
            value = struct.unpack("<f", struct.pack("<I", self._random.getrandbits(32)))[0]
            # NaN differs from itself; -0 may lose its sign.
            if value == value and abs(value) != float("inf"):
                return 0.0 if value == 0 or self._chance(4) else value

    def _rate(self) -> float:
        return self._random.choice([0.0, 1.5e10, 5e-324, 1.7e308, self._random.random() * 1e12])

    def _token(self) -> int:
        return self._int(0, 2**31 - 1)

    # MARK: Messages

    def _Empty(self) -> schema.Message:
        return self._wire.Empty()

    def _Hello(self) -> schema.Message:
        lowest = self._int(1, 255)
        return self._wire.Hello(
            version_min=lowest, version_max=self._int(lowest, 255), program_version=self._text(), node=self._name(),
            incarnation=self._wide(), role=self._int(1, 3), lane=self._int(0, 2), listen_port=self._count(65535),
            host=self._text(), link=self._wide())

    def _Welcome(self) -> schema.Message:
        return self._wire.Welcome(
            version=self._int(1, 255), node=self._name(), incarnation=self._wide(), role=self._int(1, 3))

    def _RemoteFailure(self) -> schema.Message:
        return self._wire.RemoteFailure(code=self._text(64), message=self._text(2048))

    def _Enrol(self) -> schema.Message:
        return self._wire.Enrol(
            token_id=self._text(), secret=self._text(), certificate_request=self._bytes(4096), role=self._int(1, 3),
            node=self._name())

    def _Enrolled(self) -> schema.Message:
        return self._wire.Enrolled(
            certificates=self._list(8, lambda: self._bytes(900)), revoked_serials=self._list(6, self._serial))

    def _RenewCertificate(self) -> schema.Message:
        return self._wire.RenewCertificate(certificate_request=self._bytes(4096))

    def _CertificatesRevoked(self) -> schema.Message:
        return self._wire.CertificatesRevoked(serials=self._list(9, self._serial))

    def _description(self) -> schema.Message:
        return self._wire.NodeDescription(
            node=self._name(), incarnation=self._wide(), host=self._text(), port=self._count(65535),
            process_id=self._int(-2**31, 2**31 - 1), thread_count=self._count(1 << 20), core_count=self._count(1 << 20),
            numa_node_count=self._count(1 << 20), instruction_set=self._text(), memory_limit_bytes=self._wide(),
            read_bytes_per_second=self._rate(), multiply_adds_per_second=self._rate(), version=self._text())

    def _RegisterRequest(self) -> schema.Message:
        return self._wire.RegisterRequest(description=self._description())

    def _RegisterReply(self) -> schema.Message:
        return self._wire.RegisterReply(beat_interval_milliseconds=self._count(3_600_000))

    def _NodeLeaving(self) -> schema.Message:
        return self._wire.NodeLeaving(reason=self._text(2048))

    def _units(self) -> schema.Message:
        lower = self._count(65535)
        return self._wire.StageUnits(
            layers_lower=lower, layers_upper=self._int(lower + 1, 65536), has_embedding=self._chance(),
            has_head=self._chance())

    def _PrepareStage(self) -> schema.Message:
        count = self._int(1, 4096)
        index = self._int(0, count - 1)
        message = self._wire.PrepareStage(
            pipeline=self._u32(), stage_index=index, stage_count=count, model=self._text(),
            model_fingerprint=self._text(), units=self._units(), block_count=self._count(),
            row_count_max=self._int(1, 65536))
        if index + 1 < count:
            message.next.CopyFrom(
                self._wire.PeerAddress(node=self._name(), host=self._text(), port=self._count(65535)))
        if index > 0 and self._chance():
            message.previous = self._name()
        return message

    def _ReleaseStage(self) -> schema.Message:
        return self._wire.ReleaseStage(pipeline=self._u32())

    def _StagePrepared(self) -> schema.Message:
        return self._wire.StagePrepared(pipeline=self._u32())

    def _StageFailed(self) -> schema.Message:
        return self._wire.StageFailed(pipeline=self._u32(), reason=self._text(2048))

    def _StageProgress(self) -> schema.Message:
        total = self._wide()
        return self._wire.StageProgress(
            pipeline=self._u32(), done_bytes=self._random.randint(0, total), total_bytes=total)

    def _introduction(self, first: int) -> schema.Message:
        return self._wire.SequenceIntroduction(
            temperature=abs(self._finite()), top_k=self._count(), top_p=self._finite(), min_p=self._finite(),
            repetition_penalty=self._finite(), presence_penalty=self._finite(), frequency_penalty=self._finite(),
            seed=self._wide(), choice=self._u32(), top_logprob_count_plus_one=self._count(21),
            prompt_token_count=self._count(),
            earlier_tokens=[self._token() for _ in range(first)] if first < 200 and self._chance() else [])

    def _rows(self) -> schema.Message:
        tokens = self._list(300 if self._chance(10) else 4, self._token, lowest=1)
        first = self._random.choice([0, 5, 64, 3000])
        index = self._random.randint(0, first // 32)
        needed = -(-(first + len(tokens)) // 32) - index
        scores = self._chance()
        message = self._wire.SequenceRows(
            sequence=self._wide(), first_position=first, tokens=tokens, first_block_index=index,
            blocks=self._list(needed + 2, self._u32, lowest=needed) if self._chance() else [], samples=self._chance(),
            scores=scores, following_token_plus_one=self._int(0, 2**31) if scores else 0,
            suppresses_end=self._chance())
        if self._chance():
            message.introduction.CopyFrom(self._introduction(first))
        return message

    def _ForwardStep(self) -> schema.Message:
        return self._wire.ForwardStep(
            pipeline=self._u32(), sequences=self._list(6, self._rows), ended=self._list(5, self._wide))

    def _scores(self, lowest: int, highest: int) -> schema.Message:
        tokens = self._list(highest, self._token, lowest=lowest)
        message = self._wire.TokenScores(
            tokens=tokens, positions=[self._token() for _ in tokens])
        logprobs = [self._bits() for _ in tokens]
        # A column of zeros is left out in the canonical form.
        if self._chance() and any(struct.pack("<f", value) != bytes(4) for value in logprobs):
            message.logprobs.extend(logprobs)
        counts = [self._random.randint(0, 20) for _ in tokens]
        if self._chance() and sum(counts):
            message.top_counts.extend(counts)
            message.top_tokens.extend(self._token() for _ in range(sum(counts)))
            message.top_logprobs.extend(self._bits() for _ in range(sum(counts)))
        return message

    def _StepFinished(self) -> schema.Message:
        message = self._wire.StepFinished(pipeline=self._u32())
        for _ in range(self._random.randint(0, 6)):
            output = message.outputs.add(sequence=self._wide(), is_not_finite=self._chance())
            if self._chance():
                output.scored.CopyFrom(self._scores(1, 5))
            if self._chance():
                output.sampled.CopyFrom(self._scores(1, 1))
        return message

    def _StepFailed(self) -> schema.Message:
        return self._wire.StepFailed(pipeline=self._u32(), reason=self._text(2048))

    def _TopologyRequest(self) -> schema.Message:
        return self._wire.TopologyRequest()

    def _TopologyReply(self) -> schema.Message:
        message = self._wire.TopologyReply()
        for _ in range(self._random.randint(0, 4)):
            message.nodes.add(description=self._description(), is_connected=self._chance())
        for _ in range(self._random.randint(0, 3)):
            blocks = self._count()
            pipeline = message.pipelines.add(
                pipeline=self._u32(), model=self._text(), epoch=self._wide(), state=self._text(),
                running_count=self._count(), waiting_count=self._count(), block_count=blocks,
                free_block_count=self._random.randint(0, blocks))
            for _ in range(self._random.randint(0, 4)):
                pipeline.stages.add(
                    node=self._name(), units=self._units(), weight_bytes=self._wide(), kv_bytes=self._wide(),
                    is_ready=self._chance())
        return message


# MARK: Other bytes for the same message


class Disguise:
    """Encodes as other senders may: fields in any order, lists packed, unpacked or in parts, defaults spelled out, long
    varints, fields of later versions in between."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def encode(self, message: schema.Message) -> bytes:
        # Pieces of one field stay in their order; those of different fields mix as they like.
        queues: list[list[bytes]] = []
        for field in message.DESCRIPTOR.fields:
            queues.append(self._field(message, field))
        queues.append([self._unknown() for _ in range(self._random.randrange(3))])
        out = bytearray()
        while queues := [queue for queue in queues if queue]:
            out += self._random.choice(queues).pop(0)
        return bytes(out)

    def _field(self, message: schema.Message, field: FieldDescriptor) -> list[bytes]:
        value = getattr(message, field.name)
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if is_repeated(field):
                return [self._length(field.number, self.encode(item)) for item in value]
            return [self._length(field.number, self.encode(value))] if message.HasField(field.name) else []
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            items = list(value) if is_repeated(field) else [value] if value or self._once(4) else []
            return [
                self._length(field.number, item.encode() if isinstance(item, str) else item) for item in items]
        if not is_repeated(field):
            if not value and not self._once(4):
                return []
            # Of several the last counts.
            earlier = [self._scalar(field, self._other(field))] if self._once(4) else []
            return [*earlier, self._scalar(field, value)]
        return self._numbers(field, list(value))

    def _numbers(self, field: FieldDescriptor, values: list[Any]) -> list[bytes]:
        pieces = []
        while values:
            count = self._random.randint(1, len(values))
            some, values = values[:count], values[count:]
            if self._once(3):
                pieces += [self._scalar(field, value) for value in some]
            else:
                pieces.append(self._length(field.number, b"".join(self._number(field, value) for value in some)))
        return pieces

    def _scalar(self, field: FieldDescriptor, value: Any) -> bytes:
        wire_type = {FieldDescriptor.TYPE_FIXED64: 1, FieldDescriptor.TYPE_DOUBLE: 1, FieldDescriptor.TYPE_FLOAT: 5}
        return self._varint(field.number << 3 | wire_type.get(field.type, 0), 5) + self._number(field, value)

    def _number(self, field: FieldDescriptor, value: Any) -> bytes:
        match field.type:
            case FieldDescriptor.TYPE_FIXED64:
                return struct.pack("<Q", value)
            case FieldDescriptor.TYPE_DOUBLE:
                return struct.pack("<d", value)
            case FieldDescriptor.TYPE_FLOAT:
                return struct.pack("<f", value)
        return self._varint(int(value) & 2**64 - 1, 10)

    def _other(self, field: FieldDescriptor) -> Any:
        return 1.5 if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE) else 1

    def _unknown(self) -> bytes:
        number = self._random.choice([100, 1000, 18000, 2**29 - 1])
        match self._random.randrange(4):
            case 0:
                return self._varint(number << 3, 5) + self._varint(self._random.getrandbits(64), 10)
            case 1:
                return self._varint(number << 3 | 1, 5) + self._random.randbytes(8)
            case 2:
                return self._varint(number << 3 | 5, 5) + self._random.randbytes(4)
        return self._length(number, self._random.randbytes(self._random.randrange(20)))

    def _length(self, number: int, data: bytes) -> bytes:
        return self._varint(number << 3 | 2, 5) + self._varint(len(data), 5) + data

    def _varint(self, value: int, byte_count_max: int) -> bytes:
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
        if self._once(8):
            while len(out) < byte_count_max and self._once(2):
                out[-1] |= 0x80
                out.append(0)
        return bytes(out)

    def _once(self, one_in: int) -> bool:
        return self._random.randrange(one_in) == 0

