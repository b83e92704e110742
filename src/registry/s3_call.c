/* Requests to S3: addresses, signatures, and what its answers mean.
 *
 * libcurl signs (Signature Version 4). It leaves out x-amz-content-sha256, which S3 wants, and
 * takes path and query as they are: so that header is ours, all but plain characters are escaped,
 * and queries come in order, each name with its '='. */
#include "registry/s3_inside.h"

#include "base/file.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, QUIET_S = 30, TRIES = 4, FIRST_PAUSE_MS = 100 };

void s3_hash(const void *data, size_t size, char out[S3_HASH])
{
    unsigned char digest[32] = {0};
    gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* "http://host/bucket", or Amazon's own for want of an endpoint. */
static void make_root(struct s3 *s)
{
    const struct s3_place *p = &s->place;
    if (*p->endpoint)
        snprintf(s->root, sizeof s->root, "%s/%s", p->endpoint, p->bucket);
    else if (strchr(p->bucket, '.')) /* no certificate is for such a host */
        snprintf(s->root, sizeof s->root, "https://s3.%s.amazonaws.com/%s", p->region, p->bucket);
    else
        snprintf(s->root, sizeof s->root, "https://%s.s3.%s.amazonaws.com", p->bucket, p->region);
}

static enum pal_status take_keys(struct s3 *s, struct pal_error *err)
{
    const char *token = getenv("AWS_SESSION_TOKEN");
    s->key = getenv("AWS_ACCESS_KEY_ID");
    s->secret = getenv("AWS_SECRET_ACCESS_KEY");
    if (!s->key || !*s->key || !s->secret || !*s->secret)
        return pal_fail(err, PAL_EUSAGE,
                        "%s needs keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", s->name);
    if (token && *token)
        str_fmt(&s->token, "x-amz-security-token: %s", token);
    return str_ok(&s->token) ? PAL_OK : pal_no_memory(err);
}

/* Makes the folder of copies; one below /var/tmp must not be somebody else's. */
static enum pal_status make_local(struct s3 *s, struct pal_error *err)
{
    struct stat info;
    enum pal_status st = s3_place_local(&s->place, s->local, err);
    if (st == PAL_OK)
        st = file_make_dir(s->local, err);
    if (st == PAL_OK && strncmp(s->local, "/var/tmp/", 9) == 0 && !*s->place.cache &&
        (lstat(s->local, &info) || info.st_uid != geteuid()))
        return pal_fail(err, PAL_EIO, "%s belongs to another user: set PALATE_MODELS_CACHE",
                        s->local);
    return st;
}

enum pal_status s3_open(const char *root, struct s3 *out, struct pal_error *err)
{
    memset(out, 0, sizeof *out);
    enum pal_status st = s3_place_read(root, &out->place, err);
    if (st != PAL_OK)
        return st;
    size_t len = strlen(out->place.prefix);
    snprintf(out->name, sizeof out->name, "s3://%s%s%.*s", out->place.bucket, len ? "/" : "",
             (int)(len ? len - 1 : 0), out->place.prefix);
    snprintf(out->aws, sizeof out->aws, "aws:amz:%s:s3", out->place.region);
    make_root(out);
    st = take_keys(out, err);
    if (st == PAL_OK)
        st = make_local(out, err);
    if (st == PAL_OK)
        st = fetch_new(CONNECT_MS, QUIET_S, &out->fetch, err);
    if (st != PAL_OK)
        s3_close(out);
    return st;
}

void s3_close(struct s3 *s)
{
    fetch_free(s->fetch);
    str_done(&s->token);
    memset(s, 0, sizeof *s);
}

/* ---- what an answer means ---- */

enum pal_status s3_refused(const struct s3 *s, const struct s3_call *c, const char *what,
                           struct pal_error *err)
{
    struct str code = {0}, text = {0};
    const char *p = str_text(&c->answer), *end = p + c->answer.len, *advice = "";
    const char *q = p;
    s3_xml_text(&p, end, "Code", &code);
    s3_xml_text(&q, end, "Message", &text);
    const char *word = str_text(&code);
    if (strcmp(word, "NoSuchBucket") == 0)
        advice = ": make the bucket first";
    else if (c->status == 301 || c->status == 400)
        advice = ": is region=… the bucket's?";
    else if (strcmp(word, "RequestTimeTooSkewed") == 0)
        advice = ": set this machine's clock";
    else if (c->status == 401 || c->status == 403)
        advice = ": see AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do";
    enum pal_status st =
        pal_fail(err, PAL_EIO, "cannot %s %s: the server answered %ld%s%s%s%.200s%s", what, s->name,
                 c->status, *word ? " " : "", word, text.len ? ", " : "", str_text(&text), advice);
    str_done(&code);
    str_done(&text);
    return st;
}

static bool is_for_later(long status)
{
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static bool is_answer(const struct s3_call *c)
{
    if (c->status == 404) /* a missing bucket is no missing object */
        return c->key && !memmem(str_text(&c->answer), c->answer.len, "NoSuchBucket", 12);
    return (c->status >= 200 && c->status < 300) || c->status == 304 || c->status == 409 ||
           c->status == 412;
}

/* ---- one request ---- */

static void make_url(const struct s3 *s, const struct s3_call *c, struct str *url)
{
    str_put(url, s->root);
    if (c->key) {
        str_char(url, '/');
        fetch_escape(url, s->place.prefix, true);
        fetch_escape(url, c->key, true);
    }
    if (c->query)
        str_fmt(url, "?%s", c->query);
}

/* What one try needs beside the call itself. */
struct request {
    struct str url;
    char sum[S3_HASH + 32], match[240], none_match[240];
    struct fetch_call call;
    bool taken; /* something of the answer went to the caller */
    const struct s3_call *of;
};

static enum pal_status on_take(void *ctx, const char *data, size_t size, struct pal_error *err)
{
    struct request *r = ctx;
    r->taken = true;
    return r->of->take(r->of->ctx, data, size, err);
}

static void describe(const struct s3 *s, const struct s3_call *c, struct request *r)
{
    char hash[S3_HASH];
    size_t n = 0;
    if (c->hash)
        snprintf(hash, sizeof hash, "%s", c->hash);
    else
        s3_hash(c->body ? c->body : "", c->body ? c->body_size : 0, hash);
    snprintf(r->sum, sizeof r->sum, "x-amz-content-sha256: %s", hash);
    r->call.headers[n++] = r->sum;
    if (c->body)
        r->call.headers[n++] = "Content-Type: application/octet-stream";
    if (s->token.len)
        r->call.headers[n++] = str_text(&s->token);
    if (c->if_match) {
        snprintf(r->match, sizeof r->match, "If-Match: %s", c->if_match);
        r->call.headers[n++] = r->match;
    }
    if (c->if_none_match) {
        snprintf(r->none_match, sizeof r->none_match, "If-None-Match: %s", c->if_none_match);
        r->call.headers[n++] = r->none_match;
    }
    r->call.headers[n] = NULL;
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static enum pal_status try_again_and_again(struct s3 *s, const struct s3_call *c, struct request *r,
                                           struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct pal_error why;
    for (int i = 0, tries = c->once ? 1 : TRIES; i < tries; i++) {
        if (i)
            pause_ms(FIRST_PAUSE_MS << (2 * (i - 1)));
        st = fetch_do(s->fetch, &r->call, &why);
        if (r->taken || (st == PAL_OK && !is_for_later(r->call.status)) || st == PAL_ENOMEM)
            break;
    }
    if (st == PAL_EIO)
        return pal_fail(err, PAL_EIO, "cannot reach %s at %s: %s", s->name,
                        *s->place.endpoint ? s->place.endpoint : s->root, why.message);
    if (st != PAL_OK && err)
        *err = why;
    return st;
}

enum pal_status s3_do(struct s3 *s, struct s3_call *c, struct pal_error *err)
{
    struct request r = {.of = c};
    make_url(s, c, &r.url);
    if (!str_ok(&r.url)) {
        str_done(&r.url);
        return pal_no_memory(err);
    }
    r.call = (struct fetch_call){.method = c->method,
                                 .url = str_text(&r.url),
                                 .aws = s->aws,
                                 .user = s->key,
                                 .password = s->secret,
                                 .body = c->body,
                                 .body_size = c->body_size,
                                 .take = c->take ? on_take : NULL,
                                 .ctx = &r,
                                 .want = "ETag",
                                 .answer = c->answer};
    describe(s, c, &r);
    enum pal_status st = try_again_and_again(s, c, &r, err);
    c->status = r.call.status;
    c->answer = r.call.answer;
    memcpy(c->etag, r.call.got, sizeof c->etag);
    if (st == PAL_OK && !is_answer(c))
        st = s3_refused(s, c, strcmp(c->method, "GET") == 0 ? "read from" : "write to", err);
    str_done(&r.url);
    return st;
}

enum pal_status s3_delete(struct s3 *s, const char *key, struct pal_error *err)
{
    struct s3_call c = {.method = "DELETE", .key = key};
    enum pal_status st = s3_do(s, &c, err);
    if (st == PAL_OK && (c.status == 409 || c.status == 412))
        st = s3_refused(s, &c, "delete from", err);
    str_done(&c.answer);
    return st;
}
