#include "../include/sl_attention.h"

#include <stdbool.h>

#include "../include/sl_functions.h"

/// Query heads whose scores of a span lie in the cache together.
enum { HEADS_AT_ONCE = 32 };
/// Groups of keys or values of one head between what is computed and what is fetched from memory meanwhile.
enum { FETCH_AHEAD = 2 };

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

static float *output_of(const struct sl_attention *a, int64_t head, int64_t row)
{
    return a->output + row * a->output_stride + head * a->head_size;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t sl_attention_partial_floats(int64_t head_size) { return head_size + 2; }

/// KV heads [begin, begin + count), read in turn within each block of a span's first `position_count` positions. The
/// sequence goes on to `sequence_count` positions, all of them in blocks.
struct span_order {
    int64_t begin;
    int64_t count;
    int64_t span;
    int64_t position_count;
    int64_t sequence_count;
};

static int64_t block_count(const struct span_order *o)
{
    return (o->position_count + SL_KV_POSITIONS - 1) / SL_KV_POSITIONS;
}

/// Sets the group's keys and values to those of a KV head in a span. All keys are read before the values; behind the
/// values come the next span's keys.
static void set_span(const struct sl_attention *a, struct sl_attention_group *g, const struct span_order *o,
    int64_t kv_head)
{
    int64_t first = o->span * SL_SPAN_BLOCKS, blocks = block_count(o), next = first + blocks;
    g->block_begin = 0;
    g->block_end = blocks;
    for (int64_t b = 0; b < blocks; b++) {
        g->keys[b] = keys_of(a, kv_head, first + b);
        g->values[b] = values_of(a, kv_head, first + b);
        int64_t ahead = b * o->count + kv_head - o->begin + FETCH_AHEAD, block = ahead / o->count;
        int64_t head = o->begin + ahead % o->count, behind = block - blocks;
        if (behind < 0) {
            g->keys_ahead[b] = keys_of(a, head, first + block);
            g->values_ahead[b] = values_of(a, head, first + block);
            continue;
        }
        g->keys_ahead[b] = values_of(a, head, first + least(behind, blocks - 1));
        bool is_there = (next + behind) * SL_KV_POSITIONS < o->sequence_count;
        g->values_ahead[b] = is_there ? keys_of(a, head, next + behind) : g->values[b];
    }
}

/// Replaces the group's scores; query i's maximum and sum go to maxima[i], sums[i].
static void run_softmax(const struct sl_kernels *k, const struct sl_attention_group *g, float *maxima, float *sums)
{
    for (int64_t i = 0; i < g->query_count; i++) {
        k->attention_softmax(g->scores + i * SL_SPAN_POSITIONS, g->counts[i], maxima + i, sums + i);
    }
}

/// What stands for neighbouring runs of positions, of several queries: maxima, sums, outputs not yet divided.
struct partials {
    float *maxima;
    float *sums;
    float **outputs;
};

/// Partial results and those of the positions behind them become those of both.
static void merge(const struct sl_kernels *k, int64_t count, int64_t head_size, const struct partials *into,
    const struct partials *next)
{
    float factors[2 * count];
    for (int64_t i = 0; i < count; i++) {
        float both = next->maxima[i] > into->maxima[i] ? next->maxima[i] : into->maxima[i];
        factors[2 * i] = into->maxima[i] - both;
        factors[2 * i + 1] = next->maxima[i] - both;
        into->maxima[i] = both;
    }
    k->exponentiate(factors, 2 * count, factors);
    for (int64_t i = 0; i < count; i++) {
        float a = factors[2 * i], b = factors[2 * i + 1];
        k->attention_merge(into->sums + i, a, next->sums + i, b, 1);
        k->attention_merge(into->outputs[i], a, next->outputs[i], b, head_size);
    }
}

// MARK: Several rows of one KV head

/// The queries of a group: (row, head) pairs of one KV head, positions ascending.
struct places {
    int64_t count;
    int64_t row[SL_QUERY_GROUP];
    int64_t head[SL_QUERY_GROUP];
};

/// Query vectors side by side, [d][stride], from the `first` place on.
static void gather_queries(const struct sl_attention *a, const struct places *places, int64_t first, int64_t stride,
    float *queries)
{
    for (int64_t i = first; i < places->count; i++) {
        const float *query = query_of(a, places->head[i], places->row[i]);
        for (int64_t d = 0; d < a->head_size; d++) queries[d * stride + i - first] = query[d];
    }
}

static void run_places(const struct sl_attention *a, int64_t kv_head, const struct places *places)
{
    _Alignas(64) float scores[SL_QUERY_GROUP * SL_SPAN_POSITIONS], queries[SL_QUERY_GROUP * a->head_size];
    float next[SL_QUERY_GROUP * a->head_size], maxima[SL_QUERY_GROUP], sums[SL_QUERY_GROUP];
    float next_maxima[SL_QUERY_GROUP], next_sums[SL_QUERY_GROUP], *outputs[SL_QUERY_GROUP], *nexts[SL_QUERY_GROUP];
    for (int64_t i = 0; i < places->count; i++) {
        outputs[i] = output_of(a, places->head[i], places->row[i]);
        nexts[i] = next + i * a->head_size;
    }
    int64_t first = 0, first_gathered = -1, position_count = a->first_position + places->row[places->count - 1] + 1;
    for (int64_t base = 0; base < position_count; base += SL_SPAN_POSITIONS) {
        while (a->first_position + places->row[first] < base) first++; // queries that ended in an earlier span
        if (first != first_gathered) gather_queries(a, places, first, SL_QUERY_GROUP, queries);
        first_gathered = first;
        struct sl_attention_group g = {.query_count = places->count - first, .head_size = a->head_size,
            .scale = a->scale, .queries = queries, .query_stride = SL_QUERY_GROUP, .scores = scores};
        for (int64_t i = first; i < places->count; i++) {
            g.counts[i - first] = least(a->first_position + places->row[i] + 1 - base, SL_SPAN_POSITIONS);
            g.outputs[i - first] = base > 0 ? nexts[i] : outputs[i];
        }
        struct span_order order = {.begin = kv_head, .count = 1, .span = base / SL_SPAN_POSITIONS,
            .position_count = g.counts[g.query_count - 1], .sequence_count = position_count};
        set_span(a, &g, &order, kv_head);
        a->kernels->attention_scores(&g);
        run_softmax(a->kernels, &g, base > 0 ? next_maxima + first : maxima, base > 0 ? next_sums + first : sums);
        a->kernels->attention_values(&g);
        if (base == 0) continue;
        struct partials into = {maxima + first, sums + first, outputs + first};
        struct partials behind = {next_maxima + first, next_sums + first, nexts + first};
        merge(a->kernels, g.query_count, a->head_size, &into, &behind);
    }
    for (int64_t i = 0; i < places->count; i++) a->kernels->divide(outputs[i], sums[i], a->head_size, outputs[i]);
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

// MARK: One row of several KV heads

/// The groups of one row's query heads, in order of heads, and one span's scores of theirs. Blocks are read from
/// beginning to end, all heads of one before the next, as memory is read fastest.
struct row_groups {
    int64_t count;
    int64_t head_begin;
    int64_t head_count;
    struct sl_attention_group *groups;
    int64_t *kv_heads; // of each group
};

/// `outputs` and what is behind them: of head_begin and the heads after it.
static void run_row_span(const struct sl_attention *a, const struct row_groups *row, const struct span_order *order,
    const struct partials *to)
{
    int64_t first_head = 0, blocks = block_count(order);
    for (int64_t i = 0; i < row->count; i++) {
        struct sl_attention_group *g = row->groups + i;
        set_span(a, g, order, row->kv_heads[i]);
        for (int64_t q = 0; q < g->query_count; q++) {
            g->counts[q] = order->position_count;
            g->outputs[q] = to->outputs[first_head + q];
        }
        first_head += g->query_count;
    }
    for (int64_t block = 0; block < blocks; block++) {
        for (int64_t i = 0; i < row->count; i++) {
            row->groups[i].block_begin = block;
            row->groups[i].block_end = block + 1;
            a->kernels->attention_scores(row->groups + i);
        }
    }
    first_head = 0;
    for (int64_t i = 0; i < row->count; i++) {
        run_softmax(a->kernels, row->groups + i, to->maxima + first_head, to->sums + first_head);
        first_head += row->groups[i].query_count;
    }
    for (int64_t block = 0; block < blocks; block++) {
        for (int64_t i = 0; i < row->count; i++) {
            row->groups[i].block_begin = block;
            row->groups[i].block_end = block + 1;
            a->kernels->attention_values(row->groups + i);
        }
    }
}

/// All spans of [span_begin, span_end), merged into the output, or each for itself into `partials`.
static void run_row_spans(const struct sl_attention *a, const struct row_groups *row, struct span_order order,
    int64_t row_number, int64_t span_begin, int64_t span_end, float *partials, int64_t partial_stride)
{
    int64_t count = row->head_count;
    float next[count * a->head_size], maxima[count], sums[count], next_maxima[count], next_sums[count];
    float *outputs[count], *nexts[count];
    struct partials into = {maxima, sums, outputs}, behind = {next_maxima, next_sums, nexts};
    for (int64_t i = 0; i < count; i++) {
        outputs[i] = output_of(a, row->head_begin + i, row_number);
        nexts[i] = next + i * a->head_size;
    }
    for (order.span = span_begin; order.span < span_end; order.span++) {
        order.position_count = least(order.sequence_count - order.span * SL_SPAN_POSITIONS, SL_SPAN_POSITIONS);
        float *to = partials ? partials + (order.span * a->head_count + row->head_begin) * partial_stride : 0;
        for (int64_t i = 0; i < count && to; i++) nexts[i] = to + i * partial_stride + 2;
        bool is_first = !to && order.span == span_begin;
        run_row_span(a, row, &order, is_first ? &into : &behind);
        if (!to && !is_first) merge(a->kernels, count, a->head_size, &into, &behind);
        for (int64_t i = 0; i < count && to; i++) {
            to[i * partial_stride] = next_maxima[i];
            to[i * partial_stride + 1] = next_sums[i];
        }
    }
    for (int64_t i = 0; i < count && !partials; i++) {
        a->kernels->divide(outputs[i], sums[i], a->head_size, outputs[i]);
    }
}

static int64_t padded(int64_t query_count)
{
    return (query_count + SL_QUERY_MULTIPLE - 1) / SL_QUERY_MULTIPLE * SL_QUERY_MULTIPLE;
}

/// As sl_attention_row, of query heads [head_begin, head_end): at most HEADS_AT_ONCE.
static void run_row_heads(const struct sl_attention *a, int64_t head_begin, int64_t head_end, int64_t row,
    int64_t span_begin, int64_t span_end, float *partials, int64_t partial_stride)
{
    int64_t heads = a->head_count / a->kv_head_count, count = head_end - head_begin, query_count = 0, query_end = 0;
    struct sl_attention_group groups[HEADS_AT_ONCE];
    int64_t kv_heads[HEADS_AT_ONCE];
    struct row_groups all = {.head_begin = head_begin, .head_count = count, .groups = groups, .kv_heads = kv_heads};
    for (int64_t head = head_begin; head < head_end; head += groups[all.count++].query_count) {
        int64_t left = least(heads - head % heads, head_end - head);
        kv_heads[all.count] = head / heads;
        groups[all.count] = (struct sl_attention_group){.query_count = least(left, SL_QUERY_GROUP),
            .head_size = a->head_size, .scale = a->scale};
        query_count += padded(groups[all.count].query_count);
    }
    _Alignas(64) float scores[count * SL_SPAN_POSITIONS];
    _Alignas(64) float queries[query_count * a->head_size];
    for (int64_t i = 0, head = head_begin; i < all.count; head += groups[i++].query_count) {
        struct places places = {.count = groups[i].query_count};
        for (int64_t j = 0; j < places.count; j++) {
            places.row[j] = row;
            places.head[j] = head + j;
        }
        groups[i].query_stride = padded(places.count);
        groups[i].scores = scores + (head - head_begin) * SL_SPAN_POSITIONS;
        groups[i].queries = queries + query_end * a->head_size;
        gather_queries(a, &places, 0, groups[i].query_stride, queries + query_end * a->head_size);
        query_end += groups[i].query_stride;
    }
    struct span_order order = {.begin = kv_heads[0], .count = kv_heads[all.count - 1] + 1 - kv_heads[0],
        .sequence_count = a->first_position + row + 1};
    run_row_spans(a, &all, order, row, span_begin, span_end, partials, partial_stride);
}

void sl_attention_row(const struct sl_attention *a, int64_t kv_begin, int64_t kv_end, int64_t row, int64_t span_begin,
    int64_t span_end, float *partials, int64_t partial_stride)
{
    int64_t heads = a->head_count / a->kv_head_count, end = kv_end * heads;
    // Whole KV heads, or parts of one in whole groups.
    int64_t at_once = heads <= HEADS_AT_ONCE ? HEADS_AT_ONCE / heads * heads
                                             : HEADS_AT_ONCE / SL_QUERY_GROUP * SL_QUERY_GROUP;
    for (int64_t head = kv_begin * heads; head < end;) {
        int64_t next = heads <= HEADS_AT_ONCE ? head + at_once : least(head + at_once, (head / heads + 1) * heads);
        run_row_heads(a, head, least(next, end), row, span_begin, span_end, partials, partial_stride);
        head = least(next, end);
    }
}

void sl_attention_join(const struct sl_attention *a, int64_t head, int64_t row, float *partials, int64_t span_stride,
    int64_t span_count)
{
    float *output = partials + 2;
    for (int64_t span = 1; span < span_count; span++) {
        float *next = partials + span * span_stride, *next_output = next + 2;
        struct partials into = {partials, partials + 1, &output}, behind = {next, next + 1, &next_output};
        merge(a->kernels, 1, a->head_size, &into, &behind);
    }
    a->kernels->divide(output, partials[1], a->head_size, output_of(a, head, row));
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
