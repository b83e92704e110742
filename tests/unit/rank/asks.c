/* Moments and their features: nothing that lies behind a moment moves a byte of what is computed
 * for it, labels are what was liked from then on, and threads change nothing. */
#include "model/world.h"

#include "base/rng.h"
#include "rank/asks.h"

#include <math.h>

enum { USERS = 60, ITEMS = 40, BLOCKS = 4, DAY = 86400, BORDER = 100 * DAY };

/* Users like items of their block on days 0 to 99; then, from day 100 on, twelve events of `late`
 * each. */
struct late {
    uint32_t item;
    float value;
    uint32_t wait_s; /* since the event before */
};

static struct dataset *make_world(const struct late *late)
{
    static struct event events[USERS * 32];
    struct rng rng;
    size_t n = 0;
    rng_init(&rng, 1, 0);
    for (uint32_t u = 0; u < USERS; u++) {
        for (int i = 0; i < 8; i++) {
            uint32_t item = (uint32_t)rng_below(&rng, ITEMS / BLOCKS) * BLOCKS + u % BLOCKS;
            events[n++] =
                (struct event){u, item, i == 5 ? -1 : 1, (uint32_t)rng_below(&rng, BORDER)};
        }
        for (uint32_t i = 0, t = BORDER; i < 12; i++) {
            t += late[u * 12 + i].wait_s;
            events[n++] = (struct event){u, late[u * 12 + i].item, late[u * 12 + i].value, t};
        }
    }
    return world_of(events, n, USERS, ITEMS);
}

/* The first event is the same for all seeds: it says when the user asks. */
static void invent_late(struct late *late, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed, 0);
    for (uint32_t i = 0; i < USERS * 12; i++) {
        bool own = rng_real(&rng) < .7;
        uint32_t block = own ? i / 12 % BLOCKS : (uint32_t)rng_below(&rng, BLOCKS);
        late[i] = (struct late){(uint32_t)rng_below(&rng, ITEMS / BLOCKS) * BLOCKS + block,
                                rng_real(&rng) < .2 ? -1 : 1, (uint32_t)rng_below(&rng, DAY)};
        if (i % 12 == 0)
            late[i].wait_s = i;
    }
}

static void part(const struct dataset *d, bool later, struct interactions *out)
{
    struct pal_error err;
    uint64_t n = interactions_count(&d->all);
    uint8_t *label = malloc(n), keep[256] = {0};
    for (uint64_t i = 0; i < n; i++)
        label[i] = d->all.time_s[i] >= BORDER;
    keep[later] = 1;
    assert_ok(interactions_select(&d->all, label, keep, out, &err), &err);
    free(label);
}

static struct asks ask(const struct late *late, size_t moments, unsigned threads)
{
    struct pal_error err;
    struct dataset *d = make_world(late);
    struct interactions early, later;
    struct weights weights = world_weights();
    struct training t;
    struct known known;
    struct model *source[2];
    struct run run = {.seed = 1};
    struct asks asks;
    part(d, false, &early);
    part(d, true, &later);
    assert_ok(pool_new(threads, &run.pool, &err), &err);
    assert_ok(training_make(d, &early, &weights, &run, &t, &err), &err);
    assert_ok(known_make(&t, false, &known, &err), &err);
    assert_ok(model_fit(model_find("knn"), NULL, &t, 0, &run, &source[0], &err), &err);
    assert_ok(model_fit(model_find("popular"), NULL, &t, 0, &run, &source[1], &err), &err);
    const struct asks_plan plan = {.source = (const struct model *const *)source,
                                   .sources = 2,
                                   .quota = 20,
                                   .known = &known,
                                   .early = &t,
                                   .later = &later,
                                   .per_user = moments,
                                   .most = 1000,
                                   .seed = 1};
    assert_ok(asks_make(&plan, &run, &asks, &err), &err);
    for (int i = 0; i < 2; i++)
        model_free(source[i]);
    known_done(&known);
    training_done(&t);
    interactions_done(&early);
    interactions_done(&later);
    dataset_free(d);
    pool_free(run.pool);
    return asks;
}

static void what_comes_later_is_not_looked_at(void **state)
{
    (void)state;
    static struct late late[2][USERS * 12];
    invent_late(late[0], 1);
    invent_late(late[1], 2);
    struct asks a = ask(late[0], 1, 1), b = ask(late[1], 1, 1);
    size_t same = 0, labels = 0;
    for (size_t i = 0; i < a.count; i++)
        for (size_t j = 0; j < b.count; j++) {
            const struct asked *x = &a.asked[i], *y = &b.asked[j];
            if (x->user != y->user)
                continue;
            assert_int_equal(x->rows, y->rows);
            assert_memory_equal(x->x, y->x, a.features * x->rows * sizeof *x->x);
            assert_memory_equal(x->base, y->base, 3 * x->rows * sizeof *x->base);
            labels += memcmp(x->label, y->label, x->rows * sizeof *x->label) != 0;
            same++;
        }
    assert_true(same > USERS / 2);
    assert_true(labels > same / 2); /* or the two worlds would not differ */
    asks_done(&a);
    asks_done(&b);
}

/* A second moment knows what lies between: it differs from the first, and by that alone. */
static void later_moments_know_more(void **state)
{
    (void)state;
    static struct late late[2][USERS * 12];
    invent_late(late[0], 1);
    memcpy(late[1], late[0], sizeof late[0]);
    for (uint32_t i = 0; i < USERS * 12; i++)
        if (i % 12 > 6) { /* behind the second moment, which is at the sixth */
            late[1][i].item = i % 12 == 11 ? late[1][i].item : (late[1][i].item + 1) % ITEMS;
            late[1][i].wait_s += 77;
        }
    struct asks a = ask(late[0], 2, 1), b = ask(late[1], 2, 1);
    size_t second = 0;
    for (size_t i = 0, j = 0; i < a.count && j < b.count;) {
        const struct asked *x = &a.asked[i], *y = &b.asked[j];
        bool one = i + 1 < a.count && a.asked[i + 1].user == x->user;
        bool two = j + 1 < b.count && b.asked[j + 1].user == y->user;
        if (one && two && x->user == y->user) {
            assert_int_equal(x[1].rows, y[1].rows);
            assert_memory_equal(x[1].x, y[1].x, a.features * x[1].rows * sizeof *x->x);
            assert_true(x->rows != x[1].rows ||
                        memcmp(x->x, x[1].x, a.features * x->rows * sizeof *x->x) != 0);
            second++;
        }
        uint32_t user = x->user < y->user ? x->user : y->user;
        while (i < a.count && a.asked[i].user <= user)
            i++;
        while (j < b.count && b.asked[j].user <= user)
            j++;
    }
    assert_true(second > USERS / 4);
    asks_done(&a);
    asks_done(&b);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    static struct late late[USERS * 12];
    invent_late(late, 3);
    struct asks a = ask(late, 3, 1), b = ask(late, 3, 3);
    assert_true(a.count > USERS);
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_int_equal(a.asked[i].rows, b.asked[i].rows);
        assert_memory_equal(a.asked[i].x, b.asked[i].x,
                            a.features * a.asked[i].rows * sizeof(float));
        assert_memory_equal(a.asked[i].label, b.asked[i].label, a.asked[i].rows * sizeof(float));
    }
    asks_done(&a);
    asks_done(&b);
}

/* Every list has likes and others; held-out users' lists and the rest are all of them, and no user
 * has lists in both. */
static void lists_are_parted_by_user(void **state)
{
    (void)state;
    static struct late late[USERS * 12];
    struct arena keep = {0};
    struct asks_parts parts;
    struct pal_error err;
    invent_late(late, 4);
    struct asks a = ask(late, 1, 2);
    size_t base = asks_best_base(&a), rows = 0;
    assert_true(base <= 3);
    assert_ok(asks_lists(&a, base, &keep, &parts, &err), &err);
    const float *label = parts.all.label;
    for (size_t l = 0; l < parts.all.lists; label += parts.all.count[l++]) {
        size_t likes = 0;
        for (uint32_t r = 0; r < parts.all.count[l]; r++)
            likes += label[r] > 0;
        assert_true(likes > 0 && likes < parts.all.count[l]);
    }
    assert_int_equal(parts.all.lists, a.count);
    assert_int_equal(parts.train.lists + parts.held.lists, a.count);
    assert_int_equal(parts.train.rows + parts.held.rows, parts.all.rows);
    assert_true(parts.held.lists > 0 && parts.train.x == parts.all.x);
    assert_ptr_equal(parts.held.label, parts.all.label + parts.train.rows);
    assert_ptr_equal(parts.held.x, parts.all.x + parts.train.rows * a.features);
    for (size_t i = 0, held = 0, train = 0; i < a.count; i++) {
        bool out = a.asked[i].user % 5 == 4;
        const struct boost_lists *l = out ? &parts.held : &parts.train;
        assert_int_equal(l->count[out ? held++ : train++], a.asked[i].rows);
        rows += a.asked[i].rows;
    }
    assert_int_equal(rows, parts.all.rows);
    arena_done(&keep);
    asks_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_later_is_not_looked_at),
        cmocka_unit_test(later_moments_know_more),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(lists_are_parted_by_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
