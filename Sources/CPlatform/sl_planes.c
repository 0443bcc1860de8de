#include "sl_planes.h"

void sl_planes_split(const uint8_t *restrict from, uint8_t *restrict to, size_t byte_count) {
    uint8_t *restrict odd = to + (byte_count + 1) / 2;
    size_t pair_count = byte_count / 2;
    for (size_t i = 0; i < pair_count; i++) {
        to[i] = from[2 * i];
        odd[i] = from[2 * i + 1];
    }
    if (byte_count % 2 != 0) to[pair_count] = from[byte_count - 1];
}

void sl_planes_join(const uint8_t *restrict from, uint8_t *restrict to, size_t byte_count) {
    const uint8_t *restrict odd = from + (byte_count + 1) / 2;
    size_t pair_count = byte_count / 2;
    for (size_t i = 0; i < pair_count; i++) {
        to[2 * i] = from[i];
        to[2 * i + 1] = odd[i];
    }
    if (byte_count % 2 != 0) to[byte_count - 1] = from[pair_count];
}
