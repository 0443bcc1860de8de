// Thin shims over the system libraries that Swift cannot import by itself: macros, variadic functions, inline
// assembly. One header a subject; no decisions are taken here.
#pragma once
#include "sl_crc.h"
#include "sl_digest.h"
#include "sl_lz4.h"
#include "sl_numa.h"
#include "sl_planes.h"
#include "sl_poll.h"
#include "sl_socket.h"
#include "sl_thread.h"
#include "sl_tls.h"
#include "sl_x509.h"
