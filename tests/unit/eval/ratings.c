/* RMSE and MAE: the baseline is worked out a second time, ratings that the scores know are
 * predicted better, and data without ratings get no figure. */
#include "fake.h"

/* A model that says nothing leaves the baseline, which is worked out here once more. */
static double naive_rmse(const struct dataset *d, const struct split *s, const struct weights *w,
                         double *mae, double *calibration)
{
    const struct interactions *x = &s->train;
    double sum[ITEMS] = {0}, count[ITEMS] = {0}, mean = 0, n = 0, se = 0, ae = 0, tests = 0;
    uint64_t all = interactions_count(x);
    for (uint64_t i = 0; i < all; i++)
        if (x->type[i] == 0) {
            mean += x->value[i];
            n++;
        }
    mean /= n;
    for (uint64_t i = 0; i < all; i++)
        if (x->type[i] == 0) {
            sum[x->item[i]] += x->value[i] - mean;
            count[x->item[i]]++;
        }
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t u = 0; u < USERS; u++) {
            double user = 0, rated = 0;
            for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
                if (x->type[i] == 0) {
                    user += x->value[i] - mean - sum[x->item[i]] / (25 + count[x->item[i]]);
                    rated++;
                }
            for (uint64_t i = x->start[u]; pass == 0 && i < x->start[u + 1]; i++)
                if (x->type[i] == 0) {
                    double v = x->value[i] - mean;
                    double own = v - sum[x->item[i]] / (25 + count[x->item[i]]);
                    double left = (sum[x->item[i]] - v) / (24 + count[x->item[i]]);
                    *calibration += (v - left - (user - own) / (9 + rated)) / n;
                }
            for (uint64_t i = s->test.start[u]; pass == 1 && i < s->test.start[u + 1]; i++) {
                uint32_t item = s->test.item[i];
                if (s->test.type[i] != 0 || has(x, u, item) || has(&s->valid, u, item))
                    continue;
                double said =
                    mean + sum[item] / (25 + count[item]) + user / (10 + rated) + *calibration;
                double e = fmin(fmax(said, 1), 5) - s->test.value[i];
                se += e * e;
                ae += fabs(e);
                tests++;
            }
        }
    *mae = ae / tests;
    return sqrt(se / tests);
}

static void ratings_are_predicted(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(10);
    struct fake *f = make_fake(11);
    struct weights w = make_weights();
    struct metric m[20];
    size_t n = 20;
    struct eval_options o = make_options(m, &n, "rmse,mae,recall@5");
    o.bootstrap = 100;
    struct split s;
    struct eval_result r;
    double mae, c0 = 0;
    assert_ok(split_make(d, "random:60/20/20", 3, &s, &err), &err);
    memset(f->table, 0, sizeof f->table);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    double blank = r.value[0];
    near("rmse", r.value[0], naive_rmse(d, &s, &w, &mae, &c0));
    near("mae", r.value[1], mae);
    assert_true(r.ranked < r.users && r.low[0] < blank && blank < r.high[0]);
    eval_result_done(&r);

    /* Ratings that the scores do know: 5 where the item is even, else 1. */
    for (uint32_t i = 0; i < ITEMS; i++)
        f->table[0][i] = i % 2 ? 0 : 100;
    struct interactions *parts[] = {&s.train, &s.valid, &s.test};
    for (int p = 0; p < 3; p++)
        for (uint64_t i = 0; i < interactions_count(parts[p]); i++)
            parts[p]->value[i] = parts[p]->item[i] % 2 ? 1 : 5;
    assert_ok(weights_parse("*:0.5", &w, &err), &err);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    double knows = r.value[0];
    eval_result_done(&r);
    memset(f->table, 0, sizeof f->table);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    assert_true(knows < .5 * r.value[0]);
    eval_result_done(&r);
    split_done(&s);

    snprintf(d->types.name[0], EVENT_NAME, "like"); /* no ratings: no figure */
    assert_ok(split_make(d, "random:60/20/20", 3, &s, &err), &err);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    assert_true(isnan(r.value[0]) && isnan(r.value[1]) && isnan(r.low[0]) && r.value[2] > 0);
    eval_result_done(&r);
    split_done(&s);
    free_fake(f);
    dataset_free(d);
}

/* A model that tells stars by itself: item / 8 + the sum of the history's ratings / 100, and of
 * views nothing. */
static enum pal_status fake_rate(const struct model *m, const struct history *h,
                                 const uint32_t *item, size_t n, float *stars, struct arena *tmp,
                                 struct pal_error *err)
{
    float sum = 0;
    for (size_t i = 0; i < h->n; i++)
        sum += isnan(h->rating[i]) ? 0 : h->rating[i] / 100;
    for (size_t i = 0; i < n; i++)
        stars[i] = (float)strtoul(intern_text(&m->ids, item[i]) + 1, NULL, 10) / 8 + sum;
    return PAL_OK;
}

static double told_rmse(const struct split *s, uint32_t unknown, double baseline)
{
    double squares = 0, n = 0;
    for (uint32_t u = 0; u < USERS; u++) {
        double rating[ITEMS], sum = 0;
        for (uint32_t i = 0; i < ITEMS; i++)
            rating[i] = 0;
        for (uint64_t i = s->train.start[u]; i < s->train.start[u + 1]; i++)
            if (s->train.type[i] == 0 && s->train.item[i] != unknown)
                rating[s->train.item[i]] = s->train.value[i];
        for (uint32_t i = 0; i < ITEMS; i++)
            sum += rating[i] / 100;
        for (uint64_t i = s->test.start[u]; i < s->test.start[u + 1]; i++) {
            uint32_t item = s->test.item[i];
            if (s->test.type[i] != 0 || has(&s->train, u, item) || has(&s->valid, u, item))
                continue;
            double said = item == unknown ? baseline : fmin(fmax(item / 8.0 + sum, 1), 5);
            squares += (said - s->test.value[i]) * (said - s->test.value[i]);
            n++;
        }
    }
    return sqrt(squares / n);
}

/* What a model with MODEL_RATES says is what is judged, by the history's own ratings; with another
 * numbering of items too, and with other metrics beside it. Ratings all weigh something here. */
static void a_models_own_stars_are_judged(void **state)
{
    (void)state;
    struct pal_error err;
    struct model_ops ops = fake_ops;
    struct dataset *d = make_data(10);
    struct fake *f = make_fake(11);
    struct weights w;
    struct metric m[20];
    struct split s;
    struct eval_result r;
    ops.can = MODEL_RATES;
    ops.rate = fake_rate;
    f->model.ops = &ops;
    assert_ok(weights_parse("rating>=4:1,rating:-0.5,view:0.1", &w, &err), &err);
    assert_ok(split_make(d, "random:60/20/20", 3, &s, &err), &err);
    for (int order = 0; order < 2; order++) {
        static const char *const names[] = {"rmse", "rmse,recall@5"};
        for (int k = 0; k < 2; k++) {
            size_t n = 20;
            struct eval_options o = make_options(m, &n, names[k]);
            assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
            if (fabs(r.value[0] - told_rmse(&s, ITEMS, 0)) > 1e-6)
                fail_msg("%s: %g, not %g", names[k], r.value[0], told_rmse(&s, ITEMS, 0));
            eval_result_done(&r);
        }
        intern_done(&f->model.ids); /* the other way round */
        for (uint32_t i = ITEMS; i-- > 0;)
            add_id(&f->model.ids, i);
    }
    intern_done(&f->model.ids); /* an item that it does not know is told by the baseline */
    for (uint32_t i = 1; i < ITEMS; i++)
        add_id(&f->model.ids, i);
    size_t n = 20;
    struct eval_options o = make_options(m, &n, "rmse");
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    double least = told_rmse(&s, 0, 1), most = told_rmse(&s, 0, 5);
    assert_true(isfinite(r.value[0]) && r.value[0] < fmax(least, most));
    eval_result_done(&r);
    split_done(&s);
    free_fake(f);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratings_are_predicted),
        cmocka_unit_test(a_models_own_stars_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
