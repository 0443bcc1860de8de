#include "../include/sl_attention.h"

#include "../include/sl_functions.h"

static const uint16_t *keys_of(const struct sl_attention *a, int64_t kv_head, int64_t block)
{
    return (const uint16_t *)a->blocks[block] + kv_head * a->head_size * SL_KV_POSITIONS;
}

static const uint16_t *values_of(const struct sl_attention *a, int64_t kv_head, int64_t block)
{
    return keys_of(a, a->kv_head_count + kv_head, block);
}

static const float *query_of(const struct sl_attention *a, int64_t head, int64_t row)
{
    return a->queries + row * a->query_stride + head * a->head_size;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t sl_attention_partial_floats(int64_t head_size) { return head_size + 2; }

/// Sets the group's keys and values to those of a span's first `count` positions. The sequence goes on to
/// `position_count` positions, all of them in blocks.
static void set_span(const struct sl_attention *a, struct sl_attention_group *g, int64_t kv_head, int64_t span,
    int64_t count, int64_t position_count)
{
    int64_t first = span * (SL_SPAN_POSITIONS / SL_KV_POSITIONS);
    int64_t block_count = (count + SL_KV_POSITIONS - 1) / SL_KV_POSITIONS;
    for (int64_t b = 0; b < block_count; b++) {
        g->keys[b] = keys_of(a, kv_head, first + b);
        g->values[b] = values_of(a, kv_head, first + b);
    }
    for (int64_t i = 0; i < SL_KV_FETCH_AHEAD; i++) {
        int64_t next = first + block_count + i;
        g->keys[block_count + i] = g->values[least(i, block_count - 1)];
        g->values[block_count + i] = next * SL_KV_POSITIONS < position_count ? keys_of(a, kv_head, next) : g->keys[0];
    }
}

/// Computes the group's span. Query i's maximum and sum go to maxima[i], sums[i].
static void run_span(const struct sl_attention *a, struct sl_attention_group *g, float *maxima, float *sums)
{
    a->kernels->attention_scores(g);
    for (int64_t i = 0; i < g->query_count; i++) {
        a->kernels->attention_softmax(g->scores + i * SL_SPAN_POSITIONS, g->counts[i], maxima + i, sums + i);
    }
    a->kernels->attention_values(g);
}

/// (max, sum, outputs) of two neighbouring runs of positions become those of both.
static void merge(const struct sl_kernels *k, int64_t head_size, float *max, float *sum, float *output,
    float next_max, float next_sum, const float *next_output)
{
    float both = next_max > *max ? next_max : *max;
    float a = sl_exp(*max - both), b = sl_exp(next_max - both);
    *max = both;
    k->attention_merge(sum, a, &next_sum, b, 1);
    k->attention_merge(output, a, next_output, b, head_size);
}

/// The queries of a group: (row, head) pairs of one KV head, positions ascending.
struct places {
    int64_t count;
    int64_t row[SL_QUERY_GROUP];
    int64_t head[SL_QUERY_GROUP];
};

/// Query vectors side by side, [d][SL_QUERY_GROUP], from the `first` place on.
static void gather_queries(const struct sl_attention *a, const struct places *places, int64_t first, float *queries)
{
    for (int64_t i = first; i < places->count; i++) {
        const float *query = query_of(a, places->head[i], places->row[i]);
        for (int64_t d = 0; d < a->head_size; d++) queries[d * SL_QUERY_GROUP + i - first] = query[d];
    }
}

static float *output_of(const struct sl_attention *a, const struct places *places, int64_t i)
{
    return a->output + places->row[i] * a->output_stride + places->head[i] * a->head_size;
}

static void run_places(const struct sl_attention *a, int64_t kv_head, const struct places *places)
{
    _Alignas(64) float scores[SL_QUERY_GROUP * SL_SPAN_POSITIONS], queries[SL_QUERY_GROUP * a->head_size];
    float next[SL_QUERY_GROUP * a->head_size], maxima[SL_QUERY_GROUP], sums[SL_QUERY_GROUP];
    float next_maxima[SL_QUERY_GROUP], next_sums[SL_QUERY_GROUP];
    int64_t first = 0, first_gathered = -1, position_count = a->first_position + places->row[places->count - 1] + 1;
    for (int64_t base = 0; base < position_count; base += SL_SPAN_POSITIONS) {
        while (a->first_position + places->row[first] < base) first++; // queries that ended in an earlier span
        if (first != first_gathered) gather_queries(a, places, first, queries);
        first_gathered = first;
        struct sl_attention_group g = {.query_count = places->count - first, .head_size = a->head_size,
            .scale = a->scale, .queries = queries, .scores = scores};
        for (int64_t i = first; i < places->count; i++) {
            g.counts[i - first] = least(a->first_position + places->row[i] + 1 - base, SL_SPAN_POSITIONS);
            g.outputs[i - first] = base > 0 ? next + i * a->head_size : output_of(a, places, i);
        }
        set_span(a, &g, kv_head, base / SL_SPAN_POSITIONS, g.counts[g.query_count - 1], position_count);
        run_span(a, &g, base > 0 ? next_maxima + first : maxima, base > 0 ? next_sums + first : sums);
        for (int64_t i = first; i < places->count && base > 0; i++) {
            merge(a->kernels, a->head_size, maxima + i, sums + i, output_of(a, places, i), next_maxima[i],
                next_sums[i], next + i * a->head_size);
        }
    }
    for (int64_t i = 0; i < places->count; i++) {
        a->kernels->divide(output_of(a, places, i), sums[i], a->head_size, output_of(a, places, i));
    }
}

void sl_attention_rows(const struct sl_attention *a, int64_t kv_head, int64_t row_begin, int64_t row_end)
{
    int64_t heads = a->head_count / a->kv_head_count;
    // Groups of about equal size, whole rows of heads where they fit.
    int64_t total = (row_end - row_begin) * heads;
    int64_t per_group = heads <= SL_QUERY_GROUP ? SL_QUERY_GROUP / heads * heads : SL_QUERY_GROUP;
    for (int64_t first = 0; first < total; first += per_group) {
        struct places places = {.count = least(per_group, total - first)};
        for (int64_t i = 0; i < places.count; i++) {
            places.row[i] = row_begin + (first + i) / heads;
            places.head[i] = kv_head * heads + (first + i) % heads;
        }
        run_places(a, kv_head, &places);
    }
}

void sl_attention_span(const struct sl_attention *a, int64_t kv_head, int64_t row, int64_t span, float *partials,
    int64_t partial_stride)
{
    _Alignas(64) float scores[SL_QUERY_GROUP * SL_SPAN_POSITIONS], queries[SL_QUERY_GROUP * a->head_size];
    float maxima[SL_QUERY_GROUP], sums[SL_QUERY_GROUP];
    int64_t heads = a->head_count / a->kv_head_count;
    int64_t seen = least(a->first_position + row + 1 - span * SL_SPAN_POSITIONS, SL_SPAN_POSITIONS);
    for (int64_t first = 0; first < heads; first += SL_QUERY_GROUP) {
        struct places places = {.count = least(heads - first, SL_QUERY_GROUP)};
        struct sl_attention_group g = {.query_count = places.count, .head_size = a->head_size, .scale = a->scale,
            .queries = queries, .scores = scores};
        for (int64_t i = 0; i < g.query_count; i++) {
            places.row[i] = row;
            places.head[i] = kv_head * heads + first + i;
            g.counts[i] = seen;
            g.outputs[i] = partials + (first + i) * partial_stride + 2;
        }
        gather_queries(a, &places, 0, queries);
        set_span(a, &g, kv_head, span, seen, a->first_position + row + 1);
        run_span(a, &g, maxima, sums);
        for (int64_t i = 0; i < g.query_count; i++) {
            partials[(first + i) * partial_stride] = maxima[i];
            partials[(first + i) * partial_stride + 1] = sums[i];
        }
    }
}

void sl_attention_join(const struct sl_attention *a, int64_t head, int64_t row, float *partials, int64_t span_stride,
    int64_t span_count)
{
    for (int64_t span = 1; span < span_count; span++) {
        float *next = partials + span * span_stride;
        merge(a->kernels, a->head_size, partials, partials + 1, partials + 2, next[0], next[1], next + 2);
    }
    a->kernels->divide(partials + 2, partials[1], a->head_size,
        a->output + row * a->output_stride + head * a->head_size);
}

void sl_attention_store(const struct sl_kernels *k, int64_t kv_head_count, int64_t head_size, const float *keys,
    const float *values, void *block, int64_t position)
{
    uint16_t *key_out = (uint16_t *)block + position % SL_KV_POSITIONS;
    int64_t value_row = kv_head_count * SL_KV_POSITIONS + position % SL_KV_POSITIONS;
    uint16_t *value_out = (uint16_t *)block + value_row * head_size;
    for (int64_t h = 0; h < kv_head_count; h++) {
        uint16_t converted[head_size];
        k->to_half(keys + h * head_size, head_size, converted);
        for (int64_t d = 0; d < head_size; d++) key_out[(h * head_size + d) * SL_KV_POSITIONS] = converted[d];
        k->to_half(values + h * head_size, head_size, value_out + h * SL_KV_POSITIONS * head_size);
    }
}
