// The end of a product, for every SIMD path. Included inside its target region, after its vectors.h.

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
        for (int part = 0; part < SL_PANEL_ROWS / SL_LANES; part++) {
            vf v = f_load(sums + part * SL_LANES);
            if (m->adds) v = f_add(f_load_any(out + part * SL_LANES), v);
            f_store_any(out + part * SL_LANES, v);
        }
    }
}
