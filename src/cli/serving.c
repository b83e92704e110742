/* See serving.h. */
#include "cli/serving.h"

#include "cli/plan.h"

#include "engine/roles.h"
#include "model/model.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct part {
    const char *name, *brief;
    const struct opt_table *table;
    size_t offset; /* of its struct in struct serving */
} parts[] = {
    {"engine", "how an answer is put together", &pipeline_option_table,
     offsetof(struct serving, config.engine)},
    {"bandit", "learning from answers, what is popular, what is trending", &bandit_option_table,
     offsetof(struct serving, config.bandit)},
    {"live", "profiles, and what events mean", &live_option_table,
     offsetof(struct serving, config.live)},
    {"journal", "the durable door", &journal_option_table,
     offsetof(struct serving, config.journal)},
    {"state", "what processes share (--state)", &state_option_table,
     offsetof(struct serving, config.state)},
    {"loop", "when to train, and what may go live", &loop_option_table,
     offsetof(struct serving, loop)},
    {"http", "limits of connections and requests", &http_option_table,
     offsetof(struct serving, http)},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

const struct opt_table *serving_part(size_t i, const char **name, const char **brief)
{
    if (i >= PARTS)
        return NULL;
    *name = parts[i].name;
    *brief = parts[i].brief;
    return parts[i].table;
}

static const struct part *find_part(const char *name)
{
    for (size_t i = 0; i < PARTS; i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    return NULL;
}

const struct opt_table *serving_table(const char *name)
{
    const struct part *part = find_part(name);
    return part ? part->table : NULL;
}

/* An option of a model is the learning loop's affair: it goes behind what loop.set says. Checked
 * here, so that a mistake is told at the start and not by the first training. */
static enum pal_status set_model(struct job *job, struct serving *s, const char *name,
                                 const char *option, const char *value, const char *text,
                                 struct pal_error *err)
{
    const struct model_ops *ops = plan_find(name);
    struct str all = {0};
    if (!ops)
        return pal_fail(err, PAL_EUSAGE,
                        "--set %s: '%s' is no part of the server (engine, bandit, live, journal, "
                        "state, loop, http) and no model",
                        text, name);
    void *tried = arena_zero(&job->arena, 1, ops->options_size ? ops->options_size : 1);
    if (!tried)
        return pal_no_memory(err);
    opt_defaults(&ops->options, tried);
    enum pal_status st = model_set(ops, tried, option, value, err);
    if (st)
        return pal_within(err, st, "--set %s", text);
    str_fmt(&all, "%s%s%s", s->loop.set ? s->loop.set : "", s->loop.set ? "," : "", text);
    s->loop.set = str_ok(&all) ? arena_text(&job->arena, all.text, all.len) : NULL;
    str_done(&all);
    return s->loop.set ? PAL_OK : pal_no_memory(err);
}

/* "engine.explore=0.1" */
static enum pal_status set_one(struct job *job, struct serving *s, const char *text,
                               struct pal_error *err)
{
    char name[64], option[64];
    size_t dot = strcspn(text, ".="), equals = strcspn(text, "=");
    if (text[dot] != '.' || !text[equals] || dot >= sizeof name || equals - dot > sizeof option)
        return pal_fail(err, PAL_EUSAGE, "--set %s: expected PART.OPTION=VALUE", text);
    snprintf(name, sizeof name, "%.*s", (int)dot, text);
    snprintf(option, sizeof option, "%.*s", (int)(equals - dot - 1), text + dot + 1);
    const struct part *part = find_part(name);
    if (!part)
        return set_model(job, s, name, option, text + equals + 1, text, err);
    enum pal_status st =
        opt_set(part->table, (char *)s + part->offset, option, text + equals + 1, err);
    return st ? pal_within(err, st, "--set %s", text) : PAL_OK;
}

enum pal_status serving_make(struct job *job, struct serving *out, struct pal_error *err)
{
    struct serving s;
    const struct settings *set = &job->set;
    memset(&s, 0, sizeof s);
    for (size_t i = 0; i < PARTS; i++)
        opt_defaults(parts[i].table, (char *)&s + parts[i].offset);
    s.config.live.store = set->store;
    s.config.live.journal = set->journal;
    s.config.live.models = set->models;
    s.config.live.stream = set->stream;
    s.config.live.state = set->state;
    s.config.live.weights = set->weights;
    s.loop.config = job->config;
    s.loop.models = set->model ? set->model : s.loop.models;
    s.http.listen = set->listen;
    s.http.keys = set->keys;
    s.http.tls_cert = set->tls_cert;
    s.http.tls_key = set->tls_key;
    s.http.cors = set->cors;
    s.http.insecure = set->insecure;
    bool simulates = command_takes(job->command, option_index("rounds", 6));
    for (size_t i = 0; i < job->set_count; i++) {
        if (simulates && strncmp(job->sets[i].text, "synth.", 6) == 0)
            continue; /* the world's */
        enum pal_status st = set_one(job, &s, job->sets[i].text, err);
        if (st)
            return st;
    }
    if (set->no_training) {
        s.loop.every_hours = 0;
        s.loop.events = 0;
        s.loop.growth = 0;
    }
    enum pal_status st = roles_parse(set->role, &s.config.roles, err);
    if (!st && s.loop.models && *s.loop.models)
        st = plan_check(job, s.loop.models, err); /* told now and not by the first training */
    if (!st)
        st = pipeline_check(&s.config.engine, err);
    if (!st)
        *out = s;
    return st;
}
