#include "../include/sl_fill.h"

#include <string.h>

/// A chunk stays in the first-level cache between computing and quantising.
enum { CHUNK_COLUMNS = 512 };

void sl_filling_run(const struct sl_filling *f, int64_t row, int64_t column_begin, int64_t column_end)
{
    float chunk[CHUNK_COLUMNS];
    const struct sl_rows *rows = f->rows;
    const float *x = f->x + row * f->stride, *y = f->y ? f->y + row * f->stride : NULL;
    float scale = 0.0f;
    if (f->source == SL_FILLING_NORM) scale = f->kernels->rms_scale(x, rows->columns, f->epsilon);
    for (int64_t first = column_begin; first < column_end; first += CHUNK_COLUMNS) {
        int64_t count = column_end - first < CHUNK_COLUMNS ? column_end - first : CHUNK_COLUMNS;
        float *target = rows->values ? rows->values + row * rows->value_stride + first : chunk;
        const float *values = target;
        switch (f->source) {
        case SL_FILLING_NORM: f->kernels->scale_multiply(x + first, scale, f->weight + first, count, target); break;
        case SL_FILLING_SILU_PRODUCT: f->kernels->silu_multiply(x + first, y + first, count, target); break;
        case SL_FILLING_COPY:
            if (rows->values) memcpy(target, x + first, (size_t)count * sizeof(float));
            else values = x + first;
            break;
        }
        if (!rows->blocks) continue;
        f->kernels->quantize(values, count, rows->blocks + row * rows->block_stride + first / SL_BLOCK_COLUMNS);
    }
}
