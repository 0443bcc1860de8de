#pragma once
// The memory that messages are built and unpacked in: taken piece by piece, given back all at once, and never more
// than was allowed, whatever the bytes of a message ask for.
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

typedef struct sl_arena sl_arena;

// An arena whose first `byte_count` bytes are one allocation, and which hands out at most `byte_count_max`.
// NULL when there is no memory.
sl_arena *sl_arena_create(size_t byte_count, size_t byte_count_max);
// `byte_count` bytes, aligned to 16, undefined; NULL beyond the arena's limit and when there is no memory.
void *sl_arena_take(sl_arena *arena, size_t byte_count);
void sl_arena_destroy(sl_arena *arena);
// For protobuf-c; lives as long as the arena. Freeing does nothing.
ProtobufCAllocator *sl_arena_allocator(sl_arena *arena);
