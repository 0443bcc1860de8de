// exp and silu of 4 values, largest values and sums. Included inside a target region.

SL_INLINE float32x4_t f_exp(float32x4_t x)
{
    const float32x4_t round = vdupq_n_f32(SL_EXP_ROUND);
    float32x4_t t = vfmaq_f32(round, x, vdupq_n_f32(SL_EXP_LOG2E));
    float32x4_t n = vsubq_f32(t, round);
    float32x4_t r = vfmaq_f32(x, n, vdupq_n_f32(-SL_EXP_LN2_HIGH));
    r = vfmaq_f32(r, n, vdupq_n_f32(-SL_EXP_LN2_LOW));
    float32x4_t q = vfmaq_f32(vdupq_n_f32(SL_EXP_C5), vdupq_n_f32(SL_EXP_C6), r);
    q = vfmaq_f32(vdupq_n_f32(SL_EXP_C4), q, r);
    q = vfmaq_f32(vdupq_n_f32(SL_EXP_C3), q, r);
    q = vfmaq_f32(vdupq_n_f32(SL_EXP_C2), q, r);
    float32x4_t p = vaddq_f32(vfmaq_f32(r, vmulq_f32(r, r), q), vdupq_n_f32(1.0f));
    uint32x4_t shifted = vshlq_n_u32(vreinterpretq_u32_f32(t), 23);
    uint32x4_t y = vaddq_u32(vreinterpretq_u32_f32(p), shifted);
    y = vbicq_u32(y, vcltq_f32(x, vdupq_n_f32(SL_EXP_LEAST)));
    float32x4_t bounded = vbslq_f32(vcgtq_f32(x, vdupq_n_f32(SL_EXP_GREATEST)), vdupq_n_f32(__builtin_inff()),
        vreinterpretq_f32_u32(y));
    return vbslq_f32(vceqq_f32(x, x), bounded, x);
}

SL_INLINE float32x4_t f_silu(float32x4_t x)
{
    return vdivq_f32(x, vaddq_f32(vdupq_n_f32(1.0f), f_exp(vnegq_f32(x))));
}

SL_INLINE float32x4_t load_half(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }

/// The larger of two values, the second where one is not a number: FMAX would hand on what is not a number.
SL_INLINE float32x4_t larger(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }

SL_INLINE float largest_of(const float *x, int64_t count)
{
    float32x4_t a = vdupq_n_f32(-__builtin_inff()), b = a;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        a = larger(vld1q_f32(x + i), a);
        b = larger(vld1q_f32(x + i + 4), b);
    }
    float top = vmaxvq_f32(vmaxq_f32(a, b));
    for (; i < count; i++) top = x[i] > top ? x[i] : top;
    return top;
}

/// The sum of exp(x - top) in 16 strided partials. The terms are kept in `terms` unless it is NULL; it may be x.
SL_INLINE float sum_exp(const float *x, int64_t count, float top, float *terms)
{
    float32x4_t sums[4] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
    float32x4_t shift = vdupq_n_f32(top);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        for (int j = 0; j < 4; j++) {
            float32x4_t term = f_exp(vsubq_f32(vld1q_f32(x + i + 4 * j), shift));
            sums[j] = vaddq_f32(sums[j], term);
            if (terms) vst1q_f32(terms + i + 4 * j, term);
        }
    }
    float partials[16];
    for (int j = 0; j < 4; j++) vst1q_f32(partials + 4 * j, sums[j]);
    for (; i < count; i++) {
        float term = sl_value_exp(x[i] - top);
        partials[i % 16] += term;
        if (terms) terms[i] = term;
    }
    return sl_value_tree(partials);
}
