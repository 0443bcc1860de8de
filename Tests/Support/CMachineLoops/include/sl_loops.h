// Loops that do nothing but what a processor does best: what kernels are held against.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Which instructions a loop multiplies with.
enum sl_loop_set {
    SL_LOOP_PORTABLE,
    SL_LOOP_AVX2,           // vpmaddubsw + vpmaddwd + vpaddd; vfmadd on 8 floats
    SL_LOOP_AVX_VNNI,       // vpdpbusd on 32 bytes; vfmadd on 8 floats
    SL_LOOP_AVX512,         // vpmaddubsw + vpmaddwd + vpaddd on 64 bytes; vfmadd on 16 floats
    SL_LOOP_AVX512_VNNI,    // vpdpbusd on 64 bytes; vfmadd on 16 floats
    SL_LOOP_AVX512_VNNI_YMM, // vpdpbusd on 32 bytes; vfmadd on 8 floats
    SL_LOOP_AMX,            // tdpbssd of 16 rows x 64 bytes x 16 columns; vfmadd on 16 floats
    SL_LOOP_NEON_DOT,       // sdot on 16 bytes; fmla on 4 floats
    SL_LOOP_SET_COUNT
};

/// 1 when this processor can run the loops of the set.
int32_t sl_loop_is_available(enum sl_loop_set set);

/// Multiplies and adds bytes to 32-bit sums, all in registers; the set must be available.
///
/// Gives the multiply-adds done: at least `multiply_add_count`. Never touches memory.
int64_t sl_loop_dot(enum sl_loop_set set, int64_t multiply_add_count);

/// The same with float32 fused multiply-adds.
int64_t sl_loop_fma(enum sl_loop_set set, int64_t multiply_add_count);

/// Reads every cache line once, as `stream_count` streams (1 to 16) that begin evenly spread over the bytes and go on
/// in turn, each fetching `prefetch_byte_count` ahead of itself. Gives a value that depends on all bytes.
///
/// Bytes behind the last multiple of 64 * stream_count are not read.
uint64_t sl_loop_read(const void *bytes, size_t byte_count, int32_t stream_count, size_t prefetch_byte_count);
