#include "neon.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_NEON_TARGET))), apply_to = function)
#include "../common/values.h"
#include "../common/block.h"

#include "vectors.h"
#include "functions.h"

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

SL_INLINE int64_t rotate_neighbours(float *x, const float *cosines, const float *sines, int64_t pair_count)
{
    int64_t i = 0;
    for (; i + 4 <= pair_count; i += 4) {
        float32x4x2_t v = vld2q_f32(x + 2 * i), turned;
        float32x4_t c = vld1q_f32(cosines + i), s = vld1q_f32(sines + i);
        turned.val[0] = vfmaq_f32(vnegq_f32(vmulq_f32(v.val[1], s)), v.val[0], c);
        turned.val[1] = vfmaq_f32(vmulq_f32(v.val[1], c), v.val[0], s);
        vst2q_f32(x + 2 * i, turned);
    }
    return i;
}

#include "../common/rows.h"

const struct sl_kernels sl_neon_kernels = {
    .name = "neon",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_NEON_NAME), SL_QUANTISED_MULTIPLIES(SL_NEON_NAME)},
    .attention_scores = sl_neon_attention_scores,
    .attention_values = sl_neon_attention_values,
    SL_ROW_KERNELS,
};
#pragma clang attribute pop
#endif
