/* palate tune: a model's options searched on a validation part.
 *
 * The split's validation part judges or, where it has none, a piece of its training part. The test
 * part is freed before the first trial begins. Trial 1 is the model as it would be trained anyway,
 * so that what is found is never worse on what it is judged by. A lower rung of the search has
 * fewer epochs: a real model, which may turn out to be the best. A model without epochs is tried in
 * full each time: with fewer users to learn from it would want other options, since most
 * regularizations weigh against a sum over users. */
#include "cli/tune.h"

#include "base/mem.h"
#include "cli/source.h"
#include "model/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TRIALS = 30 };

const struct tune_record *tune_find(const struct tune *t, uint32_t trial, unsigned rung)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->records[i].trial == trial && t->records[i].rung == rung)
            return &t->records[i];
    return NULL;
}

/* Of two equal ones that of the lower number, in whatever order they ended. */
const struct tune_record *tune_best(const struct tune *t)
{
    const struct tune_record *best = NULL;
    for (size_t i = 0; i < t->count; i++) {
        const struct tune_record *r = &t->records[i];
        if (*r->reason || isnan(r->value[0]))
            continue;
        bool equal = best && r->value[0] == best->value[0];
        bool earlier =
            equal && (r->trial != best->trial ? r->trial < best->trial : r->rung > best->rung);
        if (!best || earlier || trials_better(&t->judged, r->value[0], best->value[0]))
            best = r;
    }
    return best;
}

/* ---- what is judged ---- */

static bool has_validation(const char *spec)
{
    const char *slash = strchr(spec, '/');
    return strcmp(spec, "leave-one-out") == 0 || (slash && strchr(slash + 1, '/'));
}

/* How the training part is cut once more where the split has no validation part: in the same way,
 * a tenth; for parts that the publisher made as these most likely were. */
static const char *usual_cut(const struct job *job, const char *spec, const struct dataset *d)
{
    struct str text = {0};
    size_t name = strcspn(spec, ":");
    if (strcmp(spec, "file") == 0)
        return d->negatives.item ? "leave-one-out" : "user:90/10";
    str_fmt(&text, "%.*s:90/10", (int)name, spec);
    const char *kept =
        arena_text(&((struct job *)(uintptr_t)job)->arena, str_text(&text), text.len);
    str_done(&text);
    return kept ? kept : "random:90/10";
}

/* Cuts the data and forgets what trials must not see. */
static enum pal_status cut(struct tune *t, struct dataset *d, struct pal_error *err)
{
    struct job *job = t->job;
    struct settings *set = &job->set;
    const char *spec = set->split ? set->split : d->test.start ? "file" : "random:80/20";
    if (!set->tune && !has_validation(spec))
        set->tune = usual_cut(job, spec, d);
    set->part = set->tune ? PART_TEST : PART_VALID; /* the inner split calls it test */
    set->bootstrap = 0;
    enum pal_status st = trials_prepare(job, d, spec, set->metrics, &t->judged, err);
    if (st)
        return st;
    struct split *s = &t->judged.split;
    struct interactions *judges = set->tune ? &s->test : &s->valid;
    interactions_done(&d->all);
    interactions_done(&d->test);
    if (!set->tune)
        interactions_done(&s->test);
    t->seen = *d;
    t->seen.all = s->train;
    t->seen.test = *judges;
    memset(&t->seen.negatives, 0, sizeof t->seen.negatives);
    t->judged.data = &t->seen;
    return training_make(&t->seen, &s->train, &t->judged.weights, &job->run, &t->training, err);
}

/* ---- what is searched ---- */

/* An option that the person set is not searched. */
static void drop_set(struct tune *t)
{
    const struct job *job = t->job;
    char name[64];
    size_t len = strlen(t->start.ops->name);
    for (size_t i = 0; i < job->set_count; i++) {
        const char *text = job->sets[i].text;
        if (strncmp(text, t->start.ops->name, len) != 0 || text[len] != '.')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(text + len + 1, "="), text + len + 1);
        space_drop(&t->space, name);
    }
    for (const char *p = strchr(t->start.label, '+'); p; p = strchr(p + 1, '+')) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 1, "="), p + 1);
        space_drop(&t->space, name);
    }
}

/* Rungs of a ninth, a third and all of the epochs, as far as these differ. */
static void make_rungs(struct tune *t)
{
    const struct opt *row = opt_find(&t->start.ops->options, "epochs");
    const struct space_option *range = space_find(&t->space, "epochs");
    t->set.rungs = 1;
    if (!row || row->kind != OPT_INT || !t->job->set.halving)
        return;
    int64_t most = *(int64_t *)((char *)t->start.options + row->offset);
    if (range)
        most = (int64_t)range->high;
    space_drop(&t->space, "epochs");
    t->epochs = row;
    t->set.rungs = most >= 9 ? 3 : most >= 3 ? 2 : 1;
    for (unsigned r = t->set.rungs; r-- > 0; most = (most + 1) / 3)
        t->rung_epochs[r] = most;
}

static enum pal_status choose_space(struct tune *t, struct pal_error *err)
{
    const struct model_ops *ops = t->start.ops;
    const struct settings *set = &t->job->set;
    enum pal_status st =
        space_make(&ops->options, ops->tuned, NULL, t->start.options, &t->space, err);
    if (!st) {
        struct str asked = {0};
        drop_set(t);
        for (size_t i = 0; i < t->space.count; i++) {
            space_show(&t->space.option[i], &asked);
            str_char(&asked, ',');
        }
        st = str_ok(&asked) ? space_make(&ops->options, str_text(&asked), set->space,
                                         t->start.options, &t->space, err)
                            : pal_no_memory(err);
        str_done(&asked);
    }
    if (st)
        return pal_within(err, st, "--space for %s", ops->name);
    make_rungs(t);
    if (!t->space.count)
        return pal_fail(err, PAL_EUSAGE,
                        "%s has no option left to search: see palate help %s, and --space",
                        ops->name, ops->name);
    t->set.random = set->search == SEARCH_RANDOM;
    t->set.seed = (uint64_t)set->seed;
    t->set.trials = set->trials ? (size_t)set->trials : set->time > 0 ? SEARCH_TRIALS_MOST : TRIALS;
    t->set.space.dims = t->space.count;
    for (size_t i = 0; i < t->space.count; i++)
        t->set.space.choices[i] = t->space.option[i].choices;
    return PAL_OK;
}

static enum pal_status choose_model(struct tune *t, struct pal_error *err)
{
    struct plan plan;
    if (!t->job->set.model)
        return pal_fail(err, PAL_EUSAGE, "which model? --model als");
    enum pal_status st = plan_make(t->job, t->job->set.model, NULL, 0, &plan, err);
    if (st)
        return st;
    if (plan.count > 1)
        return pal_fail(err, PAL_EUSAGE, "--model: one model is tuned at a time");
    t->start = plan.variants[0];
    return choose_space(t, err);
}

/* ---- the command ---- */

/* "tune-als.jsonl" unless the person named a file. */
static enum pal_status name_file(struct tune *t, const char **name, const char *ending,
                                 struct pal_error *err)
{
    struct str text = {0};
    if (*name)
        return PAL_OK;
    str_fmt(&text, "tune-%s.%s", t->start.ops->name, ending);
    *name = str_ok(&text) ? arena_text(&t->job->arena, str_text(&text), text.len) : NULL;
    str_done(&text);
    return *name ? PAL_OK : pal_no_memory(err);
}

/* What there is so far is worth having even if the search was interrupted. */
static enum pal_status finish(struct tune *t, enum pal_status st, struct pal_error *err)
{
    bool stopped = st == PAL_EINTERRUPTED;
    const char *ini = NULL;
    if (st && !stopped)
        return st;
    if (tune_best(t)) {
        struct pal_error why;
        ini = t->job->set.output;
        enum pal_status wrote = tune_ini(t, ini, &why);
        if (wrote)
            return pal_fail(err, wrote, "%s", why.message);
    } else if (!stopped) {
        return pal_fail(err, PAL_EUNSUPPORTED, "no trial succeeded: %.300s",
                        t->count ? t->records[0].reason : "there was no time for one");
    }
    if (!stopped || !t->job->set.json)
        tune_say_end(t, ini);
    if (stopped)
        return pal_fail(err, st, "interrupted: the same command goes on where it stopped");
    return PAL_OK;
}

/* What the search as a whole found, however it ended. */
static void record(struct tune *t)
{
    struct track_run *run = t->tracking.run;
    const struct tune_record *best = tune_best(t);
    if (!best)
        return;
    char name[32];
    snprintf(name, sizeof name, "trial %u", best->trial);
    track_tag(run, "palate.best", name);
    tracking_metrics(run, t->judged.metrics, t->judged.metric_count, best->value, 0);
    track_metric(run, "trials", (double)t->count, 0);
    tracking_file(run, "best.ini", t->job->set.output);
    tracking_file(run, "trials.jsonl", t->job->set.save);
}

static enum pal_status search(struct tune *t, struct pal_error *err)
{
    struct settings *set = &t->job->set;
    enum pal_status st = name_file(t, &set->save, "jsonl", err);
    if (!st)
        st = name_file(t, &set->output, "ini", err);
    if (!st)
        st = tune_file_open(t, set->save, err);
    if (st)
        return st;
    t->began = now_seconds();
    tune_say_begin(t);
    tracking_judge(&t->tracking, &t->judged);
    st = finish(t, tune_rounds(t, err), err);
    record(t);
    return st;
}

enum pal_status tune_run(struct job *job, struct pal_error *err)
{
    struct tune *t = arena_zero(&job->arena, 1, sizeof *t);
    struct dataset *d = NULL;
    if (!t)
        return pal_no_memory(err);
    t->job = job;
    pthread_mutex_init(&t->lock, NULL);
    enum pal_status st = source_memory(job, &t->memory, err);
    if (!st)
        st = source_choose(job, err);
    if (!st)
        st = trials_check(job, err);
    if (!st)
        st = choose_model(t, err);
    if (!st)
        st = tracking_open(job, &t->tracking, err);
    if (!st)
        st = job_threads(job, err);
    if (!st)
        st = source_load(job, NULL, &d, err);
    if (!st)
        tracking_begin(&t->tracking, job, d);
    if (!st)
        st = cut(t, d, err);
    if (!st && !t->memory)
        t->memory = memory_available();
    if (!st)
        st = search(t, err);
    tracking_close(&t->tracking, job, st, err);
    tune_file_close(t->file);
    mem_free(t->records);
    training_done(&t->training);
    trials_done(&t->judged);
    dataset_free(d);
    pthread_mutex_destroy(&t->lock);
    return st;
}
