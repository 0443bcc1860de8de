// The tables that dispatch.c chooses from.
#pragma once

#include "../include/sl_kernels.h"

// What a path defines for its table: NAME(x) gives the name of a function.
#define SL_FLOAT_MULTIPLIES(NAME) NAME(multiply_f32), NAME(multiply_f16), NAME(multiply_bf16)
#define SL_EACH_QUANTISED_MULTIPLY(DEFINE) \
    DEFINE(multiply_q4_0, SL_FORMAT_Q4_0) DEFINE(multiply_q4_1, SL_FORMAT_Q4_1) DEFINE(multiply_q5_0, SL_FORMAT_Q5_0) \
    DEFINE(multiply_q5_1, SL_FORMAT_Q5_1) DEFINE(multiply_q8_0, SL_FORMAT_Q8_0) \
    DEFINE(multiply_iq4_nl, SL_FORMAT_IQ4_NL) DEFINE(multiply_q2_k, SL_FORMAT_Q2_K) \
    DEFINE(multiply_q3_k, SL_FORMAT_Q3_K) DEFINE(multiply_q4_k, SL_FORMAT_Q4_K) DEFINE(multiply_q5_k, SL_FORMAT_Q5_K) \
    DEFINE(multiply_q6_k, SL_FORMAT_Q6_K)
#define SL_QUANTISED_MULTIPLIES(NAME) \
    NAME(multiply_q4_0), NAME(multiply_q4_1), NAME(multiply_q5_0), NAME(multiply_q5_1), NAME(multiply_q8_0), \
    NAME(multiply_iq4_nl), NAME(multiply_q2_k), NAME(multiply_q3_k), NAME(multiply_q4_k), NAME(multiply_q5_k), \
    NAME(multiply_q6_k)
#define SL_DECLARE_FLOAT_MULTIPLIES(NAME) extern sl_multiply_function SL_FLOAT_MULTIPLIES(NAME)
#define SL_DECLARE_QUANTISED_MULTIPLIES(NAME) extern sl_multiply_function SL_QUANTISED_MULTIPLIES(NAME)

extern const struct sl_kernels sl_scalar_kernels;
#if defined(__x86_64__)
extern const struct sl_kernels sl_scalar_fma_kernels;
extern const struct sl_kernels sl_avx2_kernels;
extern const struct sl_kernels sl_avx_vnni_kernels;
extern const struct sl_kernels sl_avx_vnni_evex_kernels;
extern const struct sl_kernels sl_avx512_kernels;
extern const struct sl_kernels sl_avx512_vnni_kernels;
extern const struct sl_kernels sl_amx_kernels;
#elif defined(__aarch64__)
extern const struct sl_kernels sl_neon_kernels;
#endif
