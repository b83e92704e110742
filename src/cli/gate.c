/* See gate.h. */
#include "cli/gate.h"

#include "cli/manifest.h"
#include "registry/registry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The live version as its manifest describes it. */
struct live {
    struct registry_version version;
    json_t *manifest;
    struct plan plan;
    struct weights weights;
    bool other_weights; /* than the new version's */
};

/* One recorded option as text; false for what no option can be. */
static bool option_text(const json_t *value, struct str *out)
{
    if (json_is_string(value))
        str_put(out, json_string_value(value));
    else if (json_is_boolean(value))
        str_put(out, json_is_true(value) ? "true" : "false");
    else if (json_is_integer(value))
        str_fmt(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        str_real(out, json_real_value(value));
    return out->len > 0 && str_ok(out);
}

static enum pal_status set_options(const json_t *given, struct variant *v, struct pal_error *err)
{
    const char *name;
    const json_t *value;
    enum pal_status st = PAL_OK;
    json_object_foreach((json_t *)given, name, value)
    {
        struct str text = {0};
        if (!option_text(value, &text))
            st = pal_fail(err, PAL_ECORRUPT, "option %s has no value", name);
        else
            st = model_set(v->ops, v->options, name, str_text(&text), err);
        str_done(&text);
        if (st)
            return st;
    }
    return PAL_OK;
}

static enum pal_status read_model(struct job *job, const json_t *m, struct plan *plan,
                                  struct pal_error *err)
{
    struct variant *v = &plan->variants[plan->count];
    enum pal_status st = plan_ops(manifest_text(m, "name"), &v->ops, err);
    if (st)
        return st;
    v->label = v->ops->name;
    v->options = arena_zero(&job->arena, 1, v->ops->options_size ? v->ops->options_size : 1);
    if (!v->options)
        return pal_no_memory(err);
    opt_defaults(&v->ops->options, v->options);
    st = set_options(json_object_get(m, "options"), v, err);
    plan->count += !st;
    return st;
}

static enum pal_status read_live(struct job *job, const struct trials *t, struct live *live,
                                 struct pal_error *err)
{
    const json_t *models;
    size_t i;
    json_t *m;
    enum pal_status st = manifest_read(live->version.path, &live->manifest, err);
    if (st)
        return st;
    live->plan.variants = arena_zero(&job->arena, PLAN_MOST, sizeof(struct variant));
    if (!live->plan.variants)
        return pal_no_memory(err);
    models = json_object_get(live->manifest, "models");
    json_array_foreach((json_t *)models, i, m)
    {
        if (i < PLAN_MOST && !st)
            st = read_model(job, m, &live->plan, err);
    }
    const char *rules = manifest_text(live->manifest, "weights");
    live->other_weights = *rules && strcmp(rules, t->weights_text) != 0;
    if (!st && live->other_weights)
        st = weights_parse(rules, &live->weights, err);
    if (!st && !live->plan.count)
        st = pal_fail(err, PAL_ECORRUPT, "its manifest lists no models");
    return st;
}

static bool same_variant(const struct variant *a, const struct variant *b)
{
    struct str x = {0}, y = {0};
    if (a->ops != b->ops)
        return false;
    model_options_json(a->ops, a->options, &x);
    model_options_json(b->ops, b->options, &y);
    bool same = str_ok(&x) && str_ok(&y) && strcmp(str_text(&x), str_text(&y)) == 0;
    str_done(&x);
    str_done(&y);
    return same;
}

/* Takes the value if it is better than the best so far. */
static void take(const struct trials *t, double value, double *best)
{
    if (trials_better(t, value, *best))
        *best = value;
}

/* The trial of the same variant, or t->count. */
static size_t trial_of(const struct trials *t, const struct variant *v)
{
    size_t k = 0;
    while (k < t->count && !same_variant(v, t->trials[k].variant))
        k++;
    return k;
}

/* A ranker is what it is together with its sources: unless all of the live version's models were
 * measured, it has to be trained again, and they with it. */
static bool ranks_others(const struct trials *t, const struct plan *live)
{
    bool ranks = false, other = live->count != t->count;
    for (size_t i = 0; i < live->count; i++) {
        ranks |= plan_ranks(&live->variants[i]);
        other |= trial_of(t, &live->variants[i]) == t->count;
    }
    return ranks && other;
}

/* Models that were measured already count by that; the others are trained anew. */
static enum pal_status retrain(struct job *job, const struct trials *t, const struct live *live,
                               uint64_t memory, struct gate *g, struct pal_error *err)
{
    struct variant other[PLAN_MOST];
    struct trial trial[PLAN_MOST];
    struct plan rest = {other, 0};
    bool all = live->other_weights || ranks_others(t, &live->plan);
    for (size_t i = 0; i < live->plan.count; i++) {
        const struct variant *v = &live->plan.variants[i];
        size_t k = trial_of(t, v);
        if (k < t->count && !all)
            take(t, t->trials[k].result.value[0], &g->live_value);
        else
            other[rest.count++] = *v;
    }
    g->how = rest.count ? "retrained" : "same";
    if (!rest.count)
        return PAL_OK;
    enum pal_status st = trials_refit(job, t, &rest, live->other_weights ? &live->weights : NULL,
                                      memory, trial, err);
    for (size_t i = 0; i < rest.count && !st; i++) {
        take(t, trial[i].result.value[0], &g->live_value);
        eval_result_done(&trial[i].result);
    }
    return st;
}

/* Worse by more than the margin. What can't be measured any more is worse than what can. */
static bool is_worse(const struct trials *t, const struct gate *g)
{
    double allowed = g->margin * fabs(g->live_value);
    if (isnan(g->live_value) || !trials_better(t, g->live_value, g->value))
        return false;
    return isnan(g->value) || fabs(g->live_value - g->value) > allowed;
}

static void decide(const struct trials *t, struct gate *g)
{
    g->held_back = is_worse(t, g);
    snprintf(g->message, sizeof g->message, "%s %.4f against %.4f of version %u, %s: %s", g->metric,
             g->value, g->live_value, g->live,
             strcmp(g->how, "same") == 0 ? "which has the same models"
                                         : "trained anew on the same part",
             g->held_back                                ? "held back"
             : trials_better(t, g->live_value, g->value) ? "within the margin"
                                                         : "not worse");
}

static void unmeasured(struct gate *g, const char *why)
{
    g->how = "unmeasured";
    g->live_value = NAN;
    snprintf(g->message, sizeof g->message, "not compared with version %u: %.300s", g->live, why);
}

static enum pal_status compare(struct job *job, const struct trials *t,
                               const struct registry_version *version, uint64_t memory,
                               struct gate *g, struct pal_error *err)
{
    struct live live = {.version = *version};
    enum pal_status st = read_live(job, t, &live, err);
    if (!st)
        st = retrain(job, t, &live, memory, g, err);
    json_decref(live.manifest);
    return st;
}

enum pal_status gate_judge(struct job *job, const struct trials *trials, const char *why,
                           const char *root, uint64_t memory, struct gate *out,
                           struct pal_error *err)
{
    struct gate g = {.how = "first", .margin = job->set.gate, .value = NAN, .live_value = NAN};
    struct registry_version version = {0};
    struct pal_error problem;
    enum pal_status st = registry_current(root, &version, &problem);
    g.live = st == PAL_OK ? version.number : 0;
    if (trials) {
        snprintf(g.metric, sizeof g.metric, "%s", trials->metrics[0].name);
        for (size_t i = 0; i < trials->count; i++)
            take(trials, trials->trials[i].result.value[0], &g.value);
    }
    if (st != PAL_OK) {
        snprintf(g.message, sizeof g.message, "there is no live version to compare with");
    } else if (!trials) {
        unmeasured(&g, why);
    } else {
        st = compare(job, trials, &version, memory, &g, &problem);
        if (st == PAL_EINTERRUPTED || st == PAL_ENOMEM)
            return pal_fail(err, st, "%s", problem.message);
        if (st)
            unmeasured(&g, problem.message);
        else
            decide(trials, &g);
    }
    *out = g;
    return PAL_OK;
}

void gate_emit(struct emit *e, const struct gate *g)
{
    emit_open(e, "gate", '{');
    emit_boolean(e, "published", !g->held_back);
    emit_string(e, "how", g->how);
    emit_string(e, "metric", *g->metric ? g->metric : NULL);
    emit_number(e, "value", g->value);
    emit_number(e, "margin", g->margin);
    emit_uint(e, "live_version", g->live);
    emit_number(e, "live_value", g->live_value);
    emit_string(e, "message", g->message);
    emit_close(e, '}');
}

json_t *gate_json(const struct gate *g)
{
    struct emit e = {.compact = true};
    emit_open(&e, NULL, '{');
    gate_emit(&e, g);
    emit_close(&e, '}');
    json_t *all = str_ok(&e.text) ? json_loads(str_text(&e.text), 0, NULL) : NULL;
    json_t *gate = json_incref(json_object_get(all, "gate"));
    json_decref(all);
    str_done(&e.text);
    return gate;
}
