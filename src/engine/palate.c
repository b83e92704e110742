/* See palate.h: the handle, its settings, and the models in it. */
#include "base/clock.h"
#include "engine/handle.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/load.h"
#include "registry/registry.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *pal_version(void)
{
    return PALATE_VERSION;
}

/* Whether the data came with events of this type or rules that name it. */
static bool type_is_taken(const struct dataset *d, const struct weights *rules, const char *type)
{
    for (size_t i = 0; i < d->types.count; i++)
        if (strcmp(d->types.name[i], type) == 0)
            return true;
    for (size_t i = 0; i < rules->count; i++)
        if (strcmp(rules->rules[i].type, type) == 0)
            return true;
    return false;
}

/* The rules that suit the data's format, and palate's own for types that may yet be added. */
static enum pal_status suitable_rules(const struct dataset *d, struct str *out,
                                      struct pal_error *err)
{
    struct weights rules;
    enum pal_status st = weights_parse(d->weights, &rules, err);
    if (st != PAL_OK)
        return st;
    str_put(out, d->weights);
    for (const char *p = weights_default; *p;) {
        size_t len = strcspn(p, ","), name = strcspn(p, ":>");
        char type[EVENT_NAME];
        snprintf(type, sizeof type, "%.*s", (int)name, p);
        if (!type_is_taken(d, &rules, type)) {
            str_char(out, ',');
            str_add(out, p, len);
        }
        p += len;
        p += *p == ',';
    }
    return str_ok(out) ? PAL_OK : pal_no_memory(err);
}

enum pal_status pal_set_weights(struct palate *p, const char *rules, struct pal_error *err)
{
    struct str text = {0};
    struct weights weights;
    enum pal_status st = PAL_OK;
    if (rules)
        str_put(&text, rules);
    else
        st = suitable_rules(p->d, &text, err);
    if (st == PAL_OK && !str_ok(&text))
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = weights_parse(str_text(&text), &weights, err);
    if (st != PAL_OK) {
        str_done(&text);
        return st;
    }
    mem_free(p->rules);
    p->rules = text.text;
    p->weights = weights;
    return PAL_OK;
}

static uint32_t latest(const struct interactions *x)
{
    uint32_t most = 0;
    for (uint64_t i = 0, n = x->time_s ? interactions_count(x) : 0; i < n; i++)
        most = x->time_s[i] > most ? x->time_s[i] : most;
    return most;
}

static enum pal_status load_data(struct palate *p, const char *path, struct pal_error *err)
{
    if (path)
        return dataset_load(path, NULL, NULL, &p->d, err);
    p->d = dataset_new();
    if (!p->d)
        return pal_no_memory(err);
    snprintf(p->d->name, sizeof p->d->name, "memory");
    return PAL_OK;
}

enum pal_status pal_open(const char *path, struct palate **out, struct pal_error *err)
{
    struct palate *p = mem_zero(1, sizeof *p);
    if (!p)
        return pal_no_memory(err);
    p->seed = 1;
    enum pal_status st = load_data(p, path, err);
    if (st == PAL_OK) {
        p->latest_s = latest(&p->d->all);
        st = pal_set_weights(p, NULL, err);
    }
    if (st == PAL_OK)
        st = recommender_over(&p->d->items, NULL, 0, &p->r, err);
    if (st != PAL_OK) {
        pal_close(p);
        return st;
    }
    *out = p;
    return PAL_OK;
}

void pal_close(struct palate *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < VERSION_MODELS; i++)
        card_done(&p->card[i]);
    recommender_free(p->r);
    dataset_free(p->d);
    pool_free(p->pool);
    mem_free(p->added);
    mem_free(p->last);
    mem_free(p->rules);
    mem_free(p);
}

enum pal_status pal_set_threads(struct palate *p, unsigned threads, struct pal_error *err)
{
    struct pool *pool = NULL;
    if (threads != 1) {
        enum pal_status st = pool_new(threads, &pool, err);
        if (st != PAL_OK)
            return st;
    }
    pool_free(p->pool);
    p->pool = pool;
    return PAL_OK;
}

void pal_set_seed(struct palate *p, uint64_t seed)
{
    p->seed = seed;
}

void pal_set_progress(struct palate *p, pal_progress_fn fn, void *ctx)
{
    p->progress = fn;
    p->progress_ctx = ctx;
}

void pal_stop(struct palate *p)
{
    p->stop = 1;
}

void pal_count(const struct palate *p, uint64_t *users, uint64_t *items, uint64_t *events)
{
    if (users)
        *users = p->d->users.ids.count;
    if (items)
        *items = p->d->items.ids.count;
    if (events)
        *events = interactions_count(&p->d->all) + p->added_count;
}

static void report(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct palate *p = ctx;
    if (p->progress && p->progress(p->progress_ctx, stage, done, total))
        p->stop = 1;
}

static struct run run_of(struct palate *p)
{
    return (struct run){
        .pool = p->pool, .seed = p->seed, .progress = report, .progress_ctx = p, .stop = &p->stop};
}

enum pal_status options_read(const struct model_ops *ops, const char *text, void *options,
                             struct pal_error *err)
{
    opt_defaults(&ops->options, options);
    for (const char *p = text ? text : ""; *p;) {
        char pair[128];
        size_t len = strcspn(p, ",");
        const char *equals = memchr(p, '=', len);
        if (!equals || len >= sizeof pair)
            return pal_fail(err, PAL_EUSAGE,
                            "'%.*s' is no option: write name=value, with commas between several",
                            (int)(len < 80 ? len : 80), p);
        memcpy(pair, p, len);
        pair[len] = 0;
        pair[equals - p] = 0;
        enum pal_status st = model_set(ops, options, pair, pair + (equals - p) + 1, err);
        if (st != PAL_OK)
            return st;
        p += len;
        p += *p == ',';
    }
    return PAL_OK;
}

/* Fits one model and writes down how. */
static enum pal_status fit(const struct palate *p, const struct model_ops *ops, const void *options,
                           const struct training *t, const struct run *run, struct model **model,
                           struct card *card, struct pal_error *err)
{
    struct model *m = NULL;
    int64_t began_ns = clock_steady_ns();
    enum pal_status st = model_fit(ops, options, t, 0, run, &m, err);
    if (st != PAL_OK)
        return st;
    double seconds = 1e-9 * (double)(clock_steady_ns() - began_ns);
    struct model_card what = {
        .data = p->d->name,
        .fingerprint = dataset_fingerprint(p->d),
        .weights = p->rules,
        .seed = p->seed,
        .train_seconds = seconds,
        .interactions = interactions_count(&p->d->all),
        .created_s = (int64_t)time(NULL),
    };
    st = card_make(&what, card, err);
    if (st != PAL_OK) {
        model_free(m);
        return st;
    }
    *model = m;
    return PAL_OK;
}

static size_t place_of(const struct palate *p, const char *name)
{
    size_t i = 0, n = recommender_models(p->r);
    while (i < n && strcmp(recommender_model(p->r, i)->ops->name, name) != 0)
        i++;
    return i;
}

/* Fits the model and what is popular, and takes both over. */
static enum pal_status train(struct palate *p, const struct model_ops *ops, const void *options,
                             const struct training *t, struct pal_error *err)
{
    const struct model_ops *popular = model_find("popular");
    struct run run = run_of(p);
    struct model *model[2] = {NULL, NULL};
    struct card card[2] = {{.data = NULL}, {.data = NULL}};
    size_t n = popular && popular != ops ? 2 : 1;
    enum pal_status st = fit(p, ops, options, t, &run, &model[0], &card[0], err);
    if (st == PAL_OK && n == 2)
        st = fit(p, popular, NULL, t, &run, &model[1], &card[1], err);
    if (st == PAL_OK)
        st = recommender_put(p->r, model, n, err);
    for (size_t i = 0; i < n; i++) {
        if (st == PAL_OK) {
            struct card *place = &p->card[place_of(p, model[i]->ops->name)];
            card_done(place);
            *place = card[i];
        } else {
            model_free(model[i]);
            card_done(&card[i]);
        }
    }
    return st;
}

enum pal_status pal_train(struct palate *p, const char *model, const char *options,
                          struct pal_error *err)
{
    const struct model_ops *ops;
    struct training t;
    if (!model)
        return pal_fail(err, PAL_EUSAGE, "no model is named: try als");
    enum pal_status st = model_named(model, &ops, err);
    if (st != PAL_OK)
        return st;
    void *set = mem_zero(1, ops->options_size);
    if (!set)
        return pal_no_memory(err);
    p->stop = 0;
    st = options_read(ops, options, set, err);
    if (st == PAL_OK && p->added_count == 0 && interactions_count(&p->d->all) == 0)
        st = pal_fail(err, PAL_EUSAGE, "there are no events to train %s on: add some first",
                      ops->name);
    if (st == PAL_OK)
        st = collect_events(p, err);
    if (st == PAL_OK) {
        struct run run = run_of(p);
        st = training_make(p->d, &p->d->all, &p->weights, &run, &t, err);
    }
    if (st == PAL_OK) {
        st = train(p, ops, set, &t, err);
        training_done(&t);
    }
    mem_free(set);
    return st;
}

enum pal_status pal_use(struct palate *p, const char *model, struct pal_error *err)
{
    struct str names = {0};
    size_t n = recommender_models(p->r);
    if (!model || strcmp(model, "blend") == 0 || place_of(p, model) < n) {
        snprintf(p->use, sizeof p->use, "%s", model ? model : "");
        return PAL_OK;
    }
    for (size_t i = 0; i < n; i++)
        str_fmt(&names, "%s, ", recommender_model(p->r, i)->ops->name);
    enum pal_status st = pal_fail(err, PAL_ENOTFOUND, "there is no model '%s' here, only %sblend",
                                  model, str_text(&names));
    str_done(&names);
    return st;
}

enum pal_status pal_save_model(struct palate *p, const char *path, struct pal_error *err)
{
    struct registry_version version = {0};
    struct version_part part[VERSION_MODELS];
    size_t n = recommender_models(p->r);
    if (n == 0)
        return pal_fail(err, PAL_EUSAGE, "there is no model to save: train one first");
    for (size_t i = 0; i < n; i++)
        part[i] = (struct version_part){recommender_own(p->r, i), p->card[i].card};
    enum pal_status st = registry_begin(path, &version, err);
    if (st == PAL_OK)
        st = version_write(version.path, &p->d->items, part, n, err);
    if (st == PAL_OK)
        st = registry_publish(path, &version, 1, err);
    if (st != PAL_OK)
        registry_abandon(path, &version);
    return st;
}

/* The folder of the version to load: path itself, or the live one of the registry there. */
static enum pal_status find_version(const char *path, struct registry_version *out,
                                    struct pal_error *err)
{
    char manifest[PATH_MAX];
    enum pal_status st = file_join(manifest, sizeof manifest, path, "manifest.json", err);
    if (st != PAL_OK)
        return st;
    if (!file_exists(manifest))
        return registry_current(path, out, err);
    snprintf(out->path, sizeof out->path, "%s", path);
    return PAL_OK;
}

/* Reads the cards of r's models. */
static enum pal_status read_cards(const struct recommender *r, struct card *card,
                                  struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < recommender_models(r) && st == PAL_OK; i++)
        st = card_read(recommender_model(r, i), &card[i], err);
    return st;
}

enum pal_status pal_load_model(struct palate *p, const char *path, struct pal_error *err)
{
    struct registry_version version;
    struct recommender *r = NULL;
    struct items all = {0};
    struct card card[VERSION_MODELS] = {{.data = NULL}};
    enum pal_status st = find_version(path, &version, err);
    if (st == PAL_OK)
        st = recommender_open(version.path, NULL, &r, err);
    if (st == PAL_OK)
        st = collect_catalog(p, recommender_items(r), &all, err);
    if (st == PAL_OK)
        st = read_cards(r, card, err);
    if (st == PAL_OK)
        st = recommender_rebase(r, &all, &p->d->items, err);
    if (st != PAL_OK) {
        for (size_t i = 0; i < VERSION_MODELS; i++)
            card_done(&card[i]);
        items_done(&all);
        recommender_free(r);
        return st;
    }
    recommender_free(p->r);
    items_done(&p->d->items);
    p->r = r;
    p->d->items = all;
    for (size_t i = 0; i < VERSION_MODELS; i++)
        card_done(&p->card[i]);
    memcpy(p->card, card, sizeof card);
    p->use[0] = 0;
    return PAL_OK;
}
