/* An engine in this process for simulated users: what palate serve runs, without HTTP. See
 * sim_site.h.
 *
 * Its store, journal and models lie in a temporary folder. Nothing there is worth the wait for a
 * disk, so its journal does not sync. */
#include "base/mem.h"
#include "cli/sim_site.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 10, TRAIN_MS = 600000, DRAIN_MS = 60000, BATCH = 1000 };

/* Time in the simulation: what a server looks after every second waits for an hour here, since the
 * visits of a day are few. */
enum { DAY_MS = 86400000, KEEP_MS = 3600000 };
static const int64_t BEGIN_MS = 1735689600000; /* 2025-01-01 */

struct engine_site {
    struct sim_site site;
    const struct sim_world *w;
    struct serving options;
    const struct run *run;
    struct arena tmp;
    char folder[PATH_MAX - 64], store[PATH_MAX], models[PATH_MAX];
    int64_t kept_ms;
    struct live *live;
    struct loop *loop;
    bool trains;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void done(struct sim_site *site)
{
    struct engine_site *s = (struct engine_site *)site;
    loop_stop(s->loop);
    live_close(s->live, 0);
    if (*s->folder)
        nftw(s->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_done(&s->tmp);
    mem_free(s);
}

static void silent(void *ctx, enum live_level level, const char *message)
{
    (void)ctx, (void)level, (void)message;
}

/* "Comedy|Drama" of the catalog as a JSON array. */
static const char *categories(const struct items *items, uint32_t item, struct arena *tmp)
{
    uint32_t n;
    const uint32_t *label = labels_at(&items->categories, item, &n);
    struct emit e = {.compact = true};
    emit_open(&e, NULL, '[');
    for (uint32_t i = 0; i < n; i++)
        emit_string(&e, NULL, intern_text(&items->categories.names, label[i]));
    emit_close(&e, ']');
    const char *text = str_ok(&e.text) ? arena_text(tmp, e.text.text, e.text.len) : NULL;
    str_done(&e.text);
    return text;
}

static enum pal_status add_items(struct sim_site *site, const struct items *items,
                                 struct pal_error *err)
{
    struct engine_site *s = (struct engine_site *)site;
    struct record batch[BATCH];
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; i < items->ids.count && !st;) {
        size_t n = 0;
        arena_reset(&s->tmp);
        for (; n < BATCH && i < items->ids.count; n++, i++) {
            batch[n] = (struct record){
                .kind = RECORD_ITEM,
                .item = {.item_id = intern_text(&items->ids, i),
                         .title = texts_at(&items->titles, i),
                         .categories = categories(items, i, &s->tmp),
                         .available = true},
            };
            if (!batch[n].item.categories)
                return pal_no_memory(err);
        }
        st = live_write_wait(s->live, batch, n, err);
    }
    live_keep(s->live);
    return st;
}

/* The engine lives in the simulation's time, so that what it does hangs on the seed alone. */
static void tick(struct sim_site *site, double day)
{
    struct engine_site *s = (struct engine_site *)site;
    int64_t now_ms = BEGIN_MS + (int64_t)(day * DAY_MS);
    live_set_clock(s->live, now_ms);
    if (now_ms - s->kept_ms < KEEP_MS)
        return;
    live_keep(s->live);
    s->kept_ms = now_ms;
}

static enum pal_status recommend(struct sim_site *site, uint32_t user, size_t n, uint32_t *out,
                                 size_t *count, struct pal_error *err)
{
    struct engine_site *s = (struct engine_site *)site;
    struct live_answer answer;
    char id[24];
    snprintf(id, sizeof id, "u%u", user);
    struct live_request ask = {.user_id = id, .n = n, .explore = -1, .diversity = -1};
    arena_reset(&s->tmp);
    enum pal_status st = live_recommend(s->live, &ask, &s->tmp, &answer, err);
    *count = 0;
    for (size_t i = 0; i < answer.count && !st; i++) {
        const char *item = answer.items[i].row.item_id;
        out[(*count)++] = intern_find(&sim_world_items(s->w)->ids, item, strlen(item));
    }
    return st;
}

static enum pal_status interact(struct sim_site *site, uint32_t user, const uint32_t *item,
                                const enum opinion *opinion, size_t count, struct pal_error *err)
{
    struct engine_site *s = (struct engine_site *)site;
    char id[24];
    snprintf(id, sizeof id, "u%u", user);
    arena_reset(&s->tmp);
    struct record *records = arena_alloc(&s->tmp, count, sizeof *records);
    if (!records)
        return pal_no_memory(err);
    for (size_t i = 0; i < count; i++)
        records[i] = (struct record){
            .kind = RECORD_EVENT,
            .event = {.user_id = id,
                      .item_id = intern_text(&sim_world_items(s->w)->ids, item[i]),
                      .type = opinion[i] == LIKES ? "like" : "dislike",
                      .value = 1},
        };
    return count ? live_write_wait(s->live, records, count, err) : PAL_OK;
}

/* One run of the learning loop, waited for. */
static enum pal_status learn(struct sim_site *site, struct pal_error *err)
{
    struct engine_site *s = (struct engine_site *)site;
    struct loop_run run;
    uint64_t number;
    if (!s->trains)
        return PAL_OK;
    enum pal_status st = live_drain(s->live, DRAIN_MS, err);
    if (!st)
        st = loop_train(s->loop, &number, err);
    for (int waited = 0; !st && loop_state(s->loop) == LOOP_RUNNING; waited += WAIT_MS) {
        poll(NULL, 0, WAIT_MS);
        if (s->run->stop && *s->run->stop)
            return pal_fail(err, PAL_EINTERRUPTED, "interrupted");
        if (waited > TRAIN_MS)
            st = pal_fail(err, PAL_EIO, "training in the simulation took more than %d minutes",
                          TRAIN_MS / 60000);
    }
    live_keep(s->live);
    if (!st && loop_runs(s->loop, &run, 1) == 1 && run.outcome == LOOP_FAILED)
        st = pal_fail(err, PAL_EIO, "training in the simulation failed: %.400s", run.message);
    return st;
}

static const struct sim_site_ops ops = {add_items, recommend, interact, tick, learn, done};

static enum pal_status make_folder(struct engine_site *s, struct pal_error *err)
{
    const char *root = getenv("TMPDIR");
    root = root && *root ? root : "/tmp";
    if (strlen(root) + 64 > sizeof s->folder)
        return pal_fail(err, PAL_EUSAGE, "$TMPDIR is too long");
    snprintf(s->folder, sizeof s->folder, "%s/palate-simulate-XXXXXX", root);
    if (!mkdtemp(s->folder)) {
        *s->folder = 0;
        return pal_fail(err, PAL_EIO, "can't make a folder in %s: %s; set TMPDIR to another one",
                        root, strerror(errno));
    }
    snprintf(s->store, sizeof s->store, "sqlite:%s/palate.db", s->folder);
    snprintf(s->models, sizeof s->models, "%s/models", s->folder);
    return PAL_OK;
}

enum pal_status sim_engine_new(const struct sim_world *w, const char *name, const struct serving *o,
                               const struct run *run, bool trains, struct sim_site **out,
                               struct pal_error *err)
{
    struct engine_site *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->site = (struct sim_site){&ops, name};
    s->w = w;
    s->options = *o;
    s->trains = trains;
    s->run = run;
    arena_init(&s->tmp);
    enum pal_status st = make_folder(s, err);
    s->options.config.live.store = s->store;
    s->options.config.live.journal = NULL;
    s->options.config.live.models = s->models;
    s->options.config.journal.sync = false;
    s->options.config.live.served = false;
    s->options.config.seed = run->seed + 1; /* 0 would be one of chance */
    s->options.loop.every_hours = 0;
    s->options.loop.events = 0;
    s->options.loop.growth = 0; /* learning is called for */
    s->options.loop.nice = 0;   /* nothing else is waited for */
    if (!st)
        st = live_open(&s->options.config, silent, NULL, &s->live, err);
    if (!st && trains)
        st = loop_start(s->live, &s->options.loop, &s->options.config.live, NULL, silent, NULL,
                        &s->loop, err);
    if (st) {
        done(&s->site);
        return st;
    }
    *out = &s->site;
    return PAL_OK;
}
