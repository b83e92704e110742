/* Answers. A request holds `world` for reading from the moment its profile is read until its answer
 * is copied: catalog, numbers and models are of one moment, and nothing it reads can be freed.
 *
 * What it scribbles on, some bytes for each item, lies in one of the engine's arenas: were it the
 * caller's, each of a thousand idle connections would keep so much, or return it to the system and
 * ask for it again with each request. */
#include "engine/live_inside.h"

#include <stdio.h>
#include <string.h>

enum { TRIES = 64 };

/* A request on its way. */
struct asking {
    struct live *l;
    const struct live_request *q;
    struct arena *keep; /* where the answer lies */
    struct arena tmp;   /* all else, until the answer is copied */
    int64_t now_ms;
    struct rng rng;
    struct profiles *profiles; /* where the user's is */
    struct pipeline_input in;
};

/* ---- Profiles from the store ---- */

static enum pal_status load_events(void *ctx, const char *user_id, size_t most, store_event_fn *fn,
                                   void *fn_ctx, struct pal_error *err)
{
    struct live *l = ctx;
    enum pal_status st = store_user_events(l->store, user_id, 0, most, fn, fn_ctx, err);
    bool away = st != PAL_OK && st != PAL_ENOMEM;
    if (atomic_exchange(&l->store_away, away) != away)
        live_say(l, away ? LIVE_WARNING : LIVE_INFO, "%s%s",
                 away ? "profiles can't be read from the store; answers go by what is in memory: "
                      : "profiles can be read from the store again",
                 away && err ? err->message : "");
    return st;
}

static enum pal_status load_lists(void *ctx, const char *user_id, profile_list_fn *fn, void *fn_ctx,
                                  struct pal_error *err)
{
    return served_lists(ctx, user_id, fn, fn_ctx, err);
}

static void hold(void *ctx)
{
    live_read_lock(ctx);
}

static void release(void *ctx)
{
    live_unlock(ctx);
}

static uint32_t item_number(void *ctx, const char *item_id)
{
    struct live *l = ctx;
    return catalog_find(l->catalog, item_id);
}

static void event_worth(void *ctx, const struct event *e, struct profile_event *out)
{
    struct live *l = ctx;
    int type = kinds_find(&l->kinds, e->type);
    out->weight = type >= 0 ? kinds_weight(&l->kinds, (uint8_t)type, e->value)
                            : weights_of(&l->kinds.rules, e->type, e->value);
    out->marks = type >= 0 ? l->kinds.marks[type] : kinds_listed(l->kinds.seen, e->type);
}

/* Takes `world` and reads the user's profile, loading it first if need be. The lock is held only on
 * PAL_OK. */
static enum pal_status lock_profile(struct asking *a, struct profile_view *view,
                                    struct pal_error *err)
{
    struct live *l = a->l;
    bool shared = false;
    const struct profile_source source = {.ctx = l,
                                          .load = load_events,
                                          .lists = l->config.live.served ? load_lists : NULL,
                                          .hold = hold,
                                          .release = release,
                                          .item = item_number,
                                          .worth = event_worth};
    if (l->shared) {
        enum pal_status st =
            shared_profile(l, a->q->user_id, a->now_ms, &source, &a->tmp, view, &shared, err);
        a->profiles = l->shared->views;
        if (st != PAL_OK || shared)
            return st;
    }
    a->profiles = l->profiles;
    for (int i = 0; i < TRIES; i++) {
        bool ready;
        live_read_lock(l);
        enum pal_status st =
            profiles_read(l->profiles, a->q->user_id, a->now_ms, &a->tmp, view, &ready, err);
        if (st == PAL_OK && ready)
            return PAL_OK;
        live_unlock(l);
        if (st == PAL_OK)
            st = profiles_load(l->profiles, a->q->user_id, a->now_ms, &source, err);
        if (st != PAL_OK)
            return st;
    }
    return pal_fail(err, PAL_EFULL,
                    "profiles are evicted faster than they are read: raise live.profile_bytes");
}

/* ---- Preparing ---- */

static enum pal_status check_request(const struct live_request *q, bool lists,
                                     struct pal_error *err)
{
    if (lists && (q->n < 1 || q->n > PIPELINE_N_MOST))
        return pal_fail(err, PAL_EUSAGE, "n is %zu: ask for 1 to %d items", q->n, PIPELINE_N_MOST);
    if (q->user_id && (!*q->user_id || strlen(q->user_id) > RECORD_ID_MOST))
        return pal_fail(err, PAL_EUSAGE, "a user_id has 1 to %d bytes", RECORD_ID_MOST);
    return PAL_OK;
}

/* The history that came with the request; under world. */
static enum pal_status read_past(struct asking *a, struct profile_view *view, struct pal_error *err)
{
    const struct live_request *q = a->q;
    size_t n = 0, seen = 0;
    uint32_t *item = arena_alloc(&a->tmp, q->past_count, sizeof *item);
    uint32_t *folded = arena_alloc(&a->tmp, q->past_count, sizeof *folded);
    uint32_t *marked = arena_alloc(&a->tmp, q->past_count, sizeof *marked);
    float *worth = arena_alloc(&a->tmp, q->past_count, sizeof *worth);
    float *weight = arena_alloc(&a->tmp, q->past_count, sizeof *weight);
    if (!item || !folded || !marked || !worth || !weight)
        return pal_no_memory(err);
    for (size_t i = 0; i < q->past_count; i++) {
        const struct live_past *p = &q->past[i];
        const struct event e = {.type = p->type ? p->type : "like", .value = p->value};
        struct profile_event as;
        item[n] = catalog_find(a->l->catalog, p->item_id);
        if (item[n] == INTERN_NONE)
            continue;
        event_worth(a->l, &e, &as);
        if (as.marks)
            marked[seen++] = item[n];
        worth[n++] = as.weight;
    }
    *view = (struct profile_view){
        .history = {.item = folded, .weight = weight}, .seen = marked, .seen_count = seen};
    return history_fold(item, worth, n, &a->tmp, folded, weight, &view->history.n, err);
}

static enum pal_status find_excluded(struct asking *a, struct pal_error *err)
{
    const struct live_request *q = a->q;
    if (!q->exclude_count)
        return PAL_OK;
    uint32_t *exclude = arena_alloc(&a->tmp, q->exclude_count, sizeof *exclude);
    size_t n = 0;
    if (!exclude)
        return pal_no_memory(err);
    for (size_t i = 0; i < q->exclude_count; i++) {
        exclude[n] = catalog_find(a->l->catalog, q->exclude[i]);
        n += exclude[n] != INTERN_NONE;
    }
    a->in.exclude = exclude;
    a->in.exclude_count = n;
    return PAL_OK;
}

/* Reads who asks and what else the request says; takes `world`, and holds it only on PAL_OK. */
static enum pal_status read_request(struct asking *a, bool personal, struct profile_view *view,
                                    struct pal_error *err)
{
    const struct live_request *q = a->q;
    enum pal_status st = PAL_OK;
    if (q->filter && *q->filter)
        st = filter_parse(q->filter, &a->tmp, &a->in.filter, err);
    if (st == PAL_OK && personal && q->user_id)
        st = lock_profile(a, view, err);
    else if (st == PAL_OK)
        live_read_lock(a->l);
    if (st != PAL_OK)
        return st;
    if (personal && !q->user_id)
        st = read_past(a, view, err);
    if (st == PAL_OK)
        st = find_excluded(a, err);
    if (st != PAL_OK)
        live_unlock(a->l);
    return st;
}

/* Takes `world` and fills a->in; on PAL_OK, finish it. personal false: nobody asks, only the list's
 * own properties count. */
static enum pal_status begin(struct asking *a, struct live *l, const struct live_request *q,
                             struct arena *keep, bool personal, struct pal_error *err)
{
    struct profile_view view = {0};
    *a = (struct asking){.l = l, .q = q, .keep = keep, .now_ms = live_now_ms(l)};
    a->tmp = arenas_take(&l->scratch);
    rng_init(&a->rng, l->seed, atomic_fetch_add_explicit(&l->requests, 1, memory_order_relaxed));
    enum pal_status st = read_request(a, personal, &view, err);
    if (st != PAL_OK) {
        arenas_give(&l->scratch, &a->tmp);
        return st;
    }
    struct pipeline_input *in = &a->in;
    in->options = &l->config.engine;
    in->catalog = l->catalog;
    in->bandit = l->bandit;
    in->sources = l->snapshot->source;
    in->source_count = l->snapshot->count;
    in->ranker = l->snapshot->ranker.model ? &l->snapshot->ranker : NULL;
    in->history = view.history;
    in->history.now_s = (uint32_t)(a->now_ms / 1000);
    in->seen = view.seen;
    in->seen_count = view.seen_count;
    in->ignored = view.ignored;
    in->ignored_times = view.ignored_times;
    in->ignored_count = view.ignored_count;
    in->n = q->n;
    in->model = q->model;
    in->explore = q->explore;
    in->diversity = q->diversity;
    in->explain = q->explain;
    in->now_ms = a->now_ms;
    in->rng = &a->rng;
    return PAL_OK;
}

static void finish(struct asking *a)
{
    live_unlock(a->l);
    arenas_give(&a->l->scratch, &a->tmp);
}

/* ---- Copying what was found ---- */

static enum pal_status copy_text(struct arena *tmp, const char **text, struct pal_error *err)
{
    if (!*text || !**text) {
        *text = NULL;
        return PAL_OK;
    }
    *text = arena_text(tmp, *text, strlen(*text));
    return *text ? PAL_OK : pal_no_memory(err);
}

enum pal_status live_copy_item(const struct catalog *c, uint32_t number, bool details,
                               struct arena *tmp, struct item_row *out, struct pal_error *err)
{
    struct item_row row;
    if (!catalog_item(c, number, &row)) /* one that was removed, in a history */
        row = (struct item_row){.item_id = intern_text(catalog_ids(c), number)};
    if (!details)
        row = (struct item_row){.item_id = row.item_id, .title = row.title};
    enum pal_status st = copy_text(tmp, &row.item_id, err);
    if (st == PAL_OK)
        st = copy_text(tmp, &row.title, err);
    if (st == PAL_OK)
        st = copy_text(tmp, &row.categories, err);
    if (st == PAL_OK)
        st = copy_text(tmp, &row.attributes, err);
    if (st == PAL_OK)
        st = copy_text(tmp, &row.image_url, err);
    *out = row;
    return st;
}

static enum pal_status copy_item(struct asking *a, const struct pipeline_item *from,
                                 struct live_item *to, struct pal_error *err)
{
    *to = (struct live_item){.score = from->score,
                             .source = from->source,
                             .explored = from->explored,
                             .propensity = from->propensity,
                             .reason_count = from->reason_count};
    enum pal_status st =
        live_copy_item(a->l->catalog, from->item, a->q->details, a->keep, &to->row, err);
    for (size_t i = 0; i < from->reason_count && st == PAL_OK; i++) {
        struct item_row row;
        st = live_copy_item(a->l->catalog, from->reason[i].item, false, a->keep, &row, err);
        to->reason[i] = (struct live_reason){row.item_id, row.title, from->reason[i].part};
    }
    return st;
}

/* The source's place in l->sources, its own from now on; LIVE_SOURCES if all are taken. */
static size_t place_of(struct live *l, const char *source)
{
    size_t i = 0;
    for (; i < LIVE_SOURCES; i++) {
        const char *name = atomic_load_explicit(&l->sources[i].name, memory_order_relaxed);
        if (!name && atomic_compare_exchange_strong(&l->sources[i].name, &name, source))
            name = source;
        if (name == source || strcmp(name, source) == 0)
            break;
    }
    return i;
}

/* How many items each source gave, for status. */
static void count_source(struct live *l, const char *source)
{
    size_t i = place_of(l, source);
    if (i < LIVE_SOURCES)
        atomic_fetch_add_explicit(&l->sources[i].items, 1, memory_order_relaxed);
}

/* What comes of these items is to count for those who put them there. */
static void note_credit(struct live *l, const char *user_id, const struct pipeline_item *items,
                        size_t count)
{
    uint32_t item[PIPELINE_N_MOST];
    uint8_t from[PIPELINE_N_MOST];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t source = place_of(l, items[i].source);
        item[n] = items[i].item;
        from[n] = (uint8_t)source;
        n += source < LIVE_SOURCES;
    }
    credit_note(l->credit, user_id, item, from, n);
}

static bool is_personal(const char *source)
{
    static const char *const others[] = {"bandit", "popular", "trending", "random", "catalog"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(source, others[i]) == 0)
            return false;
    return true;
}

/* Copies count items, of which room for `room` is made, into *out. */
static enum pal_status copy_answer(struct asking *a, const struct pipeline_item *items,
                                   size_t count, size_t room, struct live_answer *out,
                                   struct pal_error *err)
{
    struct live *l = a->l;
    struct live_answer answer = {.count = count};
    enum pal_status st = PAL_OK;
    answer.items = arena_alloc(a->keep, room, sizeof *answer.items);
    if (!answer.items)
        return pal_no_memory(err);
    if (a->in.filter)
        answer.hint = filter_hint(a->in.filter, l->catalog, a->keep);
    answer.model_version = l->snapshot->base ? l->snapshot->base->version : 0;
    for (size_t i = 0; i < count; i++)
        catalog_prefetch_texts(l->catalog, items[i].item);
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        st = copy_item(a, &items[i], &answer.items[i], err);
        count_source(l, items[i].source);
        answer.personal = answer.personal || (a->in.history.n > 0 && is_personal(items[i].source));
    }
    if (st == PAL_OK)
        *out = answer;
    return st;
}

/* ---- The calls ---- */

/* 48 bits of time, so that they sort, and 45 of chance, as letters and digits. */
static void make_id(struct asking *a, char out[24])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t chance = rng_next(&a->rng), time = (uint64_t)a->now_ms;
    for (int i = 9; i >= 0; i--, time >>= 5)
        out[i] = digits[time & 31];
    for (int i = 10; i < 19; i++, chance >>= 5)
        out[i] = digits[chance & 31];
    out[19] = 0;
}

enum pal_status live_recommend(struct live *l, const struct live_request *q, struct arena *keep,
                               struct live_answer *out, struct pal_error *err)
{
    struct asking a;
    size_t count = 0;
    enum pal_status st = check_request(q, true, err);
    if (st == PAL_OK)
        st = begin(&a, l, q, keep, true, err);
    if (st != PAL_OK)
        return st;
    struct pipeline_item *items = arena_alloc(&a.tmp, q->n, sizeof *items);
    uint32_t *numbers = arena_alloc(&a.tmp, q->n, sizeof *numbers);
    st = items && numbers ? pipeline_run(&a.in, &a.tmp, items, &count, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = copy_answer(&a, items, count, count, out, err);
    if (st == PAL_OK && q->user_id && count) {
        for (size_t i = 0; i < count; i++)
            numbers[i] = items[i].item;
        make_id(&a, out->recommendation_id);
        served_compare(l, a.profiles, q->user_id, out->recommendation_id, numbers, count, a.now_ms);
        note_credit(l, q->user_id, items, count);
        served_note(l, q->user_id, out, a.now_ms, &a.tmp);
    }
    finish(&a);
    return st;
}

/* Known ids as numbers, in their order; returns how many. */
static size_t find_ids(const struct asking *a, const char *const *ids, size_t count, uint32_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        out[n] = catalog_find(a->l->catalog, ids[i]);
        n += out[n] != INTERN_NONE;
    }
    return n;
}

/* Puts the unknown ones behind the known. */
static enum pal_status add_unknown(const struct asking *a, const char *const *ids, size_t count,
                                   struct live_answer *out, struct pal_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (catalog_find(a->l->catalog, ids[i]) != INTERN_NONE)
            continue;
        struct live_item *item = &out->items[out->count++];
        *item = (struct live_item){
            .row = {.item_id = arena_text(a->keep, ids[i], strlen(ids[i]))},
            .source = "unknown",
            .propensity = 1,
        };
        if (!item->row.item_id)
            return pal_no_memory(err);
    }
    return PAL_OK;
}

enum pal_status live_rank(struct live *l, const struct live_request *q, const char *const *ids,
                          size_t count, struct arena *keep, struct live_answer *out,
                          struct pal_error *err)
{
    struct asking a;
    struct live_answer answer = {0};
    enum pal_status st = check_request(q, false, err);
    if (st == PAL_OK)
        st = begin(&a, l, q, keep, true, err);
    if (st != PAL_OK)
        return st;
    a.in.n = count;
    uint32_t *numbers = arena_alloc(&a.tmp, count, sizeof *numbers);
    struct pipeline_item *items = arena_alloc(&a.tmp, count, sizeof *items);
    size_t known = numbers ? find_ids(&a, ids, count, numbers) : 0;
    st = numbers && items ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK && known)
        st = pipeline_rank(&a.in, numbers, known, &a.tmp, items, err);
    if (st == PAL_OK)
        st = copy_answer(&a, items, known, count, &answer, err);
    if (st == PAL_OK)
        st = add_unknown(&a, ids, count, &answer, err);
    finish(&a);
    if (st == PAL_OK)
        *out = answer;
    return st;
}

enum pal_status live_similar(struct live *l, const char *item_id, const struct live_request *q,
                             struct arena *keep, struct live_answer *out, struct pal_error *err)
{
    struct asking a;
    struct item_row row;
    size_t count = 0;
    enum pal_status st = check_request(q, true, err);
    if (st == PAL_OK)
        st = begin(&a, l, q, keep, false, err);
    if (st != PAL_OK)
        return st;
    struct pipeline_item *items = arena_alloc(&a.tmp, q->n, sizeof *items);
    uint32_t number = catalog_find(l->catalog, item_id);
    if (!items)
        st = pal_no_memory(err);
    else if (number == INTERN_NONE || !catalog_item(l->catalog, number, &row))
        st = pal_fail(err, PAL_ENOTFOUND, "there is no item '%s'", item_id);
    else
        st = pipeline_similar(&a.in, number, &a.tmp, items, &count, err);
    if (st == PAL_ENOTFOUND && items && number != INTERN_NONE && !q->model &&
        catalog_item(l->catalog, number, &row))
        st = PAL_OK; /* it is there, only nothing is known of what it is like */
    if (st == PAL_OK)
        st = copy_answer(&a, items, count, count, out, err);
    finish(&a);
    return st;
}

enum pal_status live_top(struct live *l, bool trending, const struct live_request *q,
                         struct arena *keep, struct live_answer *out, struct pal_error *err)
{
    struct asking a;
    size_t count = 0;
    enum pal_status st = check_request(q, true, err);
    if (st == PAL_OK)
        st = begin(&a, l, q, keep, false, err);
    if (st != PAL_OK)
        return st;
    struct pipeline_item *items = arena_alloc(&a.tmp, q->n, sizeof *items);
    st = items ? pipeline_top(&a.in, trending, &a.tmp, items, &count, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = copy_answer(&a, items, count, count, out, err);
    finish(&a);
    return st;
}
