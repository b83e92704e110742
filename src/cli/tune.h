/* The parts of palate tune: what is searched, what came of it, and where that is kept. */
#ifndef CLI_TUNE_H
#define CLI_TUNE_H

#include "cli/tracking.h"
#include "eval/search.h"
#include "eval/space.h"

#include <pthread.h>

/* One trial on one rung that ended. */
struct tune_record {
    uint32_t trial; /* from 1 */
    unsigned rung;
    void *options;    /* of the model; in the job's arena */
    char reason[200]; /* why it failed; "" = it did not */
    double value[METRICS_MOST];
    double train_s, eval_s;
    double elapsed_s;      /* since the search began, pauses between runs left out */
    uint64_t memory_bytes; /* what the model asks for */
    uint64_t peak_bytes;   /* of the process till then, with what ran at the same time */
};

struct tune_file;

struct tune {
    struct job *job;
    struct variant start; /* the model and the options of trial 1 */
    struct trials judged; /* split, metrics and weights; no trials of its own */
    struct dataset seen;  /* the data without the test part; borrows all of it */
    struct training training;
    uint64_t memory; /* bytes that trials may take, all together */
    struct space space;
    const struct opt *epochs; /* the option that a lower rung has less of; NULL = no rungs */
    int64_t rung_epochs[SEARCH_RUNGS_MOST];
    struct search_settings set;

    struct tune_record *records; /* (count) in the order in which they ended */
    size_t count, cap;
    size_t found; /* of them were there when this run began */
    struct tune_file *file;
    struct tracking tracking;
    pthread_mutex_t lock; /* guards what is below, the records and the screen while a round runs */
    atomic_int stop;      /* non-zero: what runs should end */
    atomic_bool late;     /* stopped since time is up */
    bool alone;           /* one trial runs, on all threads */
    double began, before_s; /* when this run began; how long earlier ones took */
    size_t drawn;           /* lines on the terminal that the next picture replaces */
    double drawn_at;
};

double tune_elapsed(const struct tune *t);

/* The best record that is a model as it would be trained: every rung's where rungs are epochs.
 * NULL = none that did not fail. */
const struct tune_record *tune_best(const struct tune *t);

/* The record of a trial on a rung, or NULL. */
const struct tune_record *tune_find(const struct tune *t, uint32_t trial, unsigned rung);

/* ---- tune_run.c ---- */

/* Tries what the search says until it is over, time is up, or it is interrupted. */
MUST_USE enum pal_status tune_rounds(struct tune *t, struct pal_error *err);

/* ---- tune_file.c: the trials as JSON lines ---- */

/* Opens or makes the file, reads what is there into t->records, and keeps it locked. PAL_EUSAGE if
 * it is of another search or somebody else writes to it, PAL_ECORRUPT with the line if it is
 * damaged; a last line that a crash cut off is dropped. */
MUST_USE enum pal_status tune_file_open(struct tune *t, const char *path, struct pal_error *err);

/* Appends a record: on disk when it returns. */
MUST_USE enum pal_status tune_file_add(struct tune_file *f, const struct tune *t,
                                       const struct tune_record *r, struct pal_error *err);
void tune_file_close(struct tune_file *f); /* NULL is fine */

/* The members "options" to "reason" of a record, to an open object. */
void tune_emit_record(struct emit *e, const struct tune *t, const struct tune_record *r);

/* What is searched, how and on what: the file's first line. */
void tune_emit_header(struct emit *e, const struct tune *t);

/* ---- tune_say.c ---- */

/* Before the first round, after each record, and at the end; as the console and --json want it. */
void tune_say_begin(struct tune *t);
void tune_say_record(struct tune *t, const struct tune_record *r);
void tune_say_end(struct tune *t, const char *ini);

/* ---- tune_ini.c ---- */

/* Writes the best options as a config file. */
MUST_USE enum pal_status tune_ini(const struct tune *t, const char *path, struct pal_error *err);

/* How much each option of the space explains of the values on the lowest rung: share
 * (t->space.count), see eval/importance.h. false: too few trials to say. */
bool tune_importance(const struct tune *t, double *share);

#endif
