/* See shape.h. */
#include "data/shape.h"

#include "base/mem.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const uint32_t shape_few[SHAPE_FEW] = {0, 1, 2, 5, 10, 50};
const uint32_t shape_likes[SHAPE_LIKES] = {1, 3, 5, 10, 20, 50};

enum { DAY_S = 86400, PARTS = 2 };

const char *shape_step_name(enum shape_step step)
{
    static const char *const names[] = {"day", "week", "month", "quarter", "year"};
    return names[step];
}

static const struct interactions *part(const struct dataset *d, int i)
{
    return i == 0 ? &d->all : &d->test;
}

/* What one walk over everything needs. */
struct walk {
    const struct dataset *d;
    const struct weights *w;
    double liked_from;
    uint64_t *item;     /* (items) events */
    uint32_t *liked_by; /* (items) the last user who liked it, + 1 */
    uint32_t first_s, last_s;
    bool timed;
    uint8_t type; /* of the event before, and what it was worth */
    float value, weight;
};

static bool is_liked(struct walk *k, const struct interactions *x, uint64_t i)
{
    uint8_t type = interactions_type(x, i);
    float value = interactions_value(x, i);
    if (isnan(k->weight) || type != k->type || value != k->value) {
        k->type = type;
        k->value = value;
        k->weight = weights_of(k->w, k->d->types.name[type], value);
    }
    return k->weight >= k->liked_from;
}

static void add_few(uint64_t few[SHAPE_FEW], uint64_t events)
{
    size_t c = SHAPE_FEW - 1;
    while (events < shape_few[c])
        c--;
    few[c]++;
}

static void add_user(struct shape *s, uint64_t events, uint32_t likes)
{
    add_few(s->users_few, events);
    for (size_t l = 0; l < SHAPE_LIKES; l++)
        s->users_liking[l] += likes >= shape_likes[l];
    if (!events)
        return;
    size_t bucket = 63 - (size_t)__builtin_clzll(events);
    bucket = bucket < SHAPE_BUCKETS ? bucket : SHAPE_BUCKETS - 1;
    s->activity[bucket]++;
    s->buckets = bucket + 1 > s->buckets ? bucket + 1 : s->buckets;
}

static void walk_user(struct walk *k, uint32_t u, struct shape *s)
{
    uint64_t events = 0;
    uint32_t likes = 0;
    for (int p = 0; p < PARTS; p++) {
        const struct interactions *x = part(k->d, p);
        if (!x->start || u >= x->users)
            continue;
        events += x->start[u + 1] - x->start[u];
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
            uint32_t item = x->item[i];
            k->item[item]++;
            if (k->liked_by[item] != u + 1 && is_liked(k, x, i)) {
                k->liked_by[item] = u + 1;
                likes++;
            }
            if (!x->time_s)
                continue;
            k->first_s = !k->timed || x->time_s[i] < k->first_s ? x->time_s[i] : k->first_s;
            k->last_s = !k->timed || x->time_s[i] > k->last_s ? x->time_s[i] : k->last_s;
            k->timed = true;
        }
    }
    add_user(s, events, likes);
}

static int descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* count (n) in descending order, none of them 0. */
static void describe_ranks(const uint64_t *count, uint32_t n, struct shape *s)
{
    for (size_t i = 0; n && i < SHAPE_RANKS; i++) {
        uint32_t next = (uint32_t)lround(pow(n, (double)i / (SHAPE_RANKS - 1)));
        if (s->ranks && next <= s->rank[s->ranks - 1])
            continue;
        s->rank[s->ranks] = next;
        s->rank_count[s->ranks++] = count[next - 1];
    }
}

/* The same counts, walked from the rear; between two items as if part of one were taken. */
static void describe_lorenz(const uint64_t *count, uint32_t n, struct shape *s)
{
    double sum = 0, held = 0;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)count[i];
    for (int p = 0; p < SHAPE_SHARES && n; p++) {
        double want = (double)p * n / (SHAPE_SHARES - 1);
        while (taken + 1 <= want)
            held += (double)count[n - ++taken];
        double rest = taken < n ? (want - taken) * (double)count[n - taken - 1] : 0;
        s->lorenz[p] = (held + rest) / sum;
    }
}

static void describe_items(uint64_t *count, uint32_t items, struct shape *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < items; i++)
        add_few(s->items_few, count[i]);
    if (items)
        qsort(count, items, sizeof *count, descending);
    while (n < items && count[n])
        n++;
    describe_ranks(count, n, s);
    describe_lorenz(count, n, s);
}

/* Which period, counted from some beginning, a day since 1970 is in; and a period's first day. */
static int64_t period_of(enum shape_step step, int64_t day)
{
    struct tm at;
    time_t second = (time_t)day * DAY_S;
    if (step <= SHAPE_WEEK)
        return step == SHAPE_DAY ? day : (day + 3) / 7; /* 1970 began on a Thursday */
    if (!gmtime_r(&second, &at))
        return 0;
    return step == SHAPE_MONTH     ? at.tm_year * 12 + at.tm_mon
           : step == SHAPE_QUARTER ? at.tm_year * 4 + at.tm_mon / 3
                                   : at.tm_year;
}

static int64_t period_start(enum shape_step step, int64_t period)
{
    if (step <= SHAPE_WEEK) {
        int64_t day = step == SHAPE_DAY ? period : period * 7 - 3;
        return day > 0 ? day * DAY_S : 0;
    }
    int64_t a_year = step == SHAPE_MONTH ? 12 : step == SHAPE_QUARTER ? 4 : 1;
    return text_unix_time((int)(1900 + period / a_year), (int)(period % a_year * (12 / a_year) + 1),
                          1, 0, 0, 0);
}

/* The shortest step by which the days make no more periods than suits it. */
static enum shape_step choose_step(int64_t first_day, int64_t last_day)
{
    static const int most[] = {62, 60, 60, 60};
    enum shape_step step = SHAPE_DAY;
    while (step < SHAPE_YEAR &&
           period_of(step, last_day) - period_of(step, first_day) + 1 > most[step])
        step++;
    return step;
}

static enum pal_status describe_times(const struct walk *k, struct shape *s, struct pal_error *err)
{
    int64_t first = k->first_s / DAY_S, last = k->last_s / DAY_S;
    if (!k->timed)
        return PAL_OK;
    uint64_t *day = mem_zero((size_t)(last - first + 1), sizeof *day);
    if (!day)
        return pal_no_memory(err);
    for (int p = 0; p < PARTS; p++) {
        const struct interactions *x = part(k->d, p);
        for (uint64_t i = 0; x->time_s && i < interactions_count(x); i++)
            day[x->time_s[i] / DAY_S - first]++;
    }
    s->step = choose_step(first, last);
    int64_t from = period_of(s->step, first);
    s->periods = (size_t)(period_of(s->step, last) - from + 1);
    for (size_t i = 0; i < s->periods; i++)
        s->period_s[i] = (uint32_t)period_start(s->step, from + (int64_t)i);
    for (int64_t i = first; i <= last; i++)
        s->period_count[period_of(s->step, i) - from] += day[i - first];
    mem_free(day);
    return PAL_OK;
}

enum pal_status shape_make(const struct dataset *d, const struct weights *w, double liked_from,
                           struct shape *out, struct pal_error *err)
{
    struct walk k = {.d = d, .w = w, .liked_from = liked_from, .weight = NAN};
    struct shape s = {0};
    k.item = mem_zero(d->items.ids.count, sizeof *k.item);
    k.liked_by = mem_zero(d->items.ids.count, sizeof *k.liked_by);
    enum pal_status st = k.item && k.liked_by ? PAL_OK : pal_no_memory(err);
    for (uint32_t u = 0; u < d->users.ids.count && !st; u++)
        walk_user(&k, u, &s);
    if (!st)
        st = describe_times(&k, &s, err);
    if (!st) {
        describe_items(k.item, d->items.ids.count, &s);
        *out = s;
    }
    mem_free(k.item);
    mem_free(k.liked_by);
    return st;
}
