#pragma once
// epoll and eventfd in plain integers: Swift cannot import the kernel's packed event structure.
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SL_POLL_READABLE 0x0001u
#define SL_POLL_WRITABLE 0x0004u
#define SL_POLL_ERROR 0x0008u
#define SL_POLL_HANG_UP 0x0010u
#define SL_POLL_READ_HANG_UP 0x2000u
_Static_assert(SL_POLL_READABLE == EPOLLIN && SL_POLL_WRITABLE == EPOLLOUT && SL_POLL_ERROR == EPOLLERR, "epoll.h");
_Static_assert(SL_POLL_HANG_UP == EPOLLHUP && SL_POLL_READ_HANG_UP == EPOLLRDHUP, "epoll.h");

enum { sl_poll_event_count_max = 64 };

typedef struct {
    uint64_t token;
    uint32_t events;
} sl_poll_event;

/// A new epoll descriptor, or -1 with errno.
static inline int sl_poll_create(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

/// A descriptor that is readable from a write of 8 bytes until it is read; -1 with errno.
static inline int sl_poll_create_wakeup(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/// Level-triggered. 0, or -1 with errno.
static inline int sl_poll_add(int poll, int descriptor, uint64_t token, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
}

static inline int sl_poll_modify(int poll, int descriptor, uint64_t token, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(poll, EPOLL_CTL_MOD, descriptor, &event);
}

static inline int sl_poll_remove(int poll, int descriptor) {
    struct epoll_event event = {0};
    return epoll_ctl(poll, EPOLL_CTL_DEL, descriptor, &event);
}

// unistd.h declares it only with GNU extensions, as sys/socket.h does accept4.
extern long syscall(long number, ...);

/// A waiting connection, or -1 with errno. `flags` as for socket(2): SOCK_NONBLOCK, SOCK_CLOEXEC.
static inline int sl_poll_accept(int socket, int flags) {
    return (int)syscall(SYS_accept4, socket, 0, 0, flags);
}

/// Names the calling thread; 15 bytes are kept.
static inline void sl_poll_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/// Writes what is ready to `events`, which holds `sl_poll_event_count_max`; the count, or -1 with errno. A negative
/// timeout waits without end.
static inline int sl_poll_wait(int poll, sl_poll_event *events, int timeout_ms) {
    struct epoll_event ready[sl_poll_event_count_max];
    int count = epoll_wait(poll, ready, sl_poll_event_count_max, timeout_ms);
    for (int i = 0; i < count; ++i) {
        events[i].token = ready[i].data.u64;
        events[i].events = ready[i].events;
    }
    return count;
}
