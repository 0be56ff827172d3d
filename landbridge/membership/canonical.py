"""One message, one sequence of bytes: what hashes and signatures of messages are made of.

protobuf promises no such thing between two versions or languages of its library, so
docs/members.md defines it and this file writes it: the wire format with every choice taken. Fields
in ascending order of number; a field with its default value left out unless its presence counts;
shortest varints; repeated numbers packed; the entries of a map sorted by the bytes of their key,
key and value both written. What a schema does not know cannot be written, so it is refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

_VARINT: Final = 0
_FIXED64: Final = 1
_LENGTH: Final = 2
_MASK: Final = (1 << 64) - 1
_ONE_BYTE: Final = tuple(bytes((value,)) for value in range(0x80))


class NotCanonical(ValueError):
    """The message has no canonical bytes; it never quotes a value."""


def canonical_bytes(message: Message) -> bytes:
    """The canonical bytes of docs/members.md.

    Raises NotCanonical for a field that the schema does not know, for a number that is not finite
    and for a kind of field that is not defined there.
    """
    _require_known(message)
    return b"".join([_field(descriptor, value) for descriptor, value in message.ListFields()])


def remembered_bytes(message: Message) -> bytes:
    """As `canonical_bytes`, for a message that often comes again: a question asked by many.

    Remembered by the message's type and its bytes in this process, which say all of it.
    """
    wire = message.SerializeToString(deterministic=True)
    if len(wire) > _LONGEST_REMEMBERED:
        return canonical_bytes(message)
    return _again(type(message), wire)  # type: ignore[arg-type] # its metaclass confuses mypy


_LONGEST_REMEMBERED: Final = 4_096


@lru_cache(1_024)
def _again(kind: type[Message], wire: bytes) -> bytes:
    return canonical_bytes(kind.FromString(wire))


def canonical_fields(
    message: Message, *, without: Mapping[str, str], remembered: Collection[str] = ()
) -> dict[str, bytes]:
    """The same by field, in their order: what is joined is what `canonical_bytes` gives.

    `without` names fields that are messages, and one field of each that is left out as if it were
    not set; `remembered` those that are messages and often the same.
    """
    _require_known(message)
    written = {}
    for descriptor, value in message.ListFields():
        if descriptor.name in without:
            _require_known(value)
            inner = b"".join(
                [
                    _field(each, part)
                    for each, part in value.ListFields()
                    if each.name != without[descriptor.name]
                ]
            )
            written[descriptor.name] = _tag(descriptor, _LENGTH) + _prefixed(inner)
        elif descriptor.name in remembered:
            inner = remembered_bytes(value)
            written[descriptor.name] = _tag(descriptor, _LENGTH) + _prefixed(inner)
        else:
            written[descriptor.name] = _field(descriptor, value)
    return written


def _require_known(message: Message) -> None:
    if len(UnknownFieldSet(message)):
        raise NotCanonical("The message holds a field that its schema does not know.")


def _field(descriptor: FieldDescriptor, value: Any) -> bytes:
    return _writer(descriptor)(value)


@lru_cache(4_096)
def _writer(descriptor: FieldDescriptor) -> Callable[[Any], bytes]:
    """What writes that field's value. Remembered: it says nothing but what the schema says, and
    asking the schema costs more than the writing.
    """
    kind = descriptor.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return partial(_map, _tag(descriptor, _LENGTH), *(
            _single(kind.fields_by_name[each]) for each in ("key", "value")
        ))  # fmt: skip
    one = _single(descriptor)
    if not descriptor.is_repeated:
        return one
    if descriptor.type in _LENGTH_DELIMITED:
        return lambda values: b"".join(map(one, values))
    tag, (_, write) = _tag(descriptor, _LENGTH), _scalar(descriptor)
    return lambda values: tag + _prefixed(b"".join(map(write, values)))


def _map(
    tag: bytes, key: Callable[[Any], bytes], value: Callable[[Any], bytes], entries: Any
) -> bytes:
    written = sorted((key(name), name) for name in entries)
    return b"".join(tag + _prefixed(start + value(entries[name])) for start, name in written)


def _single(descriptor: FieldDescriptor) -> Callable[[Any], bytes]:
    """What writes one value of the field, with its tag."""
    length = _tag(descriptor, _LENGTH)
    if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
        return lambda value: length + _prefixed(canonical_bytes(value))
    if descriptor.type == FieldDescriptor.TYPE_STRING:
        return lambda value: length + _prefixed(value.encode())
    if descriptor.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: length + _prefixed(value)
    wire, write = _scalar(descriptor)
    tag = _tag(descriptor, wire)
    return lambda value: tag + write(value)


_LENGTH_DELIMITED: Final = (
    FieldDescriptor.TYPE_MESSAGE,
    FieldDescriptor.TYPE_STRING,
    FieldDescriptor.TYPE_BYTES,
)


def _scalar(descriptor: FieldDescriptor) -> tuple[int, Callable[[Any], bytes]]:
    try:
        return _SCALARS[descriptor.type]
    except KeyError:
        raise NotCanonical(
            "The message holds a kind of number that has no canonical form."
        ) from None


@lru_cache(4_096)
def _tag(descriptor: FieldDescriptor, wire: int) -> bytes:
    return _varint(descriptor.number << 3 | wire)


def _varint(value: int) -> bytes:
    if 0 <= value <= 0x7F:  # most lengths and numbers
        return _ONE_BYTE[value]
    rest = int(value) & _MASK  # a negative number is written as its two's complement of 64 bits
    written = bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    written.append(rest)
    return bytes(written)


def _double(value: float) -> bytes:
    if not math.isfinite(value):
        raise NotCanonical("The message holds a number that is not finite.")
    return struct.pack("<d", value)


def _prefixed(content: bytes) -> bytes:
    return _varint(len(content)) + content


_SCALARS: Final[dict[int, tuple[int, Callable[[Any], bytes]]]] = {
    FieldDescriptor.TYPE_BOOL: (_VARINT, _varint),
    FieldDescriptor.TYPE_ENUM: (_VARINT, _varint),
    FieldDescriptor.TYPE_INT32: (_VARINT, _varint),
    FieldDescriptor.TYPE_INT64: (_VARINT, _varint),
    FieldDescriptor.TYPE_UINT32: (_VARINT, _varint),
    FieldDescriptor.TYPE_UINT64: (_VARINT, _varint),
    FieldDescriptor.TYPE_SINT32: (_VARINT, lambda n: _varint((n << 1) ^ (n >> 63))),
    FieldDescriptor.TYPE_SINT64: (_VARINT, lambda n: _varint((n << 1) ^ (n >> 63))),
    FieldDescriptor.TYPE_DOUBLE: (_FIXED64, _double),
}


def parts(contents: Iterable[bytes]) -> bytes:
    """Each part after its length in 8 bytes, so that no two lists are spelt alike."""
    return b"".join(len(content).to_bytes(8, "big") + content for content in contents)
