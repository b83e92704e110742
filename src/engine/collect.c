/* Items and events as they come in.
 *
 * A data set keeps histories in order, which is no place to insert into; so new events wait in a
 * list of their own, chained by user, and an answer reads both. Training first merges the list into
 * the data set, in linear time. The catalog in contrast is always current: its arrays are appended
 * to, and only new words about an item that is known rewrite them. */
#include "engine/handle.h"

#include "base/mem.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ID_BYTES = 256 };

static enum pal_status check_id(const char *id, const char *whose, struct pal_error *err)
{
    size_t len = id ? strlen(id) : 0;
    if (len == 0 || len > ID_BYTES)
        return pal_fail(err, PAL_EUSAGE, "the %s id is %s: it must have 1 to %d bytes", whose,
                        len ? "too long" : "empty", ID_BYTES);
    if (!text_is_utf8(id, len))
        return pal_fail(err, PAL_EUSAGE, "the %s id '%s' is not UTF-8", whose, id);
    return PAL_OK;
}

/* Row `row` gets the text; rows before it that are missing get none. */
static enum pal_status append_text(struct texts *t, uint32_t row, const char *text,
                                   struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    while (st == PAL_OK && t->count < row)
        st = texts_add(t, "", 0, err);
    return st == PAL_OK ? texts_add(t, text, strlen(text), err) : st;
}

/* The same with labels given as "Comedy|Drama". */
static enum pal_status append_labels(struct labels *l, uint32_t row, const char *names,
                                     struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    while (st == PAL_OK && l->rows < row)
        st = labels_end_row(l, err);
    for (const char *p = names; st == PAL_OK && *p;) {
        size_t len = strcspn(p, "|");
        if (len)
            st = labels_add(l, p, len, err);
        p += len;
        p += *p == '|';
    }
    return st == PAL_OK ? labels_end_row(l, err) : st;
}

/* Takes back rows from `rows` on, and a row that is half built. */
static void cut_rows(struct items *items, uint32_t rows)
{
    struct labels *l = &items->categories;
    if (items->titles.count > rows)
        items->titles.count = rows;
    if (l->rows > rows)
        l->rows = rows;
    if (l->start)
        l->start[l->rows + 1] = l->start[l->rows];
}

static enum pal_status add_new(struct items *items, const char *id, const char *title,
                               const char *categories, struct pal_error *err)
{
    uint32_t number = items->ids.count;
    enum pal_status st = PAL_OK;
    if (*title)
        st = append_text(&items->titles, number, title, err);
    if (st == PAL_OK && *categories)
        st = append_labels(&items->categories, number, categories, err);
    if (st == PAL_OK)
        st = intern_add(&items->ids, id, strlen(id), &number, err);
    if (st != PAL_OK)
        cut_rows(items, items->ids.count);
    return st;
}

/* Appends row i of `from` with its labels' names. */
static enum pal_status copy_labels(const struct labels *from, uint32_t i, struct labels *to,
                                   struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    uint32_t n;
    const uint32_t *label = labels_at(from, i, &n);
    for (uint32_t j = 0; j < n && st == PAL_OK; j++)
        st = labels_add(to, intern_text(&from->names, label[j]), intern_len(&from->names, label[j]),
                        err);
    return st == PAL_OK ? labels_end_row(to, err) : st;
}

/* New titles and categories with those of item `number` replaced. */
static enum pal_status rewrite(struct items *items, uint32_t number, const char *title,
                               const char *categories, struct pal_error *err)
{
    struct texts titles = {0};
    struct labels labels = {0};
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; i < items->ids.count && st == PAL_OK; i++) {
        const char *text = i == number ? title : texts_at(&items->titles, i);
        st = texts_add(&titles, text, strlen(text), err);
        if (st == PAL_OK && i == number)
            st = append_labels(&labels, i, categories, err);
        else if (st == PAL_OK)
            st = copy_labels(&items->categories, i, &labels, err);
    }
    if (st != PAL_OK) {
        texts_done(&titles);
        labels_done(&labels);
        return st;
    }
    texts_done(&items->titles);
    labels_done(&items->categories);
    items->titles = titles;
    items->categories = labels;
    return PAL_OK;
}

enum pal_status pal_add_item(struct palate *p, const char *item_id, const char *title,
                             const char *categories, struct pal_error *err)
{
    struct items *items = &p->d->items;
    enum pal_status st = check_id(item_id, "item's", err);
    if (st != PAL_OK)
        return st;
    title = title ? title : "";
    categories = categories ? categories : "";
    if (!text_is_utf8(title, strlen(title)) || !text_is_utf8(categories, strlen(categories)))
        return pal_fail(err, PAL_EUSAGE, "the title or categories of item '%s' are not UTF-8",
                        item_id);
    uint32_t number = intern_find(&items->ids, item_id, strlen(item_id));
    return number == INTERN_NONE ? add_new(items, item_id, title, categories, err)
                                 : rewrite(items, number, title, categories, err);
}

/* Room for one more event and for one more user. */
static enum pal_status reserve(struct palate *p, struct pal_error *err)
{
    size_t users = p->d->users.ids.count;
    if (p->added_count >= UINT32_MAX - 1)
        return pal_fail(err, PAL_ENOMEM, "more than 4294967294 events since the last pal_train");
    if (mem_grow(&p->added, &p->added_cap, p->added_count + 1, sizeof *p->added) ||
        mem_grow(&p->last, &p->last_cap, users + 1, sizeof *p->last))
        return pal_no_memory(err);
    while (p->last_count < users + 1)
        p->last[p->last_count++] = 0;
    return PAL_OK;
}

enum pal_status pal_add_event(struct palate *p, const char *user_id, const char *item_id,
                              const char *type, float value, uint32_t time_s, struct pal_error *err)
{
    struct added x = {.value = value, .time_s = time_s ? time_s : p->latest_s};
    enum pal_status st = check_id(user_id, "user's", err);
    if (st == PAL_OK)
        st = check_id(item_id, "item's", err);
    if (st == PAL_OK && !isfinite(value))
        st = pal_fail(err, PAL_EUSAGE, "the value of an event by user '%s' is not a finite number",
                      user_id);
    if (st == PAL_OK)
        st = reserve(p, err);
    if (!type)
        type = "like";
    if (st == PAL_OK)
        st = event_type_add(&p->d->types, type, strlen(type), &x.type, err);
    if (st == PAL_OK)
        st = intern_add(&p->d->users.ids, user_id, strlen(user_id), &x.user, err);
    if (st == PAL_OK)
        st = intern_add(&p->d->items.ids, item_id, strlen(item_id), &x.item, err);
    if (st != PAL_OK)
        return st;
    x.before = p->last[x.user];
    p->added[p->added_count++] = x;
    p->last[x.user] = (uint32_t)p->added_count;
    if (x.time_s > p->latest_s)
        p->latest_s = x.time_s;
    return PAL_OK;
}

static enum pal_status copy_rows(const struct palate *p, struct rows *rows, struct pal_error *err)
{
    const struct interactions *x = &p->d->all;
    enum pal_status st = PAL_OK;
    for (uint32_t u = 0; x->start && u < x->users; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1] && st == PAL_OK; i++)
            st = rows_add(
                rows,
                (struct row){u, x->item[i], interactions_value(x, i), interactions_time(x, i)},
                interactions_type(x, i), err);
    for (size_t i = 0; i < p->added_count && st == PAL_OK; i++) {
        const struct added *a = &p->added[i];
        st = rows_add(rows, (struct row){a->user, a->item, a->value, a->time_s}, a->type, err);
    }
    return st;
}

enum pal_status collect_events(struct palate *p, struct pal_error *err)
{
    struct interactions all;
    struct rows *rows = NULL;
    struct dataset *d = p->d;
    if (p->added_count == 0 && d->all.start && d->all.users == d->users.ids.count &&
        d->all.items == d->items.ids.count)
        return PAL_OK;
    enum pal_status st = rows_new(&rows, err);
    if (st == PAL_OK)
        st = copy_rows(p, rows, err);
    if (st == PAL_OK)
        st = rows_finish(rows, d->users.ids.count, d->items.ids.count, p->latest_s > 0, &all, err);
    rows_free(rows);
    if (st != PAL_OK)
        return st;
    interactions_done(&d->all);
    d->all = all;
    mem_free(p->added);
    p->added = NULL;
    p->added_count = p->added_cap = 0;
    if (p->last_count)
        memset(p->last, 0, p->last_count * sizeof *p->last);
    return PAL_OK;
}

/* Row i of `from`, if it says anything, becomes row `row` of `to`. */
static enum pal_status move_labels(const struct labels *from, uint32_t i, struct labels *to,
                                   uint32_t row, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    uint32_t n;
    labels_at(from, i, &n);
    if (n == 0)
        return PAL_OK;
    while (st == PAL_OK && to->rows < row)
        st = labels_end_row(to, err);
    return st == PAL_OK ? copy_labels(from, i, to, err) : st;
}

/* Item i of `from` becomes the next one of `to`. */
static enum pal_status move_item(const struct items *from, uint32_t i, struct items *to,
                                 struct pal_error *err)
{
    const char *title = texts_at(&from->titles, i), *attributes = texts_at(&from->attributes, i);
    uint32_t number = to->ids.count;
    enum pal_status st = PAL_OK;
    if (*title)
        st = append_text(&to->titles, number, title, err);
    if (st == PAL_OK && *attributes)
        st = append_text(&to->attributes, number, attributes, err);
    if (st == PAL_OK)
        st = move_labels(&from->categories, i, &to->categories, number, err);
    if (st == PAL_OK)
        st = move_labels(&from->tags, i, &to->tags, number, err);
    if (st == PAL_OK)
        st = intern_add(&to->ids, intern_text(&from->ids, i), intern_len(&from->ids, i), &number,
                        err);
    return st;
}

enum pal_status collect_catalog(const struct palate *p, const struct items *other,
                                struct items *out, struct pal_error *err)
{
    struct items all;
    enum pal_status st = items_copy(&p->d->items, &all, err);
    if (st != PAL_OK)
        return st;
    for (uint32_t i = 0; i < other->ids.count && st == PAL_OK; i++)
        if (intern_find(&all.ids, intern_text(&other->ids, i), intern_len(&other->ids, i)) ==
            INTERN_NONE)
            st = move_item(other, i, &all, err);
    if (st != PAL_OK) {
        items_done(&all);
        return st;
    }
    *out = all;
    return PAL_OK;
}

/* One event of a history. */
struct moment {
    uint32_t item, time_s, order;
    float weight, rating; /* NAN: it is none */
};

static int by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    if (x->time_s != y->time_s)
        return x->time_s < y->time_s ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static float worth(const struct palate *p, uint8_t type, float value)
{
    const struct event_types *t = &p->d->types;
    return weights_of(&p->weights, type < t->count ? t->name[type] : "", value);
}

/* All of a user's events, oldest first, in the order that training would give them. */
static enum pal_status gather(const struct palate *p, uint32_t user, struct arena *tmp,
                              struct moment **out, size_t *count, struct pal_error *err)
{
    const struct interactions *x = &p->d->all;
    uint64_t begin = x->start && user < x->users ? x->start[user] : 0;
    uint64_t end = x->start && user < x->users ? x->start[user + 1] : 0;
    size_t n = (size_t)(end - begin), place;
    uint32_t first = user < p->last_count ? p->last[user] : 0;
    int stars = event_type_rating(&p->d->types);
    for (uint32_t i = first; i; i = p->added[i - 1].before)
        n++;
    struct moment *m = arena_alloc(tmp, n, sizeof *m);
    if (!m)
        return pal_no_memory(err);
    for (uint64_t i = begin; i < end; i++)
        m[i - begin] = (struct moment){
            .item = x->item[i],
            .time_s = interactions_time(x, i),
            .weight = worth(p, interactions_type(x, i), interactions_value(x, i)),
            .rating = interactions_type(x, i) == stars ? interactions_value(x, i) : NAN};
    place = n;
    for (uint32_t i = first; i; i = p->added[i - 1].before) {
        const struct added *a = &p->added[i - 1];
        m[--place] = (struct moment){.item = a->item,
                                     .time_s = a->time_s,
                                     .weight = worth(p, a->type, a->value),
                                     .rating = a->type == stars ? a->value : NAN};
    }
    bool sorted = true;
    for (size_t i = 0; i < n; i++) {
        m[i].order = (uint32_t)i;
        sorted &= i == 0 || m[i - 1].time_s <= m[i].time_s;
    }
    if (!sorted)
        qsort(m, n, sizeof *m, by_time);
    *out = m;
    *count = n;
    return PAL_OK;
}

enum pal_status collect_history(const struct palate *p, const char *user_id, struct arena *tmp,
                                struct history *out, const uint32_t **seen, size_t *seen_count,
                                struct pal_error *err)
{
    struct moment *m = NULL;
    size_t n = 0;
    uint32_t user = intern_find(&p->d->users.ids, user_id, strlen(user_id));
    enum pal_status st = PAL_OK;
    if (user != INTERN_NONE)
        st = gather(p, user, tmp, &m, &n, err);
    if (st != PAL_OK)
        return st;
    uint32_t *all = arena_alloc(tmp, n, sizeof *all);
    float *each = arena_alloc(tmp, n, sizeof *each), *rating = arena_alloc(tmp, n, sizeof *rating);
    uint32_t *time_s = arena_alloc(tmp, n, sizeof *time_s);
    if (!all || !each || !rating || !time_s)
        return pal_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        all[i] = m[i].item;
        time_s[i] = m[i].time_s;
        each[i] = m[i].weight;
        rating[i] = m[i].rating;
    }
    struct history_events events = {
        .item = all, .weight = each, .rating = rating, .n = n, .time_s = time_s};
    st = history_make(&events, tmp, out, err);
    if (st != PAL_OK)
        return st;
    out->now_s = p->latest_s;
    *seen = all;
    *seen_count = n;
    return PAL_OK;
}
