/* Content against cosines by hand: features as texts, frequencies counted naively, fields weighted
 * by their shares. */
#include "test.h"
#include "world.h"

#include <math.h>

enum { ITEMS = 7, FIELDS = 3, MOST = 6 };

/* What each item has in each field; titles are these words with blanks between. */
static const char *const features[ITEMS][FIELDS][MOST] = {
    {{"Comedy", "Drama"}, {"funny", "funny", "dog"}, {"the", "dog"}},
    {{"Comedy"}, {"funny"}, {"the", "cat"}},
    {{"Drama"}, {NULL}, {"the", "the", "war"}},
    {{"Horror", "Drama"}, {"dog", "dark"}, {NULL}},
    {{NULL}, {NULL}, {NULL}},
    {{"Horror"}, {"dark", "dark", "dark", "funny"}, {"cat", "war"}},
    {{"comedy"}, {"only"}, {"dogs"}}, /* shares nothing: labels keep their case, words their form */
};

static struct dataset *catalog(void)
{
    struct pal_error err;
    struct dataset *d = world_of(NULL, 0, 1, ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        char title[128] = "";
        for (int x = 0; x < MOST; x++) {
            const char *category = features[i][0][x], *tag = features[i][1][x];
            if (category)
                assert_ok(labels_add(&d->items.categories, category, strlen(category), &err), &err);
            if (tag)
                assert_ok(labels_add(&d->items.tags, tag, strlen(tag), &err), &err);
            if (features[i][2][x])
                strcat(strcat(title, x ? " " : ""), features[i][2][x]);
        }
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
        assert_ok(labels_end_row(&d->items.tags, &err), &err);
        assert_ok(texts_add(&d->items.titles, title, strlen(title), &err), &err);
    }
    return d;
}

static int count(int item, int field, const char *name)
{
    int n = 0;
    for (int x = 0; x < MOST; x++)
        n += features[item][field][x] && strcmp(features[item][field][x], name) == 0;
    return n;
}

static double weight(int item, int field, const char *name, int min_df)
{
    int df = 0, tf = count(item, field, name);
    for (int i = 0; i < ITEMS; i++)
        df += count(i, field, name) > 0;
    return tf && df >= min_df ? (1 + log(tf)) * log((1.0 + ITEMS) / df) : 0;
}

/* Each feature is visited once: at its first place in the item. */
static double product(int a, int b, int field, int min_df)
{
    double sum = 0;
    for (int x = 0; x < MOST; x++) {
        const char *name = features[a][field][x];
        bool first = name != NULL;
        for (int y = 0; y < x && first; y++)
            first = !features[a][field][y] || strcmp(features[a][field][y], name) != 0;
        if (first)
            sum += weight(a, field, name, min_df) * weight(b, field, name, min_df);
    }
    return sum;
}

static double naive_similarity(int a, int b, const double share[FIELDS], int min_df)
{
    double sum = 0;
    for (int f = 0; f < FIELDS; f++) {
        double length = sqrt(product(a, a, f, min_df) * product(b, b, f, min_df));
        if (length > 0)
            sum += share[f] / (share[0] + share[1] + share[2]) * product(a, b, f, min_df) / length;
    }
    return sum;
}

static enum pal_status fit(const struct dataset *d, const double share[FIELDS], int min_df,
                           struct model **m, struct pal_error *err)
{
    const struct model_ops *ops = model_find("content");
    const char *const names[] = {"categories", "tags", "titles", "min_df"};
    struct weights w = world_weights();
    struct training t;
    void *options = calloc(1, ops->options_size);
    opt_defaults(&ops->options, options);
    for (int i = 0; i < 4; i++) {
        char text[32];
        snprintf(text, sizeof text, "%g", i < 3 ? share[i] : min_df);
        assert_ok(model_set(ops, options, names[i], text, err), err);
    }
    assert_ok(training_make(d, &d->all, &w, NULL, &t, err), err);
    enum pal_status st = model_fit(ops, options, &t, 0, NULL, m, err);
    training_done(&t);
    free(options);
    return st;
}

static void check(const double share[FIELDS], int min_df)
{
    struct pal_error err;
    struct dataset *d = catalog();
    struct model *m;
    struct arena tmp = {0};
    uint32_t item[] = {3, 0, 5};
    float signed_weight[] = {1, 2, -0.5f}, scores[ITEMS], part[3];
    struct history h = {.n = 3, .item = item, .weight = signed_weight};
    assert_ok(fit(d, share, min_df, &m, &err), &err);
    assert_ok(model_score(m, &h, 1, scores, &tmp, &err), &err);
    for (uint32_t i = 0; i < ITEMS; i++) {
        double want = 0;
        assert_ok(model_explain(m, &h, i, part, &tmp, &err), &err);
        for (int j = 0; j < 3; j++) {
            double one = signed_weight[j] * naive_similarity((int)i, (int)item[j], share, min_df);
            assert_true(fabs(part[j] - one) < 1e-5);
            want += one;
        }
        assert_true(fabs(scores[i] - want) < 1e-5);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct scored near[ITEMS];
        size_t n, related = 0;
        assert_ok(model_similar(m, i, ITEMS, &tmp, near, &n, &err), &err);
        for (int j = 0; j < ITEMS; j++)
            related += j != (int)i && naive_similarity((int)i, j, share, min_df) > 0;
        assert_int_equal(n, related);
        for (size_t x = 0; x < n; x++)
            assert_true(fabs(near[x].score -
                             naive_similarity((int)i, (int)near[x].index, share, min_df)) < 1e-5);
    }
    model_free(m);
    dataset_free(d);
    arena_done(&tmp);
}

static void equals_cosines_by_hand(void **state)
{
    (void)state;
    check((double[]){0.5, 0.3, 0.2}, 2);
    check((double[]){0.5, 0.3, 0.2}, 1);
    check((double[]){0.5, 0.3, 0.2}, 3);
    check((double[]){1, 0, 0}, 2);
    check((double[]){0, 1, 1}, 2);
}

static void without_text_it_says_so(void **state)
{
    (void)state;
    struct pal_error err;
    struct model *m;
    const double shares[] = {0.5, 0.3, 0.2}, none[] = {0, 0, 0};
    struct dataset *bare = world_of(NULL, 0, 1, 5), *d = catalog();
    assert_int_equal(fit(bare, shares, 2, &m, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "titles"));
    assert_int_equal(fit(d, shares, 100, &m, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "min_df"));
    assert_int_equal(fit(d, none, 1, &m, &err), PAL_EUNSUPPORTED);
    dataset_free(bare);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_cosines_by_hand),
        cmocka_unit_test(without_text_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
