/* See items.h. */
#include "data/items.h"

#include "base/mem.h"

#include <jansson.h>
#include <string.h>

void texts_done(struct texts *t)
{
    mem_free(t->bytes);
    mem_free(t->start);
    memset(t, 0, sizeof *t);
}

enum pal_status texts_add(struct texts *t, const char *s, size_t len, struct pal_error *err)
{
    uint64_t begin = t->count ? t->start[t->count] : 0;
    if (mem_grow(&t->bytes, &t->bytes_cap, begin + len + 1, 1) ||
        mem_grow(&t->start, &t->start_cap, (size_t)t->count + 2, sizeof *t->start))
        return pal_no_memory(err);
    memcpy(t->bytes + begin, s, len);
    t->bytes[begin + len] = 0;
    t->start[t->count] = begin;
    t->start[++t->count] = begin + len + 1;
    return PAL_OK;
}

void labels_done(struct labels *l)
{
    intern_done(&l->names);
    mem_free(l->start);
    mem_free(l->label);
    memset(l, 0, sizeof *l);
}

/* The first call gives start its leading zero; start[rows + 1] is where the open row ends so far.
 */
static enum pal_status open_row(struct labels *l, struct pal_error *err)
{
    bool fresh = l->start == NULL;
    if (mem_grow(&l->start, &l->start_cap, (size_t)l->rows + 3, sizeof *l->start))
        return pal_no_memory(err);
    if (fresh)
        l->start[0] = l->start[1] = 0;
    return PAL_OK;
}

enum pal_status labels_add(struct labels *l, const char *s, size_t len, struct pal_error *err)
{
    uint32_t number;
    enum pal_status st = open_row(l, err);
    if (st != PAL_OK || (st = intern_add(&l->names, s, len, &number, err)) != PAL_OK)
        return st;
    uint64_t end = l->start[l->rows + 1];
    if (mem_grow(&l->label, &l->label_cap, end + 1, sizeof *l->label))
        return pal_no_memory(err);
    l->label[end] = number;
    l->start[l->rows + 1] = end + 1;
    return PAL_OK;
}

enum pal_status labels_end_row(struct labels *l, struct pal_error *err)
{
    enum pal_status st = open_row(l, err);
    if (st != PAL_OK)
        return st;
    l->rows++;
    l->start[l->rows + 1] = l->start[l->rows];
    return PAL_OK;
}

enum pal_status labels_add_json(struct labels *l, const char *json, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    json_t *list = json && *json ? json_loads(json, 0, NULL) : NULL;
    for (size_t i = 0; i < json_array_size(list) && st == PAL_OK; i++) {
        const json_t *one = json_array_get(list, i);
        if (json_is_string(one))
            st = labels_add(l, json_string_value(one), json_string_length(one), err);
    }
    json_decref(list);
    return st == PAL_OK ? labels_end_row(l, err) : st;
}

const uint32_t *labels_at(const struct labels *l, uint32_t i, uint32_t *n)
{
    if (i >= l->rows || !l->label) {
        *n = 0;
        return NULL;
    }
    *n = (uint32_t)(l->start[i + 1] - l->start[i]);
    return *n ? l->label + l->start[i] : NULL; /* where nobody has a label there is no array */
}

void items_done(struct items *i)
{
    intern_done(&i->ids);
    texts_done(&i->titles);
    texts_done(&i->attributes);
    labels_done(&i->categories);
    labels_done(&i->tags);
}

void users_done(struct users *u)
{
    intern_done(&u->ids);
    texts_done(&u->attributes);
}

static enum pal_status texts_copy(const struct texts *from, struct texts *to, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; i < from->count && st == PAL_OK; i++)
        st = texts_add(to, texts_at(from, i), (size_t)(from->start[i + 1] - from->start[i] - 1),
                       err);
    return st;
}

static enum pal_status labels_copy(const struct labels *from, struct labels *to,
                                   struct pal_error *err)
{
    enum pal_status st = intern_copy(&from->names, &to->names, err);
    for (uint32_t i = 0; i < from->rows && st == PAL_OK; i++) {
        uint32_t n;
        const uint32_t *label = labels_at(from, i, &n);
        for (uint32_t j = 0; j < n && st == PAL_OK; j++)
            st = labels_add(to, intern_text(&from->names, label[j]),
                            intern_len(&from->names, label[j]), err);
        if (st == PAL_OK)
            st = labels_end_row(to, err);
    }
    return st;
}

enum pal_status items_copy(const struct items *items, struct items *out, struct pal_error *err)
{
    struct items copy = {0};
    enum pal_status st = intern_copy(&items->ids, &copy.ids, err);
    if (st == PAL_OK)
        st = texts_copy(&items->titles, &copy.titles, err);
    if (st == PAL_OK)
        st = texts_copy(&items->attributes, &copy.attributes, err);
    if (st == PAL_OK)
        st = labels_copy(&items->categories, &copy.categories, err);
    if (st == PAL_OK)
        st = labels_copy(&items->tags, &copy.tags, err);
    if (st != PAL_OK) {
        items_done(&copy);
        return st;
    }
    *out = copy;
    return PAL_OK;
}
