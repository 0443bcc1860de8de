#include "formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct check_format check_formats[SL_FORMAT_COUNT] = {
    [SL_FORMAT_F32] = {"F32", 1, 4, 0, {0}},
    [SL_FORMAT_F16] = {"F16", 1, 2, 1, {0}},
    [SL_FORMAT_BF16] = {"BF16", 1, 2, 0, {0}},
    [SL_FORMAT_Q4_0] = {"Q4_0", 32, 18, 1, {0}},
    [SL_FORMAT_Q4_1] = {"Q4_1", 32, 20, 2, {0, 2}},
    [SL_FORMAT_Q5_0] = {"Q5_0", 32, 22, 1, {0}},
    [SL_FORMAT_Q5_1] = {"Q5_1", 32, 24, 2, {0, 2}},
    [SL_FORMAT_Q8_0] = {"Q8_0", 32, 34, 1, {0}},
    [SL_FORMAT_IQ4_NL] = {"IQ4_NL", 32, 18, 1, {0}},
    [SL_FORMAT_Q2_K] = {"Q2_K", 256, 84, 2, {80, 82}},
    [SL_FORMAT_Q3_K] = {"Q3_K", 256, 110, 1, {108}},
    [SL_FORMAT_Q4_K] = {"Q4_K", 256, 144, 2, {0, 2}},
    [SL_FORMAT_Q5_K] = {"Q5_K", 256, 176, 2, {0, 2}},
    [SL_FORMAT_Q6_K] = {"Q6_K", 256, 210, 1, {208}},
};

/// A finite f16: a usual scale, any value, or 1 or -1.
static uint16_t half_for(struct check *c, enum check_weights weights)
{
    uint16_t bits = (uint16_t)check_random(c);
    switch (weights) {
    case CHECK_WEIGHTS_USUAL: return (uint16_t)((bits & 0x83ff) | check_between(c, 3, 15) << 10); // 2^-12 ... 2
    case CHECK_WEIGHTS_ENDS: return (uint16_t)((bits & 0x8000) | 0x3c00);
    default: return (bits & 0x7c00) == 0x7c00 ? bits & 0xbfff : bits;
    }
}

static void fill_floats(struct check *c, enum sl_format format, enum check_weights weights, uint8_t *out)
{
    static const enum check_values values[CHECK_WEIGHTS_COUNT] = {CHECK_VALUES_SMALL, CHECK_VALUES_WIDE,
        CHECK_VALUES_ENDS};
    float value;
    check_fill(c, values[weights], &value, 1);
    uint32_t bits;
    memcpy(&bits, &value, 4);
    uint16_t upper = (uint16_t)(bits >> 16);
    if (format == SL_FORMAT_F32) memcpy(out, &bits, 4);
    else memcpy(out, &upper, 2);
}

static void fill_block(struct check *c, enum sl_format format, enum check_weights weights, uint8_t *block)
{
    static const uint8_t ends[] = {0x00, 0x0f, 0x7f, 0x80, 0xf0, 0xff};
    const struct check_format *f = &check_formats[format];
    if (format == SL_FORMAT_F32 || format == SL_FORMAT_BF16) {
        fill_floats(c, format, weights, block);
        return;
    }
    if (weights == CHECK_WEIGHTS_ENDS) memset(block, ends[check_between(c, 0, 5)], (size_t)f->block_bytes);
    for (int64_t i = 0; i < f->half_count; i++) {
        uint16_t half = half_for(c, weights);
        memcpy(block + f->halves[i], &half, 2);
    }
}

struct sl_matrix check_matrix(struct check *c, enum sl_format format, enum check_weights weights, int64_t rows,
    int64_t columns, const uint8_t **source)
{
    const struct check_format *f = &check_formats[format];
    int64_t row_bytes = columns / f->block_columns * f->block_bytes;
    int64_t panel_count = (rows + SL_PANEL_ROWS - 1) / SL_PANEL_ROWS;
    struct sl_matrix matrix = {.rows = rows, .columns = columns, .panel_bytes = sl_pack_panel_bytes(format, columns)};
    uint8_t *blocks = check_bytes(c, rows * row_bytes), *panels = check_bytes(c, panel_count * matrix.panel_bytes);
    for (int64_t at = 0; at < rows * row_bytes; at += f->block_bytes) fill_block(c, format, weights, blocks + at);
    for (int64_t p = 0; p < panel_count; p++) {
        int64_t first = p * SL_PANEL_ROWS, count = rows - first < SL_PANEL_ROWS ? rows - first : SL_PANEL_ROWS;
        uint8_t *panel = panels + p * matrix.panel_bytes;
        int64_t bad_row = sl_pack_panel(format, blocks + first * row_bytes, count, columns, panel);
        if (bad_row < 0) continue;
        fprintf(stderr, "kernel-check: %s: packing refuses row %lld of finite weights\n", f->name,
            (long long)(first + bad_row));
        exit(1);
    }
    matrix.panels = panels;
    if (source) *source = blocks;
    return matrix;
}
