#include "avx512.h"

#if defined(__x86_64__)

#define SHARED_KERNELS \
    .quantize = sl_avx512_quantize, .rms_scale = sl_avx512_rms_scale, .scale_multiply = sl_avx512_scale_multiply, \
    .silu_multiply = sl_avx512_silu_multiply, .add = sl_avx512_add, .rotate = sl_avx512_rotate, \
    .exponentiate = sl_avx512_exponentiate, .to_half = sl_avx512_to_half, .from_half = sl_avx512_from_half, \
    .max_exp_sum = sl_avx512_max_exp_sum, .attention_scores = sl_avx512_attention_scores, \
    .attention_softmax = sl_avx512_attention_softmax, .attention_values = sl_avx512_attention_values, \
    .attention_merge = sl_avx512_attention_merge, .divide = sl_avx512_divide

const struct sl_kernels sl_avx512_kernels = {
    .name = "avx512",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX512_NAME), SL_QUANTISED_MULTIPLIES(SL_AVX512_NAME)},
    SHARED_KERNELS,
};

const struct sl_kernels sl_avx512_vnni_kernels = {
    .name = "avx512vnni",
    .multiply = {SL_FLOAT_MULTIPLIES(SL_AVX512_NAME), SL_QUANTISED_MULTIPLIES(SL_AVX512_VNNI_NAME)},
    SHARED_KERNELS,
};
#endif
