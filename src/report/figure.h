/* A figure: a title, a sentence on what is to be seen, a chart and the numbers it is drawn from. It
 * is described once, and becomes HTML in a report (html.c) or JSON for the page (figure.c);
 * web/figures.js draws the chart of both. Whatever comes from data goes through html_text or into
 * JSON. */
#ifndef REPORT_FIGURE_H
#define REPORT_FIGURE_H

#include "base/arena.h"
#include "base/emit.h"

#include <stddef.h>

enum chart {
    CHART_TABLE,   /* the table is the figure */
    CHART_COLUMNS, /* upright bars */
    CHART_BARS,    /* bars across, for long labels */
    CHART_LINE,    /* over `at` */
    CHART_POINTS,  /* labelled, first series across, second upwards */
    CHART_HEAT,    /* a table with shaded cells: counts by label and series, which have the same
                      names; the diagonal is not shaded */
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
    const char *id, *title, *says; /* says: a sentence on what is to be seen */
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

/* Where figures go, one after another; what they point to lives until take returns. */
struct figures {
    void (*take)(void *ctx, const struct figure *f);
    void *ctx;
    struct arena *arena; /* for texts and columns of those who make figures */
    bool failed;         /* memory is out: what was taken is not all */
};

/* A text made in the arena; "" when memory is out. */
const char *figure_text(struct figures *to, const char *fmt, ...) PRINTF(2, 3);

/* (count) numbers in the arena, all NAN; NULL when memory is out. */
double *figure_column(struct figures *to, size_t count);

/* An object with all of it; key as in emit.h. */
void figure_emit(struct emit *e, const char *key, const struct figure *f);

/* ---- HTML (html.c). Text grows; errors are sticky in it (base/str.h). ---- */

/* Text as HTML, in elements and in quoted attributes; control characters become blanks, bytes that
 * are not UTF-8 U+FFFD. */
void html_text(struct str *out, const char *text);

/* A <figure>: the chart's description as JSON, for web/report.js, and the numbers as a table. */
void html_figure(struct str *out, const struct figure *f);

#endif
