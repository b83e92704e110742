/* Trees as XGBoost writes them, read and summed up, against walking each from its root. */
#include "test.h"

#include "base/arena.h"
#include "base/rng.h"
#include "base/str.h"
#include "math/kernels.h"
#include "rank/boost.h"

#include <math.h>

enum { TREES = 7, FEATURES = 5, ROWS = 37, NODES = 2 * FOREST_LEAVES };

struct tree {
    int nodes, left[NODES], right[NODES], feature[NODES], missing[NODES];
    float number[NODES]; /* threshold, or a leaf's value */
};

/* Splits random leaves until there are enough. */
static void grow(struct tree *t, int leaves, struct rng *rng)
{
    *t = (struct tree){.nodes = 1, .left = {-1}, .right = {-1}};
    t->number[0] = (float)rng_normal(rng);
    for (int have = 1; have < leaves;) {
        int at = (int)rng_below(rng, (uint64_t)t->nodes);
        if (t->left[at] >= 0)
            continue;
        t->feature[at] = (int)rng_below(rng, FEATURES);
        t->missing[at] = (int)rng_below(rng, 2);
        t->left[at] = t->nodes++;
        t->right[at] = t->nodes++;
        t->number[at] = (float)rng_below(rng, 5) - 2; /* few, so that values meet them */
        for (int i = 0; i < 2; i++) {
            int leaf = i ? t->right[at] : t->left[at];
            t->left[leaf] = t->right[leaf] = -1;
            t->number[leaf] = (float)rng_normal(rng);
        }
        have++;
    }
}

static float walk(const struct tree *t, const float *x, size_t stride)
{
    int at = 0;
    while (t->left[at] >= 0) {
        float value = x[(size_t)t->feature[at] * stride];
        bool left = isnan(value) ? t->missing[at] : value < t->number[at];
        at = left ? t->left[at] : t->right[at];
    }
    return t->number[at];
}

static void put_ints(struct str *s, const char *name, const int *x, int n)
{
    str_fmt(s, "\"%s\":[", name);
    for (int i = 0; i < n; i++)
        str_fmt(s, "%s%d", i ? "," : "", x[i]);
    str_put(s, "],");
}

static void put_tree(struct str *s, const struct tree *t)
{
    str_char(s, '{');
    put_ints(s, "left_children", t->left, t->nodes);
    put_ints(s, "right_children", t->right, t->nodes);
    put_ints(s, "split_indices", t->feature, t->nodes);
    put_ints(s, "default_left", t->missing, t->nodes);
    for (int what = 0; what < 2; what++) {
        str_put(s, what ? ",\"loss_changes\":[" : "\"split_conditions\":[");
        for (int i = 0; i < t->nodes; i++)
            str_fmt(s, "%s%.9g", i ? "," : "", what ? 1.0 : (double)t->number[i]);
        str_char(s, ']');
    }
    str_char(s, '}');
}

static void write_trees(struct str *s, const struct tree *trees, int n)
{
    str_put(s, "{\"learner\":{\"gradient_booster\":{\"model\":{\"trees\":[");
    for (int i = 0; i < n; i++) {
        str_put(s, i ? "," : "");
        put_tree(s, &trees[i]);
    }
    str_put(s, "]}}}}");
}

static void sums_are_those_of_walks(void **state)
{
    (void)state;
    struct tree trees[TREES];
    struct arena keep = {0};
    struct forest f;
    struct pal_error err;
    struct str text = {0};
    struct rng rng;
    float gain[FEATURES], splits = 0;
    size_t stride = 48;
    rng_init(&rng, 5, 0);
    for (int t = 0; t < TREES; t++)
        grow(&trees[t], t == 0 ? 1 : t == 1 ? FOREST_LEAVES : 2 + 4 * t, &rng);
    write_trees(&text, trees, TREES);
    float *x = arena_alloc(&keep, FEATURES * stride, sizeof *x);
    for (size_t i = 0; i < FEATURES * stride; i++)
        x[i] = rng_below(&rng, 6) ? (float)rng_below(&rng, 6) - 2.5f + (float)(i % 2) / 2 : NAN;
    assert_ok(boost_read(text.text, text.len, FEATURES, UINT32_MAX, &keep, &f, gain, &err), &err);
    assert_int_equal(f.trees, TREES);
    for (int i = 0; i < FEATURES; i++)
        splits += gain[i]; /* each split has a gain of 1 */
    assert_int_equal((int)splits, f.start[TREES]);
    size_t variants;
    const struct kernels *const *all = kernels_all(&variants);
    for (size_t v = 0; v < variants * 5; v++) {
        size_t rows = 1 + 9 * (v % 5);
        assert_ok(kernels_use(all[v / 5]->name, &err), &err);
        float sum[ROWS];
        for (size_t i = 0; i < ROWS; i++)
            sum[i] = (float)i;
        forest_add(&f, x, stride, rows, sum);
        for (size_t i = 0; i < ROWS; i++) {
            float want = (float)i;
            for (int t = 0; t < TREES && i < rows; t++)
                want += walk(&trees[t], x + i, stride);
            assert_true(sum[i] == want);
        }
    }
    assert_ok(boost_read(text.text, text.len, FEATURES, 2, &keep, &f, gain, &err), &err);
    assert_int_equal(f.trees, 2);
    assert_ok(boost_read(text.text, text.len, FEATURES, 0, &keep, &f, gain, &err), &err);
    assert_int_equal(f.trees, 0);
    str_done(&text);
    arena_done(&keep);
}

static void refuses(const char *tree)
{
    struct arena keep = {0};
    struct forest f;
    struct pal_error err;
    struct str text = {0};
    float gain[FEATURES];
    str_fmt(&text, "{\"learner\":{\"gradient_booster\":{\"model\":{\"trees\":[%s]}}}}", tree);
    enum pal_status st =
        boost_read(text.text, text.len, FEATURES, UINT32_MAX, &keep, &f, gain, &err);
    if (st != PAL_EFORMAT)
        fail_msg("%s: %s", tree, pal_status_name(st));
    str_done(&text);
    arena_done(&keep);
}

#define TREE(left, right, feature, value)                                                          \
    "{\"left_children\":" left ",\"right_children\":" right ",\"split_indices\":" feature          \
    ",\"split_conditions\":" value ",\"default_left\":[0,0,0],\"loss_changes\":[1,0,0]}"

static void strange_trees_are_refused(void **state)
{
    (void)state;
    refuses("");
    refuses("{}");
    refuses("7");
    refuses(TREE("[1,-1]", "[2,-1,-1]", "[0,0,0]", "[0,1,2]"));     /* a column is short */
    refuses(TREE("[0,-1,-1]", "[0,-1,-1]", "[0,0,0]", "[0,1,2]"));  /* in circles */
    refuses(TREE("[1,-1,-1]", "[9,-1,-1]", "[0,0,0]", "[0,1,2]"));  /* no such node */
    refuses(TREE("[1,-1,-1]", "[2,-1,-1]", "[5,0,0]", "[0,1,2]"));  /* no such feature */
    refuses(TREE("[1,-1,-1]", "[-1,-1,-1]", "[0,0,0]", "[0,1,2]")); /* half a split */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_walks),
        cmocka_unit_test(strange_trees_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
