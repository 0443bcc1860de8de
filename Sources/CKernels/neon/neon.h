// The functions of the AArch64 path: NEON with the dot products of Armv8.2.
#pragma once

#include "../common/tables.h"

#define SL_NEON_TARGET "dotprod"

#define SL_NEON_NAME(x) sl_neon_##x
SL_DECLARE_FLOAT_MULTIPLIES(SL_NEON_NAME);
SL_DECLARE_QUANTISED_MULTIPLIES(SL_NEON_NAME);

void sl_neon_attention_scores(const struct sl_attention_group *g);
void sl_neon_attention_values(const struct sl_attention_group *g);
