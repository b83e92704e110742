/* A running recommender in a folder of its own, and short words for what tests do with it. */
#ifndef LIVE_WORLD_H
#define LIVE_WORLD_H

#include "test.h"

#include "base/mem.h"
#include "engine/live.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char dir[64], store[96], models[96];
    struct live_config config;
    struct live *l;
    struct arena tmp;
    long blocks; /* of memory that there were before */
    pthread_mutex_t lock;
    char log[16384]; /* what was said, a line each */
};

static inline void world_say(void *ctx, enum live_level level, const char *message)
{
    struct world *w = ctx;
    pthread_mutex_lock(&w->lock);
    size_t used = strlen(w->log);
    snprintf(w->log + used, sizeof w->log - used, "%d %s\n", (int)level, message);
    pthread_mutex_unlock(&w->lock);
}

static inline bool world_said(struct world *w, const char *text)
{
    pthread_mutex_lock(&w->lock);
    bool said = strstr(w->log, text);
    pthread_mutex_unlock(&w->lock);
    return said;
}

static inline void world_open(struct world *w)
{
    struct pal_error err;
    assert_ok(live_open(&w->config, world_say, w, &w->l, &err), &err);
}

static inline void world_close(struct world *w, unsigned wait_ms)
{
    live_close(w->l, wait_ms);
    w->l = NULL;
}

/* A cmocka setup: a new folder with nothing in it, and defaults. */
static inline int world_make(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->blocks = mem_live();
    strcpy(w->dir, "/tmp/palate-live-XXXXXX");
    if (!mkdtemp(w->dir))
        return -1;
    snprintf(w->store, sizeof w->store, "sqlite:%s/palate.db", w->dir);
    snprintf(w->models, sizeof w->models, "%s/models", w->dir);
    pthread_mutex_init(&w->lock, NULL);
    arena_init(&w->tmp);
    opt_defaults(&live_option_table, &w->config.live);
    opt_defaults(&pipeline_option_table, &w->config.engine);
    opt_defaults(&bandit_option_table, &w->config.bandit);
    opt_defaults(&journal_option_table, &w->config.journal);
    w->config.live.store = w->store;
    w->config.live.models = w->models;
    w->config.journal.sync = false; /* a test's machine keeps its power */
    w->config.engine.explore = 0;
    *state = w;
    return 0;
}

static inline int world_drop(void **state)
{
    struct world *w = *state;
    char command[96];
    live_close(w->l, 0);
    arena_done(&w->tmp);
    snprintf(command, sizeof command, "rm -r %s", w->dir);
    bool failed = system(command) != 0 || mem_live() != w->blocks; /* a leak */
    free(w);
    return failed ? -1 : 0;
}

static inline struct record event_record(const char *user, const char *item, const char *type)
{
    return (struct record){
        .kind = RECORD_EVENT,
        .event = {.user_id = user, .item_id = item, .type = type, .value = 1},
    };
}

static inline void world_event(struct world *w, const char *user, const char *item,
                               const char *type)
{
    struct record r = event_record(user, item, type);
    struct pal_error err;
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
}

static inline void world_item(struct world *w, const char *id, const char *title,
                              const char *categories)
{
    struct record r = {
        .kind = RECORD_ITEM,
        .item = {.item_id = id, .title = title, .categories = categories, .available = true}};
    struct pal_error err;
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
}

/* item-0 … item-(n - 1), comedies and dramas by turns. */
static inline void world_items(struct world *w, uint32_t n)
{
    struct pal_error err;
    struct record *r = calloc(n, sizeof *r);
    char(*id)[32] = calloc(n, sizeof *id);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(id[i], sizeof id[i], "item-%u", i);
        r[i] = (struct record){.kind = RECORD_ITEM,
                               .item = {.item_id = id[i],
                                        .title = id[i],
                                        .categories = i % 2 ? "[\"Comedy\"]" : "[\"Drama\"]",
                                        .available = true}};
    }
    assert_ok(live_write_wait(w->l, r, n, &err), &err);
    free(r);
    free(id);
}

static inline struct live_request request_for(const char *user, size_t n)
{
    return (struct live_request){.user_id = user, .n = n, .explore = -1, .diversity = -1};
}

/* Lives in w->tmp. */
static inline struct live_answer world_ask(struct world *w, const char *user, size_t n)
{
    struct live_request q = request_for(user, n);
    struct live_answer a;
    struct pal_error err;
    assert_ok(live_recommend(w->l, &q, &w->tmp, &a, &err), &err);
    return a;
}

static inline bool answer_has(const struct live_answer *a, const char *id)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i].row.item_id, id) == 0)
            return true;
    return false;
}

static inline void world_drain(struct world *w)
{
    struct pal_error err;
    assert_ok(live_drain(w->l, 20000, &err), &err);
}

#endif
