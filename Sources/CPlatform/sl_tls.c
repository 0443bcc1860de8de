#include "sl_tls.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { handshake_record_size = 2048 };

/// Bytes `start ..< end` of a buffer that grows.
typedef struct {
    uint8_t *bytes;
    size_t capacity, start, end;
} queue;

struct sl_tls_connection {
    SSL *ssl;
    queue input, output;
    const uint8_t *protocols;
    size_t protocols_byte_count;
    const uint8_t *exempt;
    size_t exempt_byte_count;
    sl_tls_judge judge;
    void *argument;
    /// Records are still as small as in the handshake.
    bool is_thrifty;
    bool has_pin;
    uint8_t pin[sl_tls_fingerprint_size];
};

// MARK: Errors

/// The oldest error of this thread, which the later ones follow from.
static int fail(sl_tls_error *error, const char *what) {
    unsigned long code = ERR_get_error();
    int reason = ERR_GET_REASON(code);
    bool is_alert = ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
                    reason < SSL_AD_REASON_OFFSET + 256;
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    error->alert = is_alert ? reason - SSL_AD_REASON_OFFSET : -1;
    snprintf(error->text, sizeof error->text, text ? "%s (%s)" : "%s", what, text);
    ERR_clear_error();
    return -1;
}

static sl_tls_result result_of(sl_tls_connection *connection, int returned, const char *what, sl_tls_error *error) {
    switch (SSL_get_error(connection->ssl, returned)) {
    case SSL_ERROR_NONE: return sl_tls_done;
    case SSL_ERROR_WANT_READ: return sl_tls_wants_input;
    case SSL_ERROR_ZERO_RETURN: return sl_tls_closed;
    default: return fail(error, what), sl_tls_failed;
    }
}

// MARK: The buffers as a BIO

static int read_input(BIO *bio, char *bytes, size_t byte_count, size_t *read) {
    queue *input = &((sl_tls_connection *)BIO_get_data(bio))->input;
    size_t count = input->end - input->start;
    BIO_clear_retry_flags(bio);
    if (count == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if (count > byte_count) count = byte_count;
    memcpy(bytes, input->bytes + input->start, count);
    input->start += count;
    if (input->start == input->end) input->start = input->end = 0;
    *read = count;
    return 1;
}

static int write_output(BIO *bio, const char *bytes, size_t byte_count, size_t *written) {
    queue *output = &((sl_tls_connection *)BIO_get_data(bio))->output;
    BIO_clear_retry_flags(bio);
    if (byte_count > output->capacity - output->end) {
        size_t needed = output->end + byte_count;
        size_t capacity = needed > 2 * output->capacity ? needed : 2 * output->capacity;
        uint8_t *grown = realloc(output->bytes, capacity);
        if (!grown) return 0;
        output->bytes = grown;
        output->capacity = capacity;
    }
    memcpy(output->bytes + output->end, bytes, byte_count);
    output->end += byte_count;
    *written = byte_count;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void make_method(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shardline buffers");
    if (!method) return;
    BIO_meth_set_read_ex(method, read_input);
    BIO_meth_set_write_ex(method, write_output);
    BIO_meth_set_ctrl(method, control);
}

// MARK: Certificates

static size_t encode(X509 *certificate, uint8_t **der) {
    int count = certificate ? i2d_X509(certificate, der) : 0;
    return count > 0 ? (size_t)count : 0;
}

/// Trusts the pinned one of the certificates that were shown, or none.
static STACK_OF(X509) *trust_pinned(const sl_tls_connection *connection, X509_STORE_CTX *store) {
    STACK_OF(X509) *trusted = sk_X509_new_null();
    STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(store);
    for (int i = 0; trusted && i < sk_X509_num(shown); ++i) {
        X509 *certificate = sk_X509_value(shown, i);
        uint8_t digest[EVP_MAX_MD_SIZE];
        unsigned count = 0;
        if (X509_digest(certificate, EVP_sha256(), digest, &count) != 1 || count != sl_tls_fingerprint_size) continue;
        if (memcmp(digest, connection->pin, count) == 0) sk_X509_push(trusted, certificate);
    }
    X509_STORE_CTX_set0_trusted_stack(store, trusted);
    return trusted;
}

static int verify(X509_STORE_CTX *store, void *unused) {
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const sl_tls_connection *connection = SSL_get_app_data(ssl);
    STACK_OF(X509) *trusted = connection->has_pin ? trust_pinned(connection, store) : NULL;
    bool is_good = X509_verify_cert(store) == 1;
    int error = X509_STORE_CTX_get_error(store);
    if (is_good != (error == X509_V_OK)) error = is_good ? X509_V_OK : X509_V_ERR_UNSPECIFIED;
    if (connection->has_pin && !trusted) error = X509_V_ERR_OUT_OF_MEM;

    uint8_t *leaf = NULL, *culprit = NULL;
    sl_tls_chain chain = {.error = error};
    chain.leaf_byte_count = encode(X509_STORE_CTX_get0_cert(store), &leaf);
    chain.culprit_byte_count = encode(error == X509_V_OK ? NULL : X509_STORE_CTX_get_current_cert(store), &culprit);
    chain.leaf = leaf;
    chain.culprit = culprit;
    int verdict = connection->judge(connection->argument, &chain);
    OPENSSL_free(leaf);
    OPENSSL_free(culprit);
    sk_X509_free(trusted);
    X509_STORE_CTX_set_error(store, verdict);
    return verdict == X509_V_OK;
}

// MARK: Settings of many connections

static int choose_protocol(
    SSL *ssl, const unsigned char **chosen, unsigned char *chosen_byte_count, const unsigned char *offered,
    unsigned offered_byte_count, void *unused) {
    (void)unused;
    const sl_tls_connection *connection = SSL_get_app_data(ssl);
    unsigned char *found = NULL;
    if (SSL_select_next_proto(
            &found, chosen_byte_count, connection->protocols, (unsigned)connection->protocols_byte_count, offered,
            offered_byte_count) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    if (connection->exempt && *chosen_byte_count == connection->exempt_byte_count &&
        memcmp(found, connection->exempt, connection->exempt_byte_count) == 0) {
        SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    }
    return SSL_TLSEXT_ERR_OK;
}

/// Without it OpenSSL would ask for a passphrase on the terminal.
static int refuse_passphrase(char *buffer, int size, int writing, void *unused) {
    (void)buffer, (void)size, (void)writing, (void)unused;
    return -1;
}

SSL_CTX *sl_tls_context_create(long chain_byte_count_max, sl_tls_error *error) {
    ERR_clear_error();
    pthread_once(&method_once, make_method);
    SSL_CTX *context = method ? SSL_CTX_new(TLS_method()) : NULL;
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1) {
        fail(error, "TLS 1.3 cannot be set up");
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_security_level(context, 2);
    SSL_CTX_set_max_cert_list(context, chain_byte_count_max);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(context, 3);
    SSL_CTX_set_cert_verify_callback(context, verify, NULL);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
    return context;
}

void sl_tls_context_destroy(SSL_CTX *context) { SSL_CTX_free(context); }

static BIO *open_text(const char *text, size_t byte_count) {
    return byte_count <= INT_MAX ? BIO_new_mem_buf(text, (int)byte_count) : NULL;
}

static int show_chain(SSL_CTX *context, BIO *bio, sl_tls_error *error) {
    X509 *certificate = PEM_read_bio_X509(bio, NULL, refuse_passphrase, NULL);
    int is_used = certificate ? SSL_CTX_use_certificate(context, certificate) : 0;
    X509_free(certificate);
    if (is_used != 1) return fail(error, "the certificate cannot be used");
    while ((certificate = PEM_read_bio_X509(bio, NULL, refuse_passphrase, NULL))) {
        // Takes the certificate over when it succeeds.
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return fail(error, "a certificate of the chain cannot be used");
        }
    }
    ERR_clear_error();
    return 0;
}

int sl_tls_context_show(
    SSL_CTX *context, const char *chain, size_t chain_byte_count, const char *key, size_t key_byte_count,
    sl_tls_error *error) {
    ERR_clear_error();
    BIO *bio = open_text(chain, chain_byte_count);
    if (!bio) return fail(error, "the certificate chain cannot be read");
    int result = show_chain(context, bio, error);
    BIO_free(bio);
    if (result != 0) return result;
    bio = open_text(key, key_byte_count);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL) : NULL;
    BIO_free(bio);
    int is_used = pkey ? SSL_CTX_use_PrivateKey(context, pkey) : 0;
    EVP_PKEY_free(pkey);
    return is_used == 1 ? 0 : fail(error, "the private key cannot be used");
}

int sl_tls_context_trust(SSL_CTX *context, const char *authorities, size_t byte_count, sl_tls_error *error) {
    ERR_clear_error();
    BIO *bio = open_text(authorities, byte_count);
    if (!bio) return fail(error, "the authorities cannot be read");
    X509 *certificate;
    int count = 0, is_added = 1;
    while (is_added == 1 && (certificate = PEM_read_bio_X509(bio, NULL, refuse_passphrase, NULL))) {
        is_added = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
        X509_free(certificate);
        ++count;
    }
    BIO_free(bio);
    if (is_added != 1 || count == 0) return fail(error, "the authorities cannot be used");
    ERR_clear_error();
    return 0;
}

// MARK: One connection

sl_tls_connection *sl_tls_create(
    SSL_CTX *context, bool accepts, const uint8_t *protocols, size_t protocols_byte_count, sl_tls_judge judge,
    void *argument) {
    ERR_clear_error();
    sl_tls_connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    connection->protocols = protocols;
    connection->protocols_byte_count = protocols_byte_count;
    connection->judge = judge;
    connection->argument = argument;
    connection->ssl = SSL_new(context);
    BIO *bio = connection->ssl ? BIO_new(method) : NULL;
    if (!bio) {
        sl_tls_destroy(connection);
        return NULL;
    }
    BIO_set_data(bio, connection);
    BIO_set_init(bio, 1);
    // One reference serves as both.
    SSL_set_bio(connection->ssl, bio, bio);
    SSL_set_app_data(connection->ssl, connection);
    // OpenSSL makes its buffer for writing as large as a record may be.
    connection->is_thrifty = SSL_set_max_send_fragment(connection->ssl, handshake_record_size) == 1;
    if (accepts) {
        SSL_set_accept_state(connection->ssl);
    } else {
        SSL_set_connect_state(connection->ssl);
        if (SSL_set_alpn_protos(connection->ssl, protocols, (unsigned)protocols_byte_count) != 0) {
            sl_tls_destroy(connection);
            return NULL;
        }
    }
    return connection;
}

void sl_tls_destroy(sl_tls_connection *connection) {
    SSL_free(connection->ssl);
    free(connection->input.bytes);
    free(connection->output.bytes);
    free(connection);
}

void sl_tls_pin(sl_tls_connection *connection, const uint8_t fingerprint[sl_tls_fingerprint_size]) {
    memcpy(connection->pin, fingerprint, sl_tls_fingerprint_size);
    connection->has_pin = true;
}

void sl_tls_exempt(sl_tls_connection *connection, const uint8_t *protocol, size_t byte_count) {
    connection->exempt = protocol;
    connection->exempt_byte_count = byte_count;
}

sl_tls_result sl_tls_handshake(sl_tls_connection *connection, sl_tls_error *error) {
    ERR_clear_error();
    int returned = SSL_do_handshake(connection->ssl);
    return returned == 1 ? sl_tls_done : result_of(connection, returned, "the TLS handshake failed", error);
}

const uint8_t *sl_tls_protocol(const sl_tls_connection *connection, size_t *byte_count) {
    const unsigned char *protocol = NULL;
    unsigned count = 0;
    SSL_get0_alpn_selected(connection->ssl, &protocol, &count);
    *byte_count = count;
    return protocol;
}

const char *sl_tls_cipher(const sl_tls_connection *connection) { return SSL_get_cipher_name(connection->ssl); }

sl_tls_result sl_tls_read(
    sl_tls_connection *connection, void *bytes, size_t byte_count, size_t *read, sl_tls_error *error) {
    ERR_clear_error();
    int returned = SSL_read_ex(connection->ssl, bytes, byte_count, read);
    return returned == 1 ? sl_tls_done : result_of(connection, returned, "the TLS stream is broken", error);
}

sl_tls_result sl_tls_write(sl_tls_connection *connection, const void *bytes, size_t byte_count, sl_tls_error *error) {
    ERR_clear_error();
    // Does nothing while something received waits to be read; then it is tried again next time.
    if (connection->is_thrifty && SSL_free_buffers(connection->ssl) == 1) {
        SSL_set_max_send_fragment(connection->ssl, sl_tls_record_size);
        SSL_set_split_send_fragment(connection->ssl, sl_tls_record_size);
        connection->is_thrifty = false;
    }
    size_t written = 0;
    int returned = SSL_write_ex(connection->ssl, bytes, byte_count, &written);
    return returned == 1 ? sl_tls_done : result_of(connection, returned, "TLS cannot write", error);
}

void sl_tls_update_key(sl_tls_connection *connection) { SSL_key_update(connection->ssl, SSL_KEY_UPDATE_NOT_REQUESTED); }

void sl_tls_close(sl_tls_connection *connection) {
    ERR_clear_error();
    SSL_shutdown(connection->ssl);
    ERR_clear_error();
}

// MARK: Ciphertext

uint8_t *sl_tls_input_room(sl_tls_connection *connection, size_t capacity, size_t *byte_count) {
    queue *input = &connection->input;
    if (capacity > input->capacity) {
        uint8_t *grown = realloc(input->bytes, capacity);
        if (grown) {
            input->bytes = grown;
            input->capacity = capacity;
        }
    }
    if (input->start > 0 && input->end == input->capacity) {
        memmove(input->bytes, input->bytes + input->start, input->end - input->start);
        input->end -= input->start;
        input->start = 0;
    }
    *byte_count = input->capacity - input->end;
    return input->bytes ? input->bytes + input->end : NULL;
}

void sl_tls_add_input(sl_tls_connection *connection, size_t byte_count) { connection->input.end += byte_count; }

const uint8_t *sl_tls_input(const sl_tls_connection *connection, size_t *byte_count) {
    *byte_count = connection->input.end - connection->input.start;
    return connection->input.bytes ? connection->input.bytes + connection->input.start : NULL;
}

bool sl_tls_has_input(const sl_tls_connection *connection) {
    return connection->input.end > connection->input.start || SSL_has_pending(connection->ssl);
}

size_t sl_tls_output_byte_count(const sl_tls_connection *connection) { return connection->output.end; }

void sl_tls_exchange_output(sl_tls_connection *connection, uint8_t **bytes, size_t *capacity, size_t *byte_count) {
    queue *output = &connection->output;
    uint8_t *other = *bytes;
    size_t other_capacity = *capacity;
    *bytes = output->bytes;
    *capacity = output->capacity;
    *byte_count = output->end;
    *output = (queue){.bytes = other, .capacity = other_capacity};
}
