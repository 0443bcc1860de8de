// Counts the allocations of a thread, for tests. Linking this replaces the process's malloc and its kin by ones that
// count and pass on to the C library's.
#pragma once

#include <stdint.h>

/// From now on the calling thread's allocations count, from 0.
void sl_allocation_count_begin(void);
/// Ends counting on the calling thread; how many there were.
int64_t sl_allocation_count_end(void);
/// Bytes that were asked for between the last begin and end on the calling thread, mappings included.
int64_t sl_allocation_byte_count(void);
/// Bytes that the calling thread has allocated since the last begin, less those that it has freed. What another thread
/// frees stays counted, what another one has allocated is taken off: so it means something for threads that keep to
/// themselves.
int64_t sl_allocation_held_byte_count(void);
