/* What slots earned, and would earn under other rules, from the lists that a server showed.
 *
 * A slot was explored by chance e: then the bandit drew its item, by chance b, out of all that may
 * be shown and is in no other slot (engine/pipeline.h says what the logged propensities p are).
 * With a weight for each slot the value of a rule is the weighted mean of what slots earned:
 *
 *     no exploration   1 / (1 - e) where nothing was explored: 1 / p, and where the bandit put the
 *                      item forward, whose p has its chance in it, with e from all of the log
 *     bandit           the same weight for every explored slot, p = e b being what it does times e
 *     random           1 / p for explored slots: any item that may be shown by the same chance
 *
 * Weights are normalized by their sum, since e itself is not in the log: estimates suppose that it
 * was about the same throughout. Slots count one by one, as if what surrounds them did not matter.
 * Intervals are over users. */
#include "cli/ope.h"
#include "cli/ope_shown.h"

#include "base/mem.h"
#include "base/scheme.h"

#include <math.h>
#include <stdlib.h>

enum rule { AS_SHOWN, NO_EXPLORATION, BANDIT, RANDOM, RULES };

static const struct {
    const char *name, *title;
} rules[RULES] = {
    {"as-shown", "as it was shown"},
    {"no-exploration", "without exploration"},
    {"bandit", "the bandit in every slot"},
    {"random", "chance in every slot"},
};

struct by_source {
    uint32_t source;
    bool explored;
    size_t slots, acted;
    struct policy_value value;
};

struct served {
    struct shown shown;
    struct policy_value rule[RULES]; /* of BANDIT and RANDOM none if nothing was explored */
    struct by_source *source;        /* (sources), by value */
    size_t sources;
    double *column;   /* (3, slots): reward, propensity, target */
    uint32_t *unit;   /* (slots) */
    size_t rewarded;  /* slots that something came of */
    const char *text; /* the rules of weights */
};

static void served_done(struct served *x)
{
    shown_done(&x->shown);
    mem_free(x->source);
    mem_free(x->column);
    mem_free(x->unit);
}

static double smallest_explored(const struct shown *s)
{
    double p = 1;
    for (size_t i = 0; i < s->slots; i++)
        if (s->slot[i].explored)
            p = fmin(p, s->slot[i].propensity);
    return p;
}

/* target (slots), so that target / propensity is the weight up to a factor. */
static void fill_target(const struct shown *s, enum rule rule, double *target)
{
    double rest = 1 - (double)s->explored / (double)s->slots, least = smallest_explored(s);
    uint32_t bandit = intern_find(&s->sources, "bandit", 6);
    for (size_t i = 0; i < s->slots; i++) {
        const struct slot *x = &s->slot[i];
        double p = x->propensity;
        target[i] = 0;
        if (rule == AS_SHOWN || (rule == BANDIT && x->explored))
            target[i] = p;
        if (rule == NO_EXPLORATION && !x->explored)
            target[i] = x->source == bandit ? fmin(1, p / rest) : 1;
        if (rule == RANDOM && x->explored)
            target[i] = least;
    }
}

static enum pal_status value_of(struct job *job, struct served *x, struct policy_value *out,
                                struct pal_error *err)
{
    size_t n = x->shown.slots;
    struct policy_options o = ope_options(job);
    struct policy_log log = {.n = n,
                             .reward = x->column,
                             .propensity = x->column + n,
                             .target = x->column + 2 * n,
                             .unit = x->unit,
                             .units = x->shown.units};
    return policy_evaluate(&log, &o, &job->run, out, err);
}

static enum pal_status fill_columns(struct served *x, struct pal_error *err)
{
    const struct shown *s = &x->shown;
    x->column = mem_alloc(3 * s->slots, sizeof *x->column);
    x->unit = mem_alloc(s->slots, sizeof *x->unit);
    x->source = mem_zero(2 * (size_t)s->sources.count, sizeof *x->source);
    if (!x->column || !x->unit || !x->source)
        return pal_no_memory(err);
    for (size_t i = 0; i < s->slots; i++) {
        x->column[i] = s->slot[i].reward;
        x->column[s->slots + i] = s->slot[i].propensity;
        x->unit[i] = s->slot[i].unit;
        x->rewarded += s->slot[i].reward != 0;
    }
    return PAL_OK;
}

static enum pal_status evaluate_rules(struct job *job, struct served *x, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (size_t r = 0; r < RULES && !st; r++) {
        if (r >= BANDIT && !x->shown.explored)
            continue;
        if (r == NO_EXPLORATION && x->shown.explored == x->shown.slots)
            continue;
        fill_target(&x->shown, r, x->column + 2 * x->shown.slots);
        st = value_of(job, x, &x->rule[r], err);
    }
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = ((const struct by_source *)a)->value.value[POLICY_SNIPS];
    double y = ((const struct by_source *)b)->value.value[POLICY_SNIPS];
    return (x < y) - (x > y);
}

/* Slots of one source as they are: weight 1, the others 0. */
static enum pal_status evaluate_sources(struct job *job, struct served *x, struct pal_error *err)
{
    const struct shown *s = &x->shown;
    double *target = x->column + 2 * s->slots;
    enum pal_status st = PAL_OK;
    for (uint32_t k = 0; k < 2 * s->sources.count && !st; k++) {
        struct by_source v = {.source = k / 2, .explored = k % 2};
        for (size_t i = 0; i < s->slots; i++) {
            bool its = s->slot[i].source == v.source && s->slot[i].explored == v.explored;
            target[i] = its ? s->slot[i].propensity : 0;
            v.slots += its;
            v.acted += its && s->slot[i].reward > 0;
        }
        if (!v.slots)
            continue;
        st = value_of(job, x, &v.value, err);
        x->source[x->sources++] = v;
    }
    qsort(x->source, x->sources, sizeof *x->source, by_value);
    return st;
}

/* ---- telling ---- */

static bool known(const struct served *x, size_t rule)
{
    return x->rule[rule].matched > 0;
}

static void say_rules(struct console *c, const struct served *x, bool intervals)
{
    struct table t = {.indent = 2};
    say_heading(c, "What a slot earns");
    table_column(&t, "", LEFT, false);
    table_column(&t, "value", RIGHT, false);
    table_column(&t, intervals ? "interval" : "", LEFT, false);
    table_column(&t, "worth slots", RIGHT, false);
    for (size_t r = 0; r < RULES; r++) {
        if (!known(x, r))
            continue;
        table_put(&t, PLAIN, rules[r].title);
        ope_put_value(&t, &x->rule[r], r == AS_SHOWN ? POLICY_LOGGED : POLICY_SNIPS);
        table_cell(&t, "%.0f", x->rule[r].effective);
    }
    table_print(&t, c);
    table_done(&t);
    if (!known(x, BANDIT))
        say(c, "  No slot was explored, so nothing else can be told: palate serve --set "
               "engine.explore=0.05 explores one in twenty.\n");
}

static void say_sources(struct console *c, const struct served *x, bool intervals)
{
    struct table t = {.indent = 2};
    say_heading(c, "By who filled it");
    table_column(&t, "", LEFT, false);
    table_column(&t, "slots", RIGHT, false);
    table_column(&t, "acted on", RIGHT, false);
    table_column(&t, "value", RIGHT, false);
    table_column(&t, intervals ? "interval" : "", LEFT, false);
    for (size_t i = 0; i < x->sources; i++) {
        const struct by_source *s = &x->source[i];
        table_cell(&t, "%s%s", intern_text(&x->shown.sources, s->source),
                   s->explored ? ", explored" : "");
        put_count(table_open(&t, PLAIN), s->slots);
        table_close(&t);
        table_cell(&t, "%.2f %%", 100 * (double)s->acted / (double)s->slots);
        ope_put_value(&t, &s->value, POLICY_SNIPS);
    }
    table_print(&t, c);
    table_done(&t);
}

static void say_all(struct job *job, const struct served *x)
{
    const struct shown *s = &x->shown;
    struct console *c = &job->out;
    bool intervals = job->set.bootstrap > 0;
    say(c,
        "%u lists with %zu slots for %u users; %zu slots were explored; something came of %zu "
        "within %g hours\n",
        s->lists.count, s->slots, s->users.count, s->explored, x->rewarded, job->set.window);
    if (s->without)
        say(c, "%zu lists are left out: their slots have no propensities\n", s->without);
    say_rules(c, x, intervals);
    say_sources(c, x, intervals);
    say_text(c, "\n");
    say_paragraph(c, 0,
                  "Sources are not compared on the same slots: some fill the first places, "
                  "or lists of people who like much. What was explored is, since chance "
                  "chose the slot.");
}

static void emit_all(struct job *job, struct emit *e, const struct served *x)
{
    const struct shown *s = &x->shown;
    char url[256];
    scheme_copy(url, sizeof url, job->set.store);
    emit_open(e, NULL, '{');
    emit_string(e, "store", url);
    emit_string(e, "weights", x->text);
    emit_number(e, "window_hours", job->set.window);
    emit_number(e, "confidence", job->set.confidence);
    emit_uint(e, "lists", s->lists.count);
    emit_uint(e, "lists_without_propensities", s->without);
    emit_uint(e, "users", s->users.count);
    emit_uint(e, "slots", s->slots);
    emit_uint(e, "explored", s->explored);
    emit_uint(e, "rewarded", x->rewarded);
    emit_open(e, "events", '{');
    emit_uint(e, "counted", s->counted);
    emit_uint(e, "counted_without_id", s->guessed);
    emit_uint(e, "outside_window", s->outside);
    emit_uint(e, "unknown", s->unknown);
    emit_close(e, '}');
    emit_open(e, "policies", '[');
    for (size_t r = 0; r < RULES; r++) {
        if (!known(x, r))
            continue;
        emit_open(e, NULL, '{');
        emit_string(e, "policy", rules[r].name);
        ope_emit_value(e, &x->rule[r], r == AS_SHOWN ? POLICY_LOGGED : POLICY_SNIPS);
        emit_uint(e, "slots", x->rule[r].matched);
        emit_number(e, "effective_slots", x->rule[r].effective);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_open(e, "sources", '[');
    for (size_t i = 0; i < x->sources; i++) {
        emit_open(e, NULL, '{');
        emit_string(e, "source", intern_text(&s->sources, x->source[i].source));
        emit_boolean(e, "explored", x->source[i].explored);
        emit_uint(e, "slots", x->source[i].slots);
        emit_uint(e, "acted_on", x->source[i].acted);
        ope_emit_value(e, &x->source[i].value, POLICY_SNIPS);
        emit_close(e, '}');
    }
    emit_close(e, ']');
    emit_close(e, '}');
}

enum pal_status ope_served(struct job *job, struct pal_error *err)
{
    struct served x = {.text = job->set.weights ? job->set.weights : weights_default};
    struct weights w;
    struct emit e = {0};
    enum pal_status st = weights_parse(x.text, &w, err);
    if (!st)
        st = shown_read(job, &w, (int64_t)(job->set.window * 3600e3), &x.shown, err);
    if (!st)
        st = fill_columns(&x, err);
    if (!st)
        st = evaluate_rules(job, &x, err);
    if (!st)
        st = evaluate_sources(job, &x, err);
    if (!st && job->set.json) {
        emit_all(job, &e, &x);
        emit_say(&e, &job->out);
    } else if (!st) {
        say_all(job, &x);
    }
    served_done(&x);
    return st;
}
