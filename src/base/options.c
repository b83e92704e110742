/* See options.h. */
#include "base/options.h"

#include "base/text.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

/* The index of value among "a|b|c", or -1. */
static int choice_index(const char *choices, const char *value)
{
    size_t len = strlen(value);
    int index = 0;
    for (const char *p = choices; *p; index++) {
        const char *end = strchr(p, '|');
        size_t n = end ? (size_t)(end - p) : strlen(p);
        if (n == len && memcmp(p, value, n) == 0)
            return index;
        p += n + (end != NULL);
    }
    return -1;
}

static enum pal_status refuse(const struct opt *row, const char *value, struct pal_error *err)
{
    struct str range = {0};
    opt_range(row, &range);
    enum pal_status st = pal_fail(err, PAL_EUSAGE, "%s = '%.200s' is not allowed: give %s",
                                  row->name, value, str_text(&range));
    str_done(&range);
    return st;
}

static enum pal_status set_bool(const struct opt *row, bool *field, const char *v,
                                struct pal_error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (text_is(v, v + strlen(v), words[i])) {
            *field = i % 2;
            return PAL_OK;
        }
    return refuse(row, v, err);
}

static enum pal_status set_number(const struct opt *row, void *field, const char *v,
                                  struct pal_error *err)
{
    double x;
    if (!text_real(v, v + strlen(v), &x) || x < row->min || x > row->max)
        return refuse(row, v, err);
    if (row->kind == OPT_REAL) {
        *(double *)field = x;
        return PAL_OK;
    }
    if (x != (double)(int64_t)x)
        return refuse(row, v, err);
    *(int64_t *)field = (int64_t)x;
    return PAL_OK;
}

static enum pal_status set_choice(const struct opt *row, int *field, const char *v,
                                  struct pal_error *err)
{
    int index = choice_index(row->choices, v);
    if (index < 0)
        return refuse(row, v, err);
    *field = index;
    return PAL_OK;
}

static enum pal_status set_row(const struct opt *row, void *target, const char *value,
                               struct pal_error *err)
{
    void *field = (char *)target + row->offset;
    switch (row->kind) {
    case OPT_BOOL:
        return set_bool(row, field, value, err);
    case OPT_INT:
    case OPT_REAL:
        return set_number(row, field, value, err);
    case OPT_CHOICE:
        return set_choice(row, field, value, err);
    case OPT_TEXT:
        *(const char **)field = value;
        return PAL_OK;
    }
    return PAL_EUSAGE;
}

void opt_defaults(const struct opt_table *t, void *target)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct opt *row = &t->rows[i];
        if (row->kind == OPT_TEXT) {
            *(const char **)((char *)target + row->offset) = row->initial;
            continue;
        }
        struct pal_error err;
        enum pal_status st = set_row(row, target, row->initial, &err);
        assert(st == PAL_OK);
        (void)st;
    }
}

const struct opt *opt_find(const struct opt_table *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].name, name) == 0)
            return &t->rows[i];
    return NULL;
}

static enum pal_status refuse_name(const struct opt_table *t, const char *name,
                                   struct pal_error *err)
{
    struct str known = {0};
    for (size_t i = 0; i < t->count; i++) {
        str_put(&known, i ? ", " : "; there are: ");
        str_put(&known, t->rows[i].name);
    }
    enum pal_status st =
        pal_fail(err, PAL_EUSAGE, "there is no option '%.100s'%s", name, str_text(&known));
    str_done(&known);
    return st;
}

enum pal_status opt_set(const struct opt_table *t, void *target, const char *name,
                        const char *value, struct pal_error *err)
{
    const struct opt *row = opt_find(t, name);
    if (row)
        return set_row(row, target, value, err);
    const struct opt *near = NULL;
    size_t best = 4;
    for (size_t i = 0; i < t->count; i++) {
        size_t d = opt_distance(name, t->rows[i].name);
        if (d < best) {
            best = d;
            near = &t->rows[i];
        }
    }
    if (near)
        return pal_fail(err, PAL_EUSAGE, "there is no option '%.100s': did you mean '%s'?", name,
                        near->name);
    return refuse_name(t, name, err);
}

static const char *choice_at(const char *choices, int index, size_t *len)
{
    const char *p = choices;
    for (; index > 0; index--)
        p = strchr(p, '|') + 1;
    const char *end = strchr(p, '|');
    *len = end ? (size_t)(end - p) : strlen(p);
    return p;
}

void opt_show(const struct opt *row, const void *target, struct str *out)
{
    const void *field = (const char *)target + row->offset;
    size_t len;
    const char *p;
    switch (row->kind) {
    case OPT_BOOL:
        str_put(out, *(const bool *)field ? "true" : "false");
        break;
    case OPT_INT:
        str_fmt(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case OPT_REAL:
        str_real(out, *(const double *)field);
        break;
    case OPT_CHOICE:
        p = choice_at(row->choices, *(const int *)field, &len);
        str_add(out, p, len);
        break;
    case OPT_TEXT:
        p = *(const char *const *)field;
        str_put(out, p ? p : "");
        break;
    }
}

void opt_range(const struct opt *row, struct str *out)
{
    switch (row->kind) {
    case OPT_BOOL:
        str_put(out, "true|false");
        break;
    case OPT_INT:
        str_fmt(out, "a whole number %.0f to %.0f", row->min, row->max);
        break;
    case OPT_REAL:
        str_put(out, "a number ");
        str_real(out, row->min);
        str_put(out, " to ");
        str_real(out, row->max);
        break;
    case OPT_CHOICE:
        str_put(out, row->choices);
        break;
    case OPT_TEXT:
        str_put(out, row->choices ? row->choices : "TEXT");
        break;
    }
}

size_t opt_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t n = strnlen(a, MOST), m = strnlen(b, MOST);
    size_t rows[3][MOST + 1]; /* the row before the last, the last, this one */
    for (size_t j = 0; j <= m; j++)
        rows[1][j] = j;
    for (size_t i = 1; i <= n; i++) {
        rows[2][0] = i;
        for (size_t j = 1; j <= m; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            size_t d = rows[1][j - 1] + (x != y);
            if (rows[1][j] + 1 < d)
                d = rows[1][j] + 1;
            if (rows[2][j - 1] + 1 < d)
                d = rows[2][j - 1] + 1;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && rows[0][j - 2] + 1 < d)
                d = rows[0][j - 2] + 1;
            rows[2][j] = d;
        }
        memcpy(rows[0], rows[1], sizeof rows[0]);
        memcpy(rows[1], rows[2], sizeof rows[1]);
    }
    return rows[1][m];
}
