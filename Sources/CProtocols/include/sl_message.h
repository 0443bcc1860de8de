#pragma once
// What protobuf-c lets pass in a message's bytes although the protocol refuses it.
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Whether no text of the message holds U+0000, behind which protobuf-c's strings end, and no message within it comes in
// several parts, which protobuf-c does not put together as others do. `bytes` were unpacked as this message; false also
// when they cannot have been.
bool sl_message_is_plain(const ProtobufCMessageDescriptor *message, const uint8_t *bytes, size_t byte_count);
