/* A request's own state: above all a bit for every item that must not come. It begins as a copy of
 * the catalog's availability (catalog / 8 bytes); the seen, the excluded and whatever is in the
 * list already are added. A model is asked with the same as bytes by its own numbers, so that it
 * never names what may not be shown and no list comes back short. */
#include "engine/pipeline_inside.h"

#include <math.h>
#include <string.h>

enum {
    ONLY_SOURCE = 100, /* the quota of a source that is asked alone */
    SAMPLE = 128,      /* items that tell how much a filter leaves */
    AHEAD = 16,        /* items on whose way from memory others are looked at */
};
static const double SHARE_LEAST = 0.04;

static enum pal_status check(const struct pipeline_input *in, struct pal_error *err)
{
    if (in->n < 1 || in->n > PIPELINE_N_MOST)
        return pal_fail(err, PAL_EUSAGE, "n is %zu: from 1 to %d items can be asked for", in->n,
                        PIPELINE_N_MOST);
    return PAL_OK;
}

static void take_all(struct ask *a, const uint32_t *item, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (item[i] < a->items)
            take(a, item[i]);
}

/* Binds it, and asks it about a few evenly spread items. */
static enum pal_status open_filter(struct ask *a, struct pal_error *err)
{
    const struct pipeline_input *in = a->in;
    enum pal_status st = filter_bind(in->filter, in->catalog, a->tmp, err);
    uint32_t step = a->items / SAMPLE + 1, asked = 0, passed = 0;
    for (uint32_t i = step / 2; i < a->items && st == PAL_OK; i += step, asked++)
        passed += filter_match(in->filter, in->catalog, i);
    a->filtered = false;
    a->share = asked ? (passed - sqrt(passed)) / asked : 0; /* less its own standard error */
    if (st == PAL_OK && a->share < SHARE_LEAST)
        ask_filter(a);
    return st;
}

enum pal_status ask_open(struct ask *a, const struct pipeline_input *in, bool seen,
                         struct arena *tmp, struct pal_error *err)
{
    enum pal_status st = check(in, err);
    if (st != PAL_OK)
        return st;
    uint32_t items = catalog_count(in->catalog);
    size_t words = ((size_t)items + 63) / 64;
    *a = (struct ask){.in = in,
                      .tmp = tmp,
                      .items = items,
                      .n = in->n < items ? in->n : items,
                      .filtered = true,
                      .unseen = seen && !in->options->again};
    a->taken = arena_alloc(tmp, words, sizeof *a->taken);
    a->list = arena_alloc(tmp, a->n, sizeof *a->list);
    if (!a->taken || !a->list)
        return pal_no_memory(err);
    if (words)
        memcpy(a->taken, catalog_unavailable(in->catalog), words * sizeof *a->taken);
    if (a->unseen)
        take_all(a, in->seen, in->seen_count);
    take_all(a, in->exclude, in->exclude_count);
    for (size_t i = 0; i < in->history.n; i++)
        a->liked |= in->history.weight[i] > 0;
    if (in->filter)
        st = open_filter(a, err);
    return st;
}

/* Takes those of the items (n) that the filter leaves out. */
static void filter_some(struct ask *a, const uint32_t *item, size_t n)
{
    const struct catalog *c = a->in->catalog;
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            catalog_prefetch(c, item[i + AHEAD]);
        if (!filter_match(a->in->filter, c, item[i]))
            take(a, item[i]);
    }
}

void ask_filter(struct ask *a)
{
    size_t words = ((size_t)a->items + 63) / 64, n = 0;
    uint32_t item[512];
    for (size_t w = 0; w < words && !a->filtered; w++) {
        for (uint64_t open = ~a->taken[w]; open; open &= open - 1)
            item[n++] = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(open);
        if (n + 64 > sizeof item / sizeof *item || w + 1 == words) {
            filter_some(a, item, n);
            n = 0;
        }
    }
    a->filtered = true;
}

bool ask_allows(void *ask, uint32_t item)
{
    const struct ask *a = ask;
    return item < a->items && !is_taken(a, item) &&
           (a->filtered || filter_match(a->in->filter, a->in->catalog, item));
}

size_t ask_free(struct ask *a, size_t most)
{
    size_t words = ((size_t)a->items + 63) / 64, count = 0;
    for (size_t w = 0; w < words && count < most; w++) {
        if (a->filtered) {
            count += (size_t)__builtin_popcountll(~a->taken[w]);
            continue;
        }
        for (uint64_t open = ~a->taken[w]; open && count < most; open &= open - 1)
            count += filter_match(a->in->filter, a->in->catalog,
                                  (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(open));
    }
    return count < most ? count : most;
}

const struct source *ask_source(const struct ask *a, const char *name)
{
    for (size_t i = 0; i < a->in->source_count; i++)
        if (strcmp(a->in->sources[i].model->ops->name, name) == 0)
            return &a->in->sources[i];
    return NULL;
}

static uint32_t number_in(const void *source, uint32_t item)
{
    return source_number(source, item);
}

enum pal_status ask_history(const struct ask *a, const struct source *s, struct history *out,
                            bool *liked, struct pal_error *err)
{
    enum pal_status st = history_renumber(&a->in->history, number_in, s, a->tmp, out, err);
    *liked = false;
    for (size_t i = 0; st == PAL_OK && i < out->n; i++)
        *liked |= out->weight[i] > 0;
    return st;
}

static void skip_all(const struct ask *a, const struct source *s, const uint32_t *item, size_t n,
                     uint8_t *skip)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t number = item[i] < a->items ? source_number(s, item[i]) : INTERN_NONE;
        if (number != INTERN_NONE)
            skip[number] = 1;
    }
}

enum pal_status ask_skip(struct ask *a, const struct source *s, uint8_t **out,
                         struct pal_error *err)
{
    const struct pipeline_input *in = a->in;
    uint32_t n = model_items(s->model);
    uint8_t *skip = arena_alloc(a->tmp, n, 1);
    if (!skip)
        return pal_no_memory(err);
    if (s->skip && a->count == 0 && !(in->filter && a->filtered)) {
        memcpy(skip, s->skip, n);
        if (a->unseen)
            skip_all(a, s, in->seen, in->seen_count, skip);
        skip_all(a, s, in->exclude, in->exclude_count, skip);
        skip_all(a, s, a->rest, a->rests, skip);
    } else {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t item = source_item(s, i);
            skip[i] = item >= a->items || is_taken(a, item);
        }
    }
    *out = skip;
    return PAL_OK;
}

float ask_worth(const struct ask *a, uint32_t item)
{
    double alpha, beta;
    if (!a->in->bandit)
        return 0;
    bandit_posterior(a->in->bandit, item, a->in->now_ms, &alpha, &beta);
    return (float)(alpha / (alpha + beta));
}

enum pal_status ask_no_model(const struct ask *a, struct pal_error *err)
{
    struct str names = {0};
    for (size_t i = 0; i < a->in->source_count; i++)
        str_fmt(&names, "%s, ", a->in->sources[i].model->ops->name);
    enum pal_status st = pal_fail(err, PAL_ENOTFOUND,
                                  "there is no model '%.40s' here, only %sbandit, popular, "
                                  "trending and random",
                                  a->in->model, str_text(&names));
    str_done(&names);
    return st;
}

enum pal_status ask_sources(const struct ask *a, struct quota *out, size_t *count,
                            struct pal_error *err)
{
    const struct pipeline_input *in = a->in;
    if (!in->model)
        return a->liked ? quotas_parse(in->options->sources, "sources", out, count, err)
                        : quotas_parse(in->options->newcomers, "newcomers", out, count, err);
    const struct source *s = ask_source(a, in->model);
    struct quota q = {.kind = FROM_MODEL};
    if (!quota_named(in->model, strlen(in->model), &q) && s)
        q.name = s->model->ops->name;
    if (!s && q.kind == FROM_MODEL)
        return ask_no_model(a, err);
    q.most = ONLY_SOURCE;
    *out = q;
    *count = 1;
    return PAL_OK;
}
