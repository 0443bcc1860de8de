#include "neon.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_NEON_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"

// Up to 24 of 32 registers hold sums, four or eight the weights of a column.
#define SL_NAME(x) sl_neon_##x
#define SL_FLOAT_ROWS 6
#define SL_FLOAT_PANELS(rows) ((rows) == 1 ? 4 : (rows) == 2 ? 2 : 1)
#define SL_FLOAT_CASES \
    SL_FLOAT_CASE(1) SL_FLOAT_CASE(2) SL_FLOAT_CASE(3) SL_FLOAT_CASE(4) SL_FLOAT_CASE(5) SL_FLOAT_CASE(6)
#define SL_FETCH_BYTES 2048
#define SL_FETCH_REPEATS 0

#include "../common/fetch.h"
#include "../common/multiply_float.h"
#pragma clang attribute pop
#endif
