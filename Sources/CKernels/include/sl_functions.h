// Functions of one value, our own to the bit; no C library behind them.
#pragma once

#include <stdint.h>

/// At most 2 ulp over [-87, 0]; 0 below -87.33, infinity above 88.7228, NaN for NaN.
float sl_exp(float x);
float sl_silu(float x);
uint16_t sl_half_from_float(float x);
float sl_half_to_float(uint16_t h);

/// float64, relative error about 1e-15: for tables and for the logarithm of a softmax sum.
double sl_exp64(double x);
/// Natural logarithm of a positive finite x; -infinity for 0, NaN for the rest but infinity.
double sl_log64(double x);
/// For |x| up to 2^22.
void sl_sincos64(double x, double *sine, double *cosine);
/// base > 0
double sl_pow64(double base, double exponent);
