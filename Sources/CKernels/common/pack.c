#include "../include/sl_pack.h"

#include <string.h>

#include "values.h"

// Panel layouts (docs/numerics.md). A quantised panel is, for each block of 32 columns in order of k:
//   Q4_0  4 tiles of 16 rows x 4 bytes, 16 scales (f16)
//   Q4_1  4 tiles of 16 rows x 4 bytes, 16 scales (f16), 16 minima (f16)
//   Q8_0  8 tiles of 16 rows x 4 bytes, 16 scales (f16)
// A float panel is, for each column, the 16 rows' elements.

struct block_layout {
    int64_t source_bytes;  // of a row's block in the file
    int64_t source_quants; // where its integers begin there
    int64_t scale_count;   // f16 values before them
    int64_t tile_count;
};

static struct block_layout layout_of(enum sl_format format)
{
    switch (format) {
    case SL_FORMAT_Q4_0: return (struct block_layout){18, 2, 1, 4};
    case SL_FORMAT_Q4_1: return (struct block_layout){20, 4, 2, 4};
    default: return (struct block_layout){34, 2, 1, 8};
    }
}

static int is_float(enum sl_format format) { return format <= SL_FORMAT_BF16; }

static int64_t element_bytes(enum sl_format format) { return format == SL_FORMAT_F32 ? 4 : 2; }

static int64_t panel_block_bytes(struct block_layout l)
{
    return SL_PANEL_ROWS * (4 * l.tile_count + 2 * l.scale_count);
}

static int64_t round_up(int64_t n, int64_t m) { return (n + m - 1) / m * m; }

int64_t sl_pack_panel_bytes(enum sl_format format, int64_t columns)
{
    if (is_float(format)) return round_up(columns * SL_PANEL_ROWS * element_bytes(format), 64);
    return round_up(columns / SL_BLOCK_COLUMNS * panel_block_bytes(layout_of(format)), 64);
}

static int half_is_finite(uint16_t h) { return (h & 0x7c00u) != 0x7c00u; }

static int64_t pack_quantised(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns,
    uint8_t *panel)
{
    struct block_layout l = layout_of(format);
    int64_t block_count = columns / SL_BLOCK_COLUMNS, out_bytes = panel_block_bytes(l);
    int64_t bad_row = -1;
    for (int64_t r = 0; r < row_count; r++) {
        const uint8_t *in = source + r * block_count * l.source_bytes;
        uint8_t *out = panel + 4 * r;
        for (int64_t b = 0; b < block_count; b++, in += l.source_bytes, out += out_bytes) {
            for (int64_t t = 0; t < l.tile_count; t++) {
                memcpy(out + t * 4 * SL_PANEL_ROWS, in + l.source_quants + 4 * t, 4);
            }
            uint8_t *scales = out - 4 * r + l.tile_count * 4 * SL_PANEL_ROWS;
            for (int64_t s = 0; s < l.scale_count; s++) {
                uint16_t h;
                memcpy(&h, in + 2 * s, 2);
                if (!half_is_finite(h) && bad_row < 0) bad_row = r;
                memcpy(scales + 2 * (s * SL_PANEL_ROWS + r), &h, 2);
            }
        }
    }
    return bad_row;
}

static int element_is_finite(enum sl_format format, const uint8_t *p)
{
    uint16_t h;
    uint32_t w;
    switch (format) {
    case SL_FORMAT_F32:
        memcpy(&w, p, 4);
        return (w & 0x7f800000u) != 0x7f800000u;
    case SL_FORMAT_F16:
        memcpy(&h, p, 2);
        return half_is_finite(h);
    default:
        memcpy(&h, p, 2);
        return (h & 0x7f80u) != 0x7f80u;
    }
}

static int64_t pack_float(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns,
    uint8_t *panel)
{
    int64_t size = element_bytes(format), bad_row = -1;
    for (int64_t r = 0; r < row_count; r++) {
        const uint8_t *in = source + r * columns * size;
        uint8_t *out = panel + r * size;
        for (int64_t k = 0; k < columns; k++, in += size, out += SL_PANEL_ROWS * size) {
            if (!element_is_finite(format, in) && bad_row < 0) bad_row = r;
            if (size == 4) memcpy(out, in, 4);
            else memcpy(out, in, 2);
        }
    }
    return bad_row;
}

int64_t sl_pack_panel(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns, uint8_t *panel)
{
    if (row_count < SL_PANEL_ROWS) memset(panel, 0, (size_t)sl_pack_panel_bytes(format, columns));
    if (is_float(format)) return pack_float(format, source, row_count, columns, panel);
    return pack_quantised(format, source, row_count, columns, panel);
}

static void unpack_float_row(enum sl_format format, const uint8_t *panel, int64_t row, int64_t columns, float *values)
{
    int64_t size = element_bytes(format);
    for (int64_t k = 0; k < columns; k++) {
        const uint8_t *p = panel + (k * SL_PANEL_ROWS + row) * size;
        uint16_t h;
        if (size == 4) {
            memcpy(values + k, p, 4);
        } else {
            memcpy(&h, p, 2);
            values[k] = format == SL_FORMAT_F16 ? sl_value_from_half(h) : sl_value_from_bfloat(h);
        }
    }
}

void sl_pack_unpack_row(enum sl_format format, const uint8_t *panel, int64_t row, int64_t columns, float *values)
{
    if (is_float(format)) {
        unpack_float_row(format, panel, row, columns, values);
        return;
    }
    struct block_layout l = layout_of(format);
    int64_t tile_bytes = 4 * SL_PANEL_ROWS;
    for (int64_t b = 0; b < columns / SL_BLOCK_COLUMNS; b++) {
        uint16_t h[2] = {0, 0};
        for (int64_t s = 0; s < l.scale_count; s++) {
            memcpy(&h[s], panel + l.tile_count * tile_bytes + 2 * (s * SL_PANEL_ROWS + row), 2);
        }
        float d = sl_value_from_half(h[0]), m = sl_value_from_half(h[1]);
        for (int64_t k = 0; k < SL_BLOCK_COLUMNS; k++) {
            if (format == SL_FORMAT_Q8_0) {
                values[k] = d * (float)(int8_t)panel[k / 4 * tile_bytes + 4 * row + k % 4];
                continue;
            }
            uint8_t byte = panel[k % 16 / 4 * tile_bytes + 4 * row + k % 4];
            int nibble = k < 16 ? byte & 15 : byte >> 4;
            values[k] = format == SL_FORMAT_Q4_0 ? d * (float)(nibble - 8) : d * (float)nibble + m;
        }
        panel += panel_block_bytes(l);
        values += SL_BLOCK_COLUMNS;
    }
}
