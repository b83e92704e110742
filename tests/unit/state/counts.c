/* What every kind of live state promises of counts in state.h; like contract.c. */
#include "site.h"

#include <math.h>

/* ---- Counts ---- */

static const struct state_fading fading = {10, 180, 1};

static struct state_counts counted(struct site *w, struct state *s, const char *who,
                                   uint64_t generation, uint64_t mark, size_t most)
{
    struct state_counts out;
    struct pal_error err;
    assert_ok(state_counted(s, &fading, who, generation, mark, most, &w->tmp, &out, &err), &err);
    return out;
}

static struct state_count count_of(const char *item, double x, int64_t day)
{
    return (struct state_count){item, {x, 2 * x, 3 * x, 4 * x, day * 86400000}};
}

/* Makes a generation of three items. */
static uint64_t make_counts(struct site *w)
{
    struct pal_error err;
    uint64_t generation = 0;
    bool mine;
    const struct state_count base[] = {count_of("x", 1, 100), count_of("y", 2, 100),
                                       count_of("z", 3, 100)};
    assert_int_equal(counted(w, w->a, "A", 0, 0, 10).generation, 0);
    assert_ok(state_count_lock(w->a, &fading, "A", &mine, &err), &err);
    assert_true(mine);
    assert_ok(state_count_lock(w->b, &fading, "B", &mine, &err), &err);
    assert_false(mine);
    assert_ok(state_count_put(w->a, &fading, "A", 9, 7, base, 2, false, &generation, &err), &err);
    assert_int_equal(generation, 0);
    assert_ok(state_count_put(w->a, &fading, "A", 9, 7, base + 2, 1, true, &generation, &err),
              &err);
    assert_true(generation != 0);
    return generation;
}

static const struct state_sums *sums_of(const struct state_counts *c, const char *item)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->counts[i].item_id, item) == 0)
            return &c->counts[i].sums;
    fail_msg("%s is not there", item);
    return NULL;
}

static void assert_near(double is, double should)
{
    if (fabs(is - should) > 1e-9 * (1 + fabs(should)))
        fail_msg("%.17g instead of %.17g", is, should);
}

static void counts_add_up_as_they_fade(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool taken;
    uint64_t generation = make_counts(w);
    const struct state_count later = count_of("x", 5, 105), early = count_of("y", 5, 90),
                             fresh = count_of("new", 1, 1);
    const struct state_count all[] = {later, early, fresh};
    assert_ok(state_count_up(w->b, &fading, generation, "B", 1, 3, all, 3, &taken, &err), &err);
    assert_true(taken);
    struct state_counts c = counted(w, w->a, "A", 0, 0, 10);
    assert_int_equal(c.count, 4);
    assert_int_equal(c.seq, 7);
    assert_int_equal(counted(w, w->a, "B", 0, 0, 10).seq, 3);
    const struct state_sums *x = sums_of(&c, "x"), *y = sums_of(&c, "y");
    assert_int_equal(x->last_ms, 105ll * 86400000);
    assert_near(x->success, 1 * pow(2, -0.5) + 5);
    assert_near(x->failure, 2 * pow(2, -0.5) + 10);
    assert_near(x->popular, 3 * pow(2, -5 / 180.0) + 15);
    assert_near(x->recent, 4 * pow(2, -5) + 20);
    assert_int_equal(y->last_ms, 100ll * 86400000);
    assert_near(y->success, 2 + 5 * pow(2, -1));
    assert_near(y->recent, 8 + 20 * pow(2, -10));
    assert_near(sums_of(&c, "new")->popular, 3);
}

static void a_batch_counts_once(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool taken;
    uint64_t generation = make_counts(w);
    const struct state_count one = count_of("x", 1, 100);
    for (int i = 0; i < 3; i++) {
        taken = false;
        assert_ok(state_count_up(w->b, &fading, generation, "B", 5, 1, &one, 1, &taken, &err),
                  &err);
        assert_true(taken);
    }
    struct state_counts c = counted(w, w->a, "A", 0, 0, 10);
    assert_near(sums_of(&c, "x")->success, 2);
    assert_ok(state_count_up(w->b, &fading, generation + 1, "B", 6, 1, &one, 1, &taken, &err),
              &err);
    assert_false(taken);
}

/* What was put holds the putter's batches up to the one that it names; later ones are added. */
static void what_was_put_holds_its_batches(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool taken;
    uint64_t generation = make_counts(w);
    const struct state_count one = count_of("x", 1, 100);
    for (uint64_t batch = 8; batch <= 10; batch++) {
        assert_int_equal(counted(w, w->a, "A", 0, 0, 10).batch, 9);
        assert_ok(state_count_up(w->a, &fading, generation, "A", batch, 7, &one, 1, &taken, &err),
                  &err);
        assert_true(taken);
    }
    struct state_counts c = counted(w, w->a, "A", 0, 0, 10);
    assert_near(sums_of(&c, "x")->success, 2);
    assert_int_equal(c.batch, 10);
    assert_int_equal(counted(w, w->a, "B", 0, 0, 10).batch, 0);
}

/* Who begins to put anew leaves nothing of what was put before it. */
static void half_of_a_generation_is_nothing(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    uint64_t generation = 0;
    bool mine;
    const struct state_count first = count_of("gone", 1, 100), second = count_of("x", 1, 100);
    assert_int_equal(counted(w, w->a, "A", 0, 0, 10).generation, 0);
    assert_ok(state_count_lock(w->a, &fading, "A", &mine, &err), &err);
    assert_ok(state_count_put(w->a, &fading, "A", 1, 1, &first, 1, false, &generation, &err), &err);
    assert_ok(state_count_lock(w->a, &fading, "A", &mine, &err), &err);
    assert_true(mine);
    assert_ok(state_count_put(w->a, &fading, "A", 1, 1, &second, 1, true, &generation, &err), &err);
    struct state_counts c = counted(w, w->b, "B", 0, 0, 10);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.counts[0].item_id, "x");
}

static void only_what_changed_is_told(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool taken;
    uint64_t generation = make_counts(w);
    struct state_counts c = counted(w, w->b, "B", 0, 0, 2); /* in parts */
    assert_int_equal(c.count, 2);
    c = counted(w, w->b, "B", generation, c.mark, 2);
    assert_int_equal(c.count, 1);
    c = counted(w, w->b, "B", generation, c.mark, 2);
    assert_int_equal(c.count, 0);
    const struct state_count one = count_of("y", 1, 100);
    assert_ok(state_count_up(w->a, &fading, generation, "A", 10, 8, &one, 1, &taken, &err), &err);
    c = counted(w, w->b, "B", generation, c.mark, 2);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.counts[0].item_id, "y");
    c = counted(w, w->b, "B", generation - 1, c.mark, 10); /* of another time: all */
    assert_int_equal(c.count, 3);
}

static void cleared_counts_are_complete_and_empty(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool mine;
    uint64_t generation = make_counts(w);
    assert_ok(state_clear(w->b, true, &err), &err);
    struct state_counts c = counted(w, w->a, "A", generation, 3, 10);
    assert_true(c.generation != 0 && c.generation != generation);
    assert_int_equal(c.count, 0);
    assert_ok(state_count_lock(w->a, &fading, "A", &mine, &err), &err);
    assert_false(mine);
    assert_ok(state_clear(w->b, false, &err), &err); /* users only */
    assert_int_equal(counted(w, w->a, "A", 0, 0, 10).generation, c.generation);
}

static void other_half_lives_are_counted_apart(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const struct state_fading other = {11, 180, 1};
    struct state_counts out;
    make_counts(w);
    assert_ok(state_counted(w->a, &other, "A", 0, 0, 10, &w->tmp, &out, &err), &err);
    assert_int_equal(out.generation, 0);
}

int main(void)
{
    if (!have_server())
        return 77;
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(counts_add_up_as_they_fade),         TEST(a_batch_counts_once),
        TEST(what_was_put_holds_its_batches),     TEST(half_of_a_generation_is_nothing),
        TEST(only_what_changed_is_told),          TEST(cleared_counts_are_complete_and_empty),
        TEST(other_half_lives_are_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
