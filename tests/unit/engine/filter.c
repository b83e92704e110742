/* The filter language against a naive evaluator: thousands of random expressions, written out with
 * random blanks, parentheses and capitals, over a catalog of random items of which the test keeps
 * its own plain table. Then each error's place and words, the limits, and failing allocations. */
#include "test.h"

#include "base/rng.h"
#include "engine/filter.h"

#include <ctype.h>

enum { ITEMS = 60, ROUNDS = 4000 };

/* ---- A world that both sides know ---- */

struct thing {
    char id[8], title[40], brand[8], list[3];
    int year;     /* 0 = none */
    double price; /* 0 = none */
    int sale;     /* -1 = none */
    bool has_brand, available, category[3];
    int64_t created_ms;
};

static const char *const words[] = {"Star", "star wars", "\u00c9T\u00c9", "the end", ""};
static const char *const brands[] = {"acme", "b\\\"c", "Acme", "zed"}; /* as JSON and filter text */

static void random_thing(struct rng *rng, int i, struct thing *t)
{
    memset(t, 0, sizeof *t);
    snprintf(t->id, sizeof t->id, "i%d", i);
    snprintf(t->title, sizeof t->title, "%s", words[rng_below(rng, 5)]);
    t->year = rng_below(rng, 4) ? 1990 + (int)rng_below(rng, 4) : 0;
    t->price = rng_below(rng, 4) ? 0.5 * (double)(1 + rng_below(rng, 6)) : 0;
    t->sale = (int)rng_below(rng, 3) - 1;
    t->has_brand = rng_below(rng, 4);
    snprintf(t->brand, sizeof t->brand, "%s", brands[rng_below(rng, 4)]);
    t->available = rng_below(rng, 3);
    t->created_ms = (int64_t)rng_below(rng, 3) * 86400000;
    for (int c = 0; c < 3; c++) {
        t->category[c] = rng_below(rng, 2);
        t->list[c] = (char)rng_below(rng, 2);
    }
}

static void put_thing(struct catalog *c, const struct thing *t)
{
    struct str categories = {0}, attributes = {0};
    struct pal_error err;
    uint32_t number;
    str_char(&categories, '[');
    for (int i = 0; i < 3; i++)
        if (t->category[i])
            str_fmt(&categories, "%s\"c%d\"", categories.len > 1 ? "," : "", i);
    str_char(&categories, ']');
    str_fmt(&attributes, "{\"tags\":[true");
    for (int i = 0; i < 3; i++)
        if (t->list[i])
            str_fmt(&attributes, ",\"t%d\",%d", i, i);
    str_put(&attributes, "]");
    if (t->year)
        str_fmt(&attributes, ",\"year\":%d", t->year);
    if (t->price > 0)
        str_fmt(&attributes, ",\"maker\":{\"price\":%.1f}", t->price);
    if (t->sale >= 0)
        str_fmt(&attributes, ",\"on sale\":%s", t->sale ? "true" : "false");
    if (t->has_brand)
        str_fmt(&attributes, ",\"brand\":\"%s\"", t->brand);
    str_put(&attributes, "}");
    struct item_row row = {t->id, t->title,     str_text(&categories), str_text(&attributes),
                           NULL,  t->available, t->created_ms};
    assert_ok(catalog_put(c, &row, &number, &err), &err);
    str_done(&categories);
    str_done(&attributes);
}

/* ---- Random terms: their text, and what they mean ---- */

static void unescape(const char *s, char *out)
{
    for (; *s; s++)
        if (*s != '\\')
            *out++ = *s;
    *out = 0;
}

static bool by_sign(int sign, double a, double b)
{
    return sign == 0   ? a == b
           : sign == 1 ? a != b
           : sign == 2 ? a < b
           : sign == 3 ? a <= b
           : sign == 4 ? a > b
                       : a >= b;
}

static const char *const signs[] = {"=", "!=", "<", "<=", ">", ">="};

/* Writes one random term and fills holds[i] for each item. */
typedef void term_fn(struct rng *rng, const struct thing *t, struct str *out, bool *holds);

static void term_year(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    int sign = (int)rng_below(rng, 6), x = 1989 + (int)rng_below(rng, 6);
    str_fmt(out, "year%s%d", signs[sign], x);
    for (int i = 0; i < ITEMS; i++)
        holds[i] = t[i].year && by_sign(sign, t[i].year, x);
}

static void term_price(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    int sign = (int)rng_below(rng, 6);
    double x = 0.5 * (double)rng_below(rng, 8) - 0.5;
    str_fmt(out, rng_below(rng, 2) ? "maker.price %s %.1f" : "\"maker.price\" %s %.3e", signs[sign],
            x);
    for (int i = 0; i < ITEMS; i++)
        holds[i] = t[i].price > 0 && by_sign(sign, t[i].price, x);
}

static void term_sale(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    int sign = (int)rng_below(rng, 2), x = (int)rng_below(rng, 2);
    str_fmt(out, "'on sale' %s %s", signs[sign], x ? "TRUE" : "false");
    for (int i = 0; i < ITEMS; i++)
        holds[i] = t[i].sale >= 0 && by_sign(sign, t[i].sale, x);
}

static void term_brand(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    int sign = (int)rng_below(rng, 6);
    const char *x = brands[rng_below(rng, 4)];
    char want[16], have[16];
    str_fmt(out, "brand %s \"%s\"", signs[sign], x);
    unescape(x, want);
    for (int i = 0; i < ITEMS; i++) {
        unescape(t[i].brand, have);
        holds[i] = t[i].has_brand && by_sign(sign, strcmp(have, want), 0);
    }
}

static void term_in(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    bool not_in = rng_below(rng, 2), year = rng_below(rng, 2);
    str_fmt(out, "%s %sin [true, %s", year ? "year" : "brand", not_in ? "not " : "",
            year ? "1991,1992.0" : "'acme' ,'zed'");
    str_fmt(out, ", 7]");
    for (int i = 0; i < ITEMS; i++) {
        bool in =
            year ? t[i].year == 1991 || t[i].year == 1992
                 : t[i].has_brand && (!strcmp(t[i].brand, "acme") || !strcmp(t[i].brand, "zed"));
        holds[i] = in != not_in;
    }
}

static void term_has(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    int c = (int)rng_below(rng, 4), what = (int)rng_below(rng, 4);
    bool negated = what == 2;
    str_fmt(out, "%s %shas ", what == 0 ? "categories" : "tags", negated ? "not " : "");
    str_fmt(out, what == 0 ? "\"c%d\"" : what == 1 ? "%d" : "\"t%d\"", c);
    for (int i = 0; i < ITEMS; i++)
        holds[i] = (c < 3 && (what == 0 ? t[i].category[c] : t[i].list[c])) != negated;
}

static void term_contains(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    static const struct {
        const char *text;
        int word[5];
    } asked[] = {
        {"STAR", {1, 1, 0, 0, 0}},          {"r w", {0, 1, 0, 0, 0}}, {"\u00e9t", {0, 0, 1, 0, 0}},
        {"\u00c9t\u00c9", {0, 0, 1, 0, 0}}, {"e", {0, 0, 0, 1, 0}},   {"", {1, 1, 1, 1, 0}},
        {"starx", {0, 0, 0, 0, 0}},
    };
    size_t a = (size_t)rng_below(rng, sizeof asked / sizeof *asked);
    str_fmt(out, "title contains '%s'", asked[a].text);
    for (int i = 0; i < ITEMS; i++)
        for (int w = 0; w < 5; w++)
            if (strcmp(t[i].title, words[w]) == 0)
                holds[i] = asked[a].word[w];
}

static void term_exists(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    static const char *const names[] = {"year",  "maker.price", "\"on sale\"", "brand",
                                        "title", "nothing",     "item_id",     "created_at"};
    int x = (int)rng_below(rng, 8);
    str_fmt(out, "exists(%s)", names[x]);
    for (int i = 0; i < ITEMS; i++) {
        bool there[] = {t[i].year != 0, t[i].price > 0, t[i].sale >= 0, t[i].has_brand,
                        t[i].title[0],  false,          true,           t[i].created_ms > 0};
        holds[i] = there[x];
    }
}

static void term_builtin(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    int what = (int)rng_below(rng, 5), sign = (int)rng_below(rng, 6);
    if (what == 0)
        str_fmt(out, "available %s true", signs[sign % 2]);
    else if (what == 1)
        str_fmt(out, "created_at %s 86400000", signs[sign]);
    else if (what == 2)
        str_fmt(out, "created_at %s \"1970-01-02\"", signs[sign]);
    else if (what == 3)
        str_fmt(out, "item_id %s 'i17'", signs[sign]);
    else
        str_fmt(out, "item_id in ['i3','nobody','i4']");
    for (int i = 0; i < ITEMS; i++)
        holds[i] = what == 0   ? t[i].available == (sign % 2 == 0)
                   : what < 3  ? t[i].created_ms && by_sign(sign, (double)t[i].created_ms, 86400000)
                   : what == 3 ? by_sign(sign, strcmp(t[i].id, "i17"), 0)
                               : i == 3 || i == 4;
}

/* Attributes of another type than asked for, and names that nobody has: never. */
static void term_wrong(struct rng *rng, const struct thing *t, struct str *out, bool *holds)
{
    static const char *const texts[] = {"year = 'x'",   "brand != 5",       "tags = 't0'",
                                        "year has 7",   "\"on sale\" = 1",  "no.such.thing != 1",
                                        "maker = true", "year contains '1'"};
    str_put(out, texts[rng_below(rng, sizeof texts / sizeof *texts)]);
    memset(holds, 0, ITEMS * sizeof *holds);
}

static term_fn *const terms[] = {term_year, term_price,    term_sale,   term_brand,   term_in,
                                 term_has,  term_contains, term_exists, term_builtin, term_wrong};

/* ---- Random expressions ---- */

static void put_word(struct rng *rng, struct str *out, const char *word)
{
    static const char *const blanks[] = {" ", "  ", "\n", "\t "};
    str_put(out, blanks[rng_below(rng, 4)]);
    bool capitals = rng_below(rng, 2);
    for (; *word; word++)
        str_char(out, capitals ? (char)toupper((unsigned char)*word) : *word);
    str_put(out, blanks[rng_below(rng, 4)]);
}

/* An expression whose outermost operator binds at least as tight as `least`: 0 or, 1 and, 2 not. */
static void expression(struct rng *rng, const struct thing *t, int depth, int least,
                       struct str *out, bool *holds)
{
    int what = depth > 0 ? (int)rng_below(rng, 5) : 4; /* 0 or, 1 and, 2 not, 3 (), 4 a term */
    bool right[ITEMS];
    if (what == 4) {
        terms[rng_below(rng, sizeof terms / sizeof *terms)](rng, t, out, holds);
    } else if (what == 3 || what < least) {
        str_put(out, "(");
        expression(rng, t, depth - 1, 0, out, holds);
        str_put(out, " )");
    } else if (what == 2) {
        put_word(rng, out, "not");
        expression(rng, t, depth - 1, 2, out, holds);
        for (int i = 0; i < ITEMS; i++)
            holds[i] = !holds[i];
    } else {
        expression(rng, t, depth - 1, what, out, holds);
        put_word(rng, out, what ? "and" : "or");
        expression(rng, t, depth - 1, what + 1, out, right);
        for (int i = 0; i < ITEMS; i++)
            holds[i] = what ? holds[i] && right[i] : holds[i] || right[i];
    }
}

static struct catalog *new_world(struct rng *rng, struct thing *things)
{
    struct catalog *c;
    struct pal_error err;
    assert_ok(catalog_new(&c, &err), &err);
    for (int i = 0; i < ITEMS; i++) {
        random_thing(rng, i, &things[i]);
        put_thing(c, &things[i]);
    }
    return c;
}

static void random_expressions_mean_what_they_say(void **state)
{
    static struct thing things[ITEMS];
    struct rng rng;
    struct arena tmp = {0};
    rng_init(&rng, 1, 0);
    struct catalog *c = new_world(&rng, things);
    long yes = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct str text = {0};
        struct filter *f;
        struct pal_error err;
        bool holds[ITEMS];
        expression(&rng, things, (int)rng_below(&rng, 6), 0, &text, holds);
        assert_ok(filter_parse(str_text(&text), &tmp, &f, &err), &err);
        assert_ok(filter_bind(f, c, &tmp, &err), &err);
        for (uint32_t i = 0; i < ITEMS; i++) {
            if (filter_match(f, c, i) != holds[i])
                fail_msg("item %u should%s pass: %s", i, holds[i] ? "" : " not", str_text(&text));
            yes += holds[i];
        }
        str_done(&text);
        arena_reset(&tmp);
    }
    assert_in_range(yes, ROUNDS * ITEMS / 10, ROUNDS * ITEMS * 9 / 10); /* a test that tells */
    arena_done(&tmp);
    catalog_free(c);
}

/* ---- Errors ---- */

static void errors_name_the_place(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "at character 1: expected the name of an attribute, but it ends"},
        {"year >= ", "at character 9: expected a value"},
        {"year >= and", "at character 9: expected a value: a number, true, false, or a text in "
                        "quotes, not and"},
        {"year 5", "at character 6: expected =, !=, <, <=, >, >=, in, has or contains, not 5"},
        {"year = 5 brand = 6", "at character 10: expected 'and', 'or' or the end, not brand"},
        {"(year = 5", "at character 10: expected 'and', 'or' or ')', but it ends"},
        {"year = 5)", "at character 9: expected 'and', 'or' or the end, not )"},
        {"title = \"abc", "at character 9: this text has no closing quote"},
        {"title = 'a\\n'", "at character 12: after a backslash"},
        {"\u00e9\u00e9 = #", "at character 6: this character has no place"},
        {"year = 12x", "at character 8: this is not a number"},
        {"year in [1, ]", "at character 13: expected a value"},
        {"year in [1 2]", "at character 12: expected ',' or ']', not 2"},
        {"year in []", "at character 10: expected a value"},
        {"year in 1", "at character 9: expected '[' and a list of values, not 1"},
        {"year not = 1", "at character 10: expected in, has or contains, not ="},
        {"exists year", "at character 8: expected '(' and a name, not year"},
        {"exists(year", "at character 12: expected ')', but it ends"},
        {"not", "at character 4: expected the name of an attribute, but it ends"},
        {"and = 1", "at character 1: expected the name of an attribute (in quotes"},
        {"categories = 'Comedy'", "at character 12: categories is a list: ask categories has"},
        {"categories has 5", "at character 16: expected a text in quotes, not 5"},
        {"available = 'yes'", "at character 13: expected true or false, not 'yes'"},
        {"available > true", "at character 11: available is true or false"},
        {"created_at > 'soon'", "at character 14: expected milliseconds since 1970 or a date"},
        {"created_at = true", "at character 14: expected milliseconds"},
        {"created_at contains 'x'", "at character 12: created_at is a number"},
        {"title has 'x'", "at character 7: this is no list"},
        {"title = 5", "at character 9: expected a text in quotes, not 5"},
        {"brand contains 5", "at character 16: expected a text in quotes, not 5"},
        {"sale > true", "at character 8: expected a number or a text"},
        {"year = \xff", "at character 8: this is not UTF-8"},
        {"year ! 5", "at character 6: this character has no place"},
    };
    struct arena tmp = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct filter *f = NULL;
        struct pal_error err = {.message = ""};
        assert_int_equal(filter_parse(cases[i].text, &tmp, &f, &err), PAL_EUSAGE);
        assert_null(f);
        if (!strstr(err.message, cases[i].says))
            fail_msg("'%s' says: %s", cases[i].text, err.message);
    }
    arena_done(&tmp);
}

static void hinted(const struct catalog *c, const char *text, const char *says)
{
    struct arena tmp = {0};
    struct filter *f;
    struct pal_error err;
    assert_ok(filter_parse(text, &tmp, &f, &err), &err);
    const char *hint = filter_hint(f, c, &tmp);
    if (says)
        assert_string_equal(hint ? hint : "nothing", says);
    else
        assert_null(hint);
    arena_done(&tmp);
}

static void what_no_item_has_is_told(void **state)
{
    struct catalog *c;
    struct pal_error err;
    uint32_t number;
    assert_ok(catalog_new(&c, &err), &err);
    hinted(c, "year > 5", "no item has the attribute 'year'");
    struct item_row row = {.item_id = "a",
                           .categories = "[\"Comedy\"]",
                           .attributes = "{\"year\": 1990, \"maker\": {\"name\": \"x\"}}"};
    assert_ok(catalog_put(c, &row, &number, &err), &err);
    hinted(c, "year > 5 and maker.name = 'y' and categories has \"Comedy\"", NULL);
    hinted(c, "not exists(yaer)", NULL); /* asks just that */
    hinted(c, "title = 'x' or yaer > 5",
           "no item has the attribute 'yaer': did you mean 'year'? Known are year, maker.name");
    hinted(c, "'avail' = true", "no item has the attribute 'avail'; known are year, maker.name");
    hinted(c, "titel = 'x'",
           "no item has the attribute 'titel': did you mean 'title'? Known are year, maker.name");
    hinted(c, "not categories has 'comedi'",
           "no item has the category 'comedi': did you mean 'Comedy'? Known are Comedy");
    catalog_free(c);
}

static void refused(const struct str *text, const char *says)
{
    struct arena tmp = {0};
    struct filter *f;
    struct pal_error err = {.message = ""};
    assert_int_equal(filter_parse(str_text(text), &tmp, &f, &err), PAL_EUSAGE);
    if (!strstr(err.message, says))
        fail_msg("it says: %s", err.message);
    arena_done(&tmp);
}

static void accepted(const struct str *text)
{
    struct arena tmp = {0};
    struct filter *f;
    struct pal_error err;
    assert_ok(filter_parse(str_text(text), &tmp, &f, &err), &err);
    arena_done(&tmp);
}

static void the_limits_hold(void **state)
{
    struct str s = {0};
    for (int i = 0; i < 256; i++)
        str_put(&s, i ? " or a=1" : "a=1");
    accepted(&s);
    str_put(&s, " or a=1");
    refused(&s, "more than 256 conditions");

    for (int deep = 64; deep <= 65; deep++) {
        str_clear(&s);
        for (int i = 0; i < deep; i++)
            str_put(&s, i % 2 ? "(" : "not ");
        str_put(&s, "a=1");
        for (int i = 0; i < deep; i++)
            str_put(&s, i % 2 ? ")" : "");
        if (deep == 64)
            accepted(&s);
        else
            refused(&s, "more than 64 levels");
    }

    str_clear(&s);
    str_put(&s, "a in [1");
    for (int i = 1; i < 1024; i++)
        str_put(&s, ",1");
    str_put(&s, "]");
    accepted(&s);
    str_put(&s, " or a = 2");
    refused(&s, "more than 1,024 values");

    str_clear(&s);
    str_put(&s, "a = '");
    while (s.len < 4095)
        str_char(&s, 'x');
    str_put(&s, "'");
    accepted(&s);
    str_put(&s, " ");
    refused(&s, "has 4097 bytes: at most 4096");
    str_done(&s);
}

static void every_allocation_may_fail(void **state)
{
    long before = mem_live();
    int tried = 0;
    for (long n = 1; n < 100; n++) {
        struct arena tmp = {0};
        struct filter *f = NULL;
        struct pal_error err = {.message = ""};
        long calls = mem_calls();
        mem_fail_at(n);
        enum pal_status st = filter_parse(
            "not (a contains 'X' or b in [1,2,3,4,5,6]) and exists(c)", &tmp, &f, &err);
        mem_fail_at(0);
        bool through = mem_calls() - calls < n;
        assert_int_equal(st, through ? PAL_OK : PAL_ENOMEM);
        arena_done(&tmp);
        assert_int_equal(mem_live(), before);
        tried = (int)n;
        if (through)
            break;
    }
    assert_in_range(tried, 2, 98);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_expressions_mean_what_they_say),
        cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(what_no_item_has_is_told),
        cmocka_unit_test(the_limits_hold),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
