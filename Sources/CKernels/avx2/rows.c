#include "avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX2_TARGET))), apply_to = function)
#include "../common/values.h"
#include "../common/block.h"

#include "vectors.h"
#include "functions.h"

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

SL_INLINE int64_t rotate_neighbours(float *x, const float *cosines, const float *sines, int64_t pair_count)
{
    int64_t i = 0;
    for (; i + 4 <= pair_count; i += 4) { // a c - b s in even lanes, a s + b c in odd ones
        __m128 c = _mm_loadu_ps(cosines + i), s = _mm_loadu_ps(sines + i);
        __m256 cs = _mm256_setr_m128(_mm_unpacklo_ps(c, s), _mm_unpackhi_ps(c, s));
        __m256 sc = _mm256_permute_ps(cs, 0xb1), v = _mm256_loadu_ps(x + 2 * i);
        __m256 products = _mm256_mul_ps(_mm256_movehdup_ps(v), sc);
        _mm256_storeu_ps(x + 2 * i, _mm256_fmaddsub_ps(_mm256_moveldup_ps(v), cs, products));
    }
    return i;
}

#include "../common/rows.h"

#define SHARED_KERNELS \
    SL_ROW_KERNELS, .attention_scores = sl_avx2_attention_scores, .attention_values = sl_avx2_attention_values

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
