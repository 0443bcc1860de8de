#pragma once
// Threads of the compute pool: pinning, futexes, a spinning thread's hint to the processor.
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

// Sleeps while *word == expected, until a wake; may return for no reason.
void sl_thread_wait(const uint32_t *word, uint32_t expected);
// Wakes at most `count` threads that wait on the word.
void sl_thread_wake(const uint32_t *word, int32_t count);
// Binds the calling thread to one CPU: 0 or an errno value.
int32_t sl_thread_pin(int32_t cpu);
// The calling thread's name as debuggers and `top -H` show it, at most 15 characters.
void sl_thread_set_name(const char *name);
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
