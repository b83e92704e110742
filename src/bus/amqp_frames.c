/* See amqp_wire.h: frames that come and go, each within a time. */
#include "base/clock.h"
#include "base/mem.h"
#include "bus/amqp_wire.h"
#include "bus/bus.h"

#include <amqp_framing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    ROOM = 64 << 10,    /* a socket that poll() calls writable takes this much at once */
    FRAME_EXTRA = 8,    /* bytes of a frame beside its payload */
    METHOD_ROOM = 2048, /* what a method or a header takes at most: names, reasons */
    LOOK_EVERY = 64,    /* messages published between two looks for confirms */
    LOOK_MS = 1000,     /* heartbeats are sent this often while waiting for room */
    BODY_MOST = 2 * BUS_MESSAGE_MOST,
};

/* ---- What comes ---- */

static enum pal_status closed_by(const char *what, int code, amqp_bytes_t text,
                                 struct pal_error *err)
{
    return pal_fail(err, PAL_EIO, "the broker closed the %s: %d %.*s", what, code, (int)text.len,
                    (const char *)text.bytes);
}

static void confirm_one(struct wire *w, uint64_t tag)
{
    uint64_t i = tag - w->base;
    if (tag < w->base || i >= w->count || w->done[i])
        return;
    w->done[i] = 1;
    w->left--;
}

/* `multiple` means all up to it; all below w->low are confirmed. */
static void confirm(struct wire *w, uint64_t tag, bool multiple)
{
    uint64_t end = w->base + w->count;
    if (!multiple)
        confirm_one(w, tag);
    else
        for (; w->low <= tag && w->low < end; w->low++)
            confirm_one(w, w->low);
}

static enum pal_status take_method(struct wire *w, unsigned channel, const amqp_method_t *m,
                                   struct pal_error *err)
{
    struct wire_partial *part = &w->partial[channel];
    switch (m->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = m->decoded;
        confirm(w, ack->delivery_tag, ack->multiple);
        return PAL_OK;
    }
    case AMQP_BASIC_NACK_METHOD:
        return pal_fail(err, PAL_EIO, "the broker could not keep a message: look at its log");
    case AMQP_BASIC_RETURN_METHOD:
        *part = (struct wire_partial){.open = true, .returned = true};
        return PAL_OK;
    case AMQP_BASIC_DELIVER_METHOD: {
        const amqp_basic_deliver_t *d = m->decoded;
        *part = (struct wire_partial){.open = true, .tag = d->delivery_tag};
        return PAL_OK;
    }
    case AMQP_BASIC_CANCEL_METHOD:
        return pal_fail(err, PAL_EIO, "the broker ended the reading of a queue: was it deleted?");
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *c = m->decoded;
        return closed_by("channel", c->reply_code, c->reply_text, err);
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
        const amqp_connection_close_t *c = m->decoded;
        return closed_by("connection", c->reply_code, c->reply_text, err);
    }
    case AMQP_CONNECTION_BLOCKED_METHOD: {
        const amqp_connection_blocked_t *b = m->decoded;
        w->blocked = true;
        snprintf(w->blocked_by, sizeof w->blocked_by, "%.*s", (int)b->reason.len,
                 (const char *)b->reason.bytes);
        return PAL_OK;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        w->blocked = false;
        return PAL_OK;
    default:
        return PAL_OK;
    }
}

/* The message of a channel is whole. */
static enum pal_status complete(struct wire *w, unsigned channel, struct pal_error *err)
{
    struct wire_partial part = w->partial[channel];
    w->partial[channel] = (struct wire_partial){0};
    if (part.returned)
        return pal_fail(err, PAL_EIO, "no queue takes the message: a queue of '%s' was deleted",
                        w->place->queue);
    if (!w->take || channel < WIRE_SHARD) {
        mem_free(part.body);
        return PAL_OK;
    }
    return w->take(w->ctx, channel - WIRE_SHARD, part.tag, part.body, part.size, err);
}

static enum pal_status take_header(struct wire *w, unsigned channel, uint64_t size,
                                   struct pal_error *err)
{
    struct wire_partial *part = &w->partial[channel];
    if (!part->open)
        return PAL_OK;
    part->size = size;
    if (!part->returned && size <= BODY_MOST) {
        part->body = mem_alloc(size + 1, 1);
        if (!part->body)
            return pal_no_memory(err);
        part->body[size] = '\0';
    }
    return size ? PAL_OK : complete(w, channel, err);
}

static enum pal_status take_body(struct wire *w, unsigned channel, amqp_bytes_t bytes,
                                 struct pal_error *err)
{
    struct wire_partial *part = &w->partial[channel];
    if (!part->open)
        return PAL_OK;
    if (bytes.len > part->size - part->filled)
        return pal_fail(err, PAL_EIO, "the broker sent more of a message than it told");
    if (part->body && bytes.len)
        memcpy(part->body + part->filled, bytes.bytes, bytes.len);
    part->filled += bytes.len;
    return part->filled < part->size ? PAL_OK : complete(w, channel, err);
}

static enum pal_status take_frame(struct wire *w, const amqp_frame_t *f, struct pal_error *err)
{
    if (f->channel >= w->channels)
        return PAL_OK;
    switch (f->frame_type) {
    case AMQP_FRAME_METHOD:
        return take_method(w, f->channel, &f->payload.method, err);
    case AMQP_FRAME_HEADER:
        return take_header(w, f->channel, f->payload.properties.body_size, err);
    case AMQP_FRAME_BODY:
        return take_body(w, f->channel, f->payload.body_fragment, err);
    default:
        return PAL_OK;
    }
}

enum pal_status wire_pump(struct wire *w, int64_t until, bool *any, struct pal_error *err)
{
    int64_t ms = until - clock_steady_ms();
    if (ms < 0)
        ms = 0;
    struct timeval t = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (long)(ms % 1000) * 1000};
    amqp_frame_t frame;
    int code = amqp_simple_wait_frame_noblock(w->conn, &frame, &t);
    *any = false;
    if (code == AMQP_STATUS_TIMEOUT)
        return PAL_OK;
    if (code)
        return pal_fail(err, code == AMQP_STATUS_NO_MEMORY ? PAL_ENOMEM : PAL_EIO,
                        "connection lost: %s", amqp_error_string2(code));
    *any = true;
    enum pal_status st = take_frame(w, &frame, err);
    amqp_maybe_release_buffers_on_channel(w->conn, frame.channel);
    return st;
}

static enum pal_status pump_all(struct wire *w, struct pal_error *err)
{
    bool any = true;
    enum pal_status st = PAL_OK;
    while (!st && any)
        st = wire_pump(w, 0, &any, err);
    return st;
}

bool wire_hung_up(const struct wire *w)
{
    struct pollfd p = {.fd = w->fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

void wire_probe(struct wire *w)
{
    struct pal_error ignored;
    if (w->conn && pump_all(w, &ignored))
        wire_close(w, false);
}

/* ---- What goes ---- */

static enum pal_status late(struct wire *w, const char *what, struct pal_error *err)
{
    if (w->blocked)
        return pal_fail(err, PAL_EIO, "the broker takes no messages now: %s: free some of it there",
                        w->blocked_by);
    return pal_fail(err, PAL_EIO, "%s in time: the broker is overloaded or the network is cut",
                    what);
}

/* Waits until the socket takes ROOM bytes; takes in what comes meanwhile. */
static enum pal_status make_room(struct wire *w, int64_t until, struct pal_error *err)
{
    for (;;) {
        /* Messages that come stay where they are until they are asked for. */
        enum pal_status st = w->take ? PAL_OK : pump_all(w, err);
        if (st)
            return st;
        struct pollfd p = {.fd = w->fd, .events = POLLOUT};
        if (!w->blocked && poll(&p, 1, 0) > 0) {
            w->room = ROOM;
            return PAL_OK;
        }
        int64_t ms = until - clock_steady_ms();
        if (ms <= 0)
            return late(w, "the broker read nothing", err);
        p.events = w->take ? POLLOUT : w->blocked ? POLLIN : POLLIN | POLLOUT;
        poll(&p, 1, ms < LOOK_MS ? (int)ms : LOOK_MS);
    }
}

static enum pal_status send_frame(struct wire *w, const amqp_frame_t *f, size_t size, int64_t until,
                                  struct pal_error *err)
{
    if (w->room < size) {
        enum pal_status st = make_room(w, until, err);
        if (st)
            return st;
    }
    int code = amqp_send_frame(w->conn, f);
    w->room = w->room > size ? w->room - size : 0;
    if (code)
        return pal_fail(err, PAL_EIO, "connection lost: %s", amqp_error_string2(code));
    return PAL_OK;
}

enum pal_status wire_method(struct wire *w, unsigned channel, amqp_method_number_t id, void *method,
                            int64_t until, struct pal_error *err)
{
    amqp_frame_t f = {.frame_type = AMQP_FRAME_METHOD, .channel = (amqp_channel_t)channel};
    f.payload.method.id = id;
    f.payload.method.decoded = method;
    return send_frame(w, &f, METHOD_ROOM, until, err);
}

static enum pal_status send_body(struct wire *w, const char *body, size_t size, int64_t until,
                                 struct pal_error *err)
{
    size_t most = (size_t)amqp_get_frame_max(w->conn);
    most = (most && most < ROOM ? most : ROOM) - FRAME_EXTRA;
    for (size_t at = 0; at < size;) {
        amqp_frame_t f = {.frame_type = AMQP_FRAME_BODY, .channel = WIRE_MAIN};
        f.payload.body_fragment.len = size - at < most ? size - at : most;
        f.payload.body_fragment.bytes = (char *)body + at;
        enum pal_status st =
            send_frame(w, &f, f.payload.body_fragment.len + FRAME_EXTRA, until, err);
        if (st)
            return st;
        at += f.payload.body_fragment.len;
    }
    return PAL_OK;
}

/* Small frames go out together while it is on. */
static void hold_back(struct wire *w, int on)
{
    setsockopt(w->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

enum pal_status wire_expect(struct wire *w, size_t count, struct pal_error *err)
{
    if (mem_grow(&w->done, &w->done_cap, count, 1))
        return pal_no_memory(err);
    memset(w->done, 0, count);
    w->base = w->low = w->next_tag;
    w->count = w->left = count;
    hold_back(w, 1);
    return PAL_OK;
}

enum pal_status wire_publish(struct wire *w, const char *exchange, const char *routing_key,
                             amqp_basic_properties_t *properties, const char *body, size_t size,
                             int64_t until, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    if (w->next_tag % LOOK_EVERY == 0 && (st = pump_all(w, err)))
        return st;
    amqp_basic_publish_t m = {.exchange = amqp_cstring_bytes(exchange),
                              .routing_key = amqp_cstring_bytes(routing_key),
                              .mandatory = 1};
    st = wire_method(w, WIRE_MAIN, AMQP_BASIC_PUBLISH_METHOD, &m, until, err);
    if (st)
        return st;
    amqp_frame_t f = {.frame_type = AMQP_FRAME_HEADER, .channel = WIRE_MAIN};
    f.payload.properties.class_id = AMQP_BASIC_CLASS;
    f.payload.properties.body_size = size;
    f.payload.properties.decoded = properties;
    st = send_frame(w, &f, METHOD_ROOM, until, err);
    if (!st)
        st = send_body(w, body, size, until, err);
    w->next_tag++;
    return st;
}

enum pal_status wire_confirmed(struct wire *w, int64_t until, struct pal_error *err)
{
    hold_back(w, 0);
    enum pal_status st = PAL_OK;
    bool any;
    while (!st && w->left) {
        st = wire_pump(w, until, &any, err);
        if (!st && !any && w->left && clock_steady_ms() >= until)
            return late(w, "the broker did not confirm", err);
    }
    return st;
}
