/* The pipeline's stages against naive ones over random worlds: models with answers that can be
 * worked out by hand, and a bandit whose every chance is known. */
#include "pipeline_world.h"

#include <math.h>

/* ---- What may be shown ---- */

enum { WORLD = 120 };

struct request {
    uint32_t seen[WORLD], exclude[WORLD], history[8];
    float weight[8];
    bool allowed[WORLD];
};

/* A random request of w: some seen, excluded and unavailable, and perhaps a filter. */
static void random_request(struct world *w, struct request *q, bool filter)
{
    struct pal_error err;
    w->in.seen_count = rng_below(&w->rng, 30);
    w->in.exclude_count = rng_below(&w->rng, 30);
    w->in.history.n = rng_below(&w->rng, 8);
    for (uint32_t i = 0; i < w->items; i++)
        q->allowed[i] = catalog_available(w->catalog, i);
    for (size_t i = 0; i < 30 && w->items; i++) {
        q->seen[i] = (uint32_t)rng_below(&w->rng, w->items);
        q->exclude[i] = (uint32_t)rng_below(&w->rng, w->items);
        if (i < w->in.seen_count && !w->options.again)
            q->allowed[q->seen[i]] = false;
        if (i < w->in.exclude_count)
            q->allowed[q->exclude[i]] = false;
    }
    for (size_t i = 0; i < w->in.history.n; i++) {
        q->history[i] = (uint32_t)((i * 17 + rng_below(&w->rng, 17)) % w->items); /* each once */
        q->weight[i] = rng_below(&w->rng, 4) ? 1 : -1;
    }
    w->in.seen = q->seen;
    w->in.exclude = q->exclude;
    w->in.history.item = q->history;
    w->in.history.weight = q->weight;
    w->in.filter = NULL;
    if (filter) {
        assert_ok(filter_parse("odd = 1 and n >= 20", &w->filters, &w->in.filter, &err), &err);
        for (uint32_t i = 0; i < w->items; i++)
            q->allowed[i] &= i % 2 == 1 && i >= 20;
    }
}

static void some_unavailable(struct world *w)
{
    for (uint32_t i = 0; i < w->items; i++)
        if (rng_below(&w->rng, 5) == 0) {
            world_put(w, i, false, NULL);
            for (int m = 0; m < WORLD_MODELS; m++)
                source_note(&w->source[m], w->catalog, i);
        }
}

static size_t count_allowed(const struct world *w, const struct request *q)
{
    size_t n = 0;
    for (uint32_t i = 0; i < w->items; i++)
        n += q->allowed[i];
    return n;
}

/* Whatever is asked: only what may be shown, nothing twice (world_run), and as many as there are.
 */
static void lists_are_allowed_and_full(void **state)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world *w = world_new((uint32_t)(1 + seed * 7 % (WORLD - 1)), seed);
        static struct request q;
        some_unavailable(w);
        w->options.explore = seed % 3 ? 0.5 : 0;
        w->options.diversity = seed % 2 ? 0.3 : 0;
        w->options.category_cap = (int64_t)(seed % 4);
        w->options.again = seed % 5 == 0;
        if (seed % 7 == 0)
            w->in.bandit = NULL;
        w->in.n = 1 + rng_below(&w->rng, 2 * WORLD);
        w->in.explain = seed % 2;
        random_request(w, &q, seed % 3 == 0);
        uint32_t ignored[20];
        float times[20];
        for (size_t i = 0; i < 20; i++) {
            ignored[i] = (uint32_t)rng_below(&w->rng, WORLD + 5);
            times[i] = (float)(rng_real(&w->rng) * 3);
        }
        w->in.ignored = ignored;
        w->in.ignored_times = times;
        w->in.ignored_count = rng_below(&w->rng, 21);
        world_run(w);
        size_t want = count_allowed(w, &q);
        assert_int_equal(w->count, want < w->in.n ? want : w->in.n);
        for (size_t i = 0; i < w->count; i++)
            assert_true(q.allowed[w->out[i].item]);
        world_free(w);
    }
}

/* A source without the skip array that source_open makes answers the same. */
static void a_source_may_come_without_skip(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world *w = world_new(WORLD, seed);
        static struct request q;
        static struct pipeline_item before[10];
        some_unavailable(w);
        random_request(w, &q, false);
        struct rng rng = w->rng;
        world_run(w);
        memcpy(before, w->out, sizeof before);
        for (int m = 0; m < WORLD_MODELS; m++) {
            mem_free(w->source[m].skip);
            w->source[m].skip = NULL;
        }
        w->rng = rng;
        world_run(w);
        for (size_t i = 0; i < 10; i++)
            assert_int_equal(w->out[i].item, before[i].item);
        world_free(w);
    }
}

/* ---- One source ---- */

/* Whether model m knows something that was liked, without which it has nothing to say. */
static bool knows_likes(const struct world *w, int m)
{
    bool liked = false;
    double unused;
    for (size_t i = 0; i < w->in.history.n; i++)
        liked |= w->in.history.weight[i] > 0 && world_score(w, m, w->in.history.item[i], &unused);
    return liked;
}

static void one_model_is_its_order(void **state)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world *w = world_new(WORLD, seed);
        static struct request q;
        some_unavailable(w);
        random_request(w, &q, false);
        q.weight[0] = 1;
        w->in.model = seed % 2 ? "ease" : "als";
        w->in.n = 1 + rng_below(&w->rng, 20);
        w->options.explore = 1; /* not where one model is asked for */
        world_run(w);
        double last = INFINITY, least = 0, score;
        for (size_t i = 0; i < w->count; i++) {
            if (strcmp(w->out[i].source, w->in.model) != 0)
                break; /* filled */
            assert_true(world_score(w, seed % 2, w->out[i].item, &score));
            assert_true(fabs(score - (double)w->out[i].score) < 1e-5 && score <= last);
            assert_true(w->out[i].propensity == 1 && !w->out[i].explored);
            last = score;
            least = i + 1 == w->count ? score : 0;
        }
        for (uint32_t i = 0; i < w->items; i++) { /* whoever is not in the list is no better */
            bool listed = false;
            for (size_t j = 0; j < w->count; j++)
                listed |= w->out[j].item == i;
            if (q.allowed[i] && !listed && knows_likes(w, seed % 2) &&
                world_score(w, seed % 2, i, &score))
                assert_true(score <= least + 1e-5);
        }
        world_free(w);
    }
}

/* In a large catalog a filter that leaves a good part is asked about what a model names first, not
 * about everything: the answer is the same, also where it leaves out all that was named. */
static void a_loose_filter_leaves_the_best(void **state)
{
    static const char *const filters[] = {"odd = 1", "n >= 700", "n < 60", "odd = 0 or n > 900"};
    static const uint32_t history[] = {0, 1, 2, 3};
    static const float weight[] = {1, 1, 1, 1};
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct world *w = world_new(1500, seed);
        struct pal_error err;
        w->in.history = (struct history){.n = 4, .item = history, .weight = weight};
        w->in.n = 3;
        for (uint32_t i = 0; i < model_items(w->model[0]) && seed % 2; i++)
            if (w->source[0].to_catalog[i] < 650) /* the best are those that n >= 700 leaves out */
                w->base[0][i] = 10;
        assert_ok(filter_parse(filters[seed / 2], &w->filters, &w->in.filter, &err), &err);
        double score, best[3] = {0};
        for (uint32_t i = 0; i < w->items; i++) {
            bool passes[] = {i % 2 == 1, i >= 700, i < 60, i % 2 == 0 || i > 900};
            if (!passes[seed / 2] || !world_score(w, 0, i, &score))
                continue;
            for (int at = 0; at < 3; at++)
                if (score > best[at]) {
                    memmove(best + at + 1, best + at, (size_t)(2 - at) * sizeof *best);
                    best[at] = score;
                    break;
                }
        }
        w->in.model = "als";
        w->options.sources = "als:3";
        world_run(w);
        assert_int_equal(w->count, 3);
        for (int i = 0; i < 3; i++)
            assert_true(fabs((double)w->out[i].score - best[i]) < 1e-5);
        w->in.model = NULL;
        for (uint32_t i = 0; i < w->items;
             i++) /* all are liked the same: the model alone decides */
            w->bandit.mean[i] = 0.5;
        world_run(w);
        for (int i = 0; i < 3; i++) {
            assert_true(world_score(w, 0, w->out[i].item, &score));
            assert_true(fabs(score - best[i]) < 1e-5);
        }
        world_free(w);
    }
}

static void one_source_may_be_no_model(void **state)
{
    struct world *w = world_new(WORLD, 3);
    struct pal_error err;
    static const char *const names[] = {"bandit", "popular", "trending", "random"};
    for (size_t i = 0; i < 4; i++) {
        w->in.model = names[i];
        world_run(w);
        assert_int_equal(w->count, 10);
        assert_string_equal(w->out[0].source, names[i]);
    }
    w->in.model = "content";
    assert_int_equal(pipeline_run(&w->in, &w->tmp, w->out, &w->count, &err), PAL_ENOTFOUND);
    assert_string_equal(err.message, "there is no model 'content' here, only als, ease, bandit, "
                                     "popular, trending and random");
    w->in.model = "nonsense";
    assert_int_equal(pipeline_run(&w->in, &w->tmp, w->out, &w->count, &err), PAL_ENOTFOUND);
    world_free(w);
}

/* ---- Blend ---- */

struct ranked {
    uint32_t item;
    double score;
};

static int best_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->score > y->score   ? -1
           : x->score < y->score ? 1
                                 : (x->item > y->item) - (x->item < y->item);
}

/* Double where nothing is known, half where much is. */
static double content_weight(const struct world *w, uint32_t item)
{
    double weight = 0.5 + 63 / (30 + 1 + (double)w->bandit.evidence[item]);
    return weight < 2 ? weight : 2;
}

/* Adds weight / (10 + rank) of the best `quota` to sum, equal scores sharing the mean of their
 * ranks.
 */
static void naive_add(const struct world *w, bool content, struct ranked *list, size_t n,
                      size_t quota, double weight, double *sum)
{
    qsort(list, n, sizeof *list, best_first);
    n = n < quota ? n : quota;
    for (size_t i = 0; i < n; i++) {
        double ranks = 0, equal = 0;
        for (size_t j = 0; j < n; j++)
            if (list[j].score == list[i].score) {
                ranks += (double)(j + 1);
                equal++;
            }
        sum[list[i].item] +=
            (content ? weight * content_weight(w, list[i].item) : weight) / (10 + ranks / equal);
    }
}

static void the_blend_is_reciprocal_rank(void **state)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world *w = world_new(WORLD, seed);
        static struct request q;
        static const size_t quota[] = {20, 30};
        double sum[WORLD] = {0};
        some_unavailable(w);
        random_request(w, &q, seed % 2);
        q.weight[0] = 1;
        w->in.history.n = w->in.history.n ? w->in.history.n : 1;
        q.history[0] = 0;
        w->options.sources = "als:20 ease:30 popular:15";
        bool personal = false, content = seed % 3 == 0;
        for (uint32_t i = 0; i < w->items && content; i++)
            w->bandit.evidence[i] = (float)rng_below(&w->rng, 200);
        if (content) {
            w->options.sources = "als:20 content:30 popular:15";
            w->model[1]->ops = &world_content;
        }
        for (int pass = 0; pass < 2; pass++) /* first whether any model has something to say */
            for (int m = 0; m < WORLD_MODELS + 1; m++) {
                struct ranked list[WORLD];
                size_t n = 0;
                bool liked = m == 2 || knows_likes(w, m);
                for (uint32_t i = 0; i < w->items; i++) {
                    double score = w->bandit.count[i];
                    if (q.allowed[i] && liked && (m == 2 || world_score(w, m, i, &score)) &&
                        score > 0)
                        list[n++] = (struct ranked){i, score};
                }
                personal |= m < 2 && n > 0;
                if (pass == 1)
                    naive_add(w, content && m == 1, list, n, m < 2 ? quota[m] : 15,
                              m < 2      ? 1
                              : personal ? 0.1
                                         : 0.5,
                              sum);
            }
        for (uint32_t i = 0; i < w->items && personal; i++)
            sum[i] *= (float)w->bandit.mean[i];
        w->options.newcomers = "popular:15";
        if (!personal) /* dislikes would move what is popular: see explore.c */
            w->in.history.n = 0;
        world_run(w);
        double last = INFINITY;
        for (size_t i = 0; i < w->count && w->out[i].score > 0; i++) {
            assert_true(fabs((double)w->out[i].score - sum[w->out[i].item]) < 1e-6);
            assert_true((double)w->out[i].score <= last);
            last = (double)w->out[i].score;
            sum[w->out[i].item] = 0;
        }
        for (uint32_t i = 0; i < w->items; i++)
            assert_true(w->count < 10 || w->out[9].score <= 0 || sum[i] <= last + 1e-6);
        world_free(w);
    }
}

/* ---- Diversity ---- */

static double likeness(const struct world *w, uint32_t a, uint32_t b)
{
    uint32_t n, m, common = 0;
    const uint32_t *x = catalog_categories(w->catalog, a, &n);
    const uint32_t *y = catalog_categories(w->catalog, b, &m);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < m; j++)
            common += x[i] == y[j];
    return common ? (double)common / (n + m - common) : 0;
}

static void diversity_is_maximal_marginal_relevance(void **state)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world *w = world_new(WORLD, seed);
        static struct request q;
        random_request(w, &q, false);
        w->in.history.n = w->in.history.n ? w->in.history.n : 1;
        q.history[0] = 0;
        q.weight[0] = 1;
        w->options.sources = w->options.newcomers = "als:40 popular:40";
        if (!knows_likes(w, 0))
            w->in.history.n = 0;
        w->in.diversity = 0;
        static struct pipeline_item plain[50];
        struct pipeline_item left[50];
        w->in.n = 50; /* quotas are then 50: ask for the order of the pool with the same n */
        world_run(w);
        memcpy(plain, w->out, sizeof plain);
        size_t n = w->count;
        double d = 0.1 * (double)(1 + seed % 9);
        w->in.diversity = d;
        world_run(w);
        assert_int_equal(w->count, n);
        memcpy(left, plain, sizeof left);
        bool gone[50] = {false};
        for (size_t slot = 0; slot < n; slot++) { /* each choice was the best one there was */
            double most = -INFINITY, got = -INFINITY;
            for (size_t i = 0; i < n; i++) {
                double alike = 0;
                for (size_t j = 0; j < slot; j++)
                    alike = fmax(alike, likeness(w, left[i].item, w->out[j].item));
                double worth = (1 - d) * (double)(left[i].score / plain[0].score) - d * alike;
                if (gone[i] || left[i].score <= 0)
                    continue;
                most = fmax(most, worth);
                if (left[i].item == w->out[slot].item)
                    got = worth;
            }
            if (w->out[slot].score <= 0 || got == -INFINITY)
                break; /* filled, or from beyond the plain list */
            assert_true(got >= most - 1e-5);
            for (size_t i = 0; i < n; i++)
                gone[i] |= left[i].item == w->out[slot].item;
        }
        world_free(w);
    }
}

static void caps_hold_while_there_are_others(void **state)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct world *w = world_new(WORLD, seed);
        static struct request q;
        uint32_t used[8] = {0}, n;
        random_request(w, &q, false);
        w->options.category_cap = 1 + (int64_t)(seed % 3);
        w->in.n = 3;
        world_run(w);
        assert_int_equal(w->count, 3);
        for (size_t i = 0; i < w->count; i++) {
            const uint32_t *category = catalog_categories(w->catalog, w->out[i].item, &n);
            for (uint32_t j = 0; j < n; j++)
                used[category[j]]++;
        }
        for (int c = 0; c < 8; c++) /* A, B, D and items without any leave room for three */
            assert_true(used[c] <= w->options.category_cap);
        w->in.n = WORLD;
        world_run(w);
        assert_int_equal(w->count, count_allowed(w, &q)); /* a cap never makes the list short */
        world_free(w);
    }
}

/* ---- What was ignored ---- */

struct expected {
    uint32_t item;
    double sum;
};

static int by_sum(const void *a, const void *b)
{
    const struct expected *x = a, *y = b;
    return x->sum > y->sum ? -1 : x->sum < y->sum;
}

/* One source. Items that were ignored half a time or more rest, a quarter of all at most, the most
 * ignored; they come last, the least ignored first. Of the others the one at place i has the sum
 * 1 / (10 + i) times what ignoring leaves. */
static void what_was_ignored_sinks_or_rests(void **state)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        enum { ITEMS = 80, IGNORED = 30 };
        struct world *w = world_new(ITEMS, seed);
        struct expected all[ITEMS];
        uint32_t ignored[IGNORED], order[ITEMS];
        float times[IGNORED];
        for (uint32_t i = 0; i < ITEMS; i++)
            order[i] = i;
        rng_shuffle(&w->rng, order, ITEMS);
        for (uint32_t i = 0; i < ITEMS; i++) {
            w->bandit.count[order[i]] = (float)(1000 - i);
            all[i] = (struct expected){order[i], 1};
        }
        w->options.newcomers = "popular:100";
        w->options.ignored = 0.7;
        size_t heavy = seed % 2 ? 5 : IGNORED; /* in the second case they are too many */
        for (uint32_t i = 0; i < IGNORED; i++) {
            float share = (float)(i + 1) / IGNORED;
            times[i] = i < heavy ? 0.5f + share : 0.49f * share;
            ignored[i] = order[i * 7 % ITEMS];
            bool rests = i < heavy && (heavy <= ITEMS / 4 || i >= heavy - ITEMS / 4);
            all[i * 7 % ITEMS].sum = rests ? -(double)times[i] : pow(0.7, (double)times[i]);
        }
        for (uint32_t i = 0, rank = 1; i < ITEMS; i++)
            if (all[i].sum > 0)
                all[i].sum /= 10 + rank++;
        qsort(all, ITEMS, sizeof *all, by_sum);
        w->in.ignored = ignored;
        w->in.ignored_times = times;
        w->in.ignored_count = IGNORED;
        w->in.n = ITEMS;
        world_run(w);
        assert_int_equal(w->count, ITEMS);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(w->out[i].item, all[i].item);
        w->in.model = "popular"; /* what is asked for by name is as it is */
        world_run(w);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(w->out[i].item, order[i]);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_allowed_and_full),
        cmocka_unit_test(a_source_may_come_without_skip),
        cmocka_unit_test(one_model_is_its_order),
        cmocka_unit_test(a_loose_filter_leaves_the_best),
        cmocka_unit_test(one_source_may_be_no_model),
        cmocka_unit_test(the_blend_is_reciprocal_rank),
        cmocka_unit_test(what_was_ignored_sinks_or_rests),
        cmocka_unit_test(diversity_is_maximal_marginal_relevance),
        cmocka_unit_test(caps_hold_while_there_are_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
