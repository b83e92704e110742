/* The figures of a comparison. See report.h; all numbers are those of palate eval. */
#include "cli/console.h"
#include "cli/report.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FEATURES = 25, GROUPS = 6 };
static const double SURE = 0.05; /* the p-value below which a difference is told as one */

/* What all figures here are made from. Columns live in the arena. */
struct page {
    struct str *out;
    const struct results *r;
    struct arena *arena;
};

/* A column with a number for each model. */
static double *column(const struct page *p)
{
    double *x = arena_alloc(p->arena, RESULTS_MOST, sizeof *x);
    p->out->failed |= !x;
    for (size_t i = 0; x && i < RESULTS_MOST; i++)
        x[i] = NAN;
    return x;
}

static double *member(const struct page *p, const char *key, double scale)
{
    double *x = column(p);
    for (size_t i = 0; x && i < p->r->models; i++)
        x[i] = results_number(p->r->model[i], key) * scale;
    return x;
}

static double *values(const struct page *p, size_t metric)
{
    double *x = column(p);
    for (size_t i = 0; x && i < p->r->models; i++)
        x[i] = results_value(p->r, i, metric);
    return x;
}

static void add(struct figure *f, const char *name, const double *value, int digits, int best)
{
    if (value && f->series_count < SERIES_MOST)
        f->series[f->series_count++] =
            (struct series){.name = name, .value = value, .digits = digits, .best = best};
}

/* ---- In words ---- */

static void put_value(struct str *out, double x)
{
    str_fmt(out, "<data value=\"");
    str_real(out, x);
    str_fmt(out, "\">%.*f</data>", fabs(x) < 9.99995 ? 4 : 2, x);
}

static void put_name(struct str *out, const char *label)
{
    str_put(out, "<b>");
    html_text(out, label);
    str_put(out, "</b>");
}

/* The best model but one, by the first metric; -1 if there is no other with a value. */
static int second_best(const struct results *r)
{
    int second = -1;
    bool falls = metric_falls(&r->metric[0]);
    for (size_t i = 0; i < r->models; i++) {
        double x = results_value(r, i, 0);
        double y = second < 0 ? NAN : results_value(r, (size_t)second, 0);
        if (i != r->best && !isnan(x) && (isnan(y) || (falls ? x < y : x > y)))
            second = (int)i;
    }
    return second;
}

static void put_p(struct str *out, double p)
{
    if (p < 0.0005)
        str_put(out, "p &lt; 0.001");
    else
        str_fmt(out, "p = %.3f", p);
}

static void put_second(struct str *out, const struct results *r, size_t second)
{
    double best = results_value(r, r->best, 0), x = results_value(r, second, 0);
    double p = results_number(results_comparison(r, second), "p");
    str_put(out, " Next is ");
    put_name(out, r->label[second]);
    str_put(out, " with ");
    put_value(out, x);
    if (x != 0)
        str_fmt(out, ", which the best is %.1f %% %s", 100 * fabs(best - x) / fabs(x),
                metric_falls(&r->metric[0]) ? "below" : "above");
    if (isnan(p)) {
        str_put(out, "; whether that is more than chance was not tested.");
        return;
    }
    str_put(out, p < SURE ? ": more than chance would bring about ("
                          : ": no more than what chance may bring about (");
    put_p(out, p);
    str_put(out, ").");
}

/* All others that the best one can't be told from. */
static void put_ties(struct str *out, const struct results *r)
{
    size_t ties = 0, tested = 0;
    for (size_t i = 0; i < r->models; i++) {
        double p = results_number(results_comparison(r, i), "p");
        tested += !isnan(p);
        ties += p >= SURE;
    }
    if (tested > 1)
        str_fmt(out, " Of the %zu other models tested, %zu can be told from it with confidence.",
                tested, tested - ties);
}

void report_summary(struct str *out, const struct results *r)
{
    double low, high, confidence = results_number(r->root, "confidence");
    double best = results_value(r, r->best, 0);
    if (isnan(best)) {
        str_fmt(out, "<p class=\"summary\">No model has a value of %s.</p>\n", r->metric[0].name);
        return;
    }
    str_put(out, "<p class=\"summary\">");
    if (r->models > 1)
        str_fmt(out, "Best by %s is ", r->metric[0].name);
    put_name(out, r->label[r->best]);
    str_put(out, r->models > 1 ? " with " : " has ");
    put_value(out, best);
    if (r->models == 1)
        str_fmt(out, " by %s", r->metric[0].name);
    if (results_interval(r, r->best, 0, &low, &high) && !isnan(confidence)) {
        str_fmt(out, " (%g %% interval ", confidence * 100);
        put_value(out, low);
        str_put(out, " to ");
        put_value(out, high);
        str_put(out, ")");
    }
    str_put(out, ".");
    int second = second_best(r);
    if (second >= 0)
        put_second(out, r, (size_t)second);
    put_ties(out, r);
    str_put(out, "</p>\n");
}

/* ---- Figures ---- */

static void put_overview(const struct page *p)
{
    const struct results *r = p->r;
    struct figure f = {
        .id = "overview",
        .title = "All models, all metrics",
        .says = html_label(p->out, p->arena,
                           "The best value of each column is bold. p: how often chance alone would "
                           "bring about a difference in %s from the best model as large as this.",
                           r->metric[0].name),
        .wide = true,
        .head = "Model",
        .label = r->label,
        .count = r->models};
    double *chance = column(p);
    bool tested = false;
    for (size_t m = 0; m < r->metrics; m++)
        add(&f, r->metric[m].name, values(p, m), 4, r->models > 1 ? results_best(r, m) : -1);
    for (size_t i = 0; chance && i < r->models; i++) {
        chance[i] = results_number(results_comparison(r, i), "p");
        tested |= !isnan(chance[i]);
    }
    if (tested)
        add(&f, "p", chance, 3, -1);
    add(&f, "Training, s", member(p, "train_seconds", 1), 2, -1);
    add(&f, "Judging, s", member(p, "eval_seconds", 1), 2, -1);
    add(&f, "Memory, MB", member(p, "peak_rss_bytes", 1e-6), 0, -1);
    html_figure(p->out, &f);
}

static const char *explain(const struct metric *m)
{
    size_t len = strcspn(m->name, "@");
    for (size_t i = 0; metric_name(i); i++)
        if (strlen(metric_name(i)) == len && strncmp(metric_name(i), m->name, len) == 0)
            return metric_help(i);
    return "unknown";
}

static void put_metric(const struct page *p, size_t m)
{
    const struct results *r = p->r;
    const char *help = explain(&r->metric[m]);
    double *low = column(p), *high = column(p);
    bool intervals = false;
    for (size_t i = 0; low && high && i < r->models; i++)
        intervals |= results_interval(r, i, m, &low[i], &high[i]);
    struct figure f = {.id = html_label(p->out, p->arena, "metric-%zu", m + 1),
                       .title = r->metric[m].name,
                       .says = html_label(p->out, p->arena, "%c%s. %s is better.",
                                          toupper((unsigned char)*help), help + 1,
                                          metric_falls(&r->metric[m]) ? "Less" : "More"),
                       .chart = CHART_BARS,
                       .x = r->metric[m].name,
                       .head = "Model",
                       .label = r->label,
                       .count = r->models};
    add(&f, r->metric[m].name, values(p, m), 4, r->models > 1 ? results_best(r, m) : -1);
    if (intervals && f.series_count) {
        f.series[0].low = low;
        f.series[0].high = high;
    }
    html_figure(p->out, &f);
}

/* Of the metrics with this name the first; -1: none was measured. */
static int find_metric(const struct results *r, const char *name)
{
    size_t len = strlen(name);
    for (size_t m = 1; m < r->metrics; m++)
        if (strncmp(r->metric[m].name, name, len) == 0 && r->metric[m].name[len] == '@')
            return (int)m;
    return -1;
}

static void put_against(const struct page *p, const char *name, const char *says)
{
    const struct results *r = p->r;
    int m = find_metric(r, name);
    if (m < 0 || r->models < 2)
        return;
    struct figure f = {.id = html_label(p->out, p->arena, "against-%s", name),
                       .title = html_label(p->out, p->arena, "%s against %s", r->metric[0].name,
                                           r->metric[m].name),
                       .says = says,
                       .chart = CHART_POINTS,
                       .x = r->metric[m].name,
                       .y = r->metric[0].name,
                       .head = "Model",
                       .label = r->label,
                       .count = r->models};
    add(&f, r->metric[m].name, values(p, (size_t)m), 4, -1);
    add(&f, r->metric[0].name, values(p, 0), 4, -1);
    html_figure(p->out, &f);
}

static const char *group_name(const struct page *p, const json_t *group)
{
    double from = results_number(group, "history_from"), to = results_number(group, "history_to");
    double users = results_number(group, "users");
    if (from == to)
        return html_label(p->out, p->arena, "%.0f events (%.0f users)", from, users);
    return html_label(p->out, p->arena, "%.0f to %.0f events (%.0f users)", from, to, users);
}

static void put_groups(const struct page *p)
{
    const struct results *r = p->r;
    const json_t *first = json_object_get(r->model[0], "groups");
    size_t groups = json_array_size(first);
    struct figure f = {.id = "groups",
                       .title = html_label(p->out, p->arena, "%s by activity", r->metric[0].name),
                       .says = "Users in three groups by how many events the models knew of them.",
                       .chart = CHART_COLUMNS,
                       .y = r->metric[0].name,
                       .head = "Model",
                       .label = r->label,
                       .count = r->models};
    for (size_t g = 0; g < groups && g < GROUPS; g++) {
        double *x = column(p);
        for (size_t i = 0; x && i < r->models; i++)
            x[i] = results_number(
                json_object_get(json_array_get(json_object_get(r->model[i], "groups"), g),
                                "metrics"),
                r->metric[0].name);
        add(&f, group_name(p, json_array_get(first, g)), x, 4, -1);
    }
    if (f.series_count > 1)
        html_figure(p->out, &f);
}

static void put_cost(const struct page *p, const char *id, const char *title, const char *says,
                     const char *key, double scale, const char *unit, int digits)
{
    struct figure f = {.id = id,
                       .title = title,
                       .says = says,
                       .chart = CHART_BARS,
                       .x = unit,
                       .head = "Model",
                       .label = p->r->label,
                       .count = p->r->models};
    add(&f, unit, member(p, key, scale), digits, -1);
    html_figure(p->out, &f);
}

/* What a ranker goes by. */
static void put_importance(const struct page *p, size_t model)
{
    const json_t *shares =
        json_object_get(json_object_get(p->r->model[model], "ranker"), "importance");
    const char *label[FEATURES], *name;
    double share[FEATURES];
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)shares, name, value)
    {
        if (n == FEATURES || !json_is_number(value))
            break;
        label[n] = name;
        share[n++] = 100 * json_number_value(value);
    }
    struct figure f = {.id = html_label(p->out, p->arena, "ranker-%zu", model + 1),
                       .title = html_label(p->out, p->arena, "What %s goes by", p->r->label[model]),
                       .says = "Each feature's share of what all splits of the trees gained.",
                       .chart = CHART_BARS,
                       .x = "% of the gain",
                       .head = "Feature",
                       .label = label,
                       .count = n};
    add(&f, "Gain, %", share, 2, -1);
    if (n)
        html_figure(p->out, &f);
}

void report_models(struct str *out, const struct results *r, struct arena *arena)
{
    const struct page p = {out, r, arena};
    str_put(out, "<section id=\"models\" aria-labelledby=\"models-head\">\n"
                 "<h2 id=\"models-head\">The models</h2>\n<div class=\"panels\">\n");
    put_overview(&p);
    for (size_t m = 0; m < r->metrics; m++)
        put_metric(&p, m);
    put_against(&p, "coverage",
                "Upwards is better lists, to the right more of the catalog in some list.");
    put_against(&p, "novelty",
                "Upwards is better lists, to the right lists of what fewer people know.");
    put_groups(&p);
    put_cost(&p, "training", "Training time", "Seconds to train, with the threads of this run.",
             "train_seconds", 1, "s", 3);
    put_cost(&p, "memory", "Memory",
             "The most that the process held while the model was trained and judged, the data "
             "included.",
             "peak_rss_bytes", 1e-6, "MB", 1);
    for (size_t i = 0; i < r->models; i++)
        put_importance(&p, i);
    str_put(out, "</div>\n</section>\n");
}
