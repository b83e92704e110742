/* Two running recommenders, each with a store of its own, that share a state (a fake one): what is
 * done through one is in the next answer of the other, and what the state missed while it was away
 * or full is put right when it is back. Their housekeeping is done when a test says so. */
#include "live_world.h"

#include "fake_state.h"

#include "engine/live_inside.h"

#include <math.h>

#include <sys/stat.h>

enum { ITEMS = 30 };

struct pair {
    struct world *a, *b;
};

static void *open_one(void)
{
    void *w = NULL;
    struct world *x;
    assert_int_equal(world_make(&w), 0);
    x = w;
    opt_defaults(&state_option_table, &x->config.state);
    x->config.live.state = "fake:x";
    x->config.seed = 7;
    world_open(x);
    world_items(x, ITEMS);
    return w;
}

static int make(void **state)
{
    struct pair *p = calloc(1, sizeof *p);
    state_add_kind(&fake_ops);
    fake_reset();
    p->a = open_one();
    p->b = open_one();
    p->a->blocks = p->b->blocks; /* of which some are b's, until it is dropped */
    *state = p;
    return 0;
}

static int drop(void **state)
{
    struct pair *p = *state;
    void *a = p->a, *b = p->b;
    long before = mem_live();
    p->a->blocks = before; /* looked at below, for both together */
    world_close(p->a, 0);
    world_close(p->b, 0);
    arena_done(&p->a->tmp);
    arena_done(&p->b->tmp);
    p->a->blocks = p->b->blocks = mem_live();
    bool leaked = mem_live() != 0;
    int failed = world_drop(&a) || world_drop(&b);
    free(p);
    return failed || leaked ? -1 : 0;
}

static size_t offered(struct world *w, const char *user)
{
    struct live_answer a = world_ask(w, user, 100);
    arena_reset(&w->tmp);
    return a.count;
}

static void like(struct world *w, const char *user, unsigned item)
{
    char id[32];
    snprintf(id, sizeof id, "item-%u", item);
    live_set_clock(w->l, 1735689600000 + (int64_t)item * 1000);
    world_event(w, user, id, "like");
}

static void the_next_answer_of_the_other_knows(void **state)
{
    struct pair *p = *state;
    for (unsigned i = 0; i < ITEMS - 1; i++) {
        struct world *one = i % 2 ? p->a : p->b, *other = i % 2 ? p->b : p->a;
        assert_int_equal(offered(other, "ann"), ITEMS - i);
        like(one, "ann", i);
        assert_int_equal(offered(other, "ann"), ITEMS - 1 - i);
        assert_int_equal(offered(one, "ann"), ITEMS - 1 - i);
    }
    assert_int_equal(offered(p->a, "bob"), ITEMS);
}

static void an_erasure_is_known_by_the_other(void **state)
{
    struct pair *p = *state;
    struct pal_error err;
    struct record gone = {.kind = RECORD_USER_DELETE, .id = "ann"};
    for (unsigned i = 0; i < 5; i++)
        like(p->a, "ann", i);
    assert_int_equal(offered(p->b, "ann"), ITEMS - 5);
    assert_ok(live_write_wait(p->b->l, &gone, 1, &err), &err);
    assert_int_equal(offered(p->a, "ann"), ITEMS);
    world_drain(p->a); /* what comes into a's store only now is not offered again */
    assert_int_equal(offered(p->b, "ann"), ITEMS);
    assert_int_equal(offered(p->a, "ann"), ITEMS);
}

/* Away: answers go on from a's own store. Back: ann, who was not told, is filled anew. */
static void what_it_missed_is_put_right(void **state)
{
    struct pair *p = *state;
    struct live_status s;
    like(p->a, "ann", 0);
    assert_int_equal(offered(p->a, "ann"), ITEMS - 1);
    fake.away = true;
    like(p->a, "ann", 1);
    assert_int_equal(offered(p->a, "ann"), ITEMS - 2);
    world_drain(p->a);
    live_status(p->a->l, &s);
    assert_int_equal(s.shared.owed, 1);
    assert_true(s.shared.fallbacks > 0);
    assert_true(world_said(p->a, "the fake is away"));
    live_keep(p->a->l);
    fake.away = false;
    live_keep(p->a->l);
    live_status(p->a->l, &s);
    assert_int_equal(s.shared.owed, 0);
    assert_true(world_said(p->a, "works again"));
    assert_int_equal(offered(p->a, "ann"), ITEMS - 2);
    like(p->a, "ann", 2);
    assert_int_equal(offered(p->b, "ann"), ITEMS - 3);
}

static void assert_owed(struct world *w, uint64_t owed)
{
    struct live_status s;
    struct str note = {0};
    live_status(w->l, &s);
    assert_int_equal(s.shared.owed, owed);
    str_fmt(&note, "%s/state.missed", str_text(&w->l->journal_dir));
    assert_int_equal(access(str_text(&note), F_OK) == 0, owed > 0); /* for who starts after us */
    str_done(&note);
}

/* ann likes something while the state is away, which has her whole. */
static void miss_one(struct world *w)
{
    like(w, "ann", 0);
    assert_int_equal(offered(w, "ann"), ITEMS - 1);
    fake.away = true;
    like(w, "ann", 1);
    world_drain(w);
}

/* A try to put it right that fails leaves it owed. */
static void what_it_missed_is_kept_over_a_failed_try(void **state)
{
    struct pair *p = *state;
    miss_one(p->a);
    fake.away = false;
    fake.stuck = true;
    for (int i = 0; i < 3; i++) {
        live_keep(p->a->l);
        assert_owed(p->a, 1);
    }
    fake.stuck = false;
    live_keep(p->a->l);
    assert_owed(p->a, 0);
    assert_int_equal(offered(p->a, "ann"), ITEMS - 2);
}

/* Who starts while it is away finds the note, and makes it forget all users once it is back. */
static void what_it_missed_is_kept_over_a_restart(void **state)
{
    struct pair *p = *state;
    miss_one(p->a);
    world_close(p->a, 10000);
    world_open(p->a);
    assert_owed(p->a, 1);
    live_keep(p->a->l);
    assert_owed(p->a, 1);
    assert_int_equal(offered(p->a, "ann"), ITEMS - 2);
    fake.away = false;
    live_keep(p->a->l);
    assert_owed(p->a, 0);
    assert_int_equal(offered(p->a, "ann"), ITEMS - 2);
}

/* One that is full says so, and is told at once who is in doubt: nobody reads a hole. */
static void a_full_one_is_never_believed(void **state)
{
    struct pair *p = *state;
    like(p->a, "ann", 0);
    assert_int_equal(offered(p->a, "ann"), ITEMS - 1);
    fake.deaf = true;
    like(p->a, "ann", 1);
    world_drain(p->a);
    assert_int_equal(offered(p->a, "ann"), ITEMS - 2);
    assert_int_equal(offered(p->b, "ann"), ITEMS - 2); /* a filled it */
}

/* Past the limit everybody is in doubt. */
static void too_many_missed_are_all(void **state)
{
    struct pair *p = *state;
    struct live_status s;
    live_status(p->a->l, &s);
    like(p->a, "zoe", 0);
    assert_int_equal(offered(p->a, "zoe"), ITEMS - 1);
    fake.away = true;
    p->a->config.state.missed = 3;
    for (unsigned u = 0; u < 12; u++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", u);
        like(p->a, user, 1);
    }
    world_drain(p->a);
    fake.away = false;
    live_keep(p->a->l);
    assert_int_equal(offered(p->a, "zoe"), ITEMS - 1);
    assert_int_equal(offered(p->a, "u11"), ITEMS - 1);
    live_status(p->a->l, &s);
    assert_int_equal(s.shared.owed, 0);
}

/* What the bandit of one has counted as liked, and the state. */
static double liked(struct world *w, const char *item)
{
    uint32_t number = catalog_find(w->l->catalog, item);
    return number == INTERN_NONE ? 0 : bandit_get(w->l->bandit, number).success;
}

static double liked_there(const char *item)
{
    for (size_t i = 0; i < fake.items; i++)
        if (strcmp(fake.item[i].id, item) == 0)
            return fake.item[i].sums.success;
    return 0;
}

static void assert_liked(struct pair *p, const char *item, double times)
{
    if (fabs(liked(p->a, item) - times) > 1e-3 || fabs(liked(p->b, item) - times) > 1e-3 ||
        fabs(liked_there(item) - times) > 1e-3)
        fail_msg("%s: %g here, %g there, %g in the state instead of %g", item, liked(p->a, item),
                 liked(p->b, item), liked_there(item), times);
}

static void wait_for_counting(struct world *w)
{
    pthread_join(w->l->counter, NULL);
    w->l->counting = false;
}

/* Whichever answer gets lost while counts are exchanged, each like counts once with everybody. */
static void a_lost_answer_counts_nothing_twice(void **state)
{
    struct pair *p = *state;
    wait_for_counting(p->a);
    wait_for_counting(p->b);
    fake.counts = true;
    for (unsigned lost = 0; lost < 8; lost++) {
        struct world *one = lost % 2 ? p->a : p->b;
        fake.lose = lost / 2 ? 1 + lost % 2 : 1;
        like(one, "ann", lost);
        like(one, "bob", lost);
        if (lost >= 4) { /* the state begins anew, and is given all there is */
            fake.generation = 0;
            fake.items = fake.bys = 0;
            memset(fake.by, 0, sizeof fake.by);
        }
        for (int i = 0; i < 4; i++) {
            live_keep(one->l);
            if (i == 1)
                like(one, "cid", lost);
            live_keep(one == p->a ? p->b->l : p->a->l);
        }
        for (unsigned item = 0; item <= lost; item++) {
            char id[16];
            snprintf(id, sizeof id, "item-%u", item);
            assert_liked(p, id, 3);
        }
    }
}

/* What a list of n has, as numbers. */
static void numbers_of(struct world *w, const struct live_answer *a, uint32_t *number)
{
    for (size_t i = 0; i < a->count; i++) {
        number[i] = catalog_find(w->l->catalog, a->items[i].row.item_id);
        assert_int_not_equal(number[i], INTERN_NONE);
    }
}

static double left(struct world *w, uint32_t item)
{
    return bandit_get(w->l->bandit, item).failure;
}

/* Lists that are shown through one and then the other, and what is done in between: each list that
 * was ignored counts once, with both, and no item of it comes back in the next list. */
static void a_list_that_was_ignored_counts_once(void **state)
{
    enum { N = 5 };
    struct pair *p = *state;
    struct world *turn[] = {p->a, p->b, p->b, p->a, p->b, p->a};
    uint32_t number[2][N];
    unsigned ignored[ITEMS] = {0};
    wait_for_counting(p->a);
    wait_for_counting(p->b);
    fake.counts = true;
    live_keep(p->a->l);
    live_keep(p->b->l);
    double once = p->a->l->config.bandit.ignored;
    assert_true(once > 0);
    for (size_t i = 0; i < sizeof turn / sizeof turn[0]; i++) {
        struct world *one = turn[i], *other = one == p->a ? p->b : p->a;
        uint32_t *now = number[i % 2], *before = number[1 - i % 2];
        int64_t clock = 1735689600000 + (int64_t)(i + 1) * 3600000;
        live_set_clock(p->a->l, clock);
        live_set_clock(p->b->l, clock);
        struct live_answer a = world_ask(one, "ann", N);
        numbers_of(one, &a, now); /* both have the items in the same order */
        for (size_t k = 0; k < N && i; k++)
            for (size_t m = 0; m < N; m++)
                assert_int_not_equal(now[k], before[m]);
        arena_reset(&one->tmp);
        for (int rounds = 0; rounds < 3; rounds++) {
            live_keep(one->l);
            live_keep(other->l);
        }
        for (size_t k = 1; k < N && i; k++) /* all but what was liked */
            ignored[before[k]]++;
        for (uint32_t item = 0; item < ITEMS; item++)
            if (fabs(left(one, item) - once * ignored[item]) > 0.05 * once ||
                fabs(left(other, item) - once * ignored[item]) > 0.05 * once)
                fail_msg("turn %zu, item %u, %u times: %g and %g", i, item, ignored[item],
                         left(one, item), left(other, item));
        struct record r =
            event_record("ann", intern_text(catalog_ids(one->l->catalog), now[0]), "like");
        struct pal_error err;
        assert_ok(live_write_wait(other->l, &r, 1, &err), &err);
    }
}

/* Whichever allocation fails: the answer is an error or right, and the next one is right. */
static void want_of_memory_costs_nothing_for_good(void **state)
{
    struct pair *p = *state;
    struct pal_error err;
    for (unsigned i = 0; i < 6; i++)
        like(p->b, "ann", i);
    for (long n = 1; n < 300; n++) {
        struct live_request q = request_for("ann", 100);
        struct live_answer a;
        const char *ann = "ann";
        if (n % 2)
            assert_ok(state_doubt(&fake_state, &ann, 1, &err), &err); /* it is filled and read */
        mem_fail_at(n / 2 + 1);
        enum pal_status st = live_recommend(p->a->l, &q, &p->a->tmp, &a, &err);
        mem_fail_at(0);
        if (st == PAL_OK)
            assert_int_equal(a.count, ITEMS - 6);
        else
            assert_int_equal(st, PAL_ENOMEM);
        arena_reset(&p->a->tmp);
        assert_int_equal(offered(p->a, "ann"), ITEMS - 6);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(the_next_answer_of_the_other_knows),
        TEST(an_erasure_is_known_by_the_other),
        TEST(what_it_missed_is_put_right),
        TEST(what_it_missed_is_kept_over_a_failed_try),
        TEST(what_it_missed_is_kept_over_a_restart),
        TEST(a_full_one_is_never_believed),
        TEST(too_many_missed_are_all),
        TEST(a_lost_answer_counts_nothing_twice),
        TEST(a_list_that_was_ignored_counts_once),
        TEST(want_of_memory_costs_nothing_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
