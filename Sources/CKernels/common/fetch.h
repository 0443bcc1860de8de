// Fetching weights ahead of their use, into the second-level cache: the first has few misses in flight. Included inside
// every instruction set's target region.
//
// A processor drops fetches while too many are on their way, and a kernel that has waited for a line goes on in bursts
// that bring just that about: the faster it computes, the more lines it then waits for in full. So each line is asked
// for again, nearer; asking for a line that is there costs little. (One row of Q8_0 on Zen 4: from 72 to 95 % of what
// a loop reads that does nothing else.)

/// Asks for the line SL_FETCH_BYTES ahead of `address`, and SL_FETCH_REPEATS times for lines nearer than that.
SL_INLINE void fetch_ahead(const uint8_t *address)
{
    _Pragma("clang loop unroll(full)") for (int i = 0; i <= SL_FETCH_REPEATS; i++) {
        __builtin_prefetch(address + SL_FETCH_BYTES * (4 - i) / 4, 0, 2);
    }
}
