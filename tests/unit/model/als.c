/* iALS as a model: what it learns from blocks of users and items that belong together, that its
 * scores, reasons and similarities agree with each other, and that it ends cleanly when it is
 * interrupted or memory runs out. The solver itself is tested in als_solve.c. */
#include "test.h"
#include "world.h"

#include "base/arena.h"
#include "model/als_solve.h"

#include <math.h>

enum { USERS = 60, ITEMS = 40, BLOCKS = 4 };

struct fitted {
    struct dataset *data;
    struct weights weights;
    struct training training;
    struct model *model;
};

static const struct model_ops *als(void)
{
    const struct model_ops *ops = model_find("als");
    assert_non_null(ops);
    return ops;
}

/* options: "name=value" pairs up to a NULL */
static void *options_of(const char *const *pairs)
{
    struct pal_error err;
    void *options = mem_zero(1, als()->options_size);
    opt_defaults(&als()->options, options);
    for (; *pairs; pairs += 2)
        assert_ok(model_set(als(), options, pairs[0], pairs[1], &err), &err);
    return options;
}

static void fit_on(struct fitted *f, struct dataset *data, const char *const *pairs,
                   const struct run *run)
{
    struct pal_error err;
    void *options = options_of(pairs);
    f->data = data;
    f->weights = world_weights();
    assert_ok(training_make(data, &data->all, &f->weights, run, &f->training, &err), &err);
    assert_ok(model_fit(als(), options, &f->training, 0, run, &f->model, &err), &err);
    mem_free(options);
}

static void fitted_done(struct fitted *f)
{
    model_free(f->model);
    training_done(&f->training);
    dataset_free(f->data);
}

static const char *const small[] = {"factors", "4", "regularization", "0.01", NULL};
static const char *const small_cg[] = {"factors", "4", "solver", "cg", NULL};
static const char *const small_hu[] = {"factors",        "4",   "objective", "hu", "alpha", "10",
                                       "regularization", "0.5", NULL};
static const char *const *const kinds[] = {small, small_cg, small_hu};

static struct dataset *blocks(void)
{
    return world_of_blocks(USERS, ITEMS, BLOCKS, 0.02, 5);
}

/* Whoever likes two items of a block is offered the rest of that block before all else. */
static void finds_blocks(void **state)
{
    struct pal_error err;
    for (size_t kind = 0; kind < 3; kind++) {
        struct fitted f;
        struct arena tmp = {0};
        fit_on(&f, blocks(), kinds[kind], NULL);
        for (uint32_t block = 0; block < BLOCKS; block++) {
            struct history h = {
                .n = 2, .item = (uint32_t[]){block, block + BLOCKS}, .weight = (float[]){1, 1}};
            struct scored top[ITEMS / BLOCKS];
            size_t count;
            assert_ok(model_top(f.model, &h, NULL, ITEMS / BLOCKS, &tmp, top, &count, &err), &err);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(top[i].index % BLOCKS, block);
            assert_ok(model_similar(f.model, block, ITEMS / BLOCKS / 2, &tmp, top, &count, &err),
                      &err);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(top[i].index % BLOCKS, block);
        }
        arena_done(&tmp);
        fitted_done(&f);
    }
}

/* A dislike lowers the item itself and its block, against not knowing and against a like. */
static void dislikes_lower(void **state)
{
    struct pal_error err;
    for (size_t kind = 0; kind < 3; kind++) {
        struct fitted f;
        struct arena tmp = {0};
        float scores[3 * ITEMS];
        uint32_t items[] = {1, 4};
        struct history h[] = {{.n = 1, .item = items, .weight = (float[]){1}},
                              {.n = 2, .item = items, .weight = (float[]){1, 1}},
                              {.n = 2, .item = items, .weight = (float[]){1, -1}}};
        fit_on(&f, blocks(), kinds[kind], NULL);
        assert_ok(model_score(f.model, h, 3, scores, &tmp, &err), &err);
        for (uint32_t i = 0; i < ITEMS; i += BLOCKS) { /* the block of item 4 */
            assert_true(scores[2 * ITEMS + i] < scores[i]);
            assert_true(scores[i] < scores[ITEMS + i]);
        }
        arena_done(&tmp);
        fitted_done(&f);
    }
}

/* In training too: of two items alike but for dislikes, the disliked one ends lower. */
static void dislikes_train(void **state)
{
    struct pal_error err;
    struct event events[400];
    size_t n = 0;
    for (uint32_t u = 0; u < 40; u++) {
        events[n++] = (struct event){u, 0, 1, 1};
        events[n++] = (struct event){u, 1 + u % 5, 1, 1};
        if (u % 2)
            events[n++] = (struct event){u, 6, 1, 1};
        if (u % 2)
            events[n++] = (struct event){u, 7, 1, 1};
        else
            events[n++] = (struct event){u, 7, -1, 1};
    }
    for (size_t kind = 0; kind < 3; kind++) {
        struct fitted f;
        struct arena tmp = {0};
        float scores[8];
        struct history h = {.n = 1, .item = (uint32_t[]){0}, .weight = (float[]){1}};
        fit_on(&f, world_of(events, n, 40, 8), kinds[kind], NULL);
        assert_ok(model_score(f.model, &h, 1, scores, &tmp, &err), &err);
        assert_true(scores[7] < scores[6]);
        arena_done(&tmp);
        fitted_done(&f);
    }
}

/* The parts of a score add up to it, with dislikes among them. */
static void reasons_add_up(void **state)
{
    struct pal_error err;
    struct history h = {
        .n = 5, .item = (uint32_t[]){1, 5, 2, 9, 30}, .weight = (float[]){1, 2, -1, 0.5f, -2}};
    for (size_t kind = 0; kind < 3; kind++) {
        struct fitted f;
        struct arena tmp = {0};
        float scores[ITEMS], part[5];
        fit_on(&f, blocks(), kinds[kind], NULL);
        assert_ok(model_score(f.model, &h, 1, scores, &tmp, &err), &err);
        for (uint32_t i = 0; i < ITEMS; i++) {
            double sum = 0, size = 0;
            assert_ok(model_explain(f.model, &h, i, part, &tmp, &err), &err);
            for (size_t j = 0; j < h.n; j++) {
                sum += part[j];
                size += fabsf(part[j]);
            }
            assert_true(fabs(sum - scores[i]) <= 1e-4 * size + 1e-6);
        }
        /* a liked item of the same block speaks for item 13, most of all others */
        assert_ok(model_explain(f.model, &h, 13, part, &tmp, &err), &err);
        assert_true(part[1] > 0 && part[1] > part[2] && part[1] > part[4]);
        struct history nothing = {0};
        assert_ok(model_explain(f.model, &nothing, 0, part, &tmp, &err), &err);
        arena_done(&tmp);
        fitted_done(&f);
    }
}

/* A history scores the same alone as among 100, and an empty one scores nothing. */
static void alone_or_together(void **state)
{
    struct pal_error err;
    enum { MANY = 100 };
    struct fitted f;
    struct arena tmp = {0};
    struct history h[MANY];
    float scores[MANY * ITEMS], alone[ITEMS];
    fit_on(&f, blocks(), small, NULL);
    for (size_t i = 0; i < MANY; i++)
        assert_ok(history_of(&f.data->all, &f.data->types, &f.weights, (uint32_t)i % USERS, &tmp,
                             &h[i], &err),
                  &err);
    h[17].n = 0;
    assert_ok(model_score(f.model, h, MANY, scores, &tmp, &err), &err);
    for (size_t i = 0; i < MANY; i++) {
        assert_ok(model_score(f.model, &h[i], 1, alone, &tmp, &err), &err);
        for (size_t item = 0; item < ITEMS; item++) {
            assert_true(fabsf(alone[item] - scores[i * ITEMS + item]) < 1e-5f);
            assert_true(i != 17 || alone[item] == 0);
        }
    }
    arena_done(&tmp);
    fitted_done(&f);
}

/* Ctrl-C after any number of steps is an interruption, and all memory comes back. */
struct stopper {
    atomic_int stop;
    int steps, after;
};

static void count_step(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct stopper *s = ctx;
    s->stop = ++s->steps > s->after;
}

static void interrupted_anywhere(void **state)
{
    struct pal_error err;
    struct dataset *d = blocks();
    struct weights w = world_weights();
    struct training t;
    struct model *m = NULL;
    void *options = options_of(small);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    long live = mem_live();
    int after = 0;
    for (enum pal_status st = PAL_EINTERRUPTED; st == PAL_EINTERRUPTED; after++) {
        struct stopper s = {.after = after};
        struct run run = {.progress = count_step, .progress_ctx = &s, .stop = &s.stop};
        st = model_fit(als(), options, &t, 0, &run, &m, &err);
        assert_true(st == PAL_OK || st == PAL_EINTERRUPTED);
        if (st == PAL_EINTERRUPTED)
            assert_int_equal(mem_live(), live);
        assert_true(after < 1000);
    }
    assert_true(after > 32); /* 16 epochs have 32 half-steps */
    model_free(m);
    mem_free(options);
    training_done(&t);
    dataset_free(d);
}

/* Each allocation of fit, score, similar and explain fails in turn. */
static void out_of_memory_anywhere(void **state)
{
    struct pal_error err;
    struct dataset *d = blocks();
    struct weights w = world_weights();
    struct training t;
    void *options = options_of(small);
    float scores[ITEMS];
    struct history h = {.n = 2, .item = (uint32_t[]){1, 5}, .weight = (float[]){1, 1}};
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    long live = mem_live(), failed = 0;
    for (long n = 1;; n++) {
        struct model *m = NULL;
        struct arena tmp = {0};
        mem_fail_at(n);
        enum pal_status st = model_fit(als(), options, &t, 0, NULL, &m, &err);
        if (st == PAL_OK)
            st = model_score(m, &h, 1, scores, &tmp, &err);
        if (st == PAL_OK)
            st = als()->similar(m, 1, scores, &tmp, &err);
        if (st == PAL_OK)
            st = model_explain(m, &h, 1, scores, &tmp, &err);
        mem_fail_at(0);
        model_free(m);
        arena_done(&tmp);
        assert_int_equal(mem_live(), live);
        if (st == PAL_OK)
            break;
        assert_int_equal(st, PAL_ENOMEM);
        failed++;
    }
    assert_true(failed > 50);
    mem_free(options);
    training_done(&t);
    dataset_free(d);
}

/* memory() is an upper bound of what fit takes, and not a wild one: exactly the vectors and the
 * transposed matrix must be in it. */
static void memory_is_foreseen(void **state)
{
    void *options = options_of((const char *const[]){"factors", "64", NULL});
    uint64_t small_one = als()->memory(options, 1000, 1000, 10000);
    uint64_t more_users = als()->memory(options, 2000, 1000, 10000);
    uint64_t more_entries = als()->memory(options, 1000, 1000, 2010000);
    assert_int_equal(more_users - small_one, 1000 * 64 * 4);
    assert_true(more_entries - small_one >= 2000000 * 8);
    mem_free(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_blocks),           cmocka_unit_test(dislikes_lower),
        cmocka_unit_test(dislikes_train),         cmocka_unit_test(reasons_add_up),
        cmocka_unit_test(alone_or_together),      cmocka_unit_test(interrupted_anywhere),
        cmocka_unit_test(out_of_memory_anywhere), cmocka_unit_test(memory_is_foreseen),
    };
    return cmocka_run_group_tests_name("model/als", tests, NULL, NULL);
}
