/* See alike.h. Attributes are read twice: once to count which there are, once to number the values
 * of those that were chosen. */
#include "rank/alike.h"

#include "model/stored.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const double SHARE_LEAST = 0.1; /* of the items must have it */
static const double GROUP_LEAST = 2;   /* items of a value, on the mean */

enum { NAMES_MOST = 1024, TEXT_MOST = 64 };

/* A value as text, in room where it is a number; NULL for what makes no kind. */
static const char *text_of(const json_t *value, char room[TEXT_MOST])
{
    if (json_is_string(value))
        return *json_string_value(value) ? json_string_value(value) : NULL;
    if (!json_is_integer(value))
        return NULL;
    snprintf(room, TEXT_MOST, "%lld", (long long)json_integer_value(value));
    return room;
}

/* Calls fn for each text or whole number at the top of an item's attributes. */
typedef enum pal_status text_fn(void *ctx, uint32_t item, const char *name, const char *text,
                                struct pal_error *err);

static enum pal_status each_text(const struct items *items, text_fn *fn, void *ctx,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    char room[TEXT_MOST];
    for (uint32_t i = 0; i < items->attributes.count && i < items->ids.count && st == PAL_OK; i++) {
        const char *attributes = texts_at(&items->attributes, i), *name, *text;
        json_t *value, *all = *attributes ? json_loads(attributes, 0, NULL) : NULL;
        json_object_foreach(all, name, value)
        {
            text = text_of(value, room);
            if (text && st == PAL_OK)
                st = fn(ctx, i, name, text, err);
        }
        json_decref(all);
    }
    return st;
}

/* ---- which ---- */

struct counting {
    struct intern names;
    uint32_t *count; /* (NAMES_MOST) items that have it */
};

static enum pal_status count_name(void *ctx, uint32_t item, const char *name, const char *text,
                                  struct pal_error *err)
{
    struct counting *c = ctx;
    uint32_t number = intern_find(&c->names, name, strlen(name));
    enum pal_status st = PAL_OK;
    if (number == INTERN_NONE && c->names.count == NAMES_MOST)
        return PAL_OK;
    if (number == INTERN_NONE)
        st = intern_add(&c->names, name, strlen(name), &number, err);
    if (st == PAL_OK)
        c->count[number]++;
    return st;
}

/* What is being numbered. */
struct numbering {
    uint32_t items, kinds, values;
    uint32_t which[ALIKE_MOST];      /* the attribute's number in `counting` */
    const struct intern *names;      /* of counting */
    struct intern value[ALIKE_MOST]; /* a kind's texts */
    uint32_t having[ALIKE_MOST];     /* items that have one */
    uint32_t *number;                /* (ALIKE_MOST, items) within its kind */
};

enum { TITLE = UINT32_MAX };

static void choose(struct counting *c, bool titles, struct numbering *n)
{
    if (titles)
        n->which[n->kinds++] = (uint32_t)TITLE;
    while (n->kinds < ALIKE_MOST) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < c->names.count; i++)
            if (c->count[i] > c->count[best])
                best = i;
        if (!c->names.count || !c->count[best] || c->count[best] < SHARE_LEAST * n->items)
            return;
        c->count[best] = 0;
        if (!titles || strcmp(intern_text(&c->names, best), "title") != 0)
            n->which[n->kinds++] = best;
    }
}

/* ---- their values ---- */

static enum pal_status put_value(struct numbering *n, size_t kind, uint32_t item, const char *text,
                                 struct pal_error *err)
{
    uint32_t *at = &n->number[kind * n->items + item];
    enum pal_status st = intern_add(&n->value[kind], text, strlen(text), at, err);
    n->having[kind] += st == PAL_OK;
    return st;
}

static enum pal_status number_text(void *ctx, uint32_t item, const char *name, const char *text,
                                   struct pal_error *err)
{
    struct numbering *n = ctx;
    uint32_t which = intern_find(n->names, name, strlen(name));
    for (size_t k = 0; k < n->kinds; k++)
        if (which != INTERN_NONE && n->which[k] == which)
            return put_value(n, k, item, text, err);
    return PAL_OK;
}

static enum pal_status number_all(const struct items *items, struct numbering *n,
                                  struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; n->kinds && n->which[0] == (uint32_t)TITLE && i < n->items && !st; i++)
        if (*texts_at(&items->titles, i))
            st = put_value(n, 0, i, texts_at(&items->titles, i), err);
    return st == PAL_OK ? each_text(items, number_text, n, err) : st;
}

/* Whether a kind groups anything. */
static bool groups(const struct numbering *n, size_t kind)
{
    return n->value[kind].count > 1 && n->having[kind] >= SHARE_LEAST * n->items &&
           n->having[kind] >= GROUP_LEAST * n->value[kind].count;
}

/* Moves the kind's numbers to row `to`, behind those of the kinds before, and reckons shares. */
static void take_kind(const struct numbering *n, size_t kind, const float *liked, uint32_t *to,
                      uint32_t first, float *share)
{
    uint32_t count = n->value[kind].count;
    double all = 0;
    for (uint32_t i = 0; i < n->items; i++) {
        uint32_t number = n->number[kind * n->items + i];
        to[i] = number == INTERN_NONE ? INTERN_NONE : first + number;
        if (number == INTERN_NONE)
            continue;
        share[first + number] += liked[i];
        all += liked[i];
    }
    for (uint32_t v = 0; v < count; v++)
        share[first + v] = (float)((share[first + v] + 1.0) / (all + count));
}

static enum pal_status take_all(const struct numbering *n, const float *liked, struct arena *keep,
                                struct alike *out, struct pal_error *err)
{
    size_t kinds = 0, values = 0;
    for (size_t k = 0; k < n->kinds; k++) {
        kinds += groups(n, k);
        values += groups(n, k) ? n->value[k].count : 0;
    }
    uint32_t *value = arena_alloc(keep, kinds * n->items, sizeof *value), number;
    float *share = arena_zero(keep, values, sizeof *share);
    if (!value || !share)
        return pal_no_memory(err);
    enum pal_status st = PAL_OK;
    for (size_t k = 0; k < n->kinds && st == PAL_OK; k++) {
        if (!groups(n, k))
            continue;
        const char *name =
            n->which[k] == (uint32_t)TITLE ? "title" : intern_text(n->names, n->which[k]);
        uint32_t *to = value + (size_t)out->names.count * n->items;
        take_kind(n, k, liked, to, out->values, share);
        out->values += n->value[k].count;
        st = intern_add(&out->names, name, strlen(name), &number, err);
    }
    out->value = value;
    out->share = share;
    return st;
}

enum pal_status alike_make(const struct items *items, const float *liked, struct arena *keep,
                           struct alike *out, struct pal_error *err)
{
    struct arena tmp = {0};
    struct counting c = {.count = arena_zero(&tmp, NAMES_MOST, sizeof *c.count)};
    struct numbering n = {.items = items->ids.count, .names = &c.names};
    struct alike made = {0};
    size_t cells = (size_t)ALIKE_MOST * n.items;
    n.number = arena_alloc(&tmp, cells, sizeof *n.number);
    enum pal_status st = c.count && n.number ? PAL_OK : pal_no_memory(err);
    for (size_t i = 0; st == PAL_OK && i < cells; i++)
        n.number[i] = INTERN_NONE;
    if (st == PAL_OK)
        st = each_text(items, count_name, &c, err);
    if (st == PAL_OK) {
        choose(&c, items->titles.count > 0, &n);
        st = number_all(items, &n, err);
    }
    if (st == PAL_OK)
        st = take_all(&n, liked, keep, &made, err);
    for (size_t k = 0; k < ALIKE_MOST; k++)
        intern_done(&n.value[k]);
    intern_done(&c.names);
    arena_done(&tmp);
    if (st == PAL_OK)
        *out = made;
    else
        alike_done(&made);
    return st;
}

void alike_done(struct alike *k)
{
    intern_done(&k->names);
    memset(k, 0, sizeof *k);
}

/* ---- files ---- */

enum pal_status alike_save(const struct alike *k, uint32_t items, struct tensors_out *out,
                           struct pal_error *err)
{
    enum pal_status st = tensors_add_intern(out, "kinds.names", &k->names, err);
    if (st == PAL_OK)
        st = tensors_add(out, "kinds.value", TENSOR_U32, (uint64_t)k->names.count * items, 0,
                         k->value, err);
    return st == PAL_OK ? tensors_add(out, "kinds.share", TENSOR_F32, k->values, 0, k->share, err)
                        : st;
}

static enum pal_status damaged(const struct tensors *file, const char *what, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "%s: %s: the file is damaged", tensors_path(file), what);
}

enum pal_status alike_load(const struct tensors *file, uint32_t items, struct alike *out,
                           struct pal_error *err)
{
    struct tensor value, share;
    struct alike k = {0};
    enum pal_status st = tensors_get_intern(file, "kinds.names", &k.names, err);
    if (st == PAL_OK && k.names.count > ALIKE_MOST)
        st = damaged(file, "it has too many kinds", err);
    if (st == PAL_OK)
        st = tensors_get(file, "kinds.value", TENSOR_U32, (uint64_t)k.names.count * items, 0,
                         &value, err);
    if (st == PAL_OK)
        st = tensors_get(file, "kinds.share", TENSOR_F32, UINT64_MAX, 0, &share, err);
    /* each of an item's kinds has a value at most, and each value an item at least */
    if (st == PAL_OK && (share.shape[0] > value.shape[0] || share.shape[0] >= INTERN_NONE))
        st = damaged(file, "'kinds.share' has too many values", err);
    if (st == PAL_OK) {
        k.values = (uint32_t)share.shape[0];
        k.value = value.data;
        k.share = share.data;
        for (uint64_t i = 0; i < value.shape[0] && st == PAL_OK; i++)
            if (k.value[i] != INTERN_NONE && k.value[i] >= k.values)
                st = damaged(file, "'kinds.value' names what there is not", err);
        for (uint32_t i = 0; i < k.values && st == PAL_OK; i++)
            if (!(k.share[i] > 0 && k.share[i] <= 1))
                st = damaged(file, "'kinds.share' is no share", err);
    }
    if (st == PAL_OK)
        *out = k;
    else
        intern_done(&k.names);
    return st;
}
