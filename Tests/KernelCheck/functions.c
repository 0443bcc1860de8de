// What is not an instruction set's own but is compiled for each processor: filling rows, functions of one value.
#include "check.h"

void check_filling(struct check *c)
{
    for (int64_t block_count = 1; block_count <= 40; block_count++) {
        for (int32_t kind = 0; kind < 6; kind++) {
            const long long width = 32 * block_count;
            if (!check_begin(c, "columns=%lld source=%d values=%d", width, kind / 2, kind % 2)) continue;
            int64_t columns = 32 * block_count, row_count = 3, stride = columns + check_between(c, 0, 5);
            int64_t count = (row_count - 1) * stride + columns, block_bytes = (int64_t)sizeof(struct sl_block);
            struct sl_rows rows = {.columns = columns, .block_stride = block_count, .value_stride = columns};
            rows.blocks = check_bytes(c, row_count * block_count * block_bytes);
            if (kind % 2) rows.values = check_bytes(c, 4 * row_count * columns);
            struct sl_filling f = {.kernels = c->kernels, .rows = &rows, .source = (enum sl_filling_source)(kind / 2),
                .stride = stride, .epsilon = 1e-5f};
            f.x = check_floats(c, CHECK_VALUES_SMALL, count);
            if (f.source == SL_FILLING_SILU_PRODUCT) f.y = check_floats(c, CHECK_VALUES_SMALL, count);
            if (f.source == SL_FILLING_NORM) f.weight = check_floats(c, CHECK_VALUES_POSITIVE, columns);
            int64_t middle = f.source == SL_FILLING_NORM ? columns : 32 * check_between(c, 0, block_count);
            for (int64_t row = 0; row < row_count; row++) {
                if (middle > 0) sl_filling_run(&f, row, 0, middle);
                if (middle < columns) sl_filling_run(&f, row, middle, columns);
            }
            check_hash_bytes(c, rows.blocks, row_count * block_count * block_bytes);
            if (rows.values) check_hash_floats(c, rows.values, row_count * columns);
            check_end(c);
        }
    }
}

static void hash_doubles(struct check *c, const double *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double value = x[i] == x[i] ? x[i] : __builtin_nan("");
        check_hash_bytes(c, &value, sizeof value);
    }
}

void check_functions(struct check *c)
{
    for (int values = 0; values < CHECK_VALUES_COUNT; values++) {
        for (int64_t round = 0; round < 2000; round++) {
            if (!check_begin(c, "round=%lld values=%d", (long long)round, values)) continue;
            float x, y[3];
            check_fill(c, (enum check_values)values, &x, 1);
            uint16_t half = sl_half_from_float(x);
            y[0] = sl_exp(x);
            y[1] = sl_silu(x);
            y[2] = sl_half_to_float(half);
            check_hash_floats(c, y, 3);
            check_hash_bytes(c, &half, sizeof half);
            double wide = x, angle = check_uniform(c, -4000000.0f, 4000000.0f), power = check_uniform(c, -8.0f, 8.0f);
            double results[5] = {sl_exp64(wide), sl_log64(wide), 0.0, 0.0, sl_pow64(wide < 0 ? -wide : wide, power)};
            sl_sincos64(angle, results + 2, results + 3);
            hash_doubles(c, results, 5);
            check_end(c);
        }
    }
}
