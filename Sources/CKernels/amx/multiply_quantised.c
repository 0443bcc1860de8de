#include "../avx512/avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET ",avx512vnni,amx-tile,amx-int8"))), \
    apply_to = function)
#include "../common/values.h"

#include "../avx512/vectors.h"
#include "../common/panel.h"

// Tile registers: 16 rows of activations times the 16 rows of a panel and the 32 columns of a block are an instruction.
// What is left to vectors is what stands between integers and sums, and that is what takes the time: four to six float
// instructions for 16 results of a block. So two panels go together, which share what is read of the activations, the
// vectors take half of the rows at a time, whose sums then fit into registers, and while they are at one run of blocks,
// the tiles are at the next: it is written between the vectors' instructions for the processor to overlap them.
//
// Unpacked weights lie as the tiles want them: 4 bytes of each of 16 rows, then the next 4; and activations, too.
#define SL_SIGNED_OFFSET 0
#define SL_DOT_SATURATES 0
#define sum_total(range, acc) (acc)
#define sum_pair(range, acc, w0, w1) \
    ((range) == SIGNED_BYTES \
            ? _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(acc, v_bytes(1), w0), v_bytes(1), w1) \
            : ((void)(w1), _mm512_dpbusd_epi32(acc, w0, v_bytes(1))))

#include "../common/weight_block.h"
#include "../common/write_sums.h"

enum {
    GROUP_ROWS = 16,    // of activations, a tile's
    PASS_ROWS = 8,      // whose sums, with two panels, leave registers free for the rest
    PAIR_PANELS = 2,
    CHUNK_BLOCKS = 16,  // of unpacked weights, which stay in the first-level cache
    RUN_BLOCKS = 4,     // whose products are made before they are added up
    PIECE_GROUPS = 16,  // that use a chunk before it is unpacked again
    // The sums of two panels must not be a multiple of 4 KiB apart: loads of one would wait for stores of the other.
    SUM_ROWS = PIECE_GROUPS * GROUP_ROWS + 32,
    LEAST_ROWS = 13     // fewer are faster without tiles, unpacked in registers
};

// Numbers of tile registers; the instructions take constants only. Products are 0 ... 3: 2 * panel + half.
#define ROWS_TILE 4
#define ROWS_HALF_TILE 5
#define PANEL_TILE 6
#define PANEL_HALF_TILE 7

/// Integer products of a tile.
struct products {
    int32_t c[GROUP_ROWS][SL_PANEL_ROWS];
} __attribute__((aligned(64)));

/// Products of a block: of each panel, and of each half where halves have scales of their own, which follow each other.
SL_INLINE int products_a_block(const int has_halves, const int panels) { return panels * (has_halves ? 2 : 1); }

/// A pair of panels (or the last panel alone): some of their blocks, unpacked, and how the rows of the activations lie.
/// Meanwhile `fetch_bytes` a block are fetched from `fetch`, of the panels' blocks that are unpacked next.
struct chunk {
    const struct unpacked_block *w[PAIR_PANELS];
    int64_t block_count;
    int64_t stride;
    int64_t pass_rows; // from the first row of a pass to that of the next
    int64_t pass_end;
    const uint8_t *fetch[PAIR_PANELS];
    int64_t fetch_bytes;
};

/// Rows that are multiplied together. They are added up in two passes, `[pass][PASS_ROWS][16]` in `sums`, which are
/// carried on; of less than 16 rows some are in both.
struct group {
    const struct sl_block *x; // of the chunk's first block
    float *sums[PAIR_PANELS];
    int64_t pass_begin;
};

/// The blocks [begin, end) of a chunk times a group.
struct run {
    const struct group *group;
    int64_t begin;
    int64_t end;
};

/// What every tile holds: `rows` rows of activations, of all 32 columns of a block or, with halves, of 16.
static void configure_tiles(int has_halves, int64_t rows)
{
    struct {
        uint8_t palette;
        uint8_t start_row;
        uint8_t reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {.palette = 1};
    const int columns = has_halves ? SL_BLOCK_COLUMNS / 2 : SL_BLOCK_COLUMNS;
    for (int tile = 0; tile < 8; tile++) {
        const int is_panel = tile >= PANEL_TILE, is_rows = tile >= ROWS_TILE && !is_panel;
        configuration.row_bytes[tile] = (uint16_t)(is_rows ? columns : SL_TILE_BYTES);
        configuration.rows[tile] = (uint8_t)(is_panel ? columns / 4 : rows);
    }
    _tile_loadconfig(&configuration);
}

/// Brings the products that the tiles hold to where they belong.
SL_INLINE void store_products(const int has_halves, const int panels, struct products *out)
{
    const int64_t line = SL_PANEL_ROWS * 4;
    _tile_stored(0, out++->c, line);
    if (has_halves) _tile_stored(1, out++->c, line);
    if (panels > 1) _tile_stored(2, out++->c, line);
    if (panels > 1 && has_halves) _tile_stored(3, out->c, line);
}

/// Makes the integer products of block `b` of a chunk and a group. They stay in the tiles until the next block's are
/// made: what waits for a product fills the processor's queues, so that it gets to nothing else. Those before go to
/// `out`.
SL_INLINE void multiply_block(const int has_halves, const int panels, const struct chunk *chunk,
    const struct group *group, int64_t b, struct products *out)
{
    const int64_t row_bytes = chunk->stride * (int64_t)sizeof(struct sl_block), line = SL_PANEL_ROWS * 4;
    const int8_t *q = group->x[b].q;
    const struct unpacked_block *w0 = chunk->w[0] + b, *w1 = chunk->w[1] + b;
    _tile_loadd(ROWS_TILE, q, row_bytes);
    if (has_halves) _tile_loadd(ROWS_HALF_TILE, q + SL_BLOCK_COLUMNS / 2, row_bytes);
    _tile_stored(0, out++->c, line);
    _tile_zero(0);
    _tile_loadd(PANEL_TILE, w0->w, SL_TILE_BYTES);
    _tile_dpbssd(0, ROWS_TILE, PANEL_TILE);
    if (has_halves) {
        _tile_stored(1, out++->c, line);
        _tile_zero(1);
        _tile_loadd(PANEL_HALF_TILE, w0->w[4], SL_TILE_BYTES);
        _tile_dpbssd(1, ROWS_HALF_TILE, PANEL_HALF_TILE);
    }
    if (panels > 1) {
        _tile_stored(2, out++->c, line);
        _tile_zero(2);
        _tile_loadd(PANEL_TILE, w1->w, SL_TILE_BYTES);
        _tile_dpbssd(2, ROWS_TILE, PANEL_TILE);
        if (has_halves) {
            _tile_stored(3, out->c, line);
            _tile_zero(3);
            _tile_loadd(PANEL_HALF_TILE, w1->w[4], SL_TILE_BYTES);
            _tile_dpbssd(3, ROWS_HALF_TILE, PANEL_HALF_TILE);
        }
    }
}

#define SL_EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < PASS_ROWS; r++)
#define SL_EACH_PANEL _Pragma("clang loop unroll(full)") for (int p = 0; p < panels; p++)

/// carried += what the products of a block and of PASS_ROWS rows from `row` on stand for; the rows' activations
/// of the block begin at x.
SL_INLINE void add_block(enum shape shape, const int panels, const struct chunk *chunk, const struct sl_block *x,
    int64_t b, int64_t row, const struct products *products, vf carried[PAIR_PANELS][PASS_ROWS])
{
    vf s0[PAIR_PANELS], s1[PAIR_PANELS], ws[PAIR_PANELS], m0[PAIR_PANELS], m1[PAIR_PANELS];
    SL_EACH_PANEL {
        const struct unpacked_block *w = chunk->w[p] + b;
        s0[p] = f_load(w->s[0]), ws[p] = f_load(w->ws);
        if (shape_has_halves(shape)) s1[p] = f_load(w->s[1]);
        if (shape_has_minimum(shape)) m0[p] = f_load(w->m[0]);
        if (shape == HALVES_MINIMUM) m1[p] = f_load(w->m[1]);
    }
    SL_EACH_ROW {
        const vf d = f_broadcast(&x->d), zero = f_broadcast(&x->b);
        const vf a0 = f_broadcast(shape == HALVES_MINIMUM ? &x->half_a[0] : &x->a);
        const vf a1 = f_broadcast(&x->half_a[1]);
        SL_EACH_PANEL {
            const struct products *own = products + products_a_block(shape_has_halves(shape), p);
            vf f = f_mul(v_to_float(v_load(own[0].c[row + r])), s0[p]);
            if (shape_has_halves(shape)) f = f_fma(v_to_float(v_load(own[1].c[row + r])), s1[p], f);
            carried[p][r] = f_fma(f, d, carried[p][r]);
            carried[p][r] = f_fma(ws[p], zero, carried[p][r]);
            if (shape_has_minimum(shape)) carried[p][r] = f_fma(m0[p], a0, carried[p][r]);
            if (shape == HALVES_MINIMUM) carried[p][r] = f_fma(m1[p], a1, carried[p][r]);
        }
        x += chunk->stride;
    }
}

/// Adds up the products of a run, and meanwhile makes those of the next. At first the tiles hold the products of the
/// run's last block, in the end those of the next run's last block.
SL_INLINE void add_run(enum shape shape, const int panels, const struct chunk *chunk, struct run run, struct run next,
    struct products *products, struct products *next_products, const int fetches)
{
    const int has_halves = shape_has_halves(shape), block_products = products_a_block(has_halves, panels);
    struct products *in_tiles = products + (run.end - run.begin - 1) * block_products;
    int64_t made = next.begin;
#define SL_MAKE_BLOCK \
    multiply_block(has_halves, panels, chunk, next.group, made++, in_tiles), \
        in_tiles = next_products, next_products += block_products
    if (next.begin == next.end) store_products(has_halves, panels, in_tiles);
    for (int64_t pass = run.group->pass_begin; pass < chunk->pass_end; pass++) {
        vf carried[PAIR_PANELS][PASS_ROWS];
        const int64_t row = pass * chunk->pass_rows, first = pass * PASS_ROWS * SL_PANEL_ROWS;
        const struct sl_block *x = run.group->x + row * chunk->stride;
        const struct products *own = products;
        SL_EACH_PANEL SL_EACH_ROW carried[p][r] = f_load(run.group->sums[p] + first + r * SL_PANEL_ROWS);
        for (int64_t b = run.begin; b < run.end; b++, own += block_products) {
            if (made < next.end) SL_MAKE_BLOCK;
            for (int64_t line = 0; fetches && pass == 0 && line < chunk->fetch_bytes; line += 64) {
                SL_EACH_PANEL __builtin_prefetch(chunk->fetch[p] + b * chunk->fetch_bytes + line);
            }
            add_block(shape, panels, chunk, x + b, b, row, own, carried);
        }
        SL_EACH_PANEL SL_EACH_ROW f_store(run.group->sums[p] + first + r * SL_PANEL_ROWS, carried[p][r]);
    }
    while (made < next.end) SL_MAKE_BLOCK;
#undef SL_MAKE_BLOCK
}

/// All groups' rows times a chunk.
SL_INLINE void run_chunk(enum shape shape, const int panels, const struct chunk *chunk, const struct group *groups,
    int64_t group_count)
{
    // With halves there are twice as many products.
    const int64_t run_blocks = shape_has_halves(shape) ? RUN_BLOCKS / 2 : RUN_BLOCKS;
    struct products products[2][RUN_BLOCKS * PAIR_PANELS];
    struct products *own = products[0], *others = products[1];
    const struct group *end = groups + group_count;
    struct run run = {groups, 0, sl_value_least(run_blocks, chunk->block_count)};
    // The first run's products have nothing to hide behind. (What the tiles held before goes nowhere.)
    for (int64_t b = 0; b < run.end; b++) {
        const int block_products = products_a_block(shape_has_halves(shape), panels);
        multiply_block(shape_has_halves(shape), panels, chunk, run.group, b, own + (b ? b - 1 : 0) * block_products);
    }
    while (run.group < end) {
        struct run next = {run.group, run.end, sl_value_least(run.end + run_blocks, chunk->block_count)};
        if (run.end == chunk->block_count) {
            next.group++, next.begin = 0;
            next.end = next.group < end ? sl_value_least(run_blocks, chunk->block_count) : 0;
        }
        if (run.group == groups) add_run(shape, panels, chunk, run, next, own, others, 1);
        else add_run(shape, panels, chunk, run, next, own, others, 0);
        struct products *swapped = own;
        own = others, others = swapped;
        run = next;
    }
}

/// One function a shape and number of panels, called for whole chunks.
#define SL_SHAPE_RUN(shape, name) \
    static __attribute__((noinline)) void name(const struct chunk *chunk, const struct group *groups, \
        int64_t group_count, int panels) \
    { \
        if (panels == 1) run_chunk(shape, 1, chunk, groups, group_count); \
        else run_chunk(shape, 2, chunk, groups, group_count); \
    }
SL_SHAPE_RUN(PLAIN, run_plain)
SL_SHAPE_RUN(MINIMUM, run_minimum)
SL_SHAPE_RUN(HALVES, run_halves)
SL_SHAPE_RUN(HALVES_MINIMUM, run_halves_minimum)

SL_INLINE void run_shape(enum shape shape, const struct chunk *chunk, const struct group *groups, int64_t group_count,
    int panels)
{
    switch (shape) {
    case MINIMUM: run_minimum(chunk, groups, group_count, panels); break;
    case HALVES: run_halves(chunk, groups, group_count, panels); break;
    case HALVES_MINIMUM: run_halves_minimum(chunk, groups, group_count, panels); break;
    default: run_plain(chunk, groups, group_count, panels);
    }
}

/// Fetches for writing where a group's rows of a pair of panels go.
SL_INLINE void fetch_output(const struct sl_multiplication *m, int64_t row, int64_t rows, int64_t panel, int panels)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *out = m->output + (row + r) * m->output_stride + panel * SL_PANEL_ROWS;
        for (int p = 0; p < panels; p++) __builtin_prefetch(out + p * SL_PANEL_ROWS, 1);
    }
}

/// Rows [row, row + count), PASS_ROWS at least and PIECE_GROUPS groups at most, times panels [panel, panel + panels).
SL_INLINE void multiply_pair(enum sl_format format, const struct sl_multiplication *m, int64_t row, int64_t count,
    int64_t panel, int panels)
{
    _Alignas(64) float sums[PAIR_PANELS][SUM_ROWS][SL_PANEL_ROWS];
    struct unpacked_block unpacked[PAIR_PANELS][CHUNK_BLOCKS];
    struct group groups[PIECE_GROUPS];
    const struct sl_layout l = sl_layout_of(format);
    const int64_t unit_blocks = l.unit_columns / SL_BLOCK_COLUMNS, block_bytes = l.unit_bytes / unit_blocks;
    const int64_t block_count = m->matrix->columns / SL_BLOCK_COLUMNS, stride = m->rows->block_stride;
    const int64_t group_count = (count + GROUP_ROWS - 1) / GROUP_ROWS, rows = sl_value_least(count, GROUP_ROWS);
    // The last group is whole as well: what it has too much is the end of the group before.
    const int64_t before = (group_count - 1) * GROUP_ROWS;
    for (int64_t g = 0; g < group_count; g++) {
        groups[g].x = m->rows->blocks + (row + sl_value_least(g * GROUP_ROWS, count - rows)) * stride;
        groups[g].pass_begin = g > 0 && count - g * GROUP_ROWS <= PASS_ROWS;
        for (int p = 0; p < panels; p++) {
            groups[g].sums[p] = sums[p][g * GROUP_ROWS];
            memset(groups[g].sums[p], 0, sizeof(sums[p][0]) * GROUP_ROWS);
        }
    }
    struct chunk chunk = {.stride = stride, .pass_rows = rows - PASS_ROWS, .pass_end = rows > PASS_ROWS ? 2 : 1,
        .fetch_bytes = block_bytes};
    const uint8_t *packed = m->matrix->panels + panel * m->matrix->panel_bytes;
    const int64_t chunk_count = (block_count + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
    const int64_t chunk_blocks = (block_count + chunk_count - 1) / chunk_count; // about equal ones
    for (int64_t first = 0; first < block_count; first += chunk.block_count) {
        chunk.block_count = sl_value_least(chunk_blocks, block_count - first);
        const int64_t last = first + chunk.block_count;
        for (int p = 0; p < panels; p++) {
            const uint8_t *from = packed + p * m->matrix->panel_bytes;
            for (int64_t b = first; b < last; b++) {
                unpack_block(format, from + b / unit_blocks * l.unit_bytes, (int)(b % unit_blocks),
                    &unpacked[p][b - first]);
            }
            chunk.w[p] = unpacked[p];
            // Behind the last chunk come the next two panels.
            chunk.fetch[p] =
                from + (last < block_count ? last * block_bytes : PAIR_PANELS * m->matrix->panel_bytes);
        }
        if (last == block_count) fetch_output(m, row, count, panel, panels);
        run_shape(shape_of(format), &chunk, groups, group_count, panels);
        for (int64_t g = 0; g < group_count; g++) groups[g].x += chunk.block_count;
    }
    for (int p = 0; p < panels; p++) {
        // Behind whole groups: the end of the last, or both passes of the only one.
        const int64_t whole = group_count > 1 ? before : sl_value_least(count, PASS_ROWS);
        write_sums(m, sums[p][0], row, whole, panel + p);
        write_sums(m, sums[p][before + GROUP_ROWS - (count - whole)], row + whole, count - whole, panel + p);
    }
}

SL_INLINE void multiply_tiles(enum sl_format format, const struct sl_multiplication *m)
{
    const int64_t row_max = PIECE_GROUPS * GROUP_ROWS, count = m->row_end - m->row_begin;
    const int64_t piece_count = (count + row_max - 1) / row_max;
    configure_tiles(shape_has_halves(shape_of(format)), sl_value_least(count, GROUP_ROWS));
    for (int64_t panel = m->panel_begin; panel < m->panel_end; panel += PAIR_PANELS) {
        const int panels = m->panel_end - panel < PAIR_PANELS ? 1 : PAIR_PANELS;
        for (int64_t i = 0; i < piece_count; i++) {
            int64_t begin = count * i / piece_count, n = count * (i + 1) / piece_count - begin;
            multiply_pair(format, m, m->row_begin + begin, n, panel, panels);
        }
    }
    // A thread without tiles in use is switched to and from without them.
    _tile_release();
}

#define SL_MULTIPLY(name, format) \
    void sl_amx_##name(const struct sl_multiplication *m) \
    { \
        if (m->row_end - m->row_begin < LEAST_ROWS) sl_avx512_vnni_##name(m); \
        else multiply_tiles(format, m); \
    }
SL_EACH_QUANTISED_MULTIPLY(SL_MULTIPLY)
#pragma clang attribute pop
#endif
