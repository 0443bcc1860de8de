#include "include/CAllocationCount.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// The C library's own, under the names it keeps for replacements like these.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

// Static thread-local storage: reading it allocates nothing.
static __thread int counting __attribute__((tls_model("initial-exec")));
static __thread int64_t count __attribute__((tls_model("initial-exec")));
static __thread int64_t byte_count __attribute__((tls_model("initial-exec")));

static void note(size_t size)
{
    count += counting;
    if (counting) byte_count += (int64_t)size;
}

void sl_allocation_count_begin(void)
{
    count = 0;
    byte_count = 0;
    counting = 1;
}

int64_t sl_allocation_count_end(void)
{
    counting = 0;
    return count;
}

int64_t sl_allocation_byte_count(void) { return byte_count; }

void *malloc(size_t size)
{
    note(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    note(number * size);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    note(size);
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    note(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *p = memalign(alignment, size);
    if (!p) return ENOMEM;
    *out = p;
    return 0;
}

// Large buffers have pages of their own.
extern long syscall(long number, ...);

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    note(size);
    return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}
