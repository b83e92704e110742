/* See trials.h. */
#include "cli/trials.h"

#include "base/mem.h"
#include "cli/source.h"
#include "cli/table.h"
#include "rank/rank.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char usual_metrics[] = "ndcg@10,precision@10,recall@10,map@10,coverage@10";

void trials_done(struct trials *t)
{
    for (size_t i = 0; i < t->count; i++)
        eval_result_done(&t->trials[i].result);
    mem_free(t->trials);
    split_done(&t->split);
    memset(t, 0, sizeof *t);
}

static enum pal_status describe_ranker(struct job *job, const struct model *m, struct trial *trial,
                                       struct pal_error *err)
{
    struct str text = {0};
    ranker_describe(m, &text);
    if (str_ok(&text))
        trial->ranker = arena_text(&job->arena, str_text(&text), text.len);
    str_done(&text);
    return trial->ranker ? PAL_OK : pal_no_memory(err);
}

/* Trains one variant and judges it. The model is the caller's. */
static enum pal_status run_one(struct job *job, const struct trials *t,
                               const struct training *training, uint64_t memory,
                               struct trial *trial, struct model **out, struct pal_error *err)
{
    struct model *m = NULL;
    peak_reset();
    double began = now_seconds();
    enum pal_status st = plan_fit(job, trial->variant, training, memory, &m, err);
    trial->train_s = now_seconds() - began;
    began = now_seconds();
    if (!st && plan_ranks(trial->variant))
        st = describe_ranker(job, m, trial, err);
    if (!st)
        st = evaluate(m, t->data, &t->split, &t->weights, &t->options, &job->run, &trial->result,
                      err);
    trial->eval_s = now_seconds() - began;
    trial->peak_bytes = peak_bytes();
    if (st)
        model_free(m);
    else
        *out = m;
    return st;
}

/* Whether the plan has a ranker behind its i-th variant, which will want it as a source. */
static bool wanted_later(const struct plan *plan, size_t i)
{
    for (size_t j = i + 1; j < plan->count && !plan_ranks(&plan->variants[i]); j++)
        if (plan_ranks(&plan->variants[j]))
            return true;
    return false;
}

enum pal_status trials_refit(struct job *job, const struct trials *t, const struct plan *plan,
                             const struct weights *weights, uint64_t memory, struct trial *out,
                             struct pal_error *err)
{
    struct training training;
    struct model *kept[PLAN_MOST] = {NULL};
    size_t done = 0;
    enum pal_status st = training_make(t->data, &t->split.train, weights ? weights : &t->weights,
                                       &job->run, &training, err);
    if (st)
        return st;
    training.sources = (const struct model *const *)kept;
    for (; done < plan->count && !st; done += !st) {
        struct model *m = NULL;
        out[done] = (struct trial){.variant = &plan->variants[done], .against_best.p = NAN};
        st = run_one(job, t, &training, memory, &out[done], &m, err);
        if (!st && wanted_later(plan, done))
            kept[training.source_count++] = m;
        else
            model_free(m);
    }
    for (size_t i = 0; i < training.source_count; i++)
        model_free(kept[i]);
    training_done(&training);
    progress_label(&job->progress, "");
    for (size_t i = 0; i < done && st; i++)
        eval_result_done(&out[i].result);
    return st;
}

static enum pal_status run_all(struct job *job, struct trials *t, const struct plan *plan,
                               uint64_t memory, struct pal_error *err)
{
    t->trials = mem_zero(plan->count, sizeof *t->trials);
    if (!t->trials)
        return pal_no_memory(err);
    enum pal_status st = trials_refit(job, t, plan, NULL, memory, t->trials, err);
    if (!st)
        t->count = plan->count;
    return st;
}

static bool better(const struct metric *m, double a, double b)
{
    return !isnan(a) && (isnan(b) || (metric_falls(m) ? a < b : a > b));
}

bool trials_better(const struct trials *t, double a, double b)
{
    return better(&t->metrics[0], a, b);
}

/* Of two equal ones, the first. */
static size_t best_of(const struct trials *t, size_t metric)
{
    size_t best = 0;
    for (size_t i = 1; i < t->count; i++)
        if (better(&t->metrics[metric], t->trials[i].result.value[metric],
                   t->trials[best].result.value[metric]))
            best = i;
    return best;
}

static enum pal_status compare(struct job *job, struct trials *t, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < t->count && !st; i++) {
        st = run_step(&job->run, "comparing", i, t->count, err);
        if (!st && i != t->best)
            st = eval_compare(&t->trials[t->best].result, &t->trials[i].result, 0, &t->options,
                              &t->trials[i].against_best, err);
    }
    t->compared = st == PAL_OK;
    return st;
}

static enum pal_status group(struct trials *t, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < t->count && !st; i++)
        st = eval_groups(&t->trials[i].result, &t->split, t->trials[i].group,
                         &t->trials[i].group_count, err);
    return st;
}

static void choose_options(const struct job *job, struct trials *t)
{
    const struct settings *set = &job->set;
    bool published = strcmp(t->split.spec, "file") == 0 && t->split.negatives;
    bool negatives = set->protocol == PROTOCOL_NEGATIVES ||
                     (set->protocol == PROTOCOL_AUTO && published && set->part == PART_TEST);
    t->options = (struct eval_options){
        .metrics = t->metrics,
        .metric_count = t->metric_count,
        .protocol = negatives ? EVAL_NEGATIVES : EVAL_FULL,
        .part = set->part == PART_VALID ? EVAL_VALID : EVAL_TEST,
        .relevant_from = set->relevant,
        .bootstrap = set->bootstrap,
        .confidence = set->confidence,
        .seed = (uint64_t)set->seed,
        .target = set->target,
        .again = set->again,
    };
}

enum pal_status trials_check(struct job *job, struct pal_error *err)
{
    struct metric metrics[METRICS_MOST];
    size_t count = METRICS_MOST;
    struct weights weights;
    struct plan plan;
    enum pal_status st = PAL_OK;
    if (job->set.metrics)
        st = metrics_parse(job->set.metrics, metrics, &count, err);
    if (!st && job->set.weights)
        st = weights_parse(job->set.weights, &weights, err);
    if (!st && job->set.model)
        st = plan_make(job, job->set.model, NULL, 0, &plan, err);
    return st;
}

/* The split by spec or, with --tune, its training part split once more. */
static enum pal_status cut(const struct job *job, const struct dataset *d, const char *spec,
                           struct split *out, struct pal_error *err)
{
    const char *tune = job->set.tune;
    uint64_t seed = (uint64_t)job->set.seed;
    struct split outer;
    if (!tune)
        return split_make(d, spec, seed, out, err);
    enum pal_status st = split_make(d, spec, seed, &outer, err);
    if (st)
        return st;
    st = split_inner(d, &outer, tune, seed, out, err);
    if (!st) {
        char inner[sizeof out->spec];
        memcpy(inner, out->spec, sizeof inner);
        snprintf(out->spec, sizeof out->spec, "%.30s/train/%.25s", outer.spec, inner);
    }
    split_done(&outer);
    return st;
}

enum pal_status trials_prepare(struct job *job, const struct dataset *d, const char *spec,
                               const char *metrics, struct trials *out, struct pal_error *err)
{
    struct trials *t = out;
    memset(t, 0, sizeof *t);
    t->data = d;
    t->metric_count = METRICS_MOST;
    enum pal_status st =
        metrics_parse(metrics ? metrics : usual_metrics, t->metrics, &t->metric_count, err);
    if (!st)
        st = source_weights(job, d, &t->weights, &t->weights_text, err);
    if (!spec)
        spec = d->test.start ? "file" : "random:80/20";
    if (!st)
        st = cut(job, d, spec, &t->split, err);
    if (!st && job->set.part == PART_VALID && !t->split.valid.start)
        st = pal_fail(err, PAL_EUSAGE,
                      "split %s has no validation part to judge by: write three shares, such as "
                      "random:60/20/20",
                      t->split.spec);
    if (!st)
        choose_options(job, t);
    else
        trials_done(t);
    return st;
}

enum pal_status trials_run(struct job *job, const struct dataset *d, const struct plan *plan,
                           const char *spec, const char *metrics, uint64_t memory,
                           struct trials *out, struct pal_error *err)
{
    struct trials *t = out;
    enum pal_status st = trials_prepare(job, d, spec, metrics, t, err);
    if (!st)
        st = run_all(job, t, plan, memory, err);
    if (!st)
        st = group(t, err);
    if (!st) {
        t->best = best_of(t, 0);
        if (job->set.compare && t->count > 1)
            st = compare(job, t, err);
    }
    if (st)
        trials_done(t);
    return st;
}

static struct trial *trial_of(const struct trials *t, const char *label)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->trials[i].variant->label, label) == 0)
            return &t->trials[i];
    return NULL;
}

enum pal_status trials_keep(struct job *job, struct trials *t, const struct plan *plan,
                            struct pal_error *err)
{
    for (size_t i = 0; i < plan->count; i++)
        if (!trial_of(t, plan->variants[i].label))
            return pal_fail(err, PAL_ENOTFOUND, "%s was not tried", plan->variants[i].label);
    struct trial *kept = mem_zero(plan->count, sizeof *kept);
    if (!kept)
        return pal_no_memory(err);
    for (size_t i = 0; i < plan->count; i++) {
        struct trial *from = trial_of(t, plan->variants[i].label);
        kept[i] = *from;
        kept[i].variant = &plan->variants[i];
        from->result = (struct eval_result){0}; /* handed over */
    }
    for (size_t i = 0; i < t->count; i++)
        eval_result_done(&t->trials[i].result);
    mem_free(t->trials);
    t->trials = kept;
    t->count = plan->count;
    t->best = best_of(t, 0);
    return compare(job, t, err);
}

/* 0.3127 as it is usually printed; large values (rmse of counts, novelty) with less behind. */
static void put_value(struct str *out, double x)
{
    if (isnan(x))
        str_put(out, "-");
    else
        str_fmt(out, "%.*f", fabs(x) < 9.99995 ? 4 : 2, x);
}

static bool has_intervals(const struct trials *t, size_t metric)
{
    return !isnan(t->trials[0].result.low[metric]);
}

/* Half of the interval's length, which is near enough to symmetric to be told so. */
static double half_width(const struct eval_result *r, size_t metric)
{
    return (r->high[metric] - r->low[metric]) / 2;
}

static void columns(struct table *t, const struct trials *trials)
{
    t->indent = 2;
    table_column(t, "model", LEFT, true);
    for (size_t m = 0; m < trials->metric_count && t->columns + 6 < TABLE_COLUMNS; m++) {
        table_column(t, trials->metrics[m].name, RIGHT, false);
        if (m == 0 && has_intervals(trials, m))
            table_column(t, "", LEFT, false);
    }
    if (trials->compared)
        table_column(t, "p", RIGHT, false);
    table_column(t, "train", RIGHT, false);
    table_column(t, "eval", RIGHT, false);
    table_column(t, "memory", RIGHT, false);
}

static void put_p(struct table *t, const struct comparison *x)
{
    struct str *p = table_open(t, PLAIN);
    if (!isnan(x->p))
        str_fmt(p, x->p < 0.0005 ? "<0.001" : "%.3f", x->p);
    table_close(t);
}

static void put_trial(struct console *c, struct table *table, const struct trials *t,
                      const struct trial *trial)
{
    const struct eval_result *r = &trial->result;
    table_put(table, PLAIN, trial->variant->label);
    for (size_t m = 0; m < t->metric_count && m < TABLE_COLUMNS - 7; m++) {
        bool best = t->count > 1 && r->value[m] == t->trials[best_of(t, m)].result.value[m];
        put_value(table_open(table, best ? GOOD : PLAIN), r->value[m]);
        if (best && !c->color)
            str_char(&table->text, '*');
        else if (!c->color && t->count > 1)
            str_char(&table->text, ' ');
        table_close(table);
        if (m == 0 && has_intervals(t, m)) {
            struct str *half = table_open(table, DIM);
            str_put(half, c->utf8 ? "±" : "+-");
            put_value(half, half_width(r, m));
            table_close(table);
        }
    }
    if (t->compared)
        put_p(table, &trial->against_best);
    put_seconds(table_open(table, PLAIN), trial->train_s);
    table_close(table);
    put_seconds(table_open(table, PLAIN), trial->eval_s);
    table_close(table);
    put_bytes(table_open(table, PLAIN), trial->peak_bytes);
    table_close(table);
}

/* Whether rmse or mae were asked for and nothing in the judged part has a value. */
static bool lacks_values(const struct trials *t)
{
    for (size_t m = 0; m < t->metric_count; m++)
        if ((strcmp(t->metrics[m].name, "rmse") == 0 || strcmp(t->metrics[m].name, "mae") == 0) &&
            isnan(t->trials[0].result.value[m]))
            return true;
    return false;
}

void trials_say(struct console *c, const struct trials *t)
{
    struct table table = {0};
    columns(&table, t);
    for (size_t i = 0; i < t->count; i++)
        put_trial(c, &table, t, &t->trials[i]);
    table_print(&table, c);
    table_done(&table);
    struct str users = {0};
    put_count(&users, t->trials[0].result.users);
    if (strcmp(t->split.spec, "file") == 0)
        say(c, "  %s users judged by the published test part", str_text(&users));
    else
        say(c, "  %s users judged by %s%s, seed %llu", str_text(&users),
            t->options.part == EVAL_VALID ? "the validation part of " : "", t->split.spec,
            (unsigned long long)t->split.seed);
    str_done(&users);
    if (t->options.protocol == EVAL_NEGATIVES)
        say_text(c, ", among sampled negatives");
    if (t->count > 1)
        say(c, "; best %s", c->color ? "in green" : "marked *");
    if (has_intervals(t, 0))
        say(c, "; %s: %g %% interval", c->utf8 ? "±" : "+-", t->options.confidence * 100);
    say_text(c, "\n");
    if (!t->data->all.time_s && strncmp(t->split.spec, "l", 1) == 0)
        say_paragraph(c, 2,
                      "the data have no times: what stands last in the file counts as latest");
    if (lacks_values(t))
        say_paragraph(c, 2,
                      "-: the data hold no values, such as stars, for rmse and mae to foretell");
    if (t->compared) {
        struct str p = {0};
        str_fmt(&p, "p: of a difference in %s from %s as large by chance", t->metrics[0].name,
                t->trials[t->best].variant->label);
        say_paragraph(c, 2, str_text(&p));
        str_done(&p);
    }
}

void trial_emit_metrics(struct emit *e, const struct trial *t)
{
    const struct eval_result *r = &t->result;
    emit_open(e, "metrics", '{');
    for (size_t m = 0; m < r->metric_count; m++)
        emit_number(e, r->metrics[m].name, r->value[m]);
    emit_close(e, '}');
    emit_open(e, "intervals", '{');
    for (size_t m = 0; m < r->metric_count; m++)
        if (!isnan(r->low[m])) {
            emit_open(e, r->metrics[m].name, '[');
            emit_number(e, NULL, r->low[m]);
            emit_number(e, NULL, r->high[m]);
            emit_close(e, ']');
        }
    emit_close(e, '}');
}

/* Users by the length of their histories. */
static void emit_groups(struct emit *e, const struct trial *t)
{
    emit_open(e, "groups", '[');
    for (size_t g = 0; g < t->group_count; g++) {
        const struct eval_group *group = &t->group[g];
        emit_open(e, NULL, '{');
        emit_uint(e, "history_from", group->least);
        emit_uint(e, "history_to", group->most);
        emit_uint(e, "users", group->users);
        emit_open(e, "metrics", '{');
        for (size_t m = 0; m < t->result.metric_count; m++)
            if (!isnan(group->value[m]))
                emit_number(e, t->result.metrics[m].name, group->value[m]);
        emit_close(e, '}');
        emit_close(e, '}');
    }
    emit_close(e, ']');
}

static void emit_trial(struct emit *e, const struct trial *t)
{
    struct str options_json = {0};
    emit_open(e, NULL, '{');
    emit_string(e, "model", t->variant->ops->name);
    emit_string(e, "label", t->variant->label);
    model_options_json(t->variant->ops, t->variant->options, &options_json);
    emit_raw(e, "options", str_text(&options_json));
    trial_emit_metrics(e, t);
    emit_uint(e, "users", t->result.users);
    emit_groups(e, t);
    if (t->ranker)
        emit_raw(e, "ranker", t->ranker);
    emit_number(e, "train_seconds", t->train_s);
    emit_number(e, "eval_seconds", t->eval_s);
    emit_uint(e, "peak_rss_bytes", t->peak_bytes);
    emit_close(e, '}');
    e->text.failed |= options_json.failed;
    str_done(&options_json);
}

static void emit_comparisons(struct emit *e, const struct trials *t)
{
    emit_open(e, "comparisons", '[');
    for (size_t i = 0; i < t->count && t->compared; i++) {
        const struct comparison *x = &t->trials[i].against_best;
        if (i == t->best)
            continue;
        emit_open(e, NULL, '{');
        emit_string(e, "metric", t->metrics[0].name);
        emit_string(e, "a", t->trials[t->best].variant->label);
        emit_string(e, "b", t->trials[i].variant->label);
        emit_number(e, "difference", x->difference);
        emit_open(e, "interval", '[');
        emit_number(e, NULL, x->low);
        emit_number(e, NULL, x->high);
        emit_close(e, ']');
        emit_number(e, "p", x->p);
        emit_close(e, '}');
    }
    emit_close(e, ']');
}

void trials_emit(struct emit *e, const struct trials *t)
{
    emit_open(e, NULL, '{');
    emit_string(e, "palate", PALATE_VERSION);
    emit_string(e, "data", t->data->name);
    emit_string(e, "format", t->data->format);
    emit_hex(e, "fingerprint", dataset_fingerprint(t->data));
    emit_string(e, "split", t->split.spec);
    emit_uint(e, "seed", t->split.seed);
    emit_string(e, "part", t->options.part == EVAL_VALID ? "valid" : "test");
    emit_string(e, "protocol",
                t->options.protocol == EVAL_NEGATIVES ? "sampled-negatives" : "full");
    emit_string(e, "weights", t->weights_text);
    if (t->options.target)
        emit_string(e, "target", t->options.target);
    if (t->options.again)
        emit_boolean(e, "again", true);
    emit_number(e, "relevant_from", t->options.relevant_from);
    emit_number(e, "confidence", t->options.confidence);
    emit_uint(e, "bootstrap", (uint64_t)t->options.bootstrap);
    emit_uint(e, "users", t->trials[0].result.users);
    emit_open(e, "results", '[');
    for (size_t i = 0; i < t->count; i++)
        emit_trial(e, &t->trials[i]);
    emit_close(e, ']');
    emit_comparisons(e, t);
    emit_close(e, '}');
}
