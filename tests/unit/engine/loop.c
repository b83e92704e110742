/* When the loop trains, with a world made of a few numbers and a program that is a script. */
#include "base/clock.h"
#include "program.h"

#include "engine/loop_inside.h"

#include <math.h>
#include <stdatomic.h>

static struct {
    atomic_ullong fresh, all;
    atomic_llong created;
    atomic_int reloads;
    atomic_bool reload_fails;
    atomic_int infos, warnings, errors;
} world;

static uint64_t new_events(void *ctx)
{
    assert_ptr_equal(ctx, &world);
    return world.fresh;
}
static uint64_t all_events(void *ctx)
{
    (void)ctx;
    return world.all;
}
static int64_t trained_ms(void *ctx)
{
    (void)ctx;
    return world.created;
}
static enum pal_status reload(void *ctx, uint32_t *version, struct pal_error *err)
{
    (void)ctx;
    world.reloads++;
    if (world.reload_fails)
        return pal_fail(err, PAL_ECORRUPT, "als.safetensors is damaged");
    *version = 4;
    world.fresh = 0;
    world.created = clock_wall_ms();
    return PAL_OK;
}
static void take_note(void *ctx, enum live_level level, const char *message)
{
    assert_ptr_equal(ctx, &world);
    assert_true(strlen(message) > 5);
    ++*(level == LIVE_INFO      ? &world.infos
        : level == LIVE_WARNING ? &world.warnings
                                : &world.errors);
}

static const struct loop_world table = {new_events, all_events, trained_ms, reload, &world};
static const struct live_options paths = {
    .store = "sqlite:x.db", .journal = "j.d", .models = "m", .weights = "like:1"};

static struct loop_options options(void)
{
    struct loop_options o = {0};
    opt_defaults(&loop_option_table, &o);
    o.every_hours = 0;
    o.events = 0;
    o.growth = 0;
    return o;
}

static struct loop *start(const struct loop_options *o, const char *body)
{
    static const struct loop_timing timing = {5, 60000, 60000};
    struct loop *l = NULL;
    struct pal_error err;
    assert_ok(loop_start_in(&table, &timing, o, &paths, program(body), take_note, &world, &l, &err),
              &err);
    return l;
}

static int begin(void **state)
{
    memset(&world, 0, sizeof world);
    world.created = clock_wall_ms();
    world.all = 1000000;
    return make_place(state);
}

/* How many times the script began; it writes a line each time. */
#define COUNT "echo x >>$PLACE/count\n"
static size_t times_begun(void)
{
    return strlen(content("count")) / 2;
}

static struct loop_run last(struct loop *l)
{
    struct loop_run run = {0};
    loop_runs(l, &run, 1);
    return run;
}

static void nothing_happens_by_itself_without_a_reason(void **state)
{
    (void)state;
    struct loop_options o = options();
    world.fresh = 1000000;
    world.created = 0;
    struct loop *l = start(&o, COUNT PUBLISHED);
    struct loop_run run[3];
    uint64_t number = 0;
    struct pal_error err;
    assert_int_equal(loop_runs(l, run, 3), 0);
    assert_int_equal(loop_state(l), LOOP_IDLE);
    assert_int_equal(loop_next_ms(l), 0);
    assert_ok(loop_train(l, &number, &err), &err); /* only this one */
    assert_int_equal(number, 1);
    wait_until(loop_state(l) == LOOP_IDLE);
    assert_int_equal(loop_runs(l, run, 3), 1);
    assert_string_equal(run[0].cause, "call");
    loop_stop(l);
    loop_stop(NULL);
    assert_int_equal(times_begun(), 1);
}

static void a_call_trains(void **state)
{
    (void)state;
    struct loop_options o = options();
    uint64_t number = 0;
    struct pal_error err;
    o.models = "als,popular";
    o.set = "als.factors=8";
    o.margin = 0.125;
    o.keep = 7;
    int64_t before = clock_wall_ms();
    struct loop *l =
        start(&o, "echo \"$@\" >$PLACE/args; echo $PALATE_SET >$PLACE/set\n"
                  "echo '{\"stage\":\"training\",\"model\":\"als\",\"done\":1,\"total\":2}'\n"
                  "while [ ! -e $PLACE/go ]; do sleep 0.01; done\n" PUBLISHED);
    assert_ok(loop_train(l, &number, &err), &err);
    assert_int_equal(number, 1);
    assert_int_equal(loop_state(l), LOOP_RUNNING);
    wait_until(strcmp(last(l).stage, "training") == 0);
    struct loop_run run = last(l);
    assert_string_equal(run.model, "als");
    assert_true(run.share == 0.5);
    assert_int_equal(run.ended_ms, 0);
    assert_true(run.began_ms >= before);
    assert_true(isnan(run.metric));
    uint64_t second = 0;
    assert_int_equal(loop_train(l, &second, &err), PAL_EFULL); /* one at a time */
    assert_int_equal(second, 1);
    FILE *go = fopen(in_place("go"), "w");
    fclose(go);
    wait_until(loop_state(l) == LOOP_IDLE);
    run = last(l);
    assert_int_equal(run.outcome, LOOP_PUBLISHED);
    assert_int_equal(run.version, 4);
    assert_true(run.metric == 0.31);
    assert_true(run.ended_ms >= run.began_ms);
    assert_string_equal(run.stage, "");
    assert_int_equal(world.reloads, 1);
    assert_string_equal(content("args"),
                        "train --progress-json --quiet --store sqlite:x.db --journal j.d --models "
                        "m --weights like:1 --model als,popular --split time:90/10 --metrics "
                        "ndcg@10,recall@10,coverage@10,novelty@10 --gate 0.125 --keep 7\n");
    assert_string_equal(content("set"), "als.factors=8\n");
    loop_stop(l);
    assert_int_equal(world.infos, 2);
    assert_int_equal(world.errors, 0);
}

static void new_events_train(void **state)
{
    (void)state;
    struct loop_options o = options();
    o.events = 100;
    world.fresh = 99;
    struct loop *l = start(&o, COUNT PUBLISHED);
    world.fresh = 100;
    wait_until(world.reloads == 1);
    wait_until(loop_state(l) == LOOP_IDLE);
    assert_string_equal(last(l).cause, "events");
    world.fresh = 100;
    wait_until(world.reloads == 2);
    wait_until(loop_state(l) == LOOP_IDLE);
    loop_stop(l);
    assert_int_equal(times_begun(), 2);
}

/* 300 events at the last training: at 600 it is time again, be the new ones few or many. */
static void growth_trains(void **state)
{
    (void)state;
    struct loop_options o = options();
    o.growth = 2;
    o.config = "a site.ini";
    world.all = 599;
    world.fresh = 299;
    struct loop *l =
        start(&o, "for i; do echo \"<$i>\"; done | tail -n 2 >$PLACE/last\n" COUNT "exit 1");
    world.all = 600;
    world.fresh = 300;
    wait_until(times_begun() == 1 && loop_state(l) == LOOP_IDLE);
    assert_string_equal(last(l).cause, "growth");
    assert_string_equal(content("last"), "<--config>\n<a site.ini>\n");
    world.all = 1199; /* it failed, and counts from there all the same */
    world.fresh = 899;
    uint64_t number;
    struct pal_error err;
    assert_ok(loop_train(l, &number, &err), &err);
    assert_int_equal(number, 2);
    wait_until(loop_state(l) == LOOP_IDLE);
    world.all = 2398;
    world.fresh = 2098;
    wait_until(times_begun() == 3);
    loop_stop(l);
    assert_int_equal(times_begun(), 3);
}

/* What was not published is not tried again before there are as many events once more. */
static void a_failure_is_not_repeated_at_once(void **state)
{
    (void)state;
    struct loop_options o = options();
    uint64_t number;
    struct pal_error err;
    struct loop_run run[4];
    o.events = 100;
    world.fresh = 150;
    struct loop *l = start(&o, COUNT "exit 1");
    wait_until(times_begun() == 1 && loop_state(l) == LOOP_IDLE);
    assert_int_equal(last(l).outcome, LOOP_FAILED);
    /* 249 are 99 since then. The call shows that the loop has looked meanwhile. */
    world.fresh = 249;
    assert_ok(loop_train(l, &number, &err), &err);
    assert_int_equal(number, 2);
    wait_until(loop_state(l) == LOOP_IDLE);
    world.fresh = 349;
    wait_until(loop_runs(l, run, 4) == 3);
    wait_until(loop_state(l) == LOOP_IDLE);
    assert_int_equal(loop_runs(l, run, 4), 3);
    assert_string_equal(run[0].cause, "events"); /* newest first */
    assert_string_equal(run[1].cause, "call");
    assert_string_equal(run[2].cause, "events");
    assert_int_equal(run[2].run, 1);
    loop_stop(l);
    assert_int_equal(times_begun(), 3);
    assert_int_equal(world.errors, 3);
    assert_int_equal(world.reloads, 0);
}

/* Where there is no version yet, enough events to learn from at all are reason enough. */
static void the_first_one_comes_early(void **state)
{
    (void)state;
    struct loop_options o = options();
    o.events = 1000000;
    o.least_events = 50;
    world.created = 0;
    world.all = world.fresh = 49;
    struct loop *l = start(&o, COUNT PUBLISHED);
    world.all = world.fresh = 50;
    wait_until(world.reloads == 1);
    loop_stop(l);
    assert_int_equal(times_begun(), 1);
}

static void the_clock_trains(void **state)
{
    (void)state;
    struct loop_options o = options();
    o.every_hours = 0.02 / 3600; /* 20 ms */
    struct loop *l = start(&o, COUNT PUBLISHED);
    assert_true(loop_next_ms(l) > 0);
    wait_until(world.reloads >= 3);
    loop_stop(l);
    assert_true(times_begun() >= 3);
}

/* A version that seems to be from the future or from long ago, because a clock was set: the next
 * one is due within one interval, and not before now. */
static void a_wrong_calendar_is_survived(void **state)
{
    (void)state;
    struct loop_options o = options();
    static const int64_t off_ms[] = {-1000000000000, -1800000, 0, 1000000000000};
    o.every_hours = 1;
    o.least_events = 2000000; /* so that none begins */
    for (size_t i = 0; i < 4; i++) {
        world.created = clock_wall_ms() + off_ms[i];
        struct loop *l = start(&o, COUNT PUBLISHED);
        int64_t before = clock_wall_ms(), next = loop_next_ms(l);
        assert_true(next >= before - 1000 && next <= clock_wall_ms() + 3600000 + 1000);
        if (off_ms[i] == -1800000)
            assert_in_range(next, before + 1700000, before + 1900000);
        loop_stop(l);
    }
    assert_int_equal(times_begun(), 0);
}

static void too_few_events_wait(void **state)
{
    (void)state;
    struct loop_options o = options();
    o.every_hours = 0.005 / 3600;
    o.events = 10;
    o.least_events = 1000;
    world.fresh = 20;
    world.all = 999;
    struct loop *l = start(&o, COUNT PUBLISHED);
    wait_until(loop_next_ms(l) > clock_wall_ms() + 10000); /* it has looked, and put it off */
    assert_int_equal(times_begun(), 0);
    world.all = 1000;
    wait_until(world.reloads == 1);
    loop_stop(l);
}

static void what_is_held_back_is_not_loaded(void **state)
{
    (void)state;
    struct loop_options o = options();
    uint64_t number;
    struct pal_error err;
    struct loop *l = start(&o, "echo '{\"outcome\":\"held back\",\"version\":3}'");
    assert_ok(loop_train(l, &number, &err), &err);
    wait_until(loop_state(l) == LOOP_IDLE);
    assert_int_equal(last(l).outcome, LOOP_HELD_BACK);
    assert_int_equal(last(l).version, 3);
    assert_int_equal(world.reloads, 0);
    assert_int_equal(world.warnings, 1);
    loop_stop(l);
}

static void what_cannot_be_loaded_is_said(void **state)
{
    (void)state;
    struct loop_options o = options();
    uint64_t number;
    struct pal_error err;
    world.reload_fails = true;
    struct loop *l = start(&o, PUBLISHED);
    assert_ok(loop_train(l, &number, &err), &err);
    wait_until(loop_state(l) == LOOP_IDLE);
    assert_int_equal(last(l).outcome, LOOP_PUBLISHED);
    assert_non_null(strstr(last(l).message, "damaged"));
    assert_int_equal(world.errors, 1);
    loop_stop(l);
}

static void stopping_ends_the_child(void **state)
{
    (void)state;
    struct loop_options o = options();
    uint64_t number;
    struct pal_error err;
    struct loop *l = start(&o, "echo $$ >$PLACE/pid; while :; do sleep 0.01; done");
    assert_ok(loop_train(l, &number, &err), &err);
    wait_until(strchr(content("pid"), '\n') != NULL);
    loop_stop(l);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", atoi(content("pid")));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(world.errors, 0);
}

/* More runs than are remembered: the newest are. */
static void old_runs_are_forgotten(void **state)
{
    (void)state;
    struct loop_options o = options();
    uint64_t number = 0;
    struct pal_error err;
    static struct loop_run runs[200];
    struct loop *l = start(&o, "exit 1");
    for (int i = 0; i < 70; i++) {
        assert_ok(loop_train(l, &number, &err), &err);
        wait_until(loop_state(l) == LOOP_IDLE);
    }
    size_t n = loop_runs(l, runs, 200);
    assert_in_range(n, 50, 70);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(runs[i].run, 70 - i);
    loop_stop(l);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    static const struct loop_timing timing = {5, 60000, 60000};
    struct loop_options o = options();
    struct pal_error err;
    enum pal_status st;
    long n = 0;
    o.models = o.set = "x";
    do {
        struct loop *l = NULL;
        long before = mem_live();
        mem_fail_at(++n);
        st = loop_start_in(&table, &timing, &o, &paths, "p", NULL, NULL, &l, &err);
        mem_fail_at(0);
        loop_stop(l);
        assert_true(st == PAL_OK || st == PAL_ENOMEM);
        assert_int_equal(mem_live(), before);
    } while (st != PAL_OK && n < 100);
    assert_int_equal(n, 11); /* itself, nine texts, and then none fails */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, drop_place)
    static const struct CMUnitTest tests[] = {
        CASE(nothing_happens_by_itself_without_a_reason),
        CASE(a_call_trains),
        CASE(new_events_train),
        CASE(growth_trains),
        CASE(a_failure_is_not_repeated_at_once),
        CASE(the_first_one_comes_early),
        CASE(the_clock_trains),
        CASE(a_wrong_calendar_is_survived),
        CASE(too_few_events_wait),
        CASE(what_is_held_back_is_not_loaded),
        CASE(what_cannot_be_loaded_is_said),
        CASE(stopping_ends_the_child),
        CASE(old_runs_are_forgotten),
        CASE(any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("engine/loop", tests, NULL, NULL);
}
