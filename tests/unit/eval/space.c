/* Ranges come from a table, from a model's usual ones and from what a person narrows; points and
 * options are each other's inverse; what can't be is refused and says what can. */
#include "test.h"

#include "eval/space.h"
#include "model/model.h"

#include <math.h>

struct sample {
    int64_t factors;
    double alpha, share;
    int solver;
    bool norm;
};

#define FIELD(name) offsetof(struct sample, name)

static const struct opt rows[] = {
    {"factors", OPT_INT, FIELD(factors), "64", 4, 1024, OPT_LOG2, NULL, "x"},
    {"alpha", OPT_REAL, FIELD(alpha), "0.5", 0, 1e4, OPT_LOG, NULL, "x"},
    {"share", OPT_REAL, FIELD(share), "0", 0, 1, OPT_LINEAR, NULL, "x"},
    {"solver", OPT_CHOICE, FIELD(solver), "exact", 0, 0, OPT_LINEAR, "exact|cg|block", "x"},
    {"norm", OPT_BOOL, FIELD(norm), "false", 0, 0, OPT_LINEAR, NULL, "x"},
};
static const struct opt_table table = {rows, 5};

static void shown(const struct space *s, const char *want)
{
    struct str text = {0};
    for (size_t i = 0; i < s->count; i++) {
        str_put(&text, i ? "," : "");
        space_show(&s->option[i], &text);
    }
    assert_string_equal(str_text(&text), want);
    str_done(&text);
}

static void where_ranges_come_from(void **state)
{
    (void)state;
    struct pal_error err;
    struct sample o;
    struct space s;
    opt_defaults(&table, &o);
    assert_ok(space_make(&table, NULL, NULL, &o, &s, &err), &err);
    /* alpha's range begins at 0, which has no logarithm: a thousandth of the default */
    shown(&s, "factors=4..1024,alpha=0.0005..10000,share=0..1,solver=exact|cg|block,"
              "norm=false|true");
    assert_ok(space_make(&table, "factors=16..256, share,solver=cg", NULL, &o, &s, &err), &err);
    shown(&s, "factors=16..256,share=0..1");
    assert_int_equal(o.solver, 1);
    assert_ok(space_make(&table, "factors=16..256, share",
                         "factors=32,solver=exact|block,"
                         "share=0.2..0.4,alpha=0..10",
                         &o, &s, &err),
              &err);
    shown(&s, "share=0.2..0.4,solver=exact|block,alpha=0.0005..10");
    assert_int_equal(o.factors, 32);
    space_drop(&s, "solver");
    assert_null(space_find(&s, "solver"));
    assert_non_null(space_find(&s, "alpha"));
    /* What is shown is taken again. */
    struct str text = {0};
    space_show(space_find(&s, "alpha"), &text);
    assert_ok(space_make(&table, str_text(&text), NULL, &o, &s, &err), &err);
    shown(&s, str_text(&text));
    str_done(&text);
}

static void refused(void **state)
{
    (void)state;
    const char *const bad[][2] = {
        {"factor=4..8", "did you mean 'factors'"},
        {"factors=2..8", "LOW..HIGH"},
        {"factors=8..8", "LOW..HIGH"},
        {"factors=8.5..9", "LOW..HIGH"},
        {"factors=x..9", "LOW..HIGH"},
        {"factors=1e9", "factors"},
        {"factors=8|16", "LOW..HIGH"},
        {"solver=exact|lu", "solver"},
        {"solver=1..2", "'|'"},
        {"alpha=0..0.0001", "above 0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pal_error err = {0};
        struct sample o;
        struct space s = {.count = 77};
        opt_defaults(&table, &o);
        assert_int_equal(space_make(&table, NULL, bad[i][0], &o, &s, &err), PAL_EUSAGE);
        if (!strstr(err.message, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.message);
        assert_int_equal(s.count, 77);
    }
}

/* Walked by ratios, the middle of 16..256 is 64 and a quarter is 32; evenly, that of 0..1 is .5. */
static void points(void **state)
{
    (void)state;
    struct pal_error err;
    struct sample o;
    struct space s;
    opt_defaults(&table, &o);
    assert_ok(space_make(&table, "factors=16..256,share,solver=cg|block,norm,alpha=0.01..1", NULL,
                         &o, &s, &err),
              &err);
    double at[] = {.25, .5, 1, 1, .5}, back[5];
    space_set(&s, at, &o);
    assert_int_equal(o.factors, 32);
    assert_true(o.share == .5 && o.alpha == .1 && o.norm);
    assert_int_equal(o.solver, 2);
    space_get(&s, &o, back);
    for (int i = 0; i < 5; i++)
        assert_true(fabs(at[i] - back[i]) < 1e-12);
    /* The ends are reached and not passed; what lies outside is brought to the nearest. */
    double low[] = {0, 0, 0, 0, 0}, high[] = {1, 1, 1, 1, 1};
    space_set(&s, low, &o);
    assert_true(o.factors == 16 && o.share == 0 && o.alpha == .01 && !o.norm && o.solver == 1);
    space_set(&s, high, &o);
    assert_true(o.factors == 256 && o.share == 1 && o.alpha == 1);
    o.factors = 1024;
    o.solver = 0;
    space_get(&s, &o, back);
    assert_true(back[0] == 1 && back[2] == 0);
    at[4] = .123456;
    space_set(&s, at, &o); /* three digits */
    assert_true(o.alpha == .0177);
}

/* What each model has searched can be read, and its defaults lie within. */
static void every_model(void **state)
{
    (void)state;
    const struct model_ops *ops;
    for (size_t i = 0; (ops = model_at(i)); i++) {
        struct pal_error err;
        struct space s;
        void *before = mem_zero(1, ops->options_size), *after = mem_zero(1, ops->options_size);
        double at[SPACE_MOST];
        opt_defaults(&ops->options, before);
        opt_defaults(&ops->options, after);
        assert_ok(space_make(&ops->options, ops->tuned, NULL, after, &s, &err), &err);
        assert_memory_equal(before, after, ops->options_size);
        space_get(&s, before, at);
        space_set(&s, at, after);
        for (size_t o = 0; o < s.count && ops->tuned; o++) {
            struct str a = {0}, b = {0};
            opt_show(s.option[o].row, before, &a);
            opt_show(s.option[o].row, after, &b);
            if (strcmp(str_text(&a), str_text(&b)) != 0)
                fail_msg("%s: %s = %s is not searched, but %s is", ops->name, s.option[o].row->name,
                         str_text(&a), str_text(&b));
            str_done(&a);
            str_done(&b);
        }
        mem_free(before);
        mem_free(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_ranges_come_from),
        cmocka_unit_test(refused),
        cmocka_unit_test(points),
        cmocka_unit_test(every_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
