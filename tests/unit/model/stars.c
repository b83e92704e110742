/* What a rating is: the last star of each pair, centred; what a weight stands for where stars are
 * not known; and what happens where all are alike or where nobody gives stars. */
#include "test.h"
#include "world.h"

#include "model/stars.h"

#include <math.h>

struct learned {
    struct dataset *d;
    struct training t;
    struct weights w;
    struct stars s;
    struct csr R;
};

/* Ratings (type 0, named `name`) and views (type 1). */
static struct learned learn(const struct event *e, const uint8_t *type, size_t n, const char *name)
{
    struct learned l = {.d = world_of(NULL, 0, 3, 5)};
    struct pal_error err;
    struct rows *rows;
    uint8_t number;
    snprintf(l.d->types.name[0], EVENT_NAME, "%s", name);
    assert_ok(event_type_add(&l.d->types, "view", 4, &number, &err), &err);
    assert_ok(rows_new(&rows, &err), &err);
    for (size_t i = 0; i < n; i++)
        assert_ok(rows_add(rows, (struct row){e[i].user, e[i].item, e[i].value, e[i].time_s},
                           type[i], &err),
                  &err);
    interactions_done(&l.d->all);
    assert_ok(rows_finish(rows, 3, 5, true, &l.d->all, &err), &err);
    rows_free(rows);
    assert_ok(weights_parse("rating>=4:1,rating>=3:0.2,rating:-0.5,view:0.1,*:1", &l.w, &err),
              &err);
    if (strcmp(name, "rating") != 0)
        assert_ok(weights_parse("like>=1:1,like:-1,view:0.1", &l.w, &err), &err);
    assert_ok(training_make(l.d, &l.d->all, &l.w, NULL, &l.t, &err), &err);
    return l;
}

static void done(struct learned *l)
{
    mem_free(l->R.val);
    training_done(&l->t);
    dataset_free(l->d);
}

static void near(double got, double want)
{
    if (!(fabs(got - want) < 1e-5))
        fail_msg("%g, not %g", got, want);
}

/* User 0: item 0 first 5 then 2, item 1 4, item 2 only viewed. User 1: item 3 5, item 4 1. */
static const struct event events[] = {{0, 0, 5, 10}, {0, 1, 4, 11}, {0, 2, 1, 12}, {0, 0, 2, 13},
                                      {1, 3, 5, 10}, {1, 4, 1, 11}, {1, 3, 1, 12}};
static const uint8_t types[] = {0, 0, 1, 0, 0, 0, 1};

static void the_last_star_counts(void **state)
{
    (void)state;
    struct pal_error err;
    struct learned l = learn(events, types, 7, "rating");
    assert_ok(stars_learn(&l.t, &l.s, &l.R, &err), &err);
    const double last[5] = {2, 4, NAN, 5, 1};
    double mean = 3, deviation = sqrt((1 + 1 + 4 + 4) / 4.0);
    assert_true(l.s.rated && l.s.low == 1 && l.s.high == 5);
    near(l.s.mean, mean);
    near(l.s.deviation, deviation);
    assert_int_equal(csr_entries(&l.R), 5);
    for (int i = 0; i < 5; i++)
        if (isnan(last[i]))
            assert_true(isnan(l.R.val[i]));
        else
            near(l.R.val[i], (last[i] - mean) / deviation);
    near(stars_said(&l.s, 0.5f), mean + deviation / 2);
    near(stars_said(&l.s, 40), 5);
    near(stars_said(&l.s, -40), 1);

    /* what training had of the user is what a history holds */
    struct arena tmp = {0};
    struct history h;
    float centred[8];
    assert_ok(history_of(&l.d->all, &l.d->types, &l.w, 0, &tmp, &h, &err), &err);
    assert_int_equal(h.n, 3);
    stars_read(&l.s, &h, centred);
    for (size_t i = 0; i < h.n; i++)
        assert_memory_equal(&centred[i], &l.R.val[h.item[i]], sizeof *centred);
    arena_done(&tmp);
    done(&l);
}

/* Ratings that weigh 1 were 5, 4, 5; 0.2: none; -0.5: 2, 1. */
static void weights_stand_for_stars(void **state)
{
    (void)state;
    struct pal_error err;
    struct learned l = learn(events, types, 7, "rating");
    assert_ok(stars_learn(&l.t, &l.s, &l.R, &err), &err);
    uint32_t item[] = {0, 1, 2, 3, 4};
    float weight[] = {1, 7, -0.5f, -3, 0.25f}, centred[5];
    float rating[] = {NAN, NAN, NAN, NAN, NAN};
    const double want[] = {14 / 3.0, 14 / 3.0, 1.5, 1.5, (14 / 3.0 + 1.5) / 2};
    struct history h = {.n = 5, .item = item, .weight = weight};
    for (int given = 0; given < 2; given++) {
        h.rating = given ? rating : NULL; /* nothing but NAN is as good as none */
        stars_read(&l.s, &h, centred);
        for (int i = 0; i < 5; i++)
            near(centred[i] * l.s.deviation + l.s.mean, want[i]);
    }
    rating[3] = 4; /* one star, and what has none is but seen */
    stars_read(&l.s, &h, centred);
    near(centred[3] * l.s.deviation + l.s.mean, 4);
    assert_true(isnan(centred[0]) && isnan(centred[4]));
    done(&l);
}

static void likes_are_their_weights(void **state)
{
    (void)state;
    struct pal_error err;
    const struct event likes[] = {{0, 0, 1, 10}, {0, 1, -1, 11}, {1, 0, 1, 10}, {2, 0, 1, 9}};
    const uint8_t type[] = {0, 0, 0, 1};
    struct learned l = learn(likes, type, 4, "like");
    assert_ok(stars_learn(&l.t, &l.s, &l.R, &err), &err);
    uint32_t item[] = {0, 1, 2};
    float weight[] = {1, 0.1f, -9}, centred[3];
    struct history h = {.n = 3, .item = item, .weight = weight};
    assert_false(l.s.rated);
    near(l.s.mean, (1 - 1 + 1 + 0.1) / 4);
    stars_read(&l.s, &h, centred);
    near(centred[0] * l.s.deviation + l.s.mean, 1);
    near(centred[1] * l.s.deviation + l.s.mean, 0.1);
    near(centred[2] * l.s.deviation + l.s.mean, -1);
    done(&l);
}

static void all_alike_is_refused(void **state)
{
    (void)state;
    struct pal_error err;
    for (int named = 0; named < 2; named++)
        for (size_t n = 0; n < 3; n++) {
            const struct event same[] = {{0, 0, 1, 10}, {1, 1, 1, 10}};
            const uint8_t type[] = {0, 0};
            struct learned l = learn(same, type, n, named ? "rating" : "like");
            assert_int_equal(stars_learn(&l.t, &l.s, &l.R, &err), PAL_EUNSUPPORTED);
            assert_non_null(strstr(err.message, "als"));
            done(&l);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_star_counts),
        cmocka_unit_test(weights_stand_for_stars),
        cmocka_unit_test(likes_are_their_weights),
        cmocka_unit_test(all_alike_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
