#pragma once
// The LZ4 block format, as system library.
#include <lz4.h>
