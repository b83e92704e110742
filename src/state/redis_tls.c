/* TLS under a connection to Redis, by GnuTLS. The server's certificate must be of the host in the
 * URL and signed by an authority that the system trusts or, with ?ca=FILE, by one in that file. */
#include "state/redis_inside.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <string.h>

struct redis_tls {
    gnutls_session_t session;
    gnutls_certificate_credentials_t trust;
};

static enum pal_status read_trust(const struct redis_url *u, struct redis_tls *t,
                                  struct pal_error *err)
{
    if (gnutls_certificate_allocate_credentials(&t->trust))
        return pal_no_memory(err);
    int n = u->ca ? gnutls_certificate_set_x509_trust_file(t->trust, u->ca, GNUTLS_X509_FMT_PEM)
                  : gnutls_certificate_set_x509_system_trust(t->trust);
    if (n < 0)
        return pal_fail(err, PAL_EIO, "cannot read %s: %s",
                        u->ca ? u->ca : "the system's certificates", gnutls_strerror(n));
    if (n == 0 && u->ca)
        return pal_fail(err, PAL_EIO, "%s holds no certificate", u->ca);
    return PAL_OK;
}

/* A name, not an address, is told to the server. */
static bool is_name(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1;
}

static enum pal_status why_not(struct redis_tls *t, int e, struct pal_error *err)
{
    gnutls_datum_t why = {0};
    unsigned status = gnutls_session_get_verify_cert_status(t->session);
    if (e == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &why, 0) == 0) {
        pal_fail(err, PAL_EIO,
                 "its certificate is not trusted: %s (name your authority's file with "
                 "?ca=FILE)",
                 (char *)why.data);
        gnutls_free(why.data);
        return PAL_EIO;
    }
    return pal_fail(err, PAL_EIO, "TLS failed: %s (does the server speak TLS on this port?)",
                    gnutls_strerror(e));
}

static enum pal_status shake_hands(struct redis_tls *t, int fd, uint64_t deadline_ns,
                                   struct pal_error *err)
{
    for (;;) {
        int e = gnutls_handshake(t->session);
        if (e == GNUTLS_E_SUCCESS)
            return PAL_OK;
        if (e != GNUTLS_E_AGAIN && e != GNUTLS_E_INTERRUPTED) {
            if (gnutls_error_is_fatal(e))
                return why_not(t, e, err);
            continue;
        }
        short way = gnutls_record_get_direction(t->session) ? POLLOUT : POLLIN;
        enum pal_status st = link_wait(fd, way, deadline_ns, err);
        if (st != PAL_OK)
            return st;
    }
}

enum pal_status redis_tls_open(const struct redis_url *u, int fd, uint64_t deadline_ns,
                               struct redis_tls **out, struct pal_error *err)
{
    struct redis_tls *t = mem_zero(1, sizeof *t);
    if (!t)
        return pal_no_memory(err);
    enum pal_status st = read_trust(u, t, err);
    if (st == PAL_OK &&
        gnutls_init(&t->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL))
        st = pal_no_memory(err);
    if (st == PAL_OK) {
        gnutls_set_default_priority(t->session);
        gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, t->trust);
        if (is_name(u->host))
            gnutls_server_name_set(t->session, GNUTLS_NAME_DNS, u->host, strlen(u->host));
        gnutls_session_set_verify_cert(t->session, u->host, 0);
        gnutls_transport_set_int(t->session, fd);
        st = shake_hands(t, fd, deadline_ns, err);
    }
    if (st != PAL_OK)
        redis_tls_close(t);
    else
        *out = t;
    return st;
}

void redis_tls_close(struct redis_tls *t)
{
    if (!t)
        return;
    if (t->session)
        gnutls_deinit(t->session);
    if (t->trust)
        gnutls_certificate_free_credentials(t->trust);
    mem_free(t);
}

static ssize_t as_read(ssize_t n)
{
    if (n >= 0)
        return n;
    errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EPROTO;
    return n == GNUTLS_E_PREMATURE_TERMINATION ? 0 : -1;
}

ssize_t redis_tls_read(struct redis_tls *t, void *buf, size_t size)
{
    return as_read(gnutls_record_recv(t->session, buf, size));
}

ssize_t redis_tls_write(struct redis_tls *t, const void *buf, size_t size)
{
    return as_read(gnutls_record_send(t->session, buf, size));
}
