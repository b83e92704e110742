/* The reader of records: how files are cut into lines, words, fields and quoted fields, and what a
 * complaint says. Expectations are written out by hand. */
#include "test.h"

#include "data/lines.h"

#include "in_folder.h"

enum cut { WHOLE, WORDS, COMMAS, TABS, COLONS };

static bool cut(struct lines *l, enum cut how, struct complaint *bad)
{
    switch (how) {
    case WORDS:
        lines_words(l);
        return true;
    case COMMAS:
        return lines_csv(l, ',', bad);
    case TABS:
        lines_split(l, '\t');
        return true;
    case COLONS:
        lines_split(l, ':');
        return true;
    case WHOLE:
        break;
    }
    return true;
}

/* All records of a text, each as [field][field], parted by spaces; a complaint as !message. */
static const char *read_all(const char *text, size_t size, enum cut how)
{
    static char out[4096];
    struct reading reading = {0};
    struct lines l;
    struct pal_error err;
    enum pal_status st = PAL_OK;
    size_t n = 0;
    const char *path = write_bytes(folder, "f", text, size);
    assert_ok(lines_open(&l, &reading, path, &err), &err);
    out[0] = 0;
    while (lines_next(&l, &st, &err)) {
        struct complaint bad = {0};
        n += (size_t)snprintf(out + n, sizeof out - n, "%s", n ? " " : "");
        if (!cut(&l, how, &bad)) {
            assert_int_equal(lines_bad(&l, &bad, &err), PAL_EFORMAT);
            n += (size_t)snprintf(out + n, sizeof out - n, "!%s", err.message + strlen(path));
            continue;
        }
        if (how == WHOLE)
            n += (size_t)snprintf(out + n, sizeof out - n, "[%.*s]", (int)(l.stop - l.p), l.p);
        for (size_t i = 0; i < l.fields; i++)
            n += (size_t)snprintf(out + n, sizeof out - n, "[%.*s]",
                                  (int)(l.field[i].end - l.field[i].p), l.field[i].p);
    }
    assert_int_equal(st, PAL_OK);
    lines_close(&l);
    assert_int_equal(reading.done, size);
    return out;
}

static void check(const char *text, enum cut how, const char *expected)
{
    assert_string_equal(read_all(text, strlen(text), how), expected);
}

static void lines_end_as_they_like(void **state)
{
    (void)state;
    check("", WHOLE, "");
    check("\n\n\r\n", WHOLE, "");
    check("a\nb\n", WHOLE, "[a] [b]");
    check("a\r\nb\r\n", WHOLE, "[a] [b]");
    check("a\nb", WHOLE, "[a] [b]");
    check("\xef\xbb\xbf"
          "a\nb\n\n\r\n\n",
          WHOLE, "[a] [b]");
    check("a\n\nb\n", WHOLE, "[a] [] [b]");
    check("a\rb\n", WHOLE, "[a\rb]");
}

static void fields_are_cut(void **state)
{
    (void)state;
    check("a b\t c  \n x\n", WORDS, "[a][b][c] [x]");
    check("a\tb\t\t\n", TABS, "[a][b][][]");
    check("\"a\tb\n", TABS, "[\"a][b]");
    check("1::2::3\n::\n:\n1:2::3\n", COLONS, "[1][2][3] [][] [:] [1:2][3]");
    check("a,b\n,\n\n\nx", COMMAS, "[a][b] [][] [] [] [x]");
    check(" a , b c ,d\n", COMMAS, "[a][b c][d]");
}

static void quotes_hold_anything(void **state)
{
    (void)state;
    check("\"a,b\",c\n", COMMAS, "[a,b][c]");
    check("\"a\nb\",c\nd\n", COMMAS, "[a\nb][c] [d]");
    check("\"a\r\n\r\nb\",c\r\nd\n", COMMAS, "[a\r\n\r\nb][c] [d]");
    check("\"a \"\"b\"\"\",\"\"\"\",\"\"\n", COMMAS, "[a \"b\"][\"][]");
    check("a, \"b,c\"\n", COMMAS, "[a][b,c]");
    check("a\"b,c\n", COMMAS, "[a\"b][c]");
    check("\"a\"", COMMAS, "[a]");
}

static void wrong_quotes_are_told(void **state)
{
    (void)state;
    check("a,\"b\nc\n", COMMAS, "!:1:3: expected a closing quote to this one, found '\"' [c]");
    check("a\n\"b\"x,c\nd\n", COMMAS,
          "[a] !:2:4: expected a separator after the closing quote, found 'x,c' [d]");
    /* the quoted field began a line earlier: the place is that of the x */
    check("\"a\nb\"x\n", COMMAS,
          "!:2:3: expected a separator after the closing quote, found 'x' [b\"x]");
    size_t size = (1 << 20) + 64;
    char *text = malloc(size);
    memset(text, 'x', size);
    text[0] = '"';
    text[size - 2] = '"';
    text[size - 1] = '\n';
    assert_string_equal(read_all(text, size, COMMAS),
                        "!:1:1: expected a closing quote within a megabyte of this one, found "
                        "'\"'");
    free(text);
}

/* More fields than are kept are counted, and asking for them gives nothing. */
static void many_fields(void **state)
{
    (void)state;
    struct reading reading = {0};
    struct lines l;
    struct pal_error err;
    enum pal_status st = PAL_OK;
    char text[1000];
    memset(text, '\t', sizeof text);
    const char *path = write_bytes(folder, "f", text, sizeof text);
    assert_ok(lines_open(&l, &reading, path, &err), &err);
    assert_true(lines_next(&l, &st, &err));
    lines_split(&l, '\t');
    assert_int_equal(l.fields, 1001);
    struct field f = lines_field(&l, 999);
    assert_true(f.p == f.end && f.at == l.stop);
    lines_close(&l);
}

static void complaints_show_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *found, *shown;
    } rows[] = {
        {"x", "'x'"},
        {"a\tb", "'a?b'"},
        {"\xe9t\xe9", "'?t?'"},
        {"\xc3\xa9t\xc3\xa9", "'\xc3\xa9t\xc3\xa9'"},
        {"0123456789012345678901234567890123456789", "'0123456789012345678901234567890123456789'"},
        {"01234567890123456789012345678901234567890",
         "'0123456789012345678901234567890123456789\xe2\x80\xa6'"},
        {"012345678901234567890123456789012345678\xc3\xa9",
         "'012345678901234567890123456789012345678\xe2\x80\xa6'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading = {0};
        struct lines l;
        struct pal_error err;
        enum pal_status st = PAL_OK;
        struct complaint bad;
        const char *path = write_text(folder, "f", rows[i].found);
        char expected[256];
        assert_ok(lines_open(&l, &reading, path, &err), &err);
        assert_true(lines_next(&l, &st, &err));
        assert_false(lines_wrong(&bad, (struct field){l.p, l.stop, l.p}, "a rating"));
        assert_int_equal(lines_bad(&l, &bad, &err), PAL_EFORMAT);
        snprintf(expected, sizeof expected, "%s:1:1: expected a rating, found %s", path,
                 rows[i].shown);
        assert_string_equal(err.message, expected);
        lines_close(&l);
    }
}

/* Malformed records are counted, over all files together, until there are too many. */
static void some_may_be_passed_over(void **state)
{
    (void)state;
    struct reading reading = {.allowed = 3};
    struct pal_error err;
    for (int file = 0; file < 2; file++) {
        struct lines l;
        enum pal_status st = PAL_OK;
        const char *path = write_text(folder, "f", "a\nb\n");
        assert_ok(lines_open(&l, &reading, path, &err), &err);
        for (int line = 0; lines_next(&l, &st, &err); line++) {
            struct complaint bad;
            lines_wrong(&bad, (struct field){l.stop, l.stop, l.stop}, "more");
            assert_int_equal(lines_bad(&l, &bad, &err), file * 2 + line < 3 ? PAL_OK : PAL_EFORMAT);
        }
        lines_close(&l);
    }
    assert_int_equal(reading.skipped, 3);
    assert_non_null(strstr(err.message, ":2:2: expected more, found the end of the line "
                                        "(after 3 malformed lines, as many as are allowed)"));
}

struct told {
    int calls;
    uint64_t last, total;
};

static void tell(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct told *t = ctx;
    assert_string_equal(stage, "loading");
    assert_true(done >= t->last);
    t->calls++;
    t->last = done;
    t->total = total;
}

static void progress_is_told_and_stops(void **state)
{
    (void)state;
    enum { SIZE = 20 << 20 };
    struct told told = {0};
    atomic_int stop = 0;
    struct run run = {.progress = tell, .progress_ctx = &told, .stop = &stop};
    struct reading reading = {.run = &run};
    struct lines l;
    struct pal_error err;
    enum pal_status st = PAL_OK;
    char *text = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = i % 64 == 63 ? '\n' : 'x';
    const char *path = write_bytes(folder, "f", text, SIZE);
    reading_expect(&reading, path);
    assert_ok(lines_open(&l, &reading, path, &err), &err);
    while (lines_next(&l, &st, &err))
        stop = told.calls == 3;
    assert_int_equal(st, PAL_EINTERRUPTED);
    assert_int_equal(told.calls, 4);
    assert_int_equal(told.total, SIZE);
    assert_in_range(told.last, 12 << 20, (12 << 20) + 256);
    lines_close(&l);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_as_they_like),
        cmocka_unit_test(fields_are_cut),
        cmocka_unit_test(quotes_hold_anything),
        cmocka_unit_test(wrong_quotes_are_told),
        cmocka_unit_test(many_fields),
        cmocka_unit_test(complaints_show_what_was_found),
        cmocka_unit_test(some_may_be_passed_over),
        cmocka_unit_test(progress_is_told_and_stops),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
