/* A row as PostgreSQL's COPY sends it: the input's first byte says whether the head of all stands
 * before it. What is read must be written again as the same bytes, and every field that has a shape
 * must be readable in it. */
#include "fuzz.h"

#include "store/postgres_bytes.h"

/* The row, written again. */
static void write_row(const struct pg_row *row, struct str *out)
{
    pg_copy_row(out, row->count);
    for (int i = 0; i < row->count; i++)
        if (row->field[i].len < 0)
            pg_copy_null(out);
        else
            pg_copy_bytes(out, row->field[i].p, (size_t)row->field[i].len);
}

static void read_fields(const struct pg_row *row)
{
    for (int i = 0; i < row->count; i++) {
        struct pg_row one = {.count = 1, .field[0] = row->field[i]};
        if (pg_row_is(&one, "I"))
            FUZZ_CHECK(row->field[i].len >= 0 || pg_int(row, i) == 0);
        if (pg_row_is(&one, "t"))
            FUZZ_CHECK(strlen(pg_text(row, i)) == (size_t)row->field[i].len);
        FUZZ_CHECK(pg_row_is(&one, "B"));
        FUZZ_CHECK(pg_row_is(&one, "b") == (row->field[i].len >= 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool first = data[0] & 1;
    size_t n = size - 1;
    char *bytes = malloc(n + 1); /* libpq gives one byte more than it says */
    struct pg_row row;
    if (!bytes)
        return 0;
    memcpy(bytes, data + 1, n);
    int how = pg_row_read(bytes, n, first, &row);
    FUZZ_CHECK(how >= -1 && how <= 1);
    if (how == 1) {
        struct str again = {0};
        FUZZ_CHECK(row.count <= PG_FIELDS_MOST);
        write_row(&row, &again);
        FUZZ_CHECK(str_ok(&again) && again.len <= n && (first || again.len == n));
        FUZZ_CHECK(memcmp(again.text, data + 1 + n - again.len, again.len) == 0);
        str_done(&again);
        read_fields(&row);
    }
    free(bytes);
    return 0;
}
