/* See synth.h. How a world works:
 *
 * Films. Each genre is a random direction in the latent space; a film lies near the mean of its one
 * to three genres. Its quality is normal; films are ordered by quality plus a little luck, and the
 * one at place n gets a share of the audience in proportion to (n + 30)^-1/2.
 *
 * Users. A taste is a direction near one to three favourite genres. Each user has two, at a right
 * angle, and turns from the first towards the second over the world's time (drift).
 *
 * Preference. 4 * cosine(taste, film) + quality - offset; the offset is such that 7 % of all pairs
 * (by default) are above 0, which is a like.
 *
 * Events. How many a user has is log-normal. For each, the user is shown CHOICES films that they
 * have not met, drawn by audience, and picks one by softmax over twice the preference (a discrete
 * choice model: exposure is popularity times taste). What they then say is their preference plus
 * noise: above 0 a like, below -2 a dislike, else only a view. So the audience falls off more
 * steeply than the shares, and about half of the events are likes and a tenth dislikes.
 *
 * The numbers were chosen so that, by default, Precision@10 over held-out likes (60/20/20) is about
 * .01 for random, .18 for popular, .40 for EASE and iALS and .44 for the true preference.
 *
 * Every film, user and history has a stream of random numbers of its own; threads change nothing.
 */
#include "data/synth.h"

#include "base/mem.h"
#include "base/rng.h"
#include "data/synth_films.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHOICES = 32, GRAIN = 64, MAX_LATENT = 256, SLAB = 1 << 11 };

#define FIELD(name) offsetof(struct synth_options, name)

static const struct opt rows[] = {
    {"users", OPT_INT, FIELD(users), "2000", 1, 1e8, OPT_LOG, NULL, "how many users"},
    {"items", OPT_INT, FIELD(items), "1500", 10, 1e7, OPT_LOG, NULL, "how many films"},
    {"events", OPT_INT, FIELD(events), "200000", 1, 2e9, OPT_LOG, NULL,
     "how many views, likes and dislikes, about"},
    {"genres", OPT_INT, FIELD(genres), "18", 1, FILM_GENRES, OPT_LINEAR, NULL, "how many genres"},
    {"latent", OPT_INT, FIELD(latent), "12", 2, MAX_LATENT, OPT_LOG2, NULL,
     "length of the hidden vectors of taste"},
    {"drift", OPT_REAL, FIELD(drift), "0.3", 0, 4, OPT_LINEAR, NULL,
     "how far tastes turn, in quarter turns"},
    {"noise", OPT_REAL, FIELD(noise), "0.7", 0, 10, OPT_LINEAR, NULL,
     "standard deviation of a single opinion"},
    {"liked", OPT_REAL, FIELD(liked), "0.07", 0.001, 0.9, OPT_LOG, NULL,
     "share of all films that a user likes"},
    {"days", OPT_INT, FIELD(days), "730", 1, 10000, OPT_LOG, NULL,
     "how many days the events span, from 2023 on"},
};
const struct opt_table synth_table = {rows, sizeof rows / sizeof *rows};

enum { TYPE_VIEW, TYPE_LIKE, TYPE_DISLIKE };
static const uint32_t begin_s = 1672531200; /* 2023-01-01 */
static const float taste_pull = 4, quality_pull = 1, choice_pull = 2, dislike_at = -2;

/* Streams of random numbers: one per thing that is made. */
static const uint64_t of_genres = 1, of_films = 2, of_places = 3, of_offset = 4, of_people = 5,
                      of_users = 1ull << 34, of_events = 2ull << 34, of_counts = 3ull << 34;

/* Vose's alias method: draws from a discrete distribution in constant time. */
struct alias {
    float *keep;     /* (n) chance to stay at a column */
    uint32_t *other; /* (n) where to go else */
};

struct world {
    struct synth_options o;
    uint64_t seed;
    uint32_t span_s;
    uint32_t latent; /* o.latent */
    float offset;
    float *genre;   /* (genres, latent) unit vectors */
    float *item;    /* (items, latent) unit vectors */
    float *quality; /* (items) */
    float *taste;   /* (users, 2, latent): unit vectors at a right angle */
    struct alias audience;
    uint32_t *seen;       /* (threads, items) 1 + the user who met it, while events are made */
    struct dataset *data; /* until it is handed over */
    uint32_t first_user;  /* of the slab in work */
};

static enum pal_status make_films(struct world *w, struct pal_error *err);
static enum pal_status make_audience(struct world *w, struct pal_error *err);
static enum pal_status make_users(struct world *w, struct pal_error *err);
static void find_offset(struct world *w);
static enum pal_status make_events(struct world *w, const struct run *run, struct pal_error *err);

void world_free(struct world *w)
{
    if (!w)
        return;
    mem_free(w->genre);
    mem_free(w->item);
    mem_free(w->quality);
    mem_free(w->taste);
    mem_free(w->audience.keep);
    mem_free(w->audience.other);
    mem_free(w->seen);
    dataset_free(w->data);
    mem_free(w);
}

static enum pal_status check(const struct synth_options *o, struct pal_error *err)
{
    double most = (double)o->users * (double)o->items / 2;
    if ((double)o->events > most)
        return pal_fail(err, PAL_EUSAGE,
                        "events = %lld are too many for %lld users and %lld items: at most half of "
                        "all pairs, %.0f",
                        (long long)o->events, (long long)o->users, (long long)o->items, most);
    return PAL_OK;
}

enum pal_status world_new(const struct synth_options *o, uint64_t seed, const struct run *run,
                          struct world **out, struct pal_error *err)
{
    enum pal_status st = check(o, err);
    if (st)
        return st;
    struct world *w = mem_zero(1, sizeof *w);
    if (!w)
        return pal_no_memory(err);
    w->o = *o;
    w->seed = seed;
    w->latent = (uint32_t)o->latent;
    w->span_s = (uint32_t)o->days * 86400u;
    w->data = dataset_new();
    if (!w->data)
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = run_step(run, "inventing", 0, (uint64_t)o->users, err);
    if (st == PAL_OK)
        st = make_films(w, err);
    if (st == PAL_OK)
        st = make_audience(w, err);
    if (st == PAL_OK)
        st = make_users(w, err);
    if (st == PAL_OK) {
        find_offset(w);
        st = make_events(w, run, err);
    }
    if (st == PAL_OK)
        *out = w;
    else
        world_free(w);
    return st;
}

enum pal_status world_dataset(struct world *w, struct dataset **out, struct pal_error *err)
{
    if (!w->data)
        return pal_fail(err, PAL_EUSAGE, "this world's data set was handed over before");
    *out = w->data;
    w->data = NULL;
    return PAL_OK;
}

/* ---- vectors ---- */

static float dot(const float *x, const float *y, uint32_t n)
{
    float sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Makes x a unit vector; one too short to have a direction gets the first axis. */
static void unit(float *x, uint32_t n)
{
    float length = sqrtf(dot(x, x, n));
    if (length < 1e-6f) {
        memset(x, 0, n * sizeof *x);
        x[0] = length = 1;
    }
    for (uint32_t i = 0; i < n; i++)
        x[i] /= length;
}

/* A unit vector near the mean of some genres: the first counts double. spread: the length of what
 * is its own. */
static void near_genres(const struct world *w, const uint32_t *genre, uint32_t count, float spread,
                        struct rng *r, float *x)
{
    float own = spread / sqrtf((float)w->latent);
    for (uint32_t i = 0; i < w->latent; i++)
        x[i] = own * (float)rng_normal(r);
    for (uint32_t g = 0; g < count; g++) {
        const float *direction = w->genre + (size_t)genre[g] * w->latent;
        for (uint32_t i = 0; i < w->latent; i++)
            x[i] += direction[i] * (g == 0 ? 1.0f : 0.5f);
    }
    unit(x, w->latent);
}

/* Up to FILM_GENRES_MAX distinct genres; those at the head of the list are the most common. */
static uint32_t draw_genres(const struct world *w, struct rng *r, uint32_t genre[FILM_GENRES_MAX])
{
    uint32_t want = 1 + (uint32_t)rng_below(r, FILM_GENRES_MAX), n = 0;
    for (int tries = 0; n < want && tries < 20; tries++) {
        double x = rng_real(r);
        uint32_t g = (uint32_t)((double)w->o.genres * x * sqrt(x));
        bool known = false;
        for (uint32_t i = 0; i < n; i++)
            known |= genre[i] == g;
        if (!known)
            genre[n++] = g;
    }
    return n;
}

/* ---- films ---- */

static enum pal_status make_films(struct world *w, struct pal_error *err)
{
    size_t items = (size_t)w->o.items, latent = w->latent;
    w->genre = mem_alloc((size_t)w->o.genres * latent, sizeof *w->genre);
    w->item = mem_alloc(items * latent, sizeof *w->item);
    w->quality = mem_alloc(items, sizeof *w->quality);
    if (!w->genre || !w->item || !w->quality)
        return pal_no_memory(err);
    struct rng r;
    rng_init(&r, w->seed, of_genres);
    for (int64_t g = 0; g < w->o.genres; g++) {
        for (uint32_t i = 0; i < latent; i++)
            w->genre[(size_t)g * latent + i] = (float)rng_normal(&r);
        unit(w->genre + (size_t)g * latent, w->latent);
    }
    rng_init(&r, w->seed, of_films);
    struct titles titles = {0};
    enum pal_status st = PAL_OK;
    for (size_t i = 0; st == PAL_OK && i < items; i++) {
        uint32_t genre[FILM_GENRES_MAX], n = draw_genres(w, &r, genre);
        near_genres(w, genre, n, .6f, &r, w->item + i * latent);
        w->quality[i] = (float)rng_normal(&r);
        st = film_invent(&titles, genre, n, &r, &w->data->items, err);
    }
    titles_done(&titles);
    return st;
}

struct place {
    float merit;
    uint32_t item;
};

static int by_merit(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->merit != y->merit)
        return x->merit > y->merit ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* keep holds the weights on entry (sum n) and becomes the chances. todo: (n) scratch. */
static void make_alias(struct alias *a, uint32_t n, uint32_t *todo)
{
    uint32_t small = 0, large = n; /* light columns from the front, heavy ones from the back */
    for (uint32_t i = 0; i < n; i++) {
        a->other[i] = i;
        if (a->keep[i] < 1)
            todo[small++] = i;
        else
            todo[--large] = i;
    }
    while (small > 0 && large < n) {
        uint32_t light = todo[--small], heavy = todo[large];
        a->other[light] = heavy;
        a->keep[heavy] -= 1 - a->keep[light];
        if (a->keep[heavy] < 1) {
            large++;
            todo[small++] = heavy;
        }
    }
    while (small > 0) /* what rounding left */
        a->keep[todo[--small]] = 1;
    while (large < n)
        a->keep[todo[large++]] = 1;
}

static enum pal_status make_audience(struct world *w, struct pal_error *err)
{
    uint32_t n = (uint32_t)w->o.items;
    struct place *place = mem_alloc(n, sizeof *place);
    uint32_t *todo = mem_alloc(n, sizeof *todo);
    w->audience.keep = mem_alloc(n, sizeof *w->audience.keep);
    w->audience.other = mem_alloc(n, sizeof *w->audience.other);
    enum pal_status st = PAL_OK;
    if (!place || !todo || !w->audience.keep || !w->audience.other) {
        st = pal_no_memory(err);
        goto done;
    }
    struct rng r;
    rng_init(&r, w->seed, of_places);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        place[i] = (struct place){w->quality[i] + .2f * (float)rng_normal(&r), i};
    qsort(place, n, sizeof *place, by_merit);
    for (uint32_t i = 0; i < n; i++)
        sum += 1 / sqrt(i + 30.0);
    for (uint32_t i = 0; i < n; i++)
        w->audience.keep[place[i].item] = (float)(n / sqrt(i + 30.0) / sum);
    make_alias(&w->audience, n, todo);
done:
    mem_free(place);
    mem_free(todo);
    return st;
}

static uint32_t draw_film(const struct world *w, struct rng *r)
{
    uint32_t i = (uint32_t)rng_below(r, (uint64_t)w->o.items);
    return rng_real(r) < w->audience.keep[i] ? i : w->audience.other[i];
}

/* ---- users ---- */

static enum pal_status make_users(struct world *w, struct pal_error *err)
{
    size_t users = (size_t)w->o.users, latent = w->latent;
    w->taste = mem_alloc(2 * users * latent, sizeof *w->taste);
    if (!w->taste)
        return pal_no_memory(err);
    struct rng people;
    rng_init(&people, w->seed, of_people);
    enum pal_status st = PAL_OK;
    for (size_t u = 0; st == PAL_OK && u < users; u++) {
        struct rng r;
        uint32_t genre[FILM_GENRES_MAX];
        float *a = w->taste + 2 * u * latent, *b = a + latent;
        rng_init(&r, w->seed, of_users + u);
        near_genres(w, genre, draw_genres(w, &r, genre), .6f, &r, a);
        near_genres(w, genre, draw_genres(w, &r, genre), .6f, &r, b);
        float along = dot(a, b, w->latent);
        for (uint32_t i = 0; i < latent; i++)
            b[i] -= along * a[i];
        unit(b, w->latent);
        st = person_invent(&people, &w->data->users, err);
    }
    return st;
}

/* The user's taste at a part (0 to 1) of the world's time. */
static void taste_at(const struct world *w, uint32_t user, double part, float *x)
{
    const float *a = w->taste + 2 * (size_t)user * w->latent, *b = a + w->latent;
    double angle = w->o.drift * part * 1.57079632679489662;
    float c = (float)cos(angle), s = (float)sin(angle);
    for (uint32_t i = 0; i < w->latent; i++)
        x[i] = c * a[i] + s * b[i];
}

static float preference(const struct world *w, const float *taste, uint32_t item)
{
    return taste_pull * dot(taste, w->item + (size_t)item * w->latent, w->latent) +
           quality_pull * w->quality[item] - w->offset;
}

float world_preference(const struct world *w, uint32_t user, uint32_t item, uint32_t time_s)
{
    float taste[MAX_LATENT];
    double part = ((double)time_s - begin_s) / w->span_s;
    taste_at(w, user, fmin(fmax(part, 0), 1), taste);
    return preference(w, taste, item);
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* That share of random pairs, each at a random time, is to be above 0. */
static void find_offset(struct world *w)
{
    enum { PAIRS = 4096 };
    float x[PAIRS], taste[MAX_LATENT];
    struct rng r;
    rng_init(&r, w->seed, of_offset);
    for (int i = 0; i < PAIRS; i++) {
        taste_at(w, (uint32_t)rng_below(&r, (uint64_t)w->o.users), rng_real(&r), taste);
        x[i] = preference(w, taste, (uint32_t)rng_below(&r, (uint64_t)w->o.items));
    }
    qsort(x, PAIRS, sizeof *x, ascending);
    w->offset = x[(int)(PAIRS * (1 - w->o.liked))];
}

/* ---- events ---- */

/* How many each user has, as start: log-normal around the mean, at least 1 and at most half the
 * items. */
static void count_events(const struct world *w, uint64_t *start)
{
    double mean = (double)w->o.events / (double)w->o.users;
    double most = fmax(1, floor((double)w->o.items / 2));
    start[0] = 0;
    for (int64_t u = 0; u < w->o.users; u++) {
        struct rng r;
        rng_init(&r, w->seed, of_counts + (uint64_t)u);
        double n = mean * exp(.9 * rng_normal(&r) - .9 * .9 / 2);
        start[u + 1] = start[u] + (uint64_t)fmin(fmax(round(n), 1), most);
    }
}

/* A film that the user has not met, drawn by audience; the next free one after long bad luck. */
static uint32_t draw_new(const struct world *w, struct rng *r, const uint32_t *seen, uint32_t mark)
{
    for (int i = 0; i < 64; i++) {
        uint32_t item = draw_film(w, r);
        if (seen[item] != mark)
            return item;
    }
    uint32_t items = (uint32_t)w->o.items, item = (uint32_t)rng_below(r, items);
    while (seen[item] == mark)
        item = item + 1 == items ? 0 : item + 1;
    return item;
}

/* Shows CHOICES films and returns the one that is picked, by the Gumbel trick: the largest of
 * preference plus a Gumbel variate is a draw from the softmax. *likes is its preference. */
static uint32_t pick_film(const struct world *w, struct rng *r, const float *taste,
                          const uint32_t *seen, uint32_t mark, float *likes)
{
    uint32_t best = 0;
    double top = -INFINITY;
    for (int i = 0; i < CHOICES; i++) {
        uint32_t item = draw_new(w, r, seen, mark);
        float p = preference(w, taste, item);
        double x = choice_pull * p - log(-log(rng_real(r) + 0x1p-54));
        if (x > top) {
            top = x;
            best = item;
            *likes = p;
        }
    }
    return best;
}

static int by_time(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* A user is around for some stretch of the world's time. */
static void draw_times(const struct world *w, struct rng *r, uint32_t *time_s, uint64_t n)
{
    double from = .6 * rng_real(r), to = from + .2 + (.8 - from) * rng_real(r);
    for (uint64_t i = 0; i < n; i++)
        time_s[i] = begin_s + (uint32_t)((from + (to - from) * rng_real(r)) * (w->span_s - 1));
    qsort(time_s, n, sizeof *time_s, by_time);
}

static void live(const struct world *w, uint32_t user, uint32_t *seen)
{
    const struct interactions *x = &w->data->all;
    float taste[MAX_LATENT], likes = 0;
    uint64_t begin = x->start[user], end = x->start[user + 1];
    uint32_t mark = user + 1;
    struct rng r;
    rng_init(&r, w->seed, of_events + user);
    draw_times(w, &r, x->time_s + begin, end - begin);
    for (uint64_t i = begin; i < end; i++) {
        taste_at(w, user, ((double)x->time_s[i] - begin_s) / w->span_s, taste);
        uint32_t item = pick_film(w, &r, taste, seen, mark, &likes);
        double opinion = likes + w->o.noise * rng_normal(&r);
        seen[item] = mark;
        x->item[i] = item;
        x->type[i] = opinion > 0 ? TYPE_LIKE : opinion < dislike_at ? TYPE_DISLIKE : TYPE_VIEW;
    }
}

static void live_grain(void *ctx, size_t begin, size_t end, unsigned worker)
{
    const struct world *w = ctx;
    uint32_t *seen = w->seen + (size_t)worker * (size_t)w->o.items;
    for (size_t u = begin; u < end; u++)
        live(w, w->first_user + (uint32_t)u, seen);
}

static enum pal_status make_types(struct dataset *d, struct pal_error *err)
{
    static const char *const names[] = {"view", "like", "dislike"};
    uint8_t number;
    enum pal_status st = PAL_OK;
    for (int i = 0; st == PAL_OK && i < 3; i++)
        st = event_type_add(&d->types, names[i], strlen(names[i]), &number, err);
    d->format = "synthetic";
    d->weights = weights_default;
    snprintf(d->name, sizeof d->name, "synthetic");
    return st;
}

static enum pal_status make_events(struct world *w, const struct run *run, struct pal_error *err)
{
    struct interactions *x = &w->data->all;
    struct pool *pool = run ? run->pool : NULL;
    uint32_t users = (uint32_t)w->o.users;
    enum pal_status st = make_types(w->data, err);
    if (st)
        return st;
    x->users = users;
    x->items = (uint32_t)w->o.items;
    uint64_t *start = mem_alloc((size_t)users + 1, sizeof *start);
    if (!start)
        return pal_no_memory(err);
    count_events(w, start);
    uint64_t n = start[users];
    x->start = start;
    x->item = mem_alloc(n, sizeof *x->item);
    x->time_s = mem_alloc(n, sizeof *x->time_s);
    x->type = mem_alloc(n, sizeof *x->type);
    w->seen = mem_zero((size_t)pool_size(pool) * x->items, sizeof *w->seen);
    if (!x->item || !x->time_s || !x->type || !w->seen)
        return pal_no_memory(err);
    for (w->first_user = 0; st == PAL_OK && w->first_user < users; w->first_user += SLAB) {
        uint32_t left = users - w->first_user;
        pool_for(pool, left < SLAB ? left : SLAB, GRAIN, live_grain, w);
        st = run_step(run, "inventing", left < SLAB ? users : w->first_user + SLAB, users, err);
    }
    mem_free(w->seen);
    w->seen = NULL;
    return st;
}
