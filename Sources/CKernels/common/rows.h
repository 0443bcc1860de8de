// Operations on rows of float32 values, for every SIMD path. The including file is inside its target region, has
// included values.h, block.h, its vectors.h and functions.h there, and has defined
//   f_exp, f_silu               of each lane
//   largest_of, sum_exp         of many values
//   quantize_block              one block of 32 values
//   rotate_neighbours(x, cosines, sines, pair_count)
//                               turns pairs (x[2i], x[2i+1]); gives how many it has turned, all but a few of the last
//
// Values behind the last whole vector go through the functions of one value: the same bits.

static void quantize(const float *x, int64_t columns, struct sl_block *blocks)
{
    for (int64_t i = 0; i < columns / SL_BLOCK_COLUMNS; i++) quantize_block(x + i * SL_BLOCK_COLUMNS, blocks + i);
}

static float rms_scale(const float *x, int64_t columns, float epsilon)
{
    enum { parts = 16 / SL_LANES };
    vf sums[parts];
    for (int j = 0; j < parts; j++) sums[j] = f_zero();
    int64_t k = 0;
    for (; k + 16 <= columns; k += 16) {
        for (int j = 0; j < parts; j++) {
            vf v = f_load_any(x + k + j * SL_LANES);
            sums[j] = f_fma(v, v, sums[j]);
        }
    }
    float partials[16];
    for (int j = 0; j < parts; j++) f_store_any(partials + j * SL_LANES, sums[j]);
    for (; k < columns; k++) partials[k % 16] = sl_value_fma(x[k], x[k], partials[k % 16]);
    float mean = sl_value_tree(partials) / (float)columns;
    return 1.0f / __builtin_sqrtf(mean + epsilon);
}

/// All of `count` values: whole vectors by the first expression, the rest one by one.
#define EACH_VALUE(i, count, vectors, value) \
    int64_t i = 0; \
    for (; i + SL_LANES <= (count); i += SL_LANES) vectors; \
    for (; i < (count); i++) value

static void scale_multiply(const float *x, float scale, const float *weight, int64_t columns, float *y)
{
    vf s = f_broadcast(&scale);
    EACH_VALUE(k, columns, f_store_any(y + k, f_mul(f_mul(f_load_any(x + k), s), f_load_any(weight + k))),
        y[k] = (x[k] * scale) * weight[k]);
}

static void silu_multiply(const float *gate, const float *up, int64_t columns, float *y)
{
    EACH_VALUE(k, columns, f_store_any(y + k, f_mul(f_silu(f_load_any(gate + k)), f_load_any(up + k))),
        y[k] = sl_value_silu(gate[k]) * up[k]);
}

static void add(float *x, const float *y, int64_t columns)
{
    EACH_VALUE(k, columns, f_store_any(x + k, f_add(f_load_any(x + k), f_load_any(y + k))), x[k] += y[k]);
}

SL_INLINE void turn(float *first, float *second, float c, float s)
{
    float a = *first, b = *second;
    *first = sl_value_fma(a, c, -(b * s));
    *second = sl_value_fma(a, s, b * c);
}

SL_INLINE void turn_vectors(float *first, float *second, vf c, vf s)
{
    vf a = f_load_any(first), b = f_load_any(second);
    f_store_any(first, f_fma(a, c, f_negate(f_mul(b, s))));
    f_store_any(second, f_fma(a, s, f_mul(b, c)));
}

static void rotate_halves(float *x, const float *cosines, const float *sines, int64_t pair_count)
{
    float *y = x + pair_count;
    EACH_VALUE(i, pair_count, turn_vectors(x + i, y + i, f_load_any(cosines + i), f_load_any(sines + i)),
        turn(x + i, y + i, cosines[i], sines[i]));
}

static void rotate(float *x, const float *cosines, const float *sines, int64_t pair_count, int32_t halves)
{
    if (halves) {
        rotate_halves(x, cosines, sines, pair_count);
        return;
    }
    for (int64_t i = rotate_neighbours(x, cosines, sines, pair_count); i < pair_count; i++) {
        turn(x + 2 * i, x + 2 * i + 1, cosines[i], sines[i]);
    }
}

static void exponentiate(const float *x, int64_t count, float *y)
{
    EACH_VALUE(i, count, f_store_any(y + i, f_exp(f_load_any(x + i))), y[i] = sl_value_exp(x[i]));
}

static void to_half(const float *x, int64_t count, uint16_t *y)
{
    EACH_VALUE(i, count, f_store_half(y + i, f_load_any(x + i)), y[i] = sl_value_to_half(x[i]));
}

static void from_half(const uint16_t *x, int64_t count, float *y)
{
    EACH_VALUE(i, count, f_store_any(y + i, f_load_half(x + i)), y[i] = sl_value_from_half(x[i]));
}

static void max_exp_sum(const float *x, int64_t count, float *max, float *sum)
{
    float top = largest_of(x, count);
    *sum = sum_exp(x, count, top, 0);
    *max = *sum == *sum ? top + 0.0f : __builtin_nanf(""); // never -0
}

static void attention_softmax(float *scores, int64_t count, float *max, float *sum)
{
    *max = largest_of(scores, count);
    *sum = sum_exp(scores, count, *max, scores);
}

static void attention_merge(float *x, float a, const float *y, float b, int64_t count)
{
    vf va = f_broadcast(&a), vb = f_broadcast(&b);
    EACH_VALUE(i, count, f_store_any(x + i, f_fma(f_load_any(x + i), va, f_mul(f_load_any(y + i), vb))),
        x[i] = sl_value_fma(x[i], a, y[i] * b));
}

static void divide(const float *x, float by, int64_t count, float *y)
{
    vf divisor = f_broadcast(&by);
    EACH_VALUE(i, count, f_store_any(y + i, f_divide(f_load_any(x + i), divisor)), y[i] = x[i] / by);
}

/// What stands here, for the tables of kernels.
#define SL_ROW_KERNELS \
    .quantize = quantize, .rms_scale = rms_scale, .scale_multiply = scale_multiply, .silu_multiply = silu_multiply, \
    .add = add, .rotate = rotate, .exponentiate = exponentiate, .to_half = to_half, .from_half = from_half, \
    .max_exp_sum = max_exp_sum, .attention_softmax = attention_softmax, .attention_merge = attention_merge, \
    .divide = divide
