#include "avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX2_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"

// Up to 12 of 16 registers hold sums, two or four the weights of a column.
#define SL_NAME(x) sl_avx2_##x
#define SL_FLOAT_ROWS 6
#define SL_FLOAT_PANELS(rows) ((rows) == 1 ? 4 : (rows) <= 3 ? 2 : 1)
#define SL_FLOAT_CASES \
    SL_FLOAT_CASE(1) SL_FLOAT_CASE(2) SL_FLOAT_CASE(3) SL_FLOAT_CASE(4) SL_FLOAT_CASE(5) SL_FLOAT_CASE(6)
#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2

#include "../common/fetch.h"
#include "../common/multiply_float.h"
#pragma clang attribute pop
#endif
