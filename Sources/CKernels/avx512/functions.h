// exp and silu of 16 values, and tails. Included inside a target region.

/// exp(x) = p * 2^n: gives p; n is an integer.
SL_INLINE __m512 f_exp_fraction(__m512 x, __m512 *n)
{
    const __m512 round = _mm512_set1_ps(SL_EXP_ROUND);
    *n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(SL_EXP_LOG2E), round), round);
    __m512 r = _mm512_fmadd_ps(*n, _mm512_set1_ps(-SL_EXP_LN2_HIGH), x);
    r = _mm512_fmadd_ps(*n, _mm512_set1_ps(-SL_EXP_LN2_LOW), r);
    __m512 q = _mm512_fmadd_ps(_mm512_set1_ps(SL_EXP_C6), r, _mm512_set1_ps(SL_EXP_C5));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(SL_EXP_C4));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(SL_EXP_C3));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(SL_EXP_C2));
    return _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(r, r), q, r), _mm512_set1_ps(1.0f));
}

SL_INLINE __m512 f_exp(__m512 x)
{
    // Scaling is exact and keeps NaN: only what is beyond the ends must be set.
    __m512 n, p = f_exp_fraction(x, &n);
    __m512 y = _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(SL_EXP_LEAST), _CMP_NLT_UQ), p, n);
    __mmask16 above = _mm512_cmp_ps_mask(x, _mm512_set1_ps(SL_EXP_GREATEST), _CMP_GT_OQ);
    return _mm512_mask_mov_ps(y, above, _mm512_set1_ps(__builtin_inff()));
}

SL_INLINE __m512 f_silu(__m512 x)
{
    __m512 negative = _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), f_exp(negative)));
}

/// Lanes of the last, partial vector of `count` values; 16 set bits when `count` is 16 or more.
SL_INLINE __mmask16 lanes(int64_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

/// Neighbours 8, 4, 2, 1 apart are added in turn, as sl_value_tree does.
SL_INLINE float tree16(__m512 v)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

SL_INLINE float largest_of(const float *x, int64_t count)
{
    const __m512 least = _mm512_set1_ps(-__builtin_inff());
    __m512 largest = least;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) largest = _mm512_max_ps(_mm512_loadu_ps(x + i), largest);
    if (i < count) largest = _mm512_max_ps(_mm512_mask_loadu_ps(least, lanes(count - i), x + i), largest);
    return _mm512_reduce_max_ps(largest);
}

/// As f_exp, of values that are not above 0: less to look out for.
SL_INLINE __m512 f_exp_not_above_0(__m512 x)
{
    __m512 n, p = f_exp_fraction(x, &n);
    return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(SL_EXP_LEAST), _CMP_NLT_UQ), p, n);
}

/// The sum of exp(x - top) in 16 strided partials, where no x is above top. The terms are kept in `terms` unless it is
/// NULL; it may be x.
SL_INLINE float sum_exp(const float *x, int64_t count, float top, float *terms)
{
    __m512 sum = _mm512_setzero_ps(), shift = _mm512_set1_ps(top);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512 term = f_exp_not_above_0(_mm512_sub_ps(_mm512_loadu_ps(x + i), shift));
        sum = _mm512_add_ps(sum, term);
        if (terms) _mm512_storeu_ps(terms + i, term);
    }
    if (i < count) {
        __mmask16 mask = lanes(count - i);
        __m512 term = f_exp_not_above_0(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), shift));
        sum = _mm512_mask_add_ps(sum, mask, sum, term);
        if (terms) _mm512_mask_storeu_ps(terms + i, mask, term);
    }
    return tree16(sum);
}
