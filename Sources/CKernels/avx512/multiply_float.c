#include "avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET))), apply_to = function)
#include "../common/values.h"

#include "vectors.h"

// Up to 24 of 32 registers hold sums, four the weights of a column. (12 rows of two panels take a broadcast for every
// two multiplications, which is slower.)
#define SL_NAME(x) sl_avx512_##x
#define SL_FLOAT_ROWS 6
#define SL_FLOAT_PANELS(rows) 4
#define SL_FLOAT_CASES \
    SL_FLOAT_CASE(1) SL_FLOAT_CASE(2) SL_FLOAT_CASE(3) SL_FLOAT_CASE(4) SL_FLOAT_CASE(5) SL_FLOAT_CASE(6)
#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2

#include "../common/fetch.h"
#include "../common/multiply_float.h"
#pragma clang attribute pop
#endif
