#include "../include/sl_probe.h"

#include <string.h>

uint64_t sl_probe_read(const void *bytes, size_t byte_count)
{
    // Eight chains, so that the loop waits for memory and not for its own additions.
    const uint8_t *p = bytes;
    uint64_t sums[8] = {0};
    for (size_t i = 0; i + 64 <= byte_count; i += 64) {
        uint64_t words[8];
        memcpy(words, p + i, 64);
        for (int j = 0; j < 8; j++) sums[j] ^= words[j];
    }
    uint64_t sum = 0;
    for (int j = 0; j < 8; j++) sum ^= sums[j];
    return sum;
}
