/* Scoring in batches: each history is scored once, under its own number, with its own scores, over
 * several slabs and at any thread count; the first failure is the one that is told. */
#include "fake.h"

#include "eval/scoring.h"

enum { MANY = 10001 };

struct visits {
    uint8_t seen[MANY];
    uint32_t wrong;
    size_t fail_from; /* histories from here on can't be had */
    const struct fake *fake;
};

/* History i is the items i and 7 i + 1 of the catalog. */
static enum pal_status two_items(void *ctx, size_t i, struct arena *tmp, struct history *out,
                                 struct pal_error *err)
{
    static const float weight[2] = {1, 2};
    const struct visits *v = ctx;
    if (i >= v->fail_from)
        return pal_fail(err, PAL_ENOTFOUND, "no history %zu", i);
    uint32_t *item = arena_alloc(tmp, 2, sizeof *item);
    if (!item)
        return pal_no_memory(err);
    item[0] = (uint32_t)(i % ITEMS);
    item[1] = (uint32_t)((7 * i + 1) % ITEMS);
    *out = (struct history){.n = 2, .item = item, .weight = weight};
    return PAL_OK;
}

static void visit(void *ctx, size_t i, float *scores, unsigned worker)
{
    struct visits *v = ctx;
    const struct fake *f = v->fake;
    v->seen[i]++;
    for (uint32_t j = 0; j < ITEMS; j++) {
        float want = .01f * f->table[0][j];
        want += f->table[i % ITEMS][j];
        want += 2 * f->table[(7 * i + 1) % ITEMS][j];
        if (scores[j] != want)
            __atomic_fetch_add(&v->wrong, 1, __ATOMIC_RELAXED);
    }
}

static void each_once(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(1);
    struct fake *f = make_fake(2);
    for (unsigned threads = 1; threads <= 6; threads++) {
        static struct visits v;
        struct run run = {0};
        struct scoring *s;
        v = (struct visits){.fail_from = MANY, .fake = f};
        struct scoring_calls calls = {.history = two_items, .visit = visit, .ctx = &v};
        assert_ok(pool_new(threads, &run.pool, &err), &err);
        assert_ok(scoring_new(&f->model, &d->items, &run, &s, &err), &err);
        assert_ok(scoring_run(s, MANY, "testing", &calls, &err), &err);
        for (size_t i = 0; i < MANY; i++)
            assert_int_equal(v.seen[i], 1);
        assert_int_equal(v.wrong, 0);
        v.fail_from = 5000; /* in a later slab */
        assert_int_equal(scoring_run(s, MANY, "testing", &calls, &err), PAL_ENOTFOUND);
        assert_string_equal(err.message, "no history 5000");
        v.fail_from = MANY; /* and is forgotten by the next run */
        assert_ok(scoring_run(s, 3, "testing", &calls, &err), &err);
        assert_ok(scoring_run(s, 0, "testing", &calls, &err), &err);
        scoring_free(s);
        pool_free(run.pool);
    }
    free_fake(f);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
