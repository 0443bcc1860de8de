// One block of a panel of quantised weights, in vectors: its integers as bytes, its scales, and both unpacked for those
// kernels that use them more than once. The including file is inside its target region, has included values.h and
// panel.h there, and has defined
//   SL_LANES           outputs of a vector: 16, 8 or 4 (a panel's 16 rows are 16 / SL_LANES parts)
//   SL_SIGNED_OFFSET   what the dots need added to signed weights: 128, or 0 where they take signed ones
//   SL_DOT_SATURATES   1 where they sum in 16 bits and so depend on the weights' range
//   vi, vf             vectors of SL_LANES 32-bit integers (or 4 * SL_LANES bytes) and of floats
//   v_load, v_store, v_zero, v_bytes, v_set, v_and, v_or, v_add8, v_sub,
//   v_shl, v_shr, v_sar (by any number of bits, in 32-bit lanes), v_to_float, v_lookup(v_load16(table), indices 0...15)
//   f_store (aligned), f_zero, f_load_half, f_add, f_mul, f_fma, f_negate
//   sum_pair(range, acc, w0, w1), sum_total(range, acc)
//                      sums of the 4 weights of a lane and pair
// where `range` is of the weights as the dots see them (enum range), a constant in every call.
#pragma once

enum range { BELOW_16, BELOW_32, BELOW_64, SIGNED_BYTES };

enum { PARTS = SL_PANEL_ROWS / SL_LANES, PART_BYTES = 4 * SL_LANES };

// MARK: What sets formats apart. All of it is constant in every call.

struct traits {
    enum range range;
    int offset; // what the integers that are multiplied have too much
};

/// As a panel holds the integers; signed ones come with SL_SIGNED_OFFSET added.
SL_INLINE struct traits packed_traits(enum sl_format f)
{
    switch (f) {
    case SL_FORMAT_Q8_0:
    case SL_FORMAT_IQ4_NL: return (struct traits){SIGNED_BYTES, SL_SIGNED_OFFSET};
    case SL_FORMAT_Q5_0:
    case SL_FORMAT_Q5_1:
    case SL_FORMAT_Q5_K: return (struct traits){BELOW_32, sl_format_offset(f)};
    case SL_FORMAT_Q6_K: return (struct traits){BELOW_64, sl_format_offset(f)};
    default: return (struct traits){BELOW_16, sl_format_offset(f)};
    }
}

/// As they are unpacked. Formats of one shape share the code that multiplies them, so unpacking makes them alike.
enum shape { PLAIN, PLAIN_8, PLAIN_16, MINIMUM, MINIMUM_32, HALVES, HALVES_MINIMUM, SHAPE_COUNT };

SL_INLINE enum shape shape_of(enum sl_format f)
{
    if (sl_format_has_halves(f)) return sl_format_has_minimum(f) ? HALVES_MINIMUM : HALVES;
    enum range range = packed_traits(f).range;
    if (sl_format_has_minimum(f)) return SL_DOT_SATURATES && range == BELOW_32 ? MINIMUM_32 : MINIMUM;
    if (!SL_DOT_SATURATES || range == SIGNED_BYTES) return PLAIN;
    return range == BELOW_32 ? PLAIN_16 : PLAIN_8;
}

SL_INLINE struct traits unpacked_traits(enum shape s)
{
    switch (s) {
    case PLAIN_8: return (struct traits){BELOW_16, 8};
    case PLAIN_16: return (struct traits){BELOW_32, 16};
    case MINIMUM:
    case HALVES_MINIMUM: return (struct traits){BELOW_16, 0};
    case MINIMUM_32: return (struct traits){BELOW_32, 0};
    case HALVES:
        return SL_DOT_SATURATES ? (struct traits){BELOW_64, 32} : (struct traits){SIGNED_BYTES, SL_SIGNED_OFFSET};
    default: return (struct traits){SIGNED_BYTES, SL_SIGNED_OFFSET};
    }
}
SL_INLINE int shape_has_halves(enum shape s) { return s == HALVES || s == HALVES_MINIMUM; }
SL_INLINE int shape_has_minimum(enum shape s) { return s == MINIMUM || s == MINIMUM_32 || s == HALVES_MINIMUM; }

// MARK: One block of a panel

/// Tile t of a block, as bytes of packed_traits. `block` points to the part in its integers.
SL_INLINE vi load_tile(enum sl_format f, const uint8_t *block, int t)
{
    static const int8_t values[16] __attribute__((aligned(16))) = {SL_IQ4_NL_VALUES};
    const struct sl_layout l = sl_layout_of(f);
    const uint8_t *two_bits = block + l.nibble_tiles * SL_TILE_BYTES;
    const uint8_t *bits = two_bits + l.two_bit_tiles * SL_TILE_BYTES;
    if (f == SL_FORMAT_Q8_0) {
        vi w = v_load(block + t * SL_TILE_BYTES);
        return SL_SIGNED_OFFSET ? v_add8(w, v_bytes(SL_SIGNED_OFFSET)) : w;
    }
    vi w = v_zero();
    if (l.nibble_tiles) {
        vi v = v_load(block + t % 4 * SL_TILE_BYTES);
        w = v_and(t < 4 ? v : v_shr(v, 4), v_bytes(15));
    }
    if (f == SL_FORMAT_IQ4_NL) {
        w = v_lookup(v_load16(values), w);
        return SL_SIGNED_OFFSET ? v_add8(w, v_bytes(SL_SIGNED_OFFSET)) : w;
    }
    if (l.two_bit_tiles) {
        vi v = v_load(two_bits + t / 4 * SL_TILE_BYTES);
        int up = l.nibble_tiles ? 4 : 0, at = 2 * (t % 4);
        v = at > up ? v_shr(v, at - up) : at < up ? v_shl(v, up - at) : v;
        v = v_and(v, v_bytes(3 << up));
        w = l.nibble_tiles ? v_or(w, v) : v;
    }
    if (l.bit_tiles) {
        vi v = v_load(bits);
        int up = l.nibble_tiles ? 4 : 2;
        v = t > up ? v_shr(v, t - up) : t < up ? v_shl(v, up - t) : v;
        w = v_or(w, v_and(v, v_bytes(1 << up)));
    }
    return w;
}

/// Scales, and minima, of one part of a block: of its halves, or the first alone.
struct scales {
    vf s[2];
    vf m[2];
};

/// Of block `j` of a unit. `unit` is the whole unit, `part` a constant or not.
SL_INLINE struct scales load_scales(enum sl_format f, const uint8_t *unit, int j, int part)
{
    const struct sl_layout l = sl_layout_of(f);
    struct scales r;
    const uint8_t *halves = unit + l.scales + 2 * SL_LANES * part;
    vf d = f_load_half(halves), m = f_zero();
    if (l.half_count > 1) m = f_load_half(halves + SL_HALVES_BYTES);
    r.s[0] = r.s[1] = d;
    r.m[0] = r.m[1] = m;
    if (!l.scale_tiles) return r;
    m = f_negate(m);
    const uint8_t *tiles = unit + l.half_count * SL_HALVES_BYTES + PART_BYTES * part;
    if (f == SL_FORMAT_Q4_K || f == SL_FORMAT_Q5_K) {
        int at = j % 4 * 8;
        vi s = v_load(tiles), n = v_load(tiles + SL_TILE_BYTES);
        if (j < 4) {
            s = v_and(v_shr(s, at), v_set(63));
            n = v_and(v_shr(n, at), v_set(63));
        } else {
            vi low = v_load(tiles + 2 * SL_TILE_BYTES);
            s = v_or(v_and(v_shr(low, at), v_set(15)), v_and(v_shr(s, at + 2), v_set(48)));
            n = v_or(v_and(v_shr(low, at + 4), v_set(15)), v_and(v_shr(n, at + 2), v_set(48)));
        }
        r.s[0] = f_mul(d, v_to_float(s));
        r.m[0] = f_mul(m, v_to_float(n));
        return r;
    }
    int at = j % 2 * 16;
    if (f == SL_FORMAT_Q3_K) {
        vi low = v_shr(v_load(tiles + j / 2 % 2 * SL_TILE_BYTES), at + (j < 4 ? 0 : 4));
        vi high = v_shr(v_load(tiles + 2 * SL_TILE_BYTES), at + j / 2 * 2);
        for (int h = 0; h < 2; h++) {
            vi s = v_or(v_and(v_shr(low, 8 * h), v_set(15)), v_shl(v_and(v_shr(high, 8 * h), v_set(3)), 4));
            r.s[h] = f_mul(d, v_to_float(v_sub(s, v_set(32))));
        }
        return r;
    }
    vi word = v_load(tiles + j / 2 * SL_TILE_BYTES);
    for (int h = 0; h < 2; h++) {
        if (f == SL_FORMAT_Q6_K) {
            r.s[h] = f_mul(d, v_to_float(v_sar(v_shl(word, 24 - 8 * h - at), 24)));
        } else {
            r.s[h] = f_mul(d, v_to_float(v_and(v_shr(word, at + 8 * h), v_set(15))));
            r.m[h] = f_mul(m, v_to_float(v_and(v_shr(word, at + 8 * h + 4), v_set(15))));
        }
    }
    return r;
}
// MARK: Unpacked: once for all that use it

/// One block of a panel, in the form of its shape.
struct unpacked_block {
    uint8_t w[8][SL_TILE_BYTES];
    float s[2][SL_PANEL_ROWS]; // scales, of the halves or the first alone
    float ws[SL_PANEL_ROWS];   // integer sum times scale
    float m[2][SL_PANEL_ROWS]; // minima
} __attribute__((aligned(64)));

SL_INLINE void unpack_block(enum sl_format format, const uint8_t *unit, int j, struct unpacked_block *out)
{
    const struct sl_layout l = sl_layout_of(format);
    const struct traits packed = packed_traits(format), unpacked = unpacked_traits(shape_of(format));
    for (int part = 0; part < PARTS; part++) {
        const uint8_t *block = unit + l.blocks + j * l.block_bytes + part * PART_BYTES;
        struct scales c = load_scales(format, unit, j, part);
        vf total = f_zero();
        _Pragma("clang loop unroll(full)") for (int h = 0; h < 2; h++) {
            vi bytes = v_zero(), sum = v_zero();
            _Pragma("clang loop unroll(full)") for (int t = 4 * h; t < 4 * h + 4; t += 2) {
                vi w0 = load_tile(format, block, t), w1 = load_tile(format, block, t + 1);
                if (packed.range == SIGNED_BYTES) sum = sum_pair(packed.range, sum, w0, w1);
                else bytes = v_add8(bytes, v_add8(w0, w1));
                if (unpacked.offset != packed.offset) {
                    w0 = v_add8(w0, v_bytes(unpacked.offset - packed.offset));
                    w1 = v_add8(w1, v_bytes(unpacked.offset - packed.offset));
                }
                v_store(out->w[t] + part * PART_BYTES, w0);
                v_store(out->w[t + 1] + part * PART_BYTES, w1);
            }
            if (packed.range != SIGNED_BYTES) sum = sum_pair(packed.range, sum, bytes, v_zero());
            sum = v_sub(sum_total(packed.range, sum), v_set(packed.offset * 16));
            if (sl_format_has_halves(format)) {
                total = h ? f_fma(v_to_float(sum), c.s[1], total) : f_mul(v_to_float(sum), c.s[0]);
                f_store(out->s[h] + part * SL_LANES, c.s[h]);
                if (sl_format_has_minimum(format)) f_store(out->m[h] + part * SL_LANES, c.m[h]);
            } else {
                total = f_add(total, v_to_float(sum)); // exact
            }
        }
        if (!sl_format_has_halves(format)) {
            total = f_mul(total, c.s[0]);
            f_store(out->s[0] + part * SL_LANES, c.s[0]);
            if (sl_format_has_minimum(format)) f_store(out->m[0] + part * SL_LANES, c.m[0]);
        }
        f_store(out->ws + part * SL_LANES, total);
    }
}
