/* Lists joined into candidates and their features, on a case small enough to reckon by hand. */
#include "model/world.h"

#include "rank/features.h"

#include <math.h>

enum { ITEMS = 5, DAY = 86400 };

/* Items 0 and 1 are comedies of 1990 and 2000, 2 a comedy and drama, 3 a drama, 4 has nothing. Two
 * makers have two each. */
static struct dataset *small_world(void)
{
    static const char *const genres[ITEMS][2] = {
        {"comedy", NULL}, {"comedy", NULL}, {"comedy", "drama"}, {"drama", NULL}, {NULL, NULL}};
    static const char *const attributes[ITEMS] = {
        "{\"year\": 1990, \"color\": \"red\", \"maker\": \"a\"}",
        "{\"year\": 2000, \"maker\": \"a\"}", "{\"maker\": \"b\"}",
        "{\"year\": 1950, \"maker\": \"b\"}", ""};
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
    bool again;
    struct dataset *d;
    struct weights weights;
    struct training t;
    struct known known;
    struct arena tmp;
    float value[FEATURES_MOST][8];
    struct str names;
    size_t count;
};

static void open_scene(struct scene *s, bool again, const struct history *h)
{
    static const char *const source[] = {"als", "popular"};
    static const uint32_t first[] = {2, INTERN_NONE, 3}, second[] = {4, 2, 1};
    static const float scores[] = {8, 6, 2}, equal[] = {5, 3, 3};
    const struct rank_list list[] = {{3, first, scores}, {3, second, equal}};
    struct pal_error err;
    struct rank_view v;
    *s = (struct scene){.again = again, .d = small_world(), .weights = world_weights()};
    assert_ok(training_make(s->d, &s->d->all, &s->weights, NULL, &s->t, &err), &err);
    assert_ok(known_make(&s->t, again, &s->known, &err), &err);
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
    assert_ok(rank_base(&v, 3, &s->tmp, base, &err), &err); /* as popular as item 0, with three */
    assert_true(fabsf(base[0] + logf(4)) < 1e-5f && fabsf(base[3] - logf(2 / 4.f)) < 1e-5f);
    assert_ok(rank_base(&v, 4, &s->tmp, base, &err), &err);
    assert_true(fabsf(base[0] - logf(8)) < 1e-5f && fabsf(base[1] - logf(2)) < 1e-5f);
    assert_true(fabsf(base[2] - logf(.2f)) < 1e-5f && base[3] == base[2]);
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
    const struct history h = {3, item, weight, 50 * DAY + 6 * 3600, NULL, 50 * DAY, NULL};
    struct scene s;
    open_scene(&s, false, &h);
    assert_int_equal(features_count(&s.known, 2), 6 + KNOWN_HALVES + 2 + 3 + 18);
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
    /* everybody's four likes are comedies, of maker a; so are both of the history */
    float comedies = logf((2 + 10 * 5 / 6.f) / (12 * 5 / 6.f)), none = logf(10 / 12.f);
    assert_feature(&s, "overlap.lift", comedies, none, NAN, comedies);
    assert_feature(&s, "maker.alike", 0, 0, NAN, 1);
    assert_feature(&s, "maker.lift", none, none, NAN, comedies);
    assert_feature(&s, "maker.common", logf(1 / 6.f), logf(1 / 6.f), NAN, logf(5 / 6.f));
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
    open_scene(&s, false, &nobody);
    assert_feature(&s, "overlap.liked", NAN, NAN, NAN, NAN);
    assert_feature(&s, "history.taste", NAN, NAN, NAN, NAN);
    assert_feature(&s, "history.idle", NAN, NAN, NAN, NAN);
    assert_feature(&s, "weekday.sin", NAN, NAN, NAN, NAN);
    assert_feature(&s, "year.nearness", NAN, NAN, NAN, NAN);
    assert_feature(&s, "history.items", 0, 0, 0, 0);
    assert_feature(&s, "als.rank", 1, 3, NAN, NAN);
    close_scene(&s);
}

/* Item 1 was had twice, 10 and 30 days ago; item 3 once, 5 days ago, and nobody knows a usual gap.
 */
static void of_what_was_had(void **state)
{
    (void)state;
    static const uint32_t item[] = {1, 3};
    static const float weight[] = {2, 1};
    static const struct had had[] = {{2, 20 * DAY, 40 * DAY}, {1, 45 * DAY, 45 * DAY}};
    const struct history h = {2, item, weight, 50 * DAY, NULL, 45 * DAY, had};
    struct scene s;
    open_scene(&s, true, &h);
    assert_int_equal(features_count(&s.known, 2), 6 + KNOWN_HALVES + 2 + 3 + 18 + 7);
    assert_feature(&s, "own.times", 0, 1, 0, 2);
    assert_feature(&s, "own.share", 0, 1 / 3.f, 0, 2 / 3.f);
    assert_feature(&s, "own.days", NAN, 5, NAN, 10);
    assert_feature(&s, "own.gap", NAN, NAN, NAN, 20);
    assert_feature(&s, "own.due", NAN, NAN, NAN, logf(11) - logf(21));
    /* one user liked item 1, and did not come back */
    assert_feature(&s, "returned", .5f, .5f, .5f, 1 / 3.f);
    assert_feature(&s, "gap", NAN, NAN, NAN, NAN);
    close_scene(&s);
}

/* What is known of returns, against looking at each user and item by itself. */
static void returns_equal_naive(void **state)
{
    (void)state;
    enum { USERS = 12, EVENTS = 200 };
    static struct event events[EVENTS];
    struct pal_error err;
    struct rng rng;
    rng_init(&rng, 9, 0);
    for (int i = 0; i < EVENTS; i++)
        events[i] =
            (struct event){(uint32_t)rng_below(&rng, USERS), (uint32_t)rng_below(&rng, 40),
                           rng_below(&rng, 4) ? 1 : -1, DAY + (uint32_t)rng_below(&rng, 30) * DAY};
    struct dataset *d = world_of(events, EVENTS, USERS, 40);
    struct weights w = world_weights();
    struct training t;
    struct known k;
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_ok(known_make(&t, true, &k, &err), &err);
    for (uint32_t item = 0; item < 40; item++) {
        double users = 0, returned = 0, gaps = 0, days = 0;
        for (uint32_t u = 0; u < USERS; u++) {
            bool on[32] = {false};
            int last = -1, times = 0;
            for (int i = 0; i < EVENTS; i++)
                if (events[i].user == u && events[i].item == item && events[i].value > 0)
                    on[events[i].time_s / DAY] = true;
            for (int day = 0; day < 32; day++) {
                if (!on[day])
                    continue;
                days += times ? day - last : 0;
                gaps += times > 0;
                last = day;
                times++;
            }
            users += times > 0;
            returned += times > 1;
        }
        assert_true(fabs(k.returned[item] - (returned + 1) / (users + 2)) < 1e-6);
        assert_true(gaps > 0 ? fabs(k.gap_days[item] - days / gaps) < 1e-4
                             : isnan(k.gap_days[item]));
    }
    known_done(&k);
    training_done(&t);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(of_a_stranger),
        cmocka_unit_test(of_what_was_had),
        cmocka_unit_test(returns_equal_naive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
