#include "../include/sl_pack.h"

#include <string.h>

#include "values.h"
#include "panel.h"

/// Where things stand in a row's block of a model file, in bytes; -1 for what the format has not.
struct file_block {
    int32_t bytes;
    int32_t d;
    int32_t m;        // or dmin
    int32_t scales;
    int32_t integers; // the low bits
    int32_t high_bits;
};

static struct file_block file_block_of(enum sl_format format)
{
    switch (format) {
    case SL_FORMAT_Q4_1: return (struct file_block){20, 0, 2, -1, 4, -1};
    case SL_FORMAT_Q5_0: return (struct file_block){22, 0, -1, -1, 6, 2};
    case SL_FORMAT_Q5_1: return (struct file_block){24, 0, 2, -1, 8, 4};
    case SL_FORMAT_Q8_0: return (struct file_block){34, 0, -1, -1, 2, -1};
    case SL_FORMAT_Q2_K: return (struct file_block){84, 80, 82, 0, 16, -1};
    case SL_FORMAT_Q3_K: return (struct file_block){110, 108, -1, 96, 32, 0};
    case SL_FORMAT_Q4_K: return (struct file_block){144, 0, 2, 4, 16, -1};
    case SL_FORMAT_Q5_K: return (struct file_block){176, 0, 2, 4, 48, 16};
    case SL_FORMAT_Q6_K: return (struct file_block){210, 208, -1, 192, 0, 128};
    default: return (struct file_block){18, 0, -1, -1, 2, -1};
    }
}

static int is_float(enum sl_format format) { return format <= SL_FORMAT_BF16; }

static int64_t element_bytes(enum sl_format format) { return format == SL_FORMAT_F32 ? 4 : 2; }

static int64_t round_up(int64_t n, int64_t m) { return (n + m - 1) / m * m; }

int64_t sl_pack_panel_bytes(enum sl_format format, int64_t columns)
{
    if (is_float(format)) return round_up(columns * SL_PANEL_ROWS * element_bytes(format), 64);
    struct sl_layout l = sl_layout_of(format);
    return round_up(columns / l.unit_columns * l.unit_bytes, 64);
}

static int half_is_finite(uint16_t h) { return (h & 0x7c00u) != 0x7c00u; }

// MARK: A row's integers, from the file's order to the tiles'. `out` is the row's word of a block's first tile.

static uint32_t word_at(const uint8_t *p)
{
    uint32_t w;
    memcpy(&w, p, 4);
    return w;
}

SL_INLINE void put_word(uint8_t *out, int tile, uint32_t w) { memcpy(out + tile * SL_TILE_BYTES, &w, 4); }

static void put_words(uint8_t *out, const uint8_t *in, int count)
{
    for (int t = 0; t < count; t++) put_word(out, t, word_at(in + 4 * t));
}

/// 32 nibbles, one a byte of `in`, its low or its high one.
static void put_nibbles(uint8_t *out, const uint8_t *in, int high)
{
    for (int t = 0; t < 4; t++) {
        uint32_t a = word_at(in + 4 * t), b = word_at(in + 16 + 4 * t);
        a = high ? a >> 4 : a;
        b = high ? b : b << 4;
        put_word(out, t, (a & 0x0f0f0f0fu) | (b & 0xf0f0f0f0u));
    }
}

/// 32 two-bit integers, one a byte of `in`, `shift` bits up.
static void put_two_bits(uint8_t *out, const uint8_t *in, int shift)
{
    for (int h = 0; h < 2; h++) {
        uint32_t w = 0;
        for (int i = 0; i < 4; i++) w |= (word_at(in + 16 * h + 4 * i) >> shift & 0x03030303u) << 2 * i;
        put_word(out, h, w);
    }
}

/// 32 bits of `in`, bit k for column k.
static void put_bits(uint8_t *out, uint32_t in)
{
    uint32_t w = 0;
    for (int b = 0; b < 4; b++) {
        uint32_t x = in >> b & 0x11111111u; // every fourth bit, drawn together
        x = (x | x >> 3) & 0x03030303u;
        x = (x | x >> 6) & 0x000f000fu;
        w |= ((x | x >> 12) & 0xffu) << 8 * b;
    }
    put_word(out, 0, w);
}

/// Bit i of byte t becomes bit t of byte i.
static uint64_t transpose_bits(uint64_t x)
{
    uint64_t t = (x ^ x >> 7) & 0x00aa00aa00aa00aaull;
    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & 0x0000cccc0000ccccull;
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & 0x00000000f0f0f0f0ull;
    return x ^ t ^ t << 28;
}

/// Bit `block` of each of 32 bytes, for the eight blocks of a unit; their tiles are `block_bytes` apart.
static void put_bit_planes(uint8_t *out, const uint8_t *in, int64_t block_bytes)
{
    uint32_t words[8] = {0};
    for (int b = 0; b < 4; b++) {
        uint64_t x = 0;
        for (int t = 0; t < 8; t++) x |= (uint64_t)in[4 * t + b] << 8 * t;
        x = transpose_bits(x);
        for (int block = 0; block < 8; block++) words[block] |= (uint32_t)(x >> 8 * block & 0xff) << 8 * b;
    }
    for (int block = 0; block < 8; block++) put_word(out + block * block_bytes, 0, words[block]);
}

SL_INLINE void put_integers(enum sl_format format, const uint8_t *in, struct file_block f, struct sl_layout l,
    uint8_t *out)
{
    const uint8_t *low = in + f.integers, *high = f.high_bits < 0 ? in : in + f.high_bits;
    int64_t step = l.block_bytes, high_tile = l.nibble_tiles * SL_TILE_BYTES;
    switch (format) {
    case SL_FORMAT_Q5_0:
    case SL_FORMAT_Q5_1: put_bits(out + high_tile, word_at(high)); // fall through
    case SL_FORMAT_Q4_0:
    case SL_FORMAT_Q4_1:
    case SL_FORMAT_IQ4_NL: put_words(out, low, 4); break;
    case SL_FORMAT_Q8_0: put_words(out, low, 8); break;
    case SL_FORMAT_Q2_K:
    case SL_FORMAT_Q3_K:
        for (int b = 0; b < 8; b++) put_two_bits(out + b * step, low + b / 4 * 32, 2 * (b % 4));
        if (format == SL_FORMAT_Q3_K) put_bit_planes(out + 2 * SL_TILE_BYTES, high, step);
        break;
    case SL_FORMAT_Q4_K:
    case SL_FORMAT_Q5_K:
        for (int b = 0; b < 8; b++) put_nibbles(out + b * step, low + b / 2 * 32, b % 2);
        if (format == SL_FORMAT_Q5_K) put_bit_planes(out + high_tile, high, step);
        break;
    default: // Q6_K
        for (int b = 0; b < 8; b++) {
            put_nibbles(out + b * step, low + b / 4 * 64 + b % 2 * 32, b % 4 / 2);
            put_two_bits(out + b * step + high_tile, high + b / 4 * 32, 2 * (b % 4));
        }
    }
}

SL_INLINE int64_t pack_quantised(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns,
    uint8_t *panel)
{
    const struct sl_layout l = sl_layout_of(format);
    const struct file_block f = file_block_of(format);
    int64_t unit_count = columns / l.unit_columns, bad_row = SL_PANEL_ROWS;
    for (int64_t u = 0; u < unit_count; u++, panel += l.unit_bytes) {
        for (int64_t r = 0; r < row_count; r++) {
            const uint8_t *in = source + (r * unit_count + u) * f.bytes;
            uint8_t *scales = panel + l.scales;
            put_integers(format, in, f, l, panel + l.blocks + 4 * r);
            for (int i = 0; i < l.half_count; i++) {
                uint16_t h;
                memcpy(&h, in + (i == 0 ? f.d : f.m), 2);
                if (!half_is_finite(h) && r < bad_row) bad_row = r;
                memcpy(scales + i * SL_HALVES_BYTES + 2 * r, &h, 2);
            }
            if (l.scale_tiles) put_words(scales + l.half_count * SL_HALVES_BYTES + 4 * r, in + f.scales, l.scale_tiles);
        }
    }
    return bad_row < SL_PANEL_ROWS ? bad_row : -1;
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
    switch (format) { // each its own loop, in which the layout is constant
#define SL_PACK_CASE(f) \
    case f: return pack_quantised(f, source, row_count, columns, panel);
        SL_PACK_CASE(SL_FORMAT_Q4_0)
        SL_PACK_CASE(SL_FORMAT_Q4_1)
        SL_PACK_CASE(SL_FORMAT_Q5_0)
        SL_PACK_CASE(SL_FORMAT_Q5_1)
        SL_PACK_CASE(SL_FORMAT_Q8_0)
        SL_PACK_CASE(SL_FORMAT_IQ4_NL)
        SL_PACK_CASE(SL_FORMAT_Q2_K)
        SL_PACK_CASE(SL_FORMAT_Q3_K)
        SL_PACK_CASE(SL_FORMAT_Q4_K)
        SL_PACK_CASE(SL_FORMAT_Q5_K)
        SL_PACK_CASE(SL_FORMAT_Q6_K)
    default: return pack_float(format, source, row_count, columns, panel);
    }
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
    for (int64_t b = 0; b < columns / SL_BLOCK_COLUMNS; b++, values += SL_BLOCK_COLUMNS) {
        struct sl_row_block block;
        sl_row_block_read(format, panel, b, row, &block);
        for (int k = 0; k < SL_BLOCK_COLUMNS; k++) {
            values[k] = block.s[k / 16] * (float)block.w[k];
            if (sl_format_has_minimum(format)) values[k] += block.m[k / 16];
        }
    }
}
