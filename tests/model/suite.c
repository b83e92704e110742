/* What every model must do, whatever its algebra: solve a world of blocks, answer newcomers and
 * odd histories, take a dislike as one, explain what it scores, find what is similar. */
#include "each.h"

/* Three items of a block the model never saw together in one user's history: the five best others
 * are of that block. */
static void solves_blocks(void **state)
{
    (void)state;
    struct pal_error err;
    for (size_t i = 0; model_at(i); i++) {
        if (!(model_at(i)->can & MODEL_PERSONAL) || model_at(i)->can & MODEL_OWN)
            continue;
        struct fitted f = fit_blocks(model_at(i), 2);
        int hits = 0, shown = 0;
        for (uint32_t block = 0; block < BLOCKS; block++)
            for (size_t first = 0; first < 6; first++) {
                struct history h = history_in(&f.tmp, block, first, 3, 1);
                uint8_t skip[ITEMS] = {0};
                struct scored best[5];
                size_t n;
                for (size_t j = 0; j < h.n; j++)
                    skip[h.item[j]] = 1;
                assert_ok(model_top(f.model, &h, skip, 5, &f.tmp, best, &n, &err), &err);
                assert_int_equal(n, 5);
                for (size_t j = 0; j < n; j++, shown++) {
                    assert_false(skip[best[j].index]);
                    hits += best[j].index % BLOCKS == block;
                }
            }
        if (hits < shown * 95 / 100)
            fail_msg("%s: %d of %d recommendations are of the block", model_at(i)->name, hits,
                     shown);
        fitted_done(&f);
    }
}

/* No history, one item, everything, huge and tiny weights, none of it NaN; a batch scores each row
 * as alone; and no history is no reason to fail. */
static void answers_any_history(void **state)
{
    (void)state;
    struct pal_error err;
    const float weights[] = {1, -1, 1e-6f, 1e6f, -1e6f, 3};
    for (size_t i = 0; model_at(i); i++) {
        struct fitted f = fit_blocks(model_at(i), 1);
        struct history h[3 + 6];
        uint32_t all[ITEMS];
        float ones[ITEMS];
        for (uint32_t j = 0; j < ITEMS; j++) {
            all[j] = ITEMS - 1 - j;
            ones[j] = weights[j % 3];
        }
        h[0] = (struct history){0};
        h[1] = (struct history){.n = ITEMS, .item = all, .weight = ones};
        h[2] = history_in(&f.tmp, 1, 0, 4, 1);
        for (size_t j = 0; j < 6; j++)
            h[3 + j] = history_in(&f.tmp, 2, j, 1 + j % 3, weights[j]);
        float *together = scores_of(&f, h, 9);
        for (size_t j = 0; j < 9; j++)
            for (uint32_t item = 0; item < ITEMS; item++) {
                float *alone = scores_of(&f, &h[j], 1);
                float a = together[j * ITEMS + item], b = alone[item];
                assert_true(fabsf(a - b) <= 1e-4f * (fabsf(a) + fabsf(b)));
            }
        struct scored best[ITEMS];
        size_t n;
        assert_ok(model_top(f.model, &h[0], NULL, ITEMS, &f.tmp, best, &n, &err), &err);
        assert_int_equal(n, ITEMS);
        fitted_done(&f);
    }
}

/* To a like of block 0 a dislike of block 1 is added: the rest of block 1 falls, and stands lower
 * than if it had been a like. */
static void a_dislike_lowers(void **state)
{
    (void)state;
    for (size_t i = 0; model_at(i); i++) {
        if (!(model_at(i)->can & MODEL_PERSONAL) || model_at(i)->can & MODEL_OWN)
            continue;
        struct fitted f = fit_blocks(model_at(i), 1);
        uint32_t items[] = {0, 4, 1, 5, 9};
        float without[] = {1, 1}, with[] = {1, 1, -1, -1, -1}, liked[] = {1, 1, 1, 1, 1};
        struct history h[3] = {{.n = 2, .item = items, .weight = without},
                               {.n = 5, .item = items, .weight = with},
                               {.n = 5, .item = items, .weight = liked}};
        float *s = scores_of(&f, h, 3);
        double before = block_mean(s, 1, 3), after = block_mean(s + ITEMS, 1, 3);
        if (after >= before || after >= block_mean(s + 2 * ITEMS, 1, 3))
            fail_msg("%s: block 1 had %g, has %g after dislikes", model_at(i)->name, before, after);
        fitted_done(&f);
    }
}

/* An item that its own block dislikes does not train as a like. */
static void dislikes_train_as_dislikes(void **state)
{
    (void)state;
    enum { HATED = 2 * BLOCKS }; /* an item of block 0 */
    for (size_t i = 0; model_at(i); i++) {
        const struct model_ops *ops = model_at(i);
        if (strcmp(ops->name, "random") == 0 || strcmp(ops->name, "content") == 0)
            continue; /* they learn nothing from interactions */
        struct dataset *d = world_of_blocks(USERS, ITEMS, BLOCKS, 0.03, 3);
        uint64_t n = interactions_count(&d->all);
        d->all.value = mem_alloc(n, sizeof *d->all.value);
        for (uint64_t e = 0; e < n; e++)
            d->all.value[e] = d->all.item[e] == HATED ? -1 : 1;
        struct fitted f = fit_on(ops, d, 1, 1);
        struct history h = history_in(&f.tmp, 0, 5, 4, 1);
        float *s = scores_of(&f, &h, 1);
        for (uint32_t item = 0; item < ITEMS; item += BLOCKS)
            if (item != HATED && (item < 5 * BLOCKS || item >= 9 * BLOCKS) && s[HATED] >= s[item])
                fail_msg("%s: the item everyone dislikes stands at %g, item %u at %g", ops->name,
                         s[HATED], item, s[item]);
        fitted_done(&f);
    }
}

static void parts_sum_to_the_score(void **state)
{
    (void)state;
    struct pal_error err;
    for (size_t i = 0; model_at(i); i++) {
        if (!(model_at(i)->can & MODEL_EXPLAIN))
            continue;
        struct fitted f = fit_blocks(model_at(i), 1);
        uint32_t items[] = {3, 8, 12, 21, 39};
        float weights[] = {1, 0.5f, -1, 2, 1}, part[5];
        struct history h = {.n = 5, .item = items, .weight = weights};
        float *s = scores_of(&f, &h, 1);
        for (uint32_t item = 0; item < ITEMS; item++) {
            double sum = 0, size = 0;
            assert_ok(model_explain(f.model, &h, item, part, &f.tmp, &err), &err);
            for (size_t j = 0; j < 5; j++) {
                sum += part[j];
                size += fabs(part[j]);
            }
            if (fabs(sum - s[item]) > 1e-4 * (size + 1e-3))
                fail_msg("%s: parts of item %u sum to %g, its score is %g", model_at(i)->name, item,
                         sum, s[item]);
        }
        fitted_done(&f);
    }
}

static void block_mates_are_similar(void **state)
{
    (void)state;
    struct pal_error err;
    for (size_t i = 0; model_at(i); i++) {
        if (!(model_at(i)->can & MODEL_SIMILAR))
            continue;
        struct fitted f = fit_blocks(model_at(i), 2);
        int mates = 0;
        for (uint32_t item = 0; item < ITEMS; item++) {
            struct scored near[5];
            size_t n;
            assert_ok(model_similar(f.model, item, 5, &f.tmp, near, &n, &err), &err);
            assert_int_equal(n, 5);
            for (size_t j = 0; j < n; j++) {
                assert_int_not_equal(near[j].index, item);
                mates += near[j].index % BLOCKS == item % BLOCKS;
            }
        }
        if (mates < ITEMS * 5 * 95 / 100) /* there is noise between the blocks */
            fail_msg("%s: %d of %d similar items are of the block", model_at(i)->name, mates,
                     ITEMS * 5);
        fitted_done(&f);
    }
}

/* Without any interaction, a model is still one; with a single user and item too. */
static void the_smallest_worlds(void **state)
{
    (void)state;
    const struct event one = {0, 0, 1, 5};
    for (size_t i = 0; model_at(i); i++) {
        for (size_t events = 0; events < 2; events++) {
            struct pal_error err;
            struct dataset *d = world_of(&one, events, 1, 1);
            assert_ok(texts_add(&d->items.titles, "Heat", 4, &err), &err);
            struct training t;
            struct model *m;
            struct weights w = world_weights();
            struct arena tmp = {0};
            assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
            enum pal_status st = model_fit(model_at(i), NULL, &t, 0, NULL, &m, &err);
            if (st == PAL_OK) {
                float weight = 1, score = NAN;
                uint32_t item = 0;
                struct history h = {.n = 1, .item = &item, .weight = &weight};
                assert_ok(model_score(m, &h, 1, &score, &tmp, &err), &err);
                assert_true(isfinite(score));
                model_free(m);
            } else if (st != PAL_EUNSUPPORTED && st != PAL_EUSAGE) {
                fail_msg("%s: %s: %s", model_at(i)->name, pal_status_name(st), err.message);
            }
            training_done(&t);
            arena_done(&tmp);
            dataset_free(d);
        }
    }
}

static void assert_same_list(const struct scored *a, size_t n, const struct scored *b, size_t m,
                             const char *what)
{
    if (n != m)
        fail_msg("%s: %zu items, by scores %zu", what, n, m);
    for (size_t i = 0; i < n; i++)
        if (a[i].index != b[i].index || a[i].score != b[i].score)
            fail_msg("%s: place %zu: item %u (%a), by scores %u (%a)", what, i, a[i].index,
                     a[i].score, b[i].index, b[i].score);
}

/* Lists are those that scoring every item gives, to the bit, whatever short way there is: in a
 * catalog large enough for it, with and without items to skip. */
static void lists_are_those_of_the_scores(void **state)
{
    enum { MANY = 1300, K = 40 };
    static float scores[MANY];
    static uint8_t skip[MANY];
    struct pal_error err;
    for (size_t i = 0; model_at(i); i++) {
        struct fitted f =
            fit_on(model_at(i), blocks_for(model_at(i), 150, MANY, BLOCKS, 0.05, 7), 2, 5);
        for (uint32_t turn = 0; turn < 12; turn++) {
            static const size_t ks[] = {1, 7, K};
            struct history h = history_in(&f.tmp, turn % BLOCKS, turn, turn % 7, turn % 5 ? 1 : -2);
            struct scored got[K], want[K];
            size_t k = ks[turn % 3], n, m;
            for (uint32_t j = 0; j < MANY; j++)
                skip[j] = turn > 3 && (j * 7919 + turn) % (turn + 2) == 0;
            assert_ok(model_top(f.model, &h, skip, k, &f.tmp, got, &n, &err), &err);
            assert_ok(model_score(f.model, &h, 1, scores, &f.tmp, &err), &err);
            for (uint32_t j = 0; j < MANY; j++)
                scores[j] = skip[j] ? -INFINITY : scores[j];
            m = topk(scores, MANY, k, want);
            assert_same_list(got, n, want, m, model_at(i)->name);
            if (!(model_at(i)->can & MODEL_SIMILAR))
                continue;
            uint32_t item = turn * 97 % MANY;
            assert_ok(model_similar(f.model, item, k, &f.tmp, got, &n, &err), &err);
            assert_ok(model_at(i)->similar(f.model, item, scores, &f.tmp, &err), &err);
            scores[item] = -INFINITY;
            m = topk(scores, MANY, k, want);
            assert_same_list(got, n, want, m, model_at(i)->name);
        }
        fitted_done(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solves_blocks),
        cmocka_unit_test(answers_any_history),
        cmocka_unit_test(a_dislike_lowers),
        cmocka_unit_test(dislikes_train_as_dislikes),
        cmocka_unit_test(parts_sum_to_the_score),
        cmocka_unit_test(block_mates_are_similar),
        cmocka_unit_test(lists_are_those_of_the_scores),
        cmocka_unit_test(the_smallest_worlds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
