/* Folding events into histories and histories into the training matrix, against a fold that looks
 * at every pair of events. */
#include "test.h"
#include "world.h"

#include "model/worth.h"

#include <math.h>

/* For each item with an event of weight: its last event's place, and the sum over its latest run of
 * equal signs. */
static size_t naive_fold(const uint32_t *items, const float *weights, size_t n, uint32_t *item,
                         float *weight)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool last = weights[i] != 0;
        for (size_t j = i + 1; j < n; j++)
            last &= items[j] != items[i] || weights[j] == 0;
        if (!last)
            continue;
        size_t begin = 0; /* the run of this sign begins after the last event of the other */
        for (size_t j = 0; j < i; j++)
            if (items[j] == items[i] && weights[j] * weights[i] < 0)
                begin = j + 1;
        float sum = 0;
        for (size_t j = begin; j <= i; j++)
            if (items[j] == items[i])
                sum += weights[j];
        item[kept] = items[i];
        weight[kept++] = sum;
    }
    return kept;
}

static void fold_equals_naive(void **state)
{
    (void)state;
    enum { MOST = 300 };
    struct pal_error err;
    struct rng rng;
    struct arena tmp = {0};
    uint32_t items[MOST], item[MOST], want_item[MOST];
    float weights[MOST], weight[MOST], want_weight[MOST];
    const float values[] = {-2, -1, 0, 0.5f, 1, 2};
    rng_init(&rng, 5, 0);
    for (int round = 0; round < 500; round++) {
        size_t n = rng_below(&rng, MOST), count;
        uint32_t spread = 1 + (uint32_t)rng_below(&rng, round % 2 ? 10 : 1000);
        for (size_t i = 0; i < n; i++) {
            items[i] = (uint32_t)rng_below(&rng, spread) * 65536;
            weights[i] = values[rng_below(&rng, 6)];
        }
        assert_ok(history_fold(items, weights, n, &tmp, item, weight, &count, &err), &err);
        assert_int_equal(count, naive_fold(items, weights, n, want_item, want_weight));
        assert_memory_equal(item, want_item, count * sizeof *item);
        assert_memory_equal(weight, want_weight, count * sizeof *weight);
        arena_reset(&tmp);
    }
    arena_done(&tmp);
}

static void worth_equals_the_rules(void **state)
{
    (void)state;
    struct pal_error err;
    struct event_types types = {0};
    struct worth worth;
    uint8_t number;
    const char *const rules[] = {weights_default,
                                 "*:1",
                                 "rating>=4:1,rating>=2:0.5,rating:-1",
                                 "rating>=4:1",
                                 "like:2,*>=3:1,*:0.5",
                                 "view>=-1:3,view>=-2:4"};
    const char *const names[] = {"rating", "like", "view", "something"};
    for (size_t i = 0; i < 4; i++)
        assert_ok(event_type_add(&types, names[i], strlen(names[i]), &number, &err), &err);
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        struct weights w;
        assert_ok(weights_parse(rules[r], &w, &err), &err);
        worth_init(&worth, &w, &types);
        for (uint8_t t = 0; t < 4; t++)
            for (float v = -6; v <= 6; v += 0.25f)
                assert_true(worth_of(&worth, t, v) == weights_of(&w, names[t], v));
    }
}

static void check_training(const struct dataset *d, const struct weights *w, unsigned threads)
{
    struct pal_error err;
    struct training t;
    struct arena tmp = {0};
    struct run run = {0};
    assert_ok(pool_new(threads, &run.pool, &err), &err);
    assert_ok(training_make(d, &d->all, w, &run, &t, &err), &err);
    pool_free(run.pool);
    assert_int_equal(t.by_user.rows, d->all.users);
    assert_int_equal(t.by_user.cols, d->all.items);
    for (uint32_t u = 0; u < d->all.users; u++) {
        struct history h;
        assert_ok(history_of(&d->all, &d->types, w, u, &tmp, &h, &err), &err);
        uint64_t begin = t.by_user.start[u];
        assert_int_equal(t.by_user.start[u + 1] - begin, h.n);
        for (size_t i = 0; i < h.n; i++) {
            assert_true(i == 0 || t.by_user.col[begin + i] > t.by_user.col[begin + i - 1]);
            size_t j = 0;
            while (h.item[j] != t.by_user.col[begin + i])
                j++;
            assert_true(t.by_user.val[begin + i] == h.weight[j]);
        }
        arena_reset(&tmp);
    }
    training_done(&t);
    arena_done(&tmp);
}

static struct dataset *random_world(size_t n, uint32_t users, uint32_t items)
{
    struct rng rng;
    const float values[] = {-2, -1, 0, 0.5f, 1, 2};
    struct event *events = malloc((n + 1) * sizeof *events);
    rng_init(&rng, n, 0);
    for (size_t i = 0; i < n; i++)
        events[i] = (struct event){(uint32_t)(rng_below(&rng, users) * rng_real(&rng)),
                                   (uint32_t)rng_below(&rng, items), values[rng_below(&rng, 6)],
                                   (uint32_t)i};
    struct dataset *d = world_of(events, n, users, items);
    free(events);
    return d;
}

static void training_is_every_users_history(void **state)
{
    (void)state;
    struct weights w = world_weights();
    const size_t sizes[][3] = {{0, 3, 4}, {1, 1, 1}, {4000, 9, 300}, {3000, 500, 70000}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct dataset *d = random_world(sizes[s][0], (uint32_t)sizes[s][1], (uint32_t)sizes[s][2]);
        for (unsigned threads = 1; threads <= 3; threads++)
            check_training(d, &w, threads);
        dataset_free(d);
    }
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = random_world(600, 20, 30);
    struct training t;
    long live = mem_live(), at = 1;
    for (;; at++) {
        mem_fail_at(at);
        if (training_make(d, &d->all, &w, NULL, &t, &err) == PAL_OK)
            break;
        assert_int_equal(err.status, PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    mem_fail_at(0);
    assert_true(at > 5);
    training_done(&t);
    assert_int_equal(mem_live(), live);
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    assert_int_equal(training_make(d, &d->all, &w, &run, &t, &err), PAL_EINTERRUPTED);
    assert_int_equal(mem_live(), live);
    dataset_free(d);
}

/* Said before anything of it is read: there is nothing behind these pointers. */
static void too_long_is_refused(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    size_t count = 7;
    assert_int_equal(history_fold(NULL, NULL, INT32_MAX, &tmp, NULL, NULL, &count, &err),
                     PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "2147483647"));
    assert_int_equal(count, 7);
    arena_done(&tmp);
}

/* Ratings go with the items that remain: the last of each, whatever it weighs; NAN where there is
 * none; NULL without such a type. */
static void ratings_come_along(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    const struct event events[] = {{0, 3, 2, 10}, {0, 1, 1, 11},  {0, 3, 0, 12},
                                   {0, 2, 0, 13}, {0, 1, -1, 14}, {0, 0, 3, 15}};
    struct dataset *d = world_of(events, 6, 1, 5);
    struct weights w = world_weights();
    struct history h;
    const uint32_t item[] = {3, 1, 0};
    const float rating[] = {0, -1, 3};
    assert_ok(history_of(&d->all, &d->types, &w, 0, &tmp, &h, &err), &err);
    assert_int_equal(h.n, 3);
    assert_memory_equal(h.item, item, sizeof item);
    assert_memory_equal(h.rating, rating, sizeof rating);
    assert_true(h.weight[0] == 2); /* a rating of 0 weighs nothing here, and changes nothing */

    const float weights[] = {1, 1, 1}, some[] = {NAN, 4, NAN};
    const uint32_t items[] = {7, 8, 8};
    struct history_events in = {.item = items, .weight = weights, .rating = some, .n = 3};
    assert_ok(history_make(&in, &tmp, &h, &err), &err);
    assert_true(h.n == 2 && isnan(h.rating[0]) && h.rating[1] == 4 && h.weight[1] == 2);

    snprintf(d->types.name[0], EVENT_NAME, "thumb");
    assert_ok(history_of(&d->all, &d->types, &w, 0, &tmp, &h, &err), &err);
    assert_null(h.rating);
    arena_done(&tmp);
    dataset_free(d);
}

static uint32_t two_up(const void *ctx, uint32_t item)
{
    return item == 8 ? INTERN_NONE : item + *(const uint32_t *)ctx;
}

/* How often and when, whatever the events weigh, but for those that weigh nothing. */
static void how_often_and_when(void **state)
{
    (void)state;
    struct pal_error err;
    struct arena tmp = {0};
    struct history h, other;
    const uint32_t item[] = {7, 8, 7, 9, 7}, time_s[] = {100, 200, 300, 400, 500}, two = 2;
    const float weight[] = {1, 1, -1, 0, -1};
    struct history_events in = {.item = item, .weight = weight, .n = 5};
    assert_ok(history_make(&in, &tmp, &h, &err), &err);
    assert_null(h.had);
    in.time_s = time_s;
    assert_ok(history_make(&in, &tmp, &h, &err), &err);
    assert_true(h.n == 2 && h.item[0] == 8 && h.item[1] == 7);
    assert_true(h.had[0].times == 1 && h.had[0].first_s == 200 && h.had[0].last_s == 200);
    assert_true(h.had[1].times == 3 && h.had[1].first_s == 100 && h.had[1].last_s == 500);

    h.now_s = 600;
    h.last_s = 500;
    assert_ok(history_renumber(&h, two_up, &two, &tmp, &other, &err), &err);
    assert_true(other.n == 1 && other.item[0] == 9 && other.weight[0] == -2);
    assert_true(other.now_s == 600 && other.last_s == 500 && !other.rating);
    assert_true(other.had[0].times == 3 && other.had[0].first_s == 100);
    arena_done(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fold_equals_naive),
        cmocka_unit_test(worth_equals_the_rules),
        cmocka_unit_test(training_is_every_users_history),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(ratings_come_along),
        cmocka_unit_test(how_often_and_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
