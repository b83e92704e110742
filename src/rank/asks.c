/* See asks.h. Users are worked on in parallel, each moment writing to a place of its own; the
 * moments without a like among the candidates, which teach nothing, are taken out at the end. */
#include "rank/asks.h"
#include "rank/prove.h"

#include "base/mem.h"
#include "base/rng.h"
#include "model/worth.h"

#include <math.h>
#include <string.h>

enum { GRAIN = 8, SLAB = 512, HELD_OUT = 5 };

static const float RELEVANT = 0.5f;

/* What one thread works in. */
struct lane {
    struct arena tmp;
    uint8_t *had; /* (items) the user in hand had it before the moment */
    enum pal_status status;
    size_t failed_at;
    struct pal_error err;
};

struct asking {
    const struct asks_plan *p;
    struct worth worth;
    int rates;      /* the number of the event type "rating", or -1 */
    uint32_t *user; /* (users) with something in the later part */
    size_t users, offset, features;
    struct asked *asked; /* (users, per_user) */
    struct lane *lane;
};

/* The user's events as one list: n of them from the early part, the others from the later. */
struct past {
    uint32_t *item;
    float *worth;
    float *rating; /* NAN where an event is none; NULL = none is */
    uint32_t *time_s;
    size_t early, all;
};

static enum pal_status read_past(const struct asking *a, uint32_t user, struct arena *tmp,
                                 struct past *out, struct pal_error *err)
{
    const struct interactions *x[2] = {a->p->early->log, a->p->later};
    size_t n[2], at = 0;
    for (int i = 0; i < 2; i++)
        n[i] = (size_t)(x[i]->start[user + 1] - x[i]->start[user]);
    *out = (struct past){.early = n[0], .all = n[0] + n[1]};
    out->item = arena_alloc(tmp, out->all, sizeof *out->item);
    out->worth = arena_alloc(tmp, out->all, sizeof *out->worth);
    out->rating = a->rates < 0 ? NULL : arena_alloc(tmp, out->all, sizeof *out->rating);
    out->time_s = arena_alloc(tmp, out->all, sizeof *out->time_s);
    if (!out->item || !out->worth || !out->time_s || (a->rates >= 0 && !out->rating))
        return pal_no_memory(err);
    for (int i = 0; i < 2; at += n[i], i++) {
        if (!n[i])
            continue;
        memcpy(out->item + at, x[i]->item + x[i]->start[user], n[i] * sizeof *out->item);
        worth_of_range(&a->worth, x[i], x[i]->start[user], n[i], out->worth + at);
        memcpy(out->time_s + at, x[i]->time_s + x[i]->start[user], n[i] * sizeof *out->time_s);
        for (size_t j = 0; out->rating && j < n[i]; j++) {
            uint64_t event = x[i]->start[user] + j;
            bool rates = interactions_type(x[i], event) == a->rates;
            out->rating[at + j] = rates ? interactions_value(x[i], event) : NAN;
        }
    }
    return PAL_OK;
}

/* The history before event `at`, which is when it is asked. */
static enum pal_status history_before(const struct past *past, size_t at, struct arena *tmp,
                                      struct history *out, struct pal_error *err)
{
    const struct history_events in = {.item = past->item,
                                      .weight = past->worth,
                                      .rating = past->rating,
                                      .n = at,
                                      .time_s = past->time_s};
    enum pal_status st = history_make(&in, tmp, out, err);
    if (st != PAL_OK)
        return st;
    out->now_s = past->time_s[at];
    out->last_s = at ? past->time_s[at - 1] : 0;
    return PAL_OK;
}

/* label (known->items): what is liked from event `at` on and was not had before (NULL = or was). */
static void mark_likes(const struct past *past, size_t at, const uint8_t *had, float *label)
{
    for (size_t i = at; i < past->all; i++) {
        float is = past->worth[i] >= RELEVANT ? 2.0f : past->worth[i] > 0 ? 1.0f : 0.0f;
        float *to = &label[past->item[i]];
        if ((!had || !had[past->item[i]]) && is > *to)
            *to = is;
    }
}

/* Takes what the candidates are like, and how it went on, out of the arena. */
static enum pal_status keep_list(const struct asking *a, const struct rank_view *v,
                                 const float *label, struct arena *tmp, struct asked *out,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    size_t likes = 0;
    for (size_t i = 0; i < v->count; i++)
        likes += label[v->item[i]] > 0;
    if (!likes || likes == v->count)
        return PAL_OK;
    out->x = mem_alloc(a->features * v->count, sizeof *out->x);
    out->base = mem_alloc(rank_bases(v->sources) * v->count, sizeof *out->base);
    out->label = mem_alloc(v->count, sizeof *out->label);
    if (!out->x || !out->base || !out->label)
        return pal_no_memory(err);
    features_fill(v, out->x, v->count);
    for (size_t s = 0; s < rank_bases(v->sources) && st == PAL_OK; s++)
        st = rank_base(v, s, tmp, out->base + s * v->count, err);
    for (size_t i = 0; i < v->count; i++)
        out->label[i] = label[v->item[i]];
    out->rows = (uint32_t)v->count;
    out->at_s = v->history->now_s;
    return st;
}

static enum pal_status ask_at(const struct asking *a, uint32_t user, const struct past *past,
                              size_t at, struct lane *lane, struct asked *out,
                              struct pal_error *err)
{
    const struct asks_plan *p = a->p;
    struct rank_list *list = arena_zero(&lane->tmp, p->sources, sizeof *list);
    float *label = arena_zero(&lane->tmp, p->known->items, sizeof *label);
    struct history h;
    struct rank_view view;
    if (!list || !label)
        return pal_no_memory(err);
    for (size_t i = 0; i < at; i++)
        lane->had[past->item[i]] = 1;
    enum pal_status st = history_before(past, at, &lane->tmp, &h, err);
    if (st == PAL_OK && lists_liked(&h))
        st = lists_ask(p->source, p->sources, &h, p->again ? NULL : lane->had, p->quota, &lane->tmp,
                       list, err);
    if (st == PAL_OK)
        st = rank_view_make(p->known, &h, list, p->sources, &lane->tmp, &view, err);
    if (st == PAL_OK && p->whole && lists_liked(&h))
        st = rank_view_complete(&view, p->source, &lane->tmp, err);
    if (st == PAL_OK) {
        mark_likes(past, at, p->again ? NULL : lane->had, label);
        st = keep_list(a, &view, label, &lane->tmp, out, err);
    }
    for (size_t i = 0; i < at; i++)
        lane->had[past->item[i]] = 0;
    return st;
}

static enum pal_status ask_user(const struct asking *a, size_t which, struct lane *lane,
                                struct pal_error *err)
{
    uint32_t user = a->user[which];
    struct past past;
    arena_reset(&lane->tmp);
    enum pal_status st = read_past(a, user, &lane->tmp, &past, err);
    if (st != PAL_OK)
        return st;
    size_t later = past.all - past.early, moments = a->p->per_user;
    moments = moments < later ? moments : later;
    for (size_t k = 0; k < moments && st == PAL_OK; k++) {
        struct asked *out = &a->asked[which * a->p->per_user + k];
        out->user = user;
        st = ask_at(a, user, &past, past.early + later * k / moments, lane, out, err);
    }
    return st;
}

static void ask_users(void *ctx, size_t begin, size_t end, unsigned worker)
{
    struct asking *a = ctx;
    struct lane *lane = &a->lane[worker];
    for (size_t i = a->offset + begin; i < a->offset + end; i++) {
        struct pal_error err = {0};
        enum pal_status st = ask_user(a, i, lane, &err);
        if (st && (!lane->status || i < lane->failed_at)) {
            lane->status = st;
            lane->failed_at = i;
            lane->err = err;
        }
    }
}

/* Users with something in the later part, at random no more than there is room for. */
static enum pal_status choose_users(struct asking *a, struct pal_error *err)
{
    const struct interactions *x = a->p->later;
    size_t most = a->p->most / a->p->per_user;
    struct rng rng;
    a->user = mem_alloc(x->users, sizeof *a->user);
    if (!a->user)
        return pal_no_memory(err);
    for (uint32_t u = 0; u < x->users; u++)
        if (x->start[u] < x->start[u + 1])
            a->user[a->users++] = u;
    most = most ? most : 1;
    if (a->users <= most)
        return PAL_OK;
    /* each of the rest is taken with the chance that as many as are wanted are left to take */
    size_t kept = 0;
    rng_init(&rng, a->p->seed, 0);
    for (size_t i = 0; i < a->users; i++)
        if (rng_below(&rng, a->users - i) < most - kept)
            a->user[kept++] = a->user[i];
    a->users = kept;
    return PAL_OK;
}

static enum pal_status ask_all(struct asking *a, const struct run *run, struct pal_error *err)
{
    struct pool *pool = run ? run->pool : NULL;
    enum pal_status st = PAL_OK;
    for (; a->offset < a->users && st == PAL_OK; a->offset += SLAB) {
        size_t n = a->users - a->offset < SLAB ? a->users - a->offset : SLAB, first = SIZE_MAX;
        st = run_step(run, "asking the sources", a->offset, a->users, err);
        if (st != PAL_OK)
            return st;
        pool_for(pool, n, GRAIN, ask_users, a);
        for (unsigned i = 0; i < pool_size(pool); i++)
            if (a->lane[i].status && a->lane[i].failed_at < first) {
                first = a->lane[i].failed_at;
                st = a->lane[i].status;
                if (err)
                    *err = a->lane[i].err;
            }
    }
    return st;
}

/* What there is goes to *out, whatever else happens. */
static void hand_over(struct asking *a, struct asks *out)
{
    size_t kept = 0;
    for (size_t i = 0; a->asked && i < a->users * a->p->per_user; i++) {
        if (a->asked[i].label) {
            a->asked[kept++] = a->asked[i];
        } else {
            mem_free(a->asked[i].x);
            mem_free(a->asked[i].base);
        }
    }
    *out = (struct asks){kept, a->features, a->p->sources, a->asked};
}

enum pal_status asks_make(const struct asks_plan *p, const struct run *run, struct asks *out,
                          struct pal_error *err)
{
    unsigned threads = pool_size(run ? run->pool : NULL);
    struct asking a = {.p = p, .rates = -1, .features = features_count(p->known, p->sources)};
    struct asks made;
    worth_init(&a.worth, p->early->weights, p->early->types);
    for (size_t i = 0; i < p->early->types->count; i++)
        if (strcmp(p->early->types->name[i], "rating") == 0)
            a.rates = (int)i;
    enum pal_status st = choose_users(&a, err);
    a.asked = mem_zero(a.users * p->per_user, sizeof *a.asked);
    a.lane = mem_zero(threads, sizeof *a.lane);
    if (st == PAL_OK && (!a.asked || !a.lane))
        st = pal_no_memory(err);
    for (unsigned i = 0; i < threads && st == PAL_OK; i++)
        if (!(a.lane[i].had = mem_zero(p->known->items, 1)))
            st = pal_no_memory(err);
    if (st == PAL_OK)
        st = ask_all(&a, run, err);
    for (unsigned i = 0; a.lane && i < threads; i++) {
        arena_done(&a.lane[i].tmp);
        mem_free(a.lane[i].had);
    }
    mem_free(a.lane);
    mem_free(a.user);
    hand_over(&a, &made);
    if (st == PAL_OK)
        *out = made;
    else
        asks_done(&made);
    return st;
}

enum pal_status asks_append(struct asks *to, struct asks *from, struct pal_error *err)
{
    size_t all = to->count + from->count;
    struct asked *both = mem_resize(to->asked, all ? all : 1, sizeof *both);
    if (!both)
        return pal_no_memory(err);
    if (from->count)
        memcpy(both + to->count, from->asked, from->count * sizeof *both);
    mem_free(from->asked);
    *to = (struct asks){all, from->features, from->sources, both};
    memset(from, 0, sizeof *from);
    return PAL_OK;
}

void asks_done(struct asks *a)
{
    for (size_t i = 0; i < a->count; i++) {
        mem_free(a->asked[i].x);
        mem_free(a->asked[i].base);
        mem_free(a->asked[i].label);
    }
    mem_free(a->asked);
    memset(a, 0, sizeof *a);
}

static bool belongs(const struct asked *x, bool held_out)
{
    return (x->user % HELD_OUT == HELD_OUT - 1) == held_out;
}

size_t asks_best_base(const struct asks *a)
{
    size_t best = 0;
    double most = -1;
    for (size_t base = 0; base < a->sources + 2; base++) {
        double sum = 0;
        for (size_t i = 0; i < a->count; i++)
            sum += ndcg_at_10(a->asked[i].label, a->asked[i].base + base * a->asked[i].rows,
                              a->asked[i].rows);
        if (sum >= most) {
            most = sum;
            best = base;
        }
    }
    return best;
}

/* What is being written of lists. */
struct writing {
    float *x, *label, *base;
    uint32_t *count;
};

static void write_list(const struct asked *from, size_t features, size_t base, struct writing *w)
{
    for (uint32_t row = 0; row < from->rows; row++)
        for (size_t f = 0; f < features; f++)
            *w->x++ = from->x[f * from->rows + row];
    memcpy(w->label, from->label, from->rows * sizeof *w->label);
    memcpy(w->base, from->base + base * from->rows, from->rows * sizeof *w->base);
    w->label += from->rows;
    w->base += from->rows;
    *w->count++ = from->rows;
}

/* The lists behind the first `lists` with `rows`, which are of `head`. */
static struct boost_lists behind(const struct boost_lists *all, const struct boost_lists *head)
{
    return (struct boost_lists){.lists = all->lists - head->lists,
                                .rows = all->rows - head->rows,
                                .features = all->features,
                                .x = all->x + head->rows * all->features,
                                .label = all->label + head->rows,
                                .base = all->base + head->rows,
                                .count = all->count + head->lists};
}

enum pal_status asks_lists(const struct asks *a, size_t base, struct arena *keep,
                           struct asks_parts *out, struct pal_error *err)
{
    struct boost_lists all = {.lists = a->count, .features = a->features};
    for (size_t i = 0; i < a->count; i++)
        all.rows += a->asked[i].rows;
    struct writing w = {.x = arena_alloc(keep, all.rows * all.features, sizeof *w.x),
                        .label = arena_alloc(keep, all.rows, sizeof *w.label),
                        .base = arena_alloc(keep, all.rows, sizeof *w.base),
                        .count = arena_alloc(keep, all.lists, sizeof *w.count)};
    if (!w.x || !w.label || !w.base || !w.count)
        return pal_no_memory(err);
    all.x = w.x;
    all.label = w.label;
    all.base = w.base;
    all.count = w.count;
    struct boost_lists train = all;
    train.lists = train.rows = 0;
    for (int held = 0; held < 2; held++)
        for (size_t i = 0; i < a->count; i++) {
            if (!belongs(&a->asked[i], held))
                continue;
            write_list(&a->asked[i], all.features, base, &w);
            train.lists += !held;
            train.rows += held ? 0 : a->asked[i].rows;
        }
    *out = (struct asks_parts){all, train, behind(&all, &train)};
    return PAL_OK;
}
