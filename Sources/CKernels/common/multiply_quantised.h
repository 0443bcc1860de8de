// Quantised weights times int8 activations, for every SIMD path. The including file is inside its target region and
// has defined, beside <immintrin.h>:
//   SL_LANES         outputs of a vector: 16 or 8 (a panel's 16 rows are 16 / SL_LANES vectors)
//   SL_GROUP         rows of activations that share one pass over the weights, as many as registers allow
//   vi, vf           vectors of SL_LANES 32-bit integers and floats
//   v_load, v_zero, v_and, v_shift4, v_add8, v_broadcast, v_bytes, v_to_float      integers
//   f_load, f_store, f_zero, f_load_half, f_broadcast, f_mul, f_fma                floats
//   operand, prepare(kind, w), start(kind, x), dot(kind, acc, operand, q), total(kind, acc, x)
//   sum_nibbles(bytes), sum_bytes(acc, operand w), sum_total(kind, acc)
//
// Lanes are outputs and each lane is one chain over the blocks, so neither SL_LANES nor SL_GROUP shows in the bits.

enum kind { Q4_0, Q4_1, Q8_0 };

enum {
    PARTS = SL_PANEL_ROWS / SL_LANES,
    PART_BYTES = 4 * SL_LANES,
    TILE_BYTES = 4 * SL_PANEL_ROWS,
    CHUNK_BLOCKS = 20,  // of unpacked weights: with a group's activations within the first-level cache
    SUM_GROUPS = 8      // groups that use a chunk before it is unpacked again
};

/// One block of a panel, unpacked once and used for many rows.
struct unpacked_block {
    uint8_t w[8][TILE_BYTES];
    float s[SL_PANEL_ROWS];  // scale
    float ws[SL_PANEL_ROWS]; // integer sum times scale
    float m[SL_PANEL_ROWS];  // minimum
} __attribute__((aligned(64)));

SL_INLINE int64_t block_bytes(enum kind kind) { return kind == Q8_0 ? 544 : kind == Q4_1 ? 320 : 288; }

SL_INLINE int64_t scale_offset(enum kind kind) { return kind == Q8_0 ? 512 : 256; }

SL_INLINE vf read_scale(enum kind kind, const uint8_t *block, int part)
{
    return f_load_half(block + scale_offset(kind) + 2 * SL_LANES * part);
}

SL_INLINE vf read_minimum(const uint8_t *block, int part) { return f_load_half(block + 288 + 2 * SL_LANES * part); }

static void unpack_block(enum kind kind, const uint8_t *block, struct unpacked_block *out)
{
    for (int part = 0; part < PARTS; part++) {
        vi sum = v_zero();
        if (kind == Q8_0) {
            for (int t = 0; t < 8; t++) {
                vi w = v_load(block + t * TILE_BYTES + part * PART_BYTES);
                sum = sum_bytes(sum, w);
                v_store(out->w[t] + part * PART_BYTES, stored(kind, w));
            }
        } else {
            vi bytes = v_zero();
            for (int t = 0; t < 4; t++) {
                vi v = v_load(block + t * TILE_BYTES + part * PART_BYTES);
                vi low = v_and(v, v_bytes(15)), high = v_and(v_shift4(v), v_bytes(15));
                bytes = v_add8(bytes, v_add8(low, high));
                v_store(out->w[t] + part * PART_BYTES, low);
                v_store(out->w[4 + t] + part * PART_BYTES, high);
            }
            sum = sum_nibbles(bytes);
        }
        vf s = read_scale(kind, block, part);
        f_store(out->s + part * SL_LANES, s);
        f_store(out->ws + part * SL_LANES, f_mul(v_to_float(sum_total(kind, sum)), s));
        if (kind == Q4_1) f_store(out->m + part * SL_LANES, read_minimum(block, part));
    }
}

/// The chain's three links for one block and one row.
SL_INLINE vf extend(enum kind kind, vf sum, vi integers, const struct sl_block *x, vf s, vf ws, vf m)
{
    vf f = f_mul(v_to_float(total(kind, integers, x)), s);
    sum = f_fma(f, f_broadcast(&x->d), sum);
    sum = f_fma(ws, f_broadcast(&x->b), sum);
    return kind == Q4_1 ? f_fma(m, f_broadcast(&x->a), sum) : sum;
}

#define SL_EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)

/// `rows` rows times one part of a panel's unpacked blocks; sums[row][16] are carried on. Meanwhile fetches
/// `next_bytes` a block from `next`, which is unpacked next.
SL_INLINE void run_unpacked(enum kind kind, const int rows, const struct unpacked_block *w, int64_t block_count,
    const struct sl_block *x, int64_t stride, int part, float *sums, const uint8_t *next, int64_t next_bytes)
{
    vf carried[SL_GROUP];
    SL_EACH_ROW carried[r] = f_load(sums + r * SL_PANEL_ROWS + part * SL_LANES);
    for (int64_t b = 0; b < block_count; b++, w++, x++, next += next_bytes) {
        vi acc[SL_GROUP];
        for (int64_t line = 0; line < block_bytes(kind); line += 64) __builtin_prefetch(next + line);
        SL_EACH_ROW acc[r] = start(kind, x + r * stride);
        _Pragma("clang loop unroll(full)") for (int t = 0; t < 8; t++) {
            operand o = prepare(kind, v_load(w->w[t] + part * PART_BYTES));
            SL_EACH_ROW acc[r] = dot(kind, acc[r], o, v_broadcast(x[r * stride].q + 4 * t));
        }
        vf s = f_load(w->s + part * SL_LANES), ws = f_load(w->ws + part * SL_LANES);
        vf m = kind == Q4_1 ? f_load(w->m + part * SL_LANES) : f_zero();
        SL_EACH_ROW carried[r] = extend(kind, carried[r], acc[r], x + r * stride, s, ws, m);
    }
    SL_EACH_ROW f_store(sums + r * SL_PANEL_ROWS + part * SL_LANES, carried[r]);
}

/// `rows` rows times one part of a panel as it lies in memory: for few rows, where reading is all the work.
SL_INLINE void run_packed(enum kind kind, const int rows, const uint8_t *block, int64_t block_count,
    const struct sl_block *x, int64_t stride, int part, float *sums)
{
    vf carried[SL_GROUP];
    SL_EACH_ROW carried[r] = f_zero();
    block += part * PART_BYTES;
    for (int64_t b = 0; b < block_count; b++, block += block_bytes(kind), x++) {
        vi acc[SL_GROUP], sum = v_zero();
        for (int64_t line = 0; line < block_bytes(kind) && part == 0; line += 64) {
            __builtin_prefetch(block + SL_PREFETCH_BYTES + line);
        }
        SL_EACH_ROW acc[r] = start(kind, x + r * stride);
        if (kind == Q8_0) {
            _Pragma("clang loop unroll(full)") for (int t = 0; t < 8; t++) {
                vi w = v_load(block + t * TILE_BYTES);
                sum = sum_bytes(sum, w);
                operand o = prepare(kind, stored(kind, w));
                SL_EACH_ROW acc[r] = dot(kind, acc[r], o, v_broadcast(x[r * stride].q + 4 * t));
            }
        } else {
            vi bytes = v_zero();
            _Pragma("clang loop unroll(full)") for (int t = 0; t < 4; t++) {
                vi v = v_load(block + t * TILE_BYTES);
                vi low = v_and(v, v_bytes(15)), high = v_and(v_shift4(v), v_bytes(15));
                bytes = v_add8(bytes, v_add8(low, high));
                operand o = prepare(kind, low), p = prepare(kind, high);
                SL_EACH_ROW acc[r] = dot(kind, acc[r], o, v_broadcast(x[r * stride].q + 4 * t));
                SL_EACH_ROW acc[r] = dot(kind, acc[r], p, v_broadcast(x[r * stride].q + 16 + 4 * t));
            }
            sum = sum_nibbles(bytes);
        }
        const uint8_t *whole = block - part * PART_BYTES;
        vf s = read_scale(kind, whole, part), ws = f_mul(v_to_float(sum_total(kind, sum)), s);
        vf m = kind == Q4_1 ? read_minimum(whole, part) : f_zero();
        SL_EACH_ROW carried[r] = extend(kind, carried[r], acc[r], x + r * stride, s, ws, m);
    }
    SL_EACH_ROW f_store(sums + r * SL_PANEL_ROWS + part * SL_LANES, carried[r]);
}

/// Writes the sums of `rows` rows and one panel.
static void write_sums(const struct sl_multiplication *m, const float *sums, int64_t row, int64_t rows, int64_t panel)
{
    int64_t first = panel * SL_PANEL_ROWS;
    int64_t count = m->matrix->rows - first < SL_PANEL_ROWS ? m->matrix->rows - first : SL_PANEL_ROWS;
    for (int64_t r = 0; r < rows; r++, sums += SL_PANEL_ROWS) {
        float *out = m->output + (row + r) * m->output_stride + first;
        if (count < SL_PANEL_ROWS) {
            for (int64_t i = 0; i < count; i++) out[i] = m->adds ? out[i] + sums[i] : sums[i];
            continue;
        }
        for (int part = 0; part < PARTS; part++) {
            vf v = f_load(sums + part * SL_LANES);
            if (m->adds) v = f_add(f_load_any(out + part * SL_LANES), v);
            f_store_any(out + part * SL_LANES, v);
        }
    }
}

#define SL_ROWS_CASE(n, call) \
    case n: { enum { rows = n }; call; break; }
#if SL_GROUP == 12
#define SL_ROWS_SWITCH(count, call) \
    switch (count) { \
        SL_ROWS_CASE(1, call) SL_ROWS_CASE(2, call) SL_ROWS_CASE(3, call) SL_ROWS_CASE(4, call) \
        SL_ROWS_CASE(5, call) SL_ROWS_CASE(6, call) SL_ROWS_CASE(7, call) SL_ROWS_CASE(8, call) \
        SL_ROWS_CASE(9, call) SL_ROWS_CASE(10, call) SL_ROWS_CASE(11, call) SL_ROWS_CASE(12, call) \
    }
#else
#define SL_ROWS_SWITCH(count, call) \
    switch (count) { \
        SL_ROWS_CASE(1, call) SL_ROWS_CASE(2, call) SL_ROWS_CASE(3, call) SL_ROWS_CASE(4, call) \
    }
#endif

SL_INLINE void multiply_few(enum kind kind, const struct sl_multiplication *m)
{
    _Alignas(64) float sums[SL_GROUP * SL_PANEL_ROWS];
    int64_t count = m->row_end - m->row_begin, block_count = m->matrix->columns / SL_BLOCK_COLUMNS;
    int64_t stride = m->rows->block_stride;
    const struct sl_block *x = m->rows->blocks + m->row_begin * stride;
    for (int64_t p = m->panel_begin; p < m->panel_end; p++) {
        const uint8_t *panel = m->matrix->panels + p * m->matrix->panel_bytes;
        for (int part = 0; part < PARTS; part++) {
            SL_ROWS_SWITCH(count, run_packed(kind, rows, panel, block_count, x, stride, part, sums))
        }
        write_sums(m, sums, m->row_begin, count, p);
    }
}

/// Rows [row, row + count) in `group_count` groups of about equal size times one panel.
SL_INLINE void multiply_panel(enum kind kind, const struct sl_multiplication *m, int64_t row, int64_t count,
    int64_t group_count, int64_t p)
{
    _Alignas(64) float sums[SUM_GROUPS * SL_GROUP * SL_PANEL_ROWS] ;
    struct unpacked_block chunk[CHUNK_BLOCKS];
    int64_t block_count = m->matrix->columns / SL_BLOCK_COLUMNS, stride = m->rows->block_stride;
    int64_t chunk_count = (block_count + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
    const uint8_t *panel = m->matrix->panels + p * m->matrix->panel_bytes;
    memset(sums, 0, sizeof(float) * (size_t)(count * SL_PANEL_ROWS));
    for (int64_t c = 0; c < chunk_count; c++) {
        int64_t first = block_count * c / chunk_count, last = block_count * (c + 1) / chunk_count;
        for (int64_t b = first; b < last; b++) unpack_block(kind, panel + b * block_bytes(kind), chunk + b - first);
        const uint8_t *next = panel + last * block_bytes(kind); // of this panel or the one behind it
        for (int64_t g = 0; g < group_count; g++) {
            int64_t begin = count * g / group_count, n = count * (g + 1) / group_count - begin;
            const struct sl_block *x = m->rows->blocks + (row + begin) * stride + first;
            for (int part = 0; part < PARTS; part++) {
                int64_t next_bytes = g == 0 && part == 0 ? block_bytes(kind) : 0;
                SL_ROWS_SWITCH(n, run_unpacked(kind, rows, chunk, last - first, x, stride, part,
                    sums + begin * SL_PANEL_ROWS, next, next_bytes))
            }
        }
    }
    write_sums(m, sums, row, count, p);
}

SL_INLINE void multiply_quantised(enum kind kind, const struct sl_multiplication *m)
{
    int64_t count = m->row_end - m->row_begin, row_max = SUM_GROUPS * SL_GROUP;
    if (count <= SL_GROUP) {
        multiply_few(kind, m);
        return;
    }
    int64_t piece_count = (count + row_max - 1) / row_max;
    for (int64_t p = m->panel_begin; p < m->panel_end; p++) {
        for (int64_t i = 0; i < piece_count; i++) {
            int64_t begin = count * i / piece_count, n = count * (i + 1) / piece_count - begin;
            multiply_panel(kind, m, m->row_begin + begin, n, (n + SL_GROUP - 1) / SL_GROUP, p);
        }
    }
}

void SL_NAME(multiply_q4_0)(const struct sl_multiplication *m) { multiply_quantised(Q4_0, m); }
void SL_NAME(multiply_q4_1)(const struct sl_multiplication *m) { multiply_quantised(Q4_1, m); }
void SL_NAME(multiply_q8_0)(const struct sl_multiplication *m) { multiply_quantised(Q8_0, m); }
