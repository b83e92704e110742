/* Live state in Redis (or what speaks its protocol): a pool of connections, and whether the server
 * is there. What is kept how: redis_inside.h and redis_scripts.c.
 *
 * A call takes a connection, sends its commands, reads the answers, gives it back. If it fails, the
 * server counts as away, all connections are dropped, and nobody tries again but state_mend; so a
 * server that hangs costs each thread one timeout, not one for each request. One exception: a
 * connection that lay idle may have been closed meanwhile, which says nothing: once more, then. */
#include "state/redis.h"
#include "base/clock.h"

#include "state/redis_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { PER_ITEM_NS = 100 * 1000, LOOKUP_MS = 2000 };

/* ---- Commands ---- */

void command_begin(struct commands *c, size_t words)
{
    str_fmt(&c->bytes, "*%zu\r\n", words);
    c->count++;
}

void command_word(struct commands *c, const void *word, size_t size)
{
    str_fmt(&c->bytes, "$%zu\r\n", size);
    str_add(&c->bytes, word, size);
    str_add(&c->bytes, "\r\n", 2);
}

void command_text(struct commands *c, const char *text)
{
    command_word(c, text, strlen(text));
}

void command_number(struct commands *c, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    command_text(c, text);
}

void command_script(const struct redis *r, struct commands *c, enum redis_script script,
                    size_t keys, size_t more)
{
    command_begin(c, 3 + more);
    command_text(c, "EVALSHA");
    command_text(c, r->sha[script]);
    command_number(c, keys);
}

/* ---- Who is away ---- */

static void gone(struct redis *r, const struct pal_error *err)
{
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->up, false);
    r->error = *err;
    struct link *all = r->idle;
    r->idle = NULL;
    for (struct link *k = all; k; k = k->next)
        r->links--;
    pthread_cond_broadcast(&r->given);
    pthread_mutex_unlock(&r->lock);
    while (all) {
        struct link *next = all->next;
        link_close(all);
        all = next;
    }
}

static enum pal_status away(struct redis *r, struct pal_error *err)
{
    pthread_mutex_lock(&r->lock);
    if (err)
        *err = r->error;
    pthread_mutex_unlock(&r->lock);
    atomic_fetch_add(&r->errors, 1);
    return PAL_EIO;
}

/* Puts where it went wrong before what went wrong. */
static enum pal_status at(const struct redis *r, enum pal_status st, struct pal_error *err)
{
    return st == PAL_ENOMEM ? st : pal_within(err, st, "the shared state %s", r->url.shown);
}

static enum pal_status said_no(const struct redisReply *reply, struct pal_error *err)
{
    const char *text = reply->str;
    const char *hint = "";
    if (strncmp(text, "OOM ", 4) == 0 || strstr(text, "-OOM ") || strstr(text, " OOM "))
        return pal_fail(err, PAL_EFULL,
                        "it is full: raise its maxmemory, or give it an eviction policy (%.100s)",
                        text);
    if (strncmp(text, "WRONGPASS", 9) == 0 || strncmp(text, "NOAUTH", 6) == 0 ||
        strstr(text, "invalid password") || strstr(text, "without any password"))
        hint = "; check the user and the password in the URL";
    else if (strncmp(text, "NOPERM", 6) == 0)
        hint = "; the user needs ~PREFIX:* and +@all -@dangerous";
    else if (strncmp(text, "READONLY", 8) == 0)
        hint = "; name the primary, not a replica";
    return pal_fail(err, PAL_EIO, "%.200s%s", text, hint);
}

enum pal_status redis_odd(const struct redis *r, const redisReply *reply, struct pal_error *err)
{
    return pal_fail(err, PAL_EIO,
                    "the shared state %s gave an answer of another shape (%d): is all under its "
                    "prefix '%s' palate's?",
                    r->url.shown, reply->type, r->url.prefix);
}

/* ---- Connecting ---- */

static enum pal_status no_error(const redisReply *reply, struct pal_error *err)
{
    return reply->type == REDIS_REPLY_ERROR ? said_no(reply, err) : PAL_OK;
}

static void draw(uint64_t *out)
{
    if (getrandom(out, sizeof *out, 0) != sizeof *out)
        *out = clock_steady_ns();
    *out >>= 12; /* so that every client can hold it */
    *out += !*out;
}

/* Who we are, where to, what we run, and what every user's key refers to. */
static void put_greeting(const struct redis *r, struct commands *c)
{
    uint64_t instance;
    struct str text = {0};
    char db[16];
    if (r->url.password) {
        command_begin(c, r->url.user ? 3 : 2);
        command_text(c, "AUTH");
        if (r->url.user)
            command_text(c, r->url.user);
        command_text(c, r->url.password);
    }
    command_begin(c, 2);
    command_text(c, "SELECT");
    snprintf(db, sizeof db, "%u", r->url.db);
    command_text(c, db);
    for (enum redis_script s = 0; s < SCRIPTS; s++) {
        str_clear(&text);
        redis_script_text(s, &text);
        command_begin(c, 3);
        command_text(c, "SCRIPT");
        command_text(c, "LOAD");
        command_word(c, str_text(&text), text.len);
        c->bytes.failed = c->bytes.failed || !str_ok(&text);
    }
    str_done(&text);
    draw(&instance);
    const struct {
        const char *field;
        uint64_t value;
    } rows[] = {{"clear", (uint64_t)clock_wall_ms() / 1000}, {"doubt", 0}, {"instance", instance}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        command_begin(c, 4);
        command_text(c, "HSETNX");
        command_text(c, str_text(&r->meta));
        command_text(c, rows[i].field);
        command_number(c, rows[i].value);
    }
    command_begin(c, 3);
    command_text(c, "HGET");
    command_text(c, str_text(&r->meta));
    command_text(c, "instance");
}

/* Under the lock or before anybody else is there. */
static void take_greeting(struct redis *r, size_t i, size_t count, const redisReply *reply)
{
    size_t first = count - SCRIPTS - 4;
    if (i + 1 == count && reply->type == REDIS_REPLY_STRING) {
        uint64_t instance = 0;
        for (const char *p = reply->str; *p >= '0' && *p <= '9'; p++)
            instance = instance * 10 + (uint64_t)(*p - '0');
        r->instance = instance;
    } else if (i >= first && i < first + SCRIPTS && reply->type == REDIS_REPLY_STRING &&
               !r->have_scripts) {
        snprintf(r->sha[i - first], sizeof r->sha[0], "%s", reply->str);
        r->have_scripts = i + 1 == first + SCRIPTS;
    }
}

/* A server that is full is there: what has to be written is missing, which the scripts bear. */
static enum pal_status greet(struct redis *r, struct link *k, uint64_t deadline_ns,
                             struct pal_error *err)
{
    struct commands c = {0};
    put_greeting(r, &c);
    enum pal_status st = str_ok(&c.bytes) ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK)
        st = link_send(k, c.bytes.text, c.bytes.len, deadline_ns, err);
    for (size_t i = 0; i < c.count && st == PAL_OK; i++) {
        redisReply *reply = NULL;
        st = link_reply(k, deadline_ns, &reply, err);
        if (st == PAL_OK)
            st = no_error(reply, err);
        if (st == PAL_EFULL)
            st = PAL_OK;
        if (st == PAL_OK) {
            pthread_mutex_lock(&r->lock);
            take_greeting(r, i, c.count, reply);
            pthread_mutex_unlock(&r->lock);
        }
        if (reply)
            freeReplyObject(reply);
    }
    if (c.bytes.text) /* it may hold the password */
        explicit_bzero(c.bytes.text, c.bytes.len);
    str_done(&c.bytes);
    k->used = false;
    return st;
}

static enum pal_status connect_one(struct redis *r, uint64_t deadline_ns, struct link **out,
                                   struct pal_error *err)
{
    struct link *k = NULL;
    pthread_mutex_lock(&r->lock);
    struct lookup_addresses hosts = r->hosts;
    pthread_mutex_unlock(&r->lock);
    enum pal_status st = link_open(&r->url, &hosts, deadline_ns, &k, err);
    if (st == PAL_OK)
        st = greet(r, k, deadline_ns, err);
    if (st != PAL_OK)
        link_close(k);
    else
        *out = k;
    return st;
}

/* ---- The pool ---- */

static enum pal_status take(struct redis *r, uint64_t deadline_ns, bool fresh, struct link **out,
                            struct pal_error *err)
{
    struct timespec until = clock_at_ns(deadline_ns);
    pthread_mutex_lock(&r->lock);
    bool late = false, any = atomic_load(&r->up);
    while (any && !late && !(r->idle && !fresh) && r->links >= (size_t)r->o.connections) {
        late = pthread_cond_timedwait(&r->given, &r->lock, &until) != 0;
        any = atomic_load(&r->up);
    }
    struct link *k = any && !fresh ? r->idle : NULL;
    if (k)
        r->idle = k->next;
    else if (any && !late)
        r->links++;
    if (!any && err)
        *err = r->error;
    pthread_mutex_unlock(&r->lock);
    *out = k;
    if (!any)
        return PAL_EIO;
    if (!k && late)
        return pal_fail(err, PAL_EFULL, "all its connections are busy: raise state.connections");
    return PAL_OK;
}

static void give(struct redis *r, struct link *k)
{
    pthread_mutex_lock(&r->lock);
    bool keep = k && atomic_load(&r->up);
    if (keep) {
        k->next = r->idle;
        r->idle = k;
    } else {
        r->links--;
    }
    pthread_cond_signal(&r->given);
    pthread_mutex_unlock(&r->lock);
    if (!keep)
        link_close(k);
}

/* All replies are read, whatever they are. *no receives what the server or fn did not like. */
static enum pal_status converse(struct link *k, const struct commands *c, uint64_t deadline_ns,
                                reply_fn *fn, void *ctx, enum pal_status *no, struct pal_error *err)
{
    enum pal_status st = link_send(k, c->bytes.text, c->bytes.len, deadline_ns, err);
    *no = PAL_OK;
    for (size_t i = 0; i < c->count && st == PAL_OK; i++) {
        redisReply *reply = NULL;
        struct pal_error later;
        st = link_reply(k, deadline_ns, &reply, err);
        if (st != PAL_OK)
            break;
        struct pal_error *to = *no == PAL_OK ? err : &later;
        enum pal_status one = no_error(reply, to);
        if (one == PAL_OK && fn)
            one = fn(ctx, i, reply, to);
        if (*no == PAL_OK)
            *no = one;
        freeReplyObject(reply);
    }
    return st;
}

static void measure(struct redis *r, uint64_t began_ns)
{
    uint64_t ns = clock_steady_ns() - began_ns;
    size_t i = 0;
    while (i < STATE_BUCKETS && (double)ns > state_bucket_s[i] * 1e9)
        i++;
    atomic_fetch_add_explicit(&r->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->ns, ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->trips, 1, memory_order_relaxed);
}

/* One try. *stale: nothing came of it because the connection had been closed while it lay idle. */
static enum pal_status try_call(struct redis *r, const struct commands *c, uint64_t deadline_ns,
                                bool fresh, reply_fn *fn, void *ctx, bool *stale,
                                struct pal_error *err)
{
    struct link *k = NULL;
    enum pal_status no = PAL_OK, st = take(r, deadline_ns, fresh, &k, err);
    *stale = false;
    if (st != PAL_OK)
        return st == PAL_EFULL ? at(r, PAL_EFULL, err) : st;
    if (!k)
        st = connect_one(r, deadline_ns, &k, err);
    bool idled = k && k->used;
    if (st == PAL_OK)
        st = converse(k, c, deadline_ns, fn, ctx, &no, err);
    if (st == PAL_OK && no != PAL_EIO) {
        give(r, k);
        return no == PAL_OK ? PAL_OK : at(r, no, err);
    }
    *stale = st != PAL_OK && idled && !fresh && (uint64_t)clock_steady_ns() < deadline_ns;
    link_close(k);
    give(r, NULL);
    st = at(r, st != PAL_OK ? st : no, err);
    if (!*stale && st == PAL_EIO)
        gone(r, err);
    return st;
}

enum pal_status redis_call(struct redis *r, struct commands *c, size_t items, reply_fn *fn,
                           void *ctx, struct pal_error *err)
{
    struct pal_error own;
    uint64_t began = clock_steady_ns();
    uint64_t deadline =
        began + (uint64_t)r->o.timeout_ms * 1000000u + (uint64_t)items * PER_ITEM_NS;
    enum pal_status st = PAL_OK;
    bool stale = false;
    err = err ? err : &own;
    if (!str_ok(&c->bytes))
        st = pal_no_memory(err);
    else if (!atomic_load(&r->up))
        st = away(r, err);
    else {
        st = try_call(r, c, deadline, false, fn, ctx, &stale, err);
        if (stale)
            st = try_call(r, c, deadline, true, fn, ctx, &stale, err);
        measure(r, began);
        if (st != PAL_OK)
            atomic_fetch_add(&r->errors, 1);
    }
    str_done(&c->bytes);
    return st;
}

/* ---- Opening, closing, looking after ---- */

/* Where the host is. Only here, since name servers may be slow and nobody with a request has time
 * to wait for them; so an address that changed is found once the old one doesn't answer. */
static enum pal_status find_host(struct redis *r, struct pal_error *err)
{
    struct lookup_addresses hosts;
    int64_t until_ms = clock_steady_ms() + LOOKUP_MS;
    if (r->url.path)
        return PAL_OK;
    enum pal_status st = lookup_host(&r->lookup, r->url.host, r->url.port, until_ms, &hosts, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&r->lock);
    r->hosts = hosts;
    pthread_mutex_unlock(&r->lock);
    return PAL_OK;
}

static enum pal_status reach(struct redis *r, struct pal_error *err)
{
    struct link *k = NULL;
    enum pal_status st = find_host(r, err);
    uint64_t deadline = clock_steady_ns() + (uint64_t)r->o.timeout_ms * 1000000u;
    if (st == PAL_OK)
        st = connect_one(r, deadline, &k, err);
    if (st != PAL_OK) {
        st = at(r, st, err);
        gone(r, err);
        return st;
    }
    pthread_mutex_lock(&r->lock);
    k->next = r->idle;
    r->idle = k;
    r->links++;
    atomic_store(&r->up, true);
    pthread_mutex_unlock(&r->lock);
    return PAL_OK;
}

static void close_redis(struct state *s)
{
    struct redis *r = (struct redis *)s;
    while (r->idle) {
        struct link *next = r->idle->next;
        link_close(r->idle);
        r->idle = next;
    }
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->given);
    lookup_free(r->lookup);
    str_done(&r->meta);
    redis_url_done(&r->url);
    mem_free(r);
}

/* A reply_fn: false in *ctx if the server does not know us any more. */
static enum pal_status see_instance(void *ctx, size_t i, const redisReply *reply,
                                    struct pal_error *err)
{
    *(bool *)ctx = reply->type == REDIS_REPLY_STRING;
    return PAL_OK;
}

static enum pal_status mend(struct state *s, struct pal_error *err)
{
    struct redis *r = (struct redis *)s;
    struct commands c = {0};
    bool known = true;
    if (!atomic_load(&r->up))
        return reach(r, err);
    command_begin(&c, 3);
    command_text(&c, "HGET");
    command_text(&c, str_text(&r->meta));
    command_text(&c, "instance");
    enum pal_status st = redis_call(r, &c, 0, see_instance, &known, err);
    if (st == PAL_OK && !known) /* it was emptied: begin anew */
        st = reach(r, err);
    if (st == PAL_OK)
        st = redis_sweep(r, err);
    return st;
}

static void status(struct state *s, struct state_status *out)
{
    struct redis *r = (struct redis *)s;
    *out = (struct state_status){.trips = atomic_load(&r->trips),
                                 .errors = atomic_load(&r->errors),
                                 .ns = atomic_load(&r->ns)};
    for (size_t i = 0; i < STATE_FOUNDS; i++)
        out->found[i] = atomic_load(&r->found[i]);
    for (size_t i = 0; i <= STATE_BUCKETS; i++)
        out->bucket[i] = atomic_load(&r->bucket[i]);
    pthread_mutex_lock(&r->lock);
    out->up = atomic_load(&r->up);
    out->error = r->error;
    out->instance = r->instance;
    pthread_mutex_unlock(&r->lock);
}

static enum pal_status open_any(const struct state_ops *ops, const char *url,
                                const struct state_options *o, size_t keep, struct state **out,
                                struct pal_error *away_error, struct pal_error *err)
{
    struct pal_error why;
    struct redis *r = mem_zero(1, sizeof *r);
    if (!r)
        return pal_no_memory(err);
    enum pal_status st = redis_url_parse(url, &r->url, err);
    if (st == PAL_OK)
        str_fmt(&r->meta, "%s:meta", r->url.prefix);
    if (st == PAL_OK && !str_ok(&r->meta)) {
        redis_url_done(&r->url);
        st = pal_no_memory(err);
    }
    if (st != PAL_OK) {
        mem_free(r);
        return st;
    }
    r->base.ops = ops;
    r->o = *o;
    r->keep = keep;
    r->ttl_ms = (int64_t)(o->ttl_days * 86400e3);
    pthread_mutex_init(&r->lock, NULL);
    clock_cond_init(&r->given);
    st = reach(r, &why);
    if (st == PAL_EUSAGE || st == PAL_ENOMEM) {
        *err = why;
        close_redis(&r->base);
        return st;
    }
    if (away_error)
        *away_error = st == PAL_OK ? (struct pal_error){.status = PAL_OK} : why;
    *out = &r->base;
    return PAL_OK;
}

#define KIND(name, word, url)                                                                      \
    static enum pal_status open_##name(const char *text, const struct state_options *o,            \
                                       size_t keep, struct state **out, struct pal_error *away_,   \
                                       struct pal_error *err);                                     \
    const struct state_ops                                                                         \
        name = {{word, url},   open_##name,      close_redis,     mend,                            \
                redis_look,    redis_fill,       redis_add,       redis_show,                      \
                redis_erase,   redis_doubt,      redis_clear,     redis_count_up,                  \
                redis_counted, redis_count_lock, redis_count_put, status};                         \
    static enum pal_status open_##name(const char *text, const struct state_options *o,            \
                                       size_t keep, struct state **out, struct pal_error *away_,   \
                                       struct pal_error *err)                                      \
    {                                                                                              \
        return open_any(&name, text, o, keep, out, away_, err);                                    \
    }

KIND(redis_state, "redis", "redis://HOST:PORT/DB")
KIND(redis_state_tls, "rediss", "rediss://HOST:PORT/DB")
KIND(redis_state_path, "redis+unix", "redis+unix:///PATH")
