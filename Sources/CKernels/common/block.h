// The last steps of quantising 32 activations, for every instruction set. Include inside the target region, behind
// values.h.
#pragma once

#include "../include/sl_kernels.h"

/// Completes a block whose q stand there: their sums by halves, the scale, and the zero point (an integer).
SL_INLINE void sl_block_finish(struct sl_block *block, float d, float zero, int32_t sum0, int32_t sum1)
{
    int32_t z = (int32_t)zero;
    block->d = d;
    block->b = -zero * d;
    block->a = d * (float)(sum0 + sum1 - 32 * z);
    block->bias = -128 * (sum0 + sum1);
    block->half_bias[0] = -128 * sum0;
    block->half_bias[1] = -128 * sum1;
    block->half_a[0] = d * (float)(sum0 - 16 * z);
    block->half_a[1] = d * (float)(sum1 - 16 * z);
}

SL_INLINE void sl_block_clear(struct sl_block *block) { memset(block, 0, sizeof *block); }

/// Every product with it is NaN.
SL_INLINE void sl_block_set_not_finite(struct sl_block *block)
{
    sl_block_clear(block);
    block->d = block->b = block->a = block->half_a[0] = block->half_a[1] = __builtin_nanf("");
}
