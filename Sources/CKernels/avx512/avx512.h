// The functions of the AVX-512 paths; only the quantised multiplications differ between processors with and without
// VNNI, and with tiles.
#pragma once

#include "../common/tables.h"

#define SL_AVX512_TARGET "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq"

#define SL_AVX512_NAME(x) sl_avx512_##x
SL_DECLARE_FLOAT_MULTIPLIES(SL_AVX512_NAME);
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AVX512_NAME);
#define SL_AVX512_VNNI_NAME(x) sl_avx512_vnni_##x
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AVX512_VNNI_NAME);
#define SL_AMX_NAME(x) sl_amx_##x
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AMX_NAME);

void sl_avx512_attention_scores(const struct sl_attention_group *g);
void sl_avx512_attention_values(const struct sl_attention_group *g);
