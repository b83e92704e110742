/* A table of options of every kind: defaults, borders, what is refused and what the refusal says.
 */
#include "test.h"

#include "base/options.h"
#include "base/rng.h"

struct sample {
    bool verbose;
    int64_t factors;
    double alpha;
    int solver;
    const char *title;
};

static const struct opt rows[] = {
    {"verbose", OPT_BOOL, offsetof(struct sample, verbose), "false", 0, 0, OPT_LINEAR, NULL,
     "talk"},
    {"factors", OPT_INT, offsetof(struct sample, factors), "64", 4, 1024, OPT_LOG2, NULL, "length"},
    {"alpha", OPT_REAL, offsetof(struct sample, alpha), "0.1", 1e-4, 10, OPT_LOG, NULL, "weight"},
    {"solver", OPT_CHOICE, offsetof(struct sample, solver), "exact", 0, 0, OPT_LINEAR,
     "cg|exact|block", "how"},
    {"title", OPT_TEXT, offsetof(struct sample, title), NULL, 0, 0, OPT_LINEAR, NULL, "name"},
};
static const struct opt_table table = {rows, sizeof rows / sizeof rows[0]};

static void defaults_are_set(void **state)
{
    (void)state;
    struct sample s;
    memset(&s, 0xff, sizeof s);
    opt_defaults(&table, &s);
    assert_false(s.verbose);
    assert_int_equal(s.factors, 64);
    assert_true(s.alpha == 0.1);
    assert_int_equal(s.solver, 1);
    assert_null(s.title);
}

static void takes_what_is_allowed(void **state)
{
    (void)state;
    struct sample s;
    struct pal_error err;
    opt_defaults(&table, &s);
    assert_ok(opt_set(&table, &s, "factors", "4", &err), &err);
    assert_int_equal(s.factors, 4);
    assert_ok(opt_set(&table, &s, "factors", "1024", &err), &err);
    assert_int_equal(s.factors, 1024);
    assert_ok(opt_set(&table, &s, "factors", "1e2", &err), &err);
    assert_int_equal(s.factors, 100);
    assert_ok(opt_set(&table, &s, "alpha", "1e-4", &err), &err);
    assert_true(s.alpha == 1e-4);
    assert_ok(opt_set(&table, &s, "alpha", "10", &err), &err);
    assert_true(s.alpha == 10);
    assert_ok(opt_set(&table, &s, "solver", "block", &err), &err);
    assert_int_equal(s.solver, 2);
    assert_ok(opt_set(&table, &s, "title", "Heat (1995)", &err), &err);
    assert_string_equal(s.title, "Heat (1995)");
    static const char *const yes[] = {"true", "YES", "on", "1"}, *const no[] = {"False", "no",
                                                                                "off", "0"};
    for (int i = 0; i < 4; i++) {
        assert_ok(opt_set(&table, &s, "verbose", yes[i], &err), &err);
        assert_true(s.verbose);
        assert_ok(opt_set(&table, &s, "verbose", no[i], &err), &err);
        assert_false(s.verbose);
    }
}

/* Every refusal names the option, what was given and what is allowed, and changes nothing. */
static void refuses_the_rest(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *says;
    } bad[] = {
        {"factors", "3", "4 to 1024"},        {"factors", "1025", "4 to 1024"},
        {"factors", "64.5", "whole number"},  {"factors", "many", "4 to 1024"},
        {"factors", "", "4 to 1024"},         {"factors", "-64", "4 to 1024"},
        {"factors", "1e300", "4 to 1024"},    {"alpha", "0", "0.0001 to 10"},
        {"alpha", "10.001", "0.0001 to 10"},  {"alpha", "nan", "0.0001 to 10"},
        {"alpha", "inf", "0.0001 to 10"},     {"alpha", "0,5", "0.0001 to 10"},
        {"solver", "exac", "cg|exact|block"}, {"solver", "exact|block", "cg|exact|block"},
        {"solver", "", "cg|exact|block"},     {"solver", "Exact", "cg|exact|block"},
        {"verbose", "maybe", "true|false"},   {"verbose", "", "true|false"},
    };
    struct sample before, s;
    memset(&before, 0, sizeof before);
    opt_defaults(&table, &before);
    memcpy(&s, &before, sizeof s);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pal_error err;
        char given[64];
        assert_int_equal(opt_set(&table, &s, bad[i].name, bad[i].value, &err), PAL_EUSAGE);
        assert_memory_equal(&s, &before, sizeof s);
        snprintf(given, sizeof given, "'%s'", bad[i].value);
        assert_non_null(strstr(err.message, bad[i].name));
        assert_non_null(strstr(err.message, given));
        if (!strstr(err.message, bad[i].says))
            fail_msg("'%s' does not say %s", err.message, bad[i].says);
    }
}

/* However long the value, the message still ends with what is allowed. */
static void long_values_leave_room_for_the_answer(void **state)
{
    (void)state;
    static char longer[5000];
    memset(longer, '7', sizeof longer - 1);
    struct sample s;
    struct pal_error err;
    opt_defaults(&table, &s);
    assert_int_equal(opt_set(&table, &s, "factors", longer, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "4 to 1024"));
    assert_int_equal(opt_set(&table, &s, longer, "1", &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "factors"));
}

static void unknown_names_get_a_hint(void **state)
{
    (void)state;
    static const char *const near[][2] = {{"factor", "'factors'"},
                                          {"fcators", "'factors'"},
                                          {"ALPHA", "'alpha'"},
                                          {"sovler", "'solver'"}};
    struct sample s;
    struct pal_error err;
    opt_defaults(&table, &s);
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        assert_int_equal(opt_set(&table, &s, near[i][0], "1", &err), PAL_EUSAGE);
        assert_non_null(strstr(err.message, near[i][0]));
        assert_non_null(strstr(err.message, near[i][1]));
    }
    assert_int_equal(opt_set(&table, &s, "regularization", "1", &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "verbose, factors, alpha, solver, title"));
}

/* What is shown can be set again and is then the same to the last bit. */
static void shown_values_come_back(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 1, 0);
    for (int i = 0; i < 2000; i++) {
        struct sample a, b;
        memset(&a, 0, sizeof a);
        memset(&b, 0, sizeof b);
        a.verbose = rng_below(&r, 2);
        a.factors = 4 + (int64_t)rng_below(&r, 1021);
        a.alpha = 1e-4 + rng_real(&r);
        a.solver = (int)rng_below(&r, 3);
        a.title = "a title";
        for (size_t k = 0; k < table.count; k++) {
            struct str text = {0};
            struct pal_error err;
            opt_show(&rows[k], &a, &text);
            assert_ok(opt_set(&table, &b, rows[k].name, str_text(&text), &err), &err);
            if (rows[k].kind == OPT_TEXT)
                b.title = a.title;
            str_done(&text);
        }
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static void ranges_for_help(void **state)
{
    (void)state;
    static const char *const say[] = {"true|false", "a whole number 4 to 1024",
                                      "a number 0.0001 to 10", "cg|exact|block", "TEXT"};
    for (size_t i = 0; i < table.count; i++) {
        struct str text = {0};
        opt_range(&rows[i], &text);
        assert_string_equal(str_text(&text), say[i]);
        str_done(&text);
    }
    assert_ptr_equal(opt_find(&table, "alpha"), &rows[2]);
    assert_null(opt_find(&table, "Alpha"));
}

/* The definition of optimal string alignment as a recursion, without a table. */
static size_t naive_distance(const char *a, size_t n, const char *b, size_t m)
{
    if (n == 0 || m == 0)
        return n + m;
    size_t d = naive_distance(a, n - 1, b, m - 1) + (a[n - 1] != b[m - 1]);
    size_t gone = naive_distance(a, n - 1, b, m) + 1, new = naive_distance(a, n, b, m - 1) + 1;
    d = gone < d ? gone : d;
    d = new < d ? new : d;
    if (n > 1 && m > 1 && a[n - 1] == b[m - 2] && a[n - 2] == b[m - 1]) {
        size_t swapped = naive_distance(a, n - 2, b, m - 2) + 1;
        d = swapped < d ? swapped : d;
    }
    return d;
}

static void distances(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2, 0);
    for (int i = 0; i < 2000; i++) {
        char a[8] = "", b[8] = "";
        size_t n = rng_below(&r, 7), m = rng_below(&r, 7);
        for (size_t k = 0; k < n; k++)
            a[k] = (char)('a' + rng_below(&r, 3));
        for (size_t k = 0; k < m; k++)
            b[k] = (char)('a' + rng_below(&r, 3));
        assert_int_equal(opt_distance(a, b), naive_distance(a, n, b, m));
    }
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(opt_distance(longer, ""), 64);
    assert_int_equal(opt_distance("ALS", "als"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_set),
        cmocka_unit_test(takes_what_is_allowed),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(long_values_leave_room_for_the_answer),
        cmocka_unit_test(unknown_names_get_a_hint),
        cmocka_unit_test(shown_values_come_back),
        cmocka_unit_test(ranges_for_help),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
