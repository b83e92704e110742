/* See table.h. */
#include "data/table.h"

#include "base/mem.h"

#include <string.h>

struct table table_of(enum record_cut_kind kind, char separator, size_t fields, uint8_t type)
{
    struct table t = {.format = {kind, separator, false}, .type = type};
    t.columns = (struct columns){.fields = fields, .at = {-1, -1, -1, -1, -1}, .rating = true};
    for (int r = ROLE_USER; r <= ROLE_TIME && (size_t)r < fields; r++)
        t.columns.at[r] = r;
    t.names = &event_names_rating;
    return t;
}

/* The record's field for a role; p NULL if the table has no such column. */
static struct field role_field(const struct table *t, const struct lines *lines, enum role role)
{
    int at = t->columns.at[role];
    return at < 0 ? (struct field){NULL, NULL, NULL} : lines_field(lines, (size_t)at);
}

struct table_reader {
    const struct table *table;
    struct rows *rows;
};

static enum pal_status take(struct loading *l, struct lines *lines, void *ctx,
                            struct complaint *bad, struct pal_error *err)
{
    const struct table_reader *r = ctx;
    const struct table *t = r->table;
    size_t fields = t->columns.fields;
    struct loaded_event e = {role_field(t, lines, ROLE_USER),
                             role_field(t, lines, ROLE_ITEM),
                             role_field(t, lines, ROLE_VALUE),
                             role_field(t, lines, ROLE_TIME),
                             role_field(t, lines, ROLE_TYPE),
                             1,
                             t->type};
    /* a log of several types has values for some of them only */
    if (e.type_name.p && e.value.p == e.value.end)
        e.value.p = NULL;
    if (lines->fields > fields)
        lines_wrong(bad, lines_field(lines, fields),
                    t->format.header ? "no more fields than the first line has"
                                     : "the end of the line");
    else if (lines->fields < fields && t->format.header)
        lines_wrong(bad, lines_field(lines, fields), "as many fields as the first line has");
    else
        return loading_event(l, r->rows, &e, t->names, bad, err);
    return PAL_OK;
}

enum pal_status table_read(struct loading *l, const char *path, const struct table *t,
                           struct rows *rows, struct pal_error *err)
{
    struct table_reader r = {t, rows};
    l->has_times = t->columns.at[ROLE_TIME] >= 0;
    return records_read(l, path, &t->format, take, &r, err);
}

enum pal_status table_read_in(struct loading *l, const char *folder, const char *name,
                              const struct table *t, struct rows *rows, struct pal_error *err)
{
    char path[PATH_BYTES];
    enum pal_status st = file_join(path, sizeof path, folder, name, err);
    return st == PAL_OK ? table_read(l, path, t, rows, err) : st;
}

/* Fills in *t from the file's first record. */
static enum pal_status guess(struct loading *l, const char *path, struct table *t,
                             struct pal_error *err)
{
    struct lines lines;
    struct complaint bad;
    struct columns_wanted wanted;
    struct reading silent = {0};
    enum pal_status st = columns_parse(l->options->columns, &wanted, err);
    if (st != PAL_OK || (st = lines_open(&lines, &silent, path, err)) != PAL_OK)
        return st;
    if (!lines_next(&lines, &st, err)) {
        st = pal_fail(err, PAL_EFORMAT, "%s:1:1: expected a first line, found an empty file", path);
        goto done;
    }
    t->format = record_format_of(&lines);
    if (!record_cut(&t->format, &lines, &bad)) {
        st = bad.expected ? lines_bad(&lines, &bad, err) : pal_no_memory(err);
        goto done;
    }
    bool words = t->format.kind == RECORD_WORDS;
    t->format.header = columns_from_header(&wanted, &lines, &t->columns);
    if (!t->format.header && !columns_from_row(&wanted, &lines, words, &t->columns))
        st = columns_refuse(&wanted, &lines, err);
done:
    lines_close(&lines);
    return st;
}

enum pal_status table_guess_and_read(struct loading *l, const char *path, const char *type,
                                     struct rows *rows, struct pal_error *err)
{
    struct table t = {0};
    enum pal_status st = guess(l, path, &t, err);
    if (st != PAL_OK)
        return st;
    if (type)
        t.columns.at[ROLE_TYPE] = -1;
    bool typed = t.columns.at[ROLE_TYPE] >= 0;
    bool rating =
        t.columns.rating && t.columns.at[ROLE_VALUE] >= 0 && (!type || strcmp(type, "rating") == 0);
    t.names = rating ? &event_names_rating : &event_names_plain;
    if (!typed)
        st = loading_type(l, type ? type : rating ? "rating" : "interaction", &t.type, err);
    if (st == PAL_OK)
        st = table_read(l, path, &t, rows, err);
    l->d->weights = typed ? weights_default : rating ? loading_rating_weights(l) : "*:1";
    return st;
}

static enum pal_status read_file(struct loading *l, const char *path, struct pal_error *err)
{
    if (file_is_dir(path))
        return pal_fail(err, PAL_EUSAGE, "%s is a folder: 'table' reads a single file", path);
    reading_expect(&l->reading, path);
    return table_guess_and_read(l, path, NULL, l->all, err);
}

static bool fits(const char *path)
{
    return !file_is_dir(path);
}

const struct loader loader_table = {"table",
                                    "one event per line, parted by commas, tabs, '::' or blanks; "
                                    "with a header, or user item [rating "
                                    "[time]]",
                                    fits, read_file, true};
