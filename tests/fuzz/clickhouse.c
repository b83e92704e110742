/* What ClickHouse answers, in pieces of whatever length, and its address. The input's first byte
 * says which, its second how long the pieces are. */
#include "fuzz.h"

#include "store/clickhouse_inside.h"

static enum pal_status look(void *ctx, const union ch_field *f, struct pal_error *err)
{
    size_t *rows = ctx;
    FUZZ_CHECK(strlen(f[0].text) <= 1 << 20 && f[2].words.size <= 1 << 20);
    FUZZ_CHECK(!memchr(f[2].words.p, 0, f[2].words.size));
    ++*rows;
    return PAL_OK;
}

static size_t read_rows(const char *data, size_t size, size_t piece, enum pal_status *st)
{
    size_t rows = 0;
    struct ch_rows r = {.kinds = "sqtfi", .fn = look, .ctx = &rows};
    struct pal_error err = {.message = ""};
    *st = PAL_OK;
    for (size_t at = 0; at < size && *st == PAL_OK; at += piece)
        *st = ch_rows_take(&r, data + at, size - at < piece ? size - at : piece, &err);
    if (*st == PAL_OK)
        *st = ch_rows_end(&r, &err);
    FUZZ_CHECK(*st == PAL_OK || err.message[0] != 0);
    ch_rows_done(&r);
    return rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ch_place p;
    struct pal_error err = {.message = ""};
    enum pal_status whole, parts;
    if (size < 2)
        return 0;
    char *text = malloc(size - 1);
    if (!text)
        return 0;
    memcpy(text, data + 2, size - 2);
    text[size - 2] = 0;
    if (data[0] % 2) {
        size_t a = read_rows(text, size - 2, size, &whole);
        size_t b = read_rows(text, size - 2, (size_t)data[1] + 1, &parts);
        FUZZ_CHECK(whole == parts && a == b);
    } else if (ch_place_read(text, &p, &err) == PAL_OK) {
        FUZZ_CHECK(*p.url && *p.database && *p.catalog);
    } else {
        FUZZ_CHECK(err.message[0] != 0);
    }
    free(text);
    return 0;
}
