// SIMD kernels of Shardline: see sl_kernels.h.
#pragma once
#include "sl_attention.h"
#include "sl_fill.h"
#include "sl_functions.h"
#include "sl_kernels.h"
#include "sl_pack.h"
#include "sl_probe.h"
