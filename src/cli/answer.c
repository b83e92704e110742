/* See answer.h. */
#include "cli/answer.h"

#include "cli/manifest.h"
#include "cli/table.h"
#include "registry/registry.h"

#include <math.h>
#include <string.h>

enum { HISTORY_SHOWN = 5 };

enum pal_status answer_open(struct job *job, struct live *out, struct pal_error *err)
{
    struct registry_version v;
    memset(out, 0, sizeof *out);
    enum pal_status st = registry_current(job->set.models, &v, err);
    if (st)
        return st;
    out->number = v.number;
    memcpy(out->path, v.path, sizeof out->path);
    return recommender_open(v.path, NULL, &out->recommender, err);
}

void live_done(struct live *l)
{
    recommender_free(l->recommender);
    l->recommender = NULL;
}

static enum pal_status no_such_user(const struct dataset *d, const char *user,
                                    struct pal_error *err)
{
    const struct intern *ids = &d->users.ids;
    if (!ids->count)
        return pal_fail(err, PAL_ENOTFOUND, "there is no user '%s': %s has no users", user,
                        d->name);
    return pal_fail(err, PAL_ENOTFOUND,
                    "there is no user '%s' in %s, which has %u, such as '%s' and '%s'", user,
                    d->name, ids->count, intern_text(ids, 0), intern_text(ids, ids->count - 1));
}

/* The ids of a data set and those of a catalog. */
struct meeting {
    const struct intern *from, *catalog;
};

static uint32_t number_in_catalog(const void *ctx, uint32_t item)
{
    const struct meeting *m = ctx;
    return intern_find(m->catalog, intern_text(m->from, item), intern_len(m->from, item));
}

enum pal_status answer_history(const struct recommender *r, const struct dataset *d,
                               const char *user, const char *weights, struct arena *tmp,
                               struct history *out, struct pal_error *err)
{
    const struct intern *catalog = &recommender_items(r)->ids, *ids = &d->items.ids;
    struct weights rules;
    struct history h;
    uint32_t number = intern_find(&d->users.ids, user, strlen(user));
    if (number == INTERN_NONE)
        return no_such_user(d, user, err);
    enum pal_status st = weights_parse(weights, &rules, err);
    if (!st)
        st = history_of(&d->all, &d->types, &rules, number, tmp, &h, err);
    if (st)
        return st;
    const struct meeting meet = {ids, catalog};
    return history_renumber(&h, number_in_catalog, &meet, tmp, out, err);
}

static void put_categories(struct str *out, const struct items *items, uint32_t item)
{
    uint32_t n;
    const uint32_t *label = labels_at(&items->categories, item, &n);
    for (uint32_t i = 0; i < n; i++)
        str_fmt(out, "%s%s", i ? ", " : "", intern_text(&items->categories.names, label[i]));
}

static void put_reasons(struct str *out, const struct items *items, const struct recommendation *r)
{
    for (size_t i = 0; i < r->reason_count; i++)
        str_fmt(out, "%s%s", i ? ", " : "because of ", items_name(items, r->reason[i].item));
}

/* Behind the point, so that the column is no wider than it says something. */
static int score_digits(const struct answer *a)
{
    float largest = 0;
    for (size_t i = 0; i < a->count; i++)
        largest = fmaxf(largest, fabsf(a->items[i].score));
    return largest < 10 ? 3 : largest < 1000 ? 1 : 0;
}

void answer_say(struct console *c, unsigned indent, const struct items *items,
                const struct answer *a)
{
    struct table t = {.indent = indent};
    bool categories = items->categories.rows > 0, titles = items->titles.count > 0;
    int digits = score_digits(a);
    table_column(&t, "#", RIGHT, false);
    table_column(&t, titles ? "title" : "item", LEFT, true);
    if (categories)
        table_column(&t, "categories", LEFT, true);
    table_column(&t, "score", RIGHT, false);
    table_column(&t, "by", LEFT, false);
    for (size_t i = 0; i < a->count; i++) {
        const struct recommendation *r = &a->items[i];
        table_cell(&t, "%zu", i + 1);
        table_put(&t, PLAIN, items_name(items, r->item));
        if (categories) {
            put_categories(table_open(&t, DIM), items, r->item);
            table_close(&t);
        }
        table_cell(&t, "%.*f", digits, (double)r->score);
        table_put(&t, DIM, r->source);
        struct str reasons = {0};
        put_reasons(&reasons, items, r);
        if (reasons.len)
            table_note(&t, str_text(&reasons));
        str_done(&reasons);
    }
    table_print(&t, c);
    table_done(&t);
}

void answer_say_history(struct console *c, unsigned indent, const struct items *items,
                        const struct history *h)
{
    struct str text = {0};
    size_t liked = 0;
    for (size_t i = h->n; i-- > 0;)
        if (h->weight[i] > 0) {
            if (liked < HISTORY_SHOWN)
                str_fmt(&text, "%s%s", liked ? ", " : "", items_name(items, h->item[i]));
            liked++;
        }
    if (liked > HISTORY_SHOWN)
        str_fmt(&text, "%s (%zu in all)", c->utf8 ? ", …" : ", ...", liked);
    if (text.len)
        text_calm(text.text, text.len);
    say_paragraph(c, indent, liked ? str_text(&text) : "nothing that is known");
    c->pending.failed |= text.failed;
    str_done(&text);
}

void answer_emit_item(struct emit *e, const struct items *items, uint32_t item)
{
    const char *title = texts_at(&items->titles, item);
    emit_string(e, "item_id", intern_text(&items->ids, item));
    emit_string(e, "title", *title ? title : NULL);
}

static void emit_reasons(struct emit *e, const struct items *items, const struct recommendation *r)
{
    emit_open(e, "reasons", '[');
    for (size_t i = 0; i < r->reason_count; i++) {
        emit_open(e, NULL, '{');
        answer_emit_item(e, items, r->reason[i].item);
        emit_float(e, "part", r->reason[i].part);
        emit_close(e, '}');
    }
    emit_close(e, ']');
}

void answer_emit(struct emit *e, const char *key, const struct items *items, const struct answer *a,
                 bool explain)
{
    emit_open(e, key, '[');
    for (size_t i = 0; i < a->count; i++) {
        const struct recommendation *r = &a->items[i];
        uint32_t n;
        const uint32_t *label = labels_at(&items->categories, r->item, &n);
        emit_open(e, NULL, '{');
        emit_uint(e, "rank", i + 1);
        answer_emit_item(e, items, r->item);
        emit_open(e, "categories", '[');
        for (uint32_t j = 0; j < n; j++)
            emit_string(e, NULL, intern_text(&items->categories.names, label[j]));
        emit_close(e, ']');
        emit_float(e, "score", r->score);
        emit_string(e, "source", r->source);
        if (explain)
            emit_reasons(e, items, r);
        emit_close(e, '}');
    }
    emit_close(e, ']');
}
