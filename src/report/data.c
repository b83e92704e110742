/* The figures of a data set. See report.h; what they are made of, data/stats.h and data/shape.h
 * count. */
#include "report/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { CATEGORIES = 20, HEAT = 16, RANK_ROWS = 9, SHARE_ROWS = 10 };

/* What all figures here are made from. */
struct page {
    struct figures *to;
    const struct dataset *d;
    const struct stats *s;
    const struct shape *shape;
    const char *liked;
};

/* The day, or what of it names a period. */
static void put_day(struct str *out, int64_t time_s, enum shape_step step)
{
    time_t t = (time_t)time_s;
    struct tm tm;
    if (!gmtime_r(&t, &tm))
        return;
    str_fmt(out, "%d", tm.tm_year + 1900);
    if (step < SHAPE_YEAR)
        str_fmt(out, "-%02d", tm.tm_mon + 1);
    if (step < SHAPE_MONTH)
        str_fmt(out, "-%02d", tm.tm_mday);
}

static void put(const struct page *p, const struct figure *f)
{
    if (!p->to->failed)
        p->to->take(p->to->ctx, f);
}

/* One series of counts, with a label each. */
static void put_counts(const struct page *p, struct figure *f, const char *name,
                       const uint64_t *count)
{
    double *value = figure_column(p->to, f->count);
    if (!value)
        return;
    for (size_t i = 0; i < f->count; i++)
        value[i] = (double)count[i];
    f->series[0] = (struct series){.name = name, .value = value, .digits = -1, .best = -1};
    f->series_count = 1;
    put(p, f);
}

static void put_values(const struct page *p)
{
    const char *label[STATS_VALUES];
    uint64_t count[STATS_VALUES];
    const struct stats *s = p->s;
    if (s->value_count < 2)
        return;
    for (size_t i = 0; i < s->value_count; i++) {
        label[i] = figure_text(p->to, "%.5g", s->values[i].value);
        count[i] = s->values[i].count;
    }
    struct figure f = {.id = "values",
                       .title = "Values",
                       .says = figure_text(p->to, "Events by %s; the mean is %.3g.",
                                           s->values_binned ? "value, each bar from its number on"
                                                            : "their value, such as stars",
                                           s->mean_value),
                       .chart = CHART_COLUMNS,
                       .x = "value",
                       .y = "events",
                       .head = s->values_binned ? "From" : "Value",
                       .label = label,
                       .count = s->value_count};
    put_counts(p, &f, "Events", count);
}

static void put_types(const struct page *p)
{
    const char *label[EVENT_TYPES];
    for (size_t i = 0; i < p->d->types.count; i++)
        label[i] = p->d->types.name[i];
    struct figure f = {.id = "types",
                       .title = "What was done",
                       .says = "Events by type.",
                       .chart = CHART_BARS,
                       .x = "events",
                       .head = "Type",
                       .label = label,
                       .count = p->d->types.count};
    if (f.count > 1)
        put_counts(p, &f, "Events", p->s->type_count);
}

static void put_times(const struct page *p)
{
    const char *label[SHAPE_PERIODS];
    const struct shape *s = p->shape;
    if (s->periods < 2)
        return;
    for (size_t i = 0; i < s->periods; i++) {
        struct str day = {0};
        put_day(&day, s->period_s[i], s->step);
        label[i] = figure_text(p->to, "%s", str_text(&day));
        str_done(&day);
    }
    const char *step = shape_step_name(s->step);
    struct figure f = {.id = "times",
                       .title = "When it happened",
                       .says = figure_text(p->to, "Events by %s, in UTC.", step),
                       .chart = CHART_COLUMNS,
                       .y = "events",
                       .head = figure_text(p->to, "The %s from", step),
                       .label = label,
                       .count = s->periods};
    put_counts(p, &f, "Events", s->period_count);
}

static void put_activity(const struct page *p)
{
    const char *label[SHAPE_BUCKETS];
    const struct shape *s = p->shape;
    for (size_t i = 0; i < s->buckets; i++)
        label[i] = i == 0 ? "1" : figure_text(p->to, "%llu–%llu", 1ull << i, (2ull << i) - 1);
    struct figure f = {
        .id = "activity",
        .title = "How active users are",
        .says = figure_text(p->to,
                            "Users by the number of their events; half of them have %.0f or fewer.",
                            p->s->user_activity[STATS_PERCENTILES / 2]),
        .chart = CHART_COLUMNS,
        .x = "events of the user",
        .y = "users",
        .head = "Events",
        .label = label,
        .count = s->buckets};
    if (f.count)
        put_counts(p, &f, "Users", s->activity);
}

static void put_popularity(const struct page *p)
{
    const char *label[SHAPE_RANKS];
    double at[SHAPE_RANKS];
    const struct shape *s = p->shape;
    for (size_t i = 0; i < s->ranks; i++) {
        label[i] = figure_text(p->to, "%u", s->rank[i]);
        at[i] = s->rank[i];
    }
    struct figure f = {.id = "popularity",
                       .title = "The long tail",
                       .says = figure_text(
                           p->to,
                           "Events by item, from the most popular on. The most popular 1 %% of the "
                           "items have %.1f %% of all events; those beyond the most popular fifth "
                           "have %.1f %%.",
                           100 * p->s->top1_share, 100 * p->s->long_tail_share),
                       .chart = CHART_LINE,
                       .log_x = true,
                       .log_y = true,
                       .x = "item, by popularity",
                       .y = "events",
                       .head = "Rank",
                       .label = label,
                       .at = at,
                       .count = s->ranks,
                       .every = RANK_ROWS};
    if (f.count)
        put_counts(p, &f, "Events", s->rank_count);
}

static void put_lorenz(const struct page *p)
{
    const char *label[SHAPE_SHARES];
    double at[SHAPE_SHARES], share[SHAPE_SHARES];
    for (size_t i = 0; i < SHAPE_SHARES; i++) {
        at[i] = (double)i * 100 / (SHAPE_SHARES - 1);
        share[i] = 100 * p->shape->lorenz[i];
        label[i] = figure_text(p->to, "%g %%", at[i]);
    }
    struct figure f = {
        .id = "lorenz",
        .title = "How evenly events are spread",
        .says =
            figure_text(p->to,
                        "The share of all events that the least popular items have (Lorenz "
                        "curve). The further below the straight line, the less evenly; the Gini "
                        "coefficient is %.3f.",
                        p->s->gini),
        .chart = CHART_LINE,
        .x = "% of the items, the least popular first",
        .y = "% of the events",
        .head = "Items",
        .label = label,
        .at = at,
        .count = SHAPE_SHARES,
        .every = SHARE_ROWS,
        .series = {{.name = "Events, %", .value = share, .digits = 2, .best = -1},
                   {.name = "If all were alike, %", .value = at, .digits = 0, .best = -1}},
        .series_count = 2};
    if (p->s->interactions)
        put(p, &f);
}

static double percent_of(uint64_t part, uint64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : 0;
}

static void put_cold(const struct page *p)
{
    const char *label[SHAPE_FEW];
    double item[SHAPE_FEW], user[SHAPE_FEW], items[SHAPE_FEW], users[SHAPE_FEW];
    uint64_t cold = 0, all_items = 0, all_users = 0;
    for (size_t i = 0; i < SHAPE_FEW; i++) {
        all_items += p->shape->items_few[i];
        all_users += p->shape->users_few[i];
        cold += shape_few[i] < 5 ? p->shape->items_few[i] : 0;
    }
    for (size_t i = 0; i < SHAPE_FEW; i++) {
        uint32_t from = shape_few[i], next = i + 1 < SHAPE_FEW ? shape_few[i + 1] : 0;
        label[i] = !next              ? figure_text(p->to, "%u or more", from)
                   : next == from + 1 ? figure_text(p->to, "%u", from)
                                      : figure_text(p->to, "%u–%u", from, next - 1);
        items[i] = (double)p->shape->items_few[i];
        users[i] = (double)p->shape->users_few[i];
        item[i] = percent_of(p->shape->items_few[i], all_items);
        user[i] = percent_of(p->shape->users_few[i], all_users);
    }
    struct figure f = {
        .id = "cold",
        .title = "Cold start",
        .says = figure_text(p->to,
                            "Items and users by how many events they have. %.1f %% of the items "
                            "have fewer than five: what others did tells little of them.",
                            percent_of(cold, all_items)),
        .chart = CHART_COLUMNS,
        .x = "events",
        .y = "%",
        .head = "Events",
        .label = label,
        .count = SHAPE_FEW,
        .series = {{.name = "Items, %", .value = item, .digits = 2, .best = -1},
                   {.name = "Users, %", .value = user, .digits = 2, .best = -1},
                   {.name = "Items", .value = items, .digits = -1, .best = -1, .table_only = true},
                   {.name = "Users", .value = users, .digits = -1, .best = -1, .table_only = true}},
        .series_count = 4};
    put(p, &f);
}

static void put_likes(const struct page *p)
{
    const char *label[SHAPE_LIKES];
    double share[SHAPE_LIKES], users[SHAPE_LIKES];
    for (size_t i = 0; i < SHAPE_LIKES; i++) {
        label[i] = figure_text(p->to, "at least %u", shape_likes[i]);
        users[i] = (double)p->shape->users_liking[i];
        share[i] = percent_of(p->shape->users_liking[i], p->s->users);
    }
    struct figure f = {
        .id = "likes",
        .title = "Who said enough to go by content",
        .says = figure_text(p->to,
                            "Users by how many different items they liked (%s). A profile of "
                            "categories wants about five: %.1f %% of the users have them.",
                            p->liked, share[2]),
        .chart = CHART_COLUMNS,
        .x = "liked items",
        .y = "% of the users",
        .head = "Liked items",
        .label = label,
        .count = SHAPE_LIKES,
        .series = {{.name = "Users, %", .value = share, .digits = 2, .best = -1},
                   {.name = "Users", .value = users, .digits = -1, .best = -1, .table_only = true}},
        .series_count = 2};
    if (p->s->users)
        put(p, &f);
}

/* The categories with the most items, most first. */
static size_t top_categories(const struct page *p, uint32_t *out, size_t most)
{
    size_t n = 0;
    const uint64_t *items = p->s->category_items;
    for (uint32_t g = 0; g < p->d->items.categories.names.count; g++) {
        size_t at = n < most ? n++ : most;
        for (; at > 0 && items[out[at - 1]] < items[g]; at--)
            if (at < most)
                out[at] = out[at - 1];
        if (at < most)
            out[at] = g;
    }
    return n;
}

static void put_categories(const struct page *p)
{
    const struct intern *names = &p->d->items.categories.names;
    uint32_t top[CATEGORIES];
    size_t n = top_categories(p, top, CATEGORIES);
    const char *label[CATEGORIES];
    double item[CATEGORIES], event[CATEGORIES], items[CATEGORIES], events[CATEGORIES];
    for (size_t i = 0; i < n; i++) {
        label[i] = intern_text(names, top[i]);
        items[i] = (double)p->s->category_items[top[i]];
        events[i] = (double)p->s->category_interactions[top[i]];
        item[i] = percent_of(p->s->category_items[top[i]], p->s->items_known);
        event[i] = percent_of(p->s->category_interactions[top[i]], p->s->interactions);
    }
    struct figure f = {
        .id = "categories",
        .title = "Categories",
        .says = figure_text(p->to,
                            "How many of the items and of the events each has%s; an item may have "
                            "several.",
                            names->count > n ? ", the most frequent ones" : ""),
        .chart = CHART_BARS,
        .x = "%",
        .head = "Category",
        .label = label,
        .count = n,
        .series =
            {{.name = "Items, %", .value = item, .digits = 2, .best = -1},
             {.name = "Events, %", .value = event, .digits = 2, .best = -1},
             {.name = "Items", .value = items, .digits = -1, .best = -1, .table_only = true},
             {.name = "Events", .value = events, .digits = -1, .best = -1, .table_only = true}},
        .series_count = 4};
    if (n)
        put(p, &f);
}

static void put_heat(const struct page *p)
{
    const struct intern *names = &p->d->items.categories.names;
    const char *label[HEAT];
    uint32_t top[HEAT];
    size_t n = top_categories(p, top, HEAT);
    uint64_t most = 0;
    struct figure f = {.id = "together",
                       .title = "Which categories go together",
                       .says = "Items that have both; the diagonal counts items that have the "
                               "category at all.",
                       .chart = CHART_HEAT,
                       .wide = true,
                       .head = "Category",
                       .label = label,
                       .count = n,
                       .series_count = n};
    for (size_t i = 0; i < n; i++) {
        double *items = figure_column(p->to, n);
        label[i] = intern_text(names, top[i]);
        for (size_t j = 0; items && j < n; j++) {
            uint64_t both =
                i == j ? p->s->category_items[top[i]] : stats_together(p->s, top[i], top[j]);
            most = i != j && both > most ? both : most;
            items[j] = (double)both;
        }
        f.series[i] = (struct series){.name = label[i], .value = items, .digits = -1, .best = -1};
    }
    if (most)
        put(p, &f);
}

void report_data(struct figures *to, const struct dataset *d, const struct stats *s,
                 const struct shape *shape, const char *liked)
{
    const struct page p = {to, d, s, shape, liked};
    put_values(&p);
    put_types(&p);
    put_activity(&p);
    put_popularity(&p);
    put_lorenz(&p);
    put_times(&p);
    put_cold(&p);
    put_likes(&p);
    put_categories(&p);
    put_heat(&p);
}
