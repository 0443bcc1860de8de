// Runs one instruction set's kernels over many cases and prints a hash of all output bits an operation. Paths agree
// when they print the same lines (tools/check-kernels). Built without Swift, so that it also runs under an emulator.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../../Sources/CKernels/include/CKernels.h"

/// What the command line asks for.
struct check_options {
    const char *path;      // a name out of check_path_at
    const char *operation; // NULL: all
    uint64_t seed;
    int64_t every;         // each how many-th case is run
    int32_t thorough;      // every combination of small shapes, not every pair
    int32_t traces;        // a line a case
};

/// One operation's run. A case is what stands between check_begin and check_end; its data depend on the seed, the
/// operation and the case's number only, whatever other cases are run.
struct check {
    const struct check_options *options;
    const struct sl_kernels *kernels;
    const char *operation;
    int64_t case_index;
    int64_t case_count; // that were run
    uint64_t random;
    uint64_t case_hash;
    uint64_t hash;
};

/// Starts the next case; 0 when it is not to be run. `format` says what it is.
int32_t check_begin(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_end(struct check *c);

/// The paths of this processor: the name and kernels of number `index`, NULL behind the last.
const struct sl_kernels *check_path_at(int64_t index, const char **name);
const struct sl_kernels *check_path_named(const char *name);

// MARK: Buffers, random values

/// Exactly this many bytes, random ones, until the case ends: what lies outside cannot be touched unnoticed.
void *check_bytes(struct check *c, int64_t byte_count);

uint64_t check_random(struct check *c);
/// least ... greatest
int64_t check_between(struct check *c, int64_t least, int64_t greatest);
float check_uniform(struct check *c, float least, float greatest);

enum check_values {
    CHECK_VALUES_SMALL,    // like activations: -4 ... 4, a few much larger
    CHECK_VALUES_POSITIVE,
    CHECK_VALUES_WIDE,     // of all finite magnitudes, denormals too
    CHECK_VALUES_ENDS,     // zeros, the least and the largest values
    CHECK_VALUES_ANY,      // all bit patterns
    CHECK_VALUES_COUNT
};

void check_fill(struct check *c, enum check_values values, float *x, int64_t count);
float *check_floats(struct check *c, enum check_values values, int64_t count);
/// Finite f16 values in -2 ... 2.
void check_fill_halves(struct check *c, uint16_t *x, int64_t count);

// MARK: Outputs

void check_hash_bytes(struct check *c, const void *bytes, int64_t byte_count);
/// Which NaN an operation gives differs between processors: all count as one.
void check_hash_floats(struct check *c, const float *x, int64_t count);

/// For what one path computes in two ways. Ends the program, naming the case, when they differ.
void check_same_bytes(struct check *c, const void *found, const void *expected, int64_t byte_count);

// MARK: Operations

void check_multiply(struct check *c, enum sl_format format);
void check_packing(struct check *c, enum sl_format format);
void check_quantize(struct check *c);
void check_rms_scale(struct check *c);
void check_scale_multiply(struct check *c);
void check_silu_multiply(struct check *c);
void check_add(struct check *c);
void check_rotate(struct check *c);
void check_exponentiate(struct check *c);
void check_to_half(struct check *c);
void check_from_half(struct check *c);
void check_max_exp_sum(struct check *c);
void check_attention_merge(struct check *c);
void check_divide(struct check *c);
void check_attention_scores(struct check *c);
void check_attention_softmax(struct check *c);
void check_attention_values(struct check *c);
void check_attention(struct check *c);
void check_filling(struct check *c);
void check_functions(struct check *c);

/// All floats: the path against the scalar kernels, and those against float64. 0 when they hold.
int32_t check_exp_exhaustively(const struct sl_kernels *kernels, int64_t every);
