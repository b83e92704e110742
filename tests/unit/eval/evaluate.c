/* Evaluation as a whole, with models made up for the test whose scores are known: every metric
 * against a naive second implementation that sorts the whole catalog for each user, under every
 * kind of split; and the promises of evaluate.h one by one. */
#include "fake.h"

static const char *const all_metrics =
    "precision@1,5,recall@5,60,ndcg@5,20,map@5,mrr@5,hit@3,coverage@5,novelty@5,popularity@5,"
    "diversity@5,gini@5";

/* ---- the second implementation ---- */

struct naive {
    uint32_t users;
    double sum[8]; /* precision@1, precision@5, recall@5, recall@60, ndcg@5, ndcg@20, map@5,
                      mrr@5 */
    double hit3, novelty5, popularity5, diversity5, diverse_users;
    uint32_t shown[ITEMS];
};

static bool relevant(const struct dataset *d, const struct split *s, enum eval_part part,
                     const struct weights *w, uint32_t u, uint32_t item)
{
    const struct interactions *x = part == EVAL_TEST ? &s->test : &s->valid;
    if (has(&s->train, u, item) || has(&s->given, u, item) ||
        (part == EVAL_TEST && has(&s->valid, u, item)))
        return false;
    for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
        if (x->item[i] == item &&
            weights_of(w, d->types.name[interactions_type(x, i)], interactions_value(x, i)) >= .5)
            return true;
    return false;
}

/* The whole catalog of user u, best first, without what they had; returns how many. */
static size_t naive_rank(const struct fake *f, const struct dataset *d, const struct split *s,
                         enum eval_part part, const struct weights *w, uint32_t u, uint32_t *order)
{
    struct pal_error err;
    struct arena tmp = {0};
    struct history h;
    float scores[ITEMS];
    const struct interactions *x = &s->train;
    if (s->given.start && s->given.start[u] < s->given.start[u + 1])
        x = &s->given;
    assert_ok(history_of(x, &d->types, w, u, &tmp, &h, &err), &err);
    assert_ok(fake_score(&f->model, &h, 1, scores, &tmp, &err), &err);
    arena_done(&tmp);
    size_t n = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (has(&s->train, u, i) || has(&s->given, u, i) ||
            (part == EVAL_TEST && has(&s->valid, u, i)))
            continue;
        size_t at = n++;
        for (; at > 0 && scores[order[at - 1]] < scores[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return n;
}

static double set_cosine(const struct dataset *d, uint32_t a, uint32_t b)
{
    uint32_t na, nb, both = 0;
    const uint32_t *x = labels_at(&d->items.categories, a, &na);
    const uint32_t *y = labels_at(&d->items.categories, b, &nb);
    for (uint32_t i = 0; i < na; i++)
        for (uint32_t j = 0; j < nb; j++)
            both += x[i] == y[j];
    return na && nb ? both / (sqrt(na) * sqrt(nb)) : NAN;
}

static void naive_lists(const struct dataset *d, const struct split *s, const uint32_t *order,
                        struct naive *out)
{
    double trained = 0, alike = 0, pairs = 0;
    for (uint32_t u = 0; u < USERS; u++)
        trained += s->train.start[u + 1] > s->train.start[u];
    for (size_t i = 0; i < 5; i++) {
        double audience = 0;
        for (uint32_t u = 0; u < USERS; u++)
            audience += has(&s->train, u, order[i]);
        out->novelty5 += -log2(fmax(audience, 1) / trained) / 5;
        out->popularity5 += audience / trained / 5;
        out->shown[order[i]]++;
        for (size_t j = 0; j < i; j++) {
            double c = set_cosine(d, order[i], order[j]);
            alike += isnan(c) ? 0 : c;
            pairs += !isnan(c);
        }
    }
    if (pairs > 0) {
        out->diversity5 += 1 - alike / pairs;
        out->diverse_users++;
    }
}

static void naive_user(const struct fake *f, const struct dataset *d, const struct split *s,
                       enum eval_part part, const struct weights *w, uint32_t u, struct naive *out)
{
    static const size_t k[8] = {1, 5, 5, 60, 5, 20, 5, 5};
    uint32_t order[ITEMS], wanted = 0;
    for (uint32_t i = 0; i < ITEMS; i++)
        wanted += relevant(d, s, part, w, u, i);
    if (wanted == 0)
        return;
    size_t n = naive_rank(f, d, s, part, w, u, order);
    assert_true(n >= 5);
    out->users++;
    double found[8] = {0}, gain[8] = {0}, precisions = 0, first = 0;
    for (size_t i = 0; i < n; i++) {
        if (!relevant(d, s, part, w, u, order[i]))
            continue;
        for (int m = 0; m < 8; m++)
            if (i < k[m]) {
                found[m]++;
                gain[m] += 1 / log2((double)i + 2);
            }
        if (i < 5) {
            precisions += found[1] / (double)(i + 1);
            first = first > 0 ? first : 1 / (double)(i + 1);
        }
        out->hit3 += i < 3 && found[1] == 1;
    }
    double ideal5 = 0, ideal20 = 0;
    for (uint32_t i = 0; i < wanted; i++) {
        ideal5 += i < 5 ? 1 / log2(i + 2.0) : 0;
        ideal20 += i < 20 ? 1 / log2(i + 2.0) : 0;
    }
    const double value[8] = {found[0],
                             found[1] / 5,
                             found[2] / wanted,
                             found[3] / wanted,
                             gain[4] / ideal5,
                             gain[5] / ideal20,
                             precisions / (wanted < 5 ? wanted : 5),
                             first};
    for (int m = 0; m < 8; m++)
        out->sum[m] += value[m];
    naive_lists(d, s, order, out);
}

static void compare_naive(const struct eval_result *r, const struct naive *n)
{
    double covered = 0, unequal = 0, sum = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        covered += n->shown[i] > 0;
        sum += n->shown[i];
        for (uint32_t j = 0; j < ITEMS; j++)
            unequal += fabs((double)n->shown[i] - n->shown[j]);
    }
    assert_int_equal(r->users, n->users);
    assert_int_equal(r->ranked, n->users);
    for (int m = 0; m < 8; m++)
        near(r->metrics[m].name, r->value[m], n->sum[m] / n->users);
    near("hit@3", r->value[8], n->hit3 / n->users);
    near("coverage", r->value[9], covered / ITEMS);
    near("novelty", r->value[10], n->novelty5 / n->users);
    near("popularity", r->value[11], n->popularity5 / n->users);
    near("diversity", r->value[12], n->diversity5 / n->diverse_users);
    near("gini", r->value[13], unequal / (2 * sum * (ITEMS - 1)));
    for (size_t m = 0; m < r->metric_count; m++)
        assert_true(isnan(r->low[m]) && isnan(r->high[m]));
}

static void against_a_naive_one(void **state)
{
    (void)state;
    static const char *const specs[] = {"random:60/20/20", "user:70/30",    "latest:60/20/20",
                                        "leave-one-out",   "time:60/20/20", "users:60/20/20"};
    struct pal_error err;
    struct dataset *d = make_data(1);
    struct fake *f = make_fake(2);
    struct weights w = make_weights();
    struct metric m[20];
    size_t n = 20;
    struct eval_options o = make_options(m, &n, all_metrics);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        for (int part = EVAL_TEST; part <= EVAL_VALID; part++) {
            struct split s;
            struct eval_result r;
            struct naive want = {0};
            assert_ok(split_make(d, specs[i], 3, &s, &err), &err);
            o.part = (enum eval_part)part;
            if (part == EVAL_VALID && !s.valid.start) {
                assert_int_equal(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err),
                                 PAL_EUNSUPPORTED);
                split_done(&s);
                continue;
            }
            assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
            for (uint32_t u = 0; u < USERS; u++)
                naive_user(f, d, &s, o.part, &w, u, &want);
            compare_naive(&r, &want);
            assert_string_equal(r.protocol, "full");
            eval_result_done(&r);
            split_done(&s);
        }
    free_fake(f);
    dataset_free(d);
}

static bool same_values(const struct eval_result *a, const struct eval_result *b)
{
    if (a->users != b->users || a->metric_count != b->metric_count)
        return false;
    return memcmp(a->value, b->value, a->metric_count * sizeof *a->value) == 0 &&
           memcmp(a->low, b->low, a->metric_count * sizeof *a->low) == 0 &&
           memcmp(a->high, b->high, a->metric_count * sizeof *a->high) == 0 &&
           memcmp(a->user, b->user, a->users * sizeof *a->user) == 0 &&
           memcmp(a->per_user, b->per_user, a->metric_count * a->users * sizeof(double)) == 0;
}

/* A model that puts what the user had before on top gains and loses nothing by it; more threads
 * change no bit. */
static void training_items_and_threads_change_nothing(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(4);
    struct fake *f = make_fake(5);
    struct weights w = make_weights();
    struct metric m[20];
    size_t n = 20;
    struct eval_options o = make_options(m, &n, all_metrics);
    o.bootstrap = 50;
    struct split s;
    struct eval_result first, r;
    assert_ok(split_make(d, "random:60/20/20", 3, &s, &err), &err);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &first, &err), &err);
    assert_true(first.low[1] <= first.value[1] && first.value[1] <= first.high[1]);
    f->boost = 1e6f;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct run run = {0};
        assert_ok(pool_new(threads, &run.pool, &err), &err);
        assert_ok(evaluate(&f->model, d, &s, &w, &o, &run, &r, &err), &err);
        assert_true(same_values(&first, &r));
        eval_result_done(&r);
        pool_free(run.pool);
    }
    eval_result_done(&first);
    split_done(&s);
    free_fake(f);
    dataset_free(d);
}

/* The same model with its items in reverse and some foreign ones between them. */
static enum pal_status other_score(const struct model *m, const struct history *h, size_t n,
                                   float *scores, struct arena *tmp, struct pal_error *err)
{
    const struct fake *f = (const struct fake *)m;
    uint32_t items = model_items(m);
    for (size_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < items; j++) {
            float *x = &scores[i * items + j];
            uint32_t item = ITEMS - 1 - j / 2;
            *x = j % 2 ? 1e9f : .01f * f->table[0][item];
            for (size_t k = 0; k < h[i].n; k++)
                *x += h[i].weight[k] * f->table[ITEMS - 1 - h[i].item[k] / 2][item];
        }
    return PAL_OK;
}

static void items_are_matched_by_id(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(6);
    struct fake *f = make_fake(7);
    struct weights w = make_weights();
    struct metric m[20];
    size_t n = 20;
    struct eval_options o = make_options(m, &n, all_metrics);
    struct split s;
    struct eval_result first, r;
    assert_ok(split_make(d, "user:70/30", 3, &s, &err), &err);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &first, &err), &err);
    static const struct model_ops other = {.name = "other", .score = other_score};
    f->model.ops = &other;
    intern_done(&f->model.ids);
    memset(&f->model.ids, 0, sizeof f->model.ids);
    for (uint32_t j = 0; j < 2 * ITEMS; j++)
        assert_int_equal(add_id(&f->model.ids, j % 2 ? 1000 + j : ITEMS - 1 - j / 2), j);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    assert_true(same_values(&first, &r));
    eval_result_done(&r);
    intern_done(&f->model.ids); /* a model that knows nothing of these items finds nothing */
    memset(&f->model.ids, 0, sizeof f->model.ids);
    add_id(&f->model.ids, 5000);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    assert_true(r.users == first.users && r.value[3] == 0 && r.value[9] == 0);
    assert_true(isnan(r.value[10]) && isnan(r.value[13]));
    eval_result_done(&r);
    eval_result_done(&first);
    split_done(&s);
    free_fake(f);
    dataset_free(d);
}

/* Leave one out, each held-out item against 20 negatives. A model that says nothing finds nothing,
 * one that knows everything finds all, and a random one agrees with counting by hand. */
static void sampled_negatives(void **state)
{
    (void)state;
    enum { NEGATIVES = 20 };
    struct pal_error err;
    struct dataset *d = make_data(8);
    struct fake *f = make_fake(9);
    struct weights w;
    assert_ok(weights_parse("*:1", &w, &err), &err);
    struct metric m[20];
    size_t n = 20;
    struct eval_options o = make_options(m, &n, "hit@1,hit@20,hit@21,mrr@21,coverage@5,novelty@5");
    struct split s;
    struct eval_result r;
    assert_ok(split_make(d, "leave-one-out", 3, &s, &err), &err);
    o.protocol = EVAL_NEGATIVES;
    assert_int_equal(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), PAL_EUNSUPPORTED);
    static uint32_t listed[USERS][NEGATIVES];
    struct negatives neg = {NEGATIVES, USERS, &listed[0][0]};
    for (uint32_t u = 0; u < USERS; u++)
        for (uint32_t i = 0, item = u % 7; i < NEGATIVES; i++) {
            while (item < ITEMS && has(&d->all, u, item))
                item++;
            listed[u][i] = item < ITEMS ? item++ : INTERN_NONE;
        }
    s.negatives = &neg;
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    assert_string_equal(r.protocol, "sampled-negatives");
    double want = 0;
    for (uint32_t row = 0; row < r.users; row++) {
        uint32_t u = r.user[row], item = s.test.item[s.test.start[u]], above = 0;
        struct arena tmp = {0};
        struct history h;
        float scores[ITEMS];
        assert_ok(history_of(&s.train, &d->types, &w, u, &tmp, &h, &err), &err);
        assert_ok(fake_score(&f->model, &h, 1, scores, &tmp, &err), &err);
        arena_done(&tmp);
        for (uint32_t i = 0; i < NEGATIVES; i++)
            above += listed[u][i] != INTERN_NONE && scores[listed[u][i]] >= scores[item];
        want += 1.0 / (above + 1) / r.users;
    }
    near("mrr", r.value[3], want);
    assert_true(r.value[2] == 1 && isnan(r.value[4]) && isnan(r.value[5]));
    eval_result_done(&r);
    memset(f->table, 0, sizeof f->table);
    assert_ok(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), &err);
    assert_true(r.value[0] == 0 && r.value[2] == 1);
    eval_result_done(&r);
    split_done(&s);
    free_fake(f);
    dataset_free(d);
}

static void nothing_to_judge(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(12);
    struct fake *f = make_fake(13);
    struct weights w = make_weights();
    struct metric m[4];
    size_t n = 4;
    struct eval_options o = make_options(m, &n, "recall@5");
    struct split s;
    struct eval_result r;
    assert_ok(split_make(d, "random:80/20", 3, &s, &err), &err);
    o.relevant_from = 2;
    assert_int_equal(evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "weight 2 or more"));
    o.relevant_from = .5;
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    assert_int_equal(evaluate(&f->model, d, &s, &w, &o, &run, &r, &err), PAL_EINTERRUPTED);
    split_done(&s);
    free_fake(f);
    dataset_free(d);
}

static void out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d = make_data(14);
    struct fake *f = make_fake(15);
    struct weights w = make_weights();
    struct metric m[20];
    size_t n = 20;
    struct eval_options o = make_options(m, &n, "recall@5,gini@5,rmse");
    o.bootstrap = 3;
    struct split s;
    assert_ok(split_make(d, "random:60/20/20", 3, &s, &err), &err);
    enum pal_status st = PAL_ENOMEM;
    long at = 1;
    for (; st != PAL_OK; at++) {
        struct eval_result r;
        long live = mem_live();
        mem_fail_at(at);
        st = evaluate(&f->model, d, &s, &w, &o, NULL, &r, &err);
        mem_fail_at(0);
        if (st == PAL_OK)
            eval_result_done(&r);
        else
            assert_int_equal(st, PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
        assert_true(at < 500);
    }
    assert_true(at > 25);
    split_done(&s);
    free_fake(f);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_a_naive_one),
        cmocka_unit_test(training_items_and_threads_change_nothing),
        cmocka_unit_test(items_are_matched_by_id),
        cmocka_unit_test(sampled_negatives),
        cmocka_unit_test(nothing_to_judge),
        cmocka_unit_test(out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
