/* See figure.h. */
#include "report/figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

const char *figure_text(struct figures *to, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    const char *copy = arena_text(to->arena, text, kept);
    to->failed |= !copy;
    return copy ? copy : "";
}

double *figure_column(struct figures *to, size_t count)
{
    double *x = arena_alloc(to->arena, count, sizeof *x);
    to->failed |= !x;
    for (size_t i = 0; x && i < count; i++)
        x[i] = NAN;
    return x;
}

static void emit_values(struct emit *e, const char *key, const double *value, size_t count)
{
    if (!value)
        return;
    emit_open(e, key, '[');
    for (size_t i = 0; i < count; i++)
        emit_number(e, NULL, value[i]);
    emit_close(e, ']');
}

static void emit_series(struct emit *e, const struct series *s, size_t count)
{
    emit_open(e, NULL, '{');
    emit_string(e, "name", s->name);
    emit_values(e, "values", s->value, count);
    emit_values(e, "low", s->low, count);
    emit_values(e, "high", s->high, count);
    emit_int(e, "digits", s->digits);
    emit_int(e, "best", s->best);
    emit_boolean(e, "drawn", !s->table_only);
    emit_close(e, '}');
}

void figure_emit(struct emit *e, const char *key, const struct figure *f)
{
    static const char *const kinds[] = {"table", "columns", "bars", "line", "points", "heat"};
    emit_open(e, key, '{');
    emit_string(e, "id", f->id);
    emit_string(e, "title", f->title);
    emit_string(e, "says", f->says);
    emit_string(e, "kind", kinds[f->chart]);
    emit_boolean(e, "wide", f->wide);
    emit_string(e, "x", f->x ? f->x : "");
    emit_string(e, "y", f->y ? f->y : "");
    emit_boolean(e, "log_x", f->log_x);
    emit_boolean(e, "log_y", f->log_y);
    emit_string(e, "head", f->head);
    emit_open(e, "labels", '[');
    for (size_t i = 0; i < f->count; i++)
        emit_string(e, NULL, f->label[i]);
    emit_close(e, ']');
    emit_values(e, "at", f->at, f->count);
    emit_uint(e, "every", f->every ? f->every : 1);
    emit_open(e, "series", '[');
    for (size_t s = 0; s < f->series_count; s++)
        emit_series(e, &f->series[s], f->count);
    emit_close(e, ']');
    emit_close(e, '}');
}
