/* Runs of training, tuning and evaluation, written down: for good in the registry's folder, and
 * told to an MLflow server where there is one.
 *
 * A run has parameters (texts), metrics (numbers, with a step where there is one), tags and
 * artifacts (small texts), and ends in one way. It may be part of another. In the folder a run that
 * ended is one JSON line of runs.jsonl; past 8 MiB that file becomes runs.1.jsonl, which replaces
 * the one before.
 *
 * Keeping a record never makes work fail or wait: nothing here returns an error but track_open.
 * What is for the server is put into a bounded queue, which a thread of its own sends, again and
 * again while the server is away. What is left when the program ends goes to a file in the folder
 * `unsent`, from which the next run for the same server sends it.
 *
 * A NULL track or run is fine everywhere and does nothing. One thread at a time uses a run; runs of
 * one track may be used by several. */
#ifndef TRACK_TRACK_H
#define TRACK_TRACK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct track;
struct track_run;

struct track_options {
    const char *root; /* the registry's folder; made if it is not there */
    const char *url;  /* "http://127.0.0.1:5000", also with "mlflow:" before it; NULL = no server */
};

/* PAL_EUSAGE for a URL that can't be one, or with a password in it: credentials come from
 * MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN; the experiment from MLFLOW_EXPERIMENT_NAME,
 * else it is "palate". PAL_EUNSUPPORTED where this build has no libcurl. Begins to send what
 * earlier runs left. */
MUST_USE enum pal_status track_open(const struct track_options *o, struct track **out,
                                    struct pal_error *err);

/* Waits a few seconds at most for what is still to be sent. note (size): one sentence about what
 * could not be written or sent; "" = nothing is missing. */
void track_close(struct track *t, char *note, size_t size);

/* command: "train"; name: for people; parent: NULL, or a run of the same track that ends later and
 * has begun as it should. NULL when memory is out. */
struct track_run *track_begin(struct track *t, struct track_run *parent, const char *command,
                              const char *name);

/* When it began, if that was before track_begin: milliseconds since 1970. Call it first. */
void track_began(struct track_run *r, int64_t began_ms);

void track_param(struct track_run *r, const char *name, const char *value);
void track_tag(struct track_run *r, const char *name, const char *value);

/* Not a finite number: left out. Of more than 1,000 steps of one run only the server gets all. */
void track_metric(struct track_run *r, const char *name, double value, int64_t step);

/* A text to keep beside the run, at most 4 MiB; the folder only keeps the name. */
void track_artifact(struct track_run *r, const char *name, const char *text, size_t len);

enum track_end { TRACK_FINISHED, TRACK_FAILED, TRACK_KILLED };

/* message: why it did not finish; NULL = it did. r is gone afterwards. */
void track_end(struct track_run *r, enum track_end how, const char *message);

/* The newest runs of the folder, the newest first, each as its JSON line; lines that can't be read
 * are passed over. Returns how many; calls on each with len bytes, not NUL-terminated. */
typedef void track_line_fn(void *ctx, const char *line, size_t len);
MUST_USE enum pal_status track_list(const char *root, size_t most, track_line_fn *fn, void *ctx,
                                    size_t *count, struct pal_error *err);

#endif
