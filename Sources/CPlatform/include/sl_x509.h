#pragma once
// Certificates by OpenSSL: keys, requests, issuing, reading, verifying. Everything goes in and comes out as bytes, so
// that no OpenSSL object outlives a call. What may be issued to whom is decided by the caller.
#include <stddef.h>
#include <stdint.h>

enum {
    sl_x509_error_size = 256,
    sl_x509_serial_size = 64,
    sl_x509_uri_size = 512,
};

/// Bytes that the callee allocates and `sl_x509_free` wipes and frees.
typedef struct {
    uint8_t *bytes;
    size_t count;
} sl_x509_bytes;

/// Bytes of the caller.
typedef struct {
    const uint8_t *bytes;
    size_t count;
} sl_x509_view;

typedef struct {
    /// Lowercase hexadecimal digits, two a byte, no sign.
    char serial[sl_x509_serial_size];
    /// The first URI among the alternative names; empty when there is none.
    char uri[sl_x509_uri_size];
    int uri_count;
    /// Seconds since 1970 in UTC.
    int64_t not_before, not_after;
    /// May sign certificates.
    int is_authority;
    /// May be shown by the side that listens, and by the side that dials.
    int may_listen, may_dial;
    /// The key is on the curve P-256.
    int is_p256;
} sl_x509_facts;

typedef struct {
    /// 1 to 20 bytes, big endian, the first bit clear.
    sl_x509_view serial;
    /// Seconds since 1970 in UTC.
    int64_t not_before, not_after;
    /// For people; at most 64 bytes.
    const char *common_name;
    /// The subject's one alternative name.
    const char *uri;
    int may_listen;
} sl_x509_contents;

// All return 0, or -1 with a reason in `error`, which holds `sl_x509_error_size` bytes.

void sl_x509_free(sl_x509_bytes *bytes);

/// A new P-256 key as PEM (PKCS#8, not encrypted).
int sl_x509_create_key(sl_x509_bytes *pem, char *error);

/// Is `key` (PEM) the private half of the key in `certificate` (DER)?
int sl_x509_match_key(sl_x509_view key, sl_x509_view certificate, char *error);

/// A certificate request (PKCS#10, DER), signed with `key` (PEM).
int sl_x509_create_request(sl_x509_view key, const char *common_name, sl_x509_bytes *der, char *error);

/// Does `request` (DER) carry a P-256 key and a signature made with it?
int sl_x509_check_request(sl_x509_view request, char *error);

/// An authority's certificate (DER) that it signs itself with `key` (PEM).
int sl_x509_create_authority(
    sl_x509_view key, const sl_x509_contents *contents, sl_x509_bytes *der, char *error);

/// A certificate (DER) for the key of `request` (DER, checked), signed by `authority` (DER) with `key` (PEM). Only the
/// key is taken from the request.
int sl_x509_issue(
    sl_x509_view authority, sl_x509_view key, sl_x509_view request, const sl_x509_contents *contents,
    sl_x509_bytes *der, char *error);

/// What stands in `certificate` (DER).
int sl_x509_read(sl_x509_view certificate, sl_x509_facts *facts, char *error);

/// Does a chain of signatures lead from the first of `chain` (DER) to one of `authorities` (DER)? Times are not looked
/// at when `at` is negative; else they must cover it (seconds since 1970).
int sl_x509_verify(
    const sl_x509_view *chain, size_t chain_count, const sl_x509_view *authorities, size_t authority_count,
    int64_t at, char *error);

/// The next certificate of a PEM text from `*offset` on, as DER; moves `*offset` behind it. `der->bytes` is null when
/// there is none any more.
int sl_x509_read_pem(sl_x509_view pem, size_t *offset, sl_x509_bytes *der, char *error);

/// A certificate (DER) as PEM.
int sl_x509_write_pem(sl_x509_view certificate, sl_x509_bytes *pem, char *error);
