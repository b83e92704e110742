/* The figures of a comparison. See report.h; all numbers are those of palate eval. */
#include "base/readable.h"
#include "report/report.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { FEATURES = 25, GROUPS = 6 };
static const double SURE = 0.05; /* the p-value below which a difference is told as one */

/* What all figures here are made from. */
struct page {
    struct figures *to;
    const struct results *r;
};

/* A column with a number for each model. */
static double *column(const struct page *p)
{
    return figure_column(p->to, RESULTS_MOST);
}

static void put(const struct page *p, const struct figure *f)
{
    if (!p->to->failed)
        p->to->take(p->to->ctx, f);
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

/* Sentences, with marks for names and numbers or without. */
struct prose {
    struct str *out;
    bool html;
};

static void put_value(const struct prose *to, double x)
{
    if (to->html) {
        str_put(to->out, "<data value=\"");
        str_real(to->out, x);
        str_put(to->out, "\">");
    }
    str_fmt(to->out, "%.*f%s", fabs(x) < 9.99995 ? 4 : 2, x, to->html ? "</data>" : "");
}

static void put_name(const struct prose *to, const char *label)
{
    if (!to->html) {
        str_put(to->out, label);
        return;
    }
    str_put(to->out, "<b>");
    html_text(to->out, label);
    str_put(to->out, "</b>");
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

static void put_p(const struct prose *to, double p)
{
    if (p < 0.0005)
        str_put(to->out, to->html ? "p &lt; 0.001" : "p < 0.001");
    else
        str_fmt(to->out, "p = %.3f", p);
}

static void put_second(const struct prose *to, const struct results *r, size_t second)
{
    double best = results_value(r, r->best, 0), x = results_value(r, second, 0);
    double p = results_number(results_comparison(r, second), "p");
    str_put(to->out, " Next is ");
    put_name(to, r->label[second]);
    str_put(to->out, " with ");
    put_value(to, x);
    if (x != 0)
        str_fmt(to->out, ", which the best is %.1f %% %s", 100 * fabs(best - x) / fabs(x),
                metric_falls(&r->metric[0]) ? "below" : "above");
    if (isnan(p)) {
        str_put(to->out, "; whether that is more than chance was not tested.");
        return;
    }
    str_put(to->out, p < SURE ? ": more than chance would bring about ("
                              : ": no more than what chance may bring about (");
    put_p(to, p);
    str_put(to->out, ").");
}

/* All others that the best one can't be told from. */
static void put_ties(const struct prose *to, const struct results *r)
{
    size_t ties = 0, tested = 0;
    for (size_t i = 0; i < r->models; i++) {
        double p = results_number(results_comparison(r, i), "p");
        tested += !isnan(p);
        ties += p >= SURE;
    }
    if (tested > 1)
        str_fmt(to->out,
                " Of the %zu other models tested, %zu can be told from it with confidence.", tested,
                tested - ties);
}

void report_summary(struct str *out, const struct results *r, bool html)
{
    const struct prose to = {out, html};
    double low, high, confidence = results_number(r->root, "confidence");
    double best = results_value(r, r->best, 0);
    if (isnan(best)) {
        str_fmt(out, "No model has a value of %s.", r->metric[0].name);
        return;
    }
    if (r->models > 1)
        str_fmt(out, "Best by %s is ", r->metric[0].name);
    put_name(&to, r->label[r->best]);
    str_put(out, r->models > 1 ? " with " : " has ");
    put_value(&to, best);
    if (r->models == 1)
        str_fmt(out, " by %s", r->metric[0].name);
    if (results_interval(r, r->best, 0, &low, &high) && !isnan(confidence)) {
        str_fmt(out, " (%g %% interval ", confidence * 100);
        put_value(&to, low);
        str_put(out, " to ");
        put_value(&to, high);
        str_put(out, ")");
    }
    str_put(out, ".");
    int second = second_best(r);
    if (second >= 0)
        put_second(&to, r, (size_t)second);
    put_ties(&to, r);
}

static void take_split(const struct results *r, report_fact_fn *take, void *ctx, struct str *text)
{
    const char *split = results_text(r, "split");
    str_fmt(text, "%s, the %s part, seed %.0f", *split ? split : "unknown",
            strcmp(results_text(r, "part"), "valid") == 0 ? "validation" : "test",
            results_number(r->root, "seed"));
    take(ctx, "Split", str_text(text));
    str_clear(text);
}

void report_protocol(const struct results *r, report_fact_fn *take, void *ctx)
{
    struct str text = {0};
    take_split(r, take, ctx, &text);
    str_put(&text, strcmp(results_text(r, "protocol"), "full") == 0
                       ? "all items ranked for "
                       : "the held-out items among sampled negatives, for ");
    put_count(&text, (uint64_t)fmax(results_number(r->model[0], "users"), 0));
    const char *target = results_text(r, "target");
    str_fmt(&text, " users; found is %s%s weighs at least %g", *target ? target : "what",
            *target ? " that" : "", results_number(r->root, "relevant_from"));
    take(ctx, "Protocol", str_text(&text));
    str_clear(&text);
    if (results_number(r->root, "bootstrap") > 0) {
        str_fmt(&text, "%g %%, from %.0f resamplings of the users",
                100 * results_number(r->root, "confidence"), results_number(r->root, "bootstrap"));
        take(ctx, "Intervals", str_text(&text));
    }
    str_done(&text);
}

/* ---- Figures ---- */

static void put_overview(const struct page *p)
{
    const struct results *r = p->r;
    struct figure f = {.id = "overview",
                       .title = "All models, all metrics",
                       .says = figure_text(
                           p->to,
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
    put(p, &f);
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
    struct figure f = {.id = figure_text(p->to, "metric-%zu", m + 1),
                       .title = r->metric[m].name,
                       .says =
                           figure_text(p->to, "%c%s. %s is better.", toupper((unsigned char)*help),
                                       help + 1, metric_falls(&r->metric[m]) ? "Less" : "More"),
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
    put(p, &f);
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
    struct figure f = {
        .id = figure_text(p->to, "against-%s", name),
        .title = figure_text(p->to, "%s against %s", r->metric[0].name, r->metric[m].name),
        .says = says,
        .chart = CHART_POINTS,
        .x = r->metric[m].name,
        .y = r->metric[0].name,
        .head = "Model",
        .label = r->label,
        .count = r->models};
    add(&f, r->metric[m].name, values(p, (size_t)m), 4, -1);
    add(&f, r->metric[0].name, values(p, 0), 4, -1);
    put(p, &f);
}

static const char *group_name(const struct page *p, const json_t *group)
{
    double from = results_number(group, "history_from"), to = results_number(group, "history_to");
    double users = results_number(group, "users");
    if (from == to)
        return figure_text(p->to, "%.0f events (%.0f users)", from, users);
    return figure_text(p->to, "%.0f to %.0f events (%.0f users)", from, to, users);
}

static void put_groups(const struct page *p)
{
    const struct results *r = p->r;
    const json_t *first = json_object_get(r->model[0], "groups");
    size_t groups = json_array_size(first);
    struct figure f = {.id = "groups",
                       .title = figure_text(p->to, "%s by activity", r->metric[0].name),
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
        put(p, &f);
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
    put(p, &f);
}

void report_ranker(struct figures *to, const char *id, const char *label, const json_t *ranker)
{
    const json_t *shares = json_object_get(ranker, "importance");
    const char *name[FEATURES], *key;
    double share[FEATURES];
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)shares, key, value)
    {
        if (n == FEATURES || !json_is_number(value))
            break;
        name[n] = key;
        share[n++] = 100 * json_number_value(value);
    }
    struct figure f = {.id = id,
                       .title = figure_text(to, "What %s goes by", label),
                       .says = "Each feature's share of what all splits of the trees gained.",
                       .chart = CHART_BARS,
                       .x = "% of the gain",
                       .head = "Feature",
                       .label = name,
                       .count = n};
    add(&f, "Gain, %", share, 2, -1);
    if (n && !to->failed)
        to->take(to->ctx, &f);
}

void report_models(struct figures *to, const struct results *r)
{
    const struct page p = {to, r};
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
        report_ranker(to, figure_text(to, "ranker-%zu", i + 1), r->label[i],
                      json_object_get(r->model[i], "ranker"));
}
