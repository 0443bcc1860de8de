#include "sl_crc.h"

#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Reflected form of the polynomial 0x1EDC6F41.
#define POLYNOMIAL 0x82F63B78u

// The instruction takes three cycles but can start each cycle: three streams of a stride each keep it busy.
#define LONG_STRIDE 8192u
#define SHORT_STRIDE 256u

// bytes_table[n][b]: what byte b contributes when n more bytes follow it.
static uint32_t bytes_table[8][256];
// zeros_*[n][b]: what byte n of a remainder, if it is b, becomes after a stride of zero bytes.
static uint32_t zeros_long[4][256];
static uint32_t zeros_short[4][256];
static bool has_instruction;
#if defined(__x86_64__)
// Carry-less products of several lanes of 128 bits; of 512 bits they are twice as fast as the instruction or more.
static bool has_folding;
static bool has_wide_folding;
// What moves 16 bytes on by FOLD_STRIDE bytes: the factor of their first half, and of their second.
static uint64_t fold_factors[2];
#define FOLD_STRIDE 256u
#endif
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

// A linear map of remainders: map[i] is the image of bit i.
static uint32_t map_apply(const uint32_t map[32], uint32_t value) {
    uint32_t image = 0;
    for (int bit = 0; value != 0; bit++, value >>= 1) {
        if (value & 1) image ^= map[bit];
    }
    return image;
}

// Fills `table` with the effect of `stride` zero bytes; `stride` is a power of two.
static void prepare_zeros(uint32_t table[4][256], uint32_t stride) {
    uint32_t map[32], square[32];
    for (int bit = 0; bit < 32; bit++) {
        uint32_t value = 1u << bit;
        map[bit] = (value >> 8) ^ bytes_table[0][value & 0xff];
    }
    for (; stride > 1; stride >>= 1) {
        for (int bit = 0; bit < 32; bit++) square[bit] = map_apply(map, map[bit]);
        memcpy(map, square, sizeof map);
    }
    for (int n = 0; n < 4; n++) {
        for (uint32_t b = 0; b < 256; b++) table[n][b] = map_apply(map, b << (8 * n));
    }
}

#if defined(__x86_64__)
// x^exponent modulo the polynomial, reflected, as the factor of a carry-less product of reflected values.
static uint64_t fold_factor(uint32_t exponent) {
    uint32_t value = 0x80000000u;
    for (; exponent > 0; exponent--) value = (value >> 1) ^ (POLYNOMIAL & (0u - (value & 1)));
    return (uint64_t)value << 1;
}
#endif

static void prepare(void) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t value = b;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (POLYNOMIAL & (0u - (value & 1)));
        bytes_table[0][b] = value;
    }
    for (uint32_t b = 0; b < 256; b++) {
        for (int n = 1; n < 8; n++) {
            uint32_t before = bytes_table[n - 1][b];
            bytes_table[n][b] = (before >> 8) ^ bytes_table[0][before & 0xff];
        }
    }
    prepare_zeros(zeros_long, LONG_STRIDE);
    prepare_zeros(zeros_short, SHORT_STRIDE);
#if defined(__x86_64__)
    has_instruction = __builtin_cpu_supports("sse4.2");
    has_folding = has_instruction && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("vpclmulqdq");
    has_wide_folding = has_folding && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    fold_factors[0] = fold_factor(8 * FOLD_STRIDE + 32);
    fold_factors[1] = fold_factor(8 * FOLD_STRIDE - 32);
#endif
}

static uint64_t load_little(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static uint32_t extend_by_tables(uint32_t remainder, const uint8_t *bytes, size_t byte_count) {
    for (; byte_count >= 8; bytes += 8, byte_count -= 8) {
        uint64_t word = load_little(bytes) ^ remainder;
        remainder = 0;
        for (int n = 0; n < 8; n++) remainder ^= bytes_table[7 - n][(word >> (8 * n)) & 0xff];
    }
    for (; byte_count > 0; bytes++, byte_count--) {
        remainder = (remainder >> 8) ^ bytes_table[0][(remainder ^ *bytes) & 0xff];
    }
    return remainder;
}

#if defined(__x86_64__)
static uint32_t skip_zeros(const uint32_t table[4][256], uint32_t remainder) {
    return table[0][remainder & 0xff] ^ table[1][(remainder >> 8) & 0xff] ^ table[2][(remainder >> 16) & 0xff] ^
           table[3][remainder >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t extend_three_strides(
    uint32_t remainder, const uint8_t *bytes, size_t stride, const uint32_t zeros[4][256]) {
    uint64_t first = remainder, second = 0, third = 0;
    for (size_t offset = 0; offset < stride; offset += 8) {
        first = __builtin_ia32_crc32di(first, load_little(bytes + offset));
        second = __builtin_ia32_crc32di(second, load_little(bytes + stride + offset));
        third = __builtin_ia32_crc32di(third, load_little(bytes + 2 * stride + offset));
    }
    remainder = skip_zeros(zeros, (uint32_t)first) ^ (uint32_t)second;
    return skip_zeros(zeros, remainder) ^ (uint32_t)third;
}

__attribute__((target("sse4.2"))) static uint32_t extend_by_instruction(
    uint32_t remainder, const uint8_t *bytes, size_t byte_count) {
    for (; byte_count >= 3 * LONG_STRIDE; bytes += 3 * LONG_STRIDE, byte_count -= 3 * LONG_STRIDE) {
        remainder = extend_three_strides(remainder, bytes, LONG_STRIDE, zeros_long);
    }
    for (; byte_count >= 3 * SHORT_STRIDE; bytes += 3 * SHORT_STRIDE, byte_count -= 3 * SHORT_STRIDE) {
        remainder = extend_three_strides(remainder, bytes, SHORT_STRIDE, zeros_short);
    }
    uint64_t wide = remainder;
    for (; byte_count >= 8; bytes += 8, byte_count -= 8) wide = __builtin_ia32_crc32di(wide, load_little(bytes));
    remainder = (uint32_t)wide;
    for (; byte_count > 0; bytes++, byte_count--) remainder = __builtin_ia32_crc32qi(remainder, *bytes);
    return remainder;
}
#endif

#if defined(__x86_64__)
// Whole strides, at least one. What is folded together has the checksum of all that was folded.
__attribute__((target("avx2,vpclmulqdq"))) static void fold(
    uint32_t remainder, const uint8_t *bytes, size_t byte_count, uint8_t folded[FOLD_STRIDE]) {
    __m256i factors = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)fold_factors));
    __m256i sums[8];
    for (int i = 0; i < 8; i++) sums[i] = _mm256_loadu_si256((const __m256i *)(bytes + 32 * i));
    sums[0] = _mm256_xor_si256(sums[0], _mm256_zextsi128_si256(_mm_cvtsi32_si128((int)remainder)));
    for (size_t offset = FOLD_STRIDE; offset < byte_count; offset += FOLD_STRIDE) {
        for (int i = 0; i < 8; i++) {
            __m256i first = _mm256_clmulepi64_epi128(sums[i], factors, 0x00);
            __m256i second = _mm256_clmulepi64_epi128(sums[i], factors, 0x11);
            __m256i next = _mm256_loadu_si256((const __m256i *)(bytes + offset + 32 * i));
            sums[i] = _mm256_xor_si256(_mm256_xor_si256(first, second), next);
        }
    }
    for (int i = 0; i < 8; i++) _mm256_storeu_si256((__m256i *)(folded + 32 * i), sums[i]);
}

__attribute__((target("avx512f,avx512vl,vpclmulqdq"))) static void fold_wide(
    uint32_t remainder, const uint8_t *bytes, size_t byte_count, uint8_t folded[FOLD_STRIDE]) {
    __m512i factors = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)fold_factors));
    __m512i sums[4];
    for (int i = 0; i < 4; i++) sums[i] = _mm512_loadu_si512(bytes + 64 * i);
    sums[0] = _mm512_xor_si512(sums[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)remainder)));
    for (size_t offset = FOLD_STRIDE; offset < byte_count; offset += FOLD_STRIDE) {
        for (int i = 0; i < 4; i++) {
            __m512i first = _mm512_clmulepi64_epi128(sums[i], factors, 0x00);
            __m512i second = _mm512_clmulepi64_epi128(sums[i], factors, 0x11);
            __m512i next = _mm512_loadu_si512(bytes + offset + 64 * i);
            sums[i] = _mm512_ternarylogic_epi64(first, second, next, 0x96);
        }
    }
    for (int i = 0; i < 4; i++) _mm512_storeu_si512(folded + 64 * i, sums[i]);
}

static uint32_t extend_by_folding(uint32_t remainder, const uint8_t *bytes, size_t byte_count) {
    size_t folded_count = byte_count - byte_count % FOLD_STRIDE;
    if (folded_count > FOLD_STRIDE) {
        uint8_t folded[FOLD_STRIDE];
        if (has_wide_folding) {
            fold_wide(remainder, bytes, folded_count, folded);
        } else {
            fold(remainder, bytes, folded_count, folded);
        }
        remainder = extend_by_instruction(0, folded, FOLD_STRIDE);
        bytes += folded_count;
        byte_count -= folded_count;
    }
    return extend_by_instruction(remainder, bytes, byte_count);
}
#endif

uint32_t sl_crc32c_extend(uint32_t checksum, const void *bytes, size_t byte_count) {
    pthread_once(&prepared, prepare);
#if defined(__x86_64__)
    if (has_folding) return ~extend_by_folding(~checksum, bytes, byte_count);
    if (has_instruction) return ~extend_by_instruction(~checksum, bytes, byte_count);
#endif
    return ~extend_by_tables(~checksum, bytes, byte_count);
}

uint32_t sl_crc32c_extend_by_tables(uint32_t checksum, const void *bytes, size_t byte_count) {
    pthread_once(&prepared, prepare);
    return ~extend_by_tables(~checksum, bytes, byte_count);
}

bool sl_crc32c_uses_instruction(void) {
    pthread_once(&prepared, prepare);
    return has_instruction;
}
