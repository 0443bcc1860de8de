#include "../avx512/avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target(SL_AVX512_TARGET ",avx512vnni"))), apply_to = function)
#include "../common/values.h"

#include "../avx512/vectors.h"
#include "../common/panel.h"

// vpdpbusd multiplies unsigned bytes, the weights, by signed ones and adds them in 32 bits.
#define SL_NAME(x) sl_avx512_vnni_##x
#define SL_STREAMS SL_PANELS_TOGETHER
#define SL_FEW_GROUPS 3
#define SL_FEW_GROUPS_SIMPLE INT64_MAX
#define SL_FETCH_BYTES 8192
#define SL_FETCH_REPEATS 2
#define SL_SIGNED_OFFSET 128
#define SL_DOT_SATURATES 0

#define dot_start(range, bias) (bias)
#define dot_pair(range, acc, w0, q0, w1, q1) _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(acc, w0, q0), w1, q1)
#define dot_total(range, acc, bias) ((void)(bias), (acc))
#define sum_total(range, acc) (acc)
#define sum_pair(range, acc, w0, w1) \
    ((range) == SIGNED_BYTES ? dot_pair(range, acc, w0, v_bytes(1), w1, v_bytes(1)) \
        : ((void)(w1), _mm512_dpbusd_epi32(acc, w0, v_bytes(1))))

#include "../common/fetch.h"
#include "../common/multiply_quantised.h"
#pragma clang attribute pop
#endif
