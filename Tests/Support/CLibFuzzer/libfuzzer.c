#include "sl_libfuzzer.h"
