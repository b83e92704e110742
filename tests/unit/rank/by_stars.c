/* The ranker by expected stars: its order is that of two reciprocal ranks, computed here by
 * sorting; it puts what the user would rate well before what is merely met often; and it says what
 * it lacks.
 */
#include "model/world.h"

#include "rank/rank.h"

#include <math.h>
#include <unistd.h>

enum { USERS = 240, ITEMS = 60, TASTES = 3, EACH = 20 };

struct scene {
    struct dataset *d;
    struct weights weights;
    struct training t;
    struct model *source[3], *ranker; /* popular, svd, als */
    struct run run;
};

/* Users of three tastes rate 5 what is of theirs, 2 the rest; the first items are met most. */
static void open_scene(struct scene *s)
{
    static const char *const names[] = {"popular", "svd", "als"};
    static struct event events[USERS * EACH];
    struct pal_error err;
    struct rng rng;
    size_t n = 0;
    *s = (struct scene){.run = {.seed = 3}};
    rng_init(&rng, 8, 0);
    for (uint32_t u = 0; u < USERS; u++) {
        bool had[ITEMS] = {false};
        for (uint32_t k = 0; k < EACH; k++) {
            uint32_t item;
            do
                item = (uint32_t)(rng_real(&rng) * rng_real(&rng) * ITEMS);
            while (had[item]);
            had[item] = true;
            events[n++] = (struct event){u, item, item % TASTES == u % TASTES ? 5 : 2, k + 1};
        }
    }
    s->d = world_of(events, n, USERS, ITEMS);
    assert_ok(weights_parse("rating>=3:1,rating:-0.5", &s->weights, &err), &err);
    assert_ok(training_make(s->d, &s->d->all, &s->weights, NULL, &s->t, &err), &err);
    for (int i = 0; i < 3; i++)
        assert_ok(model_fit(model_find(names[i]), NULL, &s->t, 0, &s->run, &s->source[i], &err),
                  &err);
    s->t.sources = (const struct model *const *)s->source;
    s->t.source_count = 3;
}

static void fit(struct scene *s, const char *weight)
{
    struct pal_error err;
    const struct model_ops *ops = ranker_find("stars");
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    assert_ok(model_set(ops, options, "weight", weight, &err), &err);
    assert_ok(model_set(ops, options, "quota", "12", &err), &err);
    assert_ok(model_fit(ops, options, &s->t, 0, &s->run, &s->ranker, &err), &err);
    free(options);
}

static void close_scene(struct scene *s)
{
    model_free(s->ranker);
    for (int i = 0; i < 3; i++)
        model_free(s->source[i]);
    training_done(&s->t);
    dataset_free(s->d);
}

/* Adds to sum (ITEMS) the reciprocal ranks of the candidates in the order of x; of equal ones that
 * which came first, by `come` (ITEMS, from 1 on), leads. */
static void fuse(const float *x, const uint32_t *come, double weight, double *sum)
{
    for (size_t i = 0; i < ITEMS; i++) {
        size_t before = 0;
        for (size_t j = 0; j < ITEMS; j++)
            before += come[j] && (x[j] > x[i] || (x[j] == x[i] && come[j] < come[i]));
        sum[i] += come[i] ? weight / (61 + (double)before) : 0;
    }
}

/* What the order should be, from what the sources say: joined lists, then stars. */
static void naive(const struct scene *s, const struct history *h, double weight, uint32_t *come,
                  double *sum)
{
    struct pal_error err;
    struct arena tmp = {0};
    float joined[ITEMS] = {0}, stars[ITEMS] = {0};
    uint8_t had[ITEMS] = {0};
    uint32_t count = 0;
    memset(come, 0, ITEMS * sizeof *come);
    memset(sum, 0, ITEMS * sizeof *sum);
    for (size_t i = 0; i < h->n; i++)
        had[h->item[i]] = 1;
    for (int m = 0; m < 3; m += 2) { /* popular and als; svd judges */
        struct scored top[12];
        size_t n;
        assert_ok(model_top(s->source[m], h, had, 12, &tmp, top, &n, &err), &err);
        for (size_t i = 0; i < n && top[i].score > 0; i++) {
            float first = 1, last = 0;
            for (size_t j = 0; j < n; j++) {
                first += top[j].score > top[i].score;
                last += top[j].score >= top[i].score;
            }
            joined[top[i].index] += 1 / (60 + 0.5f * (first + last));
            if (!come[top[i].index])
                come[top[i].index] = ++count;
        }
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        assert_ok(model_rate(s->source[1], h, &i, 1, &stars[i], &tmp, &err), &err);
    fuse(joined, come, 1, sum);
    fuse(stars, come, weight, sum);
    arena_done(&tmp);
}

static float *scores_of(const struct model *m, const struct history *h, struct arena *tmp)
{
    struct pal_error err;
    float *scores = arena_alloc(tmp, ITEMS, sizeof *scores);
    assert_ok(model_score(m, h, 1, scores, tmp, &err), &err);
    return scores;
}

static void two_ranks_make_the_order(void **state)
{
    (void)state;
    static const char *const weights[] = {"0", "1", "3"};
    struct pal_error err;
    struct arena tmp = {0};
    struct scene s;
    open_scene(&s);
    for (int w = 0; w < 3; w++) {
        fit(&s, weights[w]);
        for (uint32_t u = 0; u < USERS; u += 7) {
            struct history h;
            double sum[ITEMS];
            uint32_t come[ITEMS];
            assert_ok(history_of(&s.d->all, &s.d->types, &s.weights, u, &tmp, &h, &err), &err);
            naive(&s, &h, atof(weights[w]), come, sum);
            const float *got = scores_of(s.ranker, &h, &tmp);
            for (size_t i = 0; i < ITEMS; i++) {
                assert_true(isfinite(got[i]) && got[i] < 1 && (come[i] > 0) == (got[i] > 0));
                for (size_t j = 0; j < ITEMS; j++)
                    if (come[i] && come[j] && sum[i] > sum[j] + 1e-6)
                        assert_true(got[i] > got[j]);
            }
            arena_reset(&tmp);
        }
        model_free(s.ranker);
        s.ranker = NULL;
    }
    close_scene(&s);
    arena_done(&tmp);
}

/* With much weight on stars the best few are of the user's taste, where popularity ignores it. */
static void taste_leads(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    struct scene s;
    size_t own[2] = {0}, all = 0;
    open_scene(&s);
    s.t.source_count = 2; /* popular, svd */
    fit(&s, "10");
    for (uint32_t u = 0; u < USERS; u++) {
        struct history h;
        struct scored top[3];
        size_t n;
        uint8_t had[ITEMS] = {0};
        assert_ok(history_of(&s.d->all, &s.d->types, &s.weights, u, &tmp, &h, &err), &err);
        for (size_t i = 0; i < h.n; i++)
            had[h.item[i]] = 1;
        for (int m = 0; m < 2; m++) {
            const struct model *asked = m ? s.ranker : s.source[0];
            assert_ok(model_top(asked, &h, had, 3, &tmp, top, &n, &err), &err);
            for (size_t i = 0; i < n; i++)
                own[m] += top[i].index % TASTES == u % TASTES;
        }
        all += 3;
        arena_reset(&tmp);
    }
    /* popularity gets a third right; of twelve candidates some four are of one's taste */
    if (!((double)own[1] > 0.9 * (double)all && (double)own[0] < 0.5 * (double)all))
        fail_msg("of %zu %zu are of the taste, %zu by popularity", all, own[1], own[0]);
    close_scene(&s);
    arena_done(&tmp);
}

static void comes_back_the_same(void **state)
{
    (void)state;
    static const uint32_t item[] = {0, 3, 1};
    static const float weight[] = {1, 1, -0.5f};
    const struct history h = {.n = 3, .item = item, .weight = weight}, nobody = {0};
    struct pal_error err;
    struct arena tmp = {0};
    struct model *m = NULL;
    struct scene s;
    struct str said = {0};
    char path[64];
    open_scene(&s);
    fit(&s, "1");
    snprintf(path, sizeof path, "/tmp/palate-stars-%ld", (long)getpid());
    assert_ok(model_save(s.ranker, NULL, path, &err), &err);
    assert_ok(ranker_load(path, &m, &err), &err);
    unlink(path);
    assert_string_equal(ranker_source(m, 0), "popular");
    assert_string_equal(ranker_source(m, 1), "als");
    assert_null(ranker_source(m, 2));
    ranker_describe(m, &said);
    assert_string_equal(str_text(&said),
                        "{\"sources\":[\"popular\",\"als\"],\"quota\":12,\"judge\":\"svd\"}");
    str_done(&said);
    assert_int_equal(ranker_attach(m, (const struct model *const *)s.source, 1, &err),
                     PAL_ENOTFOUND);
    assert_false(ranker_ready(m));
    assert_ok(ranker_attach(m, (const struct model *const *)s.source, 3, &err), &err);
    const struct history *all[] = {&h, &nobody};
    for (int i = 0; i < 2; i++)
        assert_memory_equal(scores_of(s.ranker, all[i], &tmp), scores_of(m, all[i], &tmp),
                            ITEMS * sizeof(float));
    model_free(m);
    close_scene(&s);
    arena_done(&tmp);
}

static void says_what_it_lacks(void **state)
{
    (void)state;
    struct pal_error err;
    struct scene s;
    open_scene(&s);
    const struct model *const only[][2] = {{s.source[0], s.source[2]}, {s.source[1], NULL}};
    const struct model_ops *ops = ranker_find("stars");
    for (size_t i = 0; i < 2; i++) {
        s.t.sources = only[i];
        s.t.source_count = 2 - i;
        assert_int_equal(model_fit(ops, NULL, &s.t, 0, NULL, &s.ranker, &err), PAL_EUSAGE);
        assert_non_null(strstr(err.message, "als,svdpp,stars"));
    }
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ranks_make_the_order),
        cmocka_unit_test(taste_leads),
        cmocka_unit_test(comes_back_the_same),
        cmocka_unit_test(says_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
