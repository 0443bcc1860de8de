#include "../common/tables.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("fma"))), apply_to = function)
#include "../common/values.h"
#include "../common/block.h"
#include "../common/panel.h"

#define SL_NAME(x) sl_scalar_fma_##x
#define SL_TITLE "scalar"
#include "scalar_kernels.h"
#pragma clang attribute pop
#endif
