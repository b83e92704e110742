/* The value of a policy from another one's log, and beside it what its own log says: an experiment
 * in which both were at work tells how far off-policy estimates can be trusted.
 *
 * What the policy would do is taken from its own log: how often it showed each item at each place.
 * A policy that learns, as Thompson sampling, changes as it goes; these shares are what it did on
 * average. (The mean of its logged propensities would be too high where they vary, since an item is
 * logged more often while its propensity is high.) The intervals take the shares as given. */
#include "cli/ope.h"
#include "cli/source.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/bandit_log.h"
#include "data/folders.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CAMPAIGNS_MOST = 64, TABLE_MOST = 1 << 24 };

/* So many rows with an action's mean reward does an action at a place begin with: in these logs
 * one in 200 is rewarded. */
#define PRIOR_ROWS 100

struct campaign {
    char name[256];
    size_t rows, own_rows;
    uint32_t actions, places;
    double uncovered;        /* how much of what the policy does the other never did */
    struct policy_value own; /* its own log's mean */
    struct policy_value value;
};

/* The two logs of a campaign, in the same numbers. */
struct pair {
    struct intern actions, places;
    struct bandit_log from, own;
    struct policy_table table;
    double *chance;  /* of table */
    double *columns; /* (5, rows) that a struct policy_log points into */
    uint32_t *which; /* (2, rows) action and place */
};

static void pair_done(struct pair *p)
{
    intern_done(&p->actions);
    intern_done(&p->places);
    bandit_log_done(&p->from);
    bandit_log_done(&p->own);
    mem_free(p->chance);
    mem_free(p->columns);
    mem_free(p->which);
}

/* The log in DATA/POLICY/CAMPAIGN: its one .csv file that is not about items. */
static enum pal_status read_log(struct job *job, const char *policy, const char *campaign,
                                struct pair *p, struct bandit_log *out, struct pal_error *err)
{
    char root[PATH_MAX], by[PATH_MAX], folder[PATH_MAX], path[PATH_MAX], first[256], last[256];
    const char *data = source_look_up(job->set.data, root, sizeof root);
    enum pal_status st = file_join(by, sizeof by, data, policy, err);
    if (!st)
        st = file_join(folder, sizeof folder, by, campaign, err);
    if (st)
        return st;
    size_t files = file_is_dir(folder) ? folder_find(folder, "", ".csv", first, last) : 0;
    const char *name = files && strcmp(first, "item_context.csv") == 0 ? last : first;
    if (files == 0 || files > 2 || strcmp(name, "item_context.csv") == 0)
        return pal_fail(err, PAL_ENOTFOUND, "%s holds no log: expected one .csv file there",
                        folder);
    st = file_join(path, sizeof path, folder, name, err);
    return st ? st : bandit_log_read(path, &job->run, &p->actions, &p->places, out, err);
}

/* How often the policy showed each item at each place. */
static enum pal_status make_table(struct pair *p, const char *policy, struct pal_error *err)
{
    uint32_t actions = p->actions.count, places = p->places.count;
    uint64_t cells = (uint64_t)actions * places;
    if (cells > TABLE_MOST)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "%u items at %u places are too many for shares of each; a log of at most "
                        "%d pairs can be used",
                        actions, places, TABLE_MOST);
    p->chance = mem_zero(cells, sizeof *p->chance);
    double *rows = mem_zero(places, sizeof *rows);
    enum pal_status st = p->chance && rows ? PAL_OK : pal_no_memory(err);
    for (size_t i = 0; !st && i < p->own.n; i++) {
        p->chance[(size_t)p->own.row[i].place * actions + p->own.row[i].action]++;
        rows[p->own.row[i].place]++;
    }
    for (uint32_t place = 0; !st && place < places; place++) {
        if (rows[place] <= 0)
            st = pal_fail(err, PAL_EUNSUPPORTED,
                          "the log of %s has no rows at position '%s', where the other one has "
                          "some: what it does there is unknown",
                          policy, intern_text(&p->places, place));
        for (uint32_t a = 0; !st && a < actions; a++)
            p->chance[(size_t)place * actions + a] /= rows[place];
    }
    p->table = (struct policy_table){actions, places, p->chance};
    mem_free(rows);
    return st;
}

/* The share of what the policy does that the log to estimate from never shows. */
static enum pal_status find_uncovered(const struct pair *p, double *out, struct pal_error *err)
{
    size_t cells = (size_t)p->table.actions * p->table.places;
    double *seen = mem_zero(cells, sizeof *seen);
    if (!seen)
        return pal_no_memory(err);
    double share = 0, rows = (double)p->own.n;
    for (size_t i = 0; i < p->from.n; i++)
        seen[(size_t)p->from.row[i].place * p->table.actions + p->from.row[i].action] = 1;
    for (size_t i = 0; i < p->own.n; i++)
        share += 1 - seen[(size_t)p->own.row[i].place * p->table.actions + p->own.row[i].action];
    *out = share / rows;
    mem_free(seen);
    return PAL_OK;
}

static enum pal_status columns_make(struct pair *p, struct pal_error *err)
{
    size_t most = p->from.n > p->own.n ? p->from.n : p->own.n;
    p->columns = mem_alloc(5 * most, sizeof *p->columns);
    p->which = mem_alloc(2 * most, sizeof *p->which);
    return p->columns && p->which ? PAL_OK : pal_no_memory(err);
}

/* A log's rows as columns of `n`; target as the propensities are. */
static struct policy_log as_columns(struct pair *p, const struct bandit_log *log)
{
    double *c = p->columns;
    size_t n = log->n;
    for (size_t i = 0; i < n; i++) {
        c[i] = log->row[i].reward;
        c[n + i] = c[2 * n + i] = log->row[i].propensity;
        p->which[i] = log->row[i].action;
        p->which[n + i] = log->row[i].place;
    }
    return (struct policy_log){.n = n, .reward = c, .propensity = c + n, .target = c + 2 * n};
}

static enum pal_status estimate(struct job *job, struct pair *p, struct campaign *out,
                                struct pal_error *err)
{
    struct policy_options o = ope_options(job);
    enum pal_status st = columns_make(p, err);
    if (st)
        return st;
    struct policy_log own = as_columns(p, &p->own);
    st = policy_evaluate(&own, &o, &job->run, &out->own, err);
    struct policy_log log = as_columns(p, &p->from);
    size_t n = log.n;
    const uint32_t *action = p->which, *place = p->which + n;
    double *target = p->columns + 2 * n, *predicted = target + n, *expected = predicted + n;
    for (size_t i = 0; i < n; i++)
        target[i] = p->chance[(size_t)place[i] * p->table.actions + action[i]];
    if (!st)
        st = reward_model(&p->table, action, place, &log, PRIOR_ROWS, o.seed, predicted, expected,
                          err);
    log.predicted = predicted;
    log.expected = expected;
    return st ? st : policy_evaluate(&log, &o, &job->run, &out->value, err);
}

static enum pal_status campaign_make(struct job *job, struct campaign *c, struct pal_error *err)
{
    struct pair p = {0};
    enum pal_status st = read_log(job, job->set.from, c->name, &p, &p.from, err);
    if (!st)
        st = read_log(job, job->set.policy, c->name, &p, &p.own, err);
    if (!st)
        st = make_table(&p, job->set.policy, err);
    if (!st)
        st = find_uncovered(&p, &c->uncovered, err);
    if (!st)
        st = estimate(job, &p, c, err);
    c->rows = p.from.n;
    c->own_rows = p.own.n;
    c->actions = p.table.actions;
    c->places = p.table.places;
    pair_done(&p);
    return st ? pal_within(err, st, "%s", c->name) : PAL_OK;
}

/* ---- which campaigns there are ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct campaign *)a)->name, ((const struct campaign *)b)->name);
}

static enum pal_status find_campaigns(struct job *job, struct campaign *out, size_t *count,
                                      struct pal_error *err)
{
    char root[PATH_MAX], folder[PATH_MAX], inner[PATH_MAX], others[512] = "";
    const char *data = source_look_up(job->set.data, root, sizeof root);
    enum pal_status st = file_join(folder, sizeof folder, data, job->set.from, err);
    if (st)
        return st;
    if (!file_is_dir(data))
        return pal_fail(err, PAL_ENOTFOUND, "there is no folder %s, %s", data,
                        getenv("PALATE_DATA") ? "neither here nor in $PALATE_DATA"
                                              : "and PALATE_DATA names no folder to look in");
    DIR *dir = file_is_dir(folder) ? opendir(folder) : NULL;
    size_t n = 0;
    for (struct dirent *e; dir && (e = readdir(dir)) && n < CAMPAIGNS_MOST;) {
        if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof out[n].name)
            continue;
        if (file_join(inner, sizeof inner, folder, e->d_name, NULL) || !file_is_dir(inner))
            continue;
        memcpy(out[n++].name, e->d_name, strlen(e->d_name) + 1);
    }
    if (dir)
        closedir(dir);
    if (!n) {
        folder_inner(data, others, sizeof others);
        return pal_fail(err, PAL_ENOTFOUND,
                        "%s holds no logs: --data is a folder with one for each policy (--from, "
                        "--policy), in which there is one for each campaign, with its log as a "
                        ".csv file%s",
                        folder, others);
    }
    qsort(out, n, sizeof *out, by_name);
    *count = n;
    return PAL_OK;
}

/* ---- telling ---- */

static const char *const titles[POLICY_ESTIMATORS] = {
    [POLICY_LOGGED] = "the log as it is", [POLICY_IPS] = "inverse propensity",
    [POLICY_SNIPS] = "self-normalized",   [POLICY_DM] = "model alone",
    [POLICY_DR] = "doubly robust",
};

static void say_campaign(struct job *job, const struct campaign *c)
{
    struct console *out = &job->out;
    struct table t = {.indent = 2};
    say_heading(out, c->name);
    table_column(&t, "", LEFT, false);
    table_column(&t, "value", RIGHT, false);
    table_column(&t, job->set.bootstrap ? "interval" : "", LEFT, false);
    table_column(&t, "off by", RIGHT, false);
    table_cell(&t, "%s, its own log", job->set.policy);
    ope_put_value(&t, &c->own, POLICY_LOGGED);
    table_put(&t, PLAIN, "");
    for (size_t e = 0; e < POLICY_ESTIMATORS; e++) {
        double own = c->own.value[POLICY_LOGGED];
        table_cell(&t, "%s", e == POLICY_LOGGED ? job->set.from : titles[e]);
        ope_put_value(&t, &c->value, e);
        if (own > 0 && e != POLICY_LOGGED)
            table_cell(&t, "%+.1f %%", 100 * (c->value.value[e] / own - 1));
        else
            table_put(&t, PLAIN, "");
    }
    table_print(&t, out);
    table_done(&t);
    say(out,
        "  %zu choices of %s, worth %.0f of %s (%zu in its own log); %u items at %u places; the "
        "largest weight is %.3g\n",
        c->rows, job->set.from, c->value.effective, job->set.policy, c->own_rows, c->actions,
        c->places, c->value.most_weight);
    if (c->value.clipped)
        say(out, "  %zu weights were cut to %g\n", c->value.clipped, job->set.clip);
    if (c->uncovered > 0)
        say(out,
            "  %.2f %% of what %s does the log of %s never shows: that counts as worth "
            "nothing, but for the model\n",
            100 * c->uncovered, job->set.policy, job->set.from);
}

static void emit_campaign(struct job *job, struct emit *e, const struct campaign *c)
{
    double own = c->own.value[POLICY_LOGGED];
    emit_open(e, NULL, '{');
    emit_string(e, "campaign", c->name);
    emit_uint(e, "rows", c->rows);
    emit_uint(e, "items", c->actions);
    emit_uint(e, "places", c->places);
    emit_open(e, "own_log", '{');
    emit_uint(e, "rows", c->own_rows);
    ope_emit_value(e, &c->own, POLICY_LOGGED);
    emit_close(e, '}');
    emit_open(e, "estimates", '[');
    for (size_t i = 0; i < POLICY_ESTIMATORS; i++) {
        emit_open(e, NULL, '{');
        emit_string(e, "estimator", policy_estimator_name(i));
        ope_emit_value(e, &c->value, i);
        emit_number(e, "relative_error", own > 0 ? fabs(c->value.value[i] / own - 1) : NAN);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_number(e, "effective_rows", c->value.effective);
    emit_number(e, "mean_weight", c->value.mean_weight);
    emit_number(e, "largest_weight", c->value.most_weight);
    emit_uint(e, "clipped", c->value.clipped);
    emit_number(e, "uncovered", c->uncovered);
    emit_close(e, '}');
}

static void tell(struct job *job, const struct campaign *c, size_t count)
{
    if (!job->set.json) {
        say(&job->out, "The value of %s from the log of %s, as the mean reward of a choice.\n",
            job->set.policy, job->set.from);
        for (size_t i = 0; i < count; i++)
            say_campaign(job, &c[i]);
        return;
    }
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_string(&e, "data", job->set.data);
    emit_string(&e, "policy", job->set.policy);
    emit_string(&e, "from", job->set.from);
    emit_number(&e, "confidence", job->set.confidence);
    emit_int(&e, "bootstrap", job->set.bootstrap);
    emit_number(&e, "clip", job->set.clip);
    emit_open(&e, "campaigns", '[');
    for (size_t i = 0; i < count; i++)
        emit_campaign(job, &e, &c[i]);
    emit_close(&e, ']');
    emit_close(&e, '}');
    emit_say(&e, &job->out);
}

enum pal_status ope_logs(struct job *job, struct pal_error *err)
{
    struct campaign *c = mem_zero(CAMPAIGNS_MOST, sizeof *c);
    size_t count = 0;
    if (!c)
        return pal_no_memory(err);
    enum pal_status st = find_campaigns(job, c, &count, err);
    for (size_t i = 0; i < count && !st; i++)
        st = campaign_make(job, &c[i], err);
    if (!st)
        tell(job, c, count);
    mem_free(c);
    return st;
}
