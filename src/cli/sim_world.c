/* See sim_world.h. */
#include "cli/sim_world.h"

#include "base/mem.h"
#include "base/rng.h"
#include "cli/source.h"
#include "data/synth.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_world {
    struct dataset *d;
    struct world *hidden; /* NULL: what is known of is in `known` */
    uint32_t users;
    uint32_t *user;   /* (users) their numbers in the world or data set */
    struct csr known; /* (all users, items) signed weights */
    bool has_known;
    uint32_t now_s;
};

/* As many likes as 50 rounds of ten show, and little that has to be made: of what people did before
 * nothing is used. */
static enum pal_status invent(struct job *job, struct sim_world *w, uint32_t users,
                              struct pal_error *err)
{
    struct synth_options o;
    opt_defaults(&synth_table, &o);
    o.users = o.events = users;
    o.items = 3000;
    o.liked = 0.2;
    for (size_t i = 0; i < job->set_count; i++) {
        const char *text = job->sets[i].text;
        char name[64];
        size_t len = strcspn(text, "=");
        if (strncmp(text, "synth.", 6) != 0 || len < 6 || len - 6 >= sizeof name)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len - 6), text + 6);
        enum pal_status st = opt_set(&synth_table, &o, name, text + len + (text[len] == '='), err);
        if (st)
            return pal_within(err, st, "--set %s", text);
    }
    enum pal_status st = world_new(&o, job->run.seed, &job->run, &w->hidden, err);
    return st ? st : world_dataset(w->hidden, &w->d, err);
}

static enum pal_status read_known(struct job *job, struct sim_world *w, struct pal_error *err)
{
    struct weights weights;
    const char *text;
    struct training t;
    enum pal_status st = source_weights(job, w->d, &weights, &text, err);
    if (!st)
        st = training_make(w->d, &w->d->all, &weights, &job->run, &t, err);
    if (st)
        return st;
    w->known = t.by_user; /* taken over */
    w->has_known = true;
    return PAL_OK;
}

struct fan {
    uint32_t user, likes;
};

static int by_likes(const void *a, const void *b)
{
    const struct fan *x = a, *y = b;
    if (x->likes != y->likes)
        return x->likes > y->likes ? -1 : 1;
    return (x->user > y->user) - (x->user < y->user);
}

/* An invented world's people all like enough. */
static uint32_t likes_of(const struct sim_world *w, uint32_t user)
{
    uint32_t likes = 0;
    if (w->hidden)
        return UINT32_MAX;
    for (uint64_t i = w->known.start[user]; i < w->known.start[user + 1]; i++)
        likes += w->known.val[i] > 0;
    return likes;
}

static enum pal_status choose_users(struct sim_world *w, uint32_t most, size_t likes, uint64_t seed,
                                    struct pal_error *err)
{
    uint32_t all = w->d->all.users, fit = 0;
    struct rng rng;
    w->user = mem_alloc(all, sizeof *w->user);
    struct fan *fan = mem_alloc(all, sizeof *fan);
    if (!w->user || !fan) {
        mem_free(fan);
        return pal_no_memory(err);
    }
    for (uint32_t u = 0; u < all; u++)
        fan[u] = (struct fan){u, likes_of(w, u)};
    qsort(fan, all, sizeof *fan, by_likes);
    while (fit < all && fan[fit].likes >= likes)
        fit++;
    if (fit < most)
        fit = all < most ? all : most;
    for (uint32_t u = 0; u < fit; u++)
        w->user[u] = fan[u].user;
    rng_init(&rng, seed, 0);
    rng_shuffle(&rng, w->user, fit);
    w->users = fit < most ? fit : most;
    mem_free(fan);
    return PAL_OK;
}

enum pal_status sim_world_new(struct job *job, uint32_t users, size_t likes, struct sim_world **out,
                              struct pal_error *err)
{
    struct sim_world *w = mem_zero(1, sizeof *w);
    bool invented = !job_given(job, "data") || source_is_synthetic(job->set.data);
    if (!w)
        return pal_no_memory(err);
    enum pal_status st = invented ? invent(job, w, users, err) : source_load(job, NULL, &w->d, err);
    if (!st && !invented)
        st = read_known(job, w, err);
    if (!st)
        st = choose_users(w, users, likes, job->run.seed, err);
    if (st) {
        sim_world_free(w);
        return st;
    }
    for (uint64_t i = 0; i < interactions_count(&w->d->all); i++)
        if (interactions_time(&w->d->all, i) > w->now_s)
            w->now_s = interactions_time(&w->d->all, i);
    *out = w;
    return PAL_OK;
}

void sim_world_free(struct sim_world *w)
{
    if (!w)
        return;
    if (w->has_known)
        csr_done(&w->known);
    mem_free(w->user);
    dataset_free(w->d);
    world_free(w->hidden);
    mem_free(w);
}

const char *sim_world_name(const struct sim_world *w)
{
    return w->d->name;
}

bool sim_world_invented(const struct sim_world *w)
{
    return w->hidden != NULL;
}

const struct items *sim_world_items(const struct sim_world *w)
{
    return &w->d->items;
}

uint32_t sim_world_users(const struct sim_world *w)
{
    return w->users;
}

float sim_world_preference(const struct sim_world *w, uint32_t user, uint32_t item)
{
    uint32_t u = w->user[user];
    if (w->hidden)
        return world_preference(w->hidden, u, item, w->now_s);
    uint64_t low = w->known.start[u], high = w->known.start[u + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (w->known.col[middle] == item)
            return w->known.val[middle] - 0.5f;
        if (w->known.col[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

enum opinion sim_world_opinion(const struct sim_world *w, uint32_t user, uint32_t item)
{
    float x = sim_world_preference(w, user, item);
    return x > 0 ? LIKES : x < 0 ? DISLIKES : UNDECIDED;
}
