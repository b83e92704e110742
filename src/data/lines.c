/* See lines.h. Lines are found by memchr, fields by a plain loop over each byte: at 25 bytes a row
 * that is already several times faster than the tables of ids that the rows go through next. */
#include "data/lines.h"

#include "base/mem.h"
#include "base/text.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    STEP = 4 << 20,   /* bytes between two reports of progress */
    QUOTED = 1 << 20, /* how far into a record a quoted field may reach: one that goes on for longer
                         has lost its closing quote */
    SHOWN = 40,       /* bytes of a wrong field that a complaint repeats */
};

void reading_expect(struct reading *r, const char *path)
{
    int64_t size = file_size(path);
    r->total += size > 0 ? (uint64_t)size : 0;
}

enum pal_status lines_open(struct lines *l, struct reading *reading, const char *path,
                           struct pal_error *err)
{
    struct file_map map;
    enum pal_status st = file_map(path, &map, err);
    if (st != PAL_OK)
        return st;
    l->reading = reading;
    l->path = path;
    l->map = map;
    l->next = l->step = l->p = l->stop = l->second = map.data;
    l->end = map.data + map.size;
    if (map.size >= 3 && memcmp(map.data, "\xef\xbb\xbf", 3) == 0)
        l->next += 3;
    while (l->end > l->next && (l->end[-1] == '\n' || l->end[-1] == '\r'))
        l->end--;
    l->line = l->lines = 0;
    l->fields = 0;
    l->unquoted = NULL;
    l->unquoted_cap = l->unquoted_used = 0;
    return PAL_OK;
}

void lines_close(struct lines *l)
{
    if (l->reading)
        l->reading->done += l->map.size;
    file_unmap(&l->map);
    mem_free(l->unquoted);
    memset(l, 0, offsetof(struct lines, field));
    l->unquoted = NULL;
}

bool lines_next(struct lines *l, enum pal_status *st, struct pal_error *err)
{
    if (l->next >= l->step) {
        const struct reading *r = l->reading;
        uint64_t done = r->done + (uint64_t)(l->next - l->map.data);
        *st = run_step(r->run, "loading", done, r->total, err);
        if (*st != PAL_OK)
            return false;
        l->step = l->end - l->next > STEP ? l->next + STEP : l->end + 1;
    }
    if (l->next >= l->end)
        return false;
    const char *line_end = memchr(l->next, '\n', (size_t)(l->end - l->next));
    l->p = l->next;
    l->stop = line_end ? line_end : l->end;
    l->next = l->second = line_end ? line_end + 1 : l->end;
    if (l->stop > l->p && l->stop[-1] == '\r')
        l->stop--;
    l->line = ++l->lines;
    l->fields = 0;
    l->unquoted_used = 0;
    return true;
}

static inline void add_field(struct lines *l, const char *p, const char *end, const char *at)
{
    if (l->fields < LINE_FIELDS)
        l->field[l->fields] = (struct field){p, end, at};
    l->fields++;
}

static void split_double_colon(struct lines *l)
{
    const char *begin = l->p;
    for (const char *p = begin; p + 1 < l->stop; p++)
        if (p[0] == ':' && p[1] == ':') {
            add_field(l, begin, p, begin);
            begin = ++p + 1;
        }
    add_field(l, begin, l->stop, begin);
}

void lines_split(struct lines *l, char separator)
{
    l->fields = 0;
    if (separator == ':') {
        split_double_colon(l);
        return;
    }
    const char *begin = l->p;
    for (const char *p = begin; p < l->stop; p++)
        if (*p == separator) {
            add_field(l, begin, p, begin);
            begin = p + 1;
        }
    add_field(l, begin, l->stop, begin);
}

static inline bool blank(char c)
{
    return c == ' ' || c == '\t';
}

bool lines_word(const struct lines *l, const char **at, struct field *word)
{
    const char *p = *at;
    while (p < l->stop && blank(*p))
        p++;
    const char *begin = p;
    while (p < l->stop && !blank(*p))
        p++;
    *at = p;
    *word = (struct field){begin, p, begin};
    return p > begin;
}

void lines_words(struct lines *l)
{
    const char *p = l->p;
    struct field word;
    l->fields = 0;
    while (lines_word(l, &p, &word))
        add_field(l, word.p, word.end, word.at);
}

/* The record grows by the next line: a quoted field goes on there. */
static bool take_line(struct lines *l)
{
    if (l->next >= l->end)
        return false;
    const char *line_end = memchr(l->next, '\n', (size_t)(l->end - l->next));
    l->stop = line_end ? line_end : l->end;
    l->next = line_end ? line_end + 1 : l->end;
    if (l->stop > l->p && l->stop[-1] == '\r')
        l->stop--;
    l->lines++;
    return true;
}

/* Rewrites f with each doubled quote made one. All of a record's rewritten fields share a buffer
 * that is as long as they can ever be together, so that it never moves under a field. */
static bool unquote(struct lines *l, struct field *f)
{
    if (mem_grow(&l->unquoted, &l->unquoted_cap, QUOTED, 1))
        return false;
    char *out = l->unquoted + l->unquoted_used, *o = out;
    for (const char *p = f->p; p < f->end; p++) {
        *o++ = *p;
        p += *p == '"';
    }
    l->unquoted_used += (size_t)(o - out);
    f->p = out;
    f->end = o;
    return true;
}

/* The field that begins with a quote at p; *after is behind its closing quote. */
static bool quoted_field(struct lines *l, const char *p, const char **after, struct complaint *bad)
{
    struct field f = {p + 1, NULL, p};
    bool doubled = false;
    for (const char *q = p + 1;; q++) {
        while (q >= l->stop)
            if (!take_line(l))
                return lines_wrong(bad, (struct field){p, p + 1, p}, "a closing quote to this one");
        if (q - l->p >= QUOTED)
            return lines_wrong(bad, (struct field){p, p + 1, p},
                               "a closing quote within a megabyte of this one");
        if (*q != '"')
            continue;
        if (q + 1 == l->stop || q[1] != '"') {
            f.end = q;
            *after = q + 1;
            break;
        }
        doubled = true;
        q++;
    }
    if (doubled && !unquote(l, &f)) {
        bad->expected = NULL;
        return false;
    }
    add_field(l, f.p, f.end, f.at);
    return true;
}

/* The field without quotes at p; returns where it ends: at the separator or the record's end. */
static const char *plain_field(struct lines *l, const char *p, char separator)
{
    const char *end = p;
    while (end < l->stop && *end != separator)
        end++;
    const char *stop = end;
    if (separator != '\t') {
        while (stop > p && blank(stop[-1]))
            stop--;
        while (p < stop && blank(*p))
            p++;
    }
    add_field(l, p, stop, p);
    return end;
}

static bool csv_fields(struct lines *l, char separator, struct complaint *bad)
{
    for (const char *p = l->p;; p++) {
        const char *first = p;
        while (separator != '\t' && first < l->stop && blank(*first))
            first++;
        if (first < l->stop && *first == '"') {
            p = first;
            if (!quoted_field(l, p, &p, bad))
                return false;
            if (p < l->stop && *p != separator)
                return lines_wrong(bad, (struct field){p, l->stop, p},
                                   "a separator after the closing quote");
        } else {
            p = plain_field(l, p, separator);
        }
        if (p >= l->stop)
            return true;
    }
}

bool lines_csv(struct lines *l, char separator, struct complaint *bad)
{
    l->fields = 0;
    if (csv_fields(l, separator, bad))
        return true;
    /* where the quotes went wrong is unknown: the next line is the best place to go on */
    l->next = l->second;
    l->lines = l->line;
    return false;
}

struct field lines_field(const struct lines *l, size_t i)
{
    if (i < l->fields && i < LINE_FIELDS)
        return l->field[i];
    return (struct field){l->stop, l->stop, l->stop};
}

bool lines_wrong(struct complaint *bad, struct field f, const char *expected)
{
    *bad = (struct complaint){expected, f.p, f.end, f.at};
    return false;
}

bool lines_exactly(const struct lines *l, size_t fields, struct complaint *bad)
{
    if (l->fields < fields)
        return lines_wrong(bad, lines_field(l, l->fields), "another field");
    if (l->fields > fields)
        return lines_wrong(bad, lines_field(l, fields), "the end of the line");
    return true;
}

/* What was found, as it may stand in a message: cut, without control characters, in UTF-8. */
static void show(char out[SHOWN + 32], const char *p, const char *end)
{
    size_t len = (size_t)(end - p), shown = len;
    if (len > SHOWN) {
        shown = SHOWN;
        while (shown > 0 && ((unsigned char)p[shown] & 0xc0) == 0x80)
            shown--;
    }
    bool utf8 = text_is_utf8(p, shown);
    char text[SHOWN + 1];
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)p[i];
        text[i] = c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) ? '?' : (char)c;
    }
    text[shown] = 0;
    if (len == 0)
        strcpy(out, "nothing");
    else
        snprintf(out, SHOWN + 32, "'%s%s'", text, len > shown ? "…" : "");
}

/* Line and column, both from 1, of a place in the record. */
static uint64_t place(const struct lines *l, const char *at, uint64_t *line)
{
    const char *begin = l->p;
    *line = l->line;
    for (const char *p = l->p; p < at; p++)
        if (*p == '\n') {
            begin = p + 1;
            ++*line;
        }
    return (uint64_t)(at - begin) + 1;
}

enum pal_status lines_bad(struct lines *l, const struct complaint *bad, struct pal_error *err)
{
    struct reading *r = l->reading;
    if (r->skipped < r->allowed) {
        r->skipped++;
        return PAL_OK;
    }
    uint64_t line, column = place(l, bad->at, &line);
    char found[SHOWN + 32], spent[80] = "";
    show(found, bad->p, bad->end);
    if (bad->p == bad->end && bad->at == l->stop)
        strcpy(found, "the end of the line");
    if (r->allowed)
        snprintf(spent, sizeof spent, " (after %llu malformed lines, as many as are allowed)",
                 (unsigned long long)r->allowed);
    return pal_fail(err, PAL_EFORMAT, "%s:%llu:%llu: expected %s, found %s%s", l->path,
                    (unsigned long long)line, (unsigned long long)column, bad->expected, found,
                    spent);
}

enum pal_status lines_within(const struct lines *l, enum pal_status st, struct pal_error *err)
{
    return pal_within(err, st, "%s:%llu", l->path, (unsigned long long)l->line);
}
