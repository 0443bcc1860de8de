// What the machine gives at most, measured by reading and multiplying.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Reads every cache line once; gives a value that depends on all of them.
uint64_t sl_probe_read(const void *bytes, size_t byte_count);
