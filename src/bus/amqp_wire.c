/* See amqp_wire.h: how a connection comes and goes. Frames are in amqp_frames.c. */
#include "bus/amqp_wire.h"
#include "base/clock.h"

#include "base/mem.h"
#include "bus/bus.h"

#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAME_MOST = 65536,
    SEND_BUFFER = 256 << 10, /* the system doubles it; a third of it is room for a frame */
    GOODBYE_MS = 500,
};

/* Where systems keep the certificates that they trust: Debian's place, Fedora's, Alpine's. */
static const char *const trusted[] = {"/etc/ssl/certs/ca-certificates.crt",
                                      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

enum pal_status wire_init(struct wire *w, const struct amqp_place *place, const char *what,
                          size_t shards, struct pal_error *err)
{
    *w = (struct wire){.place = place, .what = what, .channels = WIRE_SHARD + shards};
    w->partial = mem_zero(w->channels, sizeof *w->partial);
    return w->partial ? PAL_OK : pal_no_memory(err);
}

void wire_done(struct wire *w)
{
    if (!w->place)
        return;
    wire_close(w, true);
    lookup_free(w->lookup);
    mem_free(w->partial);
    mem_free(w->done);
    *w = (struct wire){0};
}

static struct timeval timeval_until(int64_t until)
{
    int64_t ms = until - clock_steady_ms();
    if (ms < 1)
        ms = 1;
    return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (long)(ms % 1000) * 1000};
}

void wire_limit(struct wire *w, int64_t until)
{
    struct timeval t = timeval_until(until);
    amqp_set_rpc_timeout(w->conn, &t);
}

/* ---- Errors ---- */

static enum pal_status library_error(int code, const char *what, struct pal_error *err)
{
    if (code == AMQP_STATUS_TIMEOUT)
        return pal_fail(err, PAL_EIO,
                        "%s: no answer in time: the broker is overloaded or the network is cut",
                        what);
    return pal_fail(err, code == AMQP_STATUS_NO_MEMORY ? PAL_ENOMEM : PAL_EIO, "%s: %s", what,
                    amqp_error_string2(code));
}

static enum pal_status reply_error(const amqp_rpc_reply_t *r, const char *what,
                                   struct pal_error *err)
{
    if (r->reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return library_error(r->library_error, what, err);
    int code = 0;
    amqp_bytes_t text = {0, NULL};
    if (r->reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *m = r->reply.decoded;
        code = m->reply_code;
        text = m->reply_text;
    } else if (r->reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *m = r->reply.decoded;
        code = m->reply_code;
        text = m->reply_text;
    }
    return pal_fail(err, PAL_EIO, "%s: %d %.*s", what, code, (int)text.len, (char *)text.bytes);
}

enum pal_status wire_reply(struct wire *w, const char *what, struct pal_error *err)
{
    amqp_rpc_reply_t r = amqp_get_rpc_reply(w->conn);
    return r.reply_type == AMQP_RESPONSE_NORMAL ? PAL_OK : reply_error(&r, what, err);
}

enum pal_status wire_broken(struct wire *w, struct pal_error *err)
{
    wire_close(w, false);
    return pal_within(err, err->status, "stream '%s'", w->place->shown);
}

/* ---- Connecting ---- */

static enum pal_status secure(struct wire *w, amqp_socket_t *socket, struct pal_error *err)
{
    const struct amqp_place *p = w->place;
    const char *ca = p->ca;
    for (size_t i = 0; !ca && i < sizeof trusted / sizeof *trusted; i++)
        if (access(trusted[i], R_OK) == 0)
            ca = trusted[i];
    if (!ca)
        return pal_fail(err, PAL_EIO, "no list of trusted certificates here: give ?ca=FILE");
    if (amqp_ssl_socket_set_cacert(socket, ca))
        return pal_fail(err, PAL_EIO, "%s: no certificates could be read from it", ca);
    if (p->cert && amqp_ssl_socket_set_key(socket, p->cert, p->key))
        return pal_fail(err, PAL_EIO, "cert= and key=: no pair could be read from %s and %s",
                        p->cert, p->key);
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
    return PAL_OK;
}

static enum pal_status dial(struct wire *w, int64_t until, struct pal_error *err)
{
    const struct amqp_place *p = w->place;
    enum pal_status st = lookup_host(&w->lookup, p->host, NULL, until, NULL, err);
    if (st)
        return st;
    amqp_socket_t *socket = p->tls ? amqp_ssl_socket_new(w->conn) : amqp_tcp_socket_new(w->conn);
    if (!socket)
        return pal_no_memory(err);
    if (p->tls && (st = secure(w, socket, err)))
        return st;
    struct timeval t = timeval_until(until);
    amqp_set_handshake_timeout(w->conn, &t);
    int code = amqp_socket_open_noblock(socket, p->host, p->port, &t);
    if (code == AMQP_STATUS_TCP_ERROR || code == AMQP_STATUS_SOCKET_ERROR)
        return pal_fail(err, PAL_EIO, "nobody listens at %s:%d: is the broker running?", p->host,
                        p->port);
    if (code)
        return library_error(code, "connecting", err);
    w->fd = amqp_get_sockfd(w->conn);
    int size = SEND_BUFFER;
    setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return PAL_OK;
}

static amqp_table_entry_t can(const char *what)
{
    amqp_table_entry_t e = {.key = amqp_cstring_bytes(what)};
    e.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    e.value.value.boolean = 1;
    return e;
}

static enum pal_status login(struct wire *w, int64_t until, struct pal_error *err)
{
    amqp_table_entry_t abilities[] = {
        can("authentication_failure_close"), can("basic.nack"),         can("connection.blocked"),
        can("consumer_cancel_notify"),       can("publisher_confirms"),
    };
    amqp_table_entry_t about[2] = {{.key = amqp_cstring_bytes("connection_name")},
                                   {.key = amqp_cstring_bytes("capabilities")}};
    about[0].value.kind = AMQP_FIELD_KIND_UTF8;
    about[0].value.value.bytes = amqp_cstring_bytes(w->what);
    about[1].value.kind = AMQP_FIELD_KIND_TABLE;
    about[1].value.value.table =
        (amqp_table_t){.num_entries = sizeof abilities / sizeof *abilities, .entries = abilities};
    amqp_table_t table = {.num_entries = 2, .entries = about};
    struct timeval t = timeval_until(until);
    amqp_set_handshake_timeout(w->conn, &t);
    wire_limit(w, until);
    const struct amqp_place *p = w->place;
    amqp_rpc_reply_t r = amqp_login_with_properties(w->conn, p->vhost, (int)w->channels, FRAME_MOST,
                                                    (int)p->heartbeat_s, &table,
                                                    AMQP_SASL_METHOD_PLAIN, p->user, p->password);
    return r.reply_type == AMQP_RESPONSE_NORMAL ? PAL_OK : reply_error(&r, "logging in", err);
}

enum pal_status wire_open(struct wire *w, int64_t until, struct pal_error *err)
{
    w->conn = amqp_new_connection();
    if (!w->conn)
        return pal_no_memory(err);
    enum pal_status st = dial(w, until, err);
    if (!st)
        st = login(w, until, err);
    if (st)
        return st;
    wire_limit(w, until);
    amqp_channel_open(w->conn, WIRE_MAIN);
    st = wire_reply(w, "opening a channel", err);
    if (st)
        return st;
    amqp_confirm_select(w->conn, WIRE_MAIN);
    w->next_tag = 1;
    w->left = w->count = 0;
    return wire_reply(w, "asking for confirms", err);
}

void wire_close(struct wire *w, bool politely)
{
    for (size_t i = 0; i < w->channels; i++) {
        mem_free(w->partial[i].body);
        w->partial[i] = (struct wire_partial){0};
    }
    w->room = 0;
    w->blocked = false;
    if (!w->conn)
        return;
    if (politely) {
        wire_limit(w, clock_steady_ms() + GOODBYE_MS);
        amqp_connection_close(w->conn, AMQP_REPLY_SUCCESS);
    }
    amqp_destroy_connection(w->conn);
    w->conn = NULL;
}
