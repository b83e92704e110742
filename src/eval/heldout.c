/* See heldout.h. One pass over the held-out part; a stamp per item says whether the user in hand
 * had it before or whether it was counted already. */
#include "eval/heldout.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void find_had(const struct split *s, const struct eval_options *o, struct heldout *h)
{
    if (o->again)
        return;
    h->had[h->had_count++] = &s->train;
    if (s->given.start)
        h->had[h->had_count++] = &s->given;
    if (o->part == EVAL_TEST && s->valid.start)
        h->had[h->had_count++] = &s->valid;
}

const struct interactions *heldout_history(const struct split *s, uint32_t user)
{
    const struct interactions *g = &s->given;
    return g->start && g->start[user + 1] > g->start[user] ? g : &s->train;
}

void heldout_done(struct heldout *h)
{
    mem_free(h->user);
    mem_free(h->start);
    mem_free(h->item);
    mem_free(h->rated);
    mem_free(h->rating);
    memset(h, 0, sizeof *h);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

struct scan {
    const struct dataset *d;
    const struct weights *weights;
    double relevant_from;
    int rating_type; /* -1: none, or nobody asked */
    uint32_t *stamp; /* (items) 2 u + 2: user u had it; 2 u + 1: found; so users < 2^31 */
};

/* Appends user u's row to h, if there is anything in it. */
static void scan_user(const struct scan *c, uint32_t u, struct heldout *h)
{
    const struct interactions *x = h->part;
    uint32_t found = 2 * u + 1, had = 2 * u + 2;
    if (x->start[u] == x->start[u + 1])
        return;
    for (size_t p = 0; p < h->had_count; p++)
        for (uint64_t i = h->had[p]->start[u]; i < h->had[p]->start[u + 1]; i++)
            if (heldout_counts(h, h->had[p], i))
                c->stamp[h->had[p]->item[i]] = had;
    uint64_t begin = h->start[h->users], n = begin;
    uint64_t rated_begin = h->rated ? h->rated[h->users] : 0, rated = rated_begin;
    for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
        uint32_t item = x->item[i];
        uint8_t type = interactions_type(x, i);
        if (c->stamp[item] == had)
            continue;
        if (h->rated && type == c->rating_type)
            h->rating[rated++] = i;
        float weight = weights_of(c->weights, c->d->types.name[type], interactions_value(x, i));
        if (c->stamp[item] == found || !heldout_counts(h, x, i) ||
            (h->target < 0 ? weight < c->relevant_from : weight <= 0))
            continue;
        c->stamp[item] = found;
        h->item[n++] = item;
    }
    if (n == begin && rated == rated_begin)
        return;
    qsort(h->item + begin, n - begin, sizeof *h->item, ascending);
    h->ranked += n > begin;
    h->user[h->users++] = u;
    h->start[h->users] = n;
    if (h->rated)
        h->rated[h->users] = rated;
}

/* The number of the type that is to be found. */
static enum pal_status find_target(const struct dataset *d, const char *name, int *target,
                                   struct pal_error *err)
{
    char names[256] = "";
    size_t used = 0;
    *target = -1;
    if (!name)
        return PAL_OK;
    for (size_t i = 0; i < d->types.count; i++) {
        if (strcmp(d->types.name[i], name) == 0)
            *target = (int)i;
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                     d->types.name[i]);
    }
    if (*target >= 0)
        return PAL_OK;
    return pal_fail(err, PAL_EUSAGE, "no event of %s is of type '%s': its types are %s", d->name,
                    name, names);
}

enum pal_status heldout_make(const struct dataset *d, const struct split *s,
                             const struct weights *w, const struct eval_options *o, bool ratings,
                             struct heldout *out, struct pal_error *err)
{
    bool test = o->part == EVAL_TEST;
    struct heldout h = {.part = test ? &s->test : &s->valid};
    uint64_t n = interactions_count(h.part);
    if (n == 0)
        return pal_fail(err, PAL_EUNSUPPORTED, "split %s has no %s part to judge by", s->spec,
                        test ? "test" : "validation");
    enum pal_status st = find_target(d, o->target, &h.target, err);
    if (st != PAL_OK)
        return st;
    find_had(s, o, &h);
    uint32_t users = h.part->users;
    struct scan c = {d, w, o->relevant_from, ratings ? event_type_rating(&d->types) : -1, NULL};
    c.stamp = mem_zero(h.part->items, sizeof *c.stamp);
    h.user = mem_alloc(users, sizeof *h.user);
    h.start = mem_zero((size_t)users + 1, sizeof *h.start);
    h.item = mem_alloc(n, sizeof *h.item);
    if (!c.stamp || !h.user || !h.start || !h.item)
        st = pal_no_memory(err);
    if (st == PAL_OK && ratings) {
        h.rated = mem_zero((size_t)users + 1, sizeof *h.rated);
        h.rating = mem_alloc(n, sizeof *h.rating);
        if (!h.rated || !h.rating)
            st = pal_no_memory(err);
    }
    for (uint32_t u = 0; st == PAL_OK && u < users; u++)
        scan_user(&c, u, &h);
    if (st == PAL_OK && h.users == 0)
        st =
            pal_fail(err, PAL_EUNSUPPORTED,
                     "split %s: no user has an item in the %s part that counts as relevant (weight "
                     "%g or more)%s",
                     s->spec, test ? "test" : "validation", o->relevant_from,
                     o->again ? "" : " and that they did not have before");
    if (st == PAL_OK) {
        *out = h;
        memset(&h, 0, sizeof h);
    }
    heldout_done(&h);
    mem_free(c.stamp);
    return st;
}
