#include "avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stddef.h>

#pragma clang attribute push(__attribute__((target(SL_AVX2_TARGET))), apply_to = function)
#include "../common/values.h"

/// Query vectors at once: two vectors of sums each, beside the keys or values in 16 registers.
enum { GROUP = 6 };

#define EACH_QUERY _Pragma("clang loop unroll(full)") for (int i = 0; i < queries; i++)
#define QUERIES_CASE(n, call) \
    case n: { enum { queries = n }; call; break; }
#define QUERIES_SWITCH(count, call) \
    switch (count) { \
        QUERIES_CASE(1, call) QUERIES_CASE(2, call) QUERIES_CASE(3, call) QUERIES_CASE(4, call) \
        QUERIES_CASE(5, call) QUERIES_CASE(6, call) \
    }

SL_INLINE __m256 load_half(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }

/// Scores of 16 positions: lanes are positions, one chain over d each.
SL_INLINE void score_positions(const int queries, const struct sl_attention_group *g, int64_t first_query,
    int64_t position)
{
    __m256 s0[GROUP], s1[GROUP];
    EACH_QUERY s0[i] = s1[i] = _mm256_setzero_ps();
    const float *q = g->queries + first_query;
    const uint16_t *k = g->keys[position / SL_KV_POSITIONS] + position % SL_KV_POSITIONS;
    const uint16_t *next = g->keys_ahead[position / SL_KV_POSITIONS];
    for (int64_t d = 0; d < g->head_size; d++, q += g->query_stride, k += SL_KV_POSITIONS, next += SL_KV_POSITIONS) {
        __builtin_prefetch(next, 0, 2);
        __m256 k0 = load_half(k), k1 = load_half(k + 8);
        EACH_QUERY {
            __m256 x = _mm256_set1_ps(q[i]);
            s0[i] = _mm256_fmadd_ps(x, k0, s0[i]);
            s1[i] = _mm256_fmadd_ps(x, k1, s1[i]);
        }
    }
    __m256 scale = _mm256_set1_ps(g->scale);
    float *out = g->scores + first_query * SL_SPAN_POSITIONS + position;
    EACH_QUERY {
        _mm256_storeu_ps(out + i * SL_SPAN_POSITIONS, _mm256_mul_ps(s0[i], scale));
        _mm256_storeu_ps(out + i * SL_SPAN_POSITIONS + 8, _mm256_mul_ps(s1[i], scale));
    }
}

void sl_avx2_attention_scores(const struct sl_attention_group *g)
{
    int64_t end = sl_value_least(g->counts[g->query_count - 1], g->block_end * SL_KV_POSITIONS);
    for (int64_t position = g->block_begin * SL_KV_POSITIONS; position < end; position += 16) {
        for (int64_t first = 0; first < g->query_count; first += GROUP) {
            QUERIES_SWITCH(sl_value_least(GROUP, g->query_count - first), score_positions(queries, g, first, position))
        }
    }
}

/// Elements [d, d + 16) of the outputs: lanes are elements, one chain over positions each.
SL_INLINE void sum_values(const int queries, const struct sl_attention_group *g, int64_t first_query, int64_t d)
{
    __m256 o0[GROUP], o1[GROUP];
    int64_t begin = g->block_begin * SL_KV_POSITIONS, end = g->block_end * SL_KV_POSITIONS;
    EACH_QUERY {
        o0[i] = begin > 0 ? _mm256_loadu_ps(g->outputs[first_query + i] + d) : _mm256_setzero_ps();
        o1[i] = begin > 0 ? _mm256_loadu_ps(g->outputs[first_query + i] + d + 8) : _mm256_setzero_ps();
    }
    int64_t shared = sl_value_least(g->counts[first_query], end);
    const float *scores = g->scores + first_query * SL_SPAN_POSITIONS;
    for (int64_t t = begin; t < shared; t++) {
        int64_t block = t / SL_KV_POSITIONS, offset = t % SL_KV_POSITIONS * g->head_size + d;
        const uint16_t *v = g->values[block] + offset;
        __builtin_prefetch(g->values_ahead[block] + offset, 0, 2);
        __m256 v0 = load_half(v), v1 = load_half(v + 8);
        EACH_QUERY {
            __m256 p = _mm256_set1_ps(scores[i * SL_SPAN_POSITIONS + t]);
            o0[i] = _mm256_fmadd_ps(p, v0, o0[i]);
            o1[i] = _mm256_fmadd_ps(p, v1, o1[i]);
        }
    }
    EACH_QUERY { // the positions that not every query sees
        for (int64_t t = shared < begin ? begin : shared; t < sl_value_least(g->counts[first_query + i], end); t++) {
            const uint16_t *v = g->values[t / SL_KV_POSITIONS] + t % SL_KV_POSITIONS * g->head_size + d;
            __m256 p = _mm256_set1_ps(scores[i * SL_SPAN_POSITIONS + t]);
            o0[i] = _mm256_fmadd_ps(p, load_half(v), o0[i]);
            o1[i] = _mm256_fmadd_ps(p, load_half(v + 8), o1[i]);
        }
        _mm256_storeu_ps(g->outputs[first_query + i] + d, o0[i]);
        _mm256_storeu_ps(g->outputs[first_query + i] + d + 8, o1[i]);
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

void sl_avx2_attention_values(const struct sl_attention_group *g)
{
    int64_t d = 0;
    for (; d + 16 <= g->head_size; d += 16) {
        for (int64_t first = 0; first < g->query_count; first += GROUP) {
            QUERIES_SWITCH(sl_value_least(GROUP, g->query_count - first), sum_values(queries, g, first, d))
        }
    }
    for (; d < g->head_size; d++) {
        for (int64_t i = 0; i < g->query_count; i++) sum_value(g, i, d);
    }
}
#pragma clang attribute pop
#endif
