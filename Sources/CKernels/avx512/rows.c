#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"
#include "../common/block.h"

#include "vectors.h"
#include "functions.h"

SL_INLINE __m256 upper_half(__m512 v) { return _mm512_extractf32x8_ps(v, 1); }

/// The larger of 0 and the largest value in [0], of 0 and the largest negated value in [1].
SL_INLINE void extremes(__m512 x0, __m512 x1, float result[2])
{
    const __m512 zeros = _mm512_setzero_ps();
    __m512 high = _mm512_max_ps(x1, _mm512_max_ps(x0, zeros)), low = _mm512_min_ps(x1, _mm512_min_ps(x0, zeros));
    __m256 h = _mm256_max_ps(_mm512_castps512_ps256(high), upper_half(high));
    __m256 l = _mm256_min_ps(_mm512_castps512_ps256(low), upper_half(low));
    l = _mm256_xor_ps(l, _mm256_set1_ps(-0.0f));
    // Both folded together: highs in the even, lows in the odd lanes at last.
    __m256 a = _mm256_max_ps(_mm256_unpacklo_ps(h, l), _mm256_unpackhi_ps(h, l));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    _mm_storel_pi((__m64 *)result, b);
}

/// 32 integers as bytes in -127 ... 127 at `out`; the sums of the first and of the last 16.
SL_INLINE void store_bytes(__m512i q0, __m512i q1, int8_t *out, int32_t sums[2])
{
    __m256i bytes = _mm256_setr_m128i(_mm512_cvtsepi32_epi8(q0), _mm512_cvtsepi32_epi8(q1));
    bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8(-127));
    _mm256_storeu_si256((__m256i *)out, bytes);
    __m256i s = _mm256_sad_epu8(_mm256_xor_si256(bytes, _mm256_set1_epi8((char)0x80)), _mm256_setzero_si256());
    s = _mm256_add_epi64(s, _mm256_unpackhi_epi64(s, s));
    sums[0] = _mm_cvtsi128_si32(_mm256_castsi256_si128(s)) - 128 * 16;
    sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(s, 1)) - 128 * 16;
}

/// One block of 32 values.
SL_INLINE void quantize_block(const float *x, struct sl_block *block)
{
    __m512 x0 = _mm512_loadu_ps(x), x1 = _mm512_loadu_ps(x + 16);
    float ends[2];
    extremes(x0, x1, ends);
    float range = ends[0] + ends[1];
    enum { not_finite = 0x99 }; // quiet and signalling NaN, both infinities
    if (_mm512_fpclass_ps_mask(x0, not_finite) | _mm512_fpclass_ps_mask(x1, not_finite)
        | (range == __builtin_inff())) {
        sl_block_set_not_finite(block);
        return;
    }
    if (range < 0x1p-100f) {
        sl_block_clear(block);
        return;
    }
    float d = range / 254.0f, inverse = 1.0f / d;
    float zero = sl_value_round(sl_value_fma(ends[1], inverse, -127.0f));
    __m512 scale = _mm512_set1_ps(inverse), shift = _mm512_set1_ps(zero);
    int32_t sums[2];
    store_bytes(_mm512_cvtps_epi32(_mm512_fmadd_ps(x0, scale, shift)),
        _mm512_cvtps_epi32(_mm512_fmadd_ps(x1, scale, shift)), block->q, sums);
    sl_block_finish(block, d, zero, sums[0], sums[1]);
}

SL_INLINE int64_t rotate_neighbours(float *x, const float *cosines, const float *sines, int64_t pair_count)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i one = _mm512_set1_epi32(1), eight = _mm512_set1_epi32(8);
    int64_t i = 0;
    for (; i + 16 <= pair_count; i += 16) {
        __m512 c = _mm512_loadu_ps(cosines + i), s = _mm512_loadu_ps(sines + i);
        __m512 v0 = _mm512_loadu_ps(x + 2 * i), v1 = _mm512_loadu_ps(x + 2 * i + 16);
        __m512 a = _mm512_permutex2var_ps(v0, even, v1);
        __m512 b = _mm512_permutex2var_ps(v0, _mm512_add_epi32(even, one), v1);
        __m512 first = _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)), second = _mm512_fmadd_ps(a, s, _mm512_mul_ps(b, c));
        _mm512_storeu_ps(x + 2 * i, _mm512_permutex2var_ps(first, low, second));
        _mm512_storeu_ps(x + 2 * i + 16, _mm512_permutex2var_ps(first, _mm512_add_epi32(low, eight), second));
    }
    return i;
}

#include "../common/rows.h"

#define SHARED_KERNELS \
    SL_ROW_KERNELS, .attention_scores = sl_avx512_attention_scores, .attention_values = sl_avx512_attention_values

const struct sl_kernels sl_avx512_kernels = {
    .name = "avx512",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX512_NAME), SL_QUANTISED_MULTIPLIES(SL_AVX512_NAME)},
    SHARED_KERNELS,
};

const struct sl_kernels sl_avx512_vnni_kernels = {
    .name = "avx512vnni",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX512_NAME), SL_QUANTISED_MULTIPLIES(SL_AVX512_VNNI_NAME)},
    SHARED_KERNELS,
};

const struct sl_kernels sl_amx_kernels = {
    .name = "amx",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX512_NAME), SL_QUANTISED_MULTIPLIES(SL_AMX_NAME)},
    SHARED_KERNELS,
};
#pragma clang attribute pop
#endif
