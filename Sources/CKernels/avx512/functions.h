// exp and silu of 16 values, and tails. Included inside a target region.

SL_INLINE __m512 exp16(__m512 x)
{
    const __m512 round = _mm512_set1_ps(SL_EXP_ROUND);
    __m512 t = _mm512_fmadd_ps(x, _mm512_set1_ps(SL_EXP_LOG2E), round);
    __m512 n = _mm512_sub_ps(t, round);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-SL_EXP_LN2_HIGH), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-SL_EXP_LN2_LOW), r);
    __m512 q = _mm512_fmadd_ps(_mm512_set1_ps(SL_EXP_C6), r, _mm512_set1_ps(SL_EXP_C5));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(SL_EXP_C4));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(SL_EXP_C3));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(SL_EXP_C2));
    __m512 p = _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(r, r), q, r), _mm512_set1_ps(1.0f));
    __m512i shifted = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
    __m512 y = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), shifted));
    y = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(SL_EXP_LEAST), _CMP_NLT_UQ), y);
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, _mm512_set1_ps(SL_EXP_GREATEST), _CMP_GT_OQ),
        _mm512_set1_ps(__builtin_inff()));
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}

SL_INLINE __m512 silu16(__m512 x)
{
    __m512 negative = _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), exp16(negative)));
}

/// Lanes of the last, partial vector of `count` values; 16 set bits when `count` is 16 or more.
SL_INLINE __mmask16 lanes(int64_t count) { return count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1); }

SL_INLINE float tree16(__m512 v)
{
    float p[16];
    _mm512_storeu_ps(p, v);
    return sl_value_tree(p);
}

SL_INLINE float largest16(__m512 v) { return _mm512_reduce_max_ps(v); }
