#include "include/sl_loops.h"

#include <string.h>

#include "sl_kernels.h"

// Independent sums: enough to cover four cycles of latency at two instructions a cycle, few enough for 16 registers.
#define CHAINS 12

// Between the passes the compiler knows nothing of a register: it can neither hoist nor merge what is computed from it.
#define FORGET(variable) __asm__ volatile("" : "+" SL_REGISTER(variable))

#define PASSES(lanes) (multiply_add_count / (CHAINS * (lanes)) + 1)
#define DONE(lanes) (passes * CHAINS * (lanes))

#if defined(__x86_64__)
#include <immintrin.h>

#define SL_REGISTER(variable) "v"(variable)

#define SUMS_OF(Vector)                                                                                              \
    Vector sums[CHAINS];                                                                                             \
    memset(sums, 0, sizeof sums)

#define KEEP_SUMS                                                                                                    \
    for (int c = 0; c < CHAINS; c++) FORGET(sums[c])

// One loop: `lanes` multiply-adds an instruction, `STEP` computes sums[c] out of a and b.
#define LOOP(name, features, Vector, Sum, lanes, STEP)                                                               \
    __attribute__((target(features))) static int64_t name(int64_t multiply_add_count)                                \
    {                                                                                                                \
        const int64_t passes = PASSES(lanes);                                                                        \
        Vector a, b;                                                                                                 \
        memset(&a, 1, sizeof a);                                                                                     \
        memset(&b, 1, sizeof b);                                                                                     \
        SUMS_OF(Sum);                                                                                                \
        for (int64_t pass = 0; pass < passes; pass++) {                                                              \
            for (int c = 0; c < CHAINS; c++) {                                                                       \
                FORGET(a);                                                                                           \
                STEP;                                                                                                \
            }                                                                                                        \
        }                                                                                                            \
        KEEP_SUMS;                                                                                                   \
        return DONE(lanes);                                                                                          \
    }

LOOP(dot_avx2, "avx2", __m256i, __m256i, 32,
    sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), b)))
LOOP(dot_avx_vnni, "avx2,avxvnni", __m256i, __m256i, 32, sums[c] = _mm256_dpbusd_avx_epi32(sums[c], a, b))
LOOP(dot_avx512, "avx512f,avx512bw", __m512i, __m512i, 64,
    sums[c] = _mm512_add_epi32(sums[c], _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), b)))
LOOP(dot_avx512_vnni, "avx512f,avx512vnni", __m512i, __m512i, 64, sums[c] = _mm512_dpbusd_epi32(sums[c], a, b))
LOOP(dot_avx512_vnni_ymm, "avx512f,avx512vl,avx512vnni", __m256i, __m256i, 32,
    sums[c] = _mm256_dpbusd_epi32(sums[c], a, b))

// The register numbers stand in the instructions: six sums, as one of the others holds each factor.
__attribute__((target("amx-tile,amx-int8"))) static int64_t dot_amx(int64_t multiply_add_count)
{
    enum { SUMS = 6, TILE = 16 * 64 * 16 };
    const int64_t passes = multiply_add_count / (SUMS * TILE) + 1;
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) configuration.row_bytes[tile] = 64, configuration.rows[tile] = 16;
    _tile_loadconfig(&configuration);
    _tile_zero(0), _tile_zero(1), _tile_zero(2), _tile_zero(3), _tile_zero(4), _tile_zero(5), _tile_zero(6), _tile_zero(7);
    for (int64_t pass = 0; pass < passes; pass++) {
        _tile_dpbssd(0, 6, 7), _tile_dpbssd(1, 6, 7), _tile_dpbssd(2, 6, 7);
        _tile_dpbssd(3, 6, 7), _tile_dpbssd(4, 6, 7), _tile_dpbssd(5, 6, 7);
    }
    _tile_release();
    return passes * SUMS * TILE;
}

LOOP(fma_avx2, "avx2,fma", __m256, __m256, 8, sums[c] = _mm256_fmadd_ps(a, b, sums[c]))
LOOP(fma_avx512, "avx512f", __m512, __m512, 16, sums[c] = _mm512_fmadd_ps(a, b, sums[c]))

#elif defined(__aarch64__)
#include <arm_neon.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

#define SL_REGISTER(variable) "w"(variable)

__attribute__((target("arch=armv8.2-a+dotprod"))) static int64_t dot_neon(int64_t multiply_add_count)
{
    const int64_t passes = PASSES(16);
    int8x16_t a = vdupq_n_s8(1);
    const int8x16_t b = vdupq_n_s8(1);
    int32x4_t sums[CHAINS];
    memset(sums, 0, sizeof sums);
    for (int64_t pass = 0; pass < passes; pass++) {
        for (int c = 0; c < CHAINS; c++) {
            FORGET(a);
            sums[c] = vdotq_s32(sums[c], a, b);
        }
    }
    for (int c = 0; c < CHAINS; c++) FORGET(sums[c]);
    return DONE(16);
}

static int64_t fma_neon(int64_t multiply_add_count)
{
    const int64_t passes = PASSES(4);
    float32x4_t a = vdupq_n_f32(1);
    const float32x4_t b = vdupq_n_f32(1e-3f);
    float32x4_t sums[CHAINS];
    memset(sums, 0, sizeof sums);
    for (int64_t pass = 0; pass < passes; pass++) {
        for (int c = 0; c < CHAINS; c++) {
            FORGET(a);
            sums[c] = vfmaq_f32(sums[c], a, b);
        }
    }
    for (int c = 0; c < CHAINS; c++) FORGET(sums[c]);
    return DONE(4);
}
#endif

// What a compiler makes of plain C: for processors without any of the above.
static int64_t dot_portable(int64_t multiply_add_count)
{
    const int64_t passes = PASSES(1);
    uint32_t sums[CHAINS] = {0};
    volatile uint32_t seed = 3;
    uint32_t a = seed;
    for (int64_t pass = 0; pass < passes; pass++) {
        for (int c = 0; c < CHAINS; c++) sums[c] = sums[c] * a + 1;
        __asm__ volatile("" : "+r"(a));
    }
    for (int c = 0; c < CHAINS; c++) __asm__ volatile("" : "+r"(sums[c]));
    return DONE(1);
}

static int64_t fma_portable(int64_t multiply_add_count)
{
    const int64_t passes = PASSES(1);
    float sums[CHAINS] = {0};
    volatile float seed = 0.5f;
    const float a = seed;
    for (int64_t pass = 0; pass < passes; pass++) {
        for (int c = 0; c < CHAINS; c++) sums[c] = sums[c] * a + 1.0f;
    }
    float sum = 0;
    for (int c = 0; c < CHAINS; c++) sum += sums[c];
    seed = sum;
    return DONE(1);
}

int32_t sl_loop_is_available(enum sl_loop_set set)
{
    switch (set) {
    case SL_LOOP_PORTABLE: return 1;
#if defined(__x86_64__)
    case SL_LOOP_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SL_LOOP_AVX_VNNI: return __builtin_cpu_supports("avxvnni") && __builtin_cpu_supports("fma");
    case SL_LOOP_AVX512: return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512f");
    case SL_LOOP_AVX512_VNNI: return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512f");
    case SL_LOOP_AVX512_VNNI_YMM:
        return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("fma");
    case SL_LOOP_AMX: return sl_kernels_find(SL_ISA_AMX) != NULL;
#elif defined(__aarch64__)
    case SL_LOOP_NEON_DOT: return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
    default: return 0;
    }
}

int64_t sl_loop_dot(enum sl_loop_set set, int64_t multiply_add_count)
{
    switch (set) {
#if defined(__x86_64__)
    case SL_LOOP_AVX2: return dot_avx2(multiply_add_count);
    case SL_LOOP_AVX_VNNI: return dot_avx_vnni(multiply_add_count);
    case SL_LOOP_AVX512: return dot_avx512(multiply_add_count);
    case SL_LOOP_AVX512_VNNI: return dot_avx512_vnni(multiply_add_count);
    case SL_LOOP_AVX512_VNNI_YMM: return dot_avx512_vnni_ymm(multiply_add_count);
    case SL_LOOP_AMX: return dot_amx(multiply_add_count);
#elif defined(__aarch64__)
    case SL_LOOP_NEON_DOT: return dot_neon(multiply_add_count);
#endif
    default: return dot_portable(multiply_add_count);
    }
}

int64_t sl_loop_fma(enum sl_loop_set set, int64_t multiply_add_count)
{
    switch (set) {
#if defined(__x86_64__)
    case SL_LOOP_AVX2:
    case SL_LOOP_AVX_VNNI:
    case SL_LOOP_AVX512_VNNI_YMM: return fma_avx2(multiply_add_count);
    case SL_LOOP_AVX512:
    case SL_LOOP_AVX512_VNNI:
    case SL_LOOP_AMX: return fma_avx512(multiply_add_count);
#elif defined(__aarch64__)
    case SL_LOOP_NEON_DOT: return fma_neon(multiply_add_count);
#endif
    default: return fma_portable(multiply_add_count);
    }
}
