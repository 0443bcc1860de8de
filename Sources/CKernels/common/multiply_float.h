// F32, F16 and BF16 weights times float32 activations, for every SIMD path. The including file is inside its target
// region, has included values.h, its vectors.h and fetch.h there, and has defined
//   SL_NAME(x)             the name of a public function
//   SL_FLOAT_ROWS          rows of activations that share one pass over the weights, at most: SL_FLOAT_CASES lists them
//   SL_FLOAT_PANELS(rows)  neighbouring panels that so many rows are multiplied with at once: as registers allow
//
// Lanes are outputs and each lane is one chain over k, so none of this shows in the bits.
#include "write_sums.h"

enum { PARTS = SL_PANEL_ROWS / SL_LANES, PANELS_MAX = SL_FLOAT_PANELS(1) };

/// Some weights of one column.
SL_INLINE vf load_weights(enum sl_format format, const uint8_t *p)
{
    if (format == SL_FORMAT_F32) return f_load_any((const float *)p);
    return format == SL_FORMAT_F16 ? f_load_half(p) : f_load_bfloat(p);
}

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)
#define EACH_PANEL _Pragma("clang loop unroll(full)") for (int j = 0; j < panels; j++)
#define EACH_PART _Pragma("clang loop unroll(full)") for (int i = 0; i < PARTS; i++)

/// `rows` rows times `panels` neighbouring panels.
SL_INLINE void run(enum sl_format format, const int rows, const int panels, const struct sl_multiplication *m,
    int64_t row, int64_t panel)
{
    vf sums[SL_FLOAT_ROWS][PANELS_MAX][PARTS];
    EACH_ROW EACH_PANEL EACH_PART sums[r][j][i] = f_zero();
    const int64_t part_bytes = (format == SL_FORMAT_F32 ? 4 : 2) * SL_LANES, stride = m->rows->value_stride;
    const int64_t panel_bytes = m->matrix->panel_bytes;
    const uint8_t *w = m->matrix->panels + panel * panel_bytes;
    const float *x = m->rows->values + row * stride;
    for (int64_t k = 0; k < m->matrix->columns; k++, w += PARTS * part_bytes, x++) {
        vf weights[PANELS_MAX][PARTS];
        EACH_PANEL fetch_ahead(w + j * panel_bytes);
        EACH_PANEL EACH_PART weights[j][i] = load_weights(format, w + j * panel_bytes + i * part_bytes);
        EACH_ROW {
            vf value = f_broadcast(x + r * stride);
            EACH_PANEL EACH_PART sums[r][j][i] = f_fma(weights[j][i], value, sums[r][j][i]);
        }
    }
    EACH_PANEL EACH_ROW {
        _Alignas(64) float stored[SL_PANEL_ROWS];
        EACH_PART f_store(stored + i * SL_LANES, sums[r][j][i]);
        write_sums(m, stored, row + r, 1, panel + j);
    }
}

#define SL_FLOAT_CASE(n) \
    case n: { \
        enum { at_once = SL_FLOAT_PANELS(n) }; \
        if (panel_count >= at_once) run(format, n, at_once, m, row, panel); \
        else run(format, n, 1, m, row, panel); \
        return panel_count >= at_once ? at_once : 1; \
    }

/// As many panels at once as registers allow; gives how many.
SL_INLINE int64_t run_group(enum sl_format format, const struct sl_multiplication *m, int64_t row, int64_t row_count,
    int64_t panel, int64_t panel_count)
{
    switch (row_count) { SL_FLOAT_CASES }
    return panel_count;
}

SL_INLINE void multiply(enum sl_format format, const struct sl_multiplication *m)
{
    int64_t count = m->row_end - m->row_begin, group_count = (count + SL_FLOAT_ROWS - 1) / SL_FLOAT_ROWS;
    // A few panels are read by all groups of rows before the next ones, so that they come from the cache.
    for (int64_t begin = m->panel_begin; begin < m->panel_end; begin += PANELS_MAX) {
        int64_t end = sl_value_least(begin + PANELS_MAX, m->panel_end);
        for (int64_t g = 0; g < group_count; g++) {
            int64_t row = m->row_begin + count * g / group_count, next = m->row_begin + count * (g + 1) / group_count;
            for (int64_t p = begin; p < end;) p += run_group(format, m, row, next - row, p, end - p);
        }
    }
}

void SL_NAME(multiply_f32)(const struct sl_multiplication *m) { multiply(SL_FORMAT_F32, m); }
void SL_NAME(multiply_f16)(const struct sl_multiplication *m) { multiply(SL_FORMAT_F16, m); }
void SL_NAME(multiply_bf16)(const struct sl_multiplication *m) { multiply(SL_FORMAT_BF16, m); }
