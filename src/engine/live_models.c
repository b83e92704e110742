/* Models coming and going: loading versions, fitting content to the catalog, joining with items. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/emit.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/version.h"
#include "rank/rank.h"
#include "registry/registry.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLEARED                                                                                    \
    "models.cleared" /* note: versions up to this number are not loaded by themselves              \
                      */

enum {
    FIT_PAUSE = 4,     /* times as long as fitting took is it left alone */
    ADOPT_MOST = 5000, /* items written in one go */
};

/* ---- Swapping ---- */

struct finding {
    struct live *l;
    uint64_t epoch, changes;
    uint32_t mapped;
};

static struct finding find_now(struct live *l)
{
    live_read_lock(l);
    struct finding f = {l, l->epoch, l->changes, catalog_count(l->catalog)};
    live_unlock(l);
    return f;
}

/* A snapshot_find_fn: a few items at a time, so that nobody waits long behind a writer that waits
 * for this. */
static bool find_items(void *ctx, const struct intern *ids, uint32_t from, uint32_t to,
                       uint32_t *number, uint8_t *skip)
{
    struct finding *f = ctx;
    live_read_lock(f->l);
    const struct catalog *c = f->l->catalog;
    bool same = f->l->epoch == f->epoch;
    for (uint32_t i = from; same && i < to; i++) {
        number[i] = catalog_find(c, intern_text(ids, i));
        skip[i] = number[i] == INTERN_NONE || !catalog_available(c, number[i]);
    }
    live_unlock(f->l);
    return same;
}

/* Joins as of f and swaps in, unless everything was forgotten since. */
/* Whether histories must say how often and when each item was had. */
static void want_had(struct live *l, const struct snapshot *s)
{
    bool want = s->ranker.model && ranker_wants_had(s->ranker.model);
    for (size_t i = 0; i < s->count; i++)
        want |= (s->source[i].model->ops->can & MODEL_OWN) != 0;
    profiles_want_had(l->profiles, want);
    if (l->shared && l->shared->views)
        profiles_want_had(l->shared->views, want);
}

static enum pal_status swap_in(struct finding *f, struct model_set *base, struct model_set *content,
                               bool *swapped, struct pal_error *err)
{
    struct live *l = f->l;
    struct snapshot *fresh = NULL, *old = NULL;
    enum pal_status st = snapshot_new(base, content, f->mapped, find_items, f, &fresh, err);
    if (st != PAL_OK && st != PAL_EINTERRUPTED)
        return st;
    if (st == PAL_OK) {
        pthread_rwlock_wrlock(&l->world);
        if (l->epoch == f->epoch) {
            if (l->changes != f->changes) /* items came or went while it was being joined */
                snapshot_note_all(fresh, l->catalog);
            old = l->snapshot;
            l->snapshot = fresh;
            want_had(l, fresh);
        }
        live_unlock(l);
    }
    *swapped = old;
    if (old)
        l->joined = f->mapped;
    snapshot_free(old ? old : fresh);
    return PAL_OK;
}

/* With build held: makes a snapshot of the models and swaps it in; *swapped = false if everything
 * was forgotten meanwhile. The sets stay the caller's. */
static enum pal_status swap(struct live *l, struct model_set *base, struct model_set *content,
                            bool *swapped, struct pal_error *err)
{
    struct finding f = find_now(l);
    return swap_in(&f, base, content, swapped, err);
}

/* The sets that answer now, with a user more each; under build. */
static void sets_of(struct live *l, struct model_set **base, struct model_set **content)
{
    live_read_lock(l);
    *base = l->snapshot->base;
    *content = l->snapshot->content;
    if (*base)
        (*base)->users++;
    if (*content)
        (*content)->users++;
    live_unlock(l);
}

void live_join_again(struct live *l)
{
    struct model_set *base, *content;
    struct pal_error err;
    bool swapped;
    pthread_mutex_lock(&l->build);
    live_read_lock(l);
    bool needed = l->snapshot->unmapped && catalog_count(l->catalog) > l->joined;
    live_unlock(l);
    if (needed) {
        sets_of(l, &base, &content);
        if (swap(l, base, content, &swapped, &err) != PAL_OK)
            live_say(l, LIVE_WARNING, "models don't know the newest items yet: %s", err.message);
        model_set_drop(base);
        model_set_drop(content);
    }
    pthread_mutex_unlock(&l->build);
}

/* ---- Content ---- */

static const struct model *content_of(const struct model_set *s)
{
    for (size_t i = 0; s && i < s->count; i++)
        if (strcmp(s->model[i]->ops->name, "content") == 0)
            return s->model[i];
    return NULL;
}

/* Whether the trained model knows every item that may be recommended. */
static bool knows_all(const struct model *m, const struct items *items, struct live *l)
{
    bool all = true;
    for (uint32_t i = 0; all && i < items->ids.count; i++) {
        if (intern_find(&m->ids, intern_text(&items->ids, i), intern_len(&items->ids, i)) !=
            INTERN_NONE)
            continue;
        live_read_lock(l);
        all = i >= catalog_count(l->catalog) || !catalog_available(l->catalog, i);
        live_unlock(l);
    }
    return all;
}

/* Fits on items alone; *out = NULL if they have nothing in common. */
static enum pal_status fit(const struct items *items, const void *options, struct model **out,
                           struct pal_error *err)
{
    uint64_t start[2] = {0};
    const struct interactions log = {.items = items->ids.count, .start = start};
    const struct weights weights = {0};
    const struct event_types types = {0};
    const struct training t = {.items = items,
                               .log = &log,
                               .types = &types,
                               .weights = &weights,
                               .by_user = {.cols = items->ids.count, .start = start}};
    const struct model_ops *ops = model_find("content");
    *out = NULL;
    enum pal_status st = model_fit(ops, options, &t, 0, NULL, out, err);
    return st == PAL_EUNSUPPORTED ? PAL_OK : st;
}

/* With build held. A content model of the version stays until items come or change after it was
 * loaded, or if it knows them all; then one fitted here takes its place, with its options. */
static enum pal_status refit(struct live *l, struct model_set *base, struct pal_error *err)
{
    struct items items = {0};
    struct model *m = NULL;
    struct model_set *content = NULL;
    const struct model *trained = content_of(base);
    bool swapped, enough = false;
    live_read_lock(l);
    struct finding f = {l, l->epoch, l->changes, catalog_count(l->catalog)};
    enum pal_status st = catalog_copy(l->catalog, &items, err);
    live_unlock(l);
    if (st == PAL_OK && trained && l->fitted == 0)
        enough = knows_all(trained, &items, l);
    if (st == PAL_OK && items.ids.count > 0 && !enough)
        st = fit(&items, trained ? trained->options : NULL, &m, err);
    items_done(&items);
    if (st != PAL_OK || !m)
        return st;
    st = model_set_of(m, live_now_ms(l), &content, err);
    if (st != PAL_OK) {
        model_free(m);
        return st;
    }
    st = swap_in(&f, base, content, &swapped, err);
    model_set_drop(content);
    return st;
}

void live_fit_content(struct live *l)
{
    struct model_set *base, *content;
    struct pal_error err;
    uint64_t put = atomic_load(&l->items_put);
    pthread_mutex_lock(&l->build);
    int64_t began = clock_steady_ms();
    if (put != l->fitted && (began >= l->fit_after_ms || l->config.seed)) {
        sets_of(l, &base, &content);
        if (refit(l, base, &err) != PAL_OK)
            live_say(l, LIVE_WARNING, "the newest items are not compared by content yet: %s",
                     err.message);
        l->fitted = put;
        int64_t now = clock_steady_ms();
        l->fit_after_ms = now + FIT_PAUSE * (now - began);
        model_set_drop(base);
        model_set_drop(content);
    }
    pthread_mutex_unlock(&l->build);
}

/* ---- Versions ---- */

/* An earlier version may be live, or the newest have been held back: what was trained last is the
 * newest there is, and at least as new as this one. */
void live_note_training(struct live *l, int64_t at_least_ms)
{
    struct registry_version *all = NULL;
    struct version_names newest;
    struct pal_error err;
    size_t count = 0;
    int64_t trained_ms = at_least_ms;
    if (registry_list(l->config.live.models, &all, &count, &err) == PAL_OK && count &&
        version_models(all[count - 1].path, &newest, &err) == PAL_OK &&
        newest.created_s * 1000 > trained_ms)
        trained_ms = newest.created_s * 1000;
    mem_free(all);
    atomic_store(&l->trained_ms, trained_ms);
}

/* Loads the version and swaps it in. */
static enum pal_status load(struct live *l, const struct registry_version *v, struct pal_error *err)
{
    struct model_set *fresh = NULL, *base = NULL, *content = NULL;
    bool swapped = false;
    enum pal_status st = model_set_load(v->path, v->number, live_now_ms(l), &fresh, err);
    if (st != PAL_OK)
        return st;
    if (fresh->unattached.status)
        live_say(l, LIVE_WARNING, "version %" PRIu32 " answers without its ranker: %s", v->number,
                 fresh->unattached.message);
    pthread_mutex_lock(&l->build);
    sets_of(l, &base, &content);
    while (st == PAL_OK && !swapped) /* again if everything was forgotten while joining */
        st = swap(l, fresh, content_of(fresh) ? NULL : content, &swapped, err);
    if (st == PAL_OK) {
        live_note_training(l, fresh->created_ms);
        if (!base || base->version != fresh->version)
            atomic_store(&l->events_new, 0);
        if (content_of(fresh))
            l->fitted = 0; /* whether that one knows all is looked at soon */
        if (content_of(fresh) && atomic_load(&l->items_put) == 0)
            atomic_store(&l->items_put, 1);
    }
    model_set_drop(fresh);
    model_set_drop(base);
    model_set_drop(content);
    pthread_mutex_unlock(&l->build);
    return st;
}

static void put_cleared(struct live *l, uint32_t number)
{
    char text[16];
    struct pal_error err;
    snprintf(text, sizeof text, "%" PRIu32, number);
    if (store_put_note(l->store, CLEARED, text, &err) != PAL_OK)
        live_say(l, LIVE_WARNING, "which models were cleared is not kept: %s", err.message);
}

/* The number in the note; *ever: there is one, so that this store was cleared some time. */
static uint32_t cleared(struct live *l, bool *ever)
{
    char *text = NULL;
    uint64_t number = 0;
    struct pal_error ignored;
    *ever = store_note(l->store, CLEARED, &text, &ignored) == PAL_OK;
    if (*ever)
        number = strtoull(text, NULL, 10);
    mem_free(text);
    return (uint32_t)number;
}

void live_forget_models(struct live *l)
{
    struct registry_version *all = NULL;
    size_t count = 0;
    struct pal_error err;
    if (registry_list(l->config.live.models, &all, &count, &err) == PAL_OK && count)
        put_cleared(l, all[count - 1].number);
    mem_free(all);
}

/* For who does not answer: a version is there that learned from what there was. */
static void note_only(struct live *l)
{
    live_note_training(l, 0);
    atomic_store(&l->events_new, 0);
}

enum pal_status live_reload(struct live *l, uint32_t *version, struct pal_error *err)
{
    struct registry_version v = {0};
    struct pal_error why;
    enum pal_status st = registry_current(l->config.live.models, &v, &why);
    if (st == PAL_OK && live_does(l, ROLE_RECS))
        st = load(l, &v, &why);
    else if (st == PAL_OK)
        note_only(l);
    else if (st == PAL_ENOTFOUND)
        st = PAL_OK;
    if (st != PAL_OK) {
        if (err)
            *err = why;
        return st;
    }
    bool ever;
    if (v.number && v.number <= cleared(l, &ever))
        put_cleared(l, 0); /* somebody wants it */
    if (version)
        *version = v.number;
    return PAL_OK;
}

enum pal_status live_activate(struct live *l, uint32_t number, struct pal_error *err)
{
    struct registry_version v;
    struct model_set *tried = NULL;
    enum pal_status st = registry_find(l->config.live.models, number, &v, err);
    if (st == PAL_OK) /* a damaged one does not become the live one */
        st = model_set_load(v.path, v.number, live_now_ms(l), &tried, err);
    model_set_drop(tried);
    if (st == PAL_OK)
        st = registry_activate(l->config.live.models, number, err);
    return st == PAL_OK ? live_reload(l, NULL, err) : st;
}

/* ---- The first start ---- */

/* Labels as a JSON array of texts. */
static void put_labels(struct str *out, const struct labels *labels, uint32_t item)
{
    uint32_t n;
    const uint32_t *label = labels_at(labels, item, &n);
    str_char(out, '[');
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            str_char(out, ',');
        emit_quoted(out, intern_text(&labels->names, label[i]));
    }
    str_char(out, ']');
}

/* Writes items [from, to) as if somebody had put them, but for those that nobody could have. */
static enum pal_status adopt_some(struct live *l, const struct items *items, uint32_t from,
                                  uint32_t to, uint32_t *left_out, struct pal_error *why,
                                  struct pal_error *err)
{
    struct arena tmp;
    arena_init(&tmp);
    struct str labels = {0};
    struct record *r = arena_zero(&tmp, to - from, sizeof *r);
    size_t n = 0;
    enum pal_status st = r ? PAL_OK : pal_no_memory(err);
    for (uint32_t i = from; i < to && st == PAL_OK; i++) {
        str_clear(&labels);
        put_labels(&labels, &items->categories, i);
        const char *categories = arena_text(&tmp, str_text(&labels), labels.len);
        if (!categories || !str_ok(&labels))
            st = pal_no_memory(err);
        r[n] = (struct record){.kind = RECORD_ITEM,
                               .item = {.item_id = intern_text(&items->ids, i),
                                        .title = texts_at(&items->titles, i),
                                        .categories = categories,
                                        .attributes = texts_at(&items->attributes, i),
                                        .available = true}};
        enum pal_status fit = st == PAL_OK ? record_check(&r[n], 0, why) : st;
        if (fit == PAL_OK)
            n++;
        else if (fit == PAL_EUSAGE)
            ++*left_out;
        else
            st = fit == st ? st : pal_no_memory(err);
    }
    if (st == PAL_OK)
        st = live_write_wait(l, r, n, err);
    str_done(&labels);
    arena_done(&tmp);
    return st;
}

/* A store without anything beside models that were trained elsewhere: their catalog is what there
 * is to recommend. */
static enum pal_status adopt(struct live *l, const char *dir, struct pal_error *err)
{
    char path[PATH_MAX];
    struct items items = {0};
    struct pal_error why = {0};
    uint32_t left_out = 0;
    enum pal_status st = file_join(path, sizeof path, dir, "catalog.palate", err);
    if (st == PAL_OK)
        st = catalog_read(path, &items, err);
    for (uint32_t i = 0; st == PAL_OK && i < items.ids.count; i += ADOPT_MOST)
        st = adopt_some(l, &items, i,
                        items.ids.count - i > ADOPT_MOST ? i + ADOPT_MOST : items.ids.count,
                        &left_out, &why, err);
    if (st == PAL_OK)
        live_say(l, LIVE_INFO, "the store was empty: it has the %" PRIu32 " items of %s now",
                 items.ids.count - left_out, dir);
    if (st == PAL_OK && left_out)
        live_say(l, LIVE_WARNING, "%" PRIu32 " of its items are left out, one of them because: %s",
                 left_out, why.message);
    items_done(&items);
    return st;
}

/* What can be loaded instead of the one that is `bad`: the last that this machine knew as the live
 * one, or the newest. */
static void load_another(struct live *l, uint32_t bad, struct registry_version *out)
{
    struct registry_version *all = NULL, v;
    const char *root = l->config.live.models;
    size_t count = 0;
    struct pal_error err;
    if (registry_last(root, &v, &err) == PAL_OK && v.number != bad && load(l, &v, &err) == PAL_OK)
        *out = v;
    if (out->number || registry_list(root, &all, &count, &err) != PAL_OK)
        return;
    while (count-- > 0 && !out->number)
        if (all[count].number != bad &&
            registry_find(root, all[count].number, &v, &err) == PAL_OK &&
            load(l, &v, &err) == PAL_OK)
            *out = v;
    mem_free(all);
}

void live_first_models(struct live *l)
{
    struct registry_version v = {0}, other = {0};
    struct pal_error err;
    bool ever;
    uint32_t not_these = cleared(l, &ever);
    enum pal_status st = registry_current(l->config.live.models, &v, &err);
    if (st == PAL_ENOTFOUND)
        return;
    if (st == PAL_OK && v.number <= not_these) {
        live_say(l, LIVE_INFO,
                 "version %" PRIu32 " is not loaded: it is from before everything was cleared",
                 v.number);
        return;
    }
    if (st == PAL_OK && catalog_count(l->catalog) == 0 && !ever && live_does(l, ROLE_COLLECTOR) &&
        adopt(l, v.path, &err) != PAL_OK)
        live_say(l, LIVE_WARNING, "the models' items could not be taken over: %s", err.message);
    if (st == PAL_OK)
        st = load(l, &v, &err);
    if (st == PAL_OK)
        return;
    load_another(l, v.number, &other);
    if (other.number)
        live_say(l, LIVE_ERROR, "version %" PRIu32 " answers instead of the live one: %s",
                 other.number, err.message);
    else
        live_say(l, LIVE_ERROR, "no models are loaded: %s", err.message);
}
