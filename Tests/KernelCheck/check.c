#define _GNU_SOURCE
#include "check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// MARK: Buffers

#if __has_feature(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

enum { SLOT_COUNT = 48, GUARD_BYTES = 65536, SLOT_BYTES = 16 << 20 };

static void *slots[SLOT_COUNT]; // the case's buffers, with the sanitizer; else mappings that all cases use
static int64_t slot_count;      // in use by the case

/// With the sanitizer the heap's; without it at one end of a mapping, where touching what lies beyond ends the program.
static uint8_t *take(int64_t byte_count, int64_t case_number)
{
    if (slot_count == SLOT_COUNT || byte_count > SLOT_BYTES) {
        fprintf(stderr, "kernel-check: a case wants more than %d buffers of %d bytes\n", SLOT_COUNT, SLOT_BYTES);
        exit(1);
    }
    void **slot = &slots[slot_count++];
    if (HAS_SANITIZER) {
        *slot = malloc((size_t)byte_count);
        if (!*slot) abort();
        return *slot;
    }
    if (!*slot) {
        uint8_t *base = mmap(NULL, SLOT_BYTES + 2 * GUARD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
            -1, 0);
        if (base == MAP_FAILED || mprotect(base + GUARD_BYTES, SLOT_BYTES, PROT_READ | PROT_WRITE)) abort();
        *slot = base + GUARD_BYTES;
    }
    // Mostly before the guard behind, where buffers have the alignment of their last element and no more.
    return (uint8_t *)*slot + (case_number % 4 == 0 ? 0 : SLOT_BYTES - byte_count);
}

static void give_back(void)
{
    for (int64_t i = 0; i < slot_count && HAS_SANITIZER; i++) {
        free(slots[i]);
        slots[i] = NULL;
    }
    slot_count = 0;
}

void *check_bytes(struct check *c, int64_t byte_count)
{
    uint8_t *bytes = take(byte_count, c->case_count);
    for (int64_t i = 0; i < byte_count; i += 8) {
        uint64_t word = check_random(c);
        memcpy(bytes + i, &word, byte_count - i < 8 ? (size_t)(byte_count - i) : 8);
    }
    return bytes;
}

// MARK: Random values

/// SplitMix64.
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t check_random(struct check *c) { return mix(c->random += 0x9e3779b97f4a7c15u); }

int64_t check_between(struct check *c, int64_t least, int64_t greatest)
{
    return least + (int64_t)(check_random(c) % (uint64_t)(greatest - least + 1));
}

float check_uniform(struct check *c, float least, float greatest)
{
    float unit = (float)(check_random(c) >> 40) * 0x1p-24f;
    return least + (greatest - least) * unit;
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

void check_fill(struct check *c, enum check_values values, float *x, int64_t count)
{
    static const uint32_t ends[] = {0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x3f800000,
        0xbf800000, 0x7f7fffff, 0xff7fffff, 0x0d800000, 0x8d800000}; // the last: 2^-100, where a block counts as zeros
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)check_random(c);
        switch (values) {
        case CHECK_VALUES_SMALL:
            x[i] = check_uniform(c, -4.0f, 4.0f) * (bits % 61 == 0 ? 40.0f : 1.0f);
            break;
        case CHECK_VALUES_POSITIVE: x[i] = check_uniform(c, 0.0f, 2.0f); break;
        case CHECK_VALUES_WIDE:
            x[i] = from_bits((bits & 0x7f800000u) == 0x7f800000u ? bits & 0xbfffffffu : bits);
            break;
        case CHECK_VALUES_ENDS: x[i] = from_bits(ends[bits % (sizeof ends / sizeof *ends)]); break;
        default: x[i] = from_bits(bits);
        }
    }
}

float *check_floats(struct check *c, enum check_values values, int64_t count)
{
    float *x = check_bytes(c, count * 4);
    check_fill(c, values, x, count);
    return x;
}

void check_fill_halves(struct check *c, uint16_t *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) x[i] = sl_half_from_float(check_uniform(c, -2.0f, 2.0f));
}

// MARK: Outputs

static void add_word(struct check *c, uint64_t word)
{
    c->case_hash = (c->case_hash ^ word) * 0x9e3779b97f4a7c15u;
    c->case_hash ^= c->case_hash >> 29;
}

void check_hash_bytes(struct check *c, const void *bytes, int64_t byte_count)
{
    for (int64_t i = 0; i < byte_count; i += 8) {
        uint64_t word = 0;
        memcpy(&word, (const uint8_t *)bytes + i, byte_count - i < 8 ? (size_t)(byte_count - i) : 8);
        add_word(c, word);
    }
}

void check_hash_floats(struct check *c, const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        add_word(c, (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits);
    }
}

// MARK: Cases

static char case_text[256]; // for when the program dies in it

static void name_case(void)
{
    if (write(2, case_text, strlen(case_text)) < 0) return;
}

static void die_naming_case(int number)
{
    name_case();
    _exit(128 + number);
}

static void name_case_at_death(void)
{
    signal(SIGILL, die_naming_case);
#if HAS_SANITIZER
    __sanitizer_set_death_callback(name_case);
#else
    signal(SIGSEGV, die_naming_case);
    signal(SIGBUS, die_naming_case);
#endif
}

int32_t check_begin(struct check *c, const char *format, ...)
{
    if (c->case_index < 0) { // the operation's first
        c->hash = 0;
        name_case_at_death();
    }
    c->case_index++;
    if (c->case_index % c->options->every != 0) return 0;
    c->random = mix(c->options->seed);
    for (const char *s = c->operation; *s; s++) c->random = mix(c->random ^ (uint64_t)*s);
    c->random = mix(c->random ^ (uint64_t)c->case_index);
    c->case_hash = 0;
    int length = snprintf(case_text, sizeof case_text, "kernel-check: seed %llu, %s, %s, case %lld: ",
        (unsigned long long)c->options->seed, c->kernels->name, c->operation, (long long)c->case_index);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(case_text + length, sizeof case_text - (size_t)length - 1, format, arguments);
    va_end(arguments);
    case_text[length] = '\n';
    case_text[length + 1] = '\0';
    return 1;
}

void check_same_bytes(struct check *c, const void *found, const void *expected, int64_t byte_count)
{
    if (memcmp(found, expected, (size_t)byte_count) == 0) return;
    fprintf(stderr, "kernel-check: %s gives other bits for the same another way\n", c->operation);
    name_case();
    exit(1);
}

void check_end(struct check *c)
{
    give_back();
    c->case_count++;
    c->hash = mix(c->hash ^ c->case_hash);
    if (!c->options->traces) return;
    const char *what = strstr(case_text, ", case ") + 2;
    printf("%s %.*s: %016llx\n", c->operation, (int)strcspn(what, "\n"), what, (unsigned long long)c->case_hash);
}

// MARK: Paths

const struct sl_kernels *check_path_at(int64_t index, const char **name)
{
    const struct sl_kernels *scalar = sl_kernels_find(SL_ISA_SCALAR), *plain = sl_kernels_without_fma();
    *name = NULL;
    if (scalar != plain && index-- == 0) {
        *name = "scalar-nofma";
        return plain;
    }
    for (int isa = 0; isa < SL_ISA_COUNT; isa++) {
        const struct sl_kernels *k = sl_kernels_find((enum sl_isa)isa);
        if (!k || index-- > 0) continue;
        *name = k->name;
        return k;
    }
    return NULL;
}

const struct sl_kernels *check_path_named(const char *name)
{
    const char *other;
    for (int64_t i = 0;; i++) {
        const struct sl_kernels *k = check_path_at(i, &other);
        if (!k || strcmp(name, other) == 0) return k;
    }
}
