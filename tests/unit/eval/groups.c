/* Users of known history lengths and values: which group each falls into, what its mean is, and
 * that users of one length stay together. */
#include "test.h"

#include "eval/groups.h"
#include "eval/metrics.h"

#include <math.h>

enum { USERS = 12 };

struct setting {
    struct split split;
    struct eval_result r;
    struct metric metric[2];
    uint64_t start[USERS + 1];
    uint32_t user[USERS];
    double per_user[2 * USERS], value[2];
};

/* User u has length[u] events and ndcg u. */
static void set_up(struct setting *s, const uint64_t *length)
{
    struct pal_error err;
    size_t n = 2;
    memset(s, 0, sizeof *s);
    assert_ok(metrics_parse("ndcg@5,coverage@5", s->metric, &n, &err), &err);
    for (uint32_t u = 0; u < USERS; u++) {
        s->user[u] = u;
        s->start[u + 1] = s->start[u] + length[u];
        s->per_user[u] = u;
        s->per_user[USERS + u] = NAN;
    }
    s->split.train = (struct interactions){.users = USERS, .start = s->start};
    s->r = (struct eval_result){.metric_count = 2,
                                .metrics = s->metric,
                                .users = USERS,
                                .user = s->user,
                                .per_user = s->per_user,
                                .value = s->value};
}

static size_t groups_of(struct setting *s, struct eval_group out[EVAL_GROUPS])
{
    struct pal_error err;
    size_t count;
    assert_ok(eval_groups(&s->r, &s->split, out, &count, &err), &err);
    return count;
}

/* Lengths 12 … 1: users 8 to 11 are the least active. */
static void thirds(void **state)
{
    (void)state;
    struct setting s;
    struct eval_group g[EVAL_GROUPS];
    uint64_t length[USERS];
    for (uint32_t u = 0; u < USERS; u++)
        length[u] = USERS - u;
    set_up(&s, length);
    assert_int_equal(groups_of(&s, g), 3);
    static const double mean[] = {9.5, 5.5, 1.5};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(g[i].users, 4);
        assert_int_equal(g[i].least, 4 * i + 1);
        assert_int_equal(g[i].most, 4 * i + 4);
        assert_true(fabs(g[i].value[0] - mean[i]) < 1e-12);
        assert_true(isnan(g[i].value[1]));
    }
}

/* Most have no history: they are one group, and the other two share the rest. */
static void equal_lengths(void **state)
{
    (void)state;
    struct setting s;
    struct eval_group g[EVAL_GROUPS];
    const uint64_t length[USERS] = {0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 7, 9};
    set_up(&s, length);
    assert_int_equal(groups_of(&s, g), 3);
    assert_int_equal(g[0].users, 8);
    assert_int_equal(g[0].most, 0);
    assert_true(fabs(g[0].value[0] - 3.5) < 1e-12);
    assert_int_equal(g[1].users, 2);
    assert_true(fabs(g[1].value[0] - 8.5) < 1e-12);
    assert_int_equal(g[2].least, 7);
    assert_int_equal(g[2].most, 9);
    const uint64_t same[USERS] = {0};
    set_up(&s, same);
    assert_int_equal(groups_of(&s, g), 1);
    assert_int_equal(g[0].users, USERS);
}

static void memory(void **state)
{
    (void)state;
    struct setting s;
    struct eval_group g[EVAL_GROUPS];
    struct pal_error err;
    size_t count = 7;
    const uint64_t length[USERS] = {1, 2, 3};
    set_up(&s, length);
    long before = mem_live();
    for (long n = 1; n <= 3; n++) {
        mem_fail_at(n);
        assert_int_equal(eval_groups(&s.r, &s.split, g, &count, &err), PAL_ENOMEM);
        assert_int_equal(mem_live(), before);
    }
    mem_fail_at(0);
    assert_int_equal(count, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thirds),
        cmocka_unit_test(equal_lengths),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
