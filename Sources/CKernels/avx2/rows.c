#include "avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stddef.h>

#pragma clang attribute push(__attribute__((target(SL_AVX2_TARGET))), apply_to = function)
#include "../common/values.h"
#include "../common/block.h"

#include "functions.h"

// Values behind the last whole vector go through the functions of one value: the same bits.

/// 32 integers as bytes in order, saturated.
SL_INLINE __m256i to_bytes(const __m256i q[4])
{
    __m256i low = _mm256_packs_epi32(q[0], q[1]), high = _mm256_packs_epi32(q[2], q[3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
}

/// The sums of the first and of the last 16 bytes.
SL_INLINE void sums_of_halves(__m256i bytes, int32_t sums[2])
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    __m256i s = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    s = _mm256_add_epi32(s, _mm256_shuffle_epi32(s, 0x4e));
    s = _mm256_add_epi32(s, _mm256_shuffle_epi32(s, 0xb1));
    sums[0] = _mm_cvtsi128_si32(_mm256_castsi256_si128(s));
    sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(s, 1));
}

static void quantize_block(const float *x, struct sl_block *block)
{
    __m256 v[4], low = _mm256_setzero_ps(), high = low;
    __m256i not_finite = _mm256_setzero_si256();
    const __m256i exponent = _mm256_set1_epi32(0x7f800000);
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_loadu_ps(x + 8 * i);
        low = _mm256_min_ps(v[i], low);
        high = _mm256_max_ps(v[i], high);
        __m256i bits = _mm256_and_si256(_mm256_castps_si256(v[i]), exponent);
        not_finite = _mm256_or_si256(not_finite, _mm256_cmpeq_epi32(bits, exponent));
    }
    float least = least8(low), range = largest8(high) - least;
    if (!_mm256_testz_si256(not_finite, not_finite) || range == __builtin_inff()) {
        sl_block_set_not_finite(block);
        return;
    }
    if (range < 0x1p-100f) {
        sl_block_clear(block);
        return;
    }
    float d = range / 254.0f, inverse = 1.0f / d;
    float zero = sl_value_round(sl_value_fma(-least, inverse, -127.0f));
    __m256i q[4];
    for (int i = 0; i < 4; i++) {
        q[i] = _mm256_cvtps_epi32(_mm256_fmadd_ps(v[i], _mm256_set1_ps(inverse), _mm256_set1_ps(zero)));
    }
    __m256i bytes = _mm256_max_epi8(to_bytes(q), _mm256_set1_epi8(-127));
    _mm256_storeu_si256((__m256i *)block->q, bytes);
    int32_t sums[2];
    sums_of_halves(bytes, sums);
    sl_block_finish(block, d, zero, sums[0], sums[1]);
}

static void quantize(const float *x, int64_t columns, struct sl_block *blocks)
{
    for (int64_t i = 0; i < columns / SL_BLOCK_COLUMNS; i++) quantize_block(x + i * SL_BLOCK_COLUMNS, blocks + i);
}

static float rms_scale(const float *x, int64_t columns, float epsilon)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0;
    int64_t k = 0;
    for (; k + 16 <= columns; k += 16) {
        __m256 a = _mm256_loadu_ps(x + k), b = _mm256_loadu_ps(x + k + 8);
        s0 = _mm256_fmadd_ps(a, a, s0);
        s1 = _mm256_fmadd_ps(b, b, s1);
    }
    float partials[16];
    _mm256_storeu_ps(partials, s0);
    _mm256_storeu_ps(partials + 8, s1);
    for (; k < columns; k++) partials[k % 16] = sl_value_fma(x[k], x[k], partials[k % 16]);
    float mean = sl_value_tree(partials) / (float)columns;
    return 1.0f / __builtin_sqrtf(mean + epsilon);
}

static void scale_multiply(const float *x, float scale, const float *weight, int64_t columns, float *y)
{
    __m256 s = _mm256_set1_ps(scale);
    int64_t k = 0;
    for (; k + 8 <= columns; k += 8) {
        __m256 v = _mm256_mul_ps(_mm256_loadu_ps(x + k), s);
        _mm256_storeu_ps(y + k, _mm256_mul_ps(v, _mm256_loadu_ps(weight + k)));
    }
    for (; k < columns; k++) y[k] = (x[k] * scale) * weight[k];
}

static void silu_multiply(const float *gate, const float *up, int64_t columns, float *y)
{
    int64_t k = 0;
    for (; k + 8 <= columns; k += 8) {
        _mm256_storeu_ps(y + k, _mm256_mul_ps(silu8(_mm256_loadu_ps(gate + k)), _mm256_loadu_ps(up + k)));
    }
    for (; k < columns; k++) y[k] = sl_value_silu(gate[k]) * up[k];
}

static void add(float *x, const float *y, int64_t columns)
{
    int64_t k = 0;
    for (; k + 8 <= columns; k += 8) {
        _mm256_storeu_ps(x + k, _mm256_add_ps(_mm256_loadu_ps(x + k), _mm256_loadu_ps(y + k)));
    }
    for (; k < columns; k++) x[k] += y[k];
}

SL_INLINE void turn_one(float *first, float *second, float c, float s)
{
    float a = *first, b = *second;
    *first = sl_value_fma(a, c, -(b * s));
    *second = sl_value_fma(a, s, b * c);
}

static void rotate_halves(float *x, const float *cosines, const float *sines, int64_t pair_count)
{
    int64_t i = 0;
    for (; i + 8 <= pair_count; i += 8) {
        __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + pair_count + i);
        __m256 c = _mm256_loadu_ps(cosines + i), s = _mm256_loadu_ps(sines + i);
        _mm256_storeu_ps(x + i, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
        _mm256_storeu_ps(x + pair_count + i, _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c)));
    }
    for (; i < pair_count; i++) turn_one(x + i, x + pair_count + i, cosines[i], sines[i]);
}

static void rotate(float *x, const float *cosines, const float *sines, int64_t pair_count, int32_t halves)
{
    if (halves) {
        rotate_halves(x, cosines, sines, pair_count);
        return;
    }
    int64_t i = 0;
    for (; i + 4 <= pair_count; i += 4) { // a c - b s in even lanes, a s + b c in odd ones
        __m128 c = _mm_loadu_ps(cosines + i), s = _mm_loadu_ps(sines + i);
        __m256 cs = _mm256_setr_m128(_mm_unpacklo_ps(c, s), _mm_unpackhi_ps(c, s));
        __m256 sc = _mm256_permute_ps(cs, 0xb1), v = _mm256_loadu_ps(x + 2 * i);
        __m256 products = _mm256_mul_ps(_mm256_movehdup_ps(v), sc);
        _mm256_storeu_ps(x + 2 * i, _mm256_fmaddsub_ps(_mm256_moveldup_ps(v), cs, products));
    }
    for (; i < pair_count; i++) turn_one(x + 2 * i, x + 2 * i + 1, cosines[i], sines[i]);
}

static void exponentiate(const float *x, int64_t count, float *y)
{
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) _mm256_storeu_ps(y + i, exp8(_mm256_loadu_ps(x + i)));
    for (; i < count; i++) y[i] = sl_value_exp(x[i]);
}

static void to_half(const float *x, int64_t count, uint16_t *y)
{
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        _mm_storeu_si128((__m128i *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    }
    for (; i < count; i++) y[i] = sl_value_to_half(x[i]);
}

static void from_half(const uint16_t *x, int64_t count, float *y)
{
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
    }
    for (; i < count; i++) y[i] = sl_value_from_half(x[i]);
}

static void max_exp_sum(const float *x, int64_t count, float *max, float *sum)
{
    float top = largest_of(x, count);
    *sum = sum_exp(x, count, top, NULL);
    *max = *sum == *sum ? top + 0.0f : __builtin_nanf(""); // never -0
}

static void attention_merge(float *x, float a, const float *y, float b, int64_t count)
{
    __m256 va = _mm256_set1_ps(a), vb = _mm256_set1_ps(b);
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(y + i), vb);
        _mm256_storeu_ps(x + i, _mm256_fmadd_ps(_mm256_loadu_ps(x + i), va, scaled));
    }
    for (; i < count; i++) x[i] = sl_value_fma(x[i], a, y[i] * b);
}

static void divide(const float *x, float by, int64_t count, float *y)
{
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        _mm256_storeu_ps(y + i, _mm256_div_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(by)));
    }
    for (; i < count; i++) y[i] = x[i] / by;
}

#define SHARED_KERNELS \
    .quantize = quantize, .rms_scale = rms_scale, .scale_multiply = scale_multiply, .silu_multiply = silu_multiply, \
    .add = add, .rotate = rotate, .exponentiate = exponentiate, .to_half = to_half, .from_half = from_half, \
    .max_exp_sum = max_exp_sum, .attention_scores = sl_avx2_attention_scores, \
    .attention_softmax = sl_avx2_attention_softmax, .attention_values = sl_avx2_attention_values, \
    .attention_merge = attention_merge, .divide = divide

const struct sl_kernels sl_avx2_kernels = {
    .name = "avx2",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX2_NAME), SL_QUANTISED_MULTIPLIES(SL_AVX2_NAME)},
    SHARED_KERNELS,
};

const struct sl_kernels sl_avx_vnni_kernels = {
    .name = "avxvnni",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX2_NAME), SL_QUANTISED_MULTIPLIES(SL_AVX_VNNI_NAME)},
    SHARED_KERNELS,
};

const struct sl_kernels sl_avx_vnni_evex_kernels = {
    .name = "avxvnni",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX2_NAME), SL_QUANTISED_MULTIPLIES(SL_AVX_VNNI_EVEX_NAME)},
    SHARED_KERNELS,
};
#pragma clang attribute pop
#endif
