#include "../avx512/avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET ",avx512vnni"))), apply_to = function)
#include "../common/values.h"

#include "../avx512/vectors.h"

// vpdpbusd multiplies unsigned bytes by signed ones. Weights are the unsigned side: nibbles as they are, bytes with 128
// added, which the bias -128 * (sum of q) takes off again. Q4_0's -8 is a sixteenth of that bias.
#define SL_NAME(x) sl_avx512_vnni_##x
#define SL_PREFETCH_BYTES 2048
typedef vi operand;

#define stored(kind, w) stored_bytes(w)
#define prepare(kind, w) (w)
#define dot(kind, acc, w, q) _mm512_dpbusd_epi32(acc, w, q)
#define total(kind, acc, x) ((void)(x), (acc))
#define start(kind, x) start_of(kind, x)
#define sum_nibbles(bytes) _mm512_dpbusd_epi32(_mm512_setzero_si512(), bytes, v_bytes(1))
#define sum_bytes(acc, w) _mm512_dpbusd_epi32(acc, v_bytes(1), w)
#define sum_total(kind, acc) ((kind) == Q4_0 ? _mm512_sub_epi32(acc, _mm512_set1_epi32(8 * SL_BLOCK_COLUMNS)) : (acc))

SL_INLINE vi stored_bytes(vi w) { return _mm512_xor_si512(w, _mm512_set1_epi8((char)0x80)); }

SL_INLINE vi start_bias(int shift, const struct sl_block *x) { return _mm512_set1_epi32(x->bias >> shift); }
#define start_of(kind, x) \
    ((kind) == Q4_1 ? _mm512_setzero_si512() : (kind) == Q4_0 ? start_bias(4, x) : start_bias(0, x))

#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
