/* The ranker whole: it learns what its sources can't see, is saved and comes back the same, is the
 * same at any thread count, and says clearly what it lacks. */
#include "model/world.h"

#include "forge.h"

#include "base/rng.h"
#include "data/split.h"
#include "eval/evaluate.h"
#include "rank/boost.h"
#include "rank/rank.h"

#include <math.h>
#include <unistd.h>

enum { USERS = 500, ITEMS = 120, BLOCKS = 4, PER_USER = 30, DAY = 86400 };

/* Users like what is of their block; from day 100 on only the cheap of it. No source looks at
 * prices. Items of another block they come across and dislike. */
static struct dataset *make_world(void)
{
    static struct event events[USERS * PER_USER];
    struct pal_error err;
    struct rng rng;
    size_t n = 0;
    char text[64];
    rng_init(&rng, 5, 0);
    for (uint32_t u = 0; u < USERS; u++)
        for (int i = 0; i < PER_USER; i++) {
            uint32_t item = (uint32_t)rng_below(&rng, ITEMS);
            uint32_t time_s = (uint32_t)rng_below(&rng, 200 * DAY);
            bool own = item % BLOCKS == u % BLOCKS;
            bool likes = own && (time_s < 100 * DAY || item / BLOCKS % 2);
            if (likes || rng_below(&rng, 3) == 0)
                events[n++] = (struct event){u, item, likes ? 1 : -1, time_s};
        }
    struct dataset *d = world_of(events, n, USERS, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        int len = snprintf(text, sizeof text, "{\"price\": %u}", i / BLOCKS % 2 ? 5 : 50);
        assert_ok(texts_add(&d->items.attributes, text, (size_t)len, &err), &err);
    }
    return d;
}

struct scene {
    struct dataset *d;
    struct weights weights;
    struct split split;
    struct training t;
    struct model *source[2], *ranker;
    struct run run;
};

static void open_scene(struct scene *s, unsigned threads)
{
    struct pal_error err;
    *s = (struct scene){.d = make_world(), .weights = world_weights(), .run = {.seed = 4}};
    assert_ok(pool_new(threads, &s->run.pool, &err), &err);
    assert_ok(split_make(s->d, "time:80/20", 1, &s->split, &err), &err);
    assert_ok(training_make(s->d, &s->split.train, &s->weights, &s->run, &s->t, &err), &err);
    assert_ok(model_fit(model_find("als"), NULL, &s->t, 0, &s->run, &s->source[0], &err), &err);
    assert_ok(model_fit(model_find("popular"), NULL, &s->t, 0, &s->run, &s->source[1], &err), &err);
    s->t.sources = (const struct model *const *)s->source;
    s->t.source_count = 2;
}

static void fit(struct scene *s)
{
    struct pal_error err;
    assert_ok(model_fit(ranker_find("trees"), NULL, &s->t, 0, &s->run, &s->ranker, &err), &err);
}

static void close_scene(struct scene *s)
{
    model_free(s->ranker);
    model_free(s->source[0]);
    model_free(s->source[1]);
    training_done(&s->t);
    split_done(&s->split);
    dataset_free(s->d);
    pool_free(s->run.pool);
}

static struct eval_result judge(const struct scene *s, const struct model *m)
{
    struct pal_error err;
    static struct metric metric;
    struct eval_result r;
    size_t n = 1;
    assert_ok(metrics_parse("ndcg@5", &metric, &n, &err), &err);
    struct eval_options o = {&metric, 1, EVAL_FULL, EVAL_TEST, .5, 0, .95, 1, NULL, false};
    assert_ok(evaluate(m, s->d, &s->split, &s->weights, &o, &s->run, &r, &err), &err);
    return r;
}

static void better_than_any_source(void **state)
{
    (void)state;
    struct scene s;
    struct comparison c;
    struct pal_error err;
    struct eval_options o = {.bootstrap = 200, .confidence = .95, .seed = 1};
    open_scene(&s, 2);
    fit(&s);
    struct eval_result trees = judge(&s, s.ranker);
    for (int i = 0; i < 2; i++) {
        struct eval_result r = judge(&s, s.source[i]);
        assert_ok(eval_compare(&r, &trees, 0, &o, &c, &err), &err);
        if (!(c.difference > 0.05 && c.p < 0.01))
            fail_msg("%s has %g, trees %g", s.source[i]->ops->name, r.value[0], trees.value[0]);
        eval_result_done(&r);
    }
    struct str said = {0};
    ranker_describe(s.ranker, &said);
    assert_non_null(strstr(str_text(&said), "\"sources\":[\"als\",\"popular\"]"));
    const char *price = strstr(str_text(&said), "\"price.");
    const char *other = strstr(str_text(&said), "\"importance\":{");
    assert_non_null(price);
    assert_ptr_equal(price, other + strlen("\"importance\":{")); /* it matters most */
    str_done(&said);
    eval_result_done(&trees);
    close_scene(&s);
}

static float *scores_of(const struct model *m, const struct history *h, struct arena *tmp)
{
    struct pal_error err;
    float *scores = arena_alloc(tmp, ITEMS, sizeof *scores);
    assert_ok(model_score(m, h, 1, scores, tmp, &err), &err);
    for (int i = 0; i < ITEMS; i++)
        assert_true(isfinite(scores[i]) && scores[i] < 1);
    return scores;
}

static void save(struct model *m, char *path, size_t size, const char *what)
{
    struct pal_error err;
    snprintf(path, size, "/tmp/palate-trees-%ld-%s", (long)getpid(), what);
    assert_ok(model_save(m, NULL, path, &err), &err);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

static void threads_change_no_byte(void **state)
{
    (void)state;
    char path[2][64], *bytes[2];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        struct scene s;
        open_scene(&s, i ? 3 : 1);
        fit(&s);
        save(s.ranker, path[i], sizeof path[i], i ? "three" : "one");
        bytes[i] = read_file(path[i], &size[i]);
        unlink(path[i]);
        close_scene(&s);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void comes_back_the_same(void **state)
{
    (void)state;
    static const uint32_t item[] = {4, 8, 12, 1};
    static const float weight[] = {1, 1, 1, -1};
    const struct history h = {4, item, weight, 300 * DAY, NULL, 299 * DAY, NULL}, nobody = {0};
    struct pal_error err;
    struct arena tmp = {0};
    struct model *m = NULL;
    struct scene s;
    char path[64];
    open_scene(&s, 2);
    fit(&s);
    save(s.ranker, path, sizeof path, "back");
    assert_ok(ranker_load(path, &m, &err), &err);
    unlink(path);
    float *scores = arena_alloc(&tmp, ITEMS, sizeof *scores);
    assert_int_equal(model_score(m, &h, 1, scores, &tmp, &err), PAL_EUNSUPPORTED);
    assert_int_equal(ranker_attach(m, (const struct model *const *)s.source, 1, &err),
                     PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "'popular'"));
    assert_ok(ranker_attach(m, (const struct model *const *)s.source, 2, &err), &err);
    assert_string_equal(ranker_source(m, 0), "als");
    assert_string_equal(ranker_source(m, 1), "popular");
    assert_null(ranker_source(m, 2));
    const struct history *all[] = {&h, &nobody};
    for (int i = 0; i < 2; i++)
        assert_memory_equal(scores_of(s.ranker, all[i], &tmp), scores_of(m, all[i], &tmp),
                            ITEMS * sizeof(float));
    /* for nobody: what is popular, in its own order */
    struct scored top[2];
    size_t n;
    const float *mine = scores_of(m, &nobody, &tmp);
    assert_ok(model_top(s.source[1], &nobody, NULL, 2, &tmp, top, &n, &err), &err);
    for (uint32_t i = 0; i < ITEMS; i++)
        assert_true(i == top[0].index || mine[i] < mine[top[0].index]);
    model_free(m);
    close_scene(&s);
    arena_done(&tmp);
}

/* Refused, or a ranker like any other: its scores are numbers. */
static void forgeries_do_no_harm(void **state)
{
    (void)state;
    static const uint32_t item[] = {4, 8};
    static const float weight[] = {1, 1};
    const struct history h = {.n = 2, .item = item, .weight = weight};
    struct pal_error err;
    struct tensors *file;
    struct scene s;
    char path[2][64];
    open_scene(&s, 2);
    fit(&s);
    save(s.ranker, path[0], sizeof path[0], "whole");
    snprintf(path[1], sizeof path[1], "/tmp/palate-trees-%ld-forged", (long)getpid());
    assert_ok(tensors_open(path[0], &file, &err), &err);
    long live = mem_live();
    for (size_t which = 0; which < tensors_count(file); which++)
        for (int how = 0; how < FORGERIES; how++) {
            const char *name = tensors_at(file, which)->name;
            struct model *m = NULL;
            struct arena tmp = {0};
            forge(file, which, (enum forgery)how, path[1]);
            enum pal_status st = ranker_load(path[1], &m, &err);
            if (how == LEFT_OUT && st == PAL_OK)
                fail_msg("a file without %s loads", name);
            if (st != PAL_OK && st != PAL_ECORRUPT && st != PAL_EUNSUPPORTED)
                fail_msg("%s forged gives %s", name, pal_status_name(st));
            if (st == PAL_OK &&
                ranker_attach(m, (const struct model *const *)s.source, 2, &err) == PAL_OK)
                scores_of(m, &h, &tmp);
            model_free(m);
            arena_done(&tmp);
        }
    assert_int_equal(mem_live(), live);
    tensors_close(file);
    unlink(path[0]);
    unlink(path[1]);
    close_scene(&s);
}

/* The names of a list with blanks between, the last one first; returns how many. */
static uint32_t turn_names(const char *names, struct str *out)
{
    uint32_t n = 0;
    for (const char *end = names + strlen(names), *at; end > names; end = at - (at > names)) {
        for (at = end; at > names && at[-1] != ' ';)
            at--;
        str_fmt(out, "%s%.*s", n++ ? " " : "", (int)(end - at), at);
    }
    return n;
}

/* Gives features (n) the numbers of that order. */
static void turn(struct tensor *t, uint32_t n)
{
    static uint32_t feature[100000];
    static float gain[FEATURES_MOST];
    if (strcmp(t->name, "forest.feature") == 0) {
        assert_true(t->shape[0] > 0 && t->shape[0] <= sizeof feature / sizeof *feature);
        for (size_t k = 0; k < t->shape[0]; k++) {
            uint32_t was = ((const uint32_t *)t->data)[k];
            feature[k] = (n - 1 - (was & ~FOREST_MISSING)) | (was & FOREST_MISSING);
        }
        t->data = feature;
    } else if (strcmp(t->name, "gain") == 0) {
        for (uint32_t k = 0; k < n; k++)
            gain[k] = ((const float *)t->data)[n - 1 - k];
        t->data = gain;
    }
}

/* A file whose features have other numbers, as one has that an earlier palate wrote: they are found
 * by name. One that names another is refused. */
static void features_go_by_name(void **state)
{
    (void)state;
    static const uint32_t item[] = {4, 8};
    static const float weight[] = {1, 1};
    const struct history h = {.n = 2, .item = item, .weight = weight};
    struct pal_error err;
    struct tensors *file;
    struct tensors_out out[2] = {{0}, {0}};
    struct arena tmp = {0};
    struct str turned = {0};
    struct scene s;
    struct model *m = NULL;
    char path[64];
    const char *key, *value;
    open_scene(&s, 2);
    fit(&s);
    save(s.ranker, path, sizeof path, "turned");
    assert_ok(tensors_open(path, &file, &err), &err);
    uint32_t n = turn_names(tensors_get_meta(file, "palate.features"), &turned);
    for (size_t i = 0; i < tensors_meta_count(file); i++) {
        tensors_meta_at(file, i, &key, &value);
        bool names = strcmp(key, "palate.features") == 0;
        if (strcmp(key, "palate.xxh3") == 0)
            continue;
        assert_ok(tensors_meta(&out[0], key, names ? str_text(&turned) : value, &err), &err);
        assert_ok(tensors_meta(&out[1], key, names ? "als.score luck" : value, &err), &err);
    }
    for (size_t i = 0; i < tensors_count(file); i++) {
        struct tensor t = *tensors_at(file, i);
        turn(&t, n);
        for (int k = 0; k < 2; k++)
            assert_ok(tensors_add(&out[k], t.name, t.type, t.shape[0], t.rank == 2 ? t.shape[1] : 0,
                                  t.data, &err),
                      &err);
    }
    assert_ok(tensors_write(&out[1], path, &err), &err);
    assert_int_equal(ranker_load(path, &m, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "train it again"));
    assert_ok(tensors_write(&out[0], path, &err), &err);
    assert_ok(ranker_load(path, &m, &err), &err);
    assert_ok(ranker_attach(m, (const struct model *const *)s.source, 2, &err), &err);
    assert_memory_equal(scores_of(s.ranker, &h, &tmp), scores_of(m, &h, &tmp),
                        ITEMS * sizeof(float));
    struct str said[2] = {{0}, {0}};
    ranker_describe(s.ranker, &said[0]);
    ranker_describe(m, &said[1]);
    assert_string_equal(str_text(&said[0]), str_text(&said[1]));
    for (int k = 0; k < 2; k++) {
        str_done(&said[k]);
        tensors_out_done(&out[k]);
    }
    str_done(&turned);
    tensors_close(file);
    unlink(path);
    model_free(m);
    close_scene(&s);
    arena_done(&tmp);
}

static void says_what_it_lacks(void **state)
{
    (void)state;
    struct pal_error err;
    struct scene s;
    open_scene(&s, 1);
    s.t.source_count = 0;
    assert_int_equal(model_fit(ranker_find("trees"), NULL, &s.t, 0, NULL, &s.ranker, &err),
                     PAL_EUSAGE);
    assert_non_null(strstr(err.message, "als,popular,trees"));
    s.t.source_count = 2;
    uint32_t *times = s.split.train.time_s;
    s.split.train.time_s = NULL;
    assert_int_equal(model_fit(ranker_find("trees"), NULL, &s.t, 0, NULL, &s.ranker, &err),
                     PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "times"));
    s.split.train.time_s = times;
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    assert_int_equal(model_fit(ranker_find("trees"), NULL, &s.t, 0, &run, &s.ranker, &err),
                     PAL_EINTERRUPTED);
    assert_null(s.ranker);
    assert_null(ranker_find("als"));
    close_scene(&s);
}

/* The n-th allocation fails, for many n: an error each time, and nothing is left. */
static void want_of_memory(void **state)
{
    (void)state;
    struct pal_error err;
    struct scene s;
    open_scene(&s, 1);
    long before = mem_calls();
    fit(&s);
    long calls = mem_calls() - before;
    model_free(s.ranker);
    s.ranker = NULL;
    long live = mem_live();
    for (long at = 1; at < calls; at += 1 + calls / 40) {
        mem_fail_at(at);
        enum pal_status st =
            model_fit(ranker_find("trees"), NULL, &s.t, 0, &s.run, &s.ranker, &err);
        mem_fail_at(0);
        if (st != PAL_ENOMEM)
            fail_msg("allocation %ld of %ld: %s", at, calls, pal_status_name(st));
        assert_int_equal(mem_live(), live);
    }
    close_scene(&s);
}

static void without_xgboost(void **state)
{
    (void)state;
    struct pal_error err;
    struct scene s;
    open_scene(&s, 1);
    assert_int_equal(model_fit(ranker_find("trees"), NULL, &s.t, 0, NULL, &s.ranker, &err),
                     PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "libxgboost-dev"));
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(better_than_any_source), cmocka_unit_test(threads_change_no_byte),
        cmocka_unit_test(comes_back_the_same),    cmocka_unit_test(forgeries_do_no_harm),
        cmocka_unit_test(features_go_by_name),    cmocka_unit_test(says_what_it_lacks),
        cmocka_unit_test(want_of_memory),
    };
    const struct CMUnitTest lacking[] = {cmocka_unit_test(without_xgboost)};
    struct pal_error err;
    if (boost_check(&err) != PAL_OK)
        return cmocka_run_group_tests(lacking, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
