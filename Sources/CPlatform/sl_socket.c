#include "sl_socket.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_MAX_PACING_RATE
#define SO_MAX_PACING_RATE 47
#endif

int sl_socket_read_state(int socket, sl_socket_state *state) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return -1;
    state->acknowledged_bytes = info.tcpi_bytes_acked;
    state->unsent_bytes = info.tcpi_notsent_bytes;
    state->round_trip_us = info.tcpi_rtt;
    state->least_round_trip_us = info.tcpi_min_rtt;
    return 0;
}

int sl_socket_limit_rate(int socket, uint64_t bytes_per_second) {
    return setsockopt(socket, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second, sizeof bytes_per_second);
}
