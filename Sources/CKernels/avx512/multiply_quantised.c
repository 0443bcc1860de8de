#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"

// Without VNNI vpmaddubsw does the products: pairs of unsigned times signed bytes, summed in 16 bits with saturation.
// Nibbles leave room for a whole block: 16 products of at most 15 * 127 are 30,480. Bytes go as |w| with their sign
// moved to q: 2 * 128 * 127 = 32,512.
#define SL_NAME(x) sl_avx512_##x
#define SL_PREFETCH_BYTES 2048

typedef struct {
    vi w;
    __mmask64 negative;
} operand;

#define stored(kind, w) (w)
#define prepare(kind, w) ((kind) == Q8_0 ? prepare_signed(w) : (operand){w, 0})
#define start(kind, x) ((void)(x), _mm512_setzero_si512())
#define dot(kind, acc, o, q) ((kind) == Q8_0 ? dot_signed(acc, o, q) : dot_nibbles(acc, o, q))
#define total(kind, acc, x) \
    ((kind) == Q8_0 ? (acc) : (kind) == Q4_1 ? widen(acc) : less_eights(acc, x))
#define sum_nibbles(bytes) widen(_mm512_maddubs_epi16(bytes, v_bytes(1)))
#define sum_bytes(acc, w) _mm512_add_epi16(acc, _mm512_maddubs_epi16(v_bytes(1), w))
#define sum_total(kind, acc) \
    ((kind) == Q8_0 ? widen(acc) \
        : (kind) == Q4_0 ? _mm512_sub_epi32(acc, _mm512_set1_epi32(8 * SL_BLOCK_COLUMNS)) : (acc))

SL_INLINE vi widen(vi pairs) { return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)); }

SL_INLINE operand prepare_signed(vi w) { return (operand){_mm512_abs_epi8(w), _mm512_movepi8_mask(w)}; }

/// Q4_0's integers are nibbles less 8: less 8 times the sum of q.
SL_INLINE vi less_eights(vi acc, const struct sl_block *x)
{
    return _mm512_add_epi32(widen(acc), _mm512_set1_epi32(x->bias >> 4));
}

SL_INLINE vi dot_nibbles(vi acc, operand o, vi q) { return _mm512_add_epi16(acc, _mm512_maddubs_epi16(o.w, q)); }

SL_INLINE vi dot_signed(vi acc, operand o, vi q)
{
    vi turned = _mm512_mask_sub_epi8(q, o.negative, _mm512_setzero_si512(), q);
    return _mm512_add_epi32(acc, widen(_mm512_maddubs_epi16(o.w, turned)));
}

#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
