#pragma once
// What the kernel knows of a TCP connection.
#include <stdint.h>

typedef struct {
    // Bytes that the other end's kernel has acknowledged.
    uint64_t acknowledged_bytes;
    // Bytes that are written and not sent yet.
    uint32_t unsent_bytes;
    // Smoothed, and the least of the last minutes.
    uint32_t round_trip_us;
    uint32_t least_round_trip_us;
} sl_socket_state;

// 0, or -1 with errno; what an older kernel does not tell is 0.
int sl_socket_read_state(int socket, sl_socket_state *state);
// The kernel sends no faster: bytes a second, UINT64_MAX for no limit. 0, or -1 with errno.
int sl_socket_limit_rate(int socket, uint64_t bytes_per_second);
