/* See space.h. */
#include "eval/space.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A range that reaches down to 0 has no logarithm there: how far below the default, or below its
 * end where the default is 0 too, it is walked instead. */
static const double below_default = 1e-3, below_end = 1e-5;

/* One "name=text" of a list. */
struct entry {
    char name[64], text[128];
    bool has_text;
};

static double number_of(const struct opt *row, const void *options)
{
    const void *field = (const char *)options + row->offset;
    switch (row->kind) {
    case OPT_BOOL:
        return *(const bool *)field;
    case OPT_INT:
        return (double)*(const int64_t *)field;
    case OPT_REAL:
        return *(const double *)field;
    case OPT_CHOICE:
        return *(const int *)field;
    case OPT_TEXT:
        break;
    }
    return 0;
}

static void set_number(const struct opt *row, double x, void *options)
{
    void *field = (char *)options + row->offset;
    switch (row->kind) {
    case OPT_BOOL:
        *(bool *)field = x != 0;
        break;
    case OPT_INT:
        *(int64_t *)field = (int64_t)x;
        break;
    case OPT_REAL:
        *(double *)field = x;
        break;
    case OPT_CHOICE:
        *(int *)field = (int)x;
        break;
    case OPT_TEXT:
        break;
    }
}

static double initial_of(const struct opt *row)
{
    double x = 0;
    text_real(row->initial, row->initial + strlen(row->initial), &x);
    return x;
}

static unsigned count_choices(const struct opt *row)
{
    unsigned n = 1;
    for (const char *p = row->choices; *p; p++)
        n += *p == '|';
    return n;
}

static bool has_range(const struct opt *row)
{
    return row->kind == OPT_INT || row->kind == OPT_REAL;
}

/* As the table declares it; false for a text, or where there is but one value. */
static bool declared(const struct opt *row, struct space_option *o)
{
    *o = (struct space_option){.row = row};
    if (row->kind == OPT_BOOL || row->kind == OPT_CHOICE) {
        unsigned n = row->kind == OPT_BOOL ? 2 : count_choices(row);
        o->choices = n < SPACE_CHOICES ? n : SPACE_CHOICES;
        for (unsigned i = 0; i < o->choices; i++)
            o->as[i] = (int)i;
        return o->choices > 1;
    }
    if (!has_range(row))
        return false;
    o->low = row->min;
    o->high = row->max;
    o->log = row->scale != OPT_LINEAR;
    if (o->log && o->low <= 0) {
        double initial = initial_of(row);
        o->low = initial > 0 ? initial * below_default : o->high * below_end;
        if (row->kind == OPT_INT && o->low < 1)
            o->low = 1;
    }
    return o->low < o->high;
}

/* The next entry of "a=1..2, b, c=x|y": false at the end. */
static bool next_entry(const char **at, struct entry *e)
{
    const char *p = *at + strspn(*at, ", ");
    size_t len = strcspn(p, ",");
    *at = p + len;
    while (len && p[len - 1] == ' ')
        len--;
    const char *equals = memchr(p, '=', len);
    size_t name = equals ? (size_t)(equals - p) : len;
    e->has_text = equals != NULL;
    snprintf(e->name, sizeof e->name, "%.*s", (int)name, p);
    snprintf(e->text, sizeof e->text, "%.*s", equals ? (int)(len - name - 1) : 0,
             equals ? equals + 1 : "");
    return len > 0;
}

static enum pal_status refuse(const struct opt *row, const char *text, struct pal_error *err)
{
    struct str range = {0};
    opt_range(row, &range);
    enum pal_status st = pal_fail(
        err, PAL_EUSAGE, "%s=%s: expected %s (%s)", row->name, text,
        has_range(row) ? "LOW..HIGH or a value" : "values with '|' between them", str_text(&range));
    str_done(&range);
    return st;
}

/* "16..256". */
static enum pal_status read_range(const char *text, struct space_option *o, struct pal_error *err)
{
    const char *dots = strstr(text, ".."), *end = text + strlen(text);
    const struct opt *row = o->row;
    double low, high;
    bool ok = has_range(row) && text_real(text, dots, &low) && text_real(dots + 2, end, &high) &&
              low < high && low >= row->min && high <= row->max;
    if (!ok || (row->kind == OPT_INT && (low != floor(low) || high != floor(high))))
        return refuse(row, text, err);
    if (o->log && low <= 0 && high <= o->low)
        return pal_fail(err, PAL_EUSAGE, "%s=%s: it is walked by ratios, so give a low end above 0",
                        row->name, text);
    if (low > 0 || !o->log)
        o->low = low;
    o->high = high;
    return PAL_OK;
}

/* "exact|cg", each as the table takes it. */
static enum pal_status read_choices(const struct opt_table *table, const char *text, void *options,
                                    struct space_option *o, struct pal_error *err)
{
    double before = number_of(o->row, options);
    enum pal_status st = PAL_OK;
    o->choices = 0;
    for (const char *p = text; !st && *p;) {
        char value[64];
        size_t len = strcspn(p, "|");
        snprintf(value, sizeof value, "%.*s", (int)len, p);
        p += len + (p[len] == '|');
        st = opt_set(table, options, o->row->name, value, err);
        if (!st && o->choices == SPACE_CHOICES)
            st = refuse(o->row, text, err);
        if (!st)
            o->as[o->choices++] = (int)number_of(o->row, options);
    }
    set_number(o->row, before, options);
    return st;
}

static struct space_option *place_for(struct space *s, const struct opt *row)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->option[i].row == row)
            return &s->option[i];
    return s->count < SPACE_MOST ? &s->option[s->count++] : NULL;
}

void space_drop(struct space *s, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->option[i].row->name, name) != 0)
            s->option[kept++] = s->option[i];
    s->count = kept;
}

const struct space_option *space_find(const struct space *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->option[i].row->name, name) == 0)
            return &s->option[i];
    return NULL;
}

static enum pal_status add_entry(struct space *s, const struct entry *e, void *options,
                                 struct pal_error *err)
{
    const struct opt *row = opt_find(s->table, e->name);
    struct space_option o;
    if (!row) /* opt_set has the words for it */
        return opt_set(s->table, options, e->name, "", err);
    bool varies = declared(row, &o);
    enum pal_status st = PAL_OK;
    if (e->has_text && !strstr(e->text, "..") && !strchr(e->text, '|')) {
        space_drop(s, e->name);
        return opt_set(s->table, options, e->name, e->text, err);
    }
    if (!varies)
        return pal_fail(err, PAL_EUSAGE, "%s can't be searched: it has but one value", e->name);
    if (strstr(e->text, ".."))
        st = read_range(e->text, &o, err);
    else if (e->has_text && has_range(row))
        st = refuse(row, e->text, err);
    else if (e->has_text)
        st = read_choices(s->table, e->text, options, &o, err);
    struct space_option *place = st ? NULL : place_for(s, row);
    if (!st && !place)
        return pal_fail(err, PAL_EUSAGE, "more than %d options to search", SPACE_MOST);
    if (!st)
        *place = o;
    return st;
}

static enum pal_status add_list(struct space *s, const char *list, void *options,
                                struct pal_error *err)
{
    struct entry e;
    enum pal_status st = PAL_OK;
    while (!st && next_entry(&list, &e))
        st = add_entry(s, &e, options, err);
    return st;
}

enum pal_status space_make(const struct opt_table *table, const char *usual, const char *narrow,
                           void *options, struct space *out, struct pal_error *err)
{
    struct space s = {.table = table};
    enum pal_status st = PAL_OK;
    if (usual)
        st = add_list(&s, usual, options, err);
    for (size_t i = 0; !usual && i < table->count && s.count < SPACE_MOST; i++)
        s.count += declared(&table->rows[i], &s.option[s.count]);
    if (!st && narrow)
        st = add_list(&s, narrow, options, err);
    if (!st)
        *out = s;
    return st;
}

static double round_to_digits(double x)
{
    char text[32];
    double y = x;
    int len = snprintf(text, sizeof text, "%.3g", x);
    text_real(text, text + len, &y);
    return y;
}

static double value_at(const struct space_option *o, double at)
{
    double x = o->log ? exp(log(o->low) + at * (log(o->high) - log(o->low)))
                      : o->low + at * (o->high - o->low);
    x = o->row->kind == OPT_INT ? round(x) : round_to_digits(x);
    return x < o->low ? o->low : x > o->high ? o->high : x;
}

void space_set(const struct space *s, const double *at, void *options)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct space_option *o = &s->option[i];
        set_number(o->row, o->choices ? o->as[(unsigned)at[i]] : value_at(o, at[i]), options);
    }
}

void space_get(const struct space *s, const void *options, double *at)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct space_option *o = &s->option[i];
        double x = number_of(o->row, options);
        at[i] = 0;
        for (unsigned c = 0; c < o->choices; c++)
            if (o->as[c] == (int)x)
                at[i] = c;
        if (o->choices)
            continue;
        x = x < o->low ? o->low : x > o->high ? o->high : x;
        at[i] = o->log ? (log(x) - log(o->low)) / (log(o->high) - log(o->low))
                       : (x - o->low) / (o->high - o->low);
    }
}

static void put_choice(const struct opt *row, int value, struct str *out)
{
    _Alignas(16) char field[16] = {0};
    struct opt alone = *row;
    alone.offset = 0;
    set_number(&alone, value, field);
    opt_show(&alone, field, out);
}

void space_show(const struct space_option *o, struct str *out)
{
    str_fmt(out, "%s=", o->row->name);
    for (unsigned c = 0; c < o->choices; c++) {
        str_put(out, c ? "|" : "");
        put_choice(o->row, o->as[c], out);
    }
    if (!o->choices) {
        str_real(out, o->low);
        str_put(out, "..");
        str_real(out, o->high);
    }
}
