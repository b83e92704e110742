/* palate stats: what a data set looks like. */
#include "cli/stats.h"

#include "base/mem.h"
#include "cli/command.h"
#include "cli/source.h"
#include "cli/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BAR = 40, CATEGORIES_SHOWN = 20, MATRIX = 10, BINS_SHOWN = 16, PAIRS_TOLD = 1000 };

static void put_row(struct table *t, const char *name, struct str **value)
{
    table_put(t, PLAIN, name);
    *value = table_open(t, PLAIN);
}

static void put_remarks(struct table *t, const struct dataset *d, const struct stats *s)
{
    struct str *v;
    if (s->repeats) {
        put_row(t, "repeats", &v);
        put_count(v, s->repeats);
        str_put(v, " with an item that the user had before");
        table_close(t);
    }
    if (d->skipped) {
        put_row(t, "passed over", &v);
        put_count(v, d->skipped);
        str_put(v, " malformed lines");
        table_close(t);
    }
    put_row(t, "weights", &v);
    str_put(v, d->weights ? d->weights : "");
    table_close(t);
}

void stats_say_brief(struct console *c, const struct dataset *d, const struct stats *s)
{
    struct table t = {.indent = 2};
    struct str *v;
    table_column(&t, NULL, LEFT, false);
    table_column(&t, NULL, LEFT, true);
    put_row(&t, "interactions", &v);
    put_count(v, s->interactions);
    str_put(v, ", ");
    put_bytes(v, s->bytes);
    str_put(v, " in memory");
    table_close(&t);
    put_row(&t, "users", &v);
    put_count(v, s->users);
    table_close(&t);
    put_row(&t, "items", &v);
    put_count(v, s->items);
    if (s->items_known > s->items) {
        str_put(v, ", and ");
        put_count(v, s->items_known - s->items);
        str_put(v, " that nobody met");
    }
    table_close(&t);
    put_row(&t, "density", &v);
    put_percent(v, s->density);
    table_close(&t);
    if (s->last_s) {
        put_row(&t, "time span", &v);
        put_date(v, s->first_s);
        str_put(v, " to ");
        put_date(v, s->last_s);
        str_put(v, " UTC, ");
        put_count(v, (s->last_s - s->first_s + 43200) / 86400);
        str_put(v, " days");
        table_close(&t);
    }
    if (d->test.start) {
        put_row(&t, "test part", &v);
        put_count(v, interactions_count(&d->test));
        str_put(v, " of the interactions, as published");
        table_close(&t);
    }
    put_remarks(&t, d, s);
    table_print(&t, c);
    table_done(&t);
}

/* How long bars are, beside the columns that stand before them. */
static size_t bar_width(const struct console *c)
{
    enum { BEFORE = 42 };
    return c->width && c->width < BEFORE + BAR ? c->width < BEFORE + 8 ? 8 : c->width - BEFORE
                                               : BAR;
}

/* name, count, share, bar: one line of a histogram. Bars are relative to the longest. */
static void put_bar_row(struct console *c, struct table *t, const char *name, uint64_t count,
                        uint64_t total, uint64_t longest)
{
    table_put(t, PLAIN, name);
    put_count(table_open(t, PLAIN), count);
    table_close(t);
    put_share(table_open(t, PLAIN), total ? (double)count / (double)total : 0);
    table_close(t);
    put_bar(c, table_open(t, GOOD), longest ? (double)count / (double)longest : 0, bar_width(c));
    table_close(t);
}

static void bar_columns(struct table *t, const char *first, const char *second)
{
    t->indent = 2;
    table_column(t, first, LEFT, false);
    table_column(t, second, RIGHT, false);
    table_column(t, "share", RIGHT, false);
    table_column(t, "", LEFT, true);
}

/* Of a histogram with more bars than one wants to see, so many neighbours make one. */
static size_t bars_in_one(const struct stats *s)
{
    return s->values_binned ? (s->value_count + BINS_SHOWN - 1) / BINS_SHOWN : 1;
}

static uint64_t bar_count(const struct stats *s, size_t first, size_t bars)
{
    uint64_t count = 0;
    for (size_t i = first; i < first + bars && i < s->value_count; i++)
        count += s->values[i].count;
    return count;
}

static void say_values(struct console *c, const struct stats *s)
{
    struct table t = {0};
    uint64_t longest = 0;
    size_t bars = bars_in_one(s);
    if (s->value_count < 2)
        return;
    say_heading(c, "Values");
    bar_columns(&t, s->values_binned ? "from" : "value", "count");
    t.align[0] = RIGHT;
    for (size_t i = 0; i < s->value_count; i += bars)
        longest = bar_count(s, i, bars) > longest ? bar_count(s, i, bars) : longest;
    for (size_t i = 0; i < s->value_count; i += bars) {
        char name[32];
        snprintf(name, sizeof name, "%.5g", s->values[i].value);
        put_bar_row(c, &t, name, bar_count(s, i, bars), s->interactions, longest);
    }
    table_print(&t, c);
    say(c, "  mean %.3g\n", s->mean_value);
    table_done(&t);
}

static void say_types(struct console *c, const struct dataset *d, const struct stats *s)
{
    struct table t = {0};
    uint64_t longest = 0;
    if (d->types.count < 2)
        return;
    say_heading(c, "Events");
    bar_columns(&t, "type", "count");
    for (size_t i = 0; i < d->types.count; i++)
        longest = s->type_count[i] > longest ? s->type_count[i] : longest;
    for (size_t i = 0; i < d->types.count; i++)
        put_bar_row(c, &t, d->types.name[i], s->type_count[i], s->interactions, longest);
    table_print(&t, c);
    table_done(&t);
}

static void say_percentiles(struct console *c, const struct stats *s)
{
    struct table t = {.indent = 2};
    const double *rows[] = {s->user_activity, s->item_popularity};
    const char *const names[] = {"by a user", "with an item"};
    const double mean[] = {(double)s->interactions / (s->users ? s->users : 1),
                           (double)s->interactions / (s->items ? s->items : 1)};
    say_heading(c, "Interactions, percentiles");
    table_column(&t, "", LEFT, false);
    for (size_t i = 0; i < STATS_PERCENTILES; i++) {
        char head[16];
        double p = stats_percentile[i];
        snprintf(head, sizeof head, "%g %%", p * 100);
        table_column(&t,
                     p == 0     ? "least"
                     : p == 0.5 ? "median"
                     : p == 1   ? "most"
                                : head,
                     RIGHT, false);
    }
    table_column(&t, "mean", RIGHT, false);
    for (size_t r = 0; r < 2; r++) {
        table_put(&t, PLAIN, names[r]);
        for (size_t i = 0; i < STATS_PERCENTILES; i++) {
            put_count(table_open(&t, PLAIN), (uint64_t)llround(rows[r][i]));
            table_close(&t);
        }
        table_cell(&t, "%.1f", mean[r]);
    }
    table_print(&t, c);
    table_done(&t);
}

static void say_tail(struct console *c, const struct stats *s)
{
    const char *const names[] = {"the most popular 1 %", "the next 19 %",
                                 "all others, the long tail"};
    const double share[] = {s->top1_share, 1 - s->long_tail_share - s->top1_share,
                            s->long_tail_share};
    struct table t = {.indent = 2};
    say_heading(c, "Long tail");
    table_column(&t, "items", LEFT, false);
    table_column(&t, "take", RIGHT, false);
    table_column(&t, "", LEFT, true);
    for (size_t i = 0; i < 3; i++) {
        table_put(&t, PLAIN, names[i]);
        put_share(table_open(&t, PLAIN), share[i]);
        table_close(&t);
        put_bar(c, table_open(&t, GOOD), share[i], bar_width(c));
        table_close(&t);
    }
    table_print(&t, c);
    say(c, "  Gini coefficient of popularity %.3f\n", s->gini);
    table_done(&t);
}

/* The categories with the most items, most first, into out (most); returns how many. */
static size_t top_categories(const struct dataset *d, const struct stats *s, uint32_t *out,
                             size_t most)
{
    size_t n = 0;
    for (uint32_t g = 0; g < d->items.categories.names.count; g++) {
        size_t at = n < most ? n++ : most;
        while (at > 0 && s->category_items[out[at - 1]] < s->category_items[g]) {
            if (at < most)
                out[at] = out[at - 1];
            at--;
        }
        if (at < most)
            out[at] = g;
    }
    return n;
}

static void say_categories(struct console *c, const struct dataset *d, const struct stats *s)
{
    const struct intern *names = &d->items.categories.names;
    uint32_t top[CATEGORIES_SHOWN];
    size_t n = top_categories(d, s, top, CATEGORIES_SHOWN);
    struct table t = {.indent = 2};
    say_heading(c, "Categories");
    table_column(&t, "category", LEFT, true);
    table_column(&t, "items", RIGHT, false);
    table_column(&t, "interactions", RIGHT, false);
    table_column(&t, "share", RIGHT, false);
    table_column(&t, "", LEFT, true);
    uint64_t longest = 1;
    for (size_t i = 0; i < n; i++)
        if (s->category_interactions[top[i]] > longest)
            longest = s->category_interactions[top[i]];
    for (size_t i = 0; i < n; i++) {
        uint64_t count = s->category_interactions[top[i]];
        table_put(&t, PLAIN, intern_text(names, top[i]));
        put_count(table_open(&t, PLAIN), s->category_items[top[i]]);
        table_close(&t);
        put_count(table_open(&t, PLAIN), count);
        table_close(&t);
        put_share(table_open(&t, PLAIN),
                  s->interactions ? (double)count / (double)s->interactions : 0);
        table_close(&t);
        put_bar(c, table_open(&t, GOOD), (double)count / (double)longest, bar_width(c) / 2);
        table_close(&t);
    }
    table_print(&t, c);
    table_done(&t);
    if (names->count > n)
        say(c, "  and %zu more\n", (size_t)names->count - n);
}

/* As many as the terminal has room for. */
static size_t matrix_size(const struct console *c)
{
    enum { NAMES = 16, CELL = 7 };
    size_t room = c->width > NAMES + 3 * CELL ? (c->width - NAMES) / CELL : 3;
    return c->width == 0 || room > MATRIX ? MATRIX : room;
}

/* Items that have both categories; on the diagonal, all that have the one. */
static void say_matrix(struct console *c, const struct dataset *d, const struct stats *s)
{
    const struct intern *names = &d->items.categories.names;
    uint32_t top[MATRIX];
    size_t n = top_categories(d, s, top, matrix_size(c));
    struct table t = {.indent = 2};
    if (n < 2 || !s->pair_count)
        return;
    say_heading(c, "Items in two categories at once");
    table_column(&t, "", LEFT, true);
    for (size_t i = 0; i < n; i++) {
        struct str head = {0};
        text_fit(c, intern_text(names, top[i]), c->utf8 ? 5 : 6, &head);
        table_column(&t, str_text(&head), RIGHT, false);
        str_done(&head);
    }
    for (size_t i = 0; i < n; i++) {
        table_put(&t, PLAIN, intern_text(names, top[i]));
        for (size_t j = 0; j < n; j++) {
            uint64_t count = i == j ? s->category_items[top[i]] : stats_together(s, top[i], top[j]);
            struct str *cell = table_open(&t, i == j ? DIM : PLAIN);
            if (count)
                put_count(cell, count);
            else
                str_put(cell, c->utf8 ? "·" : ".");
            table_close(&t);
        }
    }
    table_print(&t, c);
    table_done(&t);
}

static void emit_percentiles(struct emit *e, const char *key, const double *values)
{
    emit_open(e, key, '{');
    for (size_t i = 0; i < STATS_PERCENTILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%g", stats_percentile[i] * 100);
        emit_number(e, name, values[i]);
    }
    emit_close(e, '}');
}

static void emit_categories(struct emit *e, const struct dataset *d, const struct stats *s)
{
    const struct intern *names = &d->items.categories.names;
    emit_open(e, "categories", '[');
    for (uint32_t g = 0; g < names->count; g++) {
        emit_open(e, NULL, '{');
        emit_string(e, "name", intern_text(names, g));
        emit_uint(e, "items", s->category_items[g]);
        emit_uint(e, "interactions", s->category_interactions[g]);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_open(e, "category_pairs", '[');
    for (size_t i = 0; i < s->pair_count && i < PAIRS_TOLD; i++) {
        emit_open(e, NULL, '{');
        emit_string(e, "a", intern_text(names, s->pairs[i].a));
        emit_string(e, "b", intern_text(names, s->pairs[i].b));
        emit_uint(e, "items", s->pairs[i].items);
        emit_close(e, '}');
    }
    emit_close(e, ']');
}

static void emit_counts(struct emit *e, const struct dataset *d, const struct stats *s)
{
    emit_uint(e, "interactions", s->interactions);
    emit_uint(e, "users", s->users);
    emit_uint(e, "items", s->items);
    emit_uint(e, "items_known", s->items_known);
    emit_uint(e, "test_interactions", d->test.start ? interactions_count(&d->test) : 0);
    emit_number(e, "density", s->density);
    emit_uint(e, "bytes", s->bytes);
    emit_uint(e, "repeats", s->repeats);
    emit_uint(e, "skipped_lines", d->skipped);
    emit_number(e, "mean_value", s->mean_value);
    emit_open(e, "values", '[');
    for (size_t i = 0; i < s->value_count; i++) {
        emit_open(e, NULL, '{');
        emit_number(e, "value", s->values[i].value);
        emit_uint(e, "count", s->values[i].count);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_boolean(e, "values_binned", s->values_binned);
    emit_open(e, "types", '{');
    for (size_t i = 0; i < d->types.count; i++)
        emit_uint(e, d->types.name[i], s->type_count[i]);
    emit_close(e, '}');
}

static void say_json(struct console *c, const struct dataset *d, const struct stats *s)
{
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_string(&e, "data", d->name);
    emit_string(&e, "format", d->format);
    emit_hex(&e, "fingerprint", dataset_fingerprint(d));
    emit_string(&e, "weights", d->weights);
    emit_counts(&e, d, s);
    emit_percentiles(&e, "user_activity", s->user_activity);
    emit_percentiles(&e, "item_popularity", s->item_popularity);
    emit_number(&e, "long_tail_share", s->long_tail_share);
    emit_number(&e, "top1_share", s->top1_share);
    emit_number(&e, "gini", s->gini);
    emit_time(&e, "first", s->last_s ? (int64_t)s->first_s : -1);
    emit_time(&e, "last", s->last_s ? (int64_t)s->last_s : -1);
    emit_categories(&e, d, s);
    emit_close(&e, '}');
    emit_say(&e, c);
}

enum pal_status stats_run(struct job *job, struct pal_error *err)
{
    struct dataset *d = NULL;
    struct stats s = {0};
    struct console *c = &job->out;
    enum pal_status st = job_threads(job, err);
    if (!st)
        st = source_load(job, NULL, &d, err);
    if (!st)
        st = stats_make(d, &job->run, &s, err);
    if (st)
        goto done;
    if (job->set.json) {
        say_json(c, d, &s);
    } else {
        say_styled(c, BOLD, d->name);
        say(c, "  %s\n", d->format);
        stats_say_brief(c, d, &s);
        say_values(c, &s);
        say_types(c, d, &s);
        if (s.interactions) {
            say_percentiles(c, &s);
            say_tail(c, &s);
        }
        if (d->items.categories.names.count) {
            say_categories(c, d, &s);
            say_matrix(c, d, &s);
        }
    }
done:
    stats_done(&s);
    dataset_free(d);
    return st;
}
