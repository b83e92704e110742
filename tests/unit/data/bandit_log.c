/* Logs of a policy's choices: columns found by name in any order, ids and places shared between
 * logs, and a malformed row told by its place. Expectations are written out by hand. */
#include "test.h"

#include "data/bandit_log.h"

#include "in_folder.h"

static const char two[] = ",timestamp,item_id,position,click,propensity_score,x\n"
                          "0,t,b,2,0,0.25,\"a,b\"\n"
                          "1,t,a,1,1,1,0\n";

static void reads_the_columns_it_needs(void **state)
{
    (void)state;
    struct pal_error err;
    struct intern actions = {0}, places = {0};
    struct bandit_log x, y;
    const char *path = write_text(folder, "log.csv", two);
    assert_ok(bandit_log_read(path, NULL, &actions, &places, &x, &err), &err);
    assert_int_equal(x.n, 2);
    assert_string_equal(intern_text(&actions, x.row[0].action), "b");
    assert_string_equal(intern_text(&places, x.row[0].place), "2");
    assert_true(x.row[0].reward == 0 && x.row[0].propensity == .25);
    assert_string_equal(intern_text(&actions, x.row[1].action), "a");
    assert_true(x.row[1].reward == 1 && x.row[1].propensity == 1);

    /* other names, another order, no positions */
    path = write_text(folder, "other.csv", "action_prob,reward,item_id\n.5,-2.5,a\n.125,0,c\n");
    assert_ok(bandit_log_read(path, NULL, &actions, &places, &y, &err), &err);
    assert_int_equal(y.row[0].action, x.row[1].action);
    assert_int_equal(actions.count, 3);
    assert_true(y.row[0].reward == -2.5 && y.row[1].propensity == .125);
    assert_int_equal(y.row[0].place, y.row[1].place);
    bandit_log_done(&x);
    bandit_log_done(&y);
    intern_done(&actions);
    intern_done(&places);
}

static void refuses(const char *text, const char *says)
{
    struct pal_error err;
    struct intern actions = {0}, places = {0};
    struct bandit_log x = {0};
    const char *path = write_text(folder, "bad.csv", text);
    assert_int_equal(bandit_log_read(path, NULL, &actions, &places, &x, &err), PAL_EFORMAT);
    if (!strstr(err.message, says))
        fail_msg("'%s' does not say '%s'", err.message, says);
    assert_null(x.row);
    intern_done(&actions);
    intern_done(&places);
}

#define HEAD "item_id,click,propensity\n"

static void tells_what_is_wrong(void **state)
{
    (void)state;
    refuses("item_id,click\na,1\n", "bad.csv:1:1: expected a header with item_id");
    refuses("", "holds no rows");
    refuses(HEAD, "holds no rows");
    refuses(HEAD "a,1,.5\na,1,0\n", "bad.csv:3:5: expected a propensity (above 0 and up to 1)");
    refuses(HEAD "a,1,\n", "bad.csv:2:5: expected a propensity");
    refuses(HEAD "a,1,1.01\n", "bad.csv:2:5: expected a propensity");
    refuses(HEAD "a,yes,1\n", "bad.csv:2:3: expected a reward");
    refuses(HEAD ",1,1\n", "bad.csv:2:1: expected an item id");
    refuses(HEAD "a,1\n", "bad.csv:2:4: expected another field");
    refuses("position," HEAD ",a,1,1\n", "bad.csv:2:1: expected a position");
}

/* The published logs: 34 items each by the same chance at three places. */
static void the_open_bandit_data(void **state)
{
    (void)state;
    char path[600];
    struct pal_error err;
    struct intern actions = {0}, places = {0};
    struct bandit_log x;
    double clicks = 0;
    if (!published("obd"))
        skip();
    snprintf(path, sizeof path, "%s/random/men/men.csv", published("obd"));
    assert_ok(bandit_log_read(path, NULL, &actions, &places, &x, &err), &err);
    assert_int_equal(x.n, 10000);
    assert_int_equal(actions.count, 34);
    assert_int_equal(places.count, 3);
    for (size_t i = 0; i < x.n; i++) {
        assert_true(x.row[i].propensity == 1.0 / 34);
        clicks += x.row[i].reward;
    }
    assert_true(clicks > 0 && clicks < 200); /* about one in 200 is clicked */
    bandit_log_done(&x);
    intern_done(&actions);
    intern_done(&places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_the_columns_it_needs, begin, end),
        cmocka_unit_test_setup_teardown(tells_what_is_wrong, begin, end),
        cmocka_unit_test(the_open_bandit_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
