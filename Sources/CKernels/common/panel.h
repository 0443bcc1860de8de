// How panels lie in memory, and reading them a value at a time: for packing, for looking up rows and for the scalar
// kernels. Include behind values.h, inside the target region where there is one.
//
// A panel is 16 rows and all columns, in units of 32 columns or, for the K formats, of 256; a unit has exactly the
// bytes of the 16 rows' blocks in a model file, in another order. A tile is 64 bytes: 4 bytes of each row. In a block
// of 32 columns
//   nibble tiles (4)   tile t, byte b: low nibble column 4t + b, high nibble column 16 + 4t + b
//   two-bit tiles (2)  tile h, byte b, bits 2i and 2i + 1: column 4 (4h + i) + b
//   bit tile (1)       byte b, bit t: column 4t + b
//   byte tiles (8)     tile t, byte b: column 4t + b
// and the units are
//   Q4_0   nibbles, d                        Q2_K  d, dmin, 4 scale tiles, 8 x two bits
//   Q4_1   nibbles, d, m                     Q3_K  d, 3 scale tiles, 8 x (two bits, bit)
//   Q5_0   nibbles, bit, d                   Q4_K  d, dmin, 3 scale tiles, 8 x nibbles
//   Q5_1   nibbles, bit, d, m                Q5_K  d, dmin, 3 scale tiles, 8 x (nibbles, bit)
//   Q8_0   bytes, d                          Q6_K  d, 4 scale tiles, 8 x (nibbles, two bits)
//   IQ4_NL nibbles, d
// with d, m and dmin as f16 of each row, and scale tiles the bytes that stand in the file for scales, as they are.
// Float panels hold, column by column, the 16 rows' elements.
#pragma once

#include "../include/sl_kernels.h"

enum { SL_TILE_BYTES = 4 * SL_PANEL_ROWS, SL_HALVES_BYTES = 2 * SL_PANEL_ROWS };

/// Of a quantised format. Offsets are from the start of a unit, tiles count from the start of a block's integers.
struct sl_layout {
    int32_t unit_columns;
    int32_t unit_bytes;   // of a panel
    int32_t blocks;       // where the first block's integers begin
    int32_t block_bytes;  // of a block's integers
    int32_t scales;       // where d begins; m or dmin follows
    int32_t half_count;   // of f16 values a row: d alone, or d and m or dmin
    int32_t scale_tiles;  // behind the f16 values
    int32_t nibble_tiles;
    int32_t two_bit_tiles;
    int32_t bit_tiles;
    int32_t byte_tiles;
};

SL_INLINE struct sl_layout sl_layout_of(enum sl_format format)
{
    struct sl_layout l = {SL_BLOCK_COLUMNS, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0};
    switch (format) {
    case SL_FORMAT_Q4_1: l.half_count = 2; break;
    case SL_FORMAT_Q5_0: l.bit_tiles = 1; break;
    case SL_FORMAT_Q5_1: l.bit_tiles = 1, l.half_count = 2; break;
    case SL_FORMAT_Q8_0: l.nibble_tiles = 0, l.byte_tiles = 8; break;
    case SL_FORMAT_Q2_K: l.half_count = 2, l.scale_tiles = 4, l.nibble_tiles = 0, l.two_bit_tiles = 2; break;
    case SL_FORMAT_Q3_K: l.scale_tiles = 3, l.nibble_tiles = 0, l.two_bit_tiles = 2, l.bit_tiles = 1; break;
    case SL_FORMAT_Q4_K: l.half_count = 2, l.scale_tiles = 3; break;
    case SL_FORMAT_Q5_K: l.half_count = 2, l.scale_tiles = 3, l.bit_tiles = 1; break;
    case SL_FORMAT_Q6_K: l.scale_tiles = 4, l.two_bit_tiles = 2; break;
    default: break;
    }
    l.block_bytes = SL_TILE_BYTES * (l.nibble_tiles + l.two_bit_tiles + l.bit_tiles + l.byte_tiles);
    int32_t header = SL_HALVES_BYTES * l.half_count + SL_TILE_BYTES * l.scale_tiles;
    if (l.scale_tiles) { // what a block needs first stands first
        l.unit_columns = SL_UNIT_COLUMNS;
        l.blocks = header;
    } else {
        l.scales = l.block_bytes;
    }
    l.unit_bytes = header + l.unit_columns / SL_BLOCK_COLUMNS * l.block_bytes;
    return l;
}

/// Scales of 16 columns instead of 32.
SL_INLINE int sl_format_has_halves(enum sl_format f)
{
    return f == SL_FORMAT_Q2_K || f == SL_FORMAT_Q3_K || f == SL_FORMAT_Q6_K;
}

SL_INLINE int sl_format_has_minimum(enum sl_format f)
{
    return f == SL_FORMAT_Q4_1 || f == SL_FORMAT_Q5_1 || f == SL_FORMAT_Q2_K || f == SL_FORMAT_Q4_K
        || f == SL_FORMAT_Q5_K;
}

/// What is taken off the unsigned integers as they are packed; 0 for those that are signed or a table's index.
SL_INLINE int sl_format_offset(enum sl_format f)
{
    switch (f) {
    case SL_FORMAT_Q4_0: return 8;
    case SL_FORMAT_Q5_0: return 16;
    case SL_FORMAT_Q3_K: return 4;
    case SL_FORMAT_Q6_K: return 32;
    default: return 0;
    }
}

/// The values that IQ4_NL's nibbles stand for.
#define SL_IQ4_NL_VALUES -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113

/// One row of one block: w[k] stands for s[k / 16] * w[k] + m[k / 16].
struct sl_row_block {
    int32_t w[SL_BLOCK_COLUMNS];
    float s[2];
    float m[2]; // 0 for formats without
};

SL_INLINE float sl_half_at(const uint8_t *p, int64_t index)
{
    uint16_t h;
    memcpy(&h, p + 2 * index, 2);
    return sl_value_from_half(h);
}

/// The scales, and minima, of one row of block `block` of a unit of a K format, as integers. `tiles` are the row's
/// words of the scale tiles: those of the following tiles are SL_TILE_BYTES apart.
SL_INLINE void sl_row_scales(enum sl_format format, const uint8_t *tiles, int block, int32_t s[2], int32_t m[2])
{
    uint8_t bytes[16];
    const int tile_count = sl_layout_of(format).scale_tiles;
    for (int i = 0; i < 4 && i < tile_count; i++) memcpy(bytes + 4 * i, tiles + i * SL_TILE_BYTES, 4);
    m[0] = m[1] = 0;
    for (int h = 0; h < 2; h++) {
        int j = 2 * block + h, c = block % 4;
        switch (format) {
        case SL_FORMAT_Q6_K: s[h] = (int8_t)bytes[j]; break;
        case SL_FORMAT_Q2_K: s[h] = bytes[j] & 15, m[h] = bytes[j] >> 4; break;
        case SL_FORMAT_Q3_K: // 4 low bits in bytes 0 ... 7, the low nibbles first; 2 high bits in bytes 8 ... 11
            s[h] = (bytes[j % 8] >> (j < 8 ? 0 : 4) & 15) | (bytes[8 + j % 4] >> (2 * (j / 4)) & 3) << 4;
            s[h] -= 32;
            break;
        default: // the first four in 6 bits of a byte each, of the others 4 bits here and 2 at the top there
            s[h] = block < 4 ? bytes[c] & 63 : (bytes[8 + c] & 15) | bytes[c] >> 6 << 4;
            m[h] = block < 4 ? bytes[4 + c] & 63 : bytes[8 + c] >> 4 | bytes[4 + c] >> 6 << 4;
        }
    }
}

/// Reads row `row` of block `block` (of all of the panel's).
SL_INLINE void sl_row_block_read(enum sl_format format, const uint8_t *panel, int64_t block, int64_t row,
    struct sl_row_block *out)
{
    static const int8_t values[16] = {SL_IQ4_NL_VALUES};
    struct sl_layout l = sl_layout_of(format);
    int64_t unit_blocks = l.unit_columns / SL_BLOCK_COLUMNS;
    const uint8_t *unit = panel + block / unit_blocks * l.unit_bytes;
    const uint8_t *words = unit + l.blocks + block % unit_blocks * l.block_bytes + 4 * row;
    const uint8_t *two_bits = words + l.nibble_tiles * SL_TILE_BYTES;
    const uint8_t *bits = two_bits + l.two_bit_tiles * SL_TILE_BYTES;
    for (int k = 0; k < SL_BLOCK_COLUMNS; k++) {
        int t = k / 4, b = k % 4, w = 0;
        if (l.byte_tiles) w = (int8_t)words[t * SL_TILE_BYTES + b];
        if (l.nibble_tiles) w = words[t % 4 * SL_TILE_BYTES + b] >> (k < 16 ? 0 : 4) & 15;
        if (l.two_bit_tiles) w |= (two_bits[t / 4 * SL_TILE_BYTES + b] >> (2 * (t % 4)) & 3) << l.nibble_tiles;
        if (l.bit_tiles) w |= (bits[b] >> t & 1) << (l.nibble_tiles ? 4 : 2);
        out->w[k] = format == SL_FORMAT_IQ4_NL ? values[w] : w - sl_format_offset(format);
    }
    float d = sl_half_at(unit + l.scales, row);
    float m = l.half_count > 1 ? sl_half_at(unit + l.scales, SL_PANEL_ROWS + row) : 0.0f;
    out->s[0] = out->s[1] = d;
    out->m[0] = out->m[1] = m;
    if (!l.scale_tiles) return;
    int32_t scale[2], minimum[2];
    const uint8_t *tiles = unit + l.scales + l.half_count * SL_HALVES_BYTES;
    sl_row_scales(format, tiles + 4 * row, (int)(block % unit_blocks), scale, minimum);
    for (int h = 0; h < 2; h++) {
        out->s[h] = d * (float)scale[h];
        out->m[h] = sl_format_has_minimum(format) ? -(m * (float)minimum[h]) : 0.0f;
    }
}
