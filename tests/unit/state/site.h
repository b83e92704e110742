/* Two processes with the same shared state, on the server that PALATE_TEST_STATE names. Each test
 * has a prefix of its own, so nothing of another is in its way. */
#ifndef SITE_H
#define SITE_H

#include "test.h"

#include "state/redis.h"

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
