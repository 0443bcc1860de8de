// The oracle: every kernel written as docs/numerics.md says it, one value at a time. Included once for processors with
// a fused multiply-add and once for those without (there the C library rounds it correctly, slowly); the bits are one.
// The including file defines SL_NAME(x), SL_TITLE and the target region, and includes values.h inside it.

// MARK: Activations

static void SL_NAME(quantize)(const float *x, int64_t columns, struct sl_block *blocks)
{
    for (int64_t i = 0; i < columns / SL_BLOCK_COLUMNS; i++, x += SL_BLOCK_COLUMNS) {
        struct sl_block *block = blocks + i;
        float low = 0.0f, high = 0.0f;
        uint32_t magnitude = 0;
        for (int k = 0; k < SL_BLOCK_COLUMNS; k++) {
            uint32_t bits = sl_bits(x[k]) & 0x7fffffffu;
            magnitude = bits > magnitude ? bits : magnitude;
            low = x[k] < low ? x[k] : low;
            high = x[k] > high ? x[k] : high;
        }
        float range = high - low;
        if (magnitude >= 0x7f800000u || range == __builtin_inff()) {
            sl_block_set_not_finite(block);
            continue;
        }
        sl_block_clear(block);
        if (range < 0x1p-100f) continue;
        float d = range / 254.0f, inverse = 1.0f / d;
        float zero = sl_value_round(sl_value_fma(-low, inverse, -127.0f));
        int32_t sums[2] = {0, 0};
        for (int k = 0; k < SL_BLOCK_COLUMNS; k++) {
            float q = sl_value_round(sl_value_fma(x[k], inverse, zero));
            q = q > 127.0f ? 127.0f : q < -127.0f ? -127.0f : q;
            block->q[k] = (int8_t)q;
            sums[k / 16] += (int32_t)q;
        }
        sl_block_finish(block, d, zero, sums[0], sums[1]);
    }
}

static float SL_NAME(rms_scale)(const float *x, int64_t columns, float epsilon)
{
    float partials[16] = {0};
    for (int64_t k = 0; k < columns; k++) partials[k % 16] = sl_value_fma(x[k], x[k], partials[k % 16]);
    float mean = sl_value_tree(partials) / (float)columns;
    return 1.0f / __builtin_sqrtf(mean + epsilon);
}

static void SL_NAME(scale_multiply)(const float *x, float scale, const float *weight, int64_t columns, float *y)
{
    for (int64_t k = 0; k < columns; k++) y[k] = (x[k] * scale) * weight[k];
}

static void SL_NAME(silu_multiply)(const float *gate, const float *up, int64_t columns, float *y)
{
    for (int64_t k = 0; k < columns; k++) y[k] = sl_value_silu(gate[k]) * up[k];
}

static void SL_NAME(add)(float *x, const float *y, int64_t columns)
{
    for (int64_t k = 0; k < columns; k++) x[k] += y[k];
}

static void SL_NAME(rotate)(float *x, const float *cosines, const float *sines, int64_t pair_count, int32_t halves)
{
    int64_t first_step = halves ? 1 : 2, second = halves ? pair_count : 1;
    for (int64_t i = 0; i < pair_count; i++) {
        float *p = x + i * first_step;
        float a = p[0], b = p[second], c = cosines[i], s = sines[i];
        p[0] = sl_value_fma(a, c, -(b * s));
        p[second] = sl_value_fma(a, s, b * c);
    }
}

static void SL_NAME(exponentiate)(const float *x, int64_t count, float *y)
{
    for (int64_t i = 0; i < count; i++) y[i] = sl_value_exp(x[i]);
}

static void SL_NAME(to_half)(const float *x, int64_t count, uint16_t *y)
{
    for (int64_t i = 0; i < count; i++) y[i] = sl_value_to_half(x[i]);
}

static void SL_NAME(from_half)(const uint16_t *x, int64_t count, float *y)
{
    for (int64_t i = 0; i < count; i++) y[i] = sl_value_from_half(x[i]);
}

static void SL_NAME(max_exp_sum)(const float *x, int64_t count, float *max, float *sum)
{
    float largest = -__builtin_inff(), partials[16] = {0};
    for (int64_t i = 0; i < count; i++) largest = x[i] > largest ? x[i] : largest;
    for (int64_t i = 0; i < count; i++) partials[i % 16] += sl_value_exp(x[i] - largest);
    float total = sl_value_tree(partials);
    *max = total == total ? largest + 0.0f : __builtin_nanf(""); // never -0
    *sum = total;
}

// MARK: Weights

SL_INLINE void SL_NAME(write_output)(const struct sl_multiplication *m, int64_t row, int64_t n, float value)
{
    float *out = m->output + row * m->output_stride + n;
    *out = m->adds ? *out + value : value;
}

/// sums[row] continued by one block.
SL_INLINE void SL_NAME(extend)(enum sl_format format, const struct sl_row_block *w, const struct sl_block *x,
    float *sum)
{
    int32_t dots[2] = {0, 0}, totals[2] = {0, 0};
    for (int k = 0; k < SL_BLOCK_COLUMNS; k++) {
        dots[k / 16] += w->w[k] * x->q[k];
        totals[k / 16] += w->w[k];
    }
    float f = (float)(dots[0] + dots[1]) * w->s[0], total = (float)(totals[0] + totals[1]) * w->s[0];
    if (sl_format_has_halves(format)) {
        f = sl_value_fma((float)dots[1], w->s[1], (float)dots[0] * w->s[0]);
        total = sl_value_fma((float)totals[1], w->s[1], (float)totals[0] * w->s[0]);
    }
    *sum = sl_value_fma(f, x->d, *sum);
    *sum = sl_value_fma(total, x->b, *sum);
    if (!sl_format_has_minimum(format)) return;
    if (!sl_format_has_halves(format)) {
        *sum = sl_value_fma(w->m[0], x->a, *sum);
        return;
    }
    for (int h = 0; h < 2; h++) *sum = sl_value_fma(w->m[h], x->half_a[h], *sum);
}

SL_INLINE void SL_NAME(multiply_quantised)(const struct sl_multiplication *m, enum sl_format format)
{
    int64_t block_count = m->matrix->columns / SL_BLOCK_COLUMNS;
    for (int64_t n = m->panel_begin * SL_PANEL_ROWS; n < m->panel_end * SL_PANEL_ROWS && n < m->matrix->rows; n++) {
        const uint8_t *panel = m->matrix->panels + n / SL_PANEL_ROWS * m->matrix->panel_bytes;
        for (int64_t first = m->row_begin; first < m->row_end; first += 8) {
            int64_t count = m->row_end - first < 8 ? m->row_end - first : 8;
            float sums[8] = {0};
            for (int64_t b = 0; b < block_count; b++) {
                struct sl_row_block w;
                sl_row_block_read(format, panel, b, n % SL_PANEL_ROWS, &w);
                for (int64_t r = 0; r < count; r++) {
                    const struct sl_block *x = m->rows->blocks + (first + r) * m->rows->block_stride + b;
                    SL_NAME(extend)(format, &w, x, sums + r);
                }
            }
            for (int64_t r = 0; r < count; r++) SL_NAME(write_output)(m, first + r, n, sums[r]);
        }
    }
}

#define SL_MULTIPLY(name, format) \
    static void SL_NAME(name)(const struct sl_multiplication *m) { SL_NAME(multiply_quantised)(m, format); }
SL_EACH_QUANTISED_MULTIPLY(SL_MULTIPLY)
#undef SL_MULTIPLY

SL_INLINE float SL_NAME(weight_at)(enum sl_format format, const uint8_t *panel, int64_t index)
{
    float f;
    uint16_t h;
    if (format == SL_FORMAT_F32) {
        memcpy(&f, panel + 4 * index, 4);
        return f;
    }
    memcpy(&h, panel + 2 * index, 2);
    return format == SL_FORMAT_F16 ? sl_value_from_half(h) : sl_value_from_bfloat(h);
}

SL_INLINE void SL_NAME(multiply_float)(const struct sl_multiplication *m, enum sl_format format)
{
    for (int64_t p = m->panel_begin; p < m->panel_end; p++) {
        const uint8_t *panel = m->matrix->panels + p * m->matrix->panel_bytes;
        for (int64_t row = m->row_begin; row < m->row_end; row++) {
            const float *x = m->rows->values + row * m->rows->value_stride;
            float sums[SL_PANEL_ROWS] = {0};
            for (int64_t k = 0; k < m->matrix->columns; k++) {
                for (int64_t i = 0; i < SL_PANEL_ROWS; i++) {
                    float w = SL_NAME(weight_at)(format, panel, k * SL_PANEL_ROWS + i);
                    sums[i] = sl_value_fma(w, x[k], sums[i]);
                }
            }
            for (int64_t i = 0; i < SL_PANEL_ROWS && p * SL_PANEL_ROWS + i < m->matrix->rows; i++) {
                SL_NAME(write_output)(m, row, p * SL_PANEL_ROWS + i, sums[i]);
            }
        }
    }
}

static void SL_NAME(multiply_f32)(const struct sl_multiplication *m) { SL_NAME(multiply_float)(m, SL_FORMAT_F32); }
static void SL_NAME(multiply_f16)(const struct sl_multiplication *m) { SL_NAME(multiply_float)(m, SL_FORMAT_F16); }
static void SL_NAME(multiply_bf16)(const struct sl_multiplication *m) { SL_NAME(multiply_float)(m, SL_FORMAT_BF16); }

// MARK: Attention

/// The end of the positions of the call's blocks that a query sees.
static int64_t SL_NAME(attention_end)(const struct sl_attention_group *g, int64_t query)
{
    int64_t end = g->block_end * SL_KV_POSITIONS;
    return g->counts[query] < end ? g->counts[query] : end;
}

static void SL_NAME(attention_scores)(const struct sl_attention_group *g)
{
    for (int64_t i = 0; i < g->query_count; i++) {
        for (int64_t t = g->block_begin * SL_KV_POSITIONS; t < SL_NAME(attention_end)(g, i); t++) {
            const uint16_t *keys = g->keys[t / SL_KV_POSITIONS] + t % SL_KV_POSITIONS;
            float sum = 0.0f;
            for (int64_t d = 0; d < g->head_size; d++) {
                float key = sl_value_from_half(keys[d * SL_KV_POSITIONS]);
                sum = sl_value_fma(g->queries[d * g->query_stride + i], key, sum);
            }
            g->scores[i * SL_SPAN_POSITIONS + t] = sum * g->scale;
        }
    }
}

static void SL_NAME(attention_softmax)(float *scores, int64_t count, float *max, float *sum)
{
    float largest = -__builtin_inff(), partials[16] = {0};
    for (int64_t t = 0; t < count; t++) largest = scores[t] > largest ? scores[t] : largest;
    for (int64_t t = 0; t < count; t++) {
        scores[t] = sl_value_exp(scores[t] - largest);
        partials[t % 16] += scores[t];
    }
    *max = largest;
    *sum = sl_value_tree(partials);
}

static void SL_NAME(attention_values)(const struct sl_attention_group *g)
{
    for (int64_t i = 0; i < g->query_count; i++) {
        float *out = g->outputs[i];
        for (int64_t d = 0; d < g->head_size && g->block_begin == 0; d++) out[d] = 0.0f;
        for (int64_t t = g->block_begin * SL_KV_POSITIONS; t < SL_NAME(attention_end)(g, i); t++) {
            const uint16_t *values = g->values[t / SL_KV_POSITIONS] + t % SL_KV_POSITIONS * g->head_size;
            float p = g->scores[i * SL_SPAN_POSITIONS + t];
            for (int64_t d = 0; d < g->head_size; d++) {
                out[d] = sl_value_fma(p, sl_value_from_half(values[d]), out[d]);
            }
        }
    }
}

static void SL_NAME(attention_merge)(float *x, float a, const float *y, float b, int64_t count)
{
    for (int64_t i = 0; i < count; i++) x[i] = sl_value_fma(x[i], a, y[i] * b);
}

static void SL_NAME(divide)(const float *x, float by, int64_t count, float *y)
{
    for (int64_t i = 0; i < count; i++) y[i] = x[i] / by;
}

const struct sl_kernels SL_NAME(kernels) = {
    .name = SL_TITLE,
    .multiply = {SL_FLOAT_MULTIPLIES(SL_NAME), SL_QUANTISED_MULTIPLIES(SL_NAME)},
    .quantize = SL_NAME(quantize),
    .rms_scale = SL_NAME(rms_scale),
    .scale_multiply = SL_NAME(scale_multiply),
    .silu_multiply = SL_NAME(silu_multiply),
    .add = SL_NAME(add),
    .rotate = SL_NAME(rotate),
    .exponentiate = SL_NAME(exponentiate),
    .to_half = SL_NAME(to_half),
    .from_half = SL_NAME(from_half),
    .max_exp_sum = SL_NAME(max_exp_sum),
    .attention_scores = SL_NAME(attention_scores),
    .attention_softmax = SL_NAME(attention_softmax),
    .attention_values = SL_NAME(attention_values),
    .attention_merge = SL_NAME(attention_merge),
    .divide = SL_NAME(divide),
};
