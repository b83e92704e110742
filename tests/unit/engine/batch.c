/* Lists for everybody: the same as `recommend` gives each person by themselves, for every kind of
 * model, at any thread count, whatever the catalog knows of the data's items. */
#include "test.h"

#include "base/rng.h"
#include "data/synth.h"
#include "engine/batch.h"

#include <string.h>

enum { N = 7, MODELS = 5 };
static const char *const names[MODELS] = {"als", "ease", "knn", "content", "popular"};

struct scene {
    struct dataset *d;
    struct weights w;
    struct items catalog; /* most of the data's items in another order, and some of its own */
    struct recommender *r;
    uint8_t *never;
};

static void add_item(struct items *to, const char *id)
{
    struct pal_error err;
    uint32_t number;
    assert_ok(intern_add(&to->ids, id, strlen(id), &number, &err), &err);
}

static void make_catalog(struct scene *s)
{
    struct rng rng;
    uint32_t n = s->d->items.ids.count, *order = calloc(n, sizeof *order);
    assert_non_null(order);
    rng_init(&rng, 5, 0);
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    rng_shuffle(&rng, order, n);
    add_item(&s->catalog, "new-1");
    for (uint32_t i = 0; i < n - n / 10; i++)
        add_item(&s->catalog, intern_text(&s->d->items.ids, order[i]));
    add_item(&s->catalog, "new-2");
    free(order);
}

static struct model *fit(const struct scene *s, const char *name)
{
    struct training t;
    struct model *m = NULL;
    struct pal_error err;
    assert_ok(training_make(s->d, &s->d->all, &s->w, NULL, &t, &err), &err);
    assert_ok(model_fit(model_find(name), NULL, &t, 0, NULL, &m, &err), &err);
    training_done(&t);
    return m;
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    struct synth_options o;
    struct world *world;
    struct model *models[MODELS];
    struct pal_error err;
    opt_defaults(&synth_table, &o);
    o.users = 230;
    o.items = 120;
    o.events = 4000;
    assert_non_null(s);
    assert_ok(world_new(&o, 3, NULL, &world, &err), &err);
    assert_ok(world_dataset(world, &s->d, &err), &err);
    world_free(world);
    /* some people like nothing */
    assert_ok(weights_parse("view:0.1,like:1,dislike:-1", &s->w, &err), &err);
    make_catalog(s);
    for (size_t i = 0; i < MODELS; i++)
        models[i] = fit(s, names[i]);
    assert_ok(recommender_new(&s->catalog, models, MODELS, &s->r, &err), &err);
    s->never = calloc(s->catalog.ids.count, 1);
    for (uint32_t i = 0; i < s->catalog.ids.count; i += 3)
        s->never[i] = 1;
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;
    recommender_free(s->r);
    items_done(&s->catalog);
    dataset_free(s->d);
    free(s->never);
    free(s);
    return 0;
}

/* What `recommend` says to user u; the history renumbered by ids. */
static size_t alone(const struct scene *s, const char *model, const uint8_t *never, uint32_t u,
                    struct recommendation *out)
{
    struct arena tmp = {0};
    struct history h;
    struct pal_error err;
    uint32_t item[512], excluded[512];
    float weight[512];
    size_t n = 0, left_out = 0, count;
    assert_ok(history_of(&s->d->all, &s->d->types, &s->w, u, &tmp, &h, &err), &err);
    assert_true(h.n < 512 && s->catalog.ids.count < 512);
    for (size_t i = 0; i < h.n; i++) {
        const char *id = intern_text(&s->d->items.ids, h.item[i]);
        uint32_t number = intern_find(&s->catalog.ids, id, strlen(id));
        if (number == INTERN_NONE)
            continue;
        item[n] = number;
        weight[n++] = h.weight[i];
    }
    for (uint32_t i = 0; never && i < s->catalog.ids.count; i++)
        if (never[i])
            excluded[left_out++] = i;
    struct request q = {
        .history = {.n = n, .item = item, .weight = weight, .now_s = h.now_s, .last_s = h.last_s},
        .model = model,
        .n = N,
        .exclude = excluded,
        .exclude_count = left_out,
    };
    assert_ok(recommend(s->r, &q, &tmp, out, &count, &err), &err);
    arena_done(&tmp);
    return count;
}

struct checking {
    const struct scene *s;
    const char *model;
    const uint8_t *never;
    uint32_t *users;
    uint8_t *seen; /* (users) */
};

/* A batch_list_fn. */
static void check_list(void *ctx, size_t i, const struct recommendation *list, size_t count,
                       unsigned worker)
{
    struct checking *c = ctx;
    struct recommendation expect[N];
    size_t n = alone(c->s, c->model, c->never, c->users[i], expect);
    (void)worker;
    assert_int_equal(count, n);
    for (size_t k = 0; k < n; k++) {
        assert_int_equal(list[k].item, expect[k].item);
        assert_true(list[k].score == expect[k].score);
        assert_string_equal(list[k].source, expect[k].source);
        assert_false(c->never && c->never[list[k].item]);
    }
    c->seen[i]++;
}

static void check_all(struct scene *s, const char *model, const uint8_t *never, unsigned threads)
{
    uint32_t users = s->d->all.users;
    struct checking c = {s, model, never, calloc(users, sizeof *c.users), calloc(users, 1)};
    struct batch_options o = {model, N, never};
    struct pool *pool;
    struct batch *b;
    struct pal_error err;
    size_t count = 0;
    for (uint32_t u = users; u-- > 0;)
        if (u % 7 != 3)
            c.users[count++] = u;
    assert_ok(pool_new(threads, &pool, &err), &err);
    assert_ok(batch_new(s->r, s->d, &s->w, &o, pool, &b, &err), &err);
    assert_ok(batch_run(b, c.users, count, check_list, &c, &err), &err);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(c.seen[i], 1);
    batch_free(b);
    pool_free(pool);
    free(c.users);
    free(c.seen);
}

static void as_one_by_one(void **state)
{
    struct scene *s = *state;
    for (size_t i = 0; i < MODELS; i++) {
        check_all(s, names[i], NULL, 1);
        check_all(s, names[i], s->never, 1);
    }
    check_all(s, NULL, s->never, 1);
    check_all(s, "blend", s->never, 1);
}

/* Asserts in another thread would end the process, which is a failure as well. */
static void with_threads(void **state)
{
    struct scene *s = *state;
    check_all(s, "als", s->never, 3);
    check_all(s, "ease", NULL, 3);
}

static void unknown_models_are_told(void **state)
{
    struct scene *s = *state;
    struct batch_options o = {"nobody", N, NULL};
    struct batch *b = NULL;
    struct pal_error err;
    assert_int_equal(batch_new(s->r, s->d, &s->w, &o, NULL, &b, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "'nobody'"));
    assert_null(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_one_by_one),
        cmocka_unit_test(with_threads),
        cmocka_unit_test(unknown_models_are_told),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
