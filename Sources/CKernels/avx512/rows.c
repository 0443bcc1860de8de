#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"
#include "../common/block.h"

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

void sl_avx512_quantize(const float *x, int64_t columns, struct sl_block *blocks)
{
    for (int64_t i = 0; i < columns / SL_BLOCK_COLUMNS; i++) quantize_block(x + i * SL_BLOCK_COLUMNS, blocks + i);
}

float sl_avx512_rms_scale(const float *x, int64_t columns, float epsilon)
{
    __m512 sum = _mm512_setzero_ps();
    for (int64_t k = 0; k < columns; k += 16) {
        __m512 v = _mm512_maskz_loadu_ps(lanes(columns - k), x + k);
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    float mean = tree16(sum) / (float)columns;
    return 1.0f / __builtin_sqrtf(mean + epsilon);
}

void sl_avx512_scale_multiply(const float *x, float scale, const float *weight, int64_t columns, float *y)
{
    __m512 s = _mm512_set1_ps(scale);
    for (int64_t k = 0; k < columns; k += 16) {
        __mmask16 mask = lanes(columns - k);
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + k), s);
        _mm512_mask_storeu_ps(y + k, mask, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, weight + k)));
    }
}

void sl_avx512_silu_multiply(const float *gate, const float *up, int64_t columns, float *y)
{
    for (int64_t k = 0; k < columns; k += 16) {
        __mmask16 mask = lanes(columns - k);
        __m512 g = silu16(_mm512_maskz_loadu_ps(mask, gate + k));
        _mm512_mask_storeu_ps(y + k, mask, _mm512_mul_ps(g, _mm512_maskz_loadu_ps(mask, up + k)));
    }
}

void sl_avx512_add(float *x, const float *y, int64_t columns)
{
    for (int64_t k = 0; k < columns; k += 16) {
        __mmask16 mask = lanes(columns - k);
        __m512 v = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, x + k), _mm512_maskz_loadu_ps(mask, y + k));
        _mm512_mask_storeu_ps(x + k, mask, v);
    }
}

SL_INLINE void turn(__m512 a, __m512 b, __m512 c, __m512 s, __m512 *first, __m512 *second)
{
    *first = _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s));
    *second = _mm512_fmadd_ps(a, s, _mm512_mul_ps(b, c));
}

void sl_avx512_rotate(float *x, const float *cosines, const float *sines, int64_t pair_count, int32_t halves)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i one = _mm512_set1_epi32(1), eight = _mm512_set1_epi32(8);
    for (int64_t i = 0; i < pair_count; i += 16) {
        __mmask16 mask = lanes(pair_count - i), mask0 = lanes(2 * (pair_count - i));
        __mmask16 mask1 = pair_count - i > 8 ? lanes(2 * (pair_count - i) - 16) : 0;
        __m512 c = _mm512_maskz_loadu_ps(mask, cosines + i), s = _mm512_maskz_loadu_ps(mask, sines + i), first, second;
        if (halves) {
            float *p = x + i, *q = x + pair_count + i;
            turn(_mm512_maskz_loadu_ps(mask, p), _mm512_maskz_loadu_ps(mask, q), c, s, &first, &second);
            _mm512_mask_storeu_ps(p, mask, first);
            _mm512_mask_storeu_ps(q, mask, second);
            continue;
        }
        float *p = x + 2 * i;
        __m512 v0 = _mm512_maskz_loadu_ps(mask0, p), v1 = _mm512_maskz_loadu_ps(mask1, p + 16);
        turn(_mm512_permutex2var_ps(v0, even, v1), _mm512_permutex2var_ps(v0, _mm512_add_epi32(even, one), v1), c, s,
            &first, &second);
        _mm512_mask_storeu_ps(p, mask0, _mm512_permutex2var_ps(first, low, second));
        _mm512_mask_storeu_ps(p + 16, mask1, _mm512_permutex2var_ps(first, _mm512_add_epi32(low, eight), second));
    }
}

void sl_avx512_exponentiate(const float *x, int64_t count, float *y)
{
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 mask = lanes(count - i);
        _mm512_mask_storeu_ps(y + i, mask, exp16(_mm512_maskz_loadu_ps(mask, x + i)));
    }
}

void sl_avx512_to_half(const float *x, int64_t count, uint16_t *y)
{
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 mask = lanes(count - i);
        __m256i h = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm256_mask_storeu_epi16(y + i, mask, h);
    }
}

void sl_avx512_from_half(const uint16_t *x, int64_t count, float *y)
{
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 mask = lanes(count - i);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x + i)));
    }
}

void sl_avx512_max_exp_sum(const float *x, int64_t count, float *max, float *sum)
{
    float top = largest_of(x, count);
    *sum = sum_exp(x, count, top, 0);
    *max = *sum == *sum ? top + 0.0f : __builtin_nanf(""); // never -0
}

void sl_avx512_attention_merge(float *x, float a, const float *y, float b, int64_t count)
{
    __m512 va = _mm512_set1_ps(a), vb = _mm512_set1_ps(b);
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 mask = lanes(count - i);
        __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, y + i), vb);
        _mm512_mask_storeu_ps(x + i, mask, _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x + i), va, scaled));
    }
}

void sl_avx512_divide(const float *x, float by, int64_t count, float *y)
{
    __m512 divisor = _mm512_set1_ps(by);
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 mask = lanes(count - i);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_div_ps(_mm512_maskz_loadu_ps(mask, x + i), divisor));
    }
}
#pragma clang attribute pop
#endif
