// Filling rows of activations: compute a row's values and bring them into the forms that weights are multiplied with.
#pragma once

#include "sl_kernels.h"

enum sl_filling_source {
    SL_FILLING_COPY,        // x
    SL_FILLING_NORM,        // RMS norm of x, times weight
    SL_FILLING_SILU_PRODUCT // silu(x) * y
};

struct sl_filling {
    const struct sl_kernels *kernels;
    const struct sl_rows *rows;
    enum sl_filling_source source;
    const float *x; // [row][columns], rows `stride` apart
    const float *y; // NULL where nothing is done with it
    int64_t stride;
    const float *weight; // [columns]
    float epsilon;
};

/// Columns [column_begin, column_end) of a row; both multiples of 32 or the row's end. With SL_FILLING_NORM, all of
/// them.
void sl_filling_run(const struct sl_filling *f, int64_t row, int64_t column_begin, int64_t column_end);
