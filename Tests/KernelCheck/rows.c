// The kernels of rows: all lengths around the vectors' widths, values of every kind.
#include <string.h>

#include "check.h"

enum { LENGTH_MAX = 130 };

/// A few cases of each length: every kind of value, and the usual one twice.
#define EACH_CASE(c, values) \
    for (int64_t count = 1; count <= LENGTH_MAX; count++) \
        for (int values = 0; values < CHECK_VALUES_COUNT; values++) \
            if (check_begin(c, "count=%lld values=%d", (long long)count, values))

void check_quantize(struct check *c)
{
    for (int64_t block_count = 1; block_count <= 40; block_count++) {
        for (int64_t round = 0; round < 5 * CHECK_VALUES_COUNT; round++) {
            enum check_values values = (enum check_values)(round / 5);
            if (!check_begin(c, "columns=%lld values=%d", (long long)(32 * block_count), values)) continue;
            float *x = check_floats(c, values, 32 * block_count);
            float scale = round % 5 == 0 ? 1.0f : check_uniform(c, -1.0f, 1.0f);
            for (int64_t i = check_between(c, 0, 20); i > 0; i--) scale *= 0.03f;
            for (int64_t i = 0; i < 32 * block_count; i++) x[i] *= scale;
            struct sl_block *blocks = check_bytes(c, block_count * (int64_t)sizeof *blocks);
            c->kernels->quantize(x, 32 * block_count, blocks);
            // A block's NaN is written, not computed: one and the same.
            check_hash_bytes(c, blocks, block_count * (int64_t)sizeof *blocks);
            check_end(c);
        }
    }
}

void check_rms_scale(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count);
        float scale = c->kernels->rms_scale(x, count, check_uniform(c, 0.0f, 1e-4f));
        check_hash_floats(c, &scale, 1);
        check_end(c);
    }
}

void check_scale_multiply(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count), *y = check_bytes(c, 4 * count);
        float *weight = check_floats(c, (enum check_values)values, count);
        c->kernels->scale_multiply(x, check_uniform(c, -3.0f, 3.0f), weight, count, y);
        check_hash_floats(c, y, count);
        c->kernels->scale_multiply(x, check_uniform(c, -3.0f, 3.0f), weight, count, x); // in place
        check_hash_floats(c, x, count);
        check_end(c);
    }
}

void check_silu_multiply(struct check *c)
{
    EACH_CASE(c, values) {
        float *gate = check_floats(c, (enum check_values)values, count), *y = check_bytes(c, 4 * count);
        float *up = check_floats(c, CHECK_VALUES_SMALL, count);
        c->kernels->silu_multiply(gate, up, count, y);
        check_hash_floats(c, y, count);
        check_end(c);
    }
}

void check_add(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count);
        float *y = check_floats(c, (enum check_values)values, count);
        c->kernels->add(x, y, count);
        check_hash_floats(c, x, count);
        check_end(c);
    }
}

void check_rotate(struct check *c)
{
    EACH_CASE(c, values) {
        for (int32_t halves = 0; halves < 2; halves++) {
            float *x = check_floats(c, (enum check_values)values, 2 * count);
            float *cosines = check_floats(c, CHECK_VALUES_SMALL, count);
            float *sines = check_floats(c, CHECK_VALUES_SMALL, count);
            c->kernels->rotate(x, cosines, sines, count, halves);
            check_hash_floats(c, x, 2 * count);
        }
        check_end(c);
    }
}

void check_exponentiate(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count), *y = check_bytes(c, 4 * count);
        c->kernels->exponentiate(x, count, y);
        check_hash_floats(c, y, count);
        c->kernels->exponentiate(x, count, x); // in place
        check_hash_floats(c, x, count);
        check_end(c);
    }
    // Floats from everywhere: each 4099th, a prime number.
    enum { CHUNK = 4096, STEP = 4099 };
    for (int64_t first = 0; first < (int64_t)1 << 32; first += (int64_t)STEP * CHUNK) {
        if (!check_begin(c, "each %d-th float from bits %08llx on", STEP, (unsigned long long)first)) continue;
        float *x = check_bytes(c, 4 * CHUNK), *y = check_bytes(c, 4 * CHUNK);
        for (int64_t i = 0; i < CHUNK; i++) {
            uint32_t bits = (uint32_t)(first + i * STEP);
            memcpy(x + i, &bits, 4);
        }
        c->kernels->exponentiate(x, CHUNK, y);
        check_hash_floats(c, y, CHUNK);
        check_end(c);
    }
}

/// A value near the boundary between two halves, or one.
static float near_half(struct check *c)
{
    uint16_t half = (uint16_t)check_random(c);
    float x = sl_half_to_float(half), next = sl_half_to_float((uint16_t)(half + 1));
    uint32_t bits;
    if (check_between(c, 0, 1)) x = x * 0.5f + next * 0.5f;
    memcpy(&bits, &x, 4);
    bits += (uint32_t)check_between(c, -1, 1);
    memcpy(&x, &bits, 4);
    return x;
}

void check_to_half(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count);
        for (int64_t i = 0; i < count && values == CHECK_VALUES_WIDE; i++) x[i] = near_half(c);
        uint16_t *y = check_bytes(c, 2 * count);
        c->kernels->to_half(x, count, y);
        check_hash_bytes(c, y, 2 * count); // a NaN's payload is fixed too (common/values.h)
        check_end(c);
    }
}

void check_from_half(struct check *c)
{
    for (int64_t count = 1; count <= LENGTH_MAX; count++) {
        if (!check_begin(c, "count=%lld", (long long)count)) continue;
        uint16_t *x = check_bytes(c, 2 * count);
        float *y = check_bytes(c, 4 * count);
        c->kernels->from_half(x, count, y);
        check_hash_bytes(c, y, 4 * count);
        check_end(c);
    }
    for (int64_t first = 0; first < 65536; first += 4096) {
        if (!check_begin(c, "4096 halves from bits %04llx on", (unsigned long long)first)) continue;
        uint16_t *x = check_bytes(c, 2 * 4096), *back = check_bytes(c, 2 * 4096);
        float *y = check_bytes(c, 4 * 4096);
        for (int64_t i = 0; i < 4096; i++) x[i] = (uint16_t)(first + i);
        c->kernels->from_half(x, 4096, y);
        c->kernels->to_half(y, 4096, back);
        check_hash_bytes(c, y, 4 * 4096);
        check_hash_bytes(c, back, 2 * 4096);
        check_end(c);
    }
}

void check_max_exp_sum(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count), results[2];
        c->kernels->max_exp_sum(x, count, results, results + 1);
        check_hash_floats(c, results, 2);
        check_end(c);
    }
    for (int64_t round = 0; round < 12; round++) {
        int64_t count = round < 2 ? 49152 + round : 1000 * round + 7;
        if (!check_begin(c, "count=%lld", (long long)count)) continue;
        float *x = check_floats(c, CHECK_VALUES_SMALL, count), results[2];
        c->kernels->max_exp_sum(x, count, results, results + 1);
        check_hash_floats(c, results, 2);
        check_end(c);
    }
}

void check_attention_merge(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count);
        float *y = check_floats(c, (enum check_values)values, count);
        c->kernels->attention_merge(x, check_uniform(c, 0.0f, 1.0f), y, check_uniform(c, 0.0f, 1.0f), count);
        check_hash_floats(c, x, count);
        check_end(c);
    }
}

void check_divide(struct check *c)
{
    EACH_CASE(c, values) {
        float *x = check_floats(c, (enum check_values)values, count), *y = check_bytes(c, 4 * count), by;
        check_fill(c, values == CHECK_VALUES_SMALL ? CHECK_VALUES_POSITIVE : (enum check_values)values, &by, 1);
        c->kernels->divide(x, by, count, y);
        check_hash_floats(c, y, count);
        c->kernels->divide(x, by, count, x); // in place
        check_hash_floats(c, x, count);
        check_end(c);
    }
}
