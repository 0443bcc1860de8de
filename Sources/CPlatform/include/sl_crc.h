#pragma once
// CRC-32C (Castagnoli), reflected, with the processor's instruction where it has one.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The checksum of the bytes behind `checksum` (0: none) followed by `bytes`, which may be NULL when `byte_count` is 0.
uint32_t sl_crc32c_extend(uint32_t checksum, const void *bytes, size_t byte_count);
// The same without the instruction.
uint32_t sl_crc32c_extend_by_tables(uint32_t checksum, const void *bytes, size_t byte_count);
bool sl_crc32c_uses_instruction(void);
