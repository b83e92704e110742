/* Lists joined into candidates and their features, on a case small enough to reckon by hand. */
#include "model/world.h"

#include "rank/features.h"

#include <math.h>

enum { ITEMS = 5, DAY = 86400 };

/* Items 0 and 1 are comedies of 1990 and 2000, 2 a comedy and drama, 3 a drama, 4 has nothing. */
static struct dataset *small_world(void)
{
    static const char *const genres[ITEMS][2] = {
        {"comedy", NULL}, {"comedy", NULL}, {"comedy", "drama"}, {"drama", NULL}, {NULL, NULL}};
    static const char *const attributes[ITEMS] = {"{\"year\": 1990, \"color\": \"red\"}",
                                                  "{\"year\": 2000}", "{}", "{\"year\": 1950}", ""};
    static const struct event events[] = {
        {0, 0, 1, 10 * DAY},  {0, 1, 1, 20 * DAY}, {1, 0, 1, 40 * DAY},
        {1, 3, -1, 40 * DAY}, {2, 0, 1, 40 * DAY},
    };
    struct pal_error err;
    struct dataset *d = world_of(events, sizeof events / sizeof *events, 3, ITEMS);
    for (int i = 0; i < ITEMS; i++) {
        for (int j = 0; j < 2 && genres[i][j]; j++)
            assert_ok(labels_add(&d->items.categories, genres[i][j], strlen(genres[i][j]), &err),
                      &err);
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
        assert_ok(texts_add(&d->items.attributes, attributes[i], strlen(attributes[i]), &err),
                  &err);
    }
    return d;
}

struct scene {
    struct dataset *d;
    struct weights weights;
    struct training t;
    struct known known;
    struct arena tmp;
    float value[FEATURES_MOST][8];
    struct str names;
    size_t count;
};

static void open_scene(struct scene *s, const struct history *h)
{
    static const char *const source[] = {"als", "popular"};
    static const uint32_t first[] = {2, INTERN_NONE, 3}, second[] = {4, 2, 1};
    static const float scores[] = {8, 6, 2}, equal[] = {5, 3, 3};
    const struct rank_list list[] = {{3, first, scores}, {3, second, equal}};
    struct pal_error err;
    struct rank_view v;
    *s = (struct scene){.d = small_world(), .weights = world_weights()};
    assert_ok(training_make(s->d, &s->d->all, &s->weights, NULL, &s->t, &err), &err);
    assert_ok(known_make(&s->t, &s->known, &err), &err);
    assert_ok(rank_view_make(&s->known, h, list, 2, &s->tmp, &v, &err), &err);
    s->count = v.count;
    features_fill(&v, s->value[0], 8);
    features_names(&s->known, source, 2, &s->names);
    const uint32_t want[] = {2, 3, 4, 1};
    assert_int_equal(v.count, 4);
    assert_memory_equal(v.item, want, sizeof want);
    float base[4];
    assert_ok(rank_base(&v, 0, &s->tmp, base, &err), &err);
    assert_true(base[0] == 0 && fabsf(base[1] + logf(2)) < 1e-6f && base[2] < base[1]);
    assert_ok(rank_base(&v, 2, &s->tmp, base, &err), &err); /* two lists have item 2 */
    assert_true(base[0] == 0 && base[2] < 0);
}

static void close_scene(struct scene *s)
{
    known_done(&s->known);
    training_done(&s->t);
    dataset_free(s->d);
    str_done(&s->names);
    arena_done(&s->tmp);
}

/* The values of the feature of that name, for items 2, 3, 4, 1. */
static const float *feature(const struct scene *s, const char *name)
{
    const char *at = str_text(&s->names);
    for (size_t f = 0; *at; f++) {
        size_t len = strcspn(at, " ");
        if (strlen(name) == len && memcmp(at, name, len) == 0)
            return s->value[f];
        at += len + (at[len] == ' ');
    }
    fail_msg("there is no feature %s among %s", name, str_text(&s->names));
    return NULL;
}

/* NAN in want stands for a missing one. */
static void assert_feature(const struct scene *s, const char *name, float a, float b, float c,
                           float d)
{
    const float want[] = {a, b, c, d}, *have = feature(s, name);
    for (int i = 0; i < 4; i++)
        if (isnan(want[i]) != isnan(have[i]) || fabsf(want[i] - have[i]) > 1e-5f)
            fail_msg("%s of candidate %d is %g, not %g", name, i, have[i], want[i]);
    assert_true(*features_help(name));
}

static void by_hand(void **state)
{
    (void)state;
    static const uint32_t item[] = {3, 0, 1};
    static const float weight[] = {-1, 1, 1};
    const struct history h = {3, item, weight, 50 * DAY + 6 * 3600, NULL, 50 * DAY};
    struct scene s;
    open_scene(&s, &h);
    assert_int_equal(features_count(&s.known, 2), 6 + KNOWN_HALVES + 2 + 17);
    assert_feature(&s, "als.score", 8, 2, NAN, NAN);
    assert_feature(&s, "als.rank", 1, 3, NAN, NAN);
    assert_feature(&s, "popular.rank", 2.5f, NAN, 1, 2.5f);
    assert_feature(&s, "popular.share", .6f, NAN, 1, .6f);
    assert_feature(&s, "sources", 2, 1, 1, 1);
    assert_feature(&s, "fused", 1 / 61.f + 1 / 62.5f, 1 / 63.f, 1 / 61.f, 1 / 62.5f);
    /* item 0 has three likes, item 1 one */
    assert_feature(&s, "ever.popularity", -logf(4), -logf(4), -logf(4), logf(2) - logf(4));
    float faded = logf(1 + exp2f(-20 / 21.f)) - logf(3 + exp2f(-30 / 21.f));
    assert_true(fabsf(feature(&s, "21d.popularity")[3] - faded) < 1e-5f);
    assert_feature(&s, "likes", .5f, 1 / 3.f, .5f, 2 / 3.f);
    assert_feature(&s, "age", NAN, 0, NAN, 20);
    assert_feature(&s, "year.value", NAN, 1950, NAN, 2000);
    assert_feature(&s, "year.nearness", NAN, 45, NAN, 5);
    /* both likes are comedies, the dislike a drama; 1 was liked last */
    assert_feature(&s, "overlap.liked", 1, 0, NAN, 1);
    assert_feature(&s, "overlap.disliked", 1, 1, NAN, 0);
    assert_feature(&s, "overlap.last", .5f, 0, NAN, 1);
    float taste = (logf(2) - logf(4)) / 2;
    assert_feature(&s, "history.taste", taste, taste, taste, taste);
    assert_true(fabsf(feature(&s, "mainstream")[3] - (logf(2) - logf(4) - taste)) < 1e-5f);
    assert_true(fabsf(feature(&s, "history.items")[0] - logf(4)) < 1e-5f);
    assert_true(fabsf(feature(&s, "history.likes")[0] - 2 / 3.f) < 1e-5f);
    assert_true(fabsf(feature(&s, "history.idle")[0] - logf(6 * 3600 + 1)) < 1e-5f);
    assert_feature(&s, "hour.sin", 1, 1, 1, 1);
    assert_feature(&s, "hour.cos", 0, 0, 0, 0);
    close_scene(&s);
}

/* Nothing is known of who asks: what is of the items alone is there, the rest is missing. */
static void of_a_stranger(void **state)
{
    (void)state;
    const struct history nobody = {0};
    struct scene s;
    open_scene(&s, &nobody);
    assert_feature(&s, "overlap.liked", NAN, NAN, NAN, NAN);
    assert_feature(&s, "history.taste", NAN, NAN, NAN, NAN);
    assert_feature(&s, "history.idle", NAN, NAN, NAN, NAN);
    assert_feature(&s, "weekday.sin", NAN, NAN, NAN, NAN);
    assert_feature(&s, "year.nearness", NAN, NAN, NAN, NAN);
    assert_feature(&s, "history.items", 0, 0, 0, 0);
    assert_feature(&s, "als.rank", 1, 3, NAN, NAN);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(of_a_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
