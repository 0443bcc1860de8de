#pragma once
// TLS 1.3 by OpenSSL over memory: ciphertext comes in and goes out through two buffers, and the caller moves their
// bytes from and to its socket. So no call here waits, none of them is cut short by a full socket, and a lock around
// them is held for arithmetic only. Whose certificate is good enough is decided by the caller's `sl_tls_judge`.
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    sl_tls_error_size = 256,
    /// Of plain text in one record.
    sl_tls_record_size = 16384,
    sl_tls_fingerprint_size = 32,
};

/// What is known of the other end's certificate.
typedef struct {
    /// X509_V_OK, or why no chain of good certificates leads to an authority.
    int error;
    /// The other end's own certificate in DER; null when it showed none.
    const uint8_t *leaf;
    size_t leaf_byte_count;
    /// The certificate that `error` is about.
    const uint8_t *culprit;
    size_t culprit_byte_count;
} sl_tls_chain;

/// Returns X509_V_OK to go on, or another X509_V_ERR_ value that ends the handshake with the alert for it. Called in
/// `sl_tls_handshake`.
typedef int (*sl_tls_judge)(void *argument, const sl_tls_chain *chain);

typedef enum {
    sl_tls_done,
    /// More ciphertext must come first.
    sl_tls_wants_input,
    /// The other end has said that it writes no more.
    sl_tls_closed,
    sl_tls_failed,
} sl_tls_result;

typedef struct {
    /// The fatal alert that the other end sent; -1 when it sent none.
    int alert;
    char text[sl_tls_error_size];
} sl_tls_error;

typedef struct sl_tls_connection sl_tls_connection;

// MARK: Settings of many connections

/// TLS 1.3 only, no tickets, no sessions, no early data; chains of at most 5 certificates and `chain_byte_count_max`
/// bytes. Null with a reason in `error`.
SSL_CTX *sl_tls_context_create(long chain_byte_count_max, sl_tls_error *error);
void sl_tls_context_destroy(SSL_CTX *context);

/// What this end shows: PEM texts, the chain leaf first. 0, or -1 with a reason.
int sl_tls_context_show(
    SSL_CTX *context, const char *chain, size_t chain_byte_count, const char *key, size_t key_byte_count,
    sl_tls_error *error);

/// Authorities in PEM whose signatures are trusted. 0, or -1 with a reason.
int sl_tls_context_trust(SSL_CTX *context, const char *authorities, size_t byte_count, sl_tls_error *error);

// MARK: One connection

/// `protocols`: those it offers, or takes in this order, each behind a byte with its length; they live as long as the
/// connection. Null when there is no memory.
sl_tls_connection *sl_tls_create(
    SSL_CTX *context, bool accepts, const uint8_t *protocols, size_t protocols_byte_count, sl_tls_judge judge,
    void *argument);
void sl_tls_destroy(sl_tls_connection *connection);

/// The only authority that is trusted is the one in the other end's chain with this SHA-256.
void sl_tls_pin(sl_tls_connection *connection, const uint8_t fingerprint[sl_tls_fingerprint_size]);
/// A client that chooses this protocol is not asked for a certificate. `protocol` lives as long as the connection.
void sl_tls_exempt(sl_tls_connection *connection, const uint8_t *protocol, size_t byte_count);

// Each writes `error` when its result is `sl_tls_failed`.

sl_tls_result sl_tls_handshake(sl_tls_connection *connection, sl_tls_error *error);
/// The protocol that was agreed on; null when none was.
const uint8_t *sl_tls_protocol(const sl_tls_connection *connection, size_t *byte_count);
/// The cipher's name, for logs and measurements.
const char *sl_tls_cipher(const sl_tls_connection *connection);

sl_tls_result sl_tls_read(
    sl_tls_connection *connection, void *bytes, size_t byte_count, size_t *read, sl_tls_error *error);
/// Takes all bytes, at most a record's.
sl_tls_result sl_tls_write(sl_tls_connection *connection, const void *bytes, size_t byte_count, sl_tls_error *error);
/// New keys for what is written from here on.
void sl_tls_update_key(sl_tls_connection *connection);
/// Tells the other end that this one writes no more.
void sl_tls_close(sl_tls_connection *connection);

// MARK: Ciphertext

/// Where to put what comes in; `sl_tls_add_input` counts it then. The buffer grows to `capacity`. Null when there is no
/// memory.
uint8_t *sl_tls_input_room(sl_tls_connection *connection, size_t capacity, size_t *byte_count);
void sl_tls_add_input(sl_tls_connection *connection, size_t byte_count);
/// What came in and was not used yet.
const uint8_t *sl_tls_input(const sl_tls_connection *connection, size_t *byte_count);
/// Whether a read might give something without more input.
bool sl_tls_has_input(const sl_tls_connection *connection);

/// How much ciphertext waits to be sent.
size_t sl_tls_output_byte_count(const sl_tls_connection *connection);
/// Hands the waiting ciphertext over in exchange for another buffer (`malloc`), whose contents do not matter; they may
/// be null and 0.
void sl_tls_exchange_output(sl_tls_connection *connection, uint8_t **bytes, size_t *capacity, size_t *byte_count);
