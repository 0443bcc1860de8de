// Quantised weights times int8 activations, for every SIMD path. The including file is inside its target region, has
// included values.h and panel.h there, and has defined what weight_block.h needs and
//   SL_NAME(x)         the name of a public function
//   SL_GROUP           rows of activations that share one pass over unpacked weights: as many as registers allow
//   SL_FEW             rows that share weights unpacked in registers, at most
//   SL_FEW_GROUPS      up to so many groups of such rows unpack for themselves; more are worth unpacking into the cache
//   SL_FEW_GROUPS_SIMPLE  the same of the formats that are unpacked most simply
//   SL_STREAMS         panels that are read side by side for one row (docs/benchmarks.md: several streams are faster)
//   fetch_ahead        fetches weights that come later (fetch.h)
//   v_broadcast (4 bytes at an address), v_word (4 bytes, number t of many)
//   f_load, f_load_any, f_store_any, f_broadcast
//   dot_start(range, bias), dot_pair(range, acc, w0, q0, w1, q1), dot_total(range, acc, bias)
//                      4 products a lane and pair; `bias` is taken into account by either the first or the last
//   sum_pair(range, acc, w0, w1), sum_total(range, acc)
//                      the same with 1 for q
//
// Lanes are outputs and each lane is one chain over the blocks, so neither SL_LANES nor SL_GROUP shows in the bits.
#include "weight_block.h"

enum {
    SL_STREAM_FETCH_BYTES = 1024, // that streams are ahead of themselves
    CHUNK_BLOCKS = 16, // of unpacked weights: with a group's activations within the first-level cache
    SUM_GROUPS = 8     // groups that use a chunk before it is unpacked again
};

/// Rows for which registers are enough; halves need one more a row.
SL_INLINE int few_rows(enum sl_format f) { return sl_format_has_halves(f) && SL_FEW > 8 ? 8 : SL_FEW; }
/// The bias that takes an offset off again, from -128 times the sum of q.
SL_INLINE vi load_bias(int offset, const int32_t *bias)
{
    switch (offset) {
    case 128: return v_broadcast(bias);
    case 32: return v_set(*bias >> 2);
    case 16: return v_set(*bias >> 3);
    case 8: return v_set(*bias >> 4);
    case 4: return v_set(*bias >> 5);
    default: return v_zero();
    }
}
// MARK: A few rows, where reading the weights is all the work: unpacked in registers

#define SL_EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)

/// The integer products of half `half` (or of all 32 columns, -1) of a block and each row, as floats times the scale:
/// f[r] = float(i) * s, or with `continues` f[r] = fma(float(i), s, f[r]). Gives the weights' sum in the same way.
SL_INLINE vf few_products(enum sl_format format, const int rows, const uint8_t *block, int half,
    const struct sl_block *x, int64_t stride, vf s, vf *f, vf total, const int continues)
{
    const struct traits t = packed_traits(format);
    vi acc[SL_FEW], bytes = v_zero(), sum = v_zero();
#define SL_FEW_BIAS(r) load_bias(t.offset, half < 0 ? &x[(r) * stride].bias : x[(r) * stride].half_bias + half)
    SL_EACH_ROW acc[r] = dot_start(t.range, SL_FEW_BIAS(r));
    _Pragma("clang loop unroll(full)") for (int i = 0; i < (half < 0 ? 4 : 2); i++) {
        // Of nibbles, the two tiles of a pair come out of the same bytes.
        const int t0 = half < 0 ? (format == SL_FORMAT_Q8_0 ? 2 * i : i) : 4 * half + 2 * i;
        const int t1 = half < 0 && format != SL_FORMAT_Q8_0 ? t0 + 4 : t0 + 1;
        vi w0 = load_tile(format, block, t0), w1 = load_tile(format, block, t1);
        if (t.range == SIGNED_BYTES) sum = sum_pair(t.range, sum, w0, w1);
        else bytes = v_add8(bytes, v_add8(w0, w1));
        SL_EACH_ROW acc[r] = dot_pair(t.range, acc[r], w0, v_word(x[r * stride].q, t0), w1,
            v_word(x[r * stride].q, t1));
    }
    if (t.range != SIGNED_BYTES) sum = sum_pair(t.range, sum, bytes, v_zero());
    sum = sum_total(t.range, sum);
    if (t.offset) sum = v_sub(sum, v_set(t.offset * (half < 0 ? 32 : 16)));
    SL_EACH_ROW {
        vf i = v_to_float(dot_total(t.range, acc[r], SL_FEW_BIAS(r)));
        f[r] = continues ? f_fma(i, s, f[r]) : f_mul(i, s);
    }
#undef SL_FEW_BIAS
    return continues ? f_fma(v_to_float(sum), s, total) : f_mul(v_to_float(sum), s);
}

/// carried += what one block stands for, of a unit's block `j`.
SL_INLINE void add_few(enum sl_format format, const int rows, const uint8_t *unit, const uint8_t *block, int j,
    const struct sl_block *x, int64_t stride, int part, vf *carried)
{
    struct scales c = load_scales(format, unit, j, part);
    vf f[SL_FEW], total = f_zero();
    if (sl_format_has_halves(format)) {
        total = few_products(format, rows, block, 0, x, stride, c.s[0], f, total, 0);
        total = few_products(format, rows, block, 1, x, stride, c.s[1], f, total, 1);
    } else {
        total = few_products(format, rows, block, -1, x, stride, c.s[0], f, total, 0);
    }
    SL_EACH_ROW {
        const struct sl_block *y = x + r * stride;
        carried[r] = f_fma(f[r], f_broadcast(&y->d), carried[r]);
        carried[r] = f_fma(total, f_broadcast(&y->b), carried[r]);
        if (!sl_format_has_minimum(format)) continue;
        if (!sl_format_has_halves(format)) {
            carried[r] = f_fma(c.m[0], f_broadcast(&y->a), carried[r]);
            continue;
        }
        carried[r] = f_fma(c.m[0], f_broadcast(&y->half_a[0]), carried[r]);
        carried[r] = f_fma(c.m[1], f_broadcast(&y->half_a[1]), carried[r]);
    }
}

/// `rows` rows times one part of `panels` panels side by side: memory gives several streams more than one. The sums
/// are [panel][row][16].
SL_INLINE void run_few(enum sl_format format, const int rows, const int panels, const struct sl_matrix *matrix,
    int64_t panel, const struct sl_block *x, int64_t stride, int part, float *sums)
{
    const struct sl_layout l = sl_layout_of(format);
    const int unit_blocks = l.unit_columns / SL_BLOCK_COLUMNS;
    const int64_t unit_count = matrix->columns / l.unit_columns;
    const uint8_t *unit = matrix->panels + panel * matrix->panel_bytes;
    vf carried[SL_STREAMS][SL_FEW];
#define SL_EACH_STREAM _Pragma("clang loop unroll(full)") for (int n = 0; n < panels; n++)
    SL_EACH_STREAM SL_EACH_ROW carried[n][r] = f_zero();
    for (int64_t u = 0; u < unit_count; u++, unit += l.unit_bytes) {
        for (int j = 0; j < unit_blocks; j++, x++) {
            SL_EACH_STREAM {
                const uint8_t *own = unit + n * matrix->panel_bytes;
                const uint8_t *block = own + l.blocks + part * PART_BYTES + j * l.block_bytes;
                // Every line of the unit, its header's too.
                const uint8_t *share = own + j * (l.unit_bytes / unit_blocks);
                for (int line = 0; line < l.unit_bytes / unit_blocks && part == 0; line += 64) {
                    if (panels > 1) __builtin_prefetch(share + line + SL_STREAM_FETCH_BYTES);
                    else fetch_ahead(share + line);
                }
                add_few(format, rows, own, block, j, x, stride, part, carried[n]);
            }
        }
    }
    SL_EACH_STREAM SL_EACH_ROW {
        f_store(sums + (n * rows + r) * SL_PANEL_ROWS + part * SL_LANES, carried[n][r]);
    }
}

// MARK: Many rows: a panel is unpacked once, chunk by chunk

/// A run of unpacked blocks and the activations of a group's rows; sums[row][16] are carried on. Meanwhile fetches
/// `next_bytes` a block from `next`, which is unpacked next.
struct run {
    const struct unpacked_block *w;
    int64_t block_count;
    const struct sl_block *x;
    int64_t stride;
    float *sums;
    const uint8_t *next;
    int64_t next_bytes;
};

SL_INLINE void run_part(enum shape shape, const int rows, const struct run *run, int part, int64_t next_bytes)
{
    const struct traits t = unpacked_traits(shape);
    const struct unpacked_block *w = run->w;
    const struct sl_block *x = run->x;
    const uint8_t *next = run->next;
    const int64_t stride = run->stride;
    vf carried[SL_GROUP];
    SL_EACH_ROW carried[r] = f_load(run->sums + r * SL_PANEL_ROWS + part * SL_LANES);
    for (int64_t b = 0; b < run->block_count; b++, w++, x++, next += next_bytes) {
        vi acc[SL_GROUP];
        vf f[SL_GROUP];
        for (int64_t line = 0; line < next_bytes; line += 64) __builtin_prefetch(next + line);
        _Pragma("clang loop unroll(full)") for (int h = 0; h < (shape_has_halves(shape) ? 2 : 1); h++) {
#define SL_RUN_BIAS(r) (shape_has_halves(shape) ? x[(r) * stride].half_bias + h : &x[(r) * stride].bias)
            const int first = 4 * h, last = shape_has_halves(shape) ? first + 4 : 8;
            SL_EACH_ROW acc[r] = dot_start(t.range, load_bias(t.offset, SL_RUN_BIAS(r)));
            _Pragma("clang loop unroll(full)") for (int i = first; i < last; i += 2) {
                vi w0 = v_load(w->w[i] + part * PART_BYTES), w1 = v_load(w->w[i + 1] + part * PART_BYTES);
                SL_EACH_ROW acc[r] = dot_pair(t.range, acc[r], w0, v_word(x[r * stride].q, i), w1,
                    v_word(x[r * stride].q, i + 1));
            }
            vf s = f_load(w->s[h] + part * SL_LANES);
            SL_EACH_ROW {
                vf i = v_to_float(dot_total(t.range, acc[r], load_bias(t.offset, SL_RUN_BIAS(r))));
                f[r] = h ? f_fma(i, s, f[r]) : f_mul(i, s);
            }
#undef SL_RUN_BIAS
        }
        vf ws = f_load(w->ws + part * SL_LANES);
        SL_EACH_ROW carried[r] = f_fma(f[r], f_broadcast(&x[r * stride].d), carried[r]);
        SL_EACH_ROW carried[r] = f_fma(ws, f_broadcast(&x[r * stride].b), carried[r]);
        if (!shape_has_minimum(shape)) continue;
        vf m = f_load(w->m[0] + part * SL_LANES);
        if (!shape_has_halves(shape)) {
            SL_EACH_ROW carried[r] = f_fma(m, f_broadcast(&x[r * stride].a), carried[r]);
            continue;
        }
        vf m1 = f_load(w->m[1] + part * SL_LANES);
        SL_EACH_ROW carried[r] = f_fma(m, f_broadcast(&x[r * stride].half_a[0]), carried[r]);
        SL_EACH_ROW carried[r] = f_fma(m1, f_broadcast(&x[r * stride].half_a[1]), carried[r]);
    }
    SL_EACH_ROW f_store(run->sums + r * SL_PANEL_ROWS + part * SL_LANES, carried[r]);
}

#include "multiply_rows.h"
