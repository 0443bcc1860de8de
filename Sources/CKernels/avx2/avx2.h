// The functions of the AVX2 paths; only the quantised multiplications differ between processors with and without VNNI.
#pragma once

#include "../common/tables.h"

#define SL_AVX2_TARGET "avx2,fma,f16c"

#define SL_AVX2_NAME(x) sl_avx2_##x
SL_DECLARE_FLOAT_MULTIPLIES(SL_AVX2_NAME);
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AVX2_NAME);
#define SL_AVX_VNNI_NAME(x) sl_avx_vnni_##x
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AVX_VNNI_NAME);
#define SL_AVX_VNNI_EVEX_NAME(x) sl_avx_vnni_evex_##x
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AVX_VNNI_EVEX_NAME);

void sl_avx2_attention_scores(const struct sl_attention_group *g);
void sl_avx2_attention_values(const struct sl_attention_group *g);
