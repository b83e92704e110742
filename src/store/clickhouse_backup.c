/* A copy as a store in one SQLite file, of one moment: what export reads, and what a site that goes
 * back to one machine starts on. The catalog copies itself, which keeps the order of users and
 * items; then the events are put into the copy. */
#include "store/clickhouse_inside.h"

#include "base/arena.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 8192, STEP = 1 << 16 };

struct copying {
    struct store *to;
    const struct run *run;
    struct arena texts;
    struct store_change *change; /* (BATCH) */
    size_t count;
    uint64_t done, total, mark; /* places behind the mark are of a later moment */
};

static enum pal_status flush(struct copying *k, struct pal_error *err)
{
    enum pal_status st = store_load(k->to, k->change, k->count, NULL, NULL, NULL, err);
    k->count = 0;
    arena_reset(&k->texts);
    return st;
}

static const char *keep(struct copying *k, const char *text, bool *fine)
{
    const char *kept = arena_text(&k->texts, text, strlen(text));
    *fine &= kept != NULL;
    return kept;
}

static enum pal_status copy_event(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    struct copying *k = ctx;
    struct event copy = e->event;
    bool fine = true;
    if (e->place > k->mark)
        return PAL_OK;
    copy.user_id = keep(k, copy.user_id, &fine);
    copy.item_id = keep(k, copy.item_id, &fine);
    copy.type = keep(k, copy.type, &fine);
    copy.event_id = keep(k, copy.event_id, &fine);
    copy.recommendation_id = keep(k, copy.recommendation_id, &fine);
    if (!fine)
        return pal_no_memory(err);
    k->change[k->count++] = (struct store_change){.record = {.kind = RECORD_EVENT, .event = copy}};
    enum pal_status st = k->count == BATCH ? flush(k, err) : PAL_OK;
    if (st == PAL_OK && k->done++ % STEP == 0)
        st = run_step(k->run, "copying", k->done, k->total, err);
    return st;
}

/* The mark that the copy is as of: its own, if the catalog's file was copied with its counters;
 * else one from before the copy was made. */
static enum pal_status copy_catalog(struct ch_store *s, struct copying *k, const char *temp,
                                    struct pal_error *err)
{
    char url[4096];
    snprintf(url, sizeof url, "sqlite:%s", temp);
    k->total = 0;
    enum pal_status st = store_mark(s->catalog, &k->mark, err);
    if (st == PAL_OK)
        st = store_backup(s->catalog, temp, k->run, err);
    if (st == PAL_OK)
        st = store_open(url, false, &k->to, err);
    if (st == PAL_OK && store_path(s->catalog))
        st = store_mark(k->to, &k->mark, err);
    return st == PAL_OK ? store_put_note(k->to, CH_NOTE, "", err) : st; /* events are here now */
}

enum pal_status clickhouse_backup(struct store *base, const char *path, const struct run *run,
                                  struct pal_error *err)
{
    struct ch_store *s = (struct ch_store *)base;
    struct copying k = {.run = run};
    char temp[4000];
    if (snprintf(temp, sizeof temp, "%s.events.tmp", path) >= (int)sizeof temp)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", path);
    store_remove_file(temp); /* of a copy that was killed */
    k.change = mem_alloc(BATCH, sizeof *k.change);
    enum pal_status st = k.change ? copy_catalog(s, &k, temp, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = clickhouse_events(base, 0, copy_event, &k, err);
    if (st == PAL_OK)
        st = flush(&k, err);
    if (st == PAL_OK) /* whole or not there; and without a log beside it */
        st = store_backup(k.to, path, run, err);
    store_close(k.to);
    store_remove_file(temp);
    arena_done(&k.texts);
    mem_free(k.change);
    return st;
}
