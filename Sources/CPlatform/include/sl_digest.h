#pragma once
// OpenSSL's SHA-256.
#include <openssl/evp.h>
