/* Certificate and key as PEM files, checked before the server starts: libmicrohttpd would only find
 * out at the first handshake. */
#include "server/http_inner.h"

#include "base/file.h"
#include "base/mem.h"

#include <gnutls/gnutls.h>
#include <string.h>

static enum pal_status read_text(const char *path, const char *what, char **out,
                                 struct pal_error *err)
{
    struct file_map map = {0};
    if (file_map(path, &map, err) != PAL_OK)
        return pal_within(err, PAL_EUSAGE, "the TLS %s", what);
    char *text = mem_text(map.data, map.size);
    file_unmap(&map);
    if (!text)
        return pal_no_memory(err);
    *out = text;
    return PAL_OK;
}

void tls_forget(char *key)
{
    if (key)
        gnutls_memset(key, 0, strlen(key));
    mem_free(key);
}

static enum pal_status check_pair(const char *cert_path, const char *cert, const char *key_path,
                                  const char *key, struct pal_error *err)
{
    gnutls_certificate_credentials_t credentials;
    union {
        const char *in;
        unsigned char *out; /* gnutls only reads it */
    } c = {.in = cert}, k = {.in = key};
    gnutls_datum_t cert_text = {c.out, (unsigned)strlen(cert)};
    gnutls_datum_t key_text = {k.out, (unsigned)strlen(key)};
    if (gnutls_certificate_allocate_credentials(&credentials))
        return pal_no_memory(err);
    int failed = gnutls_certificate_set_x509_key_mem(credentials, &cert_text, &key_text,
                                                     GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (failed >= 0)
        return PAL_OK;
    if (failed == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        return pal_fail(err, PAL_EUSAGE,
                        "the TLS key %s does not belong to the certificate %s: give the pair that "
                        "was made together (the server's own certificate first)",
                        key_path, cert_path);
    return pal_fail(err, PAL_EUSAGE,
                    "the TLS certificate %s and key %s can't be used (%s): both must be PEM, the "
                    "key without a password",
                    cert_path, key_path, gnutls_strerror(failed));
}

enum pal_status tls_load(const char *cert_path, const char *key_path, char **cert, char **key,
                         struct pal_error *err)
{
    char *c = NULL, *k = NULL;
    enum pal_status st;
    if (!cert_path || !key_path)
        return pal_fail(err, PAL_EUSAGE, "TLS needs both a certificate and its key");
    st = read_text(cert_path, "certificate", &c, err);
    if (st == PAL_OK)
        st = read_text(key_path, "key", &k, err);
    if (st == PAL_OK)
        st = check_pair(cert_path, c, key_path, k, err);
    if (st != PAL_OK)
        goto done;
    *cert = c;
    *key = k;
    c = k = NULL;
done:
    mem_free(c);
    tls_forget(k);
    return st;
}
