/* PostgreSQL's binary format, against bytes written by hand from its documentation: rows that come,
 * parameters and rows that go. */
#include "test.h"

#include "store/postgres_bytes.h"

#define HEAD "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"

/* data (size) in room of its own, with one byte behind. */
static int read_row(const char *data, size_t size, bool first, struct pg_row *row)
{
    static char room[256];
    memset(room, 'x', sizeof room);
    memcpy(room, data, size);
    return pg_row_read(room, size, first, row);
}

static void rows_are_read(void **state)
{
    static const char row[] = "\0\6"
                              "\0\0\0\10\377\377\377\377\377\377\377\376"
                              "\0\0\0\4\0\0\1\2"
                              "\0\0\0\2\377\377"
                              "\0\0\0\4\277\200\0\0"
                              "\0\0\0\3abc"
                              "\377\377\377\377";
    static const char headed[] = HEAD "\0\1\0\0\0\1\1";
    struct pg_row r;
    (void)state;
    assert_int_equal(read_row(row, sizeof row - 1, false, &r), 1);
    assert_int_equal(r.count, 6);
    assert_true(pg_row_is(&r, "iiirtT"));
    assert_int_equal(pg_int(&r, 0), -2);
    assert_int_equal(pg_int(&r, 1), 258);
    assert_int_equal(pg_int(&r, 2), -1);
    assert_true(pg_real(&r, 3) == -1.0f);
    assert_string_equal(pg_text(&r, 4), "abc");
    assert_string_equal(pg_text(&r, 5), "");
    assert_int_equal(pg_int(&r, 5), 0);
    assert_int_equal(read_row(headed, sizeof headed - 1, true, &r), 1);
    assert_true(pg_row_is(&r, "i"));
    assert_int_equal(pg_int(&r, 0), 1);
    assert_int_equal(read_row("\377\377", 2, false, &r), 0);
    assert_int_equal(read_row(HEAD "\377\377", sizeof HEAD + 1, true, &r), 0);
}

static void shapes_are_kept(void **state)
{
    static const char text_with_nul[] = "\0\1\0\0\0\3a\0b", none[] = "\0\1\377\377\377\377",
                      three[] = "\0\1\0\0\0\3abc", empty[] = "\0\1\0\0\0\0";
    struct pg_row r;
    (void)state;
    assert_int_equal(read_row(text_with_nul, sizeof text_with_nul - 1, false, &r), 1);
    assert_false(pg_row_is(&r, "t"));
    assert_true(pg_row_is(&r, "b"));
    assert_int_equal(read_row(none, sizeof none - 1, false, &r), 1);
    assert_false(pg_row_is(&r, "t") || pg_row_is(&r, "i") || pg_row_is(&r, "b"));
    assert_true(pg_row_is(&r, "T") && pg_row_is(&r, "I") && pg_row_is(&r, "B"));
    assert_false(pg_row_is(&r, "TT") || pg_row_is(&r, ""));
    assert_int_equal(read_row(three, sizeof three - 1, false, &r), 1);
    assert_false(pg_row_is(&r, "i") || pg_row_is(&r, "r"));
    assert_int_equal(read_row(empty, sizeof empty - 1, false, &r), 1);
    assert_true(pg_row_is(&r, "t"));
    assert_false(pg_row_is(&r, "i"));
}

/* Every cut, and every length too great, is told. */
static void what_is_no_row(void **state)
{
    static const char row[] = HEAD "\0\2\0\0\0\3abc\377\377\377\377";
    static const char long_field[] = "\0\1\177\377\377\377", negative[] = "\0\1\377\377\377\376a",
                      fewer[] = "\377\376", more[] = "\0\1\0\0\0\1ab", many[] = "\0\21";
    struct pg_row r;
    (void)state;
    for (size_t n = 0; n < sizeof row - 1; n++)
        assert_int_equal(read_row(row, n, true, &r), -1);
    assert_int_equal(read_row(row, sizeof row - 1, true, &r), 1);
    assert_int_equal(read_row(row, sizeof row - 1, false, &r), -1);
    assert_int_equal(read_row(long_field, sizeof long_field - 1, false, &r), -1);
    assert_int_equal(read_row(negative, sizeof negative - 1, false, &r), -1);
    assert_int_equal(read_row(fewer, sizeof fewer - 1, false, &r), -1);
    assert_int_equal(read_row(more, sizeof more - 1, false, &r), -1);
    assert_int_equal(read_row(many, sizeof many - 1, false, &r), -1);
}

static void assert_bytes(const struct str *s, size_t at, const char *expected, size_t size)
{
    assert_true(str_ok(s) && s->len >= at + size);
    assert_memory_equal(s->text + at, expected, size);
}

static void parameters_are_written(void **state)
{
    static const char texts[] = "\0\0\0\1\0\0\0\1\0\0\0\31\0\0\0\3\0\0\0\1"
                                "\0\0\0\2ab\377\377\377\377\377\377\377\377";
    static const char numbers[] =
        "\0\0\0\1\0\0\0\1\0\0\0\27\0\0\0\1\0\0\0\1\0\0\0\4\377\377\377\377";
    struct pg_params p = {0};
    (void)state;
    pg_put_int(&p, 258);
    pg_put_text(&p, "");
    pg_put_whole(&p, "");
    pg_put_text(&p, "x");
    pg_array_begin(&p, PG_TEXT);
    pg_array_text(&p, "ab");
    pg_array_text(&p, "");
    pg_array_text(&p, NULL);
    pg_array_end(&p);
    pg_array_begin(&p, PG_INT4);
    pg_array_int(&p, -1);
    pg_array_end(&p);
    assert_int_equal(p.count, 6);
    assert_int_equal(p.param[0].len, 8);
    assert_bytes(&p.bytes, p.param[0].at, "\0\0\0\0\0\0\1\2", 8);
    assert_int_equal(p.param[1].len, -1);
    assert_int_equal(p.param[2].len, 0);
    assert_int_equal(p.param[3].len, 1);
    assert_bytes(&p.bytes, p.param[3].at, "x", 1);
    assert_int_equal(p.param[4].len, sizeof texts - 1);
    assert_bytes(&p.bytes, p.param[4].at, texts, sizeof texts - 1);
    assert_int_equal(p.param[5].len, sizeof numbers - 1);
    assert_bytes(&p.bytes, p.param[5].at, numbers, sizeof numbers - 1);
    pg_params_clear(&p);
    assert_int_equal(p.count, 0);
    pg_params_done(&p);
}

static void rows_go(void **state)
{
    static const char expected[] = HEAD "\0\4"
                                        "\0\0\0\10\0\0\0\0\0\0\0\7"
                                        "\0\0\0\4\77\200\0\0"
                                        "\0\0\0\2hi"
                                        "\377\377\377\377"
                                        "\377\377";
    struct str s = {0};
    (void)state;
    pg_copy_begin(&s);
    pg_copy_row(&s, 4);
    pg_copy_int(&s, 7, 8);
    pg_copy_real(&s, 1.0f);
    pg_copy_text(&s, "hi");
    pg_copy_text(&s, "");
    pg_copy_end(&s);
    assert_int_equal(s.len, sizeof expected - 1);
    assert_bytes(&s, 0, expected, sizeof expected - 1);
    str_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),  cmocka_unit_test(shapes_are_kept),
        cmocka_unit_test(what_is_no_row), cmocka_unit_test(parameters_are_written),
        cmocka_unit_test(rows_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
