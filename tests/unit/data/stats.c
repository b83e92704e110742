/* Statistics: on random data against slow counts made here from a plain list of rows, with few and
 * many different values; on an empty data set; with each allocation failing in turn. */
#include "test.h"

#include "base/rng.h"
#include "data/stats.h"

#include <math.h>

enum { USERS = 40, ITEMS = 130, ROWS = 3000, CATEGORIES = 7 };

struct plain { /* one row as it was put in */
    uint32_t user, item;
    float value;
    uint32_t time_s;
    uint8_t type;
    bool test;
};

static struct plain plain[ROWS];

static struct dataset *build(uint32_t values)
{
    struct pal_error err;
    struct rows *all, *test;
    struct rng r;
    rng_init(&r, 5, 0);
    struct dataset *d = dataset_new();
    assert_non_null(d);
    assert_ok(rows_new(&all, &err), &err);
    assert_ok(rows_new(&test, &err), &err);
    for (uint32_t u = 0; u < USERS; u++) {
        uint32_t number;
        char id[16];
        int n = snprintf(id, sizeof id, "u%u", u);
        assert_ok(intern_add(&d->users.ids, id, (size_t)n, &number, &err), &err);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t number;
        char id[16];
        int n = snprintf(id, sizeof id, "i%u", i);
        assert_ok(intern_add(&d->items.ids, id, (size_t)n, &number, &err), &err);
        for (uint32_t c = 0; c < CATEGORIES; c++)
            if (rng_below(&r, 3) == 0) {
                n = snprintf(id, sizeof id, "c%u", c);
                assert_ok(labels_add(&d->items.categories, id, (size_t)n, &err), &err);
            }
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
    }
    for (int k = 0; k < ROWS; k++) {
        /* the last ten users and, by their square, few of the last items do nothing */
        double x = rng_real(&r);
        struct plain *p = &plain[k];
        *p = (struct plain){
            (uint32_t)rng_below(&r, USERS - 10), (uint32_t)(x * x * (ITEMS - 20)),
            (float)rng_below(&r, values) * 0.5f, 1000 + (uint32_t)rng_below(&r, 5000),
            (uint8_t)rng_below(&r, 3),           rng_below(&r, 4) == 0};
        struct row row = {p->user, p->item, p->value, p->time_s};
        assert_ok(rows_add(p->test ? test : all, row, p->type, &err), &err);
    }
    assert_ok(rows_finish(all, USERS, ITEMS, true, &d->all, &err), &err);
    assert_ok(rows_finish(test, USERS, ITEMS, true, &d->test, &err), &err);
    rows_free(all);
    rows_free(test);
    return d;
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-9))
        fail_msg("%.12g is not %.12g", a, b);
}

static int descending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

/* The p-quantile, by its definition: between the two nearest of the sorted counts. */
static double quantile(const uint64_t *sorted_down, uint32_t n, double p)
{
    double at = p * (n - 1), low = floor(at), high = ceil(at);
    double a = (double)sorted_down[n - 1 - (uint32_t)low];
    double b = (double)sorted_down[n - 1 - (uint32_t)high];
    return a + (b - a) * (at - low);
}

/* What the rows come to, counted slowly. */
struct reference {
    uint64_t user[USERS], item[ITEMS]; /* most first */
    uint64_t item_by_number[ITEMS], types[3], test, repeats;
    uint32_t users, items, first, last;
    double sum;
};

static void count_rows(struct reference *r)
{
    memset(r, 0, sizeof *r);
    r->first = UINT32_MAX;
    for (int k = 0; k < ROWS; k++) {
        const struct plain *p = &plain[k];
        bool before = false;
        for (int j = 0; j < k; j++)
            before |= plain[j].user == p->user && plain[j].item == p->item;
        r->repeats += before;
        r->user[p->user]++;
        r->item[p->item]++;
        r->types[p->type]++;
        r->test += p->test;
        r->sum += p->value;
        r->first = p->time_s < r->first ? p->time_s : r->first;
        r->last = p->time_s > r->last ? p->time_s : r->last;
    }
    memcpy(r->item_by_number, r->item, sizeof r->item);
    qsort(r->user, USERS, sizeof *r->user, descending);
    qsort(r->item, ITEMS, sizeof *r->item, descending);
    while (r->users < USERS && r->user[r->users])
        r->users++;
    while (r->items < ITEMS && r->item[r->items])
        r->items++;
}

static void counts_are_right(void **state)
{
    (void)state;
    struct pal_error err;
    struct stats s;
    struct reference r;
    struct dataset *d = build(9);
    assert_ok(stats_make(d, NULL, &s, &err), &err);
    count_rows(&r);
    assert_int_equal(s.interactions, ROWS);
    assert_int_equal(s.in_test, r.test);
    assert_int_equal(s.users, r.users);
    assert_int_equal(s.items, r.items);
    assert_int_equal(s.items_known, ITEMS);
    assert_int_equal(s.repeats, r.repeats);
    assert_int_equal(s.first_s, r.first);
    assert_int_equal(s.last_s, r.last);
    assert_int_equal(s.bytes, interactions_bytes(&d->all) + interactions_bytes(&d->test));
    assert_near(s.density, (ROWS - (double)r.repeats) / ((double)r.users * r.items));
    assert_near(s.mean_value, r.sum / ROWS);
    for (int t = 0; t < 3; t++)
        assert_int_equal(s.type_count[t], r.types[t]);
    stats_done(&s);
    dataset_free(d);
}

static void shares_are_right(void **state)
{
    (void)state;
    struct pal_error err;
    struct stats s;
    struct reference r;
    struct dataset *d = build(9);
    assert_ok(stats_make(d, NULL, &s, &err), &err);
    count_rows(&r);
    for (int i = 0; i < STATS_PERCENTILES; i++) {
        assert_near(s.user_activity[i], quantile(r.user, r.users, stats_percentile[i]));
        assert_near(s.item_popularity[i], quantile(r.item, r.items, stats_percentile[i]));
    }
    uint64_t top20 = 0, top1 = 0;
    for (uint32_t i = 0; i < r.items; i++) {
        top20 += i * 5 < r.items ? r.item[i] : 0;
        top1 += i * 100 < r.items ? r.item[i] : 0;
    }
    assert_near(s.long_tail_share, 1 - (double)top20 / ROWS);
    assert_near(s.top1_share, (double)top1 / ROWS);
    double differences = 0; /* gini = mean absolute difference / (2 mean) */
    for (uint32_t a = 0; a < r.items; a++)
        for (uint32_t b = 0; b < r.items; b++)
            differences += fabs((double)r.item[a] - (double)r.item[b]);
    assert_near(s.gini, differences / (2.0 * r.items * ROWS));
    stats_done(&s);
    dataset_free(d);
}

static bool has(const struct labels *l, uint32_t row, uint32_t wanted)
{
    uint32_t n;
    const uint32_t *label = labels_at(l, row, &n);
    for (uint32_t j = 0; j < n; j++)
        if (label[j] == wanted)
            return true;
    return false;
}

static void categories_are_counted(void **state)
{
    (void)state;
    struct pal_error err;
    struct stats s;
    struct reference r;
    struct dataset *d = build(9);
    assert_ok(stats_make(d, NULL, &s, &err), &err);
    count_rows(&r);
    for (uint32_t c = 0; c < d->items.categories.names.count; c++) {
        uint64_t with = 0, events = 0;
        for (uint32_t i = 0; i < ITEMS; i++)
            if (has(&d->items.categories, i, c)) {
                with++;
                events += r.item_by_number[i];
            }
        assert_int_equal(s.category_items[c], with);
        assert_int_equal(s.category_interactions[c], events);
    }
    stats_done(&s);
    dataset_free(d);
}

static void pairs_are_counted(void **state)
{
    (void)state;
    struct pal_error err;
    struct stats s;
    struct dataset *d = build(9);
    const struct labels *l = &d->items.categories;
    assert_ok(stats_make(d, NULL, &s, &err), &err);
    size_t pairs = 0;
    for (uint32_t a = 0; a < l->names.count; a++)
        for (uint32_t b = a + 1; b < l->names.count; b++) {
            uint64_t both = 0, told = 0;
            for (uint32_t i = 0; i < ITEMS; i++)
                both += has(l, i, a) && has(l, i, b);
            pairs += both > 0;
            for (size_t p = 0; p < s.pair_count; p++)
                told += s.pairs[p].a == a && s.pairs[p].b == b ? s.pairs[p].items : 0;
            assert_int_equal(told, both);
        }
    assert_int_equal(s.pair_count, pairs);
    for (size_t p = 1; p < s.pair_count; p++)
        assert_true(s.pairs[p - 1].items >= s.pairs[p].items);
    stats_done(&s);
    dataset_free(d);
}

/* Up to 64 different values each have a bar; more are put into 64 bins of equal width. */
static void values_have_bars(void **state)
{
    (void)state;
    static const uint32_t values[] = {1, 9, 64, 65, 1000};
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        struct pal_error err;
        struct stats s;
        struct dataset *d = build(values[v]);
        assert_ok(stats_make(d, NULL, &s, &err), &err);
        float lowest = INFINITY, highest = -INFINITY;
        for (int k = 0; k < ROWS; k++) {
            lowest = fminf(lowest, plain[k].value);
            highest = fmaxf(highest, plain[k].value);
        }
        assert_int_equal(s.values_binned, values[v] > 64);
        assert_int_equal(s.value_count, values[v] > 64 ? 64 : values[v]);
        double width = (highest - lowest) / 64.0;
        for (size_t b = 0; b < s.value_count; b++) {
            uint64_t expected = 0;
            for (int k = 0; k < ROWS; k++)
                if (!s.values_binned)
                    expected += plain[k].value == s.values[b].value;
                else
                    expected += (plain[k].value - lowest >= width * (double)b || b == 0) &&
                                (plain[k].value - lowest < width * (double)(b + 1) || b == 63);
            assert_int_equal(s.values[b].count, expected);
            if (b)
                assert_true(s.values[b].value > s.values[b - 1].value);
        }
        stats_done(&s);
        dataset_free(d);
    }
}

static void nothing_is_described(void **state)
{
    (void)state;
    struct pal_error err;
    struct stats s;
    struct dataset *d = dataset_new();
    assert_ok(stats_make(d, NULL, &s, &err), &err);
    assert_int_equal(s.interactions, 0);
    assert_int_equal(s.value_count, 0);
    assert_true(s.density == 0 && s.gini == 0 && s.long_tail_share == 0 && s.mean_value == 0);
    stats_done(&s);
    dataset_free(d);
}

static void stops_when_told(void **state)
{
    (void)state;
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    struct pal_error err;
    struct stats s;
    struct dataset *d = build(9);
    assert_int_equal(stats_make(d, &run, &s, &err), PAL_EINTERRUPTED);
    dataset_free(d);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct pal_error err;
    struct stats s;
    struct dataset *d = build(100);
    long live = mem_live(), failed = 0;
    for (long at = 1;; at++) {
        mem_fail_at(at);
        enum pal_status st = stats_make(d, NULL, &s, &err);
        mem_fail_at(0);
        if (st == PAL_OK)
            break;
        failed++;
        assert_int_equal(st, PAL_ENOMEM);
        assert_int_equal(mem_live(), live);
    }
    assert_true(failed > 5);
    stats_done(&s);
    assert_int_equal(mem_live(), live);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_right),       cmocka_unit_test(shares_are_right),
        cmocka_unit_test(categories_are_counted), cmocka_unit_test(pairs_are_counted),
        cmocka_unit_test(values_have_bars),       cmocka_unit_test(nothing_is_described),
        cmocka_unit_test(stops_when_told),        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
