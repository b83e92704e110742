/* An export as a data set: every line counts as what it is, order and repeats are checked, and what
 * is malformed leaves no trace. */
#include "test.h"

#include "files.h"

static const char *folder;

static void each_line_counts(void **state)
{
    struct dataset *d = NULL;
    struct pal_error err;
    uint32_t n;
    const char *path = write_text(
        folder, "e.jsonl",
        "{\"item\":{\"item_id\":\"b\",\"title\":\"B\",\"categories\":[\"x\",\"y\"],"
        "\"attributes\":{\"year\":1990},\"available\":false,\"created_at\":5}}\n"
        "{\"item\":{\"item_id\":\"never\"}}\n"
        "{\"user\":{\"user_id\":\"quiet\",\"attributes\":{\"age\":3}}}\n"
        "{\"event\":{\"user_id\":\"u\",\"item_id\":\"b\",\"type\":\"view\",\"value\":2.5,"
        "\"timestamp\":9000}}\n"
        "{\"event\":{\"user_id\":\"u\",\"item_id\":\"new\",\"type\":\"like\","
        "\"timestamp\":7000}}\n"
        "{\"served\":{\"recommendation_id\":\"r\",\"user_id\":\"u\",\"timestamp\":4,"
        "\"items\":[]}}\n");
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    assert_string_equal(d->format, "export");
    assert_int_equal(d->items.ids.count, 3);
    assert_string_equal(texts_at(&d->items.titles, 0), "B");
    assert_string_equal(texts_at(&d->items.attributes, 0), "{\"year\":1990}");
    const uint32_t *label = labels_at(&d->items.categories, 0, &n);
    assert_int_equal(n, 2);
    assert_string_equal(intern_text(&d->items.categories.names, label[1]), "y");
    labels_at(&d->items.categories, 1, &n);
    assert_int_equal(n, 0);
    assert_string_equal(texts_at(&d->users.attributes, 0), "{\"age\":3}");
    assert_int_equal(d->users.ids.count, 2);
    assert_int_equal(interactions_count(&d->all), 2);
    /* by time: the like came first */
    assert_string_equal(intern_text(&d->items.ids, d->all.item[0]), "new");
    assert_int_equal(interactions_time(&d->all, 0), 7);
    assert_string_equal(d->types.name[interactions_type(&d->all, 1)], "view");
    assert_true(interactions_value(&d->all, 1) == 2.5f);
    dataset_free(d);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"item\":{\"item_id\":\"a\"}}\n{\"item\":{\"item_id\":\"a\"}}\n",
         "e.jsonl:2:1: expected an item that no line before names, found 'a'"},
        {"{\"user\":{\"user_id\":\"a\"}}\n{\"user\":{\"user_id\":\"a\"}}\n",
         "e.jsonl:2:1: expected a user that no line before names, found 'a'"},
        {"{\"item\":{\"item_id\":\"a\"}}\n{\"user_id\":\"u\"}\n", "e.jsonl:2:1: expected {"},
        {"{\"event\":{\"user_id\":\"u\",\"item_id\":\"\"}}\n", "e.jsonl:1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dataset *d = NULL;
        struct pal_error err = {.message = ""};
        const char *path = write_text(folder, "e.jsonl", cases[i].text);
        const struct load_options lenient = {.skip_bad = 1};
        assert_int_equal(dataset_load(path, NULL, NULL, &d, &err), PAL_EFORMAT);
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s", err.message);
        assert_ok(dataset_load(path, &lenient, NULL, &d, &err), &err);
        assert_int_equal(d->skipped, 1);
        assert_true(d->items.ids.count + d->users.ids.count <= 1);
        dataset_free(d);
    }
}

/* Lines that begin with the same words are no export unless an object follows. */
static void other_lines_are_no_export(void **state)
{
    struct dataset *d = NULL;
    struct pal_error err;
    const char *path = write_text(folder, "o.jsonl", "{\"user\":\"u\",\"item\":\"a\"}\n");
    assert_ok(dataset_load(path, NULL, NULL, &d, &err), &err);
    assert_string_equal(d->format, "jsonl");
    dataset_free(d);
}

static int make(void **state)
{
    folder = make_folder();
    return 0;
}

static int drop(void **state)
{
    remove_folder(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_counts),
        cmocka_unit_test(other_lines_are_no_export),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
