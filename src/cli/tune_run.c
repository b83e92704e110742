/* Trying: the rounds of a search, on as many threads as there are.
 *
 * What can be tried at once is tried side by side, each trial on one thread: that keeps every core
 * at work, where one trial on all of them waits at the end of each step. What is left over when
 * there are fewer trials than threads, and what would not fit into memory side by side, runs one by
 * one on all threads. Models and metrics are the same at any thread count, and so is the search,
 * since a round's outcomes are told only when all are there. */
#include "cli/tune.h"

#include "base/mem.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double share_of_memory = 0.9; /* that trials side by side may be expected to take */

struct round {
    struct tune *t;
    const struct search_task *task; /* (count) */
    size_t count;
    struct tune_record *record[SEARCH_ROUND_MOST]; /* (left) of those to try */
    size_t left;
    enum pal_status st; /* of what ends the search */
    struct pal_error err;
};

double tune_elapsed(const struct tune *t)
{
    return t->before_s + now_seconds() - t->began;
}

/* A run_progress_fn; ctx is the tune. Called often by whatever runs, so this is where time is
 * watched. */
static void watch(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct tune *t = ctx;
    double limit = t->job->set.time * 60;
    if (*interrupt_flag())
        t->stop = 1;
    if (limit > 0 && tune_elapsed(t) > limit && !t->stop) {
        t->late = true;
        t->stop = 1;
    }
    if (t->alone)
        progress_tell(&t->job->progress, stage, done, total);
}

/* What a reader of the file will read, so that a search goes on from there as if it had not
 * stopped. */
static double as_written(double x)
{
    char text[40];
    double y = x;
    int len = snprintf(text, sizeof text, "%.10g", x);
    return isfinite(x) && text_real(text, text + len, &y) ? y : NAN;
}

static uint64_t memory_of(const struct tune *t, const void *chosen)
{
    const struct csr *m = &t->training.by_user;
    return t->start.ops->memory(chosen, m->rows, m->cols, csr_entries(m));
}

static void take_result(struct tune_record *r, const struct trials *judged,
                        const struct eval_result *result)
{
    for (size_t m = 0; m < judged->metric_count; m++)
        r->value[m] = as_written(result->value[m]);
    if (isnan(r->value[0]))
        snprintf(r->reason, sizeof r->reason, "%s is not a number", judged->metrics[0].name);
}

/* Trains and judges one; failures of the model go into the record. */
static enum pal_status try_one(struct tune *t, struct tune_record *r, const struct run *run,
                               struct pal_error *err)
{
    struct model *m = NULL;
    struct eval_result result = {0};
    const struct trials *judged = &t->judged;
    double began = now_seconds();
    enum pal_status st = model_fit(t->start.ops, r->options, &t->training, t->memory, run, &m, err);
    r->train_s = now_seconds() - began;
    began = now_seconds();
    if (!st)
        st = evaluate(m, &t->seen, &judged->split, &judged->weights, &judged->options, run, &result,
                      err);
    r->eval_s = now_seconds() - began;
    r->peak_bytes = peak_bytes();
    model_free(m);
    if (st && st != PAL_EINTERRUPTED && (r->trial > 1 || st == PAL_ENOMEM)) {
        snprintf(r->reason, sizeof r->reason, "%.199s", err->message);
        st = PAL_OK;
    } else if (!st) {
        take_result(r, judged, &result);
    }
    eval_result_done(&result);
    return st;
}

/* A run inside that of the search; with rungs its metrics have the epochs as their step. */
static void record(struct tune *t, const struct tune_record *r)
{
    char name[64];
    struct variant v = {t->start.ops, r->options, t->start.label};
    int64_t step = t->epochs ? *(int64_t *)((char *)r->options + t->epochs->offset) : 0;
    snprintf(name, sizeof name, "%.30s trial %u rung %u", v.ops->name, r->trial, r->rung);
    struct track_run *run = tracking_model(&t->tracking, &v, name, r->train_s + r->eval_s);
    tracking_metrics(run, t->judged.metrics, t->judged.metric_count, r->value, step);
    track_metric(run, "train_seconds", r->train_s, 0);
    track_metric(run, "eval_seconds", r->eval_s, 0);
    track_metric(run, "memory_bytes", (double)r->memory_bytes, 0);
    track_end(run, *r->reason ? TRACK_FAILED : TRACK_FINISHED, *r->reason ? r->reason : NULL);
}

/* One of a round, from whatever thread. */
static void try_task(struct round *round, size_t i, struct pool *pool)
{
    struct tune *t = round->t;
    struct tune_record *r = round->record[i];
    struct run run = {
        .pool = pool,
        .seed = t->job->run.seed,
        .progress = watch,
        .progress_ctx = t,
        .stop = &t->stop,
    };
    struct pal_error err;
    for (size_t m = 0; m < METRICS_MOST; m++)
        r->value[m] = NAN;
    r->memory_bytes = memory_of(t, r->options);
    enum pal_status st = run_step(&run, "training", 0, 0, &err);
    if (!st)
        st = try_one(t, r, &run, &err);
    pthread_mutex_lock(&t->lock);
    r->elapsed_s = tune_elapsed(t);
    if (!st)
        st = tune_file_add(t->file, t, r, &err);
    if (!st) {
        t->records[t->count++] = *r;
        record(t, r);
        tune_say_record(t, r);
    } else {
        t->stop = 1;
        if (!round->st || round->st == PAL_EINTERRUPTED) {
            round->st = st;
            round->err = err;
        }
    }
    pthread_mutex_unlock(&t->lock);
}

static void try_range(void *ctx, size_t begin, size_t end, unsigned worker)
{
    (void)worker;
    for (size_t i = begin; i < end; i++)
        try_task(ctx, i, NULL);
}

/* Whether any `threads` of them fit into memory at the same time. */
static bool fit_together(const struct round *round, size_t threads)
{
    double largest[SEARCH_ROUND_MOST], sum = 0;
    size_t n = round->left;
    for (size_t i = 0; i < n; i++) {
        double x = (double)memory_of(round->t, round->record[i]->options);
        size_t at = i;
        for (; at && largest[at - 1] < x; at--)
            largest[at] = largest[at - 1];
        largest[at] = x;
    }
    for (size_t i = 0; i < n && i < threads; i++)
        sum += largest[i];
    return sum <= share_of_memory * (double)round->t->memory;
}

/* What the search asks for on a rung. */
static enum pal_status make_record(struct tune *t, const struct search_task *task,
                                   struct tune_record **out, struct pal_error *err)
{
    size_t size = t->start.ops->options_size;
    struct tune_record *r = arena_zero(&t->job->arena, 1, sizeof *r);
    void *chosen = arena_zero(&t->job->arena, 1, size ? size : 1);
    if (!r || !chosen)
        return pal_no_memory(err);
    memcpy(chosen, t->start.options, size);
    *r = (struct tune_record){.trial = task->trial, .rung = task->rung, .options = chosen};
    if (task->trial > 1) {
        space_set(&t->space, task->at, chosen);
        if (t->epochs)
            *(int64_t *)((char *)chosen + t->epochs->offset) = t->rung_epochs[task->rung];
    }
    *out = r;
    return PAL_OK;
}

/* A trial that an earlier run made must be the one that this search would make. */
static enum pal_status check_found(const struct tune *t, const struct tune_record *found,
                                   const struct tune_record *wanted, struct pal_error *err)
{
    struct str a = {0}, b = {0};
    model_options_json(t->start.ops, found->options, &a);
    model_options_json(t->start.ops, wanted->options, &b);
    enum pal_status st = PAL_OK;
    if (!str_ok(&a) || !str_ok(&b))
        st = pal_no_memory(err);
    else if (strcmp(str_text(&a), str_text(&b)) != 0)
        st = pal_fail(err, PAL_ECORRUPT,
                      "%s: trial %u there is not the one that this search makes: another version "
                      "of palate wrote it, or it was changed; delete it or --save elsewhere",
                      t->job->set.save, found->trial);
    str_done(&a);
    str_done(&b);
    return st;
}

static enum pal_status gather(struct round *round, struct pal_error *err)
{
    struct tune *t = round->t;
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < round->count && !st; i++) {
        struct tune_record *r = NULL;
        const struct tune_record *found = tune_find(t, round->task[i].trial, round->task[i].rung);
        st = make_record(t, &round->task[i], &r, err);
        if (!st && found)
            st = check_found(t, found, r, err);
        if (!st && !found) {
            round->record[round->left++] = r;
        }
    }
    if (!st && mem_grow(&t->records, &t->cap, t->count + round->left, sizeof *t->records))
        st = pal_no_memory(err);
    return st;
}

static void try_all(struct round *round)
{
    struct tune *t = round->t;
    struct pool *pool = t->job->run.pool;
    size_t threads = pool_size(pool), together = 0;
    if (threads > 1 && fit_together(round, threads))
        together = round->left - round->left % threads;
    t->alone = false;
    pool_for(pool, together, 1, try_range, round);
    t->alone = true;
    for (size_t i = together; i < round->left && !round->st; i++) {
        char label[32];
        snprintf(label, sizeof label, "trial %u", round->record[i]->trial);
        progress_label(&t->job->progress, label);
        try_task(round, i, pool);
    }
}

static double outcome(const struct tune *t, const struct tune_record *r)
{
    if (!r || *r->reason)
        return NAN;
    return metric_falls(&t->judged.metrics[0]) ? -r->value[0] : r->value[0];
}

enum pal_status tune_rounds(struct tune *t, struct pal_error *err)
{
    struct search *search = NULL;
    double first[SPACE_MOST];
    space_get(&t->space, t->start.options, first);
    enum pal_status st = search_new(&t->set, first, &search, err);
    while (!st) {
        struct round round = {.t = t};
        round.count = search_next(search, &round.task);
        if (!round.count)
            break;
        st = gather(&round, err);
        if (!st && round.left)
            try_all(&round);
        if (!st && round.st) {
            *err = round.err;
            st = round.st;
        }
        for (size_t i = 0; i < round.count && !st; i++)
            search_tell(search, i,
                        outcome(t, tune_find(t, round.task[i].trial, round.task[i].rung)));
    }
    search_free(search);
    return st == PAL_EINTERRUPTED && t->late && !*interrupt_flag() ? PAL_OK : st;
}
