/* The two models of ratings: on made-up stars they predict what was held out nearly as well as the
 * noise allows, svdpp better than svd where what users rate at all tells of them; scores are the
 * predictions less their mean; and likes alone are refused. */
#include "test.h"
#include "world.h"

#include <math.h>

enum { USERS = 300, ITEMS = 60, TASTES = 3 };

struct scene {
    struct dataset *d;
    struct weights w;
    struct training t;
    struct event held[USERS];
    struct model *model;
};

/* Users and items of three tastes: 4 stars for one's own, 2 for the others, give or take the user's
 * own level and noise of deviation 0.5 before rounding to halves. A user rates `each` items,
 * `chosen` times in five of the own taste, else any; one more, any, is held out. */
static void make(struct scene *s, size_t each, uint32_t chosen)
{
    struct rng rng;
    struct event *e = malloc(USERS * each * sizeof *e);
    size_t n = 0;
    rng_init(&rng, 77, 0);
    for (uint32_t u = 0; u < USERS; u++) {
        double level = 0.4 * rng_normal(&rng);
        bool had[ITEMS] = {false};
        for (size_t k = 0; k <= each; k++) {
            uint32_t item;
            do {
                item = (uint32_t)rng_below(&rng, ITEMS);
                if (k < each && rng_below(&rng, 5) < chosen)
                    item = item / TASTES * TASTES + u % TASTES;
            } while (had[item]);
            had[item] = true;
            double stars = (item % TASTES == u % TASTES ? 4 : 2) + level + 0.5 * rng_normal(&rng);
            float value = (float)(round(2 * fmin(fmax(stars, 0.5), 5)) / 2);
            struct event one = {u, item, value, 1000 + (uint32_t)k};
            if (k < each)
                e[n++] = one;
            else
                s->held[u] = one;
        }
    }
    struct pal_error err;
    s->d = world_of(e, n, USERS, ITEMS);
    free(e);
    assert_ok(weights_parse("rating>=3:1,rating:-0.5", &s->w, &err), &err);
    assert_ok(training_make(s->d, &s->d->all, &s->w, NULL, &s->t, &err), &err);
}

static void fit(struct scene *s, const char *name)
{
    struct pal_error err;
    const struct model_ops *ops;
    struct run run = {.seed = 5};
    assert_ok(model_named(name, &ops, &err), &err);
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    assert_ok(model_set(ops, options, "factors", "6", &err), &err);
    assert_ok(model_set(ops, options, "samples", "16", &err), &err);
    assert_ok(model_set(ops, options, "every", "2", &err), &err);
    assert_ok(model_fit(ops, options, &s->t, 0, &run, &s->model, &err), &err);
    free(options);
}

static void scene_done(struct scene *s)
{
    training_done(&s->t);
    dataset_free(s->d);
}

/* Root mean squared error of the held-out ratings; by_weight: histories are likes and dislikes. */
static double error(struct scene *s, bool by_weight)
{
    struct pal_error err;
    struct arena tmp = {0};
    double sum = 0;
    for (uint32_t u = 0; u < USERS; u++) {
        struct history h;
        float stars;
        assert_ok(history_of(&s->d->all, &s->d->types, &s->w, u, &tmp, &h, &err), &err);
        if (by_weight)
            h.rating = NULL;
        assert_ok(model_rate(s->model, &h, &s->held[u].item, 1, &stars, &tmp, &err), &err);
        assert_true(stars >= 0.5 && stars <= 5);
        sum += (stars - s->held[u].value) * (stars - s->held[u].value);
        arena_reset(&tmp);
    }
    arena_done(&tmp);
    return sqrt(sum / USERS);
}

static void held_out_stars_are_found(void **state)
{
    (void)state;
    struct scene s;
    make(&s, 20, 0);
    double of[2], by_weight[2];
    for (int i = 0; i < 2; i++) {
        fit(&s, i ? "svdpp" : "svd");
        of[i] = error(&s, false);
        by_weight[i] = error(&s, true);
        model_free(s.model);
    }
    /* the noise and the rounding alone are about 0.52; stars scatter by about 1.1; likes and
     * dislikes tell the taste too, but not the level */
    for (int i = 0; i < 2; i++)
        if (of[i] > 0.65 || by_weight[i] > 0.85 || by_weight[i] < of[i])
            fail_msg("%s: errs by %g, by weights %g", i ? "svdpp" : "svd", of[i], by_weight[i]);
    scene_done(&s);

    make(&s, 3, 4); /* of so few, what they are says more than how many stars */
    for (int i = 0; i < 2; i++) {
        fit(&s, i ? "svdpp" : "svd");
        of[i] = error(&s, false);
        model_free(s.model);
    }
    if (of[1] > of[0])
        fail_msg("svdpp %g, svd %g", of[1], of[0]);
    scene_done(&s);
}

static void scores_are_centred_ratings(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    struct scene s;
    float scores[ITEMS], stars[ITEMS];
    uint32_t all[ITEMS];
    struct history h;
    make(&s, 12, 2);
    fit(&s, "svdpp");
    for (uint32_t i = 0; i < ITEMS; i++)
        all[i] = i;
    assert_ok(history_of(&s.d->all, &s.d->types, &s.w, 7, &tmp, &h, &err), &err);
    assert_ok(model_score(s.model, &h, 1, scores, &tmp, &err), &err);
    assert_ok(model_rate(s.model, &h, all, ITEMS, stars, &tmp, &err), &err);
    double sum = 0, between = 0, inside = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        sum += scores[i];
        if (stars[i] > 0.5f && stars[i] < 5) { /* not cut */
            between += stars[i] - scores[i];
            inside++;
        }
    }
    assert_true(fabs(sum / ITEMS) < 1e-4 && inside > ITEMS / 2);
    for (uint32_t i = 0; i < ITEMS; i++)
        if (stars[i] > 0.5f && stars[i] < 5)
            assert_true(fabs(stars[i] - scores[i] - between / inside) < 1e-3);
    const struct model_ops *als;
    assert_ok(model_named("als", &als, &err), &err);
    assert_int_equal(als->can & MODEL_RATES, 0);
    model_free(s.model);
    scene_done(&s);
    arena_done(&tmp);
}

/* From weights, no stars can be told; from likes alone, nothing can be learned. */
static void likes_give_no_stars(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    struct scene s;
    struct history h = {0};
    uint32_t item = 3;
    float stars = 0;
    make(&s, 12, 2);
    snprintf(s.d->types.name[0], EVENT_NAME, "thumb");
    fit(&s, "svd");
    assert_ok(model_rate(s.model, &h, &item, 1, &stars, &tmp, &err), &err);
    assert_true(isnan(stars));
    model_free(s.model);
    for (uint64_t i = 0; i < csr_entries(&s.t.by_user); i++)
        s.t.by_user.val[i] = 1;
    const struct model_ops *ops;
    struct model *m;
    assert_ok(model_named("svdpp", &ops, &err), &err);
    long live = mem_live();
    assert_int_equal(model_fit(ops, NULL, &s.t, 0, NULL, &m, &err), PAL_EUNSUPPORTED);
    assert_int_equal(mem_live(), live);
    scene_done(&s);
    arena_done(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_out_stars_are_found),
        cmocka_unit_test(scores_are_centred_ratings),
        cmocka_unit_test(likes_give_no_stars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
