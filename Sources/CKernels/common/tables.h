// The tables that dispatch.c chooses from.
#pragma once

#include "../include/sl_kernels.h"

extern const struct sl_kernels sl_scalar_kernels;
#if defined(__x86_64__)
extern const struct sl_kernels sl_scalar_fma_kernels;
extern const struct sl_kernels sl_avx2_kernels;
extern const struct sl_kernels sl_avx512_kernels;
extern const struct sl_kernels sl_avx512_vnni_kernels;
#endif
