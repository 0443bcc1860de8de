#pragma once
// The one function of libFuzzer's library that programs call themselves.
#include <stddef.h>
#include <stdint.h>

// Runs `callback` with inputs until the options in `argv` are satisfied. Returns the process's status.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *bytes, size_t byte_count));
