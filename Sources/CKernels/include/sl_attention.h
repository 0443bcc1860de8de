// Causal attention of rows of one sequence over its paged KV, put together from the kernels of one instruction set.
#pragma once

#include "sl_kernels.h"

struct sl_attention {
    const struct sl_kernels *kernels;
    int64_t head_count;
    int64_t kv_head_count;
    int64_t head_size;
    float scale;
    const float *queries;       // [row][head][d], rows `query_stride` apart
    int64_t query_stride;
    void *const *blocks;        // [position / 32]: this layer's keys, then values
    int64_t first_position;     // of row 0
    float *output;              // [row][head][d], rows `output_stride` apart
    int64_t output_stride;
};

/// Floats of one partial result: max, sum, and head_size sums.
int64_t sl_attention_partial_floats(int64_t head_size);

/// Rows [row_begin, row_end) and all query heads of one KV head, over all their positions; writes the output.
void sl_attention_rows(const struct sl_attention *a, int64_t kv_head, int64_t row_begin, int64_t row_end);

/// One row and the query heads of KV heads [kv_begin, kv_end). Without `partials` over all its spans, which
/// [span_begin, span_end) must be: writes the output. With them over those spans: writes a partial result for each span
/// and query head to partials[(span * head_count + head) * partial_stride ...].
void sl_attention_row(const struct sl_attention *a, int64_t kv_begin, int64_t kv_end, int64_t row, int64_t span_begin,
    int64_t span_end, float *partials, int64_t partial_stride);

/// Merges `span_count` partial results (`span_stride` floats apart) of one row and one query head, left to right,
/// and writes the output. Changes the first of them.
void sl_attention_join(const struct sl_attention *a, int64_t head, int64_t row, float *partials, int64_t span_stride,
    int64_t span_count);

/// Stores one row's keys and values, [kv head][d], at its position in its block.
void sl_attention_store(const struct sl_kernels *k, int64_t kv_head_count, int64_t head_size, const float *keys,
    const float *values, void *block, int64_t position);
