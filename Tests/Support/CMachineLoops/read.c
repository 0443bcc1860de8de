#include "include/sl_loops.h"

#include <string.h>

// Eight sums, so that the loop waits for memory and not for its own exclusive-ors. Inlined with a constant count of
// streams, for the compiler to unroll.
static inline __attribute__((always_inline)) uint64_t read_streams(
    const uint8_t *bytes, size_t stream_bytes, int32_t stream_count, size_t ahead)
{
    uint64_t sums[8] = {0};
    for (size_t i = 0; i < stream_bytes; i += 64) {
        for (int32_t s = 0; s < stream_count; s++) {
            const uint8_t *line = bytes + (size_t)s * stream_bytes + i;
            uint64_t words[8];
            __builtin_prefetch(line + ahead);
            memcpy(words, line, 64);
            for (int j = 0; j < 8; j++) sums[j] ^= words[j];
        }
    }
    uint64_t sum = 0;
    for (int j = 0; j < 8; j++) sum ^= sums[j];
    return sum;
}

uint64_t sl_loop_read(const void *bytes, size_t byte_count, int32_t stream_count, size_t prefetch_byte_count)
{
    const size_t stream_bytes = byte_count / 64 / (size_t)stream_count * 64;
    switch (stream_count) {
    case 1: return read_streams(bytes, stream_bytes, 1, prefetch_byte_count);
    case 2: return read_streams(bytes, stream_bytes, 2, prefetch_byte_count);
    case 4: return read_streams(bytes, stream_bytes, 4, prefetch_byte_count);
    case 8: return read_streams(bytes, stream_bytes, 8, prefetch_byte_count);
    default: return read_streams(bytes, stream_bytes, stream_count, prefetch_byte_count);
    }
}
