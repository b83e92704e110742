/* Folds: what happens after a fold's moment moves no byte of what is computed for it, each fold has
 * lists of its own time, and there are no more of them than there is room for. */
#include "model/world.h"

#include "rank/folds.h"

enum { USERS = 80, ITEMS = 60, DAYS = 100, DAY = 86400, EVENTS = USERS * DAYS / 4 };

/* Twenty events a day; from day `from` on, other ones than for another seed, by the same users at
 * the same times. Users like items of their block more often than others, and some again. */
static struct dataset *make_world(uint32_t from, uint64_t seed)
{
    static struct event events[EVENTS];
    struct pal_error err;
    struct rng early, late;
    rng_init(&early, 1, 0);
    rng_init(&late, seed, 1);
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t day = i * DAYS / EVENTS, user = i * 7 % USERS;
        struct rng *rng = day < from ? &early : &late;
        uint32_t item = (uint32_t)rng_below(rng, ITEMS / 4) * 4;
        item += rng_below(rng, 10) < 7 ? user % 4 : (uint32_t)rng_below(rng, 4);
        events[i] = (struct event){user, item, rng_below(rng, 6) ? 1 : -1,
                                   DAY * (1000 + day) + i % (EVENTS / DAYS) * 60};
    }
    struct dataset *d = world_of(events, EVENTS, USERS, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "{\"maker\": \"m%u\"}", i % 7);
        assert_ok(texts_add(&d->items.attributes, text, (size_t)len, &err), &err);
        len = snprintf(text, sizeof text, "genre%u", i % 4);
        assert_ok(labels_add(&d->items.categories, text, (size_t)len, &err), &err);
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
    }
    return d;
}

static struct asks ask(struct dataset *d, int folds, unsigned threads)
{
    static const char *const names[] = {"als", "habit", "popular"};
    struct pal_error err;
    struct weights weights = world_weights();
    struct training t;
    struct model *source[3];
    struct run run = {.seed = 1};
    struct asks asks;
    assert_ok(pool_new(threads, &run.pool, &err), &err);
    assert_ok(training_make(d, &d->all, &weights, &run, &t, &err), &err);
    for (int i = 0; i < 3; i++)
        assert_ok(model_fit(model_find(names[i]), NULL, &t, 0, &run, &source[i], &err), &err);
    const struct folds_plan plan = {.t = &t,
                                    .source = (const struct model *const *)source,
                                    .sources = 3,
                                    .quota = 20,
                                    .part = 10,
                                    .folds = folds,
                                    .per_user = 2,
                                    .most = 10000,
                                    .again = true,
                                    .whole = true};
    assert_ok(folds_ask(&plan, &run, &asks, &err), &err);
    for (int i = 0; i < 3; i++)
        model_free(source[i]);
    training_done(&t);
    dataset_free(d);
    pool_free(run.pool);
    return asks;
}

/* Which fold a list is of: fold k's moments are in the k-th tenth from the end. */
static uint32_t day_of(const struct asked *a)
{
    return a->at_s / DAY - 1000;
}

/* Two worlds that part on day 80: of the folds from 60 to 80 only labels may differ, and those only
 * if they look past it, which the oldest can't. */
static void what_comes_later_is_not_looked_at(void **state)
{
    (void)state;
    struct asks a = ask(make_world(80, 5), 4, 2), b = ask(make_world(80, 6), 4, 2);
    size_t same = 0, different = 0;
    for (size_t i = 0; i < a.count; i++)
        for (size_t j = 0; j < b.count; j++) {
            const struct asked *x = &a.asked[i], *y = &b.asked[j];
            if (x->user != y->user || x->at_s != y->at_s)
                continue;
            bool equal = x->rows == y->rows &&
                         !memcmp(x->x, y->x, a.features * x->rows * sizeof *x->x) &&
                         !memcmp(x->base, y->base, rank_bases(3) * x->rows * sizeof *x->base);
            if (day_of(x) < 80) {
                assert_true(equal);
                assert_memory_equal(x->label, y->label, x->rows * sizeof *x->label);
                same++;
            }
            different += day_of(x) >= 90 && !equal;
        }
    assert_true(same > USERS);
    assert_true(different > USERS / 4); /* or the worlds would not differ */
    asks_done(&a);
    asks_done(&b);
}

static void as_many_as_there_is_room_for(void **state)
{
    (void)state;
    struct asks one = ask(make_world(0, 3), 1, 1), all = ask(make_world(0, 3), 99, 1);
    size_t in[DAYS / 10] = {0};
    for (size_t i = 0; i < one.count; i++)
        assert_true(day_of(&one.asked[i]) >= 90);
    for (size_t i = 0; i < all.count; i++)
        in[day_of(&all.asked[i]) / 10]++;
    for (size_t tenth = 0; tenth < DAYS / 10; tenth++)
        assert_true(tenth < 3 ? in[tenth] == 0 : in[tenth] > USERS / 4);
    assert_true(in[9] <= one.count);
    asks_done(&one);
    asks_done(&all);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    struct asks a = ask(make_world(0, 4), 3, 1), b = ask(make_world(0, 4), 3, 3);
    assert_true(a.count > USERS);
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_int_equal(a.asked[i].rows, b.asked[i].rows);
        assert_memory_equal(a.asked[i].x, b.asked[i].x,
                            a.features * a.asked[i].rows * sizeof(float));
    }
    asks_done(&a);
    asks_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_later_is_not_looked_at),
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
