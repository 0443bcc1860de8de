#include "sl_x509.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static int fail(char *error, const char *what) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (reason) {
        snprintf(error, sl_x509_error_size, "%s (%s)", what, reason);
    } else {
        snprintf(error, sl_x509_error_size, "%s", what);
    }
    ERR_clear_error();
    return -1;
}

void sl_x509_free(sl_x509_bytes *bytes) {
    OPENSSL_clear_free(bytes->bytes, bytes->count);
    bytes->bytes = NULL;
    bytes->count = 0;
}

/// Takes over what was written to `bio`.
static int take(BIO *bio, sl_x509_bytes *out, char *error) {
    char *data = NULL;
    long count = BIO_get_mem_data(bio, &data);
    if (count <= 0) return fail(error, "nothing was written");
    out->bytes = OPENSSL_malloc((size_t)count);
    if (!out->bytes) return fail(error, "no memory");
    memcpy(out->bytes, data, (size_t)count);
    out->count = (size_t)count;
    return 0;
}

static int take_der(int count, unsigned char *der, sl_x509_bytes *out, char *error) {
    if (count <= 0) return fail(error, "cannot be encoded");
    out->bytes = der;
    out->count = (size_t)count;
    return 0;
}

/// Without it OpenSSL would ask for a passphrase on the terminal.
static int refuse_passphrase(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing;
    *(int *)context = 1;
    return -1;
}

static EVP_PKEY *read_key(sl_x509_view pem, char *error) {
    if (pem.count > INT_MAX) return fail(error, "the private key is too long"), NULL;
    BIO *bio = BIO_new_mem_buf(pem.bytes, (int)pem.count);
    int is_encrypted = 0;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &is_encrypted) : NULL;
    BIO_free(bio);
    if (key) return key;
    fail(error, is_encrypted ? "the private key is encrypted: store it without a passphrase"
                             : "there is no private key in PEM form");
    return NULL;
}

/// The whole of `view` must be one certificate.
static X509 *read_certificate(sl_x509_view view, char *error) {
    const unsigned char *at = view.bytes;
    X509 *certificate = view.count <= LONG_MAX ? d2i_X509(NULL, &at, (long)view.count) : NULL;
    if (certificate && at == view.bytes + view.count) return certificate;
    X509_free(certificate);
    fail(error, "not a certificate");
    return NULL;
}

static X509_REQ *read_request(sl_x509_view view, char *error) {
    const unsigned char *at = view.bytes;
    X509_REQ *request = view.count <= LONG_MAX ? d2i_X509_REQ(NULL, &at, (long)view.count) : NULL;
    if (request && at == view.bytes + view.count) return request;
    X509_REQ_free(request);
    fail(error, "not a certificate request");
    return NULL;
}

static int is_p256(EVP_PKEY *key) {
    char group[32] = "";
    size_t count = 0;
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
        && EVP_PKEY_get_group_name(key, group, sizeof group, &count) == 1 && strcmp(group, "prime256v1") == 0;
}

int sl_x509_create_key(sl_x509_bytes *pem, char *error) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_secmem());
    int result = -1;
    if (key && bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        result = take(bio, pem, error);
    } else {
        fail(error, "no key could be made");
    }
    BIO_free(bio);
    EVP_PKEY_free(key);
    return result;
}

int sl_x509_match_key(sl_x509_view key, sl_x509_view certificate, char *error) {
    EVP_PKEY *own = read_key(key, error);
    if (!own) return -1;
    X509 *read = read_certificate(certificate, error);
    int result = -1;
    // The first compares public halves alone: a damaged private half would sign what nobody can verify.
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new(own, NULL);
    if (read && X509_check_private_key(read, own) != 1) {
        ERR_clear_error();
        fail(error, "the private key belongs to another certificate");
    } else if (read && (!check || EVP_PKEY_pairwise_check(check) != 1)) {
        ERR_clear_error();
        fail(error, "the private key is damaged");
    } else if (read) {
        result = 0;
    }
    EVP_PKEY_CTX_free(check);
    X509_free(read);
    EVP_PKEY_free(own);
    return result;
}

// MARK: - Requests

int sl_x509_create_request(sl_x509_view key, const char *common_name, sl_x509_bytes *der, char *error) {
    EVP_PKEY *own = read_key(key, error);
    if (!own) return -1;
    X509_REQ *request = X509_REQ_new();
    int result = -1;
    if (request && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1
        && X509_NAME_add_entry_by_txt(
               X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0)
            == 1
        && X509_REQ_set_pubkey(request, own) == 1 && X509_REQ_sign(request, own, EVP_sha256()) > 0) {
        unsigned char *bytes = NULL;
        int count = i2d_X509_REQ(request, &bytes);
        result = take_der(count, bytes, der, error);
    } else {
        fail(error, "no certificate request could be made");
    }
    X509_REQ_free(request);
    EVP_PKEY_free(own);
    return result;
}

static int check_request(X509_REQ *request, char *error) {
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (!is_p256(key)) return fail(error, "the certificate request's key is not on the curve P-256");
    if (X509_REQ_verify(request, key) != 1) {
        return fail(error, "the certificate request is not signed with its own key");
    }
    return 0;
}

int sl_x509_check_request(sl_x509_view request, char *error) {
    X509_REQ *read = read_request(request, error);
    if (!read) return -1;
    int result = check_request(read, error);
    X509_REQ_free(read);
    return result;
}

// MARK: - Issuing

static int add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    int result = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return result;
}

/// The alternative name is built, not parsed from a text, so that nothing in it can be taken for syntax.
static int add_uri(X509 *certificate, const char *uri) {
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    int result = 0;
    if (names && name && text && ASN1_STRING_set(text, uri, -1) == 1) {
        GENERAL_NAME_set0_value(name, GEN_URI, text);
        text = NULL;
        if (sk_GENERAL_NAME_push(names, name) > 0) {
            name = NULL;
            result = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
        }
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return result;
}

static int fill(X509 *certificate, const sl_x509_contents *contents, EVP_PKEY *subject_key) {
    BIGNUM *number = BN_bin2bn(contents->serial.bytes, (int)contents->serial.count, NULL);
    ASN1_INTEGER *serial = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    BN_free(number);
    int result = serial && X509_set_version(certificate, X509_VERSION_3) == 1
        && X509_set_serialNumber(certificate, serial) == 1
        && ASN1_TIME_set(X509_getm_notBefore(certificate), contents->not_before)
        && ASN1_TIME_set(X509_getm_notAfter(certificate), contents->not_after)
        && X509_NAME_add_entry_by_txt(
               X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
               (const unsigned char *)contents->common_name, -1, -1, 0)
            == 1
        && X509_set_pubkey(certificate, subject_key) == 1;
    ASN1_INTEGER_free(serial);
    return result;
}

static int sign(X509 *certificate, EVP_PKEY *key, sl_x509_bytes *der, char *error) {
    if (X509_sign(certificate, key, EVP_sha256()) <= 0) return fail(error, "the certificate could not be signed");
    unsigned char *bytes = NULL;
    int count = i2d_X509(certificate, &bytes);
    return take_der(count, bytes, der, error);
}

int sl_x509_create_authority(
    sl_x509_view key, const sl_x509_contents *contents, sl_x509_bytes *der, char *error) {
    EVP_PKEY *own = read_key(key, error);
    if (!own) return -1;
    X509 *certificate = X509_new();
    int result = -1;
    if (certificate && fill(certificate, contents, own)
        && X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1
        && add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
        && add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign")
        && add_extension(certificate, certificate, NID_subject_key_identifier, "hash")
        && add_uri(certificate, contents->uri)) {
        result = sign(certificate, own, der, error);
    } else {
        fail(error, "the authority's certificate could not be made");
    }
    X509_free(certificate);
    EVP_PKEY_free(own);
    return result;
}

static X509 *prepare(X509 *issuer, X509_REQ *request, const sl_x509_contents *contents) {
    X509 *certificate = X509_new();
    const char *usage = contents->may_listen ? "serverAuth,clientAuth" : "clientAuth";
    if (certificate && fill(certificate, contents, X509_REQ_get0_pubkey(request))
        && X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1
        && add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE")
        && add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature")
        && add_extension(certificate, issuer, NID_ext_key_usage, usage)
        && add_extension(certificate, issuer, NID_subject_key_identifier, "hash")
        && add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always")
        && add_uri(certificate, contents->uri)) {
        return certificate;
    }
    X509_free(certificate);
    return NULL;
}

int sl_x509_issue(
    sl_x509_view authority, sl_x509_view key, sl_x509_view request, const sl_x509_contents *contents,
    sl_x509_bytes *der, char *error) {
    X509_REQ *asked = read_request(request, error);
    X509 *issuer = asked && check_request(asked, error) == 0 ? read_certificate(authority, error) : NULL;
    EVP_PKEY *issuer_key = issuer ? read_key(key, error) : NULL;
    int result = -1;
    if (issuer_key) {
        X509 *certificate = prepare(issuer, asked, contents);
        result = certificate ? sign(certificate, issuer_key, der, error)
                             : fail(error, "the certificate could not be made");
        X509_free(certificate);
    }
    EVP_PKEY_free(issuer_key);
    X509_free(issuer);
    X509_REQ_free(asked);
    return result;
}

// MARK: - Reading

static int read_time(const ASN1_TIME *time, int64_t *seconds) {
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, rest = 0;
    int result = epoch && ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    *seconds = (int64_t)days * 86400 + rest;
    return result;
}

static int read_serial(const ASN1_INTEGER *serial, char *text) {
    static const char digits[] = "0123456789abcdef";
    int count = ASN1_STRING_length(serial);
    const unsigned char *bytes = ASN1_STRING_get0_data(serial);
    if (count < 1 || count > 20 || ASN1_STRING_type(serial) != V_ASN1_INTEGER) return 0;
    for (int i = 0; i < count; ++i) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = 0;
    return 1;
}

/// Returns 0 when a URI does not fit or holds a zero byte.
static int read_uris(X509 *certificate, sl_x509_facts *facts) {
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    // -1: there are none. Other negative values: several such extensions, or damaged ones.
    if (!names) return critical == -1;
    int result = 1;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && result; ++i) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI) continue;
        facts->uri_count += 1;
        if (facts->uri_count > 1) continue;
        int count = ASN1_STRING_length(name->d.uniformResourceIdentifier);
        const unsigned char *bytes = ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
        result = count >= 0 && count < sl_x509_uri_size && !memchr(bytes, 0, (size_t)count);
        if (result) memcpy(facts->uri, bytes, (size_t)count);
    }
    GENERAL_NAMES_free(names);
    return result;
}

int sl_x509_read(sl_x509_view certificate, sl_x509_facts *facts, char *error) {
    memset(facts, 0, sizeof *facts);
    X509 *read = read_certificate(certificate, error);
    if (!read) return -1;
    int result = 0;
    if (!read_serial(X509_get0_serialNumber(read), facts->serial)) {
        result = fail(error, "its serial number is not 1 to 20 bytes, positive");
    } else if (!read_time(X509_get0_notBefore(read), &facts->not_before)
        || !read_time(X509_get0_notAfter(read), &facts->not_after)) {
        result = fail(error, "its times cannot be read");
    } else if (!read_uris(read, facts)) {
        result = fail(error, "its alternative names cannot be read");
    } else {
        facts->is_authority = X509_check_ca(read) == 1;
        facts->may_listen = X509_check_purpose(read, X509_PURPOSE_SSL_SERVER, 0) == 1;
        facts->may_dial = X509_check_purpose(read, X509_PURPOSE_SSL_CLIENT, 0) == 1;
        facts->is_p256 = is_p256(X509_get0_pubkey(read));
        ERR_clear_error();
    }
    X509_free(read);
    return result;
}

static STACK_OF(X509) *read_all(const sl_x509_view *views, size_t count, char *error) {
    STACK_OF(X509) *all = sk_X509_new_null();
    for (size_t i = 0; all && i < count; ++i) {
        X509 *certificate = read_certificate(views[i], error);
        if (certificate && sk_X509_push(all, certificate) > 0) continue;
        X509_free(certificate);
        sk_X509_pop_free(all, X509_free);
        return NULL;
    }
    return all;
}

int sl_x509_verify(
    const sl_x509_view *chain, size_t chain_count, const sl_x509_view *authorities, size_t authority_count,
    int64_t at, char *error) {
    snprintf(error, sl_x509_error_size, "there is no certificate");
    if (chain_count == 0) return -1;
    STACK_OF(X509) *shown = read_all(chain, chain_count, error);
    STACK_OF(X509) *trusted = shown ? read_all(authorities, authority_count, error) : NULL;
    X509_STORE *store = trusted ? X509_STORE_new() : NULL;
    X509_STORE_CTX *context = store ? X509_STORE_CTX_new() : NULL;
    int result = -1;
    if (context && X509_STORE_CTX_init(context, store, sk_X509_value(shown, 0), shown) == 1) {
        X509_STORE_CTX_set0_trusted_stack(context, trusted);
        // An authority's own signature is looked at too: it is part of its fingerprint.
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_CHECK_SS_SIGNATURE);
        if (at < 0) {
            X509_STORE_CTX_set_flags(context, X509_V_FLAG_NO_CHECK_TIME);
        } else {
            X509_STORE_CTX_set_time(context, 0, at);
        }
        if (X509_verify_cert(context) == 1) {
            result = 0;
        } else {
            int code = X509_STORE_CTX_get_error(context);
            snprintf(error, sl_x509_error_size, "%s", X509_verify_cert_error_string(code));
        }
    }
    ERR_clear_error();
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    sk_X509_pop_free(trusted, X509_free);
    sk_X509_pop_free(shown, X509_free);
    return result;
}

// MARK: - PEM

int sl_x509_read_pem(sl_x509_view pem, size_t *offset, sl_x509_bytes *der, char *error) {
    der->bytes = NULL;
    der->count = 0;
    if (*offset > pem.count || pem.count - *offset > INT_MAX) return fail(error, "the text is too long");
    BIO *bio = BIO_new_mem_buf(pem.bytes + *offset, (int)(pem.count - *offset));
    if (!bio) return fail(error, "no memory");
    X509 *certificate = PEM_read_bio_X509(bio, NULL, refuse_passphrase, &(int){0});
    int result = 0;
    if (certificate) {
        *offset = pem.count - (size_t)BIO_pending(bio);
        unsigned char *bytes = NULL;
        int count = i2d_X509(certificate, &bytes);
        result = take_der(count, bytes, der, error);
    } else if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
    } else {
        result = fail(error, "a certificate in it cannot be read");
    }
    X509_free(certificate);
    BIO_free(bio);
    return result;
}

int sl_x509_write_pem(sl_x509_view certificate, sl_x509_bytes *pem, char *error) {
    X509 *read = read_certificate(certificate, error);
    if (!read) return -1;
    BIO *bio = BIO_new(BIO_s_mem());
    int result = bio && PEM_write_bio_X509(bio, read) == 1 ? take(bio, pem, error)
                                                            : fail(error, "the certificate cannot be written");
    BIO_free(bio);
    X509_free(read);
    return result;
}
