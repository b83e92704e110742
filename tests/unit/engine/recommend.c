/* Recommending, with models whose scores are made up (fake.h), against an order worked out here
 * from the sentences in recommender.h: by comparing every two items, without heaps, masks or maps.
 * The catalog, the model and the popular model each number the items in a way of their own. */
#include "fake.h"

#include "base/rng.h"
#include "engine/recommender.h"

#include <math.h>

enum {
    ITEMS = 40,
    UNKNOWN = 4
}; /* the models know UNKNOWN items that the catalog lacks, and lack
      as many that it has */

/* A world: item ids are 0 to ITEMS + UNKNOWN; each part knows some in some order. */
struct world {
    uint32_t catalog[ITEMS], fake[ITEMS], popular[ITEMS]; /* ids by number */
    float M[ITEMS * ITEMS], zero[ITEMS * ITEMS], base[ITEMS], count[ITEMS];
    struct items items;
    struct recommender *r;
};

static void make_items(struct items *items, const uint32_t *id, uint32_t count)
{
    struct pal_error err;
    *items = (struct items){0};
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        uint32_t number;
        int len = snprintf(text, sizeof text, "i%u", id[i]);
        assert_ok(intern_add(&items->ids, text, (size_t)len, &number, &err), &err);
    }
}

/* same: all parts number the items alike. */
static void make_world(struct world *w, uint64_t seed, int same)
{
    struct rng rng;
    struct pal_error err;
    uint32_t ids[ITEMS + UNKNOWN];
    rng_init(&rng, seed, 0);
    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < ITEMS + UNKNOWN; i++)
        ids[i] = i;
    uint32_t *part[] = {w->catalog, w->fake, w->popular};
    for (int p = 0; p < 3; p++) {
        if (!same)
            rng_shuffle(&rng, ids, ITEMS + UNKNOWN);
        memcpy(part[p], ids, sizeof w->catalog);
    }
    for (size_t i = 0; i < ITEMS * ITEMS; i++)
        w->M[i] = (float)rng_below(&rng, 5) - 2; /* -2 to 2: zeros and ties in plenty */
    for (size_t i = 0; i < ITEMS; i++)
        w->count[i] = (float)rng_below(&rng, 10);
    make_items(&w->items, w->catalog, ITEMS);
    struct model *models[] = {
        fake_new(&fake_ops, w->fake, ITEMS, w->M, w->base),
        fake_new(&fake_popular_ops, w->popular, ITEMS, w->zero, w->count),
    };
    assert_ok(recommender_new(&w->items, models, 2, &w->r, &err), &err);
}

static void drop_world(struct world *w)
{
    recommender_free(w->r);
    items_done(&w->items);
}

static int place(const uint32_t *ids, uint32_t id)
{
    for (int i = 0; i < ITEMS; i++)
        if (ids[i] == id)
            return i;
    return -1;
}

/* What decides an item's place in the answer; smaller comes first. */
struct key {
    int group; /* in the first group by score, and so on */
    float score;
    int popular_group;
    float popularity;
    int popular_number, number;
    uint32_t item;
};

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->popular_group != y->popular_group)
        return x->popular_group < y->popular_group ? -1 : 1;
    if (x->popularity != y->popularity)
        return x->popularity > y->popularity ? -1 : 1;
    if (x->popular_number != y->popular_number)
        return x->popular_number < y->popular_number ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The key of catalog item i. */
static struct key key_of(const struct world *w, const struct history *h, uint32_t i)
{
    struct key k = {.item = i, .number = (int)i};
    int fake = place(w->fake, w->catalog[i]), popular = place(w->popular, w->catalog[i]);
    int liked = 0;
    float score = 0;
    for (size_t j = 0; j < h->n; j++) {
        int other = place(w->fake, w->catalog[h->item[j]]);
        liked |= other >= 0 && h->weight[j] > 0;
        if (fake >= 0 && other >= 0)
            score += h->weight[j] * w->M[other * ITEMS + fake];
    }
    if (!liked) {
        k.group = score < 0; /* what is near to dislikes comes last */
    } else if (fake >= 0) {
        k.group = score > 0 ? 0 : score < 0 ? 2 : 1;
        k.score = score;
        k.number = fake;
    } else {
        k.group = 3;
    }
    if (k.group == 1 || k.group == 3 || !liked) { /* by popularity */
        k.popular_group = popular < 0;
        k.popularity = popular < 0 ? 0 : w->count[popular];
        k.popular_number = popular < 0 ? 0 : popular;
    }
    return k;
}

static void check_against_reference(const struct world *w, const struct request *q,
                                    struct arena *tmp)
{
    struct key key[ITEMS];
    struct recommendation out[ITEMS + 5];
    struct pal_error err;
    size_t expected = 0, count = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        int taken = 0;
        for (size_t j = 0; j < q->history.n; j++)
            taken |= q->history.item[j] == i;
        for (size_t j = 0; j < q->exclude_count; j++)
            taken |= q->exclude[j] == i;
        if (!taken)
            key[expected++] = key_of(w, &q->history, i);
    }
    qsort(key, expected, sizeof *key, by_key);
    assert_ok(recommend(w->r, q, tmp, out, &count, &err), &err);
    assert_int_equal(count, expected < q->n ? expected : q->n);
    for (size_t i = 0; i < count; i++)
        if (out[i].item != key[i].item)
            fail_msg("place %zu: item %u (%s), not %u", i, out[i].item, out[i].source, key[i].item);
}

static void the_order_is_the_reference_s(void **state)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world w;
        struct rng rng;
        struct arena tmp = {0};
        make_world(&w, seed, seed % 4 == 0);
        rng_init(&rng, seed, 1);
        for (size_t n = 0; n <= ITEMS; n += n < 6 ? 1 : 17) {
            uint32_t item[ITEMS], exclude[3];
            float weight[ITEMS];
            for (uint32_t i = 0; i < ITEMS; i++)
                item[i] = i;
            rng_shuffle(&rng, item, ITEMS);
            for (size_t i = 0; i < n; i++)
                weight[i] =
                    rng_below(&rng, 3) || seed % 3 == 1 ? -1 : (float)rng_below(&rng, 2) + 1;
            for (size_t i = 0; i < 3; i++)
                exclude[i] = (uint32_t)rng_below(&rng, ITEMS);
            struct request q = {.history = {.n = n, .item = item, .weight = weight},
                                .exclude = exclude,
                                .exclude_count = seed % 2 * 3};
            for (q.n = 1; q.n <= ITEMS + 5; q.n += 11)
                check_against_reference(&w, &q, &tmp);
            arena_reset(&tmp);
        }
        arena_done(&tmp);
        drop_world(&w);
    }
}

/* All of the model's items in the catalog, no zeros: then it is model_top and nothing else. */
static void it_is_the_model_s_own_top(void **state)
{
    struct world w;
    struct arena tmp = {0};
    struct pal_error err;
    make_world(&w, 7, 1);
    for (size_t i = 0; i < ITEMS * ITEMS; i++)
        w.M[i] += 0.001f * (float)(i % 97) + 0.0003f;
    uint32_t item[] = {3, 9, 30};
    float weight[] = {1, -1, 0.5f};
    uint8_t skip[ITEMS] = {[3] = 1, [9] = 1, [30] = 1};
    struct request q = {.history = {.n = 3, .item = item, .weight = weight}, .n = ITEMS};
    struct recommendation out[ITEMS];
    struct scored top[ITEMS];
    size_t count, expected;
    assert_ok(recommend(w.r, &q, &tmp, out, &count, &err), &err);
    assert_ok(
        model_top(recommender_model(w.r, 0), &q.history, skip, ITEMS, &tmp, top, &expected, &err),
        &err);
    assert_int_equal(expected, ITEMS - 3);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(out[i].item, top[i].index);
        assert_true(out[i].score == top[i].score);
        assert_string_equal(out[i].source, "fake");
    }
    arena_done(&tmp);
    drop_world(&w);
}

static void reasons_are_the_strongest_parts(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world w;
        struct arena tmp = {0};
        struct pal_error err;
        make_world(&w, seed, seed % 2 == 0);
        uint32_t item[] = {1, 5, 8, 13, 21, 34, 2};
        float weight[] = {1, 2, -1, 1, 0.5f, 1, -2};
        struct request q = {
            .history = {.n = 7, .item = item, .weight = weight}, .n = 20, .explain = 1};
        struct recommendation out[20];
        size_t count;
        assert_ok(recommend(w.r, &q, &tmp, out, &count, &err), &err);
        assert_int_equal(count, 20);
        for (size_t i = 0; i < count; i++) {
            /* every part that may be a reason, strongest first */
            struct reason all[7];
            size_t n = 0;
            int to = place(w.fake, w.catalog[out[i].item]);
            for (size_t j = 0; j < 7; j++) {
                int from = place(w.fake, w.catalog[item[j]]);
                float part = from < 0 || to < 0 ? 0 : weight[j] * w.M[from * ITEMS + to];
                if (weight[j] < 0 || part <= 0)
                    continue;
                size_t at = n++;
                for (; at > 0 && all[at - 1].part < part; at--)
                    all[at] = all[at - 1];
                all[at] = (struct reason){item[j], part};
            }
            if (strcmp(out[i].source, "fake") != 0)
                n = 0;
            assert_int_equal(out[i].reason_count, n < REASONS ? n : REASONS);
            for (size_t j = 0; j < out[i].reason_count; j++) {
                assert_int_equal(out[i].reason[j].item, all[j].item);
                assert_true(out[i].reason[j].part == all[j].part);
            }
        }
        arena_done(&tmp);
        drop_world(&w);
    }
}

/* Two models, ranks summed by hand: the first likes 1, 2, 3 in this order, the second 3, 1. */
static void the_blend_sums_reciprocal_ranks(void **state)
{
    static const uint32_t ids[] = {0, 1, 2, 3, 4};
    static const float zero[25], M[25] = {0, 9, 8, 7, 0}, N[25] = {0, 2, -1, 5, 0};
    static const float count[5] = {1, 1, 1, 1, 6};
    struct items items;
    struct recommender *r;
    struct pal_error err;
    struct arena tmp = {0};
    make_items(&items, ids, 5);
    struct model *models[] = {
        fake_new(&fake_ops, ids, 5, M, zero),
        fake_new(&fake_other_ops, ids, 5, N, zero),
        fake_new(&fake_popular_ops, ids, 5, zero, count),
    };
    assert_ok(recommender_new(&items, models, 3, &r, &err), &err);
    uint32_t item = 0;
    float weight = 1;
    struct request q = {
        .history = {.n = 1, .item = &item, .weight = &weight}, .n = 5, .model = "blend"};
    struct recommendation out[5];
    size_t n;
    assert_ok(recommend(r, &q, &tmp, out, &n, &err), &err);
    assert_int_equal(n, 4);
    const uint32_t order[] = {1, 3, 2, 4};
    const char *source[] = {"fake", "other", "fake", "popular"};
    const double score[] = {1 / 61.0 + 1 / 62.0, 1 / 63.0 + 1 / 61.0, 1 / 62.0, 6};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(out[i].item, order[i]);
        assert_string_equal(out[i].source, source[i]);
        assert_true(fabs(out[i].score - score[i]) < 1e-6);
    }
    q.model = "nosuch";
    assert_int_equal(recommend(r, &q, &tmp, out, &n, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "only fake, other, popular"));
    q.model = "other";
    assert_ok(recommend(r, &q, &tmp, out, &n, &err), &err);
    assert_int_equal(out[0].item, 3);
    arena_done(&tmp);
    recommender_free(r);
    items_done(&items);
}

static void similar_items_by_the_model_that_can(void **state)
{
    static const uint32_t ids[] = {0, 1, 2, 3, 9}, known[] = {3, 2, 8, 1, 0};
    static const float zero[25];
    static const float M[25] = {
        [0 * 5 + 1] = 2, [0 * 5 + 2] = 7, [0 * 5 + 3] = 5, [0 * 5 + 4] = -1};
    struct items items;
    struct recommender *r;
    struct pal_error err;
    struct arena tmp = {0};
    make_items(&items, ids, 5);
    struct model *models[] = {
        fake_new(&fake_other_ops, ids, 5, zero, zero),
        fake_new(&fake_ops, known, 5, M, zero),
    };
    assert_ok(recommender_new(&items, models, 2, &r, &err), &err);
    struct recommendation out[5];
    size_t n = 77;
    assert_ok(recommend_similar(r, 3, NULL, 5, &tmp, out, &n, &err), &err);
    assert_int_equal(n, 2); /* i8 is not in the catalog, i0 is unlike it */
    assert_int_equal(out[0].item, 1);
    assert_int_equal(out[1].item, 2);
    assert_ok(recommend_similar(r, 3, "fake", 1, &tmp, out, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(out[0].item, 1);
    assert_int_equal(recommend_similar(r, 4, NULL, 5, &tmp, out, &n, &err), PAL_ENOTFOUND);
    assert_int_equal(recommend_similar(r, 3, "other", 5, &tmp, out, &n, &err), PAL_EUNSUPPORTED);
    assert_int_equal(recommend_similar(r, 3, "nosuch", 5, &tmp, out, &n, &err), PAL_ENOTFOUND);
    assert_int_equal(recommend_similar(r, 5, NULL, 5, &tmp, out, &n, &err), PAL_EUSAGE);
    assert_int_equal(n, 1);
    arena_done(&tmp);
    recommender_free(r);
    items_done(&items);
}

static void no_model_and_bad_items_are_answered(void **state)
{
    static const uint32_t ids[] = {0, 1, 2};
    struct items items;
    struct recommender *r;
    struct pal_error err;
    struct arena tmp = {0};
    make_items(&items, ids, 3);
    assert_ok(recommender_new(&items, NULL, 0, &r, &err), &err);
    uint32_t item = 1;
    float weight = 1;
    struct request q = {.history = {.n = 1, .item = &item, .weight = &weight}};
    struct recommendation out[10];
    size_t n = 77;
    assert_ok(recommend(r, &q, &tmp, out, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(out[0].item, 0);
    assert_int_equal(out[1].item, 2);
    assert_string_equal(out[0].source, "catalog");
    item = 3;
    assert_int_equal(recommend(r, &q, &tmp, out, &n, &err), PAL_EUSAGE);
    assert_int_equal(recommend_similar(r, 0, NULL, 5, &tmp, out, &n, &err), PAL_EUNSUPPORTED);
    assert_int_equal(n, 2);
    arena_done(&tmp);
    recommender_free(r);
    items_done(&items);
}

/* A catalog that grows under a recommender: new items come last, in the history they are harmless.
 */
static void the_catalog_may_grow(void **state)
{
    static const uint32_t ids[] = {0, 1, 2, 3};
    static const float zero[16], M[16] = {0, -1, 2, 3};
    struct items items;
    struct recommender *r;
    struct pal_error err;
    struct arena tmp = {0};
    make_items(&items, ids, 4);
    struct model *models[] = {fake_new(&fake_ops, ids, 4, M, zero)};
    assert_ok(recommender_over(&items, models, 1, &r, &err), &err);
    for (int i = 0; i < 300; i++) {
        char text[16];
        uint32_t number;
        int len = snprintf(text, sizeof text, "new%d", i);
        assert_ok(intern_add(&items.ids, text, (size_t)len, &number, &err), &err);
    }
    uint32_t item[] = {0, 250};
    float weight[] = {1, 1};
    struct request q = {.history = {.n = 2, .item = item, .weight = weight}, .n = 5, .explain = 1};
    struct recommendation out[5];
    size_t n;
    assert_ok(recommend(r, &q, &tmp, out, &n, &err), &err);
    assert_int_equal(n, 5);
    const uint32_t order[] = {3, 2, 1, 4, 5};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(out[i].item, order[i]);
    assert_int_equal(out[0].reason_count, 1);
    arena_done(&tmp);
    recommender_free(r);
    items_done(&items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_the_reference_s),
        cmocka_unit_test(it_is_the_model_s_own_top),
        cmocka_unit_test(reasons_are_the_strongest_parts),
        cmocka_unit_test(the_blend_sums_reciprocal_ranks),
        cmocka_unit_test(similar_items_by_the_model_that_can),
        cmocka_unit_test(no_model_and_bad_items_are_answered),
        cmocka_unit_test(the_catalog_may_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
