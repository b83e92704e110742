/* Exploration and its propensities against counted frequencies; users without a history; the same
 * numbers give the same answer. */
#include "pipeline_world.h"

#include <math.h>

enum { WORLD = 40, ROUNDS = 40000 };

/* Within five standard deviations of what chance p makes of n tries. */
static void assert_frequency(long seen, double p, long n)
{
    double off = fabs((double)seen - p * (double)n);
    if (off > 5 * sqrt((double)n * p * (1 - p)) + 1e-9)
        fail_msg("%ld of %ld where %g is the chance", seen, n, p);
}

/* Someone with a history: without exploration the list is always the same. */
static struct world *known_user(void)
{
    static const uint32_t history[] = {0, 1, 2};
    static const float weight[] = {1, 1, -1};
    struct world *w = world_new(WORLD, 11);
    w->options.sources = "als:30 ease:30 popular:10";
    w->in.history = (struct history){.n = 3, .item = history, .weight = weight};
    w->in.seen = history;
    w->in.seen_count = 3;
    w->in.n = 4;
    return w;
}

static void propensities_are_chances(void **state)
{
    struct world *w = known_user();
    static long shown[4][WORLD], explored[4];
    const double e = 0.3;
    uint32_t plain[4];
    world_run(w);
    for (int s = 0; s < 4; s++) {
        plain[s] = w->out[s].item;
        assert_true(w->out[s].propensity == 1 && !w->out[s].explored);
    }
    w->in.explore = e;
    memset(shown, 0, sizeof shown);
    for (int round = 0; round < ROUNDS; round++) {
        world_run(w);
        int before = 0;
        for (int s = 0; s < 4; s++) {
            const struct pipeline_item *x = &w->out[s];
            shown[s][x->item]++;
            explored[s] += x->explored;
            /* what may be drawn: all but three seen, four in the list, and those drawn above */
            double p = x->explored ? e / (WORLD - 3 - 4 - before) : 1 - e;
            assert_true(fabs((double)x->propensity - p) < 1e-6);
            assert_true(x->explored || x->item == plain[s]);
            for (int i = 0; i < 4 && x->explored; i++)
                assert_int_not_equal(x->item, plain[i]);
            before += x->explored;
        }
    }
    for (int s = 0; s < 4; s++) {
        assert_frequency(explored[s], e, ROUNDS);
        assert_frequency(shown[s][plain[s]], 1 - e, ROUNDS);
    }
    for (uint32_t i = 3; i < WORLD; i++) {
        bool in_list = false;
        for (int s = 0; s < 4; s++)
            in_list |= plain[s] == i;
        if (!in_list) /* the first slot's propensity is its frequency */
            assert_frequency(shown[0][i], e / (WORLD - 3 - 4), ROUNDS);
    }
    world_free(w);
}

/* What the propensities are for: the likes that another policy would get, told from this one's
 * lists. Item i is liked with chance 0.8 if 3 divides it, else 0.2; the other policy shows any of
 * the items that are in no list in the first slot, each as often as any. */
static void inverse_propensity_scoring_is_right(void **state)
{
    struct world *w = known_user();
    double sum = 0, truth = 0;
    int outside = 0;
    bool in_list[WORLD] = {true, true, true};
    world_run(w);
    for (int s = 0; s < 4; s++)
        in_list[w->out[s].item] = true;
    for (int i = 0; i < WORLD; i++)
        outside += !in_list[i];
    for (int i = 0; i < WORLD; i++)
        truth += in_list[i] ? 0 : (i % 3 ? 0.2 : 0.8) / outside;
    w->in.explore = 0.5;
    for (int round = 0; round < ROUNDS; round++) {
        world_run(w);
        bool like = rng_real(&w->rng) < (w->out[0].item % 3 ? 0.2 : 0.8);
        if (like && !in_list[w->out[0].item])
            sum += 1.0 / outside / (double)w->out[0].propensity;
    }
    assert_true(fabs(sum / ROUNDS - truth) < 0.02);
    world_free(w);
}

static void candidates_that_were_drawn_say_so(void **state)
{
    struct world *w = world_new(WORLD, 5);
    w->in.model = "bandit"; /* n of WORLD drawn: quota 100 takes all, chance 1 */
    world_run(w);
    assert_true(w->out[0].propensity == 1);
    w->in.model = NULL;
    w->options.newcomers = "bandit:10";
    w->in.explore = 0.5;
    world_run(w); /* ten of forty, and then explored or not */
    for (size_t i = 0; i < w->count; i++)
        assert_true(w->out[i].explored || fabsf(w->out[i].propensity - 0.5f * 10 / WORLD) < 1e-6f);
    world_free(w);
}

/* Fewer items than slots could explore: those past their number never do. */
static void slots_without_alternatives_are_certain(void **state)
{
    for (uint32_t spare = 0; spare < 4; spare++) {
        struct world *w = world_new(6 + spare, spare);
        w->in.n = 6;
        w->in.explore = 1;
        world_run(w);
        assert_int_equal(w->count, 6);
        for (uint32_t i = 0; i < 6; i++) {
            assert_int_equal(w->out[i].explored, i < spare);
            if (i < spare)
                assert_true(fabsf(w->out[i].propensity - 1 / (float)(spare - i)) < 1e-6f);
        }
        world_free(w);
    }
}

/* ---- Newcomers ---- */

static void the_bandit_leads_for_newcomers(void **state)
{
    enum { MANY = 400 };
    struct world *w = world_new(MANY, 7);
    long first[MANY] = {0};
    w->options.newcomers = "bandit:20 popular:5";
    for (int round = 0; round < 2000; round++) {
        world_run(w);
        for (size_t i = 0; i < w->count; i++)
            assert_true(!strcmp(w->out[i].source, "bandit") ||
                        !strcmp(w->out[i].source, "popular"));
        first[w->out[0].item]++;
    }
    int different = 0;
    for (int i = 0; i < MANY; i++)
        different += first[i] > 0;
    assert_true(different > MANY / 2); /* it tries things out */
    world_free(w);
}

/* Whoever liked only what no model knows (yet) is a newcomer to all of them. */
static void likes_that_no_model_knows_make_a_newcomer(void **state)
{
    static const float one = 1;
    struct world *w = world_new(WORLD, 7);
    uint32_t unknown = 0, known = 0;
    double unused;
    while (world_score(w, 0, unknown, &unused) || world_score(w, 1, unknown, &unused))
        unknown++;
    while (!world_score(w, 0, known, &unused))
        known++;
    w->options.sources = "als:10 ease:10 trending:10";
    w->options.newcomers = "bandit:20";
    for (int who = 0; who < 2; who++) {
        w->in.history = (struct history){.n = 1, .item = who ? &known : &unknown, .weight = &one};
        world_run(w);
        assert_string_equal(w->out[0].source, who ? "als" : "bandit");
    }
    world_free(w);
}

/* One disliked item: with as many candidates as there are items, those that the model finds near to
 * it come later than they did before it was disliked. */
static void what_is_like_dislikes_sinks(void **state)
{
    static const uint32_t history[] = {0};
    static const float weight[] = {-1};
    double place[2][2] = {{0}}; /* without and with the dislike; not near it, near */
    for (int with = 0; with < 2; with++) {
        struct world *w = world_new(WORLD, 10);
        double unused;
        assert_true(world_score(w, 0, 0, &unused)); /* the model knows what is disliked */
        long count[2] = {0};
        w->options.newcomers = "bandit:40";
        w->in.seen = history;
        w->in.seen_count = 1;
        w->in.n = 30;
        for (int round = 0; round < 300; round++) {
            w->in.history = (struct history){.n = 1, .item = history, .weight = weight};
            double score[WORLD];
            bool known[WORLD];
            for (uint32_t i = 0; i < WORLD; i++)
                known[i] = world_score(w, 0, i, &score[i]);
            w->in.history.n = (size_t)with;
            world_run(w);
            for (size_t i = 0; i < w->count; i++)
                if (known[w->out[i].item] && fabs(score[w->out[i].item] + 0.25) > 0.25) {
                    int near = score[w->out[i].item] < 0;
                    place[with][near] += (double)i;
                    count[near]++;
                }
        }
        place[with][0] /= (double)count[0];
        place[with][1] /= (double)count[1];
        world_free(w);
    }
    assert_true(place[1][1] > place[0][1] + 5); /* near to the dislike: down */
    assert_true(place[1][0] < place[0][0]);     /* others: up */
}

static void the_same_numbers_give_the_same_answer(void **state)
{
    struct world *w = known_user();
    static struct pipeline_item once[4];
    w->in.explore = 0.5;
    w->options.sources = "als:5 bandit:5 random:5 trending:3";
    w->in.n = 4;
    for (int round = 0; round < 50; round++) {
        struct rng rng = w->rng;
        world_run(w);
        memcpy(once, w->out, sizeof once);
        w->rng = rng;
        world_run(w);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(w->out[i].item, once[i].item);
            assert_true(w->out[i].propensity == once[i].propensity);
            assert_true(w->out[i].score == once[i].score);
        }
    }
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(propensities_are_chances),
        cmocka_unit_test(inverse_propensity_scoring_is_right),
        cmocka_unit_test(candidates_that_were_drawn_say_so),
        cmocka_unit_test(slots_without_alternatives_are_certain),
        cmocka_unit_test(the_bandit_leads_for_newcomers),
        cmocka_unit_test(likes_that_no_model_knows_make_a_newcomer),
        cmocka_unit_test(what_is_like_dislikes_sinks),
        cmocka_unit_test(the_same_numbers_give_the_same_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
