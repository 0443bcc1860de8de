#include "../include/sl_functions.h"

#include "values.h"

float sl_exp(float x) { return sl_value_exp(x); }
float sl_silu(float x) { return sl_value_silu(x); }
uint16_t sl_half_from_float(float x) { return sl_value_to_half(x); }
float sl_half_to_float(uint16_t h) { return sl_value_from_half(h); }

// MARK: float64

static double sl_double_fma(double a, double b, double c) { return __builtin_fma(a, b, c); }

static uint64_t sl_double_bits(double x)
{
    uint64_t b;
    memcpy(&b, &x, 8);
    return b;
}

static double sl_double_from_bits(uint64_t b)
{
    double x;
    memcpy(&x, &b, 8);
    return x;
}

/// 1.5 * 2^52: adding it rounds to an integer, ties to even.
static const double double_round = 6755399441055744.0;

double sl_exp64(double x)
{
    if (x != x) return x;
    if (x < -708.0) return 0.0;
    if (x > 709.0) return __builtin_inf();
    double t = sl_double_fma(x, 0x1.71547652b82fep+0, double_round);
    double n = t - double_round;
    double r = sl_double_fma(n, -0x1.62e42fefa39efp-1, x); // ln 2 in two parts
    r = sl_double_fma(n, -0x1.abc9e3b39803fp-56, r);
    double p = 0.0;
    for (int k = 14; k >= 1; k--) { // Taylor: p = r/1 (1 + r/2 (1 + r/3 (...)))
        p = (p + 1.0) * (r / (double)k);
    }
    return sl_double_from_bits(sl_double_bits(1.0 + p) + (sl_double_bits(t) << 52));
}

double sl_log64(double x)
{
    if (x == 0.0) return -__builtin_inf();
    if (!(x > 0.0)) return __builtin_nan("");
    if (x == __builtin_inf()) return x;
    int64_t exponent = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        exponent = -54;
    }
    uint64_t bits = sl_double_bits(x);
    exponent += (int64_t)(bits >> 52) - 1023;
    double m = sl_double_from_bits((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);
    if (m > 0x1.6a09e667f3bcdp+0) { // above the root of 2
        m *= 0.5;
        exponent += 1;
    }
    // log m = 2 atanh s = 2 (s + s^3/3 + s^5/5 + ...), |s| <= 0.1716
    double s = (m - 1.0) / (m + 1.0), s2 = s * s, p = 0.0;
    for (int k = 23; k >= 3; k -= 2) p = sl_double_fma(p, s2, 1.0 / (double)k);
    double log_m = 2.0 * sl_double_fma(s * s2, p, s);
    double e = (double)exponent;
    return sl_double_fma(e, 0x1.62e42fefa39efp-1, sl_double_fma(e, 0x1.abc9e3b39803fp-56, log_m));
}

void sl_sincos64(double x, double *sine, double *cosine)
{
    double t = sl_double_fma(x, 0x1.45f306dc9c883p-1, double_round); // 2 / pi
    double n = t - double_round;
    uint64_t quadrant = sl_double_bits(t) & 3;
    double r = sl_double_fma(n, -0x1.921fb54442d18p+0, x); // pi / 2 in three parts
    r = sl_double_fma(n, -0x1.1a62633145c07p-54, r);
    r = sl_double_fma(n, 0x1.f1976b7ed8fbcp-110, r);
    double r2 = r * r, s = 0.0, c = 0.0;
    for (int k = 18; k >= 2; k -= 2) { // Taylor on |r| <= pi / 4
        s = -(1.0 + s) * (r2 / (double)(k * (k + 1)));
        c = -(1.0 + c) * (r2 / (double)((k - 1) * k));
    }
    s = sl_double_fma(r, s, r);
    c = 1.0 + c;
    *sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
    *cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}

double sl_pow64(double base, double exponent) { return sl_exp64(exponent * sl_log64(base)); }
