#include "avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX2_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"

// vpmaddubsw sums pairs of unsigned times signed bytes in 16 bits, with saturation. Nibbles leave room for a whole
// block: 16 products of at most 15 * 127 are 30,480. Bytes go as |w| with their sign moved to q: 2 * 128 * 127 is
// 32,512.
#define SL_NAME(x) sl_avx2_##x
#define SL_PREFETCH_BYTES 2048

typedef vi operand;

#define stored(kind, w) (w)
#define prepare(kind, w) (w)
#define start(kind, x) ((void)(x), _mm256_setzero_si256())
#define dot(kind, acc, w, q) ((kind) == Q8_0 ? dot_signed(acc, w, q) : dot_nibbles(acc, w, q))
#define total(kind, acc, x) \
    ((kind) == Q8_0 ? (acc) : (kind) == Q4_1 ? widen(acc) : less_eights(acc, x))
#define sum_nibbles(bytes) widen(_mm256_maddubs_epi16(bytes, v_bytes(1)))
#define sum_bytes(acc, w) _mm256_add_epi16(acc, _mm256_maddubs_epi16(v_bytes(1), w))
#define sum_total(kind, acc) \
    ((kind) == Q8_0 ? widen(acc) \
        : (kind) == Q4_0 ? _mm256_sub_epi32(acc, _mm256_set1_epi32(8 * SL_BLOCK_COLUMNS)) : (acc))

SL_INLINE vi widen(vi pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

/// Q4_0's integers are nibbles less 8: less 8 times the sum of q.
SL_INLINE vi less_eights(vi acc, const struct sl_block *x)
{
    return _mm256_add_epi32(widen(acc), _mm256_set1_epi32(x->bias >> 4));
}

SL_INLINE vi dot_nibbles(vi acc, vi w, vi q) { return _mm256_add_epi16(acc, _mm256_maddubs_epi16(w, q)); }

SL_INLINE vi dot_signed(vi acc, vi w, vi q)
{
    vi products = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(q, w));
    return _mm256_add_epi32(acc, widen(products));
}

#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
