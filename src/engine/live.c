/* See live.h and live_inside.h. Opening, closing, status. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/mem.h"
#include "base/scheme.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { REPLAY_AT_ONCE = 1024, SCRATCH_MOST = 64 << 20 /* bytes of one answer */ };

static const int64_t CLOCK_BEGIN_MS = 1735689600000; /* 2025-01-01 */

/* "interaction" is what data sets that name no types come in as. */
static const char usual_types[] = "like,dislike,purchase,rating,interaction";

#define FIELD(name) offsetof(struct live_options, name)
static const struct opt rows[] = {
    {"journal", OPT_TEXT, FIELD(journal), NULL, 0, 0, OPT_LINEAR, "FOLDER",
     "where what was accepted is kept until the store has it (default: beside the store)"},
    {"weights", OPT_TEXT, FIELD(weights), NULL, 0, 0, OPT_LINEAR, "RULES",
     "what an event is worth (default: like:1,dislike:-1,view:0.1,…)"},
    {"seen", OPT_TEXT, FIELD(seen), usual_types, 0, 0, OPT_LINEAR, "TYPES",
     "event types after which an item is not recommended again; * = all"},
    {"rewards", OPT_TEXT, FIELD(rewards), usual_types, 0, 0, OPT_LINEAR, "TYPES",
     "event types that the bandit learns from; * = all"},
    {"new_types", OPT_INT, FIELD(new_types), "16", 0, 32, OPT_LINEAR, NULL,
     "event types named in none of these that may come up by themselves; 0 = unknown ones are "
     "refused"},
    {"profile_bytes", OPT_INT, FIELD(profile_bytes), "268435456", 1 << 16, 1e13, OPT_LOG2, NULL,
     "memory for users' profiles"},
    {"store_cache_bytes", OPT_INT, FIELD(store_cache_bytes), "67108864", 1 << 16, 1e13, OPT_LOG2,
     NULL, "memory for pages of the store"},
    {"profile_events", OPT_INT, FIELD(profile_events), "500", 1, 1e6, OPT_LOG2, NULL,
     "a user's latest events that count"},
    {"profile_seen", OPT_INT, FIELD(profile_seen), "5000", 0, 1e6, OPT_LOG2, NULL,
     "items that a user is remembered to have seen"},
    {"profile_ignored", OPT_INT, FIELD(profile_ignored), "256", SERVED_MOST, 1e5, OPT_LOG2, NULL,
     "items that a user is remembered to have been shown and left"},
    {"credit", OPT_INT, FIELD(credit), "1048576", 1, 1e9, OPT_LOG2, NULL,
     "recommended items of which is remembered, in 8 bytes each, which source put them there, "
     "until "
     "something comes of them"},
    {"drain_most", OPT_INT, FIELD(drain_most), "10000", 1, 1e6, OPT_LOG2, NULL,
     "records that the store takes in one transaction"},
    {"follow_ms", OPT_INT, FIELD(follow_ms), "1000", 10, 1e6, OPT_LOG2, NULL,
     "how often is looked what other processes put into the store"},
    {"models_poll_ms", OPT_INT, FIELD(models_poll_ms), "2000", 0, 1e7, OPT_LINEAR, NULL,
     "beside other processes: how often is looked whether they have published models; 0 = never"},
    {"served", OPT_BOOL, FIELD(served), "true", 0, 0, OPT_LINEAR, NULL,
     "keep the lists that were served to users"},
    {"served_days", OPT_INT, FIELD(served_days), "30", 0, 36500, OPT_LINEAR, NULL,
     "days that served lists are kept; 0 = for ever"},
};
#undef FIELD
const struct opt_table live_option_table = {rows, sizeof rows / sizeof *rows};

void live_say(struct live *l, enum live_level level, const char *fmt, ...)
{
    char message[1024];
    va_list args;
    if (!l->log)
        return;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    l->log(l->log_ctx, level, message);
}

int64_t live_now_ms(const struct live *l)
{
    return l->config.seed ? l->clock_ms : clock_wall_ms();
}

void live_set_clock(struct live *l, int64_t now_ms)
{
    l->clock_ms = now_ms;
}

/* ---- Opening ---- */

static void init_locks(struct live *l)
{
    pthread_rwlockattr_t fair;
    pthread_rwlockattr_init(&fair);
    /* or a stream of requests would keep the journal's writer out for ever */
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&l->world, &fair);
    pthread_rwlockattr_destroy(&fair);
    pthread_mutex_init(&l->apply, NULL);
    pthread_mutex_init(&l->consume.lock, NULL);
    clock_cond_init(&l->consume.wake);
    pthread_mutex_init(&l->follow.lock, NULL);
    clock_cond_init(&l->follow.wake);
    pthread_mutex_init(&l->watch.lock, NULL);
    clock_cond_init(&l->watch.wake);
    pthread_mutex_init(&l->build, NULL);
    pthread_mutex_init(&l->ignored.lock, NULL);
    pthread_mutex_init(&l->drain.lock, NULL);
    clock_cond_init(&l->drain.work);
    clock_cond_init(&l->drain.moved);
    pthread_mutex_init(&l->keeper.lock, NULL);
    clock_cond_init(&l->keeper.wake);
    pthread_mutex_init(&l->served.lock, NULL);
    pthread_mutex_init(&l->served.order, NULL);
    pthread_mutex_init(&l->totals.lock, NULL);
    pthread_mutex_init(&l->writes_lock, NULL);
    clock_cond_init(&l->writes_done);
    arenas_init(&l->scratch, SCRATCH_MOST);
}

static void free_locks(struct live *l)
{
    pthread_rwlock_destroy(&l->world);
    pthread_mutex_destroy(&l->apply);
    pthread_mutex_destroy(&l->consume.lock);
    pthread_cond_destroy(&l->consume.wake);
    pthread_mutex_destroy(&l->follow.lock);
    pthread_cond_destroy(&l->follow.wake);
    pthread_mutex_destroy(&l->watch.lock);
    pthread_cond_destroy(&l->watch.wake);
    pthread_mutex_destroy(&l->build);
    pthread_mutex_destroy(&l->ignored.lock);
    pthread_mutex_destroy(&l->drain.lock);
    pthread_cond_destroy(&l->drain.work);
    pthread_cond_destroy(&l->drain.moved);
    pthread_mutex_destroy(&l->keeper.lock);
    pthread_cond_destroy(&l->keeper.wake);
    pthread_mutex_destroy(&l->served.lock);
    pthread_mutex_destroy(&l->served.order);
    live_totals_done(&l->totals);
    pthread_mutex_destroy(&l->writes_lock);
    pthread_cond_destroy(&l->writes_done);
    arenas_done(&l->scratch);
}

bool live_alone(const struct live *l)
{
    return live_does(l, ROLE_RECS) && live_does(l, ROLE_COLLECTOR) && !l->config.live.stream &&
           !store_shared(l->store);
}

/* A collector that feeds a stream leaves the store to others. */
static bool needs_store(const struct live *l)
{
    return !l->config.live.stream || live_does(l, ROLE_RECS | ROLE_PIPELINE);
}

/* Whether this process writes to the store: what comes in, or what comes through the stream. */
static bool writes_store(const struct live *l)
{
    return live_does(l, l->config.live.stream ? ROLE_PIPELINE : ROLE_RECS | ROLE_COLLECTOR);
}

/* What stands alone: no files yet. */
static enum pal_status make_parts(struct live *l, struct pal_error *err)
{
    const struct live_options *o = &l->config.live;
    enum pal_status st = pipeline_check(&l->config.engine, err);
    if (st == PAL_OK)
        st = catalog_new(&l->catalog, err);
    if (st == PAL_OK)
        st = snapshot_new(NULL, NULL, 0, NULL, NULL, &l->snapshot, err);
    if (st == PAL_OK)
        st = bandit_new(&l->config.bandit, &l->bandit, err);
    if (st == PAL_OK)
        st = recent_new(&l->recent, err);
    if (st == PAL_OK)
        st = credit_new((size_t)o->credit, &l->credit, err);
    if (st == PAL_OK && ((needs_store(l) && !o->store) || !o->models))
        st = pal_fail(err, PAL_EUSAGE, "say where the store and the models are");
    return st;
}

/* A store_item_fn. */
static enum pal_status take_item(void *ctx, const struct item_row *row, struct pal_error *err)
{
    struct live *l = ctx;
    uint32_t number;
    enum pal_status st = catalog_put(l->catalog, row, &number, err);
    if (st == PAL_OK)
        title_keys_set(&l->titles, number, row->title);
    return st;
}

/* A store_item_fn. Without this, an event of a deleted item or a model that knows it would bring it
 * back. */
static enum pal_status take_deleted(void *ctx, const struct item_row *row, struct pal_error *err)
{
    struct live *l = ctx;
    uint32_t number;
    enum pal_status st = catalog_touch(l->catalog, row->item_id, &number, err);
    if (st == PAL_OK)
        catalog_remove(l->catalog, row->item_id);
    return st;
}

/* Where the journal is, and its name where somebody else has to know it. */
static enum pal_status find_journal(struct live *l, struct pal_error *err)
{
    const char *path = l->store ? store_path(l->store) : NULL;
    bool named =
        l->config.live.stream || l->config.live.state || (l->store && store_shared(l->store));
    if (!live_does(l, ROLE_RECS | ROLE_COLLECTOR))
        return PAL_OK;
    l->dated = l->store && store_shared(l->store) && !l->config.live.stream;
    if (l->config.live.journal)
        str_put(&l->journal_dir, l->config.live.journal);
    else
        str_fmt(&l->journal_dir, "%s-journal.d", path ? path : "palate");
    if (!str_ok(&l->journal_dir))
        return pal_no_memory(err);
    return named ? journal_identity(str_text(&l->journal_dir), l->name, err) : PAL_OK;
}

/* Up to where the journal's records have left it. */
static enum pal_status find_position(struct live *l, uint64_t *position, struct pal_error *err)
{
    uint64_t published = 0;
    bool there = false;
    enum pal_status st = PAL_OK;
    *position = 0;
    if (l->journal_dir.len)
        st = publish_read(str_text(&l->journal_dir), &published, &there, err);
    if (st == PAL_OK && l->store && l->name[0])
        st = store_source(l->store, l->name, err);
    if (st == PAL_OK && l->store)
        st = store_position(l->store, position, err);
    if (there && published > *position) /* there was a stream, or there is one by now */
        *position = published;
    return st;
}

/* Of SQLite there is one writer, also where events lie elsewhere: "clickhouse://…?catalog=…". */
static bool is_sqlite(const char *url)
{
    return scheme_is(url, "sqlite") || strstr(url, "catalog=sqlite:");
}

/* A server may be there in a moment; of a file nothing else is to be expected. */
static bool may_come(const struct live *l, const struct pal_error *why)
{
    return strstr(l->config.live.store, "://") && l->config.again &&
           l->config.again(l->config.again_ctx, why);
}

static enum pal_status open_store(struct live *l, struct pal_error *err)
{
    bool read_only = !writes_store(l) && is_sqlite(l->config.live.store);
    enum pal_status st;
    do
        st = store_open(l->config.live.store, read_only, &l->store, err);
    while (st == PAL_EIO && may_come(l, err));
    return st == PAL_OK ? store_cache(l->store, l->config.live.store_cache_bytes, err) : st;
}

/* A broker that is away now is waited for in the background. */
static enum pal_status open_stream(struct live *l, uint64_t position, struct pal_error *err)
{
    struct pal_error away = {.message = ""};
    unsigned uses = (live_does(l, ROLE_RECS | ROLE_COLLECTOR) ? BUS_PUBLISH : 0) |
                    (live_does(l, ROLE_PIPELINE) ? BUS_RECEIVE : 0);
    if (!l->config.live.stream)
        return PAL_OK;
    enum pal_status st = bus_open(l->config.live.stream, uses, &l->bus, &away, err);
    if (st == PAL_OK && away.message[0])
        live_say(l, LIVE_WARNING, "the stream is not there yet: %s", away.message);
    if (st != PAL_OK || !(uses & BUS_PUBLISH))
        return st;
    l->drain.streams = true;
    return publish_open(&l->drain.publish, l->bus, str_text(&l->journal_dir), l->name, position,
                        err);
}

static enum pal_status make_profiles(struct live *l, uint64_t position, struct pal_error *err)
{
    const struct profile_limits limits = {
        l->config.live.profile_bytes,  l->config.live.profile_events,
        l->config.live.profile_seen,   live_ignoring(l),
        l->config.live.stream != NULL,
    };
    return profiles_new(&limits, position, &l->profiles, err);
}

/* What there is to recommend, and the types of events. */
static enum pal_status read_store(struct live *l, struct pal_error *err)
{
    struct event_types types;
    uint8_t number;
    enum pal_status st = store_items(l->store, take_item, l, err);
    if (st == PAL_OK)
        st = store_deleted_items(l->store, take_deleted, l, err);
    if (st == PAL_OK)
        st = store_types(l->store, &types, err);
    for (size_t i = 0; st == PAL_OK && i < types.count; i++)
        if (kinds_add(&l->kinds, types.name[i], &number, err) != PAL_OK)
            live_say(l, LIVE_WARNING, "events of the store count by the rule for others only: %s",
                     err->message);
    while (kinds_news(&l->kinds)) {
    } /* what the store has is not new */
    return st;
}

static enum pal_status open_journal(struct live *l, uint64_t position,
                                    struct journal_recovery *found, struct pal_error *err)
{
    enum pal_status st = journal_open(str_text(&l->journal_dir), &l->config.journal, position + 1,
                                      found, &l->journal, err);
    if (st == PAL_OK && found->cut_bytes)
        live_say(l, LIVE_WARNING,
                 "the last %" PRIu64 " bytes of %s were not written whole, so nobody was told that "
                 "they are safe: they are cut off",
                 found->cut_bytes, found->cut_file);
    return st;
}

static void replay_one(struct live *l, const struct journal_entry *e)
{
    struct record r;
    struct pal_error err;
    uint8_t type = 0;
    enum pal_status st = record_decode(e->kind, e->data, e->size, &r, &err);
    if (st == PAL_OK && r.kind == RECORD_EVENT)
        st = kinds_add(&l->kinds, r.event.type, &type, &err);
    if (st == PAL_OK)
        live_apply(l, &r, &type, 1, e->seq);
    else
        live_say(l, LIVE_ERROR, "record %" PRIu64 " of the journal is not shown: %s", e->seq,
                 err.message);
}

/* Shows to memory what the journal has and the store has not. */
static enum pal_status replay(struct live *l, uint64_t position, struct pal_error *err)
{
    struct journal_reader *reader = NULL;
    struct journal_entry *entries = mem_alloc(REPLAY_AT_ONCE, sizeof *entries);
    enum pal_status st = entries ? PAL_OK : pal_no_memory(err);
    size_t count = 1;
    if (st == PAL_OK)
        st = journal_reader_new(l->journal, position + 1, &reader, err);
    while (st == PAL_OK && count) {
        st = journal_read(reader, entries, REPLAY_AT_ONCE, 0, &count, err);
        for (size_t i = 0; st == PAL_OK && i < count; i++)
            replay_one(l, &entries[i]);
    }
    journal_reader_free(reader);
    mem_free(entries);
    return st;
}

/* Whether others fill the store, too. */
static bool follows(const struct live *l)
{
    return live_does(l, ROLE_RECS) && !live_alone(l);
}

/* What is in memory of the store and the journal. */
static enum pal_status recover(struct live *l, uint64_t position, struct pal_error *err)
{
    struct journal_recovery found;
    struct journal_status journal;
    enum pal_status st = PAL_OK;
    if (follows(l)) /* before the store is read: what comes into it from here on is followed */
        st = store_mark(l->store, &l->follow.mark, err);
    if (st == PAL_OK && live_does(l, ROLE_RECS))
        st = read_store(l, err);
    if (st == PAL_OK && !live_does(l, ROLE_RECS | ROLE_COLLECTOR))
        return shared_open(l, err);
    if (st == PAL_OK)
        st = shared_open(l, err);
    if (st == PAL_OK) /* before what is drained is deleted */
        st = shared_counts_catch_up(l, position, err);
    if (st == PAL_OK)
        st = open_journal(l, position, &found, err);
    if (st == PAL_OK)
        st = replay(l, position, err);
    if (st != PAL_OK)
        return st;
    journal_status(l->journal, &journal);
    atomic_store(&l->drain.committed, journal.committed);
    if (l->dated && journal.committed > position)
        l->drain.replayed = journal.committed;
    return PAL_OK;
}

static enum pal_status open_all(struct live *l, uint64_t *position, struct pal_error *err)
{
    enum pal_status st = make_parts(l, err);
    if (st == PAL_OK && needs_store(l))
        st = open_store(l, err);
    if (st == PAL_OK)
        st = find_journal(l, err);
    if (st == PAL_OK)
        st = find_position(l, position, err);
    if (st == PAL_OK)
        st = open_stream(l, *position, err);
    if (st == PAL_OK)
        st = make_profiles(l, *position, err);
    l->follow.began = *position;
    return st == PAL_OK ? recover(l, *position, err) : st;
}

/* The threads, once there is something to work on. */
static enum pal_status start_all(struct live *l, uint64_t position, struct pal_error *err)
{
    bool beside = l->config.live.stream || !live_alone(l);
    enum pal_status st = shared_start(l, position, err);
    if (st == PAL_OK && live_does(l, ROLE_RECS | ROLE_PIPELINE))
        st = live_count(l, err); /* before the drain: what the store has now is not counted yet */
    if (st == PAL_OK && l->journal)
        st = drain_start(l, position, err);
    if (st == PAL_OK && l->bus && live_does(l, ROLE_PIPELINE))
        st = consume_start(l, err);
    if (st == PAL_OK && follows(l))
        st = follow_start(l, err);
    if (st == PAL_OK && beside && live_does(l, ROLE_RECS | ROLE_PIPELINE))
        st = watch_start(l, err);
    if (st == PAL_OK && live_does(l, ROLE_RECS) && !l->config.seed)
        st = keeper_start(l, err);
    return st;
}

static enum pal_status start(struct live *l, struct pal_error *err)
{
    uint64_t position = 0;
    enum pal_status st = open_all(l, &position, err);
    if (st != PAL_OK)
        return st;
    if (catalog_count(l->catalog) > 0)
        atomic_fetch_add(&l->items_put, 1);
    watch_begin(l);
    if (live_does(l, ROLE_RECS))
        live_first_models(l);
    else if (live_does(l, ROLE_PIPELINE))
        live_note_training(l, 0);
    return start_all(l, position, err);
}

enum pal_status live_open(const struct live_config *config, live_log_fn *log, void *log_ctx,
                          struct live **out, struct pal_error *err)
{
    struct live *l = mem_zero(1, sizeof *l);
    if (!l)
        return pal_no_memory(err);
    l->config = *config;
    l->roles = config->roles ? config->roles : ROLE_ALL;
    l->log = log;
    l->log_ctx = log_ctx;
    l->clock_ms = CLOCK_BEGIN_MS;
    l->seed = config->seed ? config->seed : (uint64_t)live_now_ms(l);
    enum pal_status st = kinds_init(&l->kinds, config->live.weights, config->live.seen,
                                    config->live.rewards, (unsigned)config->live.new_types, err);
    if (st != PAL_OK) {
        mem_free(l);
        return st;
    }
    init_locks(l);
    st = start(l, err);
    if (st != PAL_OK) {
        live_close(l, 0);
        return st;
    }
    *out = l;
    return PAL_OK;
}

/* ---- Closing ---- */

/* Lets the store have what it takes within wait_ms. */
static void finish(struct live *l, unsigned wait_ms)
{
    struct pal_error err;
    int64_t until = clock_steady_ms() + wait_ms;
    served_flush(l, false);
    if (live_alone(l))
        ignored_save(l);
    if (!live_settle(l, wait_ms))
        live_say(l, LIVE_WARNING, "the journal has not answered every write yet");
    int64_t left = until - clock_steady_ms();
    left = left < 0 ? 0 : left > wait_ms ? wait_ms : left;
    if (l->drain.running && drain_wait(&l->drain, atomic_load(&l->drain.committed), true,
                                       (unsigned)left, &err) != PAL_OK)
        live_say(l, LIVE_WARNING, "%s; the rest is in the journal, for the next start",
                 err.message);
}

void live_close(struct live *l, unsigned wait_ms)
{
    if (!l)
        return;
    atomic_store(&l->stop, true);
    if (l->counting)
        pthread_join(l->counter, NULL);
    watch_stop(l);
    keeper_stop(l);
    follow_stop(l);
    shared_stop(l);
    if (l->journal)
        finish(l, wait_ms);
    drain_stop(l);
    consume_stop(l);
    bus_close(l->bus);
    journal_close(l->journal);
    shared_close(l);
    store_close(l->store);
    profiles_free(l->profiles);
    snapshot_free(l->snapshot);
    catalog_free(l->catalog);
    title_keys_done(&l->titles);
    bandit_free(l->bandit);
    mem_free(l->ignored.item);
    recent_free(l->recent);
    credit_free(l->credit);
    served_done(&l->served);
    live_writes_done(l);
    kinds_done(&l->kinds);
    str_done(&l->journal_dir);
    free_locks(l);
    mem_free(l);
}
