#include "../include/sl_pack.h"

#include <string.h>

#include "values.h"
#include "panel.h"

/// The longest block of a row, in bytes: Q6_K's.
enum { FILE_BLOCK_BYTES_MAX = 210 };

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

static int64_t used_panel_bytes(enum sl_format format, int64_t columns)
{
    if (is_float(format)) return columns * SL_PANEL_ROWS * element_bytes(format);
    struct sl_layout l = sl_layout_of(format);
    return columns / l.unit_columns * l.unit_bytes;
}

int64_t sl_pack_panel_bytes(enum sl_format format, int64_t columns)
{
    return round_up(used_panel_bytes(format, columns), 64);
}

// MARK: Words of 16 rows
//
// Bytes are brought into tiles first, 4 bytes of each of 16 rows. What is left to do is then the same for every row,
// and the compiler does it for several at once on any processor.

/// One word of each of 16 rows.
typedef uint32_t tile __attribute__((vector_size(SL_TILE_BYTES)));
/// One f16 of each of 16 rows.
typedef uint16_t halves __attribute__((vector_size(SL_HALVES_BYTES)));
typedef uint32_t words4 __attribute__((vector_size(16)));

SL_INLINE words4 words4_at(const uint8_t *p)
{
    words4 w;
    memcpy(&w, p, sizeof w);
    return w;
}

/// tiles[t] = word t of each row, of 4; rows lie `stride` bytes apart.
SL_INLINE void take_4_tiles(tile *tiles, const uint8_t *in, int64_t stride)
{
    uint8_t *out = (uint8_t *)tiles;
    for (int r = 0; r < SL_PANEL_ROWS; r += 4, in += 4 * stride, out += 16) {
        words4 a = words4_at(in), b = words4_at(in + stride), c = words4_at(in + 2 * stride),
               d = words4_at(in + 3 * stride);
        words4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
        words4 w0 = __builtin_shufflevector(ab, cd, 0, 1, 4, 5), w1 = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
        ab = __builtin_shufflevector(a, b, 2, 6, 3, 7), cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
        words4 w2 = __builtin_shufflevector(ab, cd, 0, 1, 4, 5), w3 = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
        memcpy(out, &w0, 16);
        memcpy(out + SL_TILE_BYTES, &w1, 16);
        memcpy(out + 2 * SL_TILE_BYTES, &w2, 16);
        memcpy(out + 3 * SL_TILE_BYTES, &w3, 16);
    }
}

SL_INLINE void take_tiles(tile *tiles, const uint8_t *in, int64_t stride, int64_t count)
{
    int64_t t = 0;
    for (; t + 4 <= count; t += 4) take_4_tiles(tiles + t, in + 4 * t, stride);
    for (; t < count; t++) {
        for (int r = 0; r < SL_PANEL_ROWS; r++) memcpy((uint8_t *)(tiles + t) + 4 * r, in + r * stride + 4 * t, 4);
    }
}

SL_INLINE void put_tiles(uint8_t *out, const tile *tiles, int count)
{
    memcpy(out, tiles, (size_t)count * SL_TILE_BYTES);
}

/// One f16 of each row.
SL_INLINE void put_halves(uint8_t *out, const uint8_t *in, int64_t stride, halves *bad)
{
    halves h;
    for (int r = 0; r < SL_PANEL_ROWS; r++) memcpy((uint8_t *)&h + 2 * r, in + r * stride, 2);
    *bad |= (halves)((h & 0x7c00) == 0x7c00);
    memcpy(out, &h, sizeof h);
}

// MARK: Integers, from the file's order to the tiles'

/// 32 nibbles, one a byte of 8 words, their low or their high one.
SL_INLINE void put_nibbles(uint8_t *out, const tile *in, int high)
{
    for (int t = 0; t < 4; t++) {
        tile a = in[t], b = in[4 + t];
        a = high ? (a >> 4 & 0x0f0f0f0fu) | (b & 0xf0f0f0f0u) : (a & 0x0f0f0f0fu) | (b & 0x0f0f0f0fu) << 4;
        put_tiles(out + t * SL_TILE_BYTES, &a, 1);
    }
}

/// 32 two-bit integers, one a byte of 8 words, `shift` bits up.
SL_INLINE void put_two_bits(uint8_t *out, const tile *in, int shift)
{
    for (int h = 0; h < 2; h++) {
        tile w = in[4 * h] >> shift & 0x03030303u;
        for (int i = 1; i < 4; i++) w |= (in[4 * h + i] >> shift & 0x03030303u) << 2 * i;
        put_tiles(out + h * SL_TILE_BYTES, &w, 1);
    }
}

/// 32 bits, one a byte of 8 words, `shift` bits up.
SL_INLINE void put_bits(uint8_t *out, const tile *in, int shift)
{
    tile w = in[0] >> shift & 0x01010101u;
    for (int t = 1; t < 8; t++) w |= (in[t] >> shift & 0x01010101u) << t;
    put_tiles(out, &w, 1);
}

/// 32 bits of one word, bit k for column k.
SL_INLINE void put_bits_of_word(uint8_t *out, const tile *in)
{
    tile w = {0};
    for (int b = 0; b < 4; b++) {
        tile x = *in >> b & 0x11111111u; // every fourth bit, drawn together
        x = (x | x >> 3) & 0x03030303u;
        x = (x | x >> 6) & 0x000f000fu;
        w |= ((x | x >> 12) & 0xffu) << 8 * b;
    }
    put_tiles(out, &w, 1);
}

/// The integers of a unit of 256 columns; `out` is where its first block's begin.
SL_INLINE void put_k_integers(enum sl_format format, const uint8_t *in, int64_t stride, struct file_block f,
    struct sl_layout l, uint8_t *out)
{
    tile low[32], high[16];
    int64_t step = l.block_bytes, high_tile = l.nibble_tiles * SL_TILE_BYTES;
    take_tiles(low, in + f.integers, stride, l.nibble_tiles ? 32 : 16);
    if (f.high_bits >= 0) take_tiles(high, in + f.high_bits, stride, format == SL_FORMAT_Q6_K ? 16 : 8);
    for (int b = 0; b < 8; b++, out += step) {
        switch (format) {
        case SL_FORMAT_Q2_K:
        case SL_FORMAT_Q3_K:
            put_two_bits(out, low + b / 4 * 8, 2 * (b % 4));
            if (format == SL_FORMAT_Q3_K) put_bits(out + 2 * SL_TILE_BYTES, high, b);
            break;
        case SL_FORMAT_Q6_K:
            put_nibbles(out, low + b / 4 * 16 + b % 2 * 8, b % 4 / 2);
            put_two_bits(out + high_tile, high + b / 4 * 8, 2 * (b % 4));
            break;
        default: // Q4_K, Q5_K
            put_nibbles(out, low + b / 2 * 8, b % 2);
            if (format == SL_FORMAT_Q5_K) put_bits(out + high_tile, high, b);
        }
    }
}

/// The same of a unit of 32.
SL_INLINE void put_integers(const uint8_t *in, int64_t stride, struct file_block f, struct sl_layout l, uint8_t *out)
{
    tile words[8];
    int count = l.nibble_tiles + l.byte_tiles;
    take_tiles(words, in + f.integers, stride, count);
    put_tiles(out, words, count);
    if (!l.bit_tiles) return;
    take_tiles(words, in + f.high_bits, stride, 1);
    put_bits_of_word(out + count * SL_TILE_BYTES, words);
}

/// One unit of 16 rows, `stride` bytes apart.
SL_INLINE void pack_unit(enum sl_format format, const uint8_t *in, int64_t stride, uint8_t *unit, halves *bad)
{
    const struct sl_layout l = sl_layout_of(format);
    const struct file_block f = file_block_of(format);
    uint8_t *scales = unit + l.scales;
    put_halves(scales, in + f.d, stride, bad);
    if (l.half_count > 1) put_halves(scales + SL_HALVES_BYTES, in + f.m, stride, bad);
    if (!l.scale_tiles) {
        put_integers(in, stride, f, l, unit + l.blocks);
        return;
    }
    tile words[4];
    take_tiles(words, in + f.scales, stride, l.scale_tiles);
    put_tiles(scales + l.half_count * SL_HALVES_BYTES, words, l.scale_tiles);
    put_k_integers(format, in, stride, f, l, unit + l.blocks);
}

/// The first row whose lane is set, or -1.
static int64_t first_bad_row(const halves *bad)
{
    for (int r = 0; r < SL_PANEL_ROWS; r++) {
        if ((*bad)[r]) return r;
    }
    return -1;
}

SL_INLINE int64_t pack_quantised(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns,
    uint8_t *panel)
{
    const struct sl_layout l = sl_layout_of(format);
    const int64_t block_bytes = file_block_of(format).bytes, unit_count = columns / l.unit_columns;
    int64_t stride = unit_count * block_bytes;
    halves bad = {0};
    if (row_count == SL_PANEL_ROWS) {
        for (int64_t u = 0; u < unit_count; u++) {
            pack_unit(format, source + u * block_bytes, stride, panel + u * l.unit_bytes, &bad);
        }
        return first_bad_row(&bad);
    }
    uint8_t rows[SL_PANEL_ROWS * FILE_BLOCK_BYTES_MAX] = {0}; // the missing ones stay zero
    for (int64_t u = 0; u < unit_count; u++) {
        for (int64_t r = 0; r < row_count; r++) {
            memcpy(rows + r * block_bytes, source + r * stride + u * block_bytes, (size_t)block_bytes);
        }
        pack_unit(format, rows, block_bytes, panel + u * l.unit_bytes, &bad);
    }
    return first_bad_row(&bad);
}

// MARK: Floats

/// Columns of 16 whole rows: their words are the tiles.
static int64_t pack_words(const uint8_t *source, int64_t columns, uint8_t *panel)
{
    tile bad = {0}, tiles[4];
    int64_t k = 0;
    for (; k + 4 <= columns; k += 4) {
        take_4_tiles(tiles, source + 4 * k, 4 * columns);
        for (int i = 0; i < 4; i++) bad |= (tile)((tiles[i] & 0x7f800000u) == 0x7f800000u);
        put_tiles(panel + k * SL_TILE_BYTES, tiles, 4);
    }
    for (; k < columns; k++) {
        take_tiles(tiles, source + 4 * k, 4 * columns, 1);
        bad |= (tile)((tiles[0] & 0x7f800000u) == 0x7f800000u);
        put_tiles(panel + k * SL_TILE_BYTES, tiles, 1);
    }
    const halves bad_rows = __builtin_convertvector(bad, halves);
    return first_bad_row(&bad_rows);
}

/// The same of two bytes each; `exponent` is the mask of its bits.
static int64_t pack_halves(const uint8_t *source, int64_t columns, uint16_t exponent, uint8_t *panel)
{
    halves bad = {0};
    tile tiles[4];
    int64_t k = 0;
    for (; k + 8 <= columns; k += 8) {
        take_4_tiles(tiles, source + 2 * k, 2 * columns);
        for (int i = 0; i < 4; i++) {
            halves first = __builtin_convertvector(tiles[i], halves);
            halves second = __builtin_convertvector(tiles[i] >> 16, halves);
            bad |= (halves)((first & exponent) == exponent) | (halves)((second & exponent) == exponent);
            memcpy(panel + (k + 2 * i) * SL_HALVES_BYTES, &first, sizeof first);
            memcpy(panel + (k + 2 * i + 1) * SL_HALVES_BYTES, &second, sizeof second);
        }
    }
    for (; k < columns; k++) {
        halves h;
        for (int r = 0; r < SL_PANEL_ROWS; r++) memcpy((uint8_t *)&h + 2 * r, source + 2 * (r * columns + k), 2);
        bad |= (halves)((h & exponent) == exponent);
        memcpy(panel + k * SL_HALVES_BYTES, &h, sizeof h);
    }
    return first_bad_row(&bad);
}

static int element_is_finite(enum sl_format format, const uint8_t *p)
{
    uint16_t h;
    uint32_t w;
    switch (format) {
    case SL_FORMAT_F32: memcpy(&w, p, 4); return (w & 0x7f800000u) != 0x7f800000u;
    case SL_FORMAT_F16: memcpy(&h, p, 2); return (h & 0x7c00u) != 0x7c00u;
    default: memcpy(&h, p, 2); return (h & 0x7f80u) != 0x7f80u;
    }
}

/// Fewer than 16 rows, an element at a time; the rest is zero already.
static int64_t pack_float_rows(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns,
    uint8_t *panel)
{
    int64_t size = element_bytes(format), bad_row = -1;
    for (int64_t r = 0; r < row_count; r++) {
        for (int64_t k = 0; k < columns; k++) {
            const uint8_t *in = source + (r * columns + k) * size;
            if (!element_is_finite(format, in) && bad_row < 0) bad_row = r;
            memcpy(panel + (k * SL_PANEL_ROWS + r) * size, in, (size_t)size);
        }
    }
    return bad_row;
}

static int64_t pack_float(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns,
    uint8_t *panel)
{
    if (row_count < SL_PANEL_ROWS) {
        memset(panel, 0, (size_t)used_panel_bytes(format, columns));
        return pack_float_rows(format, source, row_count, columns, panel);
    }
    if (format == SL_FORMAT_F32) return pack_words(source, columns, panel);
    return pack_halves(source, columns, format == SL_FORMAT_F16 ? 0x7c00 : 0x7f80, panel);
}

int64_t sl_pack_panel(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns, uint8_t *panel)
{
    int64_t used = used_panel_bytes(format, columns);
    memset(panel + used, 0, (size_t)(round_up(used, 64) - used)); // every byte of a panel has one value
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
