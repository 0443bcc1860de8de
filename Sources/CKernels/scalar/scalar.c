#include "../common/tables.h"
#include "../common/values.h"
#include "../common/block.h"
#include "../common/panel.h"

#define SL_NAME(x) sl_scalar_##x
#define SL_TITLE "scalar"
#include "scalar_kernels.h"
