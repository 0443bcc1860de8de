#include "sl_message.h"

#include <string.h>

#define FIELD_COUNT_MAX 64u

// The varint at `*at`; false when it does not end before `end`.
static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*at == end) return false;
        uint8_t byte = *(*at)++;
        if (shift < 64) result |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return false;
}

static bool skip(const uint8_t **at, const uint8_t *end, uint64_t byte_count) {
    if (byte_count > (uint64_t)(end - *at)) return false;
    *at += byte_count;
    return true;
}

// Whether a field with its length in front may stand there; `seen` are the single messages that came already.
static bool is_plain(
    const ProtobufCMessageDescriptor *message, uint64_t number, const uint8_t *bytes, size_t byte_count,
    uint64_t *seen) {
    if (number > UINT32_MAX) return true;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(message, (unsigned)number);
    if (field == NULL) return true;
    if (field->type == PROTOBUF_C_TYPE_STRING) return byte_count == 0 || memchr(bytes, 0, byte_count) == NULL;
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) return true;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        size_t index = (size_t)(field - message->fields);
        if (index >= FIELD_COUNT_MAX || (*seen >> index & 1) != 0) return false;
        *seen |= (uint64_t)1 << index;
    }
    // As deep as the types are nested, none of which holds itself.
    return sl_message_is_plain(field->descriptor, bytes, byte_count);
}

bool sl_message_is_plain(const ProtobufCMessageDescriptor *message, const uint8_t *bytes, size_t byte_count) {
    if (byte_count == 0) return true;
    const uint8_t *at = bytes, *end = bytes + byte_count;
    uint64_t seen = 0;
    while (at != end) {
        uint64_t tag, value;
        if (!read_varint(&at, end, &tag)) return false;
        switch (tag & 7) {
        case 0:
            if (!read_varint(&at, end, &value)) return false;
            break;
        case 1:
            if (!skip(&at, end, 8)) return false;
            break;
        case 2: {
            if (!read_varint(&at, end, &value)) return false;
            const uint8_t *content = at;
            if (!skip(&at, end, value)) return false;
            if (!is_plain(message, tag >> 3, content, (size_t)value, &seen)) return false;
            break;
        }
        case 5:
            if (!skip(&at, end, 4)) return false;
            break;
        default: return false;
        }
    }
    return true;
}
