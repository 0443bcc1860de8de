#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "formats.h"

static const char usage[] =
    "usage: kernel-check [options] PATH   hashes of all outputs of an instruction set's kernels\n"
    "       kernel-check --paths          the paths of this processor\n"
    "  --seed N         other data (1)\n"
    "  --every N        each N-th case only (1)\n"
    "  --operation O    one operation only\n"
    "  --trace          a line a case\n"
    "  --thorough       every combination of small shapes, not every pair\n"
    "  --exhaustive-exp exp of all floats (of each N-th) instead, against the scalar kernels and float64\n";

static const struct {
    const char *name;
    void (*run)(struct check *c);
} operations[] = {
    {"functions", check_functions},
    {"quantize", check_quantize},
    {"rms_scale", check_rms_scale},
    {"scale_multiply", check_scale_multiply},
    {"silu_multiply", check_silu_multiply},
    {"add", check_add},
    {"rotate", check_rotate},
    {"exponentiate", check_exponentiate},
    {"to_half", check_to_half},
    {"from_half", check_from_half},
    {"max_exp_sum", check_max_exp_sum},
    {"attention_scores", check_attention_scores},
    {"attention_softmax", check_attention_softmax},
    {"attention_values", check_attention_values},
    {"attention_merge", check_attention_merge},
    {"divide", check_divide},
    {"attention", check_attention},
    {"filling", check_filling},
};

static const struct {
    const char *name;
    void (*run)(struct check *c, enum sl_format format);
} format_operations[] = {{"packing", check_packing}, {"multiply", check_multiply}};

/// A fresh check of one operation; 0 when only another one is asked for.
static int32_t start(struct check *c, const char *operation)
{
    const char *only = c->options->operation;
    if (only && strcmp(only, operation) != 0) return 0;
    c->operation = operation;
    c->case_index = -1;
    c->case_count = 0;
    return 1;
}

static void finish(const struct check *c)
{
    printf("%-20s %7lld cases  %016llx\n", c->operation, (long long)c->case_count, (unsigned long long)c->hash);
    fflush(stdout);
}

static int run_operations(struct check *c)
{
    int64_t count = 0;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (!start(c, operations[i].name)) continue;
        operations[i].run(c);
        finish(c);
        count++;
    }
    for (size_t i = 0; i < sizeof format_operations / sizeof *format_operations; i++) {
        for (int format = 0; format < SL_FORMAT_COUNT; format++) {
            char name[40];
            snprintf(name, sizeof name, "%s %s", format_operations[i].name, check_formats[format].name);
            if (!start(c, name)) continue;
            format_operations[i].run(c, (enum sl_format)format);
            finish(c);
            count++;
        }
    }
    if (count > 0) return 0;
    fprintf(stderr, "kernel-check: no operation is called %s\n", c->options->operation);
    return 1;
}

static int print_paths(void)
{
    const char *name;
    for (int64_t i = 0; check_path_at(i, &name); i++) puts(name);
    return 0;
}

/// Whether a foreign rounding mode is noticed and set right.
static int32_t is_environment_kept(void)
{
    fesetround(FE_DOWNWARD);
    int32_t is_noticed = !sl_float_environment_is_default();
    sl_float_environment_set_default();
    fesetround(FE_TONEAREST);
    return is_noticed && sl_float_environment_is_default();
}

static int refuse(const char *argument)
{
    fprintf(stderr, "kernel-check: cannot make sense of %s\n%s", argument, usage);
    return 2;
}

int main(int count, char **arguments)
{
    struct check_options options = {.path = NULL, .seed = 1, .every = 1};
    int32_t is_exhaustive = 0;
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : NULL;
        if (strcmp(name, "--paths") == 0) return print_paths();
        if (strcmp(name, "--trace") == 0) options.traces = 1;
        else if (strcmp(name, "--thorough") == 0) options.thorough = 1;
        else if (strcmp(name, "--exhaustive-exp") == 0) is_exhaustive = 1;
        else if (strcmp(name, "--seed") == 0 && value) options.seed = strtoull(value, NULL, 0), i++;
        else if (strcmp(name, "--every") == 0 && value) options.every = strtoll(value, NULL, 0), i++;
        else if (strcmp(name, "--operation") == 0 && value) options.operation = value, i++;
        else if (name[0] != '-' && !options.path) options.path = name;
        else return refuse(name);
    }
    if (!options.path || options.every < 1) return refuse(options.path ? "--every" : "the command line: no path");
    const struct sl_kernels *kernels = check_path_named(options.path);
    if (!kernels) {
        fprintf(stderr, "kernel-check: this processor has no path %s (see --paths)\n", options.path);
        return 1;
    }
    if (!is_environment_kept()) {
        fprintf(stderr, "kernel-check: sl_float_environment_... do not notice or undo another rounding mode\n");
        return 1;
    }
    if (is_exhaustive) return check_exp_exhaustively(kernels, options.every);
    struct check c = {.options = &options, .kernels = kernels};
    return run_operations(&c);
}
