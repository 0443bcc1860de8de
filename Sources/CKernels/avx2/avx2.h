// The functions of the AVX2 path.
#pragma once

#include "../common/tables.h"

#define SL_AVX2_TARGET "avx2,fma,f16c"

void sl_avx2_multiply_f32(const struct sl_multiplication *m);
void sl_avx2_multiply_f16(const struct sl_multiplication *m);
void sl_avx2_multiply_bf16(const struct sl_multiplication *m);
void sl_avx2_multiply_q4_0(const struct sl_multiplication *m);
void sl_avx2_multiply_q4_1(const struct sl_multiplication *m);
void sl_avx2_multiply_q8_0(const struct sl_multiplication *m);

void sl_avx2_attention_scores(const struct sl_attention_group *g);
void sl_avx2_attention_softmax(float *scores, int64_t count, float *max, float *sum);
void sl_avx2_attention_values(const struct sl_attention_group *g);
