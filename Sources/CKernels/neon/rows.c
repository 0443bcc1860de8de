#include "neon.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <stddef.h>

#pragma clang attribute push(__attribute__((target(SL_NEON_TARGET))), apply_to = function)
#include "../common/values.h"

#include "functions.h"
#include "../common/block.h"

// Values behind the last whole vector go through the functions of one value: the same bits.

/// 16 values as integers in -127 ... 127, rounded to nearest even.
SL_INLINE int8x16_t to_bytes(const float32x4_t x[4], float inverse, float zero)
{
    int32x4_t q[4];
    for (int i = 0; i < 4; i++) q[i] = vcvtnq_s32_f32(vfmaq_n_f32(vdupq_n_f32(zero), x[i], inverse));
    int16x8_t low = vcombine_s16(vqmovn_s32(q[0]), vqmovn_s32(q[1]));
    int16x8_t high = vcombine_s16(vqmovn_s32(q[2]), vqmovn_s32(q[3]));
    return vmaxq_s8(vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)), vdupq_n_s8(-127));
}

static void quantize_block(const float *x, struct sl_block *block)
{
    float32x4_t v[8], low = vdupq_n_f32(0.0f), high = low;
    uint32x4_t magnitude = vdupq_n_u32(0);
    for (int i = 0; i < 8; i++) {
        v[i] = vld1q_f32(x + 4 * i);
        low = vminq_f32(low, v[i]);
        high = vmaxq_f32(high, v[i]);
        magnitude = vmaxq_u32(magnitude, vreinterpretq_u32_f32(vabsq_f32(v[i])));
    }
    float least = vminvq_f32(low), range = vmaxvq_f32(high) - least;
    if (vmaxvq_u32(magnitude) >= 0x7f800000u || range == __builtin_inff()) {
        sl_block_set_not_finite(block);
        return;
    }
    if (range < 0x1p-100f) {
        sl_block_clear(block);
        return;
    }
    float d = range / 254.0f, inverse = 1.0f / d;
    float zero = sl_value_round(sl_value_fma(-least, inverse, -127.0f));
    int8x16_t q0 = to_bytes(v, inverse, zero), q1 = to_bytes(v + 4, inverse, zero);
    vst1q_s8(block->q, q0);
    vst1q_s8(block->q + 16, q1);
    sl_block_finish(block, d, zero, vaddlvq_s8(q0), vaddlvq_s8(q1));
}

static void quantize(const float *x, int64_t columns, struct sl_block *blocks)
{
    for (int64_t i = 0; i < columns / SL_BLOCK_COLUMNS; i++) quantize_block(x + i * SL_BLOCK_COLUMNS, blocks + i);
}

static float rms_scale(const float *x, int64_t columns, float epsilon)
{
    float32x4_t sums[4] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
    int64_t k = 0;
    for (; k + 16 <= columns; k += 16) {
        for (int j = 0; j < 4; j++) {
            float32x4_t v = vld1q_f32(x + k + 4 * j);
            sums[j] = vfmaq_f32(sums[j], v, v);
        }
    }
    float partials[16];
    for (int j = 0; j < 4; j++) vst1q_f32(partials + 4 * j, sums[j]);
    for (; k < columns; k++) partials[k % 16] = sl_value_fma(x[k], x[k], partials[k % 16]);
    float mean = sl_value_tree(partials) / (float)columns;
    return 1.0f / __builtin_sqrtf(mean + epsilon);
}

static void scale_multiply(const float *x, float scale, const float *weight, int64_t columns, float *y)
{
    int64_t k = 0;
    for (; k + 4 <= columns; k += 4) {
        vst1q_f32(y + k, vmulq_f32(vmulq_n_f32(vld1q_f32(x + k), scale), vld1q_f32(weight + k)));
    }
    for (; k < columns; k++) y[k] = (x[k] * scale) * weight[k];
}

static void silu_multiply(const float *gate, const float *up, int64_t columns, float *y)
{
    int64_t k = 0;
    for (; k + 4 <= columns; k += 4) vst1q_f32(y + k, vmulq_f32(silu4(vld1q_f32(gate + k)), vld1q_f32(up + k)));
    for (; k < columns; k++) y[k] = sl_value_silu(gate[k]) * up[k];
}

static void add(float *x, const float *y, int64_t columns)
{
    int64_t k = 0;
    for (; k + 4 <= columns; k += 4) vst1q_f32(x + k, vaddq_f32(vld1q_f32(x + k), vld1q_f32(y + k)));
    for (; k < columns; k++) x[k] += y[k];
}

SL_INLINE void turn(float32x4_t *first, float32x4_t *second, float32x4_t c, float32x4_t s)
{
    float32x4_t a = *first, b = *second;
    *first = vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c);
    *second = vfmaq_f32(vmulq_f32(b, c), a, s);
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
    for (; i + 4 <= pair_count; i += 4) {
        float32x4_t a = vld1q_f32(x + i), b = vld1q_f32(x + pair_count + i);
        turn(&a, &b, vld1q_f32(cosines + i), vld1q_f32(sines + i));
        vst1q_f32(x + i, a);
        vst1q_f32(x + pair_count + i, b);
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
    for (; i + 4 <= pair_count; i += 4) {
        float32x4x2_t pairs = vld2q_f32(x + 2 * i);
        turn(&pairs.val[0], &pairs.val[1], vld1q_f32(cosines + i), vld1q_f32(sines + i));
        vst2q_f32(x + 2 * i, pairs);
    }
    for (; i < pair_count; i++) turn_one(x + 2 * i, x + 2 * i + 1, cosines[i], sines[i]);
}

static void exponentiate(const float *x, int64_t count, float *y)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(y + i, exp4(vld1q_f32(x + i)));
    for (; i < count; i++) y[i] = sl_value_exp(x[i]);
}

static void to_half(const float *x, int64_t count, uint16_t *y)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) vst1_u16(y + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x + i))));
    for (; i < count; i++) y[i] = sl_value_to_half(x[i]);
}

static void from_half(const uint16_t *x, int64_t count, float *y)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(y + i, load_half(x + i));
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
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        float32x4_t scaled = vmulq_n_f32(vld1q_f32(y + i), b);
        vst1q_f32(x + i, vfmaq_n_f32(scaled, vld1q_f32(x + i), a));
    }
    for (; i < count; i++) x[i] = sl_value_fma(x[i], a, y[i] * b);
}

static void divide(const float *x, float by, int64_t count, float *y)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) vst1q_f32(y + i, vdivq_f32(vld1q_f32(x + i), vdupq_n_f32(by)));
    for (; i < count; i++) y[i] = x[i] / by;
}

const struct sl_kernels sl_neon_kernels = {
    .name = "neon",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_NEON_NAME), SL_QUANTISED_MULTIPLIES(SL_NEON_NAME)},
    .quantize = quantize,
    .rms_scale = rms_scale,
    .scale_multiply = scale_multiply,
    .silu_multiply = silu_multiply,
    .add = add,
    .rotate = rotate,
    .exponentiate = exponentiate,
    .to_half = to_half,
    .from_half = from_half,
    .max_exp_sum = max_exp_sum,
    .attention_scores = sl_neon_attention_scores,
    .attention_softmax = sl_neon_attention_softmax,
    .attention_values = sl_neon_attention_values,
    .attention_merge = attention_merge,
    .divide = divide,
};
#pragma clang attribute pop
#endif
