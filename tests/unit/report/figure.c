/* A figure as JSON and as HTML: the numbers given come out in both, what is missing as null and a
 * dash, and no text ends the element that it stands in. */
#include "test.h"

#include "report/figure.h"

#include <jansson.h>
#include <math.h>

static const char evil[] = "</script><b>'\"&";
static const char *const labels[] = {"a", evil, "c"};
static const double values[] = {0.25, NAN, 12.345678}, low[] = {0.125, NAN, 12},
                    counts[] = {1234567, 2, 3};

static struct figure example(void)
{
    return (struct figure){
        .id = "x",
        .title = evil,
        .says = "What it says.",
        .chart = CHART_BARS,
        .head = "Label",
        .label = labels,
        .count = 3,
        .series = {{.name = "m", .value = values, .low = low, .high = low, .digits = 4, .best = 2},
                   {.name = "n", .value = counts, .digits = -1, .best = -1, .table_only = true}},
        .series_count = 2,
    };
}

static json_t *parsed(const struct figure *f)
{
    struct emit e = {.compact = true};
    figure_emit(&e, NULL, f);
    assert_true(str_ok(&e.text));
    json_t *all = json_loadb(str_text(&e.text), e.text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(all);
    str_done(&e.text);
    return all;
}

static void as_json(void **state)
{
    (void)state;
    struct figure f = example();
    json_t *all = parsed(&f), *first = json_array_get(json_object_get(all, "series"), 0);
    json_t *second = json_array_get(json_object_get(all, "series"), 1);
    json_t *value = json_object_get(first, "values");
    assert_string_equal(json_string_value(json_object_get(all, "kind")), "bars");
    assert_string_equal(json_string_value(json_object_get(all, "title")), evil);
    assert_int_equal(json_integer_value(json_object_get(all, "every")), 1);
    assert_null(json_object_get(all, "at"));
    assert_int_equal(json_array_size(value), 3);
    assert_true(json_real_value(json_array_get(value, 2)) == values[2]);
    assert_true(json_is_null(json_array_get(value, 1)));
    assert_int_equal(json_array_size(json_object_get(first, "low")), 3);
    assert_null(json_object_get(second, "low"));
    assert_true(json_is_true(json_object_get(first, "drawn")));
    assert_true(json_is_false(json_object_get(second, "drawn")));
    assert_int_equal(json_integer_value(json_object_get(first, "best")), 2);
    json_decref(all);
}

static bool has(const struct str *text, const char *part)
{
    return strstr(str_text(text), part) != NULL;
}

static void as_html(void **state)
{
    (void)state;
    struct figure f = example();
    struct str out = {0};
    html_figure(&out, &f);
    assert_true(str_ok(&out));
    assert_true(has(&out, "<td><data value=\"0.25\">0.2500</data></td>"));
    assert_true(has(&out, "<td><strong><data value=\"12.345678\">12.35</data></strong></td>"));
    assert_true(has(&out, "<td>–</td><td>–</td><td>–</td>"));
    assert_true(has(&out, "<td>1,234,567</td>"));
    assert_true(has(&out, "&lt;/script&gt;&lt;b&gt;&#39;&quot;&amp;"));
    assert_true(has(&out, "\\u003c/script>"));
    /* Of "</script>" there is the one that ends the description. */
    const char *end = strstr(str_text(&out), "</script>");
    assert_non_null(end);
    assert_null(strstr(end + 1, "</script>"));
    str_done(&out);
}

/* Each so many-th row, and the last. */
static void rows_are_left_out(void **state)
{
    (void)state;
    enum { ROWS = 8 };
    static const char *const names[ROWS] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"};
    static const double at[ROWS] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct figure f = {.id = "x",
                       .title = "t",
                       .says = "s",
                       .chart = CHART_TABLE,
                       .head = "h",
                       .label = names,
                       .count = ROWS,
                       .every = 3,
                       .series = {{.name = "m", .value = at, .digits = 0, .best = -1}},
                       .series_count = 1};
    struct str out = {0};
    html_figure(&out, &f);
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(has(&out, names[i]), i % 3 == 0 || i == ROWS - 1);
    assert_false(has(&out, "<canvas"));
    str_done(&out);
}

/* The largest off the diagonal is darkest; shades go by the root; none is no shade. */
static void heat(void **state)
{
    (void)state;
    static const char *const names[] = {"p", "q", "r"};
    static const double p[] = {900, 100, 25}, q[] = {100, 500, 0}, r[] = {25, 0, 7};
    struct figure f = {.id = "x",
                       .title = "t",
                       .says = "s",
                       .chart = CHART_HEAT,
                       .head = "h",
                       .label = names,
                       .count = 3,
                       .series = {{.name = "p", .value = p, .digits = -1, .best = -1},
                                  {.name = "q", .value = q, .digits = -1, .best = -1},
                                  {.name = "r", .value = r, .digits = -1, .best = -1}},
                       .series_count = 3};
    struct str out = {0};
    html_figure(&out, &f);
    assert_true(has(&out, "<td class=\"diagonal\">900</td><td class=\"heat-10\">100</td>"
                          "<td class=\"heat-5\">25</td>"));
    assert_true(has(&out, "<td class=\"heat-0\">0</td>"));
    str_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_json),
        cmocka_unit_test(as_html),
        cmocka_unit_test(rows_are_left_out),
        cmocka_unit_test(heat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
