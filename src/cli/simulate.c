/* palate simulate: a closed loop of a recommender and people with hidden tastes.
 *
 * Every round each person asks for a list, says what they like and dislike of it, and comes back
 * the next round. What counts is the share of what was shown that was liked, round by round, for
 * the engine as it is set up, for its parts alone, and for three plain rules: random, popular, and
 * an oracle who knows the tastes. Each of them meets the same people in the same order, in a world
 * of its own. */
#include "base/mem.h"
#include "base/rng.h"
#include "cli/sim_site.h"
#include "cli/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SITES_MOST = 8, ROWS = 12, URL_MOST = 10 };

struct simulation {
    struct job *job;
    const struct sim_world *w;
    size_t n, rounds;
    int64_t train_every; /* rounds; 0 = never, -1 = as there is more to learn from */
    struct sim_site *site[SITES_MOST];
    float *share[SITES_MOST]; /* (rounds) of what was shown; NAN where nothing was */
    size_t sites;
    uint64_t visits, visits_all; /* of the site at work */
    uint64_t told, learned;      /* opinions: so far, and when it learned last */
    uint32_t *order;             /* (users) */
    uint32_t *shown, *item;
    enum opinion *opinion; /* (n) */
};

/* One person's visit. */
static enum pal_status visit(struct simulation *s, struct sim_site *site, uint32_t user,
                             uint64_t *shown, uint64_t *liked, struct pal_error *err)
{
    size_t count, told = 0;
    enum pal_status st = run_step(&s->job->run, "simulating", s->visits++, s->visits_all, err);
    if (!st)
        st = site->ops->recommend(site, user, s->n, s->shown, &count, err);
    for (size_t i = 0; !st && i < count; i++) {
        enum opinion x = sim_world_opinion(s->w, user, s->shown[i]);
        if (x == UNDECIDED)
            continue;
        s->item[told] = s->shown[i];
        s->opinion[told++] = x;
        *liked += x == LIKES;
    }
    if (!st)
        *shown += count;
    s->told += told;
    return st || !told ? st : site->ops->interact(site, user, s->item, s->opinion, told, err);
}

/* Whether it is time to learn: by default each time there is a quarter more than the last time. A
 * server does so each day; but early on every opinion counts, and later hardly any. */
static bool learns_now(struct simulation *s, size_t round)
{
    bool now = s->train_every < 0 ? 4 * s->told >= 5 * s->learned && s->told > 0
                                  : s->train_every && round % (size_t)s->train_every == 0;
    if (now)
        s->learned = s->told;
    return now;
}

static enum pal_status play(struct simulation *s, size_t at, struct pal_error *err)
{
    struct sim_site *site = s->site[at];
    uint32_t users = sim_world_users(s->w);
    struct rng rng;
    rng_init(&rng, s->job->run.seed, 1);
    progress_label(&s->job->progress, site->name);
    enum pal_status st = site->ops->add_items(site, sim_world_items(s->w), err);
    s->visits = s->told = s->learned = 0;
    s->visits_all = (uint64_t)s->rounds * users;
    for (uint32_t u = 0; u < users; u++)
        s->order[u] = u;
    for (size_t r = 0; r < s->rounds && !st; r++) {
        uint64_t shown = 0, liked = 0;
        rng_shuffle(&rng, s->order, users);
        for (uint32_t u = 0; u < users && !st; u++) {
            if (site->ops->tick)
                site->ops->tick(site, (double)r + (double)u / users);
            st = visit(s, site, s->order[u], &shown, &liked, err);
        }
        s->share[at][r] = shown ? (float)((double)liked / (double)shown) : NAN;
        if (!st && r + 1 < s->rounds && site->ops->learn && learns_now(s, r + 1))
            st = site->ops->learn(site, err);
    }
    return st;
}

/* Takes the site in, however making it went. */
static enum pal_status add(struct simulation *s, enum pal_status st, struct sim_site *site,
                           struct pal_error *err)
{
    if (st)
        return st;
    s->site[s->sites] = site;
    s->share[s->sites] = mem_zero(s->rounds, sizeof **s->share);
    return s->share[s->sites++] ? PAL_OK : pal_no_memory(err);
}

static enum pal_status add_engine(struct simulation *s, const char *name, const struct serving *o,
                                  bool trains, struct pal_error *err)
{
    struct sim_site *site = NULL;
    enum pal_status st = sim_engine_new(s->w, name, o, &s->job->run, trains, &site, err);
    return add(s, st, site, err);
}

/* The mix as it is set up, and two of its parts alone. */
static enum pal_status add_engines(struct simulation *s, const struct serving *o,
                                   struct pal_error *err)
{
    struct serving alone = *o;
    bool trains = s->train_every != 0;
    enum pal_status st = add_engine(s, "palate", o, trains, err);
    alone.config.engine.sources = alone.config.engine.newcomers = "bandit:100";
    alone.config.engine.explore = 0;
    if (!st)
        st = add_engine(s, "bandit", &alone, false, err);
    alone.config.engine.sources = "als:100 ease:50 content:50";
    alone.config.engine.newcomers = "popular:100 random:100";
    if (!st)
        st = add_engine(s, "personal", &alone, trains, err);
    return st;
}

static enum pal_status add_sites(struct simulation *s, const struct serving *o,
                                 struct pal_error *err)
{
    struct sim_site *site = NULL;
    const struct settings *set = &s->job->set;
    enum pal_status st = PAL_OK;
    if (set->url) {
        st = sim_http_new(s->w, set->url, set->collector_url, set->key, &site, err);
        st = add(s, st, site, err);
    } else {
        st = add_engines(s, o, err);
    }
    for (int rule = SIM_RANDOM; rule <= SIM_ORACLE && !st; rule++) {
        site = NULL;
        st = sim_rule_new(s->w, (enum sim_rule)rule, s->job->run.seed, &site, err);
        st = add(s, st, site, err);
    }
    return st;
}

/* The rounds to print: all if they are few, else 1, 2, 5, 10, 20, 50…, and the last. */
static bool printed(const struct simulation *s, size_t round)
{
    static const size_t lead[] = {1, 2, 5};
    if (round == s->rounds || s->rounds <= ROWS)
        return true;
    for (size_t unit = 1; unit <= round; unit *= 10)
        for (size_t i = 0; i < 3; i++)
            if (round == lead[i] * unit)
                return true;
    return false;
}

static void say_table(const struct simulation *s)
{
    struct console *c = &s->job->out;
    struct table t = {.indent = 2};
    say(c, "%s: %u people, %u items, %zu at a time; the share of what was shown that was liked\n\n",
        sim_world_name(s->w), sim_world_users(s->w), sim_world_items(s->w)->ids.count, s->n);
    table_column(&t, "round", RIGHT, false);
    for (size_t i = 0; i < s->sites; i++)
        table_column(&t, s->site[i]->name, RIGHT, false);
    for (size_t r = 0; r < s->rounds; r++) {
        if (!printed(s, r + 1))
            continue;
        table_cell(&t, "%zu", r + 1);
        for (size_t i = 0; i < s->sites; i++) {
            struct str *cell = table_open(&t, i ? PLAIN : BOLD);
            if (isnan(s->share[i][r]))
                str_put(cell, "-");
            else
                put_share(cell, s->share[i][r]);
            table_close(&t);
        }
    }
    table_print(&t, c);
    table_done(&t);
}

static void emit_report(const struct simulation *s, struct emit *e)
{
    emit_open(e, NULL, '{');
    emit_string(e, "world", sim_world_name(s->w));
    emit_uint(e, "users", sim_world_users(s->w));
    emit_uint(e, "items", sim_world_items(s->w)->ids.count);
    emit_uint(e, "n", s->n);
    emit_open(e, "rounds", '[');
    for (size_t r = 0; r < s->rounds; r++)
        emit_uint(e, NULL, r + 1);
    emit_close(e, ']');
    emit_open(e, "series", '{');
    for (size_t i = 0; i < s->sites; i++) {
        emit_open(e, s->site[i]->name, '[');
        for (size_t r = 0; r < s->rounds; r++)
            emit_float(e, NULL, s->share[i][r]);
        emit_close(e, ']');
    }
    emit_close(e, '}');
    emit_close(e, '}');
}

/* To the server's page; a server that won't have it (the key may not) costs only the chart. */
static void send_report(struct simulation *s)
{
    struct emit e = {.compact = true};
    struct pal_error err;
    emit_report(s, &e);
    if (str_ok(&e.text) && sim_http_report(s->site[0], str_text(&e.text), &err) &&
        !s->job->set.json)
        say(&s->job->out, "The report is not on the server's page: %s\n", err.message);
    str_done(&e.text);
}

static void say_report(struct simulation *s)
{
    struct emit e = {0};
    progress_label(&s->job->progress, "");
    progress_clear(&s->job->progress);
    if (!s->job->set.json) {
        say_table(s);
        return;
    }
    emit_report(s, &e);
    emit_say(&e, &s->job->out);
}

static enum pal_status simulate(struct simulation *s, const struct serving *o,
                                struct pal_error *err)
{
    s->order = mem_zero(sim_world_users(s->w), sizeof *s->order);
    s->shown = mem_zero(s->n, sizeof *s->shown);
    s->item = mem_zero(s->n, sizeof *s->item);
    s->opinion = mem_zero(s->n, sizeof *s->opinion);
    if (!s->order || !s->shown || !s->item || !s->opinion)
        return pal_no_memory(err);
    enum pal_status st = add_sites(s, o, err);
    for (size_t i = 0; i < s->sites && !st; i++)
        st = play(s, i, err);
    return st;
}

enum pal_status simulate_run(struct job *job, struct pal_error *err)
{
    struct serving o;
    struct sim_world *w = NULL;
    if (job->set.url && job->set.count > URL_MOST)
        return pal_fail(err, PAL_EUSAGE, "--count %lld: a server's /recs gives %d at a time",
                        (long long)job->set.count, URL_MOST);
    struct simulation s = {.job = job,
                           .n = (size_t)job->set.count,
                           .rounds = (size_t)job->set.rounds,
                           .train_every = job->set.train_every};
    enum pal_status st = serving_make(job, &o, err);
    if (!st)
        st = job_threads(job, err);
    if (!st)
        st = sim_world_new(job, (uint32_t)job->set.users, s.rounds * s.n / 2, &w, err);
    s.w = w;
    if (!st)
        st = simulate(&s, &o, err);
    if (!st)
        say_report(&s);
    if (!st && job->set.url)
        send_report(&s);
    for (size_t i = 0; i < s.sites; i++) {
        s.site[i]->ops->done(s.site[i]);
        mem_free(s.share[i]);
    }
    mem_free(s.order);
    mem_free(s.shown);
    mem_free(s.item);
    mem_free(s.opinion);
    sim_world_free(w);
    return st;
}
