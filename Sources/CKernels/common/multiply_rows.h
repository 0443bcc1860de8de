// The rest of multiply_quantised.h: which rows and panels go through which of its parts.
#include "write_sums.h"

#define SL_ROWS_CASE(n, call) \
    case n: { enum { rows = n }; call; break; }
#define SL_ROWS_4(call) SL_ROWS_CASE(1, call) SL_ROWS_CASE(2, call) SL_ROWS_CASE(3, call) SL_ROWS_CASE(4, call)
#define SL_ROWS_6(call) SL_ROWS_4(call) SL_ROWS_CASE(5, call) SL_ROWS_CASE(6, call)
#define SL_ROWS_8(call) SL_ROWS_6(call) SL_ROWS_CASE(7, call) SL_ROWS_CASE(8, call)
#define SL_ROWS_10(call) SL_ROWS_8(call) SL_ROWS_CASE(9, call) SL_ROWS_CASE(10, call)
#define SL_ROWS_12(call) SL_ROWS_10(call) SL_ROWS_CASE(11, call) SL_ROWS_CASE(12, call)
#define SL_ROWS_OF(count, call) SL_ROWS_##count(call)
#define SL_ROWS_UP_TO(count, call) SL_ROWS_OF(count, call)

/// `rows` rows times the unpacked blocks: one function a shape, called for whole chunks.
#define SL_SHAPE_RUN(shape, name) \
    static __attribute__((noinline)) void name(const struct run *run, int64_t row_count) \
    { \
        switch (row_count) { \
            SL_ROWS_UP_TO(SL_GROUP, for (int part = 0; part < PARTS; part++) \
                run_part(shape, rows, run, part, part == 0 ? run->next_bytes : 0)) \
        } \
    }
SL_SHAPE_RUN(PLAIN, run_plain)
SL_SHAPE_RUN(MINIMUM, run_minimum)
SL_SHAPE_RUN(HALVES, run_halves)
SL_SHAPE_RUN(HALVES_MINIMUM, run_halves_minimum)
#if SL_DOT_SATURATES
SL_SHAPE_RUN(PLAIN_8, run_plain_8)
SL_SHAPE_RUN(PLAIN_16, run_plain_16)
SL_SHAPE_RUN(MINIMUM_32, run_minimum_32)
#endif

SL_INLINE void run_shape(enum shape shape, const struct run *run, int64_t row_count)
{
    switch (shape) {
    case MINIMUM: run_minimum(run, row_count); break;
    case HALVES: run_halves(run, row_count); break;
    case HALVES_MINIMUM: run_halves_minimum(run, row_count); break;
#if SL_DOT_SATURATES
    case PLAIN_8: run_plain_8(run, row_count); break;
    case PLAIN_16: run_plain_16(run, row_count); break;
    case MINIMUM_32: run_minimum_32(run, row_count); break;
#endif
    default: run_plain(run, row_count);
    }
}

/// Rows [row, row + count), few_rows at most, times one panel.
SL_INLINE void multiply_few(enum sl_format format, const struct sl_multiplication *m, int64_t row, int64_t count,
    int64_t p)
{
    _Alignas(64) float sums[SL_FEW * SL_PANEL_ROWS];
    const int64_t stride = m->rows->block_stride;
    const struct sl_block *x = m->rows->blocks + row * stride;
    for (int part = 0; part < PARTS; part++) {
        switch (count) {
            SL_ROWS_UP_TO(SL_FEW, if (rows <= few_rows(format)) run_few(format, rows, 1, m->matrix, p, x, stride,
                part, sums))
        }
    }
    write_sums(m, sums, row, count, p);
}

/// One row times SL_STREAMS panels.
SL_INLINE void multiply_streams(enum sl_format format, const struct sl_multiplication *m, int64_t p)
{
    _Alignas(64) float sums[SL_STREAMS * SL_PANEL_ROWS];
    const int64_t row = m->row_begin, stride = m->rows->block_stride;
    for (int part = 0; part < PARTS; part++) {
        run_few(format, 1, SL_STREAMS, m->matrix, p, m->rows->blocks + row * stride, stride, part, sums);
    }
    for (int n = 0; n < SL_STREAMS; n++) write_sums(m, sums + n * SL_PANEL_ROWS, row, 1, p + n);
}

/// Rows [row, row + count) in `group_count` groups of about equal size times one panel.
SL_INLINE void multiply_panel(enum sl_format format, const struct sl_multiplication *m, int64_t row, int64_t count,
    int64_t group_count, int64_t p)
{
    _Alignas(64) float sums[SUM_GROUPS * SL_GROUP * SL_PANEL_ROWS];
    struct unpacked_block chunk[CHUNK_BLOCKS];
    const struct sl_layout l = sl_layout_of(format);
    const int64_t unit_blocks = l.unit_columns / SL_BLOCK_COLUMNS, block_bytes = l.unit_bytes / unit_blocks;
    int64_t block_count = m->matrix->columns / SL_BLOCK_COLUMNS, stride = m->rows->block_stride;
    int64_t chunk_count = (block_count + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
    const uint8_t *panel = m->matrix->panels + p * m->matrix->panel_bytes;
    memset(sums, 0, sizeof(float) * (size_t)(count * SL_PANEL_ROWS));
    for (int64_t c = 0; c < chunk_count; c++) {
        int64_t first = block_count * c / chunk_count, last = block_count * (c + 1) / chunk_count;
        for (int64_t b = first; b < last; b++) {
            unpack_block(format, panel + b / unit_blocks * l.unit_bytes, (int)(b % unit_blocks), chunk + (b - first));
        }
        for (int64_t g = 0; g < group_count; g++) {
            int64_t begin = count * g / group_count, n = count * (g + 1) / group_count - begin;
            struct run run = {chunk, last - first, m->rows->blocks + (row + begin) * stride + first, stride,
                sums + begin * SL_PANEL_ROWS, panel + last * block_bytes, g == 0 ? block_bytes : 0};
            run_shape(shape_of(format), &run, n);
        }
    }
    write_sums(m, sums, row, count, p);
}

/// How many groups of a few rows unpack for themselves at most: any number where unpacking is next to nothing.
SL_INLINE int64_t few_groups_max(enum sl_format format)
{
    return format == SL_FORMAT_Q4_0 || format == SL_FORMAT_Q8_0 ? SL_FEW_GROUPS_SIMPLE : SL_FEW_GROUPS;
}

SL_INLINE void multiply_quantised(enum sl_format format, const struct sl_multiplication *m)
{
    int64_t count = m->row_end - m->row_begin, row_max = SUM_GROUPS * SL_GROUP;
    int64_t few_groups = (count + few_rows(format) - 1) / few_rows(format);
    int64_t piece_count = (count + row_max - 1) / row_max;
    int64_t p = m->panel_begin;
    for (; SL_STREAMS > 1 && count == 1 && p + SL_STREAMS <= m->panel_end; p += SL_STREAMS) {
        multiply_streams(format, m, p);
    }
    for (; p < m->panel_end; p++) {
        if (few_groups <= few_groups_max(format)) {
            for (int64_t g = 0; g < few_groups; g++) {
                int64_t begin = count * g / few_groups, n = count * (g + 1) / few_groups - begin;
                multiply_few(format, m, m->row_begin + begin, n, p);
            }
            continue;
        }
        for (int64_t i = 0; i < piece_count; i++) {
            int64_t begin = count * i / piece_count, n = count * (i + 1) / piece_count - begin;
            multiply_panel(format, m, m->row_begin + begin, n, (n + SL_GROUP - 1) / SL_GROUP, p);
        }
    }
}

#define SL_MULTIPLY(name, format) \
    void SL_NAME(name)(const struct sl_multiplication *m) { multiply_quantised(format, m); }
SL_EACH_QUANTISED_MULTIPLY(SL_MULTIPLY)
