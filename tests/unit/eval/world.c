/* An invented world is a fair place to compare models: on held-out likes chance is beaten by what
 * is popular, that by models of taste, and all of them by the true preference. */
#include "test.h"

#include "data/synth.h"
#include "eval/evaluate.h"

#include <math.h>

struct scene {
    struct world *world;
    struct dataset *d;
    struct split split;
    struct weights weights;
    struct training training;
    struct run run;
};

static double judge(struct scene *s, const char *name, const char *option, const char *value)
{
    struct pal_error err;
    const struct model_ops *ops;
    struct model *m;
    struct metric metric;
    struct eval_result r;
    size_t n = 1;
    assert_ok(model_named(name, &ops, &err), &err);
    void *options = calloc(1, ops->options_size + 1);
    opt_defaults(&ops->options, options);
    if (option)
        assert_ok(model_set(ops, options, option, value, &err), &err);
    assert_ok(model_fit(ops, options, &s->training, 0, &s->run, &m, &err), &err);
    assert_ok(metrics_parse("precision@10", &metric, &n, &err), &err);
    struct eval_options o = {&metric, 1, EVAL_FULL, EVAL_TEST, .5, 0, .95, 1, NULL, false};
    assert_ok(evaluate(m, s->d, &s->split, &s->weights, &o, &s->run, &r, &err), &err);
    double value_at_10 = r.value[0];
    eval_result_done(&r);
    model_free(m);
    free(options);
    return value_at_10;
}

/* Marks what user u had (1) and what is to be found (2); returns how much that is. */
static int mark(const struct scene *s, uint32_t u, uint8_t *marks)
{
    const struct interactions *train = &s->split.train, *test = &s->split.test;
    int wanted = 0;
    memset(marks, 0, train->items);
    for (uint64_t i = train->start[u]; i < train->start[u + 1]; i++)
        marks[train->item[i]] = 1;
    for (uint64_t i = test->start[u]; i < test->start[u + 1]; i++)
        if (strcmp(s->d->types.name[test->type[i]], "like") == 0) {
            marks[test->item[i]] = 2;
            wanted++;
        }
    return wanted;
}

/* Precision@10 of the true preference at the time of the user's last held-out event. */
static double judge_truth(const struct scene *s)
{
    double hits = 0, users = 0;
    uint32_t items = s->d->all.items;
    uint8_t *marks = malloc(items);
    for (uint32_t u = 0; u < s->d->all.users; u++) {
        if (mark(s, u, marks) == 0)
            continue;
        uint32_t now = s->split.test.time_s[s->split.test.start[u + 1] - 1];
        users++;
        for (int k = 0; k < 10; k++) {
            uint32_t best = items;
            float top = -INFINITY;
            for (uint32_t i = 0; i < items; i++) {
                float p = marks[i] == 1 ? -INFINITY : world_preference(s->world, u, i, now);
                if (p > top) {
                    top = p;
                    best = i;
                }
            }
            hits += marks[best] == 2;
            marks[best] = 1;
        }
    }
    free(marks);
    return hits / users / 10;
}

static void taste_beats_fame_beats_chance(void **state)
{
    (void)state;
    struct pal_error err;
    struct synth_options o;
    struct scene s = {0};
    opt_defaults(&synth_table, &o);
    o.users = 1000;
    o.items = 800;
    o.events = 80000;
    s.run.seed = 1;
    assert_ok(pool_new(0, &s.run.pool, &err), &err);
    assert_ok(world_new(&o, 1, &s.run, &s.world, &err), &err);
    assert_ok(world_dataset(s.world, &s.d, &err), &err);
    assert_ok(split_make(s.d, "user:80/20", 1, &s.split, &err), &err);
    assert_ok(weights_parse(s.d->weights, &s.weights, &err), &err);
    assert_ok(training_make(s.d, &s.split.train, &s.weights, &s.run, &s.training, &err), &err);
    double chance = judge(&s, "random", NULL, NULL), fame = judge(&s, "popular", NULL, NULL);
    double taste = judge(&s, "als", "factors", "16"), truth = judge_truth(&s);
    print_message("precision@10: random %.3f, popular %.3f, als %.3f, truth %.3f\n", chance, fame,
                  taste, truth);
    assert_true(fame > 5 * chance && taste > 1.25 * fame && truth > 1.1 * taste);
    training_done(&s.training);
    split_done(&s.split);
    dataset_free(s.d);
    world_free(s.world);
    pool_free(s.run.pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taste_beats_fame_beats_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
