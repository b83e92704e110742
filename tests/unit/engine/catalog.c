/* The catalog against a plain table of what was put last under each id, over thousands of random
 * puts, touches and removals; its cells against the JSON they came from; its limits, its memory,
 * and what is left when an allocation fails. */
#include "test.h"

#include "base/rng.h"
#include "engine/catalog_row.h"

enum { IDS = 150, STEPS = 4000, TEXT = 128 };

static struct catalog *new_catalog(void)
{
    struct catalog *c;
    struct pal_error err;
    assert_ok(catalog_new(&c, &err), &err);
    return c;
}

static uint32_t put(struct catalog *c, const char *id, const char *categories,
                    const char *attributes)
{
    struct item_row row = {
        .item_id = id, .categories = categories, .attributes = attributes, .available = true};
    struct pal_error err;
    uint32_t number;
    assert_ok(catalog_put(c, &row, &number, &err), &err);
    return number;
}

/* ---- Against a table ---- */

struct known {
    enum { NEVER, TOUCHED, PUT, REMOVED } state;
    uint32_t number;
    char title[TEXT], categories[TEXT], attributes[TEXT], image[TEXT];
    int category[4]; /* whether it has "c0" to "c3" */
    bool available;
    int64_t created_ms;
};

static void random_row(struct rng *rng, struct known *k)
{
    k->available = rng_below(rng, 4) > 0;
    k->created_ms = (int64_t)rng_below(rng, 1000000);
    k->title[0] = k->image[0] = k->categories[0] = k->attributes[0] = 0;
    if (rng_below(rng, 3))
        snprintf(k->title, TEXT, "Title %d", (int)rng_below(rng, 1000));
    if (rng_below(rng, 3) == 0)
        snprintf(k->image, TEXT, "/img/%d.png", (int)rng_below(rng, 1000));
    if (rng_below(rng, 3))
        snprintf(k->attributes, TEXT, "{\"year\":%d}", (int)rng_below(rng, 2000));
    memset(k->category, 0, sizeof k->category);
    int n = (int)rng_below(rng, 4);
    for (int i = 0; i < n; i++) {
        int x = (int)rng_below(rng, 4);
        size_t len = strlen(k->categories);
        k->category[x] = 1;
        snprintf(k->categories + len, TEXT - len, "%s\"c%d\"", len ? "," : "[", x);
    }
    if (n)
        strcat(k->categories, "]");
}

static void same_text(const char *got, const char *want)
{
    if (*want)
        assert_string_equal(got, want);
    else
        assert_null(got);
}

static void check_item(const struct catalog *c, const char *id, const struct known *k)
{
    struct item_row row;
    uint32_t number = catalog_find(c, id), n;
    if (k->state == NEVER) {
        assert_int_equal(number, INTERN_NONE);
        return;
    }
    assert_int_equal(number, k->number);
    assert_int_equal(catalog_available(c, number), k->state == TOUCHED || k->available);
    assert_int_equal(catalog_unavailable(c)[number / 64] >> (number % 64) & 1,
                     !catalog_available(c, number));
    assert_int_equal(catalog_item(c, number, &row), k->state != REMOVED);
    assert_string_equal(catalog_name(c, number), *k->title ? k->title : id);
    if (k->state != REMOVED) {
        assert_string_equal(row.item_id, id);
        same_text(row.title, k->title);
        same_text(row.categories, k->categories);
        same_text(row.attributes, k->attributes);
        same_text(row.image_url, k->image);
        assert_int_equal(row.created_ms, k->created_ms);
    }
    const uint32_t *category = catalog_categories(c, number, &n);
    int has[4] = {0};
    for (uint32_t i = 0; i < n; i++) {
        assert_true(i == 0 || category[i] > category[i - 1]);
        has[intern_text(catalog_category_names(c), category[i])[1] - '0'] = 1;
    }
    assert_memory_equal(has, k->category, sizeof has);
}

static void step(struct catalog *c, struct rng *rng, const char *id, struct known *k)
{
    struct pal_error err;
    uint32_t number = INTERN_NONE, count = catalog_count(c), what = (uint32_t)rng_below(rng, 8);
    if (what == 0) {
        assert_ok(catalog_touch(c, id, &number, &err), &err);
        k->state = k->state == NEVER ? TOUCHED : k->state;
    } else if (what == 1) {
        struct known gone = {.state = REMOVED, .number = k->number};
        catalog_remove(c, id);
        if (k->state != NEVER)
            *k = gone;
        return;
    } else {
        random_row(rng, k);
        struct item_row row = {id,       k->title,     k->categories, k->attributes,
                               k->image, k->available, k->created_ms};
        uint64_t before = catalog_version(c);
        assert_ok(catalog_put(c, &row, &number, &err), &err);
        assert_true(catalog_version(c) > before);
        if (k->state == NEVER)
            k->number = number;
        k->state = PUT;
    }
    if (k->state == TOUCHED && count < catalog_count(c))
        k->number = number;
    assert_int_equal(number, k->number);
}

static void it_holds_what_was_put_last(void **state)
{
    static struct known known[IDS];
    struct catalog *c = new_catalog();
    struct rng rng;
    rng_init(&rng, 5, 0);
    memset(known, 0, sizeof known);
    for (int s = 0; s < STEPS; s++) {
        uint32_t i = (uint32_t)rng_below(&rng, IDS), available = 0;
        char id[16];
        snprintf(id, sizeof id, "i%u", i);
        step(c, &rng, id, &known[i]);
        if (s % 50)
            continue;
        for (uint32_t j = 0; j < IDS; j++) {
            snprintf(id, sizeof id, "i%u", j);
            check_item(c, id, &known[j]);
            available += known[j].state == TOUCHED || (known[j].state == PUT && known[j].available);
        }
        assert_int_equal(catalog_available_count(c), available);
        uint32_t last = catalog_count(c);
        if (last % 64) /* past the end nothing is available */
            assert_true(catalog_unavailable(c)[last / 64] >> (last % 64) ==
                        UINT64_MAX >> (last % 64));
    }
    catalog_free(c);
}

static void the_copy_has_the_same_numbers(void **state)
{
    struct catalog *c = new_catalog();
    struct items items;
    struct pal_error err;
    uint32_t number, n;
    put(c, "a", "[\"Drama\",\"Comedy\"]", NULL);
    assert_ok(catalog_touch(c, "b", &number, &err), &err);
    struct item_row row = {.item_id = "c", .title = "C", .categories = "[\"Comedy\"]"};
    assert_ok(catalog_put(c, &row, &number, &err), &err);
    catalog_remove(c, "a");
    assert_ok(catalog_copy(c, &items, &err), &err);
    assert_int_equal(items.ids.count, 3);
    assert_string_equal(intern_text(&items.ids, 2), "c");
    assert_string_equal(texts_at(&items.titles, 0), "");
    assert_string_equal(texts_at(&items.titles, 2), "C");
    labels_at(&items.categories, 0, &n);
    assert_int_equal(n, 0); /* removed */
    const uint32_t *label = labels_at(&items.categories, 2, &n);
    assert_int_equal(n, 1);
    assert_string_equal(intern_text(&items.categories.names, label[0]), "Comedy");
    assert_int_equal(label[0], catalog_categories(c, 2, &n)[0]);
    items_done(&items);
    catalog_free(c);
}

/* ---- Attributes ---- */

static const struct cell *cell_of(const struct catalog *c, uint32_t number, const char *name)
{
    uint32_t column = intern_find(&c->columns, name, strlen(name));
    return column == INTERN_NONE ? NULL : catalog_row_cell(c->row[number], column);
}

static void assert_text(const struct catalog *c, uint32_t number, const struct cell *x,
                        const char *want)
{
    assert_non_null(x);
    assert_int_equal(x->kind, CELL_TEXT);
    assert_int_equal(x->size, strlen(want));
    assert_string_equal((const char *)c->row[number] + x->at, want);
    assert_int_equal(x->hash, catalog_hash(want, strlen(want)));
}

static void attributes_become_cells(void **state)
{
    struct catalog *c = new_catalog();
    uint32_t n = put(c, "x", NULL,
                     "{\"year\":1995,\"price\":-2.5,\"sale\":true,\"used\":false,\"none\":null,"
                     "\"brand\":\"Acm\\u00e9\",\"cast\":[\"A\",7,\"B\",null,[\"no\"],true],"
                     "\"maker\":{\"name\":\"M\",\"at\":{\"zip\":9}},\"empty\":[],\"\":1}");
    assert_true(cell_of(c, n, "year")->number == 1995);
    assert_true(cell_of(c, n, "price")->number == -2.5);
    assert_int_equal(cell_of(c, n, "sale")->kind, CELL_BOOL);
    assert_true(cell_of(c, n, "sale")->number == 1 && cell_of(c, n, "used")->number == 0);
    assert_null(cell_of(c, n, "none"));
    assert_null(cell_of(c, n, "maker"));
    assert_true(cell_of(c, n, "maker.at.zip")->number == 9);
    assert_true(cell_of(c, n, "")->number == 1);
    assert_text(c, n, cell_of(c, n, "brand"), "Acm\u00e9");
    assert_text(c, n, cell_of(c, n, "maker.name"), "M");
    assert_int_equal(cell_of(c, n, "empty")->size, 0);
    const struct cell *cast = cell_of(c, n, "cast");
    assert_int_equal(cast->kind, CELL_LIST);
    assert_int_equal(cast->size, 4); /* lists and nulls in lists are passed over */
    assert_text(c, n, &c->row[n]->cell[cast->at], "A");
    assert_true(c->row[n]->cell[cast->at + 1].number == 7);
    assert_text(c, n, &c->row[n]->cell[cast->at + 2], "B");
    assert_int_equal(c->row[n]->cell[cast->at + 3].kind, CELL_BOOL);

    put(c, "x", NULL, "{\"a.b\":1,\"a\":{\"b\":2}}"); /* replaced, and one of two counts */
    assert_null(cell_of(c, n, "year"));
    assert_int_equal(c->row[n]->cells, 1);
    catalog_free(c);
}

static void broken_json_changes_nothing(void **state)
{
    static const char *const bad[][2] = {
        {NULL, "[1]"},       {NULL, "{\"a\":}"}, {NULL, "{"},      {NULL, "{\"a\":1e999}"},
        {"{\"a\":1}", NULL}, {"[1]", NULL},      {"[\"a\"", NULL}, {"[\"a\",null]", NULL},
    };
    struct catalog *c = new_catalog();
    struct pal_error err;
    uint32_t number = put(c, "x", "[\"A\"]", "{\"year\":1}");
    uint64_t version = catalog_version(c);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct item_row row = {.item_id = "x", .categories = bad[i][0], .attributes = bad[i][1]};
        assert_int_equal(catalog_put(c, &row, &number, &err), PAL_EUSAGE);
        assert_non_null(strstr(err.message, "item 'x'"));
        row.item_id = "new";
        assert_int_equal(catalog_put(c, &row, &number, &err), PAL_EUSAGE);
    }
    assert_int_equal(catalog_count(c), 1);
    assert_int_equal(catalog_version(c), version);
    assert_true(cell_of(c, 0, "year")->number == 1);
    catalog_free(c);
}

static void names_of_attributes_are_bounded(void **state)
{
    struct catalog *c = new_catalog();
    struct item_row row;
    char json[64], id[16], long_name[COLUMN_NAME + 16];
    for (int i = 0; i < COLUMNS_MOST + 50; i++) {
        snprintf(json, sizeof json, "{\"n%d\":%d}", i, i);
        snprintf(id, sizeof id, "i%d", i);
        put(c, id, NULL, json);
    }
    assert_int_equal(c->columns.count, COLUMNS_MOST);
    assert_true(cell_of(c, COLUMNS_MOST - 1, "n999")->number == 999);
    assert_int_equal(c->row[COLUMNS_MOST]->cells, 0);
    assert_true(catalog_item(c, COLUMNS_MOST, &row));
    assert_string_equal(row.attributes, "{\"n1000\":1000}");
    catalog_free(c);

    c = new_catalog(); /* a name that is too long, and objects within objects */
    snprintf(long_name, sizeof long_name, "{\"%0*d\":1}", COLUMN_NAME + 1, 0);
    put(c, "long", NULL, long_name);
    struct str deep = {0};
    for (int i = 0; i < 100; i++)
        str_fmt(&deep, "{\"a\":1,\"o\":");
    str_put(&deep, "1");
    for (int i = 0; i < 100; i++)
        str_put(&deep, "}");
    put(c, "deep", NULL, str_text(&deep));
    str_done(&deep);
    assert_int_equal(c->columns.count, COLUMN_DEPTH);
    catalog_free(c);
}

/* ---- Memory ---- */

static void replacing_costs_no_memory(void **state)
{
    struct catalog *c = new_catalog();
    uint64_t most = 0;
    long blocks = 0;
    for (int i = 0; i < 20000; i++) {
        char json[64], id[16];
        snprintf(json, sizeof json, "{\"text\":\"%08d\",\"n\":%d}", i, 100000 + i);
        snprintf(id, sizeof id, "i%d", i % 100);
        put(c, id, "[\"A\",\"B\"]", json);
        if (i == 100) {
            most = catalog_bytes(c);
            blocks = mem_live();
        }
    }
    assert_int_equal(catalog_bytes(c), most);
    assert_int_equal(mem_live(), blocks);
    assert_true(most > 100 * 100);
    catalog_free(c);
}

static void every_allocation_may_fail(void **state)
{
    long before = mem_live();
    int tried = 0;
    for (long n = 1; n < 1000; n++) {
        struct catalog *c = new_catalog();
        struct item_row row = {
            "x", "X", "[\"A\",\"B\"]", "{\"a\":\"t\",\"l\":[1,2],\"n\":1}", "/x", true, 7};
        struct items items = {0};
        struct pal_error err = {.message = ""};
        uint32_t number, old = put(c, "old", NULL, "{\"a\":1}");
        long calls = mem_calls();
        mem_fail_at(n);
        enum pal_status st = catalog_put(c, &row, &number, &err);
        if (st != PAL_OK)
            assert_int_equal(catalog_find(c, "x"), INTERN_NONE);
        if (st == PAL_OK)
            st = catalog_touch(c, "y", &number, &err);
        if (st == PAL_OK)
            st = catalog_copy(c, &items, &err);
        mem_fail_at(0);
        bool through = mem_calls() - calls < n;
        assert_int_equal(st, through ? PAL_OK : PAL_ENOMEM);
        assert_true(cell_of(c, old, "a")->number == 1);
        items_done(&items);
        assert_int_equal(put(c, "x", NULL, NULL), 1); /* works right afterwards */
        catalog_free(c);
        assert_int_equal(mem_live(), before);
        tried = (int)n;
        if (through)
            break;
    }
    assert_true(tried > 10 && tried < 999);
}

static void an_empty_catalog_answers(void **state)
{
    struct catalog *c = new_catalog();
    struct item_row row;
    struct items items;
    struct pal_error err;
    uint32_t n;
    assert_int_equal(catalog_count(c), 0);
    assert_int_equal(catalog_find(c, "x"), INTERN_NONE);
    assert_false(catalog_item(c, 0, &row));
    assert_false(catalog_available(c, 0));
    catalog_remove(c, "x");
    catalog_categories(c, 0, &n);
    assert_int_equal(n, 0);
    assert_ok(catalog_copy(c, &items, &err), &err);
    assert_int_equal(items.ids.count, 0);
    items_done(&items);
    catalog_free(c);
    catalog_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_was_put_last),
        cmocka_unit_test(the_copy_has_the_same_numbers),
        cmocka_unit_test(attributes_become_cells),
        cmocka_unit_test(broken_json_changes_nothing),
        cmocka_unit_test(names_of_attributes_are_bounded),
        cmocka_unit_test(replacing_costs_no_memory),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(an_empty_catalog_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
