// The functions of the AVX-512 paths; only the quantised multiplications differ between processors with and without
// VNNI.
#pragma once

#include "../common/tables.h"

#define SL_AVX512_TARGET "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq"

#define SL_AVX512_NAME(x) sl_avx512_##x
SL_DECLARE_FLOAT_MULTIPLIES(SL_AVX512_NAME);
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AVX512_NAME);
#define SL_AVX512_VNNI_NAME(x) sl_avx512_vnni_##x
SL_DECLARE_QUANTISED_MULTIPLIES(SL_AVX512_VNNI_NAME);

void sl_avx512_quantize(const float *x, int64_t columns, struct sl_block *blocks);
float sl_avx512_rms_scale(const float *x, int64_t columns, float epsilon);
void sl_avx512_scale_multiply(const float *x, float scale, const float *weight, int64_t columns, float *y);
void sl_avx512_silu_multiply(const float *gate, const float *up, int64_t columns, float *y);
void sl_avx512_add(float *x, const float *y, int64_t columns);
void sl_avx512_rotate(float *x, const float *cosines, const float *sines, int64_t pair_count, int32_t halves);
void sl_avx512_exponentiate(const float *x, int64_t count, float *y);
void sl_avx512_to_half(const float *x, int64_t count, uint16_t *y);
void sl_avx512_from_half(const uint16_t *x, int64_t count, float *y);
void sl_avx512_max_exp_sum(const float *x, int64_t count, float *max, float *sum);
void sl_avx512_attention_scores(const struct sl_attention_group *g);
void sl_avx512_attention_softmax(float *scores, int64_t count, float *max, float *sum);
void sl_avx512_attention_values(const struct sl_attention_group *g);
void sl_avx512_attention_merge(float *x, float a, const float *y, float b, int64_t count);
void sl_avx512_divide(const float *x, float by, int64_t count, float *y);
