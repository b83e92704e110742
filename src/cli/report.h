/* palate report: figures as HTML. A page is text that grows; errors are sticky in it (base/str.h).
 * Whatever comes from data or from a file of results goes through html_text or into JSON. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/arena.h"
#include "base/str.h"
#include "data/dataset.h"
#include "data/shape.h"
#include "data/stats.h"
#include "eval/evaluate.h"

#include <jansson.h>

/* ---- Text and figures (report_html.c) ---- */

/* Text as HTML, in elements and in quoted attributes; control characters become blanks, bytes that
 * are not UTF-8 U+FFFD. */
void html_text(struct str *out, const char *text);

/* A text made in the arena; "" when memory is out, which *out then remembers. */
const char *html_label(struct str *out, struct arena *arena, const char *fmt, ...) PRINTF(3, 4);

enum chart {
    CHART_NONE,    /* the table is the figure */
    CHART_COLUMNS, /* upright bars */
    CHART_BARS,    /* bars across, for long labels */
    CHART_LINE,    /* over `at` */
    CHART_POINTS,  /* labelled, first series across, second upwards */
};

struct series {
    const char *name;
    const double *value;      /* (count) NAN: nothing there */
    const double *low, *high; /* (count) ends of intervals, or NULL */
    int digits;               /* behind the point; -1: a count */
    int best;                 /* the row to be marked, or -1 */
    bool table_only;          /* a column, not drawn */
};

enum { SERIES_MOST = 72 };

struct figure {
    const char *id, *title, *says; /* says: a sentence on what is to be seen; title NULL: none */
    enum chart chart;
    bool wide, log_x, log_y;
    const char *x, *y;        /* what the axes are, or NULL */
    const char *head;         /* of the labels' column */
    const char *const *label; /* (count) */
    const double *at;         /* (count) for CHART_LINE */
    size_t count;
    size_t every; /* rows of the table: each so many-th, and the last; 0 = all */
    struct series series[SERIES_MOST];
    size_t series_count;
};

/* A chart's description as JSON, for web/report.js, and the numbers as a table. */
void html_figure(struct str *out, const struct figure *f);

/* ---- The data (report_data.c) ---- */

/* liked: what counts as liked, in words. */
void report_data(struct str *out, const struct dataset *d, const struct stats *s,
                 const struct shape *shape, const char *liked, struct arena *arena);

/* ---- Results of palate eval (report_results.c) ---- */

enum { RESULTS_MOST = 64 };

struct results {
    json_t *root;
    size_t models, metrics;
    const json_t *model[RESULTS_MOST];
    const char *label[RESULTS_MOST];
    struct metric metric[RESULTS_MOST];
    size_t best; /* by the first metric; of two equal ones the first */
};

/* Reads what trials_emit wrote, from a file of this name. PAL_ECORRUPT names the file and what is
 * wrong with it. *out is the caller's to free with results_done, and borrows nothing. */
MUST_USE enum pal_status results_parse(const char *text, size_t len, const char *name,
                                       struct results *out, struct pal_error *err);
void results_done(struct results *r); /* an all-zero struct is fine */

double results_value(const struct results *r, size_t model, size_t metric); /* NAN: none */
bool results_interval(const struct results *r, size_t model, size_t metric, double *low,
                      double *high);
const char *results_text(const struct results *r, const char *key); /* of the whole; or "" */
double results_number(const json_t *object, const char *key);       /* NAN: none */

/* The comparison of a model with the best, or NULL. */
const json_t *results_comparison(const struct results *r, size_t model);

/* The best value of a metric, or the least of them (falling metrics); -1 without any. */
int results_best(const struct results *r, size_t metric);

/* ---- The comparison (report_models.c) ---- */

/* Who is best, by how much, and whether that is more than chance: a few sentences. */
void report_summary(struct str *out, const struct results *r);
void report_models(struct str *out, const struct results *r, struct arena *arena);

#endif
