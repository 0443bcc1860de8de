#include "avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX2_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"
#include "../common/panel.h"

// vpmaddubsw sums pairs of unsigned times signed bytes in 16 bits, with saturation. Weights below 16 leave room for a
// whole block: 16 products of at most 15 * 127 are 30,480; those below 64 for a pair of tiles: 4 * 63 * 127 = 32,004.
// Signed bytes go as |w| with their sign moved to q: 2 * 128 * 127 = 32,512.
#define SL_NAME(x) sl_avx2_##x
#define SL_STREAMS 1
#define SL_FEW_GROUPS 1
#define SL_FEW_GROUPS_SIMPLE 1
#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2
#define SL_SIGNED_OFFSET 0
#define SL_DOT_SATURATES 1

#define dot_start(range, bias) ((void)(bias), _mm256_setzero_si256())
#define dot_pair(range, acc, w0, q0, w1, q1) \
    ((range) == SIGNED_BYTES ? dot_signed(dot_signed(acc, w0, q0), w1, q1) \
        : (range) == BELOW_16 ? _mm256_add_epi16(acc, pairs(w0, q0, w1, q1)) \
        : _mm256_add_epi32(acc, widen(pairs(w0, q0, w1, q1))))
#define dot_total(range, acc, bias) \
    ((range) == SIGNED_BYTES ? ((void)(bias), (acc)) \
        : _mm256_add_epi32((range) == BELOW_16 ? widen(acc) : (acc), bias))
#define sum_total(range, acc) (acc)
#define sum_pair(range, acc, w0, w1) \
    _mm256_add_epi32(acc, (range) == SIGNED_BYTES ? widen(pairs(v_bytes(1), w0, v_bytes(1), w1)) \
        : ((void)(w1), widen(_mm256_maddubs_epi16(w0, v_bytes(1)))))

SL_INLINE __m256i widen(__m256i pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }

SL_INLINE __m256i pairs(__m256i w0, __m256i q0, __m256i w1, __m256i q1)
{
    return _mm256_add_epi16(_mm256_maddubs_epi16(w0, q0), _mm256_maddubs_epi16(w1, q1));
}

SL_INLINE __m256i dot_signed(__m256i acc, __m256i w, __m256i q)
{
    __m256i products = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(q, w));
    return _mm256_add_epi32(acc, widen(products));
}

#include "../common/fetch.h"
#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
