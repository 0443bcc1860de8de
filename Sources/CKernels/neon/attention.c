#include "neon.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <stddef.h>

#pragma clang attribute push(__attribute__((target(SL_NEON_TARGET))), apply_to = function)
#include "../common/values.h"

#include "functions.h"

/// Vectors of sums for each query: many queries need few to keep the multipliers busy, and 32 registers must hold them
/// all beside the keys or values.
#define VECTORS(queries) ((queries) == 1 ? 8 : (queries) <= 4 ? 4 : 2)
enum { VECTORS_MAX = 8, VECTORS_LEAST = 2 };

#define EACH_QUERY _Pragma("clang loop unroll(full)") for (int i = 0; i < queries; i++)
#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int j = 0; j < vectors; j++)
#define QUERIES_CASE(n, call) \
    case n: { enum { queries = n }; call; break; }
#define QUERIES_SWITCH(count, call) \
    switch (count) { \
        QUERIES_CASE(1, call) QUERIES_CASE(2, call) QUERIES_CASE(3, call) QUERIES_CASE(4, call) \
        QUERIES_CASE(5, call) QUERIES_CASE(6, call) QUERIES_CASE(7, call) QUERIES_CASE(8, call) \
        QUERIES_CASE(9, call) QUERIES_CASE(10, call) QUERIES_CASE(11, call) QUERIES_CASE(12, call) \
    }

/// Scores of one block's 32 positions: lanes are positions, one chain over d each.
SL_INLINE void score_block(const int queries, const struct sl_attention_group *g, int64_t block)
{
    const int vectors = VECTORS(queries);
    for (int64_t position = 0; position < SL_KV_POSITIONS; position += 4 * vectors) {
        float32x4_t sums[SL_QUERY_GROUP][VECTORS_MAX];
        EACH_QUERY EACH_VECTOR sums[i][j] = vdupq_n_f32(0.0f);
        const float *q = g->queries;
        const uint16_t *k = g->keys[block] + position, *next = g->keys_ahead[block];
        for (int64_t d = 0; d < g->head_size; d++) {
            if (position == 0) __builtin_prefetch(next, 0, 2);
            float32x4_t x[SL_QUERY_GROUP / 4]; // values of 4 queries each, multiplied by from their lanes
            _Pragma("clang loop unroll(full)") for (int i = 0; i < queries; i += 4) x[i / 4] = vld1q_f32(q + i);
            EACH_VECTOR {
                float32x4_t keys = load_half(k + 4 * j);
                EACH_QUERY sums[i][j] = vfmaq_n_f32(sums[i][j], keys, x[i / 4][i % 4]);
            }
            q += g->query_stride;
            k += SL_KV_POSITIONS;
            next += SL_KV_POSITIONS;
        }
        float *out = g->scores + block * SL_KV_POSITIONS + position;
        EACH_QUERY EACH_VECTOR vst1q_f32(out + i * SL_SPAN_POSITIONS + 4 * j, vmulq_n_f32(sums[i][j], g->scale));
    }
}

void sl_neon_attention_scores(const struct sl_attention_group *g)
{
    for (int64_t block = g->block_begin; block < g->block_end; block++) {
        QUERIES_SWITCH(g->query_count, score_block(queries, g, block))
    }
}

/// Elements [d, d + 4 * vectors) of the outputs: lanes are elements, one chain over positions each.
SL_INLINE void sum_values(const int queries, const int vectors, const struct sl_attention_group *g, int64_t d)
{
    float32x4_t sums[SL_QUERY_GROUP][VECTORS_MAX];
    const int64_t size = g->head_size, begin = g->block_begin * SL_KV_POSITIONS, end = g->block_end * SL_KV_POSITIONS;
    EACH_QUERY EACH_VECTOR sums[i][j] = begin > 0 ? vld1q_f32(g->outputs[i] + d + 4 * j) : vdupq_n_f32(0.0f);
    const int64_t shared = sl_value_least(g->counts[0], end) & ~(int64_t)1;
    for (int64_t t = begin; t < shared; t += 2) { // two positions, so that a query's two weights are one load
        const int64_t block = t / SL_KV_POSITIONS, offset = t % SL_KV_POSITIONS * size + d;
        const uint16_t *v = g->values[block] + offset, *next = g->values_ahead[block] + offset;
        __builtin_prefetch(next, 0, 2);
        __builtin_prefetch(next + size, 0, 2);
        float32x4_t v0[VECTORS_MAX], v1[VECTORS_MAX];
        EACH_VECTOR {
            v0[j] = load_half(v + 4 * j);
            v1[j] = load_half(v + size + 4 * j);
        }
        EACH_QUERY {
            float32x2_t p = vld1_f32(g->scores + i * SL_SPAN_POSITIONS + t);
            EACH_VECTOR sums[i][j] = vfmaq_lane_f32(vfmaq_lane_f32(sums[i][j], v0[j], p, 0), v1[j], p, 1);
        }
    }
    EACH_QUERY { // the positions that not every query sees
        for (int64_t t = shared < begin ? begin : shared; t < sl_value_least(g->counts[i], end); t++) {
            const uint16_t *v = g->values[t / SL_KV_POSITIONS] + t % SL_KV_POSITIONS * size + d;
            float p = g->scores[i * SL_SPAN_POSITIONS + t];
            EACH_VECTOR sums[i][j] = vfmaq_n_f32(sums[i][j], load_half(v + 4 * j), p);
        }
        EACH_VECTOR vst1q_f32(g->outputs[i] + d + 4 * j, sums[i][j]);
    }
}

/// One element of one output.
static void sum_value(const struct sl_attention_group *g, int64_t query, int64_t d)
{
    int64_t begin = g->block_begin * SL_KV_POSITIONS;
    int64_t end = sl_value_least(g->counts[query], g->block_end * SL_KV_POSITIONS);
    float sum = begin > 0 ? g->outputs[query][d] : 0.0f;
    for (int64_t t = begin; t < end; t++) {
        const uint16_t *v = g->values[t / SL_KV_POSITIONS] + t % SL_KV_POSITIONS * g->head_size;
        sum = sl_value_fma(g->scores[query * SL_SPAN_POSITIONS + t], sl_value_from_half(v[d]), sum);
    }
    g->outputs[query][d] = sum;
}

/// The elements that whole vectors hold; gives their number.
SL_INLINE int64_t sum_vectors(const int queries, const struct sl_attention_group *g)
{
    int64_t d = 0;
    for (; d + 4 * VECTORS(queries) <= g->head_size; d += 4 * VECTORS(queries)) {
        sum_values(queries, VECTORS(queries), g, d);
    }
    for (; VECTORS(queries) > VECTORS_LEAST && d + 4 * VECTORS_LEAST <= g->head_size; d += 4 * VECTORS_LEAST) {
        sum_values(queries, VECTORS_LEAST, g, d);
    }
    return d;
}

void sl_neon_attention_values(const struct sl_attention_group *g)
{
    int64_t first = 0;
    QUERIES_SWITCH(g->query_count, first = sum_vectors(queries, g))
    for (int64_t d = first; d < g->head_size; d++) {
        for (int64_t i = 0; i < g->query_count; i++) sum_value(g, i, d);
    }
}
#pragma clang attribute pop
#endif
