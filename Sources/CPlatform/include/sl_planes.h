#pragma once
// Bytes of 16-bit values, dealt out by significance: what changes little lies together, which LZ4 finds.
#include <stddef.h>
#include <stdint.h>

// First the bytes at even places of `from`, then those at odd ones. The two must not overlap.
void sl_planes_split(const uint8_t *from, uint8_t *to, size_t byte_count);
// The reverse.
void sl_planes_join(const uint8_t *from, uint8_t *to, size_t byte_count);
