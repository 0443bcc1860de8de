#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"

#include "functions.h"

#define EACH_QUERY _Pragma("clang loop unroll(full)") for (int i = 0; i < queries; i++)
#define QUERIES_CASE(n, call) \
    case n: { enum { queries = n }; call; break; }
#define UP_TO_SIX_QUERIES(call) \
    QUERIES_CASE(1, call) QUERIES_CASE(2, call) QUERIES_CASE(3, call) QUERIES_CASE(4, call) QUERIES_CASE(5, call) \
    QUERIES_CASE(6, call)
#define QUERIES_SWITCH(count, call) \
    switch (count) { \
        UP_TO_SIX_QUERIES(call) QUERIES_CASE(7, call) QUERIES_CASE(8, call) QUERIES_CASE(9, call) \
        QUERIES_CASE(10, call) QUERIES_CASE(11, call) QUERIES_CASE(12, call) \
    }

SL_INLINE __m512 load_half(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

/// Scores of one block's 32 positions: lanes are positions, one chain over d each.
SL_INLINE void score_block(const int queries, const struct sl_attention_group *g, int64_t block)
{
    __m512 s0[SL_QUERY_GROUP], s1[SL_QUERY_GROUP];
    EACH_QUERY s0[i] = s1[i] = _mm512_setzero_ps();
    const float *q0 = g->queries, *q1 = q0;
    // Two pointers that the compiler takes for different: so each multiplication broadcasts its own operand, which
    // costs nothing, where one broadcast for both would be an instruction more.
    __asm__("" : "+r"(q1));
    const int64_t stride = g->query_stride;
    const uint16_t *k = g->keys[block], *next = g->keys_ahead[block];
    for (int64_t d = 0; d < g->head_size; d++) {
        __builtin_prefetch(next, 0, 2); // to the second level: the first has few misses in flight
        __m512 k0 = load_half(k), k1 = load_half(k + 16);
        EACH_QUERY {
            s0[i] = _mm512_fmadd_ps(_mm512_set1_ps(q0[i]), k0, s0[i]);
            s1[i] = _mm512_fmadd_ps(_mm512_set1_ps(q1[i]), k1, s1[i]);
        }
        q0 += stride;
        q1 += stride;
        k += SL_KV_POSITIONS;
        next += SL_KV_POSITIONS;
    }
    __m512 scale = _mm512_set1_ps(g->scale);
    float *out = g->scores + block * SL_KV_POSITIONS;
    EACH_QUERY {
        _mm512_storeu_ps(out + i * SL_SPAN_POSITIONS, _mm512_mul_ps(s0[i], scale));
        _mm512_storeu_ps(out + i * SL_SPAN_POSITIONS + 16, _mm512_mul_ps(s1[i], scale));
    }
}

void sl_avx512_attention_scores(const struct sl_attention_group *g)
{
    for (int64_t block = g->block_begin; block < g->block_end; block++) {
        QUERIES_SWITCH(g->query_count, score_block(queries, g, block))
    }
}

#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int j = 0; j < vectors; j++)
enum { VECTORS_MAX = 4 };

/// Elements [d, d + 16 * vectors) of the outputs, the last vector's as `mask` says: lanes are elements, one chain over
/// positions each.
SL_INLINE void sum_values(const int queries, const int vectors, const struct sl_attention_group *g, int64_t d,
    __mmask16 mask)
{
    __m512 sums[SL_QUERY_GROUP][VECTORS_MAX];
    __mmask16 masks[VECTORS_MAX];
    EACH_VECTOR masks[j] = j == vectors - 1 ? mask : 0xffff;
    const int64_t size = g->head_size, begin = g->block_begin * SL_KV_POSITIONS, end = g->block_end * SL_KV_POSITIONS;
    EACH_QUERY EACH_VECTOR {
        sums[i][j] = begin > 0 ? _mm512_maskz_loadu_ps(masks[j], g->outputs[i] + d + 16 * j) : _mm512_setzero_ps();
    }
    const int64_t shared = sl_value_least(g->counts[0], end);
    for (int64_t first = begin; first < shared; first += SL_KV_POSITIONS) {
        const uint16_t *v = g->values[first / SL_KV_POSITIONS] + d;
        const uint16_t *next = g->values_ahead[first / SL_KV_POSITIONS] + d;
        const int64_t last = sl_value_least(shared, first + SL_KV_POSITIONS);
        for (int64_t t = first; t < last; t++, v += size, next += size) {
            __builtin_prefetch(next, 0, 2); // to the second level: the first has few misses in flight
            if (vectors > 2) __builtin_prefetch(next + 32, 0, 2);
            __m512 x[VECTORS_MAX];
            EACH_VECTOR x[j] = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(masks[j], v + 16 * j));
            EACH_QUERY {
                __m512 p = _mm512_set1_ps(g->scores[i * SL_SPAN_POSITIONS + t]);
                EACH_VECTOR sums[i][j] = _mm512_fmadd_ps(p, x[j], sums[i][j]);
            }
        }
    }
    EACH_QUERY { // the positions that not every query sees
        for (int64_t t = shared < begin ? begin : shared; t < sl_value_least(g->counts[i], end); t++) {
            const uint16_t *v = g->values[t / SL_KV_POSITIONS] + t % SL_KV_POSITIONS * size + d;
            __m512 p = _mm512_set1_ps(g->scores[i * SL_SPAN_POSITIONS + t]);
            EACH_VECTOR {
                __m512 x = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(masks[j], v + 16 * j));
                sums[i][j] = _mm512_fmadd_ps(p, x, sums[i][j]);
            }
        }
        EACH_VECTOR _mm512_mask_storeu_ps(g->outputs[i] + d + 16 * j, masks[j], sums[i][j]);
    }
}

/// All elements of one query's output behind the first `d`.
static void sum_rest(const struct sl_attention_group *g, int64_t query, int64_t d)
{
    struct sl_attention_group one = *g;
    one.query_count = 1;
    one.counts[0] = g->counts[query];
    one.scores = g->scores + query * SL_SPAN_POSITIONS;
    one.outputs[0] = g->outputs[query];
    for (; d < g->head_size; d += 16) sum_values(1, 1, &one, d, lanes(g->head_size - d));
}

void sl_avx512_attention_values(const struct sl_attention_group *g)
{
    int64_t d = 0;
    // More queries than six leave no registers for four vectors each.
    if (g->query_count <= 6) {
        for (; d + 64 <= g->head_size; d += 64) {
            switch (g->query_count) { UP_TO_SIX_QUERIES(sum_values(queries, 4, g, d, 0xffff)) }
        }
    }
    for (; d + 32 <= g->head_size; d += 32) QUERIES_SWITCH(g->query_count, sum_values(queries, 2, g, d, 0xffff))
    for (int64_t i = 0; i < g->query_count && d < g->head_size; i++) sum_rest(g, i, d);
}
#pragma clang attribute pop
#endif
