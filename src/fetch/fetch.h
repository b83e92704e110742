/* Requests to an HTTP server, one after the other on a connection that is kept, by libcurl.
 *
 * A struct fetch is used by one thread at a time. Nothing is tried again here: who asks knows what
 * may be done twice. Passwords never come into a message. */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H

#include "base/error.h"
#include "base/str.h"

struct fetch;

/* connect_ms: how long a connection may take to come about; quiet_s: how long a server may send and
 * take nothing before the request is given up. One whose packets are not even acknowledged, as
 * where the network is cut, is given up after 20 s in any case. */
MUST_USE enum pal_status fetch_new(long connect_ms, long quiet_s, struct fetch **out,
                                   struct pal_error *err);
void fetch_free(struct fetch *f); /* NULL is fine */

/* No request takes longer in all, connecting included. */
void fetch_within(struct fetch *f, long ms);

/* Gets a piece of an answer's body; a status other than PAL_OK ends the request and is returned. */
typedef enum pal_status fetch_take_fn(void *ctx, const char *data, size_t size,
                                      struct pal_error *err);

enum { FETCH_HEADERS = 8, FETCH_ANSWER_MOST = 64 << 20 };

struct fetch_call {
    const char *method, *url;
    const char *headers[FETCH_HEADERS]; /* "Name: value", up to the first NULL */
    const char *aws;                    /* "aws:amz:REGION:s3": sign so; NULL = not */
    const char *user, *password;        /* for that, or for HTTP's own; NULL = none */
    const void *body;                   /* NULL = none; else borrowed for the call */
    size_t body_size;
    fetch_take_fn *take; /* of a good answer's body; NULL = it goes to `answer`, as all else does */
    void *ctx;
    const char *want; /* the name of a header whose value is wanted; NULL = none */

    long status;       /* out: of HTTP */
    struct str answer; /* out, the caller's: up to FETCH_ANSWER_MOST bytes */
    char got[200];     /* out: the wanted header's value; "" */
};

/* PAL_OK whenever there was an answer, whatever its status. PAL_EIO says why there was none: the
 * server can't be reached, broke off, or was quiet for too long. */
MUST_USE enum pal_status fetch_do(struct fetch *f, struct fetch_call *c, struct pal_error *err);

/* Appends text with everything but letters, digits and -._~ as %XX; slashes stay if told so. */
void fetch_escape(struct str *out, const char *text, bool keep_slashes);

/* The reverse: [p, end) into size bytes, with a NUL behind it. False (and out is in no state) for a
 * bad %XX, a control character, or what does not fit. */
bool fetch_unescape(char *out, size_t size, const char *p, const char *end);

#endif
