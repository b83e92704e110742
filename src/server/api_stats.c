/* What the data look like. */
#include "base/clock.h"
#include "server/api_inside.h"

#include "base/mem.h"
#include "report/report.h"

#include <string.h>

enum {
    CATEGORIES = 24, /* shown, the largest ones */
    DRAIN_MS = 1000, /* how long the newest events are waited for */
    QUICK_MS = 50,   /* what takes no longer is counted anew for each answer */
    RESTS = 20,      /* times what counting took, until it is done again */
};
static const double LIKED = 0.5; /* the least weight of an event that says so */
static const char NOTE[] = "stats.figures";

static void emit_counts(struct emit *e, const char *key, const uint64_t *count, size_t n)
{
    emit_open(e, key, '[');
    for (size_t i = 0; i < n; i++)
        emit_uint(e, NULL, count[i]);
    emit_close(e, ']');
}

static void emit_bounds(struct emit *e, const char *key, const uint32_t *bound, size_t n)
{
    emit_open(e, key, '[');
    for (size_t i = 0; i < n; i++)
        emit_uint(e, NULL, bound[i]);
    emit_close(e, ']');
}

/* Interactions of the items of some ranks from the first to the last. */
static void emit_popularity(struct emit *e, const struct shape *shape, const struct stats *s)
{
    emit_open(e, "popularity", '{');
    emit_bounds(e, "ranks", shape->rank, shape->ranks);
    emit_counts(e, "counts", shape->rank_count, shape->ranks);
    emit_open(e, "lorenz", '[');
    for (size_t i = 0; i < SHAPE_SHARES; i++)
        emit_number(e, NULL, shape->lorenz[i]);
    emit_close(e, ']');
    emit_number(e, "long_tail_share", s->long_tail_share);
    emit_number(e, "gini", s->gini);
    emit_close(e, '}');
}

/* How many users have 1, 2–3, 4–7… interactions. */
static void emit_activity(struct emit *e, const struct shape *shape)
{
    emit_open(e, "activity", '{');
    emit_open(e, "edges", '[');
    for (size_t i = 0; i < shape->buckets; i++)
        emit_uint(e, NULL, 1ull << i);
    emit_close(e, ']');
    emit_counts(e, "counts", shape->activity, shape->buckets);
    emit_close(e, '}');
}

/* Of how many items and users little is known, and how many users said what they like. */
static void emit_cold(struct emit *e, const struct shape *shape)
{
    emit_open(e, "cold", '{');
    emit_bounds(e, "edges", shape_few, SHAPE_FEW);
    emit_counts(e, "items", shape->items_few, SHAPE_FEW);
    emit_counts(e, "users", shape->users_few, SHAPE_FEW);
    emit_close(e, '}');
    emit_open(e, "liking", '{');
    emit_bounds(e, "at_least", shape_likes, SHAPE_LIKES);
    emit_counts(e, "users", shape->users_liking, SHAPE_LIKES);
    emit_close(e, '}');
}

/* Events by day, week, month… */
static void emit_times(struct emit *e, const struct shape *shape)
{
    emit_open(e, "times", '{');
    emit_string(e, "step", shape_step_name(shape->step));
    emit_open(e, "from", '[');
    for (size_t i = 0; i < shape->periods; i++)
        emit_int(e, NULL, (int64_t)shape->period_s[i] * 1000);
    emit_close(e, ']');
    emit_counts(e, "counts", shape->period_count, shape->periods);
    emit_close(e, '}');
}

/* The numbers of the largest categories, largest first; returns how many. */
static size_t largest_categories(const struct stats *s, uint32_t names, uint32_t *out)
{
    size_t n = 0;
    for (uint32_t c = 0; c < names; c++) {
        size_t at = n < CATEGORIES ? n++ : CATEGORIES;
        for (; at > 0 && s->category_items[c] > s->category_items[out[at - 1]]; at--)
            if (at < CATEGORIES)
                out[at] = out[at - 1];
        if (at < CATEGORIES)
            out[at] = c;
    }
    return n;
}

static uint64_t items_with_both(const struct stats *s, uint32_t a, uint32_t b)
{
    if (a == b)
        return s->category_items[a];
    for (size_t i = 0; i < s->pair_count; i++)
        if ((s->pairs[i].a == a && s->pairs[i].b == b) ||
            (s->pairs[i].a == b && s->pairs[i].b == a))
            return s->pairs[i].items;
    return 0;
}

static void emit_categories(struct emit *e, const struct dataset *d, const struct stats *s)
{
    const struct intern *names = &d->items.categories.names;
    uint32_t top[CATEGORIES + 1];
    size_t n = largest_categories(s, names->count, top);
    emit_open(e, "categories", '[');
    for (size_t i = 0; i < n; i++) {
        emit_open(e, NULL, '{');
        emit_string(e, "name", intern_text(names, top[i]));
        emit_uint(e, "items", s->category_items[top[i]]);
        emit_uint(e, "events", s->category_interactions[top[i]]);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_open(e, "co_occurrence", '{');
    emit_open(e, "names", '[');
    for (size_t i = 0; i < n; i++)
        emit_string(e, NULL, intern_text(names, top[i]));
    emit_close(e, ']');
    emit_open(e, "counts", '[');
    for (size_t i = 0; i < n; i++) {
        emit_open(e, NULL, '[');
        for (size_t j = 0; j < n; j++)
            emit_uint(e, NULL, items_with_both(s, top[i], top[j]));
        emit_close(e, ']');
    }
    emit_close(e, ']');
    emit_close(e, '}');
}

/* The same as palate report has, ready to be drawn. */
static enum pal_status emit_figures(struct emit *e, const struct dataset *d, const struct stats *s,
                                    const struct shape *shape, struct pal_error *err)
{
    struct arena tmp;
    arena_init(&tmp);
    struct figures to = api_figures_into(e, &tmp);
    emit_open(e, "figures", '[');
    report_data(&to, d, s, shape,
                figure_text(&to, "events that weigh at least %g by %s", LIKED,
                            d->weights ? d->weights : weights_default));
    emit_close(e, ']');
    arena_done(&tmp);
    return to.failed ? pal_no_memory(err) : PAL_OK;
}

static enum pal_status emit_stats(struct emit *e, const struct dataset *d, const struct stats *s,
                                  const struct shape *shape, struct pal_error *err)
{
    emit_open(e, NULL, '{');
    emit_uint(e, "users", s->users);
    emit_uint(e, "items", s->items_known);
    emit_uint(e, "items_with_events", s->items);
    emit_uint(e, "events", s->interactions);
    emit_number(e, "density", s->density);
    emit_open(e, "types", '{');
    for (size_t i = 0; i < d->types.count; i++)
        emit_uint(e, d->types.name[i], s->type_count[i]);
    emit_close(e, '}');
    emit_activity(e, shape);
    emit_popularity(e, shape, s);
    emit_cold(e, shape);
    emit_times(e, shape);
    emit_open(e, "values", '[');
    for (size_t i = 0; i < s->value_count; i++) {
        emit_open(e, NULL, '{');
        emit_float(e, "value", s->values[i].value);
        emit_uint(e, "count", s->values[i].count);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_categories(e, d, s);
    emit_int(e, "first_at", (int64_t)s->first_s * 1000);
    emit_int(e, "last_at", (int64_t)s->last_s * 1000);
    emit_int(e, "as_of", clock_wall_ms());
    enum pal_status st = emit_figures(e, d, s, shape, err);
    emit_close(e, '}');
    return st;
}

/* ---- When to count ----
 *
 * Counting reads the store whole: seconds for a million events. So where it is slow, the last
 * answer is given at once, with the moment it is of, and a fresh one is made behind it, one at a
 * time and resting far longer than it takes; it is kept in the store for the next start. Only who
 * asks before there is any answer waits, and holds no thread meanwhile. Where it is quick, every
 * answer is fresh.
 */

/* Reads the store whole and counts. */
static enum pal_status make_stats(struct api *a, char **out, struct pal_error *err)
{
    struct dataset *d = NULL;
    struct stats s = {0};
    struct shape shape;
    struct weights weights;
    struct emit e = {.compact = true};
    enum pal_status st = store_dataset(live_store(a->live), NULL, 0, NULL, &d, NULL, err);
    if (!st)
        st = stats_make(d, NULL, &s, err);
    if (!st)
        st = weights_parse(d->weights ? d->weights : weights_default, &weights, err);
    if (!st)
        st = shape_make(d, &weights, LIKED, &shape, err);
    if (!st)
        st = emit_stats(&e, d, &s, &shape, err);
    if (!st && !str_ok(&e.text))
        st = pal_no_memory(err);
    stats_done(&s);
    dataset_free(d);
    if (st)
        str_done(&e.text);
    else
        *out = e.text.text;
    return st;
}

static void say_stats(struct http_request *r, const struct api_figures *f)
{
    http_answer(r, 200, "application/json", f->text, strlen(f->text));
}

/* Takes the new text, or why there is none, and tells those who wait. */
static void publish(struct api_figures *f, char *fresh, enum pal_status st, uint64_t position,
                    int64_t cost_ms, const struct pal_error *err)
{
    pthread_mutex_lock(&f->lock);
    f->done_ms = clock_steady_ms();
    f->cost_ms = cost_ms;
    if (!st) {
        mem_free(f->text);
        f->text = fresh;
        f->position = position;
        f->recalled = false;
    }
    f->counting = false;
    for (size_t i = 0; i < f->waiting_count; i++)
        if (st)
            http_error(f->waiting[i], st, err);
        else
            say_stats(f->waiting[i], f);
    f->waiting_count = 0;
    pthread_mutex_unlock(&f->lock);
}

/* In a thread for slow calls, one at a time. */
static void count(void *ctx, struct http_request *none)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_status status;
    char *fresh = NULL;
    if (live_drain(a->live, DRAIN_MS, NULL))
        (void)0; /* a store that is behind is counted as it is */
    live_status(a->live, &status);
    int64_t began = clock_steady_ms();
    enum pal_status st = make_stats(a, &fresh, &err);
    int64_t cost_ms = clock_steady_ms() - began;
    if (!st && cost_ms > QUICK_MS && store_put_note(live_store(a->live), NOTE, fresh, NULL))
        (void)0; /* it is only for a quick first answer */
    publish(&a->figures, fresh, st, status.store_position + status.follow.records, cost_ms, &err);
}

void api_stats_recall(struct api *a)
{
    struct api_figures *f = &a->figures;
    if (store_note(live_store(a->live), NOTE, &f->text, NULL) != PAL_OK)
        return;
    f->cost_ms = QUICK_MS + 1;
    f->recalled = true;
}

/* What to do with a request: answers it at once or lets it wait, and says whether to count. With
 * the lock held. */
static bool serve(struct api *a, struct http_request *r, uint64_t position)
{
    struct api_figures *f = &a->figures;
    bool current = f->text && !f->recalled && f->position == position;
    bool begin = !current && !f->counting;
    if (current || (f->text && f->cost_ms > QUICK_MS)) {
        say_stats(r, f);
        begin = begin && (f->recalled || clock_steady_ms() - f->done_ms > RESTS * f->cost_ms);
    } else if (f->waiting_count < API_WAITING)
        f->waiting[f->waiting_count++] = r;
    else {
        http_set_header(r, "Retry-After", "1");
        http_problem(r, 503, "busy", "too many wait for the figures: try again");
    }
    f->counting = f->counting || begin;
    return begin;
}

void api_stats(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct pal_error err;
    struct live_status status;
    struct api_query q = {.r = r, .err = &err};
    enum pal_status st = query_end(&q);
    if (st) {
        http_error(r, st, &err);
        return;
    }
    live_status(a->live, &status);
    pthread_mutex_lock(&a->figures.lock);
    bool begin = serve(a, r, status.journal.committed + status.follow.records);
    pthread_mutex_unlock(&a->figures.lock);
    if (begin && !work_try(a->work, count, a, NULL)) {
        st = pal_fail(&err, PAL_EFULL, "too many slow calls wait already: try again later");
        publish(&a->figures, NULL, st, 0, 0, &err);
    }
}
