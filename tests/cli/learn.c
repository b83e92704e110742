/* A running recommender that learns, for the tests of palate train: as palate serve does it,
 * without HTTP.
 *
 *     learn PALATE FOLDER
 *
 * People of two tastes like things of theirs; the loop trains a first version as soon as there is
 * enough, and a second one after as many events again, both with the binary PALATE. Between the two
 * a training is stopped halfway by another loop's end. One JSON line a run, as the loop remembers
 * it, and what somebody new is then recommended who liked one thing. */
#include "base/emit.h"
#include "engine/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PEOPLE = 60, THINGS = 40, EACH = 12, WAIT_S = 60 };

static char store_url[600], models[600];

static void check(enum pal_status st, const struct pal_error *err)
{
    if (st != PAL_OK) {
        fprintf(stderr, "learn: %s\n", err->message);
        exit(1);
    }
}

static void log_line(void *ctx, enum live_level level, const char *message)
{
    fprintf(stderr, "%d %s\n", (int)level, message);
}

static struct live *open_live(struct live_config *c, const char *folder)
{
    struct live *l;
    struct pal_error err;
    snprintf(store_url, sizeof store_url, "sqlite:%s/palate.db", folder);
    snprintf(models, sizeof models, "%s/models", folder);
    opt_defaults(&live_option_table, &c->live);
    opt_defaults(&pipeline_option_table, &c->engine);
    opt_defaults(&bandit_option_table, &c->bandit);
    opt_defaults(&journal_option_table, &c->journal);
    c->live.store = store_url;
    c->live.models = models;
    c->engine.explore = 0;
    c->engine.sources = "als:20"; /* the model alone: what it learned is to be seen */
    check(live_open(c, log_line, NULL, &l, &err), &err);
    return l;
}

/* Everybody likes EACH things of their own half, a second after each other. */
static void like(struct live *l, int from_person, int to_person)
{
    static int64_t time_ms = 1600000000000;
    unsigned seed = 7;
    struct pal_error err;
    for (int p = from_person; p < to_person; p++)
        for (int i = 0; i < EACH; i++) {
            char user[16], item[16];
            snprintf(user, sizeof user, "u%d", p);
            snprintf(item, sizeof item, "i%d", rand_r(&seed) % (THINGS / 2) * 2 + p % 2);
            struct record r = {.kind = RECORD_EVENT,
                               .event = {.user_id = user,
                                         .item_id = item,
                                         .type = "like",
                                         .value = 1,
                                         .time_ms = time_ms += 1000}};
            check(live_write_wait(l, &r, 1, &err), &err);
        }
}

/* Waits until `count` runs have ended. */
static void wait_for(struct loop *loop, size_t count)
{
    struct loop_run runs[8];
    for (int i = 0; i < WAIT_S * 100; i++) {
        if (loop_runs(loop, runs, 8) >= count && loop_state(loop) == LOOP_IDLE)
            return;
        usleep(10000);
    }
    fprintf(stderr, "learn: no training ended in time\n");
    exit(1);
}

/* Waits until the child says that it is in that stage. */
static void wait_for_stage(struct loop *loop, const char *stage)
{
    struct loop_run run;
    for (int i = 0; i < WAIT_S * 100; i++) {
        if (loop_runs(loop, &run, 1) == 1 && strcmp(run.stage, stage) == 0)
            return;
        usleep(10000);
    }
    fprintf(stderr, "learn: no training came as far as %s\n", stage);
    exit(1);
}

static void say(struct emit *e)
{
    printf("%s\n", str_text(&e->text));
    str_done(&e->text);
}

static void say_runs(struct loop *loop)
{
    struct loop_run runs[8];
    for (size_t n = loop_runs(loop, runs, 8); n > 0; n--) {
        const struct loop_run *r = &runs[n - 1];
        struct emit e = {.compact = true};
        emit_open(&e, NULL, '{');
        emit_uint(&e, "run", r->run);
        emit_string(&e, "cause", r->cause);
        emit_int(&e, "outcome", r->outcome);
        emit_uint(&e, "version", r->version);
        emit_uint(&e, "events", r->events);
        emit_number(&e, "metric", r->metric);
        emit_number(&e, "live_metric", r->live_metric);
        emit_string(&e, "message", r->message);
        emit_close(&e, '}');
        say(&e);
    }
}

static void say_answer(struct live *l)
{
    struct live_past past = {.item_id = "i1", .value = 1};
    struct live_request q = {
        .past = &past, .past_count = 1, .n = 10, .explore = -1, .diversity = -1};
    struct live_answer a;
    struct pal_error err;
    struct arena tmp;
    struct emit e = {.compact = true};
    arena_init(&tmp);
    check(live_recommend(l, &q, &tmp, &a, &err), &err);
    emit_open(&e, NULL, '{');
    emit_uint(&e, "model_version", a.model_version);
    emit_open(&e, "items", '[');
    for (size_t i = 0; i < a.count; i++)
        emit_string(&e, NULL, a.items[i].row.item_id);
    emit_close(&e, ']');
    emit_close(&e, '}');
    say(&e);
    arena_done(&tmp);
}

int main(int argc, char **argv)
{
    struct live_config config = {0};
    struct loop_options o = {0};
    struct loop *loop;
    struct pal_error err;
    uint64_t run;
    if (argc != 3) {
        fprintf(stderr, "usage: learn PALATE FOLDER\n");
        return 2;
    }
    struct live *l = open_live(&config, argv[2]);
    opt_defaults(&loop_option_table, &o);
    o.events = PEOPLE / 2 * EACH;
    o.models = "als,popular";
    o.set = "als.factors=8";
    like(l, 0, PEOPLE / 2);
    check(loop_start(l, &o, &config.live, argv[1], log_line, NULL, &loop, &err), &err);
    wait_for(loop, 1);
    say_runs(loop);
    loop_stop(loop);

    o.set = "als.epochs=1000,als.factors=512";
    check(loop_start(l, &o, &config.live, argv[1], log_line, NULL, &loop, &err), &err);
    check(loop_train(loop, &run, &err), &err);
    wait_for_stage(loop, "training");
    loop_stop(loop);

    o.set = "als.factors=8";
    o.margin = 1; /* so few events say little; what matters here is the way */
    check(loop_start(l, &o, &config.live, argv[1], log_line, NULL, &loop, &err), &err);
    like(l, PEOPLE / 2, PEOPLE);
    wait_for(loop, 1);
    say_runs(loop);
    say_answer(l);
    loop_stop(loop);
    live_close(l, 5000);
    return 0;
}
