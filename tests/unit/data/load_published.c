/* The published data sets, where they are at hand: counts as their publishers give them, single
 * rows as they stand in the files, and every row of MovieLens 100K against a reader of three lines.
 */
#include "test.h"

#include "files.h"

struct counts {
    const char *folder, *format;
    uint64_t all, test;
    uint32_t users, items; /* with at least one event, in either part */
    uint32_t known_items;
};

static const struct counts published_counts[] = {
    {"ml-100k", "movielens-100k", 100000, 0, 943, 1682, 1682},
    {"ml-1m", "movielens-1m", 1000209, 0, 6040, 3706, 3883},
    {"ml-latest-small", "movielens-csv", 100836, 0, 610, 9724, 9742},
    {"gowalla-lightgcn", "lists", 810128, 217242, 29858, 40981, 40981},
    {"ml-1m-ncf", "ncf", 994169, 6040, 6040, 3706, 3706},
    {"ml-1m-sasrec", "sasrec", 999611, 0, 6040, 3416, 3416},
    {"completejourney", "completejourney", 75000, 0, 2377, 20902, 92336},
};

static void mark(const struct interactions *x, uint8_t *users, uint8_t *items)
{
    for (uint32_t u = 0; x->start && u < x->users; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            users[u] = items[x->item[i]] = 1;
}

static uint32_t sum(const uint8_t *marks, uint32_t n)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < n; i++)
        total += marks[i];
    return total;
}

static void counts_are_the_published_ones(void **state)
{
    (void)state;
    size_t found = 0;
    for (size_t i = 0; i < sizeof published_counts / sizeof published_counts[0]; i++) {
        const struct counts *c = &published_counts[i];
        const char *path = published(c->folder);
        struct pal_error err;
        struct dataset *d;
        if (!path)
            continue;
        found++;
        assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
        assert_string_equal(d->format, c->format);
        assert_string_equal(d->name, c->folder);
        assert_int_equal(interactions_count(&d->all), c->all);
        assert_int_equal(interactions_count(&d->test), c->test);
        assert_int_equal(d->items.ids.count, c->known_items);
        uint8_t *users = calloc(d->users.ids.count, 1), *items = calloc(d->items.ids.count, 1);
        mark(&d->all, users, items);
        mark(&d->test, users, items);
        assert_int_equal(sum(users, d->users.ids.count), c->users);
        assert_int_equal(sum(items, d->items.ids.count), c->items);
        assert_true(interactions_bytes(&d->all) <= 16 * c->all);
        free(users);
        free(items);
        dataset_free(d);
    }
    if (!found)
        skip();
}

/* Every line of u.data is in its user's history, and histories are in order of time. */
static void every_row_of_100k(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d;
    const char *path = published("ml-100k");
    if (!path) {
        skip();
        return;
    }
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    char file[600], user[32], item[32];
    float value;
    unsigned time_s;
    snprintf(file, sizeof file, "%s/u.data", path);
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    while (fscanf(f, "%31s %31s %f %u", user, item, &value, &time_s) == 4) {
        uint32_t u = user_number(d, user), it = item_number(d, item);
        uint64_t i = d->all.start[u], found = 0;
        for (; i < d->all.start[u + 1]; i++) {
            found += d->all.item[i] == it && d->all.value[i] == value && d->all.time_s[i] == time_s;
            if (i > d->all.start[u])
                assert_true(d->all.time_s[i - 1] <= d->all.time_s[i]);
        }
        assert_int_equal(found, 1);
    }
    fclose(f);
    dataset_free(d);
}

static void has_label(const struct labels *l, uint32_t row, const char *const *names, uint32_t n)
{
    uint32_t count;
    const uint32_t *label = labels_at(l, row, &count);
    assert_int_equal(count, n);
    for (uint32_t i = 0; i < n; i++)
        assert_string_equal(intern_text(&l->names, label[i]), names[i]);
}

static void films_of_100k_and_1m(void **state)
{
    (void)state;
    static const char *const old[] = {"Animation", "Children's", "Comedy"};
    static const char *const none[] = {NULL};
    struct pal_error err;
    struct dataset *d;
    const char *path = published("ml-100k");
    if (!path) {
        skip();
        return;
    }
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    uint32_t toy = item_number(d, "1");
    assert_string_equal(items_name(&d->items, toy), "Toy Story (1995)");
    has_label(&d->items.categories, toy, old, 3);
    /* film 267 is the one called "unknown", of genre "unknown": none; 543 is in Latin-1 */
    has_label(&d->items.categories, item_number(d, "267"), none, 0);
    assert_string_equal(items_name(&d->items, item_number(d, "543")),
                        "Mis\xc3\xa9rables, Les (1995)");
    assert_string_equal(texts_at(&d->users.attributes, user_number(d, "1")),
                        "{\"age\":24,\"gender\":\"M\",\"occupation\":\"technician\","
                        "\"zip\":\"85711\"}");
    dataset_free(d);
    path = published("ml-1m");
    if (!path)
        return;
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    has_label(&d->items.categories, item_number(d, "1"), old, 3);
    assert_string_equal(items_name(&d->items, item_number(d, "73")),
                        "Mis\xc3\xa9rables, Les (1995)");
    assert_string_equal(texts_at(&d->users.attributes, user_number(d, "2")),
                        "{\"gender\":\"M\",\"age\":\"56+\",\"occupation\":\"self-employed\","
                        "\"zip\":\"70072\"}");
    dataset_free(d);
}

static void films_and_tags_of_small(void **state)
{
    (void)state;
    static const char *const genres[] = {"Adventure", "Animation", "Children", "Comedy", "Fantasy"};
    static const char *const tags[] = {"pixar", "pixar", "fun"};
    static const char *const none[] = {NULL};
    struct pal_error err;
    struct dataset *d;
    const char *path = published("ml-latest-small");
    if (!path) {
        skip();
        return;
    }
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    has_label(&d->items.categories, item_number(d, "1"), genres, 5);
    has_label(&d->items.tags, item_number(d, "1"), tags, 3);
    has_label(&d->items.categories, item_number(d, "122896"), none, 0);
    assert_int_equal(d->items.tags.start[d->items.tags.rows], 3683);
    assert_int_equal(d->items.categories.names.count, 19);
    assert_string_equal(items_name(&d->items, item_number(d, "11")),
                        "American President, The (1995)");
    assert_non_null(strstr(d->weights, "rating>=4:1"));
    dataset_free(d);
}

/* The folds of 100K are cuts of one file: base and test together are u.data. */
static void folds_of_100k(void **state)
{
    (void)state;
    static const char *const folds[] = {"u1", "u2", "u3", "u4", "u5"};
    struct pal_error err;
    struct dataset *d;
    const char *path = published("ml-100k");
    if (!path) {
        skip();
        return;
    }
    for (size_t i = 0; i < 5; i++) {
        struct load_options options = {.fold = folds[i]};
        assert_ok(dataset_load(path, &options, NULL, &d, &err), &err);
        assert_int_equal(interactions_count(&d->all), 80000);
        assert_int_equal(interactions_count(&d->test), 20000);
        dataset_free(d);
    }
    struct load_options options = {.fold = "u9"};
    assert_int_equal(dataset_load(path, &options, NULL, &d, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "u9.base"));
}

static void negatives_of_ncf(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d;
    const char *path = published("ml-1m-ncf");
    if (!path) {
        skip();
        return;
    }
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    assert_int_equal(d->negatives.per_user, 99);
    assert_int_equal(d->negatives.users, 6040);
    uint32_t u = user_number(d, "1");
    assert_string_equal(intern_text(&d->items.ids, d->negatives.item[(size_t)u * 99]), "1072");
    assert_string_equal(intern_text(&d->items.ids, d->negatives.item[(size_t)u * 99 + 1]), "3154");
    for (size_t i = 0; i < (size_t)6040 * 99; i++)
        assert_true(d->negatives.item[i] < d->items.ids.count);
    assert_string_equal(history_text(d, &d->test, "1"), "133:3:978300174");
    dataset_free(d);
}

static void lists_of_gowalla(void **state)
{
    (void)state;
    struct pal_error err;
    struct dataset *d;
    const char *path = published("gowalla-lightgcn");
    if (!path) {
        skip();
        return;
    }
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    assert_null(d->all.time_s);
    assert_null(d->all.value);
    assert_string_equal(history_text(d, &d->test, "1"),
                        "31613:1:- 34341:1:- 36414:1:- 36721:1:- 16213:1:- 19928:1:- 37961:1:- "
                        "38230:1:- 22103:1:- 22105:1:- 19926:1:- 19927:1:- 2525:1:-");
    assert_string_equal(texts_at(&d->items.attributes, item_number(d, "0")),
                        "{\"original_id\":\"8975\"}");
    dataset_free(d);
}

static void baskets_and_bandits(void **state)
{
    (void)state;
    static const char *const groups[] = {"GROCERY", "FRZN ICE"};
    struct pal_error err;
    struct dataset *d;
    const char *path = published("completejourney");
    if (!path) {
        skip();
        return;
    }
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    assert_string_equal(d->types.name[0], "purchase");
    has_label(&d->items.categories, item_number(d, "25671"), groups, 2);
    assert_string_equal(items_name(&d->items, item_number(d, "25671")), "ICE - CRUSHED/CUBED");
    assert_non_null(strstr(history_text(d, &d->all, "2261"), "940996:1:1485612413"));
    dataset_free(d);
    path = published("obd/bts/men");
    if (!path)
        return;
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    assert_string_equal(d->format, "open-bandit");
    uint64_t views = 0;
    for (uint64_t i = 0; i < interactions_count(&d->all); i++)
        views += interactions_type(&d->all, i) == 0;
    assert_int_equal(views, 10000);
    assert_int_equal(d->items.ids.count, 34);
    dataset_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_published_ones),
        cmocka_unit_test(every_row_of_100k),
        cmocka_unit_test(films_of_100k_and_1m),
        cmocka_unit_test(films_and_tags_of_small),
        cmocka_unit_test(folds_of_100k),
        cmocka_unit_test(negatives_of_ncf),
        cmocka_unit_test(lists_of_gowalla),
        cmocka_unit_test(baskets_and_bandits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
