// From the row-major blocks of a model file to panels, and back to float32. One implementation: bytes are only moved.
#pragma once

#include "sl_kernels.h"

/// Bytes of a panel (16 rows, all columns), a multiple of 64.
int64_t sl_pack_panel_bytes(enum sl_format format, int64_t columns);

/// Packs one panel: writes every byte of it. `source` is the first of `row_count` (1 ... 16) rows; missing rows, and
/// what is behind the last column, become zeros.
/// Gives the index of the first row (within the panel) with a non-finite scale or weight, or -1.
int64_t sl_pack_panel(enum sl_format format, const uint8_t *source, int64_t row_count, int64_t columns, uint8_t *panel);

/// Exact float32 values of one row (0 ... 15) of a panel.
void sl_pack_unpack_row(enum sl_format format, const uint8_t *panel, int64_t row, int64_t columns, float *values);
