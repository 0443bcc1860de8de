// Kernels with one meaning to the bit (docs/numerics.md), one table of function pointers per instruction set.
//
// All counts are in elements unless a name says bytes. No kernel checks its arguments: the Swift side does.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Rows of a weight panel; rows of a matrix are padded to a multiple of it.
#define SL_PANEL_ROWS 16
/// Panels that some paths multiply together, or a multiple of them: work is best divided at multiples of it.
#define SL_PANELS_TOGETHER 4
/// Columns of a quantised block, of weights and of activations.
#define SL_BLOCK_COLUMNS 32
/// Columns of a unit of the K formats: eight blocks under one header.
#define SL_UNIT_COLUMNS 256
/// Positions of a KV block.
#define SL_KV_POSITIONS 32
/// Absolute positions of an attention span: softmax partial results are formed per span and merged left to right.
#define SL_SPAN_POSITIONS 256
/// KV blocks of a span.
#define SL_SPAN_BLOCKS (SL_SPAN_POSITIONS / SL_KV_POSITIONS)
/// Query vectors that share one pass over keys and values.
#define SL_QUERY_GROUP 12
/// Query vectors lie side by side in multiples of it: so many a kernel may load at once.
#define SL_QUERY_MULTIPLE 4

enum sl_format {
    SL_FORMAT_F32,
    SL_FORMAT_F16,
    SL_FORMAT_BF16,
    SL_FORMAT_Q4_0,
    SL_FORMAT_Q4_1,
    SL_FORMAT_Q5_0,
    SL_FORMAT_Q5_1,
    SL_FORMAT_Q8_0,
    SL_FORMAT_IQ4_NL,
    SL_FORMAT_Q2_K,
    SL_FORMAT_Q3_K,
    SL_FORMAT_Q4_K,
    SL_FORMAT_Q5_K,
    SL_FORMAT_Q6_K,
    SL_FORMAT_COUNT
};

enum sl_isa {
    SL_ISA_SCALAR,
    SL_ISA_AVX2,
    SL_ISA_AVX_VNNI,
    SL_ISA_AVX512,
    SL_ISA_AVX512_VNNI,
    SL_ISA_AMX,
    SL_ISA_NEON,
    SL_ISA_COUNT
};

/// 32 activations, a cache line: x ~ d * (q - z) with an integer z.
struct sl_block {
    int8_t q[SL_BLOCK_COLUMNS]; // -127 ... 127
    float d;
    float b;                    // -z * d
    float a;                    // d * (sum of q - 32 z)
    int32_t bias;               // -128 * (sum of q)
    int32_t half_bias[2];       // -128 * (sum of q), of the first and the last 16
    float half_a[2];            // d * (sum of q - 16 z), likewise
};

/// Rows of activations in the forms that weights are multiplied with. Either pointer may be NULL when no
/// weight format needs the form.
struct sl_rows {
    int64_t columns;
    struct sl_block *blocks; // [row][columns / 32]
    int64_t block_stride;    // in blocks, between rows
    float *values;           // [row][columns]
    int64_t value_stride;    // in floats, between rows
};

/// Packed weights: panels of 16 rows, each panel all columns in order of k.
struct sl_matrix {
    int64_t rows;
    int64_t columns;
    const uint8_t *panels;
    int64_t panel_bytes;
};

/// Rows [row_begin, row_end) of the activations times panels [panel_begin, panel_end) of the weights.
/// output[row * output_stride + n]; `adds` adds the product to what stands there.
struct sl_multiplication {
    const struct sl_rows *rows;
    const struct sl_matrix *matrix;
    float *output;
    int64_t output_stride;
    int64_t row_begin;
    int64_t row_end;
    int64_t panel_begin;
    int64_t panel_end;
    int32_t adds;
};

typedef void sl_multiply_function(const struct sl_multiplication *m);

/// A group of query vectors against the positions of one span. Blocks hold f16: keys [d][32], values [32][d].
/// Scores behind a query's count are undefined afterwards; keys and values there are never used in a result.
struct sl_attention_group {
    int64_t query_count;                    // 1 ... SL_QUERY_GROUP
    int64_t head_size;
    float scale;
    const float *queries;                   // [d][query_stride]
    int64_t query_stride;                   // a multiple of SL_QUERY_MULTIPLE, at least query_count
    int64_t counts[SL_QUERY_GROUP];         // positions of the span that each query sees, 1 ... 256, ascending
    int64_t block_begin;                    // a call is about blocks [block_begin, block_end) of the span,
    int64_t block_end;                      // all of them seen by the last query
    const uint16_t *keys[SL_SPAN_BLOCKS];
    const uint16_t *values[SL_SPAN_BLOCKS];
    // What is fetched from memory while the block is computed: as many bytes of whatever is read a little later.
    const uint16_t *keys_ahead[SL_SPAN_BLOCKS];
    const uint16_t *values_ahead[SL_SPAN_BLOCKS];
    float *scores;                          // [query][256]
    float *outputs[SL_QUERY_GROUP];         // [d] each: sum of p * v, not yet divided
};

struct sl_kernels {
    const char *name;
    sl_multiply_function *multiply[SL_FORMAT_COUNT];

    /// `columns` is a multiple of 32.
    void (*quantize)(const float *x, int64_t columns, struct sl_block *blocks);
    /// 1 / sqrt(mean of squares + epsilon)
    float (*rms_scale)(const float *x, int64_t columns, float epsilon);
    /// y = (x * scale) * weight
    void (*scale_multiply)(const float *x, float scale, const float *weight, int64_t columns, float *y);
    /// y = gate / (1 + exp(-gate)) * up
    void (*silu_multiply)(const float *gate, const float *up, int64_t columns, float *y);
    /// x += y
    void (*add)(float *x, const float *y, int64_t columns);
    /// Pairs (x[2i], x[2i+1]) or, with `halves`, (x[i], x[i + pair_count]) turned by cos[i], sin[i].
    void (*rotate)(float *x, const float *cosines, const float *sines, int64_t pair_count, int32_t halves);
    void (*exponentiate)(const float *x, int64_t count, float *y);
    void (*to_half)(const float *x, int64_t count, uint16_t *y);
    void (*from_half)(const uint16_t *x, int64_t count, float *y);
    /// The largest value and the sum of exp(x - max); NaN both when any value is NaN or the largest is infinite.
    void (*max_exp_sum)(const float *x, int64_t count, float *max, float *sum);

    /// scores[query][t] = scale * (q . k_t) for all positions of the call's blocks.
    void (*attention_scores)(const struct sl_attention_group *g);
    /// Replaces `count` scores by exp(score - max) and gives the maximum and the sum.
    void (*attention_softmax)(float *scores, int64_t count, float *max, float *sum);
    /// outputs[query] = sum over its positions in the call's blocks of p * v, begun at what stands there unless
    /// block_begin is 0.
    void (*attention_values)(const struct sl_attention_group *g);
    /// x = x * a + y * b
    void (*attention_merge)(float *x, float a, const float *y, float b, int64_t count);
    /// y = x / by
    void (*divide)(const float *x, float by, int64_t count, float *y);
};

/// The multiplication for a format (Swift sees C arrays as tuples).
static inline sl_multiply_function *sl_kernels_multiply(const struct sl_kernels *k, enum sl_format format)
{
    return k->multiply[format];
}

/// NULL when this processor lacks the instructions.
const struct sl_kernels *sl_kernels_find(enum sl_isa isa);

/// The scalar kernels as processors without a fused multiply-add run them; for holding them against the others.
const struct sl_kernels *sl_kernels_without_fma(void);

/// Whether rounding is to nearest, denormals are kept and no exception traps, on the calling thread.
int32_t sl_float_environment_is_default(void);
void sl_float_environment_set_default(void);
