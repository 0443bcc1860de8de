#include "sl_arena.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define EACH_PIECE_ALONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EACH_PIECE_ALONE 1
#endif
#endif
#ifndef EACH_PIECE_ALONE
#define EACH_PIECE_ALONE 0
#endif

#define ALIGNMENT 16u
#define LATER_CHUNK_BYTE_COUNT 16384u

typedef struct chunk chunk;
struct chunk {
    chunk *before;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct sl_arena {
    ProtobufCAllocator allocator;
    // All chunks but the first, latest first.
    chunk *chunks;
    unsigned char *next;
    size_t next_byte_count;
    // What may still be taken.
    size_t budget;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

static void *allocate(void *arena, size_t byte_count) { return sl_arena_take(arena, byte_count); }

static void deallocate(void *arena, void *bytes) {
    (void)arena;
    (void)bytes;
}

sl_arena *sl_arena_create(size_t byte_count, size_t byte_count_max) {
    if (byte_count > byte_count_max) byte_count = byte_count_max;
    if (byte_count > SIZE_MAX / 2) return NULL;
    // Under the address sanitizer every piece is an allocation of its own, so that it sees what runs over its end.
    if (EACH_PIECE_ALONE) byte_count = 0;
    sl_arena *arena = malloc(sizeof(sl_arena) + byte_count);
    if (arena == NULL) return NULL;
    arena->allocator = (ProtobufCAllocator){allocate, deallocate, arena};
    arena->chunks = NULL;
    arena->next = arena->bytes;
    arena->next_byte_count = byte_count;
    arena->budget = byte_count_max;
    return arena;
}

void *sl_arena_take(sl_arena *arena, size_t byte_count) {
    if (byte_count > arena->budget) return NULL;
    size_t padded = (byte_count + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
    if (padded > arena->next_byte_count) {
        size_t chunk_byte_count = padded > LATER_CHUNK_BYTE_COUNT ? padded : LATER_CHUNK_BYTE_COUNT;
        if (EACH_PIECE_ALONE) chunk_byte_count = byte_count;
        chunk *added = malloc(sizeof(chunk) + chunk_byte_count);
        if (added == NULL) return NULL;
        added->before = arena->chunks;
        arena->chunks = added;
        if (EACH_PIECE_ALONE || chunk_byte_count - padded < arena->next_byte_count) {
            // A large piece has its chunk to itself, and the rest of the present one stays in use.
            arena->budget -= byte_count;
            return added->bytes;
        }
        arena->next = added->bytes;
        arena->next_byte_count = chunk_byte_count;
    }
    void *piece = arena->next;
    arena->next += padded;
    arena->next_byte_count -= padded;
    arena->budget -= padded < arena->budget ? padded : arena->budget;
    return piece;
}

void sl_arena_destroy(sl_arena *arena) {
    if (arena == NULL) return;
    for (chunk *present = arena->chunks; present != NULL;) {
        chunk *before = present->before;
        free(present);
        present = before;
    }
    free(arena);
}

ProtobufCAllocator *sl_arena_allocator(sl_arena *arena) { return &arena->allocator; }
