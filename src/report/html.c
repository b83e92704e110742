/* A figure as HTML. See figure.h. The chart's place is empty and hidden until web/report.js draws
 * into it what the JSON beside it says, so that a page without scripts is one of tables. */
#include "base/readable.h"
#include "base/text.h"
#include "report/figure.h"

#include <math.h>
#include <string.h>

enum { HEAT_STEPS = 10 };

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
    figure_emit(&e, NULL, f);
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

/* Narrow columns have their names upright. */
static void put_heat_head(struct str *out, const struct figure *f)
{
    str_put(out, "<thead><tr><td></td>");
    for (size_t s = 0; s < f->series_count; s++) {
        str_put(out, "<th scope=\"col\"><span>");
        html_text(out, f->series[s].name);
        str_put(out, "</span></th>");
    }
    str_put(out, "</tr></thead>\n");
}

static void put_head(struct str *out, const struct figure *f)
{
    if (f->chart == CHART_HEAT) {
        put_heat_head(out, f);
        return;
    }
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

/* The largest count off the diagonal. */
static double heat_most(const struct figure *f)
{
    double most = 0;
    for (size_t s = 0; s < f->series_count; s++)
        for (size_t i = 0; i < f->count; i++)
            most = i == s ? most : fmax(most, f->series[s].value[i]);
    return most;
}

/* Shaded by the root of the count's share of the largest, in steps that are classes. */
static void put_heat_row(struct str *out, const struct figure *f, size_t i, double most)
{
    for (size_t s = 0; s < f->series_count; s++) {
        double count = f->series[s].value[i];
        long step = most > 0 ? lround(HEAT_STEPS * sqrt(count / most)) : 0;
        if (i == s)
            str_put(out, "<td class=\"diagonal\">");
        else
            str_fmt(out, "<td class=\"heat-%ld\">", count > 0 && !step ? 1 : step);
        put_number(out, count, f->series[s].digits);
        str_put(out, "</td>");
    }
}

static void put_cells(struct str *out, const struct figure *f, size_t i)
{
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
}

static void put_rows(struct str *out, const struct figure *f)
{
    double most = f->chart == CHART_HEAT ? heat_most(f) : 0;
    for (size_t i = 0; i < f->count; i++) {
        if (f->every && i % f->every && i + 1 < f->count)
            continue;
        str_put(out, "<tr><th scope=\"row\">");
        html_text(out, f->label[i]);
        str_put(out, "</th>");
        if (f->chart == CHART_HEAT)
            put_heat_row(out, f, i, most);
        else
            put_cells(out, f, i);
        str_put(out, "</tr>\n");
    }
}

static void put_table(struct str *out, const struct figure *f)
{
    str_fmt(out, "<div class=\"scroll%s\" tabindex=\"0\" role=\"region\" aria-label=\"",
            f->chart == CHART_HEAT ? " heat" : "");
    html_text(out, f->title);
    str_put(out, ": numbers\">\n<table><caption class=\"unseen\">");
    html_text(out, f->title);
    str_put(out, "</caption>\n");
    put_head(out, f);
    str_put(out, "<tbody>\n");
    put_rows(out, f);
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
    if (f->chart == CHART_TABLE || f->chart == CHART_HEAT) {
        put_table(out, f);
    } else {
        put_chart(out, f);
        str_put(out, "<details open><summary>The numbers</summary>\n");
        put_table(out, f);
        str_put(out, "</details>\n");
    }
    str_put(out, "</figure>\n");
}
