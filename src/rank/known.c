/* See known.h. Each event counts once for popularity, however often the user came back to the item:
 * that is what the sum of decays is for. Times run backwards from the newest event, so that no
 * clock is asked and the same log gives the same bytes. */
#include "rank/known.h"

#include "model/stored.h"
#include "model/worth.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct known_half known_halves[KNOWN_HALVES] = {
    {"3d", 3}, {"21d", 21}, {"180d", 180}, {"ever", INFINITY}};

static const double SHARE_LEAST = 0.1; /* of the items must have an attribute for it to count */

/* ---- from the log ---- */

static uint32_t newest(const struct interactions *x)
{
    uint32_t t = 0;
    for (uint64_t i = 0; i < interactions_count(x); i++)
        t = interactions_time(x, i) > t ? interactions_time(x, i) : t;
    return t;
}

/* What is summed up for each item. */
struct sums {
    double *decayed; /* (KNOWN_HALVES, items) */
    float *liked, *all;
    uint32_t *first;
};

static void count_event(const struct known *k, struct sums *s, uint32_t item, float worth,
                        uint32_t time_s)
{
    s->all[item] += worth != 0;
    s->liked[item] += worth > 0;
    if (!s->first[item] || time_s < s->first[item])
        s->first[item] = time_s;
    for (size_t h = 0; h < KNOWN_HALVES && worth > 0; h++)
        s->decayed[h * k->items + item] +=
            exp2(-(double)(k->at_s - time_s) / (86400 * known_halves[h].days));
}

/* What is summed up of who came back to an item. */
struct returns {
    uint32_t *user, *last; /* (items) who liked it last, + 1, and when */
    uint8_t *back;         /* (items) that user came back to it */
    uint32_t *users, *returned, *gaps;
    double *days;
};

static void count_return(struct returns *r, uint32_t user, uint32_t item, uint32_t time_s)
{
    if (r->user[item] != user + 1) {
        r->user[item] = user + 1;
        r->users[item]++;
        r->back[item] = 0;
    } else if (time_s > r->last[item]) {
        r->returned[item] += !r->back[item];
        r->back[item] = 1;
        r->gaps[item]++;
        r->days[item] += (time_s - r->last[item]) / 86400.0;
    }
    r->last[item] = time_s;
}

static bool open_returns(struct arena *own, uint32_t n, struct returns *r)
{
    *r = (struct returns){
        .user = arena_zero(own, n, sizeof *r->user),
        .last = arena_zero(own, n, sizeof *r->last),
        .back = arena_zero(own, n, 1),
        .users = arena_zero(own, n, sizeof *r->users),
        .returned = arena_zero(own, n, sizeof *r->returned),
        .gaps = arena_zero(own, n, sizeof *r->gaps),
        .days = arena_zero(own, n, sizeof *r->days),
    };
    return r->user && r->last && r->back && r->users && r->returned && r->gaps && r->days;
}

/* Likes at one and the same time are one. */
static enum pal_status count_returns(const struct training *t, struct known *k,
                                     struct pal_error *err)
{
    const struct interactions *x = t->log;
    struct worth worth;
    struct returns r;
    float *returned = arena_alloc(&k->own, k->items, sizeof *returned);
    float *gap = arena_alloc(&k->own, k->items, sizeof *gap);
    if (!open_returns(&k->own, k->items, &r) || !returned || !gap)
        return pal_no_memory(err);
    worth_init(&worth, t->weights, t->types);
    for (uint32_t u = 0; u < x->users; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            if (worth_of(&worth, interactions_type(x, i), interactions_value(x, i)) > 0)
                count_return(&r, u, x->item[i], interactions_time(x, i));
    for (uint32_t i = 0; i < k->items; i++) {
        returned[i] = ((float)r.returned[i] + 1) / ((float)r.users[i] + 2);
        gap[i] = r.gaps[i] ? (float)(r.days[i] / r.gaps[i]) : NAN;
    }
    k->again = true;
    k->returned = returned;
    k->gap_days = gap;
    return PAL_OK;
}

/* Logarithms against the greatest: what is the most popular has 0 however long the log is, so that
 * what was learned from a shorter one holds. */
static void relate(const double *sum, size_t n, float *out)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = sum[i] > most ? sum[i] : most;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(log1p(sum[i]) - log1p(most));
}

/* liked (items): how often each was, in k's arena. */
static enum pal_status count_events(const struct training *t, struct known *k, const float **liked,
                                    struct pal_error *err)
{
    const struct interactions *x = t->log;
    struct worth worth;
    struct sums s = {
        .decayed = arena_zero(&k->own, (size_t)KNOWN_HALVES * k->items, sizeof *s.decayed),
        .liked = arena_zero(&k->own, k->items, sizeof *s.liked),
        .all = arena_zero(&k->own, k->items, sizeof *s.all),
        .first = arena_zero(&k->own, k->items, sizeof *s.first),
    };
    float *popularity = arena_alloc(&k->own, (size_t)KNOWN_HALVES * k->items, sizeof *popularity);
    float *likes = arena_alloc(&k->own, k->items, sizeof *likes);
    if (!s.decayed || !s.liked || !s.all || !s.first || !popularity || !likes)
        return pal_no_memory(err);
    worth_init(&worth, t->weights, t->types);
    for (uint64_t i = 0; i < interactions_count(x); i++)
        count_event(k, &s, x->item[i],
                    worth_of(&worth, interactions_type(x, i), interactions_value(x, i)),
                    interactions_time(x, i));
    for (size_t h = 0; h < KNOWN_HALVES; h++)
        relate(s.decayed + h * k->items, k->items, popularity + h * k->items);
    for (uint32_t i = 0; i < k->items; i++)
        likes[i] = (s.liked[i] + 1) / (s.all[i] + 2);
    k->popularity = popularity;
    k->likes = likes;
    k->first_s = s.first;
    *liked = s.liked;
    return PAL_OK;
}

/* ---- from the catalog ---- */

static enum pal_status copy_labels(const struct labels *l, struct known *k, struct pal_error *err)
{
    uint64_t *start = arena_alloc(&k->own, (size_t)k->items + 1, sizeof *start), count = 0;
    uint32_t n;
    for (uint32_t i = 0; i < k->items; i++) {
        labels_at(l, i, &n);
        count += n;
    }
    uint32_t *label = arena_alloc(&k->own, count, sizeof *label);
    if (!start || !label)
        return pal_no_memory(err);
    start[0] = 0;
    for (uint32_t i = 0; i < k->items; i++) {
        const uint32_t *from = labels_at(l, i, &n);
        if (n)
            memcpy(label + start[i], from, n * sizeof *label);
        start[i + 1] = start[i] + n;
    }
    k->labels = l->names.count;
    k->start = start;
    k->label = label;
    return PAL_OK;
}

/* What everybody likes, by category. */
static enum pal_status count_labels(struct known *k, const float *liked, struct pal_error *err)
{
    float *common = arena_zero(&k->own, k->labels, sizeof *common);
    double all = 0;
    if (!common)
        return pal_no_memory(err);
    for (uint32_t i = 0; i < k->items; i++) {
        for (uint64_t j = k->start[i]; j < k->start[i + 1]; j++)
            common[k->label[j]] += liked[i];
        all += k->start[i] < k->start[i + 1] ? liked[i] : 0;
    }
    for (uint32_t l = 0; l < k->labels; l++)
        common[l] = (float)((common[l] + 1.0) / (all + k->labels));
    k->common = common;
    return PAL_OK;
}

/* Calls fn for each number at the top of an item's attributes. */
typedef enum pal_status number_fn(void *ctx, uint32_t item, const char *name, double value,
                                  struct pal_error *err);

static enum pal_status each_number(const struct items *items, number_fn *fn, void *ctx,
                                   struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; i < items->attributes.count && st == PAL_OK; i++) {
        const char *text = texts_at(&items->attributes, i), *name;
        json_t *value, *all = *text ? json_loads(text, 0, NULL) : NULL;
        json_object_foreach(all, name, value) if (st == PAL_OK && json_is_number(value)) st =
            fn(ctx, i, name, json_number_value(value), err);
        json_decref(all);
    }
    return st;
}

struct naming {
    struct intern names;
    uint32_t *count; /* (NAMES_MOST) items that have it */
};
enum { NAMES_MOST = 1024 };

static enum pal_status count_name(void *ctx, uint32_t item, const char *name, double value,
                                  struct pal_error *err)
{
    struct naming *n = ctx;
    uint32_t number = intern_find(&n->names, name, strlen(name));
    enum pal_status st = PAL_OK;
    if (number == INTERN_NONE && n->names.count == NAMES_MOST)
        return PAL_OK;
    if (number == INTERN_NONE)
        st = intern_add(&n->names, name, strlen(name), &number, err);
    if (st == PAL_OK)
        n->count[number]++;
    return st;
}

/* The most frequent names go to k->names; equal ones as they came. */
static enum pal_status choose_names(struct naming *n, struct known *k, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    while (k->names.count < KNOWN_NUMBERS && st == PAL_OK) {
        uint32_t best = 0, number;
        for (uint32_t i = 1; i < n->names.count; i++)
            if (n->count[i] > n->count[best])
                best = i;
        if (!n->names.count || n->count[best] < SHARE_LEAST * k->items || !n->count[best])
            break;
        n->count[best] = 0;
        st = intern_add(&k->names, intern_text(&n->names, best), intern_len(&n->names, best),
                        &number, err);
    }
    return st;
}

struct filling {
    const struct known *k;
    float *number;
};

static enum pal_status put_number(void *ctx, uint32_t item, const char *name, double value,
                                  struct pal_error *err)
{
    const struct filling *f = ctx;
    uint32_t which = intern_find(&f->k->names, name, strlen(name));
    if (which != INTERN_NONE && item < f->k->items && fabs(value) < 1e30)
        f->number[(size_t)which * f->k->items + item] = (float)value;
    return PAL_OK;
}

static enum pal_status read_numbers(const struct items *items, struct known *k,
                                    struct pal_error *err)
{
    struct naming n = {.count = arena_zero(&k->own, NAMES_MOST, sizeof *n.count)};
    enum pal_status st = n.count ? each_number(items, count_name, &n, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = choose_names(&n, k, err);
    intern_done(&n.names);
    if (st != PAL_OK)
        return st;
    size_t cells = (size_t)k->names.count * k->items;
    struct filling f = {k, arena_alloc(&k->own, cells, sizeof *f.number)};
    if (!f.number)
        return pal_no_memory(err);
    for (size_t i = 0; i < cells; i++)
        f.number[i] = NAN;
    k->number = f.number;
    return k->names.count ? each_number(items, put_number, &f, err) : PAL_OK;
}

enum pal_status known_make(const struct training *t, bool again, struct known *out,
                           struct pal_error *err)
{
    struct known k = {.items = t->items->ids.count, .at_s = newest(t->log)};
    const float *liked = NULL;
    enum pal_status st = count_events(t, &k, &liked, err);
    if (st == PAL_OK)
        st = copy_labels(&t->items->categories, &k, err);
    if (st == PAL_OK)
        st = count_labels(&k, liked, err);
    if (st == PAL_OK)
        st = alike_make(t->items, liked, &k.own, &k.kinds, err);
    if (st == PAL_OK)
        st = read_numbers(t->items, &k, err);
    if (st == PAL_OK && again)
        st = count_returns(t, &k, err);
    if (st != PAL_OK) {
        known_done(&k);
        return st;
    }
    *out = k;
    return PAL_OK;
}

void known_done(struct known *k)
{
    intern_done(&k->names);
    alike_done(&k->kinds);
    arena_done(&k->own);
    memset(k, 0, sizeof *k);
}

/* ---- files ---- */

enum pal_status known_save(const struct known *k, struct tensors_out *out, struct pal_error *err)
{
    uint32_t n = k->items;
    const struct {
        const char *name;
        enum tensor_type type;
        uint64_t rows, cols;
        const void *data;
    } all[] = {
        {"known.at", TENSOR_U32, 1, 0, &k->at_s},
        {"known.popularity", TENSOR_F32, KNOWN_HALVES, n, k->popularity},
        {"known.likes", TENSOR_F32, n, 0, k->likes},
        {"known.first", TENSOR_U32, n, 0, k->first_s},
        {"known.labels", TENSOR_U32, 1, 0, &k->labels},
        {"known.start", TENSOR_U64, (uint64_t)n + 1, 0, k->start},
        {"known.label", TENSOR_U32, k->start[n], 0, k->label},
        {"known.number", TENSOR_F32, (uint64_t)k->names.count * n, 0, k->number},
        {"known.common", TENSOR_F32, k->labels, 0, k->common},
    };
    enum pal_status st = tensors_meta(out, "palate.known", "2", err);
    if (st == PAL_OK && k->again) {
        st = tensors_meta(out, "palate.again", "yes", err);
        if (st == PAL_OK)
            st = tensors_add(out, "known.returned", TENSOR_F32, n, 0, k->returned, err);
        if (st == PAL_OK)
            st = tensors_add(out, "known.gap_days", TENSOR_F32, n, 0, k->gap_days, err);
    }
    if (st == PAL_OK)
        st = tensors_add_intern(out, "known.names", &k->names, err);
    if (st == PAL_OK)
        st = alike_save(&k->kinds, n, out, err);
    for (size_t i = 0; i < sizeof all / sizeof *all && st == PAL_OK; i++)
        st = tensors_add(out, all[i].name, all[i].type, all[i].rows, all[i].cols, all[i].data, err);
    return st;
}

static enum pal_status damaged(const struct tensors *file, const char *what, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "%s: %s: the file is damaged", tensors_path(file), what);
}

static enum pal_status check_numbers(const struct tensors *file, const struct known *k,
                                     uint64_t count, struct pal_error *err)
{
    for (size_t i = 0; i < (size_t)KNOWN_HALVES * k->items; i++)
        if (k->popularity[i] > 0)
            return damaged(file, "'known.popularity' is past the greatest", err);
    if (k->start[0] != 0 || k->start[k->items] != count)
        return damaged(file, "'known.start' does not fit 'known.label'", err);
    for (uint32_t i = 0; i < k->items; i++)
        if (k->start[i] > k->start[i + 1])
            return damaged(file, "'known.start' goes back", err);
    for (uint64_t i = 0; i < count; i++)
        if (k->label[i] >= k->labels)
            return damaged(file, "'known.label' names a category that there is not", err);
    return PAL_OK;
}

/* What files have since they say which version they are of. */
static enum pal_status load_common(const struct tensors *file, struct known *k,
                                   struct pal_error *err)
{
    if (!tensors_get_meta(file, "palate.known"))
        return PAL_OK;
    enum pal_status st = stored_floats_get(file, "known.common", k->labels, 0, &k->common, err);
    for (uint32_t i = 0; st == PAL_OK && i < k->labels; i++)
        if (!(k->common[i] > 0))
            st = damaged(file, "'known.common' is no share", err);
    return st == PAL_OK ? alike_load(file, k->items, &k->kinds, err) : st;
}

static enum pal_status load_returns(const struct tensors *file, struct known *k,
                                    struct pal_error *err)
{
    struct tensor gap;
    if (!tensors_get_meta(file, "palate.again"))
        return PAL_OK;
    enum pal_status st = stored_floats_get(file, "known.returned", k->items, 0, &k->returned, err);
    if (st == PAL_OK)
        st = tensors_get(file, "known.gap_days", TENSOR_F32, k->items, 0, &gap, err);
    if (st != PAL_OK)
        return st;
    k->again = true;
    k->gap_days = gap.data;
    return PAL_OK;
}

/* More categories than this are none of ours: each answer has a number for each. */
enum { LABELS_MOST = 1 << 22 };

enum pal_status known_load(const struct tensors *file, uint32_t items, struct known *out,
                           struct pal_error *err)
{
    struct tensor at, first, labels, start, label, number;
    struct known k = {.items = items};
    enum pal_status st = tensors_get_intern(file, "known.names", &k.names, err);
    if (st == PAL_OK && k.names.count > KNOWN_NUMBERS)
        st = damaged(file, "it has too many attributes", err);
    if (st == PAL_OK)
        st = tensors_get(file, "known.at", TENSOR_U32, 1, 0, &at, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "known.popularity", KNOWN_HALVES, items, &k.popularity, err);
    if (st == PAL_OK)
        st = stored_floats_get(file, "known.likes", items, 0, &k.likes, err);
    if (st == PAL_OK)
        st = tensors_get(file, "known.first", TENSOR_U32, items, 0, &first, err);
    if (st == PAL_OK)
        st = tensors_get(file, "known.labels", TENSOR_U32, 1, 0, &labels, err);
    if (st == PAL_OK)
        st = tensors_get(file, "known.start", TENSOR_U64, (uint64_t)items + 1, 0, &start, err);
    if (st == PAL_OK)
        st = tensors_get(file, "known.label", TENSOR_U32, UINT64_MAX, 0, &label, err);
    if (st == PAL_OK)
        st = tensors_get(file, "known.number", TENSOR_F32, (uint64_t)k.names.count * items, 0,
                         &number, err);
    if (st == PAL_OK) {
        k.at_s = *(const uint32_t *)at.data;
        k.first_s = first.data;
        k.labels = *(const uint32_t *)labels.data;
        k.start = start.data;
        k.label = label.data;
        k.number = number.data;
        st = k.labels > LABELS_MOST ? damaged(file, "it has too many categories", err)
                                    : check_numbers(file, &k, label.shape[0], err);
    }
    if (st == PAL_OK)
        st = load_common(file, &k, err);
    if (st == PAL_OK)
        st = load_returns(file, &k, err);
    if (st != PAL_OK) {
        known_done(&k);
        return st;
    }
    *out = k;
    return PAL_OK;
}
