// What weights look like in a model file, as far as the check must know to make some up.
#pragma once

#include "check.h"

struct check_format {
    const char *name;
    int64_t block_columns;
    int64_t block_bytes;
    int64_t half_count;  // f16 values in a block, which must be finite
    int64_t halves[2];   // where they are
};

/// By enum sl_format; all of them.
extern const struct check_format check_formats[SL_FORMAT_COUNT];

enum check_weights {
    CHECK_WEIGHTS_USUAL, // scales that models have
    CHECK_WEIGHTS_ANY,   // all finite scales and elements
    CHECK_WEIGHTS_ENDS,  // all integers alike, at an end
    CHECK_WEIGHTS_COUNT
};

/// A panel-packed matrix of random weights. Gives its row-major blocks in `source` unless that is NULL.
struct sl_matrix check_matrix(struct check *c, enum sl_format format, enum check_weights weights, int64_t rows,
    int64_t columns, const uint8_t **source);
