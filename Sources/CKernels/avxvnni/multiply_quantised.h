// AVX2 with byte dot products, for processors that have them in 256-bit registers only. The including file has defined
// SL_NAME, SL_TARGET and SL_DPBUSD: the instruction has two encodings, and few machines run both.
#include "../avx2/avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_TARGET))), apply_to = function)
#include "../common/values.h"

#include "../avx2/vectors.h"
#include "../common/panel.h"

#define SL_STREAMS 1
#define SL_FEW_GROUPS 6
#define SL_FEW_GROUPS_SIMPLE 6
#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2
#define SL_SIGNED_OFFSET 128
#define SL_DOT_SATURATES 0

#define dot_start(range, bias) (bias)
#define dot_pair(range, acc, w0, q0, w1, q1) SL_DPBUSD(SL_DPBUSD(acc, w0, q0), w1, q1)
#define dot_total(range, acc, bias) ((void)(bias), (acc))
#define sum_total(range, acc) (acc)
#define sum_pair(range, acc, w0, w1) \
    ((range) == SIGNED_BYTES ? dot_pair(range, acc, w0, v_bytes(1), w1, v_bytes(1)) \
        : ((void)(w1), SL_DPBUSD(acc, w0, v_bytes(1))))

#include "../common/fetch.h"
#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
