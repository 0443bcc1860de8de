#include "include/CAllocationCount.h"

#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// The C library's own, under the names it keeps for replacements like these.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

// Static thread-local storage: reading it allocates nothing.
static __thread int counting __attribute__((tls_model("initial-exec")));
static __thread int64_t count __attribute__((tls_model("initial-exec")));
static __thread int64_t byte_count __attribute__((tls_model("initial-exec")));
static __thread int64_t held_byte_count __attribute__((tls_model("initial-exec")));

static void note(size_t size)
{
    count += counting;
    if (counting) byte_count += (int64_t)size;
}

static void *hold(void *p)
{
    if (counting && p) held_byte_count += (int64_t)malloc_usable_size(p);
    return p;
}

static void release(void *p)
{
    if (counting && p) held_byte_count -= (int64_t)malloc_usable_size(p);
}

void sl_allocation_count_begin(void)
{
    count = 0;
    byte_count = 0;
    held_byte_count = 0;
    counting = 1;
}

int64_t sl_allocation_count_end(void)
{
    counting = 0;
    return count;
}

int64_t sl_allocation_byte_count(void) { return byte_count; }

int64_t sl_allocation_held_byte_count(void) { return held_byte_count; }

void *malloc(size_t size)
{
    note(size);
    return hold(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    note(number * size);
    return hold(__libc_calloc(number, size));
}

void *realloc(void *old, size_t size)
{
    note(size);
    int64_t old_size = counting && old ? (int64_t)malloc_usable_size(old) : 0;
    void *p = __libc_realloc(old, size);
    // One that failed leaves the old memory as it is.
    if (p || size == 0) held_byte_count -= old_size;
    return hold(p);
}

void *memalign(size_t alignment, size_t size)
{
    note(size);
    return hold(__libc_memalign(alignment, size));
}

void free(void *p)
{
    release(p);
    __libc_free(p);
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
    void *p = (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
    if (counting && p != MAP_FAILED) held_byte_count += (int64_t)size;
    return p;
}

int munmap(void *address, size_t size)
{
    if (counting) held_byte_count -= (int64_t)size;
    return (int)syscall(SYS_munmap, address, size);
}
