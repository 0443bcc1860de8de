// Multiplications of each format, and what comes before them: packing.
#include <stdio.h>
#include <stdlib.h>

#include "formats.h"

struct shape {
    int64_t rows;
    int64_t columns;
    int64_t activations; // rows of them
};

/// A block as quantising gives them, its integers at random or at their ends.
static void fill_block(struct check *c, struct sl_block *block)
{
    int32_t kind = (int32_t)check_between(c, 0, 15), zero = (int32_t)check_between(c, -127, 127), sums[2] = {0, 0};
    for (int k = 0; k < SL_BLOCK_COLUMNS; k++) {
        int32_t q = (int32_t)check_between(c, -127, 127);
        if (kind == 0) q = 127;
        if (kind == 1) q = -127;
        if (kind == 2) q = q < 0 ? -127 : 127;
        block->q[k] = (int8_t)q;
        sums[k / 16] += q;
    }
    float d = check_uniform(c, 0x1p-12f, 0.125f);
    if (check_between(c, 0, 255) == 0) d = __builtin_nanf(""); // of values that are not finite
    block->d = d;
    block->b = -(float)zero * d;
    block->a = d * (float)(sums[0] + sums[1] - 32 * zero);
    block->bias = -128 * (sums[0] + sums[1]);
    for (int h = 0; h < 2; h++) {
        block->half_bias[h] = -128 * sums[h];
        block->half_a[h] = d * (float)(sums[h] - 16 * zero);
    }
}

/// Activations in the form that the format is multiplied with; each row but the last is followed by some bytes that
/// belong to none.
static struct sl_rows make_rows(struct check *c, enum sl_format format, const struct shape *shape)
{
    struct sl_rows rows = {.columns = shape->columns};
    if (format <= SL_FORMAT_BF16) {
        rows.value_stride = shape->columns + check_between(c, 0, 3);
        int64_t count = (shape->activations - 1) * rows.value_stride + shape->columns;
        rows.values = check_floats(c, check_between(c, 0, 7) ? CHECK_VALUES_SMALL : CHECK_VALUES_ANY, count);
        return rows;
    }
    int64_t block_count = shape->columns / SL_BLOCK_COLUMNS;
    rows.block_stride = block_count + check_between(c, 0, 2);
    int64_t count = (shape->activations - 1) * rows.block_stride + block_count;
    rows.blocks = check_bytes(c, count * (int64_t)sizeof *rows.blocks);
    for (int64_t i = 0; i < count; i++) fill_block(c, rows.blocks + i);
    return rows;
}

static void run_shape(struct check *c, enum sl_format format, struct shape s, int32_t adds)
{
    if (!check_begin(c, "rows=%lld columns=%lld activations=%lld adds=%d", (long long)s.rows, (long long)s.columns,
            (long long)s.activations, adds)) {
        return;
    }
    int64_t kind = check_between(c, 0, 7);
    enum check_weights weights = kind == 0 ? CHECK_WEIGHTS_ENDS : kind == 1 ? CHECK_WEIGHTS_ANY : CHECK_WEIGHTS_USUAL;
    struct sl_matrix matrix = check_matrix(c, format, weights, s.rows, s.columns, NULL);
    struct sl_rows rows = make_rows(c, format, &s);
    int64_t stride = s.rows + check_between(c, 0, 3), output_count = (s.activations - 1) * stride + s.rows;
    float *output = check_floats(c, CHECK_VALUES_SMALL, output_count);
    struct sl_multiplication m = {.rows = &rows, .matrix = &matrix, .output = output, .output_stride = stride,
        .row_end = s.activations, .panel_end = (s.rows + SL_PANEL_ROWS - 1) / SL_PANEL_ROWS, .adds = adds};
    if (check_between(c, 0, 3) == 0) { // a part of them: the rest stays what it was
        m.row_begin = check_between(c, 0, m.row_end - 1);
        m.row_end = check_between(c, m.row_begin + 1, m.row_end);
        m.panel_begin = check_between(c, 0, m.panel_end - 1);
        m.panel_end = check_between(c, m.panel_begin + 1, m.panel_end);
    }
    sl_kernels_multiply(c->kernels, format)(&m);
    check_hash_floats(c, output, output_count);
    check_end(c);
}

/// Small column counts number 0, 1, ...; 0 behind the last.
static int64_t small_columns(enum sl_format format, int64_t index)
{
    int64_t unit = check_formats[format].block_columns;
    if (unit == 1) return index < 40 ? index + 1 : 0;
    return index < (unit == 32 ? 9 : 3) ? (index + 1) * unit : 0;
}

static int64_t small_column_count(enum sl_format format)
{
    int64_t count = 0;
    while (small_columns(format, count)) count++;
    return count;
}

enum { ROWS_MAX = 40, ACTIVATIONS_MAX = 64 };

/// Every combination of small shapes.
static void run_all_small(struct check *c, enum sl_format format)
{
    for (int64_t i = 0; small_columns(format, i); i++) {
        for (int64_t rows = 1; rows <= ROWS_MAX; rows++) {
            for (int64_t activations = 1; activations <= ACTIVATIONS_MAX; activations++) {
                for (int32_t adds = 0; adds < 2; adds++) {
                    run_shape(c, format, (struct shape){rows, small_columns(format, i), activations}, adds);
                }
            }
        }
    }
}

/// Every pair of a small row count or column count and a count of activation rows, whatever else.
static void run_small_pairs(struct check *c, enum sl_format format)
{
    int64_t column_count = small_column_count(format);
    for (int64_t activations = 1; activations <= ACTIVATIONS_MAX; activations++) {
        for (int64_t rows = 1; rows <= ROWS_MAX; rows++) {
            uint64_t any = (uint64_t)(rows * 64 + activations) * 0x9e3779b97f4a7c15u;
            int64_t columns = small_columns(format, (int64_t)((any >> 40) % (uint64_t)column_count));
            run_shape(c, format, (struct shape){rows, columns, activations}, (int32_t)(any >> 60 & 1));
        }
        for (int64_t i = 0; i < column_count; i++) {
            uint64_t any = (uint64_t)(i * 64 + activations) * 0xbf58476d1ce4e5b9u;
            struct shape shape = {1 + (int64_t)((any >> 40) % ROWS_MAX), small_columns(format, i), activations};
            run_shape(c, format, shape, (int32_t)(any >> 60 & 1));
        }
    }
}

void check_multiply(struct check *c, enum sl_format format)
{
    if (!sl_kernels_multiply(c->kernels, format)) {
        const char *name = check_formats[format].name;
        fprintf(stderr, "kernel-check: %s has no multiplication for %s\n", c->options->path, name);
        exit(1);
    }
    if (c->options->thorough) run_all_small(c, format);
    else run_small_pairs(c, format);
    struct check shapes = {.random = c->options->seed ^ (uint64_t)format << 32};
    int64_t unit = check_formats[format].block_columns;
    for (int64_t i = 0; i < 48; i++) {
        int64_t columns = check_between(&shapes, 1, unit == 1 ? 700 : 1600 / unit) * unit;
        struct shape shape = {check_between(&shapes, 1, 200), columns, check_between(&shapes, 1, 130)};
        if (i % 3 == 0) shape.activations = check_between(&shapes, 1, 13);
        run_shape(c, format, shape, (int32_t)check_between(&shapes, 0, 1));
    }
}

void check_packing(struct check *c, enum sl_format format)
{
    for (int64_t i = 0; i < 3; i++) {
        for (int64_t rows = 1; rows <= ROWS_MAX; rows++) {
            int64_t columns = small_columns(format, i);
            if (!check_begin(c, "rows=%lld columns=%lld", (long long)rows, (long long)columns)) continue;
            enum check_weights weights = (enum check_weights)(rows % CHECK_WEIGHTS_COUNT);
            struct sl_matrix matrix = check_matrix(c, format, weights, rows, columns, NULL);
            float *values = check_bytes(c, 4 * columns);
            for (int64_t row = 0; row < rows; row++) {
                const uint8_t *panel = matrix.panels + row / SL_PANEL_ROWS * matrix.panel_bytes;
                if (row % SL_PANEL_ROWS == 0) check_hash_bytes(c, panel, matrix.panel_bytes);
                sl_pack_unpack_row(format, panel, row % SL_PANEL_ROWS, columns, values);
                check_hash_floats(c, values, columns);
            }
            check_end(c);
        }
    }
}
