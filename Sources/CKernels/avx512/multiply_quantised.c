#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"
#include "../common/panel.h"

// Without VNNI vpmaddubsw does the products: pairs of unsigned times signed bytes, summed in 16 bits with saturation.
// Weights below 16 leave room for a whole block: 16 products of at most 15 * 127 are 30,480; those below 64 for a pair
// of tiles: 4 * 63 * 127 = 32,004. Signed bytes go as |w| with their sign moved to q: 2 * 128 * 127 = 32,512.
#define SL_NAME(x) sl_avx512_##x
#define SL_STREAMS 1
#define SL_FEW_GROUPS 2
#define SL_FEW_GROUPS_SIMPLE 2
#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2
#define SL_SIGNED_OFFSET 0
#define SL_DOT_SATURATES 1

#define dot_start(range, bias) ((void)(bias), _mm512_setzero_si512())
#define dot_pair(range, acc, w0, q0, w1, q1) \
    ((range) == SIGNED_BYTES ? dot_signed(dot_signed(acc, w0, q0), w1, q1) \
        : (range) == BELOW_16 ? _mm512_add_epi16(acc, pairs(w0, q0, w1, q1)) \
        : _mm512_add_epi32(acc, widen(pairs(w0, q0, w1, q1))))
#define dot_total(range, acc, bias) \
    ((range) == SIGNED_BYTES ? ((void)(bias), (acc)) \
        : _mm512_add_epi32((range) == BELOW_16 ? widen(acc) : (acc), bias))
#define sum_total(range, acc) (acc)
#define sum_pair(range, acc, w0, w1) \
    _mm512_add_epi32(acc, (range) == SIGNED_BYTES ? widen(pairs(v_bytes(1), w0, v_bytes(1), w1)) \
        : ((void)(w1), widen(_mm512_maddubs_epi16(w0, v_bytes(1)))))

SL_INLINE __m512i widen(__m512i pairs) { return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)); }

SL_INLINE __m512i pairs(__m512i w0, __m512i q0, __m512i w1, __m512i q1)
{
    return _mm512_add_epi16(_mm512_maddubs_epi16(w0, q0), _mm512_maddubs_epi16(w1, q1));
}

SL_INLINE __m512i dot_signed(__m512i acc, __m512i w, __m512i q)
{
    __m512i turned = _mm512_mask_sub_epi8(q, _mm512_movepi8_mask(w), _mm512_setzero_si512(), q);
    return _mm512_add_epi32(acc, widen(_mm512_maddubs_epi16(_mm512_abs_epi8(w), turned)));
}

#include "../common/fetch.h"
#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
