/* The record of a command: one run, with a run of its own inside it for each model or trial. See
 * track/track.h. */
#ifndef CLI_TRACKING_H
#define CLI_TRACKING_H

#include "cli/publish.h"
#include "cli/trials.h"
#include "track/track.h"

/* What a model told of itself while it was trained. */
struct tracking_step {
    char label[64]; /* of the variant */
    char name[32];
    uint64_t step;
    double value;
};

struct tracking {
    struct track *track;         /* NULL: no record is kept */
    struct track_run *run;       /* of the command; NULL before tracking_begin */
    int64_t began_ms;            /* the command */
    struct progress *progress;   /* the job's, which knows what is trained */
    struct tracking_step *steps; /* (count) */
    size_t count, cap;
};

/* Looks at --track and --models; before time is spent on anything. */
MUST_USE enum pal_status tracking_open(const struct job *job, struct tracking *out,
                                       struct pal_error *err);

/* The command's run: what it works on and with. From now on t, which stays where it is, takes what
 * models tell while they are trained by the job. */
void tracking_begin(struct tracking *t, struct job *job, const struct dataset *d);

/* How models are judged: as parameters of the command's run. */
void tracking_judge(struct tracking *t, const struct trials *judged);

/* A run inside it that took `seconds` until now, with the model and its options. NULL is fine for
 * all that takes it. The caller ends it. */
struct track_run *tracking_model(struct tracking *t, const struct variant *v, const char *name,
                                 double seconds);

/* All metrics of a result, at a step (0 = none). */
void tracking_metrics(struct track_run *r, const struct metric *metrics, size_t count,
                      const double *value, int64_t step);

/* A run for each trial, and the best one's metrics for the command. */
void tracking_trials(struct tracking *t, const struct trials *trials);

/* Only the latter. */
void tracking_best(struct tracking *t, const struct trials *trials);

/* What was published: a run for each model, with what was measured of it (judged; NULL = nothing
 * was), the version's number, and its manifest. */
void tracking_version(struct tracking *t, const struct plan *plan, const struct published *p,
                      const struct trials *judged);

/* Keeps a file of at most 4 MiB as an artifact; one that can't be read is left out. */
void tracking_file(struct track_run *r, const char *name, const char *path);

/* Ends the command's run as it ended, and says on standard error what could not be recorded. */
void tracking_close(struct tracking *t, struct job *job, enum pal_status st,
                    const struct pal_error *err);

#endif
