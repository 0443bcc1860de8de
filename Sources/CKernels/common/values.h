// The functions of one value. Included inside every instruction set's target region too, so that remainders and the
// scalar path use that target's fused multiply-add; all of them are exact or correctly rounded, so the bits are one.
#include <stdint.h>
#include <string.h>

#define SL_INLINE static inline __attribute__((always_inline, unused))

#define SL_EXP_LOG2E 0x1.715476p+0f
#define SL_EXP_ROUND 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer, ties to even */
#define SL_EXP_LN2_HIGH 0x1.62e4p-1f
#define SL_EXP_LN2_LOW 0x1.7f7d1cp-20f
// exp(r) = 1 + r + r^2 (c2 + c3 r + ... + c6 r^4) on |r| <= ln(2) / 2: a minimax fit of the relative error, 3.1e-9.
#define SL_EXP_C2 0x1.fffffcp-2f
#define SL_EXP_C3 0x1.555492p-3f
#define SL_EXP_C4 0x1.5558f2p-5f
#define SL_EXP_C5 0x1.123a00p-7f
#define SL_EXP_C6 0x1.6a2404p-10f
#define SL_EXP_LEAST -87.33f      /* below: 0 */
#define SL_EXP_GREATEST 88.7228f  /* above: infinity */

SL_INLINE int64_t sl_value_least(int64_t a, int64_t b) { return a < b ? a : b; }

SL_INLINE uint32_t sl_bits(float x)
{
    uint32_t b;
    memcpy(&b, &x, 4);
    return b;
}

SL_INLINE float sl_from_bits(uint32_t b)
{
    float x;
    memcpy(&x, &b, 4);
    return x;
}

SL_INLINE float sl_value_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/// Nearest integer, ties to even, for |x| < 2^22.
SL_INLINE float sl_value_round(float x) { return (x + SL_EXP_ROUND) - SL_EXP_ROUND; }

SL_INLINE float sl_value_exp(float x)
{
    if (x != x) return x;
    if (x < SL_EXP_LEAST) return 0.0f;
    if (x > SL_EXP_GREATEST) return __builtin_inff();
    float t = sl_value_fma(x, SL_EXP_LOG2E, SL_EXP_ROUND);
    float n = t - SL_EXP_ROUND;
    float r = sl_value_fma(n, -SL_EXP_LN2_HIGH, x);
    r = sl_value_fma(n, -SL_EXP_LN2_LOW, r);
    float q = sl_value_fma(SL_EXP_C6, r, SL_EXP_C5);
    q = sl_value_fma(q, r, SL_EXP_C4);
    q = sl_value_fma(q, r, SL_EXP_C3);
    q = sl_value_fma(q, r, SL_EXP_C2);
    float p = sl_value_fma(r * r, q, r) + 1.0f;
    return sl_from_bits(sl_bits(p) + (sl_bits(t) << 23));
}

SL_INLINE float sl_value_silu(float x) { return x / (1.0f + sl_value_exp(-x)); }

SL_INLINE float sl_value_from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 31u, fraction = h & 0x3ffu;
    if (exponent == 31) return sl_from_bits(sign | 0x7f800000u | (fraction << 13) | (fraction ? 0x400000u : 0));
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f;
        return sl_from_bits(sign | sl_bits(magnitude));
    }
    return sl_from_bits(sign | ((exponent + 112u) << 23) | (fraction << 13));
}

/// Round to nearest even; NaN keeps its top payload bits and becomes quiet, as the hardware does it.
SL_INLINE uint16_t sl_value_to_half(float x)
{
    uint32_t b = sl_bits(x), sign = (b >> 16) & 0x8000u, a = b & 0x7fffffffu;
    if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((a >> 13) & 0x3ffu));
    if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); // rounds past 65504
    if (a < 0x38800000u) {                                   // below 2^-14: a multiple of 2^-24
        float scaled = sl_from_bits(a) + 0.5f;               // ulp of [0.5, 1) is 2^-24
        return (uint16_t)(sign | (sl_bits(scaled) - 0x3f000000u));
    }
    uint32_t rounded = a + 0xfffu + ((a >> 13) & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

SL_INLINE float sl_value_from_bfloat(uint16_t h) { return sl_from_bits((uint32_t)h << 16); }

/// Sum of 16 partial sums, always in this order.
SL_INLINE float sl_value_tree(const float p[16])
{
    float a[8], b[4];
    for (int i = 0; i < 8; i++) a[i] = p[i] + p[i + 8];
    for (int i = 0; i < 4; i++) b[i] = a[i] + a[i + 4];
    float c = b[0] + b[2], d = b[1] + b[3];
    return c + d;
}
