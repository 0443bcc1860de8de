#include "avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target(SL_AVX2_TARGET))), apply_to = function)
#include "../common/values.h"

#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2
#include "../common/fetch.h"

/// Rows at once: two vectors of sums each, beside the weights in 16 registers.
enum { GROUP = 6 };

/// 8 weights of one column.
SL_INLINE __m256 weights(enum sl_format format, const uint8_t *p)
{
    if (format == SL_FORMAT_F32) return _mm256_loadu_ps((const float *)p);
    __m128i h = _mm_loadu_si128((const __m128i *)p);
    if (format == SL_FORMAT_F16) return _mm256_cvtph_ps(h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

#define EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)

/// `rows` rows times one panel; each lane is one chain over k.
SL_INLINE void run(enum sl_format format, const int rows, const struct sl_multiplication *m, int64_t row,
    int64_t panel)
{
    __m256 s0[GROUP], s1[GROUP];
    EACH_ROW s0[r] = s1[r] = _mm256_setzero_ps();
    const int64_t half_bytes = format == SL_FORMAT_F32 ? 32 : 16, stride = m->rows->value_stride;
    const uint8_t *w = m->matrix->panels + panel * m->matrix->panel_bytes;
    const float *x = m->rows->values + row * stride;
    for (int64_t k = 0; k < m->matrix->columns; k++, w += 2 * half_bytes, x++) {
        if (rows <= 2) fetch_ahead(w); // more rows read slower than a processor fetches by itself
        __m256 w0 = weights(format, w), w1 = weights(format, w + half_bytes);
        EACH_ROW {
            __m256 value = _mm256_set1_ps(x[r * stride]);
            s0[r] = _mm256_fmadd_ps(w0, value, s0[r]);
            s1[r] = _mm256_fmadd_ps(w1, value, s1[r]);
        }
    }
    int64_t first = panel * SL_PANEL_ROWS, count = m->matrix->rows - first;
    EACH_ROW {
        float sums[SL_PANEL_ROWS], *out = m->output + (row + r) * m->output_stride + first;
        _mm256_storeu_ps(sums, s0[r]);
        _mm256_storeu_ps(sums + 8, s1[r]);
        for (int64_t i = 0; i < SL_PANEL_ROWS && i < count; i++) out[i] = m->adds ? out[i] + sums[i] : sums[i];
    }
}

SL_INLINE void multiply(enum sl_format format, const struct sl_multiplication *m)
{
    int64_t count = m->row_end - m->row_begin, group_count = (count + GROUP - 1) / GROUP;
    for (int64_t p = m->panel_begin; p < m->panel_end; p++) {
        for (int64_t g = 0; g < group_count; g++) {
            int64_t row = m->row_begin + count * g / group_count, next = m->row_begin + count * (g + 1) / group_count;
            switch (next - row) {
            case 1: run(format, 1, m, row, p); break;
            case 2: run(format, 2, m, row, p); break;
            case 3: run(format, 3, m, row, p); break;
            case 4: run(format, 4, m, row, p); break;
            case 5: run(format, 5, m, row, p); break;
            case 6: run(format, 6, m, row, p); break;
            }
        }
    }
}

void sl_avx2_multiply_f32(const struct sl_multiplication *m) { multiply(SL_FORMAT_F32, m); }
void sl_avx2_multiply_f16(const struct sl_multiplication *m) { multiply(SL_FORMAT_F16, m); }
void sl_avx2_multiply_bf16(const struct sl_multiplication *m) { multiply(SL_FORMAT_BF16, m); }
#pragma clang attribute pop
#endif
