// exp and silu of 8 values, and the fixed tree. Included inside a target region.

SL_INLINE __m256 f_exp(__m256 x)
{
    const __m256 round = _mm256_set1_ps(SL_EXP_ROUND);
    __m256 t = _mm256_fmadd_ps(x, _mm256_set1_ps(SL_EXP_LOG2E), round);
    __m256 n = _mm256_sub_ps(t, round);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-SL_EXP_LN2_HIGH), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-SL_EXP_LN2_LOW), r);
    __m256 q = _mm256_fmadd_ps(_mm256_set1_ps(SL_EXP_C6), r, _mm256_set1_ps(SL_EXP_C5));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(SL_EXP_C4));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(SL_EXP_C3));
    q = _mm256_fmadd_ps(q, r, _mm256_set1_ps(SL_EXP_C2));
    __m256 p = _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(r, r), q, r), _mm256_set1_ps(1.0f));
    __m256i shifted = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    __m256 y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), shifted));
    y = _mm256_and_ps(y, _mm256_cmp_ps(x, _mm256_set1_ps(SL_EXP_LEAST), _CMP_NLT_UQ));
    y = _mm256_blendv_ps(y, _mm256_set1_ps(__builtin_inff()),
        _mm256_cmp_ps(x, _mm256_set1_ps(SL_EXP_GREATEST), _CMP_GT_OQ));
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

SL_INLINE __m256 f_silu(__m256 x)
{
    __m256 negative = _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), f_exp(negative)));
}

SL_INLINE float largest8(__m256 v)
{
    __m128 a = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}

SL_INLINE float least8(__m256 v)
{
    __m128 a = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    a = _mm_min_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_min_ss(a, _mm_movehdup_ps(a)));
}

SL_INLINE float largest_of(const float *x, int64_t count)
{
    __m256 largest = _mm256_set1_ps(-__builtin_inff());
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) largest = _mm256_max_ps(_mm256_loadu_ps(x + i), largest);
    float top = largest8(largest);
    for (; i < count; i++) top = x[i] > top ? x[i] : top;
    return top;
}

/// The sum of exp(x - top) in 16 strided partials. The terms are kept in `terms` unless it is NULL; it may be x.
SL_INLINE float sum_exp(const float *x, int64_t count, float top, float *terms)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, shift = _mm256_set1_ps(top);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m256 a = f_exp(_mm256_sub_ps(_mm256_loadu_ps(x + i), shift));
        __m256 b = f_exp(_mm256_sub_ps(_mm256_loadu_ps(x + i + 8), shift));
        s0 = _mm256_add_ps(s0, a);
        s1 = _mm256_add_ps(s1, b);
        if (!terms) continue;
        _mm256_storeu_ps(terms + i, a);
        _mm256_storeu_ps(terms + i + 8, b);
    }
    float partials[16];
    _mm256_storeu_ps(partials, s0);
    _mm256_storeu_ps(partials + 8, s1);
    for (; i < count; i++) {
        float term = sl_value_exp(x[i] - top);
        partials[i % 16] += term;
        if (terms) terms[i] = term;
    }
    return sl_value_tree(partials);
}
