#pragma once
// Threads of the compute pool: pinning, futexes, a spinning thread's hint to the processor.
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

// Sleeps while *word == expected, until a wake; may return for no reason.
void sl_thread_wait(const uint32_t *word, uint32_t expected);
// Wakes at most `count` threads that wait on the word.
void sl_thread_wake(const uint32_t *word, int32_t count);
// Lets the calling thread run on these CPUs only: 0 or an errno value.
int32_t sl_thread_restrict(const int32_t *cpus, int32_t count);
// The calling thread's name as debuggers and `top -H` show it, at most 15 characters.
void sl_thread_set_name(const char *name);
// The calling thread takes only what time the others leave, from now on.
void sl_thread_lower_priority(void);
// Monotonic clock.
uint64_t sl_thread_nanoseconds(void);

// Tells the processor that this thread spins.
static inline void sl_thread_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}
