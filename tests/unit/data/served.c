/* Packed lists: what goes in comes out, as JSON that jansson reads back; every byte that is cut or
 * changed is refused or still a list within its bounds (blocks of exactly the size show it under
 * the sanitizer). */
#include "test.h"

#include "base/rng.h"
#include "data/served.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

enum { MOST = 200 };

static void invent(struct served_item *item, size_t n, char id[MOST][40], struct rng *rng)
{
    static const char *const sources[] = {"als", "content", "bandit", "popular"};
    for (size_t i = 0; i < n; i++) {
        snprintf(id[i], sizeof id[i], "%zu \"\\\xf0\x9f\x8e\xac", i * 7);
        item[i] = (struct served_item){
            id[i], sources[rng_below(rng, 4)], (float)rng_below(rng, 1000) / 8 - 20,
            (float)(1 + rng_below(rng, 1024)) / 1024, rng_below(rng, 3) == 0};
    }
}

static void same(const json_t *json, const struct served_item *item)
{
    assert_string_equal(json_string_value(json_object_get(json, "item_id")), item->item_id);
    assert_string_equal(json_string_value(json_object_get(json, "source")), item->source);
    assert_true(fabs(json_number_value(json_object_get(json, "score")) - (double)item->score) <
                1e-9);
    assert_true(fabs(json_number_value(json_object_get(json, "propensity")) -
                     (double)item->propensity) < 1e-9);
    assert_int_equal(json_is_true(json_object_get(json, "explored")), item->explored);
}

static void what_goes_in_comes_out(void **state)
{
    struct served_item item[MOST];
    char id[MOST][40];
    struct rng rng;
    rng_init(&rng, 3, 0);
    for (size_t n = 0; n < MOST; n += 1 + n / 3) {
        struct str packed = {0}, text = {0};
        invent(item, n, id, &rng);
        served_pack(item, n, &packed);
        assert_true(str_ok(&packed));
        assert_null(served_fault(packed.text, packed.len));
        served_json(packed.text, packed.len, &text);
        json_t *list = json_loads(str_text(&text), JSON_REJECT_DUPLICATES, NULL);
        assert_int_equal(json_array_size(list), n);
        for (size_t i = 0; i < n; i++)
            same(json_array_get(list, i), &item[i]);
        json_decref(list);
        str_done(&packed);
        str_done(&text);
    }
}

/* As it has always been written: exports of before and after look alike. */
static void the_text_is_this(void **state)
{
    const struct served_item item[] = {{"1", "als", 0.5f, 1, false},
                                       {"b\"", "bandit", -2, 0.0009765625f, true},
                                       {"c", "als", NAN, 0.1f, false}};
    struct str packed = {0}, text = {0};
    served_pack(item, 3, &packed);
    served_json(packed.text, packed.len, &text);
    assert_string_equal(
        str_text(&text),
        "[{\"item_id\":\"1\",\"source\":\"als\",\"score\":0.5,\"propensity\":1},"
        "{\"item_id\":\"b\\\"\",\"source\":\"bandit\",\"score\":-2,\"explored\":true,"
        "\"propensity\":0.000976563},"
        "{\"item_id\":\"c\",\"source\":\"als\",\"score\":0,\"propensity\":0.100000001}]");
    str_done(&packed);
    str_done(&text);
}

static void what_is_damaged_is_refused(void **state)
{
    struct served_item item[12];
    char id[MOST][40];
    struct str packed = {0};
    struct rng rng;
    size_t refused = 0;
    rng_init(&rng, 4, 0);
    invent(item, 12, id, &rng);
    served_pack(item, 12, &packed);
    for (size_t cut = 0; cut < packed.len; cut++) {
        char *block = malloc(cut ? cut : 1);
        memcpy(block, packed.text, cut);
        assert_non_null(served_fault(block, cut));
        free(block);
    }
    assert_non_null(served_fault(packed.text, packed.len + 1));
    for (size_t bit = 0; bit < 8 * packed.len; bit++) {
        char *block = malloc(packed.len);
        memcpy(block, packed.text, packed.len);
        block[bit / 8] ^= (char)(1 << bit % 8);
        struct str text = {0};
        if (served_fault(block, packed.len))
            refused++;
        else
            served_json(block, packed.len, &text);
        str_done(&text);
        free(block);
    }
    assert_true(refused > 100);
    str_done(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(the_text_is_this),
        cmocka_unit_test(what_is_damaged_is_refused),
    };
    return cmocka_run_group_tests_name("data/served", tests, NULL, NULL);
}
