/* Two processes with the same shared state, on the server that PALATE_TEST_STATE names. Each test
 * has a prefix of its own, so nothing of another is in its way. */
#ifndef SITE_H
#define SITE_H

#include "test.h"

#include "state/redis.h"
#include "state/redis_inside.h"

#include <time.h>
#include <unistd.h>

enum { KEEP = 450 }; /* events of a user; at least all that nothing_is_missed_between_looks adds */

struct site {
    struct state *a, *b; /* two processes */
    struct arena tmp;
    long blocks;
};

static inline struct state *open_state(const char *prefix)
{
    struct state_options o;
    struct state *s = NULL;
    struct pal_error err, away = {.message = "?"};
    char url[512];
    const char *base = getenv("PALATE_TEST_STATE");
    opt_defaults(&state_option_table, &o);
    o.timeout_ms = 5000; /* the machine may be busy */
    snprintf(url, sizeof url, "%s%sprefix=%s", base, strchr(base, '?') ? "&" : "?", prefix);
    assert_ok(state_open(url, &o, KEEP, &s, &away, &err), &err);
    assert_string_equal(away.status == PAL_OK ? "" : away.message, "");
    return s;
}

static inline int make(void **state)
{
    static unsigned number;
    char prefix[64];
    struct site *w = calloc(1, sizeof *w);
    w->blocks = mem_live();
    snprintf(prefix, sizeof prefix, "t%ld-%ld-%u", (long)time(NULL), (long)getpid(), number++);
    arena_init(&w->tmp);
    w->a = open_state(prefix);
    w->b = open_state(prefix);
    *state = w;
    return 0;
}

static inline int drop(void **state)
{
    struct site *w = *state;
    state_close(w->a);
    state_close(w->b);
    arena_done(&w->tmp);
    assert_int_equal(mem_live(), w->blocks);
    free(w);
    return 0;
}

/* A reply_fn: how many keys of users there are. */
static inline enum pal_status take_count(void *ctx, size_t i, const redisReply *reply,
                                         struct pal_error *err)
{
    *(unsigned *)ctx = (unsigned)reply->elements;
    return PAL_OK;
}

static inline unsigned count_keys(struct site *w)
{
    struct redis *r = (struct redis *)w->a;
    struct commands c = {0};
    struct pal_error err;
    struct str match = {0};
    unsigned n = 0;
    command_begin(&c, 2);
    command_text(&c, "KEYS");
    str_fmt(&match, "%s:[us]:*", r->url.prefix);
    command_text(&c, str_text(&match));
    str_done(&match);
    assert_ok(redis_call(r, &c, 0, take_count, &n, &err), &err);
    return n;
}

/* The programs begin with it; false: there is no server to ask. */
static inline bool have_server(void)
{
    state_add_kind(&redis_state);
    state_add_kind(&redis_state_tls);
    state_add_kind(&redis_state_path);
    if (!getenv("PALATE_TEST_STATE"))
        fputs("PALATE_TEST_STATE names no server\n", stderr);
    return getenv("PALATE_TEST_STATE");
}

#endif
