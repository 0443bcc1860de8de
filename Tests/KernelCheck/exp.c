// exp of every float, on every path.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { CHUNK = 65536 };

static const double ulp_max = 2.0;

/// How far off a result is, in units of the exact value's last place.
static double error_of(float x, float found)
{
    double exact = exp((double)x);
    return fabs((double)found - exact) / ldexp(1.0, ilogb((double)(float)exact) - 23);
}

/// Holds a chunk of results to float64 between -87 and 0; gives the worst error.
static double worst_error(const float *x, const float *found, float *where)
{
    double worst = 0.0;
    for (int64_t i = 0; i < CHUNK; i++) {
        if (!(x[i] <= 0.0f && x[i] >= -87.0f)) continue;
        // Nearer to 0 than 2^-26 the exact value is within a quarter of 1's last place below it.
        if (x[i] > -0x1p-26f && found[i] == 1.0f) continue;
        double error = error_of(x[i], found[i]);
        if (error <= worst) continue;
        worst = error;
        *where = x[i];
    }
    return worst;
}

int32_t check_exp_exhaustively(const struct sl_kernels *kernels, int64_t every)
{
    const struct sl_kernels *scalar = sl_kernels_find(SL_ISA_SCALAR);
    float *x = malloc(4 * CHUNK), *found = malloc(4 * CHUNK), *expected = malloc(4 * CHUNK), where = 0.0f;
    if (!x || !found || !expected) abort();
    double worst = 0.0;
    int64_t differences = 0, count = 0;
    for (int64_t first = 0; first < (int64_t)1 << 32; first += every * CHUNK) {
        for (int64_t i = 0; i < CHUNK; i++) {
            uint32_t bits = (uint32_t)(first + i * every); // the last chunk may begin again with the first floats
            memcpy(x + i, &bits, 4);
        }
        kernels->exponentiate(x, CHUNK, found);
        scalar->exponentiate(x, CHUNK, expected);
        for (int64_t i = 0; i < CHUNK && memcmp(found, expected, 4 * CHUNK) != 0; i++) {
            if (memcmp(found + i, expected + i, 4) == 0) continue;
            if (found[i] != found[i] && expected[i] != expected[i]) continue; // one NaN is as good as another
            if (differences++ > 0) continue;
            printf("exp(%a) is %a, but %a with the scalar kernels\n", x[i], found[i], expected[i]);
        }
        float chunk_where = 0.0f;
        double chunk_worst = worst_error(x, found, &chunk_where);
        if (chunk_worst > worst) worst = chunk_worst, where = chunk_where;
        count += CHUNK;
    }
    printf("exp of %lld floats: %lld differ from the scalar kernels; at most %.3f ulp off in [-87, 0] (at %a)\n",
        (long long)count, (long long)differences, worst, where);
    free(x);
    free(found);
    free(expected);
    return differences == 0 && worst <= ulp_max ? 0 : 1;
}
