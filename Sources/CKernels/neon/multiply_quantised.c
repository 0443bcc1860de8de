#include "neon.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_NEON_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"
#include "../common/panel.h"

// SDOT multiplies signed bytes and adds them in 32 bits: weights of all ranges go as they are. Only sums of weights in
// bytes need UDOT: those of a block's nibbles reach 248.
#define SL_NAME(x) sl_neon_##x
#define SL_FETCH_BYTES 2048
#define SL_FETCH_REPEATS 0
#define SL_STREAMS 1
#define SL_FEW_GROUPS 1
#define SL_FEW_GROUPS_SIMPLE 1
#define SL_SIGNED_OFFSET 0
#define SL_DOT_SATURATES 0

#define dot_start(range, bias) (bias)
#define dot_pair(range, acc, w0, q0, w1, q1) products(products(acc, w0, q0), w1, q1)
#define dot_total(range, acc, bias) ((void)(bias), (acc))
#define sum_total(range, acc) (acc)
#define sum_pair(range, acc, w0, w1) \
    ((range) == SIGNED_BYTES ? products(products(acc, w0, v_bytes(1)), w1, v_bytes(1)) \
        : ((void)(w1), unsigned_sums(acc, w0)))

SL_INLINE vi products(vi acc, vi w, vi q) { return vdotq_s32(acc, signed_bytes(w), signed_bytes(q)); }

SL_INLINE vi unsigned_sums(vi acc, vi w)
{
    return vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(acc), unsigned_bytes(w), vdupq_n_u8(1)));
}

#include "../common/fetch.h"
#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
