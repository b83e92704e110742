/* The learning loop: when to train, and what becomes of it.
 *
 * Training runs in a child process (the same binary's `palate train --store …`), so that a crash or
 * a full memory there never touches serving. It begins by the clock, after so many new events, when
 * there are twice as many as the last time, or by call; one at a time. The child reads the store
 * and what the journal still holds, measures on a holdout, publishes if the gate lets it, and
 * writes its progress as JSON lines to a pipe; when it has published, the live recommender reloads.
 *
 * Every function may be called from any thread. */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include "engine/live.h"

struct loop_options {
    double every_hours;   /* train so often; 0 = not by the clock */
    int64_t events;       /* train after so many new events; 0 = not by number */
    double growth;        /* train once there are so many times the events of the last training; 0 =
                             not by growth */
    int64_t least_events; /* not below so many in all */
    double margin;        /* the gate: publish unless worse than the live model by more than this
                             share of its metric */
    const char *models;   /* "als,ease,popular"; NULL = what suits the data */
    const char *set;      /* "als.factors=128,ease.regularization=300" */
    const char *metric;   /* "ndcg@10" */
    const char *split;    /* "time:90/10" */
    int64_t keep;         /* versions kept, the live one and what it replaced included */
    int64_t timeout_minutes;
    int64_t nice;       /* of the child: 0 to 19 */
    const char *config; /* no option: the server's config file, for the child; NULL = the usual */
};
extern const struct opt_table loop_option_table; /* loop.every_hours=… */

struct loop;

/* program: the binary to run; NULL = this process's own. store and models as in live_options. */
MUST_USE enum pal_status loop_start(struct live *live, const struct loop_options *o,
                                    const struct live_options *paths, const char *program,
                                    live_log_fn *log, void *log_ctx, struct loop **out,
                                    struct pal_error *err);

/* Ends a child that runs and waits for it. NULL is fine. */
void loop_stop(struct loop *l);

/* Begins a run now; *run receives its number. PAL_EFULL if one is running already (*run is that
 * one's). */
MUST_USE enum pal_status loop_train(struct loop *l, uint64_t *run, struct pal_error *err);

enum loop_state { LOOP_IDLE, LOOP_RUNNING };
enum loop_outcome { LOOP_NEVER, LOOP_PUBLISHED, LOOP_HELD_BACK, LOOP_FAILED, LOOP_STOPPED };

struct loop_run {
    uint64_t run;               /* from 1, since the server began */
    const char *cause;          /* "clock", "events", "growth", "call": a constant */
    int64_t began_ms, ended_ms; /* ended 0 = it runs */
    char stage[32], model[32];  /* while it runs: "loading", "training", "evaluating", … */
    double share;               /* 0 to 1 of the stage; below 0 = unknown */
    enum loop_outcome outcome;
    uint32_t version; /* published or held back; 0 = none */
    uint64_t events, items, users;
    double metric, live_metric; /* NAN where not measured */
    char metric_name[32];
    uint64_t peak_bytes;
    char message[512]; /* why it failed or was held back */
};

/* The run under way or the last one (run 0 = there was none), and the ones before: newest first. */
size_t loop_runs(struct loop *l, struct loop_run *out, size_t most);
enum loop_state loop_state(struct loop *l);

/* When the clock will start the next one; 0 = it won't. */
int64_t loop_next_ms(struct loop *l);

#endif
