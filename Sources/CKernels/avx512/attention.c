#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"

#include "functions.h"

#define EACH_QUERY _Pragma("clang loop unroll(full)") for (int i = 0; i < queries; i++)
#define QUERIES_CASE(n, call) \
    case n: { enum { queries = n }; call; break; }
#define QUERIES_SWITCH(count, call) \
    switch (count) { \
        QUERIES_CASE(1, call) QUERIES_CASE(2, call) QUERIES_CASE(3, call) QUERIES_CASE(4, call) \
        QUERIES_CASE(5, call) QUERIES_CASE(6, call) QUERIES_CASE(7, call) QUERIES_CASE(8, call) \
        QUERIES_CASE(9, call) QUERIES_CASE(10, call) QUERIES_CASE(11, call) QUERIES_CASE(12, call) \
    }

SL_INLINE __m512 load_half(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

/// Scores of one block's 32 positions: lanes are positions, one chain over d each.
SL_INLINE void score_block(const int queries, const struct sl_attention_group *g, int64_t block)
{
    __m512 s0[SL_QUERY_GROUP], s1[SL_QUERY_GROUP];
    EACH_QUERY s0[i] = s1[i] = _mm512_setzero_ps();
    const float *q = g->queries;
    const uint16_t *k = g->keys[block], *next = g->keys[block + SL_KV_FETCH_AHEAD];
    for (int64_t d = 0; d < g->head_size; d++, q += SL_QUERY_GROUP, k += SL_KV_POSITIONS, next += SL_KV_POSITIONS) {
        __builtin_prefetch(next, 0, 2); // to the second level: the first has few misses in flight
        __m512 k0 = load_half(k), k1 = load_half(k + 16);
        EACH_QUERY {
            __m512 x = _mm512_set1_ps(q[i]);
            s0[i] = _mm512_fmadd_ps(x, k0, s0[i]);
            s1[i] = _mm512_fmadd_ps(x, k1, s1[i]);
        }
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
    int64_t count = g->counts[g->query_count - 1];
    for (int64_t block = 0; block * SL_KV_POSITIONS < count; block++) {
        QUERIES_SWITCH(g->query_count, score_block(queries, g, block))
    }
}

void sl_avx512_attention_softmax(float *scores, int64_t count, float *max, float *sum)
{
    const __m512 least = _mm512_set1_ps(-__builtin_inff());
    __m512 largest = least, total = _mm512_setzero_ps();
    for (int64_t t = 0; t < count; t += 16) {
        largest = _mm512_max_ps(_mm512_mask_loadu_ps(least, lanes(count - t), scores + t), largest);
    }
    *max = largest16(largest);
    __m512 top = _mm512_set1_ps(*max);
    for (int64_t t = 0; t < count; t += 16) {
        __mmask16 mask = lanes(count - t);
        __m512 p = exp16(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, scores + t), top));
        _mm512_mask_storeu_ps(scores + t, mask, p);
        total = _mm512_mask_add_ps(total, mask, total, p);
    }
    *sum = tree16(total);
}

/// Elements [d, d + 32) of the outputs, `mask0` and `mask1` of them: lanes are elements, one chain over positions each.
SL_INLINE void sum_values(const int queries, const struct sl_attention_group *g, int64_t d, __mmask16 mask0,
    __mmask16 mask1)
{
    __m512 o0[SL_QUERY_GROUP], o1[SL_QUERY_GROUP];
    EACH_QUERY o0[i] = o1[i] = _mm512_setzero_ps();
    int64_t shared = g->counts[0];
    for (int64_t first = 0; first < shared; first += SL_KV_POSITIONS) {
        const uint16_t *v = g->values[first / SL_KV_POSITIONS] + d;
        const uint16_t *next = g->values[first / SL_KV_POSITIONS + SL_KV_FETCH_AHEAD] + d;
        int64_t last = shared < first + SL_KV_POSITIONS ? shared : first + SL_KV_POSITIONS;
        for (int64_t t = first; t < last; t++, v += g->head_size, next += g->head_size) {
            __builtin_prefetch(next, 0, 2); // to the second level: the first has few misses in flight
            __m512 v0 = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask0, v));
            __m512 v1 = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask1, v + 16));
            EACH_QUERY {
                __m512 p = _mm512_set1_ps(g->scores[i * SL_SPAN_POSITIONS + t]);
                o0[i] = _mm512_fmadd_ps(p, v0, o0[i]);
                o1[i] = _mm512_fmadd_ps(p, v1, o1[i]);
            }
        }
    }
    EACH_QUERY { // the positions that not every query sees
        for (int64_t t = shared; t < g->counts[i]; t++) {
            const uint16_t *v = g->values[t / SL_KV_POSITIONS] + t % SL_KV_POSITIONS * g->head_size + d;
            __m512 p = _mm512_set1_ps(g->scores[i * SL_SPAN_POSITIONS + t]);
            o0[i] = _mm512_fmadd_ps(p, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask0, v)), o0[i]);
            o1[i] = _mm512_fmadd_ps(p, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask1, v + 16)), o1[i]);
        }
        _mm512_mask_storeu_ps(g->outputs[i] + d, mask0, o0[i]);
        _mm512_mask_storeu_ps(g->outputs[i] + d + 16, mask1, o1[i]);
    }
}

void sl_avx512_attention_values(const struct sl_attention_group *g)
{
    int64_t d = 0;
    for (; d + 32 <= g->head_size; d += 32) {
        QUERIES_SWITCH(g->query_count, sum_values(queries, g, d, 0xffff, 0xffff))
    }
    if (d == g->head_size) return;
    __mmask16 mask0 = lanes(g->head_size - d), mask1 = g->head_size - d > 16 ? lanes(g->head_size - d - 16) : 0;
    for (int64_t i = 0; i < g->query_count; i++) {
        struct sl_attention_group one = *g;
        one.query_count = 1;
        one.counts[0] = g->counts[i];
        one.scores = g->scores + i * SL_SPAN_POSITIONS;
        one.outputs[0] = g->outputs[i];
        sum_values(1, &one, d, mask0, mask1);
    }
}
#pragma clang attribute pop
#endif
