/* See records.h. */
#include "data/records.h"

#include <string.h>

bool record_cut(const struct record_format *f, struct lines *lines, struct complaint *bad)
{
    switch (f->kind) {
    case RECORD_QUOTED:
        return lines_csv(lines, f->separator, bad);
    case RECORD_WORDS:
        lines_words(lines);
        return true;
    case RECORD_PLAIN:
        lines_split(lines, f->separator);
        return true;
    case RECORD_LINE:
        break;
    }
    return true;
}

static enum pal_status take(struct loading *l, struct lines *lines, const struct record_format *f,
                            record_fn *fn, void *ctx, struct pal_error *err)
{
    struct complaint bad = {0};
    enum pal_status st = PAL_OK;
    if (record_cut(f, lines, &bad))
        st = fn ? fn(l, lines, ctx, &bad, err) : PAL_OK;
    else if (!bad.expected)
        st = pal_no_memory(err);
    if (st != PAL_OK)
        return lines_within(lines, st, err);
    return bad.expected ? lines_bad(lines, &bad, err) : PAL_OK;
}

enum pal_status records_read(struct loading *l, const char *path, const struct record_format *f,
                             record_fn *fn, void *ctx, struct pal_error *err)
{
    struct lines lines;
    enum pal_status st = lines_open(&lines, &l->reading, path, err);
    if (st != PAL_OK)
        return st;
    if (f->header && lines_next(&lines, &st, err))
        st = take(l, &lines, f, NULL, ctx, err);
    while (st == PAL_OK && lines_next(&lines, &st, err))
        st = take(l, &lines, f, fn, ctx, err);
    lines_close(&lines);
    return st;
}

enum pal_status records_read_in(struct loading *l, const char *folder, const char *name,
                                const struct record_format *f, record_fn *fn, void *ctx,
                                struct pal_error *err)
{
    char path[PATH_BYTES];
    enum pal_status st = file_join(path, sizeof path, folder, name, err);
    return st == PAL_OK ? records_read(l, path, f, fn, ctx, err) : st;
}

struct record_format record_format_of(const struct lines *lines)
{
    static const char separators[] = "\t,;|";
    const char *p = lines->p, *end = lines->stop;
    if (memmem(p, (size_t)(end - p), "::", 2))
        return (struct record_format){RECORD_PLAIN, ':', false};
    for (const char *s = separators; *s; s++) {
        bool quoted = false;
        for (const char *q = p; q < end; q++) {
            quoted ^= *q == '"';
            if (*q == *s && !quoted)
                return (struct record_format){RECORD_QUOTED, *s, false};
        }
    }
    return (struct record_format){RECORD_WORDS, ' ', false};
}

enum pal_status record_guess(const char *path, struct record_format *out, struct pal_error *err)
{
    struct lines lines;
    struct reading silent = {0};
    enum pal_status st = lines_open(&lines, &silent, path, err);
    if (st != PAL_OK)
        return st;
    if (lines_next(&lines, &st, err))
        *out = record_format_of(&lines);
    else
        st = pal_fail(err, PAL_EFORMAT, "%s:1:1: expected a first line, found an empty file", path);
    lines_close(&lines);
    return st;
}
