#include "neon.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#pragma clang attribute push(__attribute__((target(SL_NEON_TARGET))), apply_to = function)
#include "../common/values.h"

/// Rows at once: four vectors of sums each, beside the weights in 32 registers.
enum { GROUP = 6, PANELS_MAX = 4, VECTORS = SL_PANEL_ROWS / 4 };

/// 4 weights of one column.
SL_INLINE float32x4_t weights(enum sl_format format, const uint8_t *p)
{
    if (format == SL_FORMAT_F32) return vreinterpretq_f32_u8(vld1q_u8(p));
    uint16x4_t h = vreinterpret_u16_u8(vld1_u8(p));
    if (format == SL_FORMAT_F16) return vcvt_f32_f16(vreinterpret_f16_u16(h));
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(h), 16));
}

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)
#define EACH_PANEL _Pragma("clang loop unroll(full)") for (int p = 0; p < panels; p++)
#define EACH_VECTOR _Pragma("clang loop unroll(full)") for (int j = 0; j < VECTORS; j++)

/// `rows` rows times `panels` neighbouring panels; each lane is one chain over k.
SL_INLINE void run(enum sl_format format, const int rows, const int panels, const struct sl_multiplication *m,
    int64_t row, int64_t panel)
{
    float32x4_t sums[GROUP][PANELS_MAX][VECTORS];
    EACH_ROW EACH_PANEL EACH_VECTOR sums[r][p][j] = vdupq_n_f32(0.0f);
    const int64_t vector_bytes = format == SL_FORMAT_F32 ? 16 : 8, stride = m->rows->value_stride;
    const uint8_t *w = m->matrix->panels + panel * m->matrix->panel_bytes;
    const float *x = m->rows->values + row * stride;
    for (int64_t k = 0; k < m->matrix->columns; k++, w += VECTORS * vector_bytes, x++) {
        EACH_PANEL {
            float32x4_t column[VECTORS];
            EACH_VECTOR column[j] = weights(format, w + p * m->matrix->panel_bytes + j * vector_bytes);
            EACH_ROW EACH_VECTOR sums[r][p][j] = vfmaq_n_f32(sums[r][p][j], column[j], x[r * stride]);
        }
    }
    EACH_ROW EACH_PANEL {
        int64_t first = (panel + p) * SL_PANEL_ROWS, count = m->matrix->rows - first;
        float values[SL_PANEL_ROWS], *out = m->output + (row + r) * m->output_stride + first;
        EACH_VECTOR vst1q_f32(values + 4 * j, sums[r][p][j]);
        for (int64_t i = 0; i < SL_PANEL_ROWS && i < count; i++) out[i] = m->adds ? out[i] + values[i] : values[i];
    }
}

#define ROWS_CASE(n, panels_at_once) \
    case n: \
        if (panel_count >= panels_at_once) { \
            run(format, n, panels_at_once, m, row, panel); \
            return panels_at_once; \
        } \
        run(format, n, 1, m, row, panel); \
        return 1;

/// As many panels at once as registers allow; gives how many.
SL_INLINE int64_t run_group(enum sl_format format, const struct sl_multiplication *m, int64_t row, int64_t row_count,
    int64_t panel, int64_t panel_count)
{
    switch (row_count) {
        ROWS_CASE(1, 4) ROWS_CASE(2, 2) ROWS_CASE(3, 2) ROWS_CASE(4, 1) ROWS_CASE(5, 1) ROWS_CASE(6, 1)
    }
    return panel_count;
}

SL_INLINE void multiply(enum sl_format format, const struct sl_multiplication *m)
{
    int64_t count = m->row_end - m->row_begin, group_count = (count + GROUP - 1) / GROUP;
    // A few panels are read by all groups of rows before the next ones, so that they come from the cache.
    for (int64_t begin = m->panel_begin; begin < m->panel_end; begin += PANELS_MAX) {
        int64_t end = begin + PANELS_MAX < m->panel_end ? begin + PANELS_MAX : m->panel_end;
        for (int64_t g = 0; g < group_count; g++) {
            int64_t row = m->row_begin + count * g / group_count, next = m->row_begin + count * (g + 1) / group_count;
            for (int64_t p = begin; p < end;) p += run_group(format, m, row, next - row, p, end - p);
        }
    }
}

void sl_neon_multiply_f32(const struct sl_multiplication *m) { multiply(SL_FORMAT_F32, m); }
void sl_neon_multiply_f16(const struct sl_multiplication *m) { multiply(SL_FORMAT_F16, m); }
void sl_neon_multiply_bf16(const struct sl_multiplication *m) { multiply(SL_FORMAT_BF16, m); }
#pragma clang attribute pop
#endif
