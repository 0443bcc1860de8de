#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"

#include "functions.h"

#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2
#include "../common/fetch.h"

enum { GROUP = 12 };

/// 16 weights of one column.
SL_INLINE __m512 weights(enum sl_format format, const uint8_t *p)
{
    if (format == SL_FORMAT_F32) return _mm512_loadu_ps((const float *)p);
    __m256i h = _mm256_loadu_si256((const __m256i *)p);
    if (format == SL_FORMAT_F16) return _mm512_cvtph_ps(h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)
#define EACH_PANEL _Pragma("clang loop unroll(full)") for (int j = 0; j < panels; j++)

/// `rows` rows times `panels` neighbouring panels; each lane is one chain over k.
SL_INLINE void run(enum sl_format format, const int rows, const int panels, const struct sl_multiplication *m,
    int64_t row, int64_t panel)
{
    __m512 sums[GROUP][4];
    EACH_ROW EACH_PANEL sums[r][j] = _mm512_setzero_ps();
    const int64_t column_bytes = format == SL_FORMAT_F32 ? 64 : 32, stride = m->rows->value_stride;
    const uint8_t *w = m->matrix->panels + panel * m->matrix->panel_bytes;
    const float *x = m->rows->values + row * stride;
    for (int64_t k = 0; k < m->matrix->columns; k++, w += column_bytes, x++) {
        __m512 column[4];
        EACH_PANEL fetch_ahead(w + j * m->matrix->panel_bytes);
        EACH_PANEL column[j] = weights(format, w + j * m->matrix->panel_bytes);
        EACH_ROW {
            __m512 value = _mm512_set1_ps(x[r * stride]);
            EACH_PANEL sums[r][j] = _mm512_fmadd_ps(column[j], value, sums[r][j]);
        }
    }
    EACH_PANEL {
        int64_t first = (panel + j) * SL_PANEL_ROWS;
        __mmask16 mask = lanes(m->matrix->rows - first);
        EACH_ROW {
            float *out = m->output + (row + r) * m->output_stride + first;
            __m512 sum = sums[r][j];
            if (m->adds) sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, out), sum);
            _mm512_mask_storeu_ps(out, mask, sum);
        }
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
        ROWS_CASE(1, 4) ROWS_CASE(2, 4) ROWS_CASE(3, 4) ROWS_CASE(4, 4) ROWS_CASE(5, 4) ROWS_CASE(6, 4)
        ROWS_CASE(7, 2) ROWS_CASE(8, 2) ROWS_CASE(9, 2) ROWS_CASE(10, 2) ROWS_CASE(11, 2) ROWS_CASE(12, 2)
    }
    return panel_count;
}

SL_INLINE void multiply(enum sl_format format, const struct sl_multiplication *m)
{
    int64_t count = m->row_end - m->row_begin, group_count = (count + GROUP - 1) / GROUP;
    // A few panels are read by all groups of rows before the next ones, so that they come from the cache.
    for (int64_t begin = m->panel_begin; begin < m->panel_end; begin += 4) {
        int64_t end = begin + 4 < m->panel_end ? begin + 4 : m->panel_end;
        for (int64_t g = 0; g < group_count; g++) {
            int64_t row = m->row_begin + count * g / group_count, next = m->row_begin + count * (g + 1) / group_count;
            for (int64_t p = begin; p < end;) p += run_group(format, m, row, next - row, p, end - p);
        }
    }
}

void sl_avx512_multiply_f32(const struct sl_multiplication *m) { multiply(SL_FORMAT_F32, m); }
void sl_avx512_multiply_f16(const struct sl_multiplication *m) { multiply(SL_FORMAT_F16, m); }
void sl_avx512_multiply_bf16(const struct sl_multiplication *m) { multiply(SL_FORMAT_BF16, m); }
#pragma clang attribute pop
#endif
