/* A figure as HTML. See report.h. The chart's place is empty and hidden until web/report.js draws
 * into it what the JSON beside it says, so that a page without scripts is one of tables. */
#include "base/emit.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/report.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

void html_text(struct str *out, const char *text)
{
    const char *end = text + strlen(text);
    for (const char *p = text; p < end;) {
        size_t len = text_utf8_char(p, end);
        const char *entity = *p == '<'                                ? "&lt;"
                             : *p == '>'                              ? "&gt;"
                             : *p == '&'                              ? "&amp;"
                             : *p == '"'                              ? "&quot;"
                             : *p == '\''                             ? "&#39;"
                             : !len                                   ? "\xef\xbf\xbd"
                             : (unsigned char)*p < 0x20 || *p == 0x7f ? " "
                                                                      : NULL;
        if (entity)
            str_put(out, entity);
        else
            str_add(out, p, len);
        p += len ? len : 1;
    }
}

const char *html_label(struct str *out, struct arena *arena, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
    const char *copy = arena_text(arena, text, kept);
    out->failed |= !copy;
    return copy ? copy : "";
}

/* A number as people read it, with all of its digits behind. */
static void put_number(struct str *out, double x, int digits)
{
    if (!isfinite(x)) {
        str_put(out, "–");
    } else if (digits < 0) {
        put_count(out, (uint64_t)llround(fmax(x, 0)));
    } else {
        str_put(out, "<data value=\"");
        str_real(out, x);
        str_fmt(out, "\">%.*f</data>", fabs(x) < 9.99995 || digits < 3 ? digits : 2, x);
    }
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

static void emit_chart(struct emit *e, const struct figure *f)
{
    static const char *const kinds[] = {"", "columns", "bars", "line", "points"};
    emit_open(e, NULL, '{');
    emit_string(e, "kind", kinds[f->chart]);
    emit_string(e, "x", f->x ? f->x : "");
    emit_string(e, "y", f->y ? f->y : "");
    emit_boolean(e, "logX", f->log_x);
    emit_boolean(e, "logY", f->log_y);
    emit_open(e, "labels", '[');
    for (size_t i = 0; i < f->count; i++)
        emit_string(e, NULL, f->label[i]);
    emit_close(e, ']');
    emit_values(e, "at", f->at, f->count);
    emit_open(e, "series", '[');
    for (size_t s = 0; s < f->series_count; s++) {
        if (f->series[s].table_only)
            continue;
        emit_open(e, NULL, '{');
        emit_string(e, "name", f->series[s].name);
        emit_values(e, "values", f->series[s].value, f->count);
        emit_values(e, "low", f->series[s].low, f->count);
        emit_values(e, "high", f->series[s].high, f->count);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_close(e, '}');
}

/* "<" only stands inside of strings, where it may be written so; the element can't be ended. */
static void put_json(struct str *out, const struct str *json)
{
    out->failed |= json->failed;
    for (const char *p = str_text(json); *p; p++)
        if (*p == '<')
            str_put(out, "\\u003c");
        else
            str_char(out, *p);
}

static void put_chart(struct str *out, const struct figure *f)
{
    struct emit e = {.compact = true};
    emit_chart(&e, f);
    str_fmt(out, "<div class=\"chart\" data-rows=\"%zu\"><canvas role=\"img\" aria-label=\"",
            f->count);
    html_text(out, f->title);
    str_put(out, ". ");
    html_text(out, f->says);
    str_put(out, "\"></canvas>\n<script type=\"application/json\">");
    put_json(out, &e.text);
    str_put(out, "</script></div>\n");
    str_done(&e.text);
}

static void put_head(struct str *out, const struct figure *f)
{
    str_put(out, "<thead><tr><th scope=\"col\">");
    html_text(out, f->head);
    str_put(out, "</th>");
    for (size_t s = 0; s < f->series_count; s++) {
        str_put(out, "<th scope=\"col\">");
        html_text(out, f->series[s].name);
        str_put(out, f->series[s].low ? "</th><th scope=\"col\">from</th><th scope=\"col\">to</th>"
                                      : "</th>");
    }
    str_put(out, "</tr></thead>\n");
}

static void put_row(struct str *out, const struct figure *f, size_t i)
{
    str_put(out, "<tr><th scope=\"row\">");
    html_text(out, f->label[i]);
    str_put(out, "</th>");
    for (size_t s = 0; s < f->series_count; s++) {
        const struct series *one = &f->series[s];
        bool best = one->best == (int)i;
        str_put(out, best ? "<td><strong>" : "<td>");
        put_number(out, one->value[i], one->digits);
        str_put(out, best ? "</strong></td>" : "</td>");
        if (!one->low)
            continue;
        str_put(out, "<td>");
        put_number(out, one->low[i], one->digits);
        str_put(out, "</td><td>");
        put_number(out, one->high[i], one->digits);
        str_put(out, "</td>");
    }
    str_put(out, "</tr>\n");
}

static void put_table(struct str *out, const struct figure *f)
{
    str_put(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    html_text(out, f->title);
    str_put(out, ": numbers\">\n<table><caption class=\"unseen\">");
    html_text(out, f->title);
    str_put(out, "</caption>\n");
    put_head(out, f);
    str_put(out, "<tbody>\n");
    for (size_t i = 0; i < f->count; i++)
        if (!f->every || i % f->every == 0 || i + 1 == f->count)
            put_row(out, f, i);
    str_put(out, "</tbody></table></div>\n");
}

void html_figure(struct str *out, const struct figure *f)
{
    str_fmt(out, "<figure id=\"%s\" class=\"panel%s\">\n<figcaption><h3>", f->id,
            f->wide ? " wide" : "");
    html_text(out, f->title);
    str_put(out, "</h3><p>");
    html_text(out, f->says);
    str_put(out, "</p></figcaption>\n");
    if (f->chart == CHART_NONE) {
        put_table(out, f);
    } else {
        put_chart(out, f);
        str_put(out, "<details open><summary>The numbers</summary>\n");
        put_table(out, f);
        str_put(out, "</details>\n");
    }
    str_put(out, "</figure>\n");
}
