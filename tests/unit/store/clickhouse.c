/* What the ClickHouse store reads of others without a server: addresses, and rows in whatever
 * pieces they come. What it does with a server is the stores' contract (see tests/backend). */
#include "test.h"

#include "base/scheme.h"
#include "scripted.h"
#include "store/clickhouse_inside.h"

static void addresses_are_read(void **state)
{
    struct ch_place p;
    struct pal_error err;
    assert_ok(ch_place_read("//shop:p%40s%3Aw@[::1]:9/db_1?catalog=sqlite:a?b&c.db", &p, &err),
              &err);
    assert_string_equal(p.url, "http://[::1]:9/");
    assert_string_equal(p.user, "shop");
    assert_string_equal(p.password, "p@s:w");
    assert_string_equal(p.database, "db_1");
    assert_string_equal(p.catalog, "sqlite:a?b&c.db");
    assert_string_equal(p.shown, "clickhouse://[::1]:9/db_1");
    assert_ok(ch_place_read("//h/db?catalog=x", &p, &err), &err);
    assert_string_equal(p.url, "http://h:8123/");
    assert_string_equal(p.user, "default");
    assert_string_equal(p.password, "");
    assert_ok(ch_place_read("//[::1]/db?tls=1&catalog=x", &p, &err), &err);
    assert_string_equal(p.url, "https://[::1]:8443/");
    assert_string_equal(p.catalog, "x");
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {"h/db?catalog=x",        "///db?catalog=x",
                                      "//h:0/db?catalog=x",    "//h:99999/db?catalog=x",
                                      "//h:/db?catalog=x",     "//a b/db?catalog=x",
                                      "//h/?catalog=x",        "//h/a-b?catalog=x",
                                      "//h/a/b?catalog=x",     "//h/db",
                                      "//h/db?catalog=",       "//h/db?other=1&catalog=x",
                                      "//%zz@h/db?catalog=x",  "//a%00@h/db?catalog=x",
                                      "//[::1/db?catalog=x",   "//[::1]x/db?catalog=x",
                                      "//a%0Ab@h/db?catalog=x"};
    struct ch_place p = {.user = "untouched"};
    struct pal_error err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (ch_place_read(bad[i], &p, &err) != PAL_EUSAGE)
            fail_msg("'%s' is taken", bad[i]);
        assert_non_null(strstr(err.message, "clickhouse://"));
    }
    assert_string_equal(p.user, "untouched");
}

static void passwords_are_hidden(void **state)
{
    char shown[200];
    scheme_copy(shown, sizeof shown,
                "clickhouse://u:one@h/db?catalog=postgres://v:two@i/db?password=three&x=1");
    assert_string_equal(shown, "clickhouse://u:***@h/db?catalog=postgres://v:***@i/"
                               "db?password=***&x=1");
}

/* Rows written out as text. */
static enum pal_status tell(void *ctx, const union ch_field *f, struct pal_error *err)
{
    str_fmt(ctx, "%s %llu %g %lld\n", f[0].text, (unsigned long long)f[1].u64, (double)f[2].f32,
            (long long)f[3].i64);
    return PAL_OK;
}

/* The same of rows that are not copied. */
static enum pal_status tell_words(void *ctx, const union ch_field *f, struct pal_error *err)
{
    str_add(ctx, f[0].words.p, f[0].words.size);
    str_fmt(ctx, " %llu %g %lld\n", (unsigned long long)f[1].u64, (double)f[2].f32,
            (long long)f[3].i64);
    return PAL_OK;
}

static void put(struct str *out, const char *text, uint64_t place, float value, int64_t time)
{
    ch_put_text(out, text);
    ch_put_bytes(out, &place, sizeof place);
    ch_put_bytes(out, &value, sizeof value);
    ch_put_bytes(out, &time, sizeof time);
}

static enum pal_status take_as(const char *kinds, ch_row_fn *fn, const char *data, size_t size,
                               size_t piece, struct str *told)
{
    struct ch_rows r = {.kinds = kinds, .fn = fn, .ctx = told};
    struct pal_error err = {.message = ""};
    enum pal_status st = PAL_OK;
    for (size_t at = 0; at < size && st == PAL_OK; at += piece)
        st = ch_rows_take(&r, data + at, size - at < piece ? size - at : piece, &err);
    if (st == PAL_OK)
        st = ch_rows_end(&r, &err);
    if (st != PAL_OK)
        assert_non_null(strstr(err.message, "broke off"));
    ch_rows_done(&r);
    return st;
}

/* With copies and without, which say the same. */
static enum pal_status take_all(const char *data, size_t size, size_t piece, struct str *told)
{
    struct str words = {0};
    enum pal_status st = take_as("sqfi", tell, data, size, piece, told);
    assert_int_equal(take_as("tqfi", tell_words, data, size, piece, &words), st);
    assert_string_equal(str_text(&words), str_text(told));
    str_done(&words);
    return st;
}

static void rows_come_in_pieces(void **state)
{
    struct str rows = {0}, told = {0}, expected = {0};
    char text[400];
    for (unsigned i = 0; i < 20; i++) {
        memset(text, 'a' + (int)i, sizeof text);
        text[i * i] = 0; /* from none to 361: lengths of one byte and of two */
        put(&rows, text, i, (float)i / 2, -(int64_t)i);
        str_fmt(&expected, "%s %u %g %d\n", text, i, i / 2.0, -(int)i);
    }
    for (size_t piece = 1; piece <= rows.len; piece += piece < 40 ? 1 : 331) {
        str_clear(&told);
        assert_int_equal(take_all(rows.text, rows.len, piece, &told), PAL_OK);
        assert_string_equal(str_text(&told), str_text(&expected));
    }
    for (size_t cut = 1; cut < 30; cut++) {
        str_clear(&told);
        assert_int_equal(take_all(rows.text, rows.len - cut, 64, &told), PAL_EIO);
    }
    rows.text[rows.len - 30] = 0; /* in the last text */
    str_clear(&told);
    assert_int_equal(take_all(rows.text, rows.len, 64, &told), PAL_EIO);
    str_done(&rows);
    str_done(&told);
    str_done(&expected);
}

/* What an old server says in the middle of rows, once it has begun to answer. */
static void an_exception_among_rows_is_no_row(void **state)
{
    static const char words[] =
        "Code: 241, e.displayText() = DB::Exception: Memory limit (for query) exceeded: would use "
        "9.54 GiB (attempt to allocate chunk of 4194304 bytes), maximum: 9.31 GiB, e.what() = "
        "DB::Exception";
    struct str rows = {0}, told = {0};
    for (size_t len = 1; len < sizeof words; len++) {
        str_clear(&rows);
        str_clear(&told);
        put(&rows, "a row", 1, 1, 1);
        str_add(&rows, words, len);
        assert_int_equal(take_all(rows.text, rows.len, 16, &told), PAL_EIO);
    }
    str_done(&rows);
    str_done(&told);
}

static int take_anything(const char *request, unsigned number, const char **body)
{
    return 200;
}

/* A replicated table keeps the sums of what was inserted and drops the same rows without a word,
 * also when they were deleted meanwhile, as those of a transaction that was not committed are. */
static void inserts_ask_for_all_rows_to_be_kept(void **state)
{
    struct ch_place place;
    struct ch c;
    struct str rows = {0};
    struct pal_error err;
    char url[64];
    struct scripted *server = scripted_new(take_anything);
    snprintf(url, sizeof url, "//127.0.0.1:%d/db?catalog=x", server->port);
    assert_ok(ch_place_read(url, &place, &err), &err);
    assert_ok(ch_new(&place, false, &c, &err), &err);
    put(&rows, "a row", 1, 1, 1);
    assert_ok(ch_insert(&c, "INSERT INTO $DB.events FORMAT RowBinary", &rows, &err), &err);
    ch_done(&c);
    str_done(&rows);
    scripted_stop(server);
    assert_int_equal(server->count, 1);
    assert_non_null(strstr(server->asked[0], "query=INSERT%20INTO%20db.events"));
    assert_non_null(strstr(server->asked[0], "&insert_deduplicate=0&"));
    free(server);
}

static void literals_are_quoted(void **state)
{
    struct str out = {0};
    ch_quote(&out, "it's a \\ \"way\"\n");
    assert_string_equal(str_text(&out), "'it\\'s a \\\\ \"way\"\n'");
    str_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(passwords_are_hidden),
        cmocka_unit_test(rows_come_in_pieces),
        cmocka_unit_test(an_exception_among_rows_is_no_row),
        cmocka_unit_test(inserts_ask_for_all_rows_to_be_kept),
        cmocka_unit_test(literals_are_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
