// Attention: its kernels over groups of queries, and all of it over the blocks of a sequence.
#include <string.h>

#include "check.h"

/// A group with its buffers. Positions behind the longest count hold what is not a number.
static struct sl_attention_group make_group(struct check *c, int64_t query_count, int64_t head_size, int64_t longest)
{
    struct sl_attention_group g = {.query_count = query_count, .head_size = head_size,
        .scale = check_uniform(c, 0.05f, 0.5f)};
    int64_t multiples = (query_count + SL_QUERY_MULTIPLE - 1) / SL_QUERY_MULTIPLE;
    g.query_stride = check_between(c, multiples, SL_QUERY_GROUP / SL_QUERY_MULTIPLE) * SL_QUERY_MULTIPLE;
    int64_t most_behind = check_between(c, 0, longest - 1);
    int64_t block_count = (longest + SL_KV_POSITIONS - 1) / SL_KV_POSITIONS;
    g.queries = check_floats(c, CHECK_VALUES_SMALL, head_size * g.query_stride);
    for (int64_t i = query_count - 1, count = longest; i >= 0; i--) { // ascending to the longest
        g.counts[i] = count;
        if (check_between(c, 0, 2) == 0) count = check_between(c, longest - most_behind, count);
    }
    for (int64_t b = 0; b < block_count; b++) {
        uint16_t *keys = check_bytes(c, 2 * head_size * SL_KV_POSITIONS);
        uint16_t *values = check_bytes(c, 2 * head_size * SL_KV_POSITIONS);
        check_fill_halves(c, keys, head_size * SL_KV_POSITIONS);
        check_fill_halves(c, values, head_size * SL_KV_POSITIONS);
        int64_t filled = longest - b * SL_KV_POSITIONS;
        for (int64_t t = filled; t < SL_KV_POSITIONS; t++) {
            for (int64_t d = 0; d < head_size; d++) keys[d * SL_KV_POSITIONS + t] = 0xffff;
            memset(values + t * head_size, 0xff, (size_t)(2 * head_size));
        }
        g.keys[b] = g.values_ahead[b] = keys;
        g.values[b] = g.keys_ahead[b] = values;
    }
    return g;
}

/// The blocks of all positions, in a few calls.
static void run_blocks(struct check *c, struct sl_attention_group *g, void (*kernel)(const struct sl_attention_group *))
{
    int64_t block_count = (g->counts[g->query_count - 1] + SL_KV_POSITIONS - 1) / SL_KV_POSITIONS;
    for (g->block_begin = 0; g->block_begin < block_count; g->block_begin = g->block_end) {
        g->block_end = check_between(c, g->block_begin + 1, block_count);
        kernel(g);
    }
}

static void run_scores(struct check *c, int64_t query_count, int64_t head_size, int64_t longest)
{
    if (!check_begin(c, "queries=%lld head=%lld positions=%lld", (long long)query_count, (long long)head_size,
            (long long)longest)) {
        return;
    }
    struct sl_attention_group g = make_group(c, query_count, head_size, longest);
    g.scores = check_bytes(c, 4 * query_count * SL_SPAN_POSITIONS);
    run_blocks(c, &g, c->kernels->attention_scores);
    for (int64_t i = 0; i < query_count; i++) check_hash_floats(c, g.scores + i * SL_SPAN_POSITIONS, g.counts[i]);
    check_end(c);
}

static void run_values(struct check *c, int64_t query_count, int64_t head_size, int64_t longest)
{
    if (!check_begin(c, "queries=%lld head=%lld positions=%lld", (long long)query_count, (long long)head_size,
            (long long)longest)) {
        return;
    }
    struct sl_attention_group g = make_group(c, query_count, head_size, longest);
    g.scores = check_floats(c, CHECK_VALUES_POSITIVE, query_count * SL_SPAN_POSITIONS);
    for (int64_t i = 0; i < query_count; i++) {
        float *scores = g.scores + i * SL_SPAN_POSITIONS;
        for (int64_t t = g.counts[i]; t < SL_SPAN_POSITIONS; t++) scores[t] = __builtin_nanf("");
        g.outputs[i] = check_bytes(c, 4 * head_size);
    }
    run_blocks(c, &g, c->kernels->attention_values);
    for (int64_t i = 0; i < query_count; i++) check_hash_floats(c, g.outputs[i], head_size);
    check_end(c);
}

/// Every pair of a query count and a head size, and every pair of a query count and a position count.
static void run_groups(struct check *c, void (*run)(struct check *c, int64_t queries, int64_t head, int64_t longest))
{
    for (int64_t queries = 1; queries <= SL_QUERY_GROUP; queries++) {
        for (int64_t head = 1; head <= 160; head++) run(c, queries, head, 1 + head * queries * 37 % SL_SPAN_POSITIONS);
        for (int64_t longest = 1; longest <= SL_SPAN_POSITIONS; longest++) {
            run(c, queries, 1 + longest * queries * 29 % 80, longest);
        }
    }
}

void check_attention_scores(struct check *c) { run_groups(c, run_scores); }
void check_attention_values(struct check *c) { run_groups(c, run_values); }

void check_attention_softmax(struct check *c)
{
    for (int64_t count = 1; count <= SL_SPAN_POSITIONS; count++) {
        for (int values = 0; values < CHECK_VALUES_COUNT; values++) {
            if (!check_begin(c, "count=%lld values=%d", (long long)count, values)) continue;
            float *scores = check_floats(c, (enum check_values)values, count), max, sum;
            c->kernels->attention_softmax(scores, count, &max, &sum);
            max += 0.0f; // which zero it is depends on the order of comparing, and nothing depends on it
            check_hash_floats(c, &max, 1);
            check_hash_floats(c, &sum, 1);
            check_hash_floats(c, scores, count);
            check_end(c);
        }
    }
}

struct sequence_shape {
    int64_t heads; // of queries, for each of keys
    int64_t kv_heads;
    int64_t head_size;
    int64_t first_position;
    int64_t rows;
};

/// Stores all positions' keys and values; what is behind them in the last block is not a number.
static void store_positions(struct check *c, const struct sequence_shape *s, void **blocks)
{
    int64_t block_bytes = 2 * 2 * s->kv_heads * s->head_size * SL_KV_POSITIONS, width = s->kv_heads * s->head_size;
    int64_t position_count = s->first_position + s->rows;
    float *keys = check_bytes(c, 4 * width), *values = check_bytes(c, 4 * width);
    for (int64_t position = 0; position < position_count; position++) {
        void **block = blocks + position / SL_KV_POSITIONS;
        if (position % SL_KV_POSITIONS == 0) memset(*block = check_bytes(c, block_bytes), 0xff, (size_t)block_bytes);
        check_fill(c, CHECK_VALUES_SMALL, keys, width);
        check_fill(c, CHECK_VALUES_SMALL, values, width);
        sl_attention_store(c->kernels, s->kv_heads, s->head_size, keys, values, *block, position);
    }
}

/// All rows at once, and the last one by itself in two ways: all give the same bits.
static void run_sequence(struct check *c, const struct sequence_shape *s)
{
    int64_t head_count = s->heads * s->kv_heads, width = head_count * s->head_size;
    int64_t stride = width + check_between(c, 0, 3);
    int64_t row_floats = (s->rows - 1) * stride + width, partial_floats = sl_attention_partial_floats(s->head_size);
    int64_t position_count = s->first_position + s->rows;
    int64_t span_count = (position_count + SL_SPAN_POSITIONS - 1) / SL_SPAN_POSITIONS;
    void **blocks = check_bytes(c, (position_count + SL_KV_POSITIONS - 1) / SL_KV_POSITIONS * (int64_t)sizeof *blocks);
    struct sl_attention a = {.kernels = c->kernels, .head_count = head_count, .kv_head_count = s->kv_heads,
        .head_size = s->head_size, .scale = 0.25f, .query_stride = stride, .blocks = blocks,
        .first_position = s->first_position, .output_stride = stride};
    a.queries = check_floats(c, CHECK_VALUES_SMALL, row_floats);
    a.output = check_bytes(c, 4 * row_floats);
    store_positions(c, s, blocks);
    for (int64_t head = 0; head < s->kv_heads; head++) sl_attention_rows(&a, head, 0, s->rows);
    check_hash_floats(c, a.output, row_floats);
    // The last row by itself: all at once, and cut into heads and spans.
    float *last = a.output + (s->rows - 1) * stride, *expected = check_bytes(c, 4 * width);
    memcpy(expected, last, (size_t)(4 * width));
    memset(last, 0, (size_t)(4 * width));
    int64_t cut_head = check_between(c, 0, s->kv_heads), cut_span = check_between(c, 0, span_count);
    sl_attention_row(&a, 0, cut_head, s->rows - 1, 0, span_count, 0, 0);
    sl_attention_row(&a, cut_head, s->kv_heads, s->rows - 1, 0, span_count, 0, 0);
    check_same_bytes(c, last, expected, 4 * width);
    memset(last, 0, (size_t)(4 * width));
    float *partials = check_bytes(c, 4 * span_count * head_count * partial_floats);
    for (int64_t part = 0; part < 4; part++) {
        int64_t head_begin = part & 1 ? cut_head : 0, head_end = part & 1 ? s->kv_heads : cut_head;
        int64_t span_begin = part & 2 ? cut_span : 0, span_end = part & 2 ? span_count : cut_span;
        sl_attention_row(&a, head_begin, head_end, s->rows - 1, span_begin, span_end, partials, partial_floats);
    }
    for (int64_t head = 0; head < head_count; head++) {
        sl_attention_join(&a, head, s->rows - 1, partials + head * partial_floats, head_count * partial_floats,
            span_count);
    }
    check_same_bytes(c, last, expected, 4 * width);
}

void check_attention(struct check *c)
{
    struct check shapes = {.random = c->options->seed};
    for (int64_t i = 0; i < 160; i++) {
        struct sequence_shape s = {check_between(&shapes, 1, i % 8 ? 14 : 70), check_between(&shapes, 1, i % 5 ? 3 : 9),
            check_between(&shapes, 1, 100), check_between(&shapes, 0, i % 4 ? 90 : 700), check_between(&shapes, 1, 50)};
        if (!check_begin(c, "heads=%lld of %lld head=%lld first=%lld rows=%lld", (long long)(s.heads * s.kv_heads),
                (long long)s.kv_heads, (long long)s.head_size, (long long)s.first_position, (long long)s.rows)) {
            continue;
        }
        run_sequence(c, &s);
        check_end(c);
    }
}
