/* One child after the other: scripts that succeed, fail, crash, hang, babble. */
#include "program.h"

#include "engine/loop_inside.h"

#include <math.h>
#include <signal.h>
#include <sys/eventfd.h>

static int stop_fd = -1;
static size_t tellings;
static double shares[8];

static void told(void *ctx, const struct loop_run *run)
{
    assert_ptr_equal(ctx, &stop_fd);
    assert_int_equal(run->outcome, LOOP_NEVER); /* as long as it runs */
    if (tellings < 8)
        shares[tellings] = run->share;
    tellings++;
}

static struct loop_run run_with(const char *body, const char *set, struct loop_timing timing)
{
    static const char *const args[] = {"palate", "train", "--keep", "5", NULL};
    struct loop_run run = {.run = 1, .cause = "call", .metric = NAN, .live_metric = NAN};
    struct child_job job = {
        .program = program(body),
        .args = args,
        .set = set,
        .nice = 7,
        .timing = timing,
        .stop_fd = stop_fd,
        .told = told,
        .told_ctx = &stop_fd,
    };
    tellings = 0;
    long live = mem_live();
    child_run(&job, &run);
    assert_int_equal(mem_live(), live);
    return run;
}

static const struct loop_timing patient = {0, 60000, 60000};

static struct loop_run run_script(const char *body)
{
    return run_with(body, NULL, patient);
}

static int make(void **state)
{
    stop_fd = eventfd(0, EFD_CLOEXEC);
    return make_place(state);
}

static int drop(void **state)
{
    close(stop_fd);
    return drop_place(state);
}

static void it_tells_how_it_goes_and_ended(void **state)
{
    (void)state;
    struct loop_run run = run_script(
        "echo '{\"stage\":\"training\",\"model\":\"als\",\"done\":1,\"total\":4}'\n"
        "echo '{\"stage\":\"evaluating\",\"model\":\"als\",\"done\":3,\"total\":0}'\n" PUBLISHED);
    assert_int_equal(run.outcome, LOOP_PUBLISHED);
    assert_int_equal(run.version, 4);
    assert_int_equal(run.events, 900);
    assert_int_equal(run.items, 80);
    assert_int_equal(run.users, 70);
    assert_int_equal(run.peak_bytes, 123456);
    assert_string_equal(run.metric_name, "ndcg@10");
    assert_true(run.metric == 0.31 && run.live_metric == 0.3);
    assert_string_equal(run.message, "not worse");
    assert_int_equal(tellings, 3);
    assert_true(shares[0] == 0.25);
    assert_true(shares[1] < 0);

    run = run_script("echo '{\"outcome\":\"held back\",\"version\":5,\"live_value\":null}'");
    assert_int_equal(run.outcome, LOOP_HELD_BACK);
    assert_int_equal(run.version, 5);
    assert_true(isnan(run.live_metric));
}

static void it_is_started_properly(void **state)
{
    (void)state;
    signal(SIGUSR1, SIG_IGN);
    struct loop_run run =
        run_with("echo \"$@\" >$PLACE/args\n"
                 "echo \"$PALATE_SET\" >$PLACE/set\n"
                 "cat >$PLACE/stdin\n"
                 "cut -d' ' -f5,19 /proc/$$/stat >$PLACE/stat; echo $$ >$PLACE/pid\n"
                 "grep SigIgn /proc/$$/status >$PLACE/ignored\n" PUBLISHED,
                 "als.factors=8,als.epochs=2", patient);
    signal(SIGUSR1, SIG_DFL);
    assert_int_equal(run.outcome, LOOP_PUBLISHED);
    assert_string_equal(content("args"), "train --keep 5\n");
    assert_string_equal(content("set"), "als.factors=8,als.epochs=2\n");
    assert_string_equal(content("stdin"), "");
    char expected[64];
    snprintf(expected, sizeof expected, "%d 7\n", atoi(content("pid")));
    assert_string_equal(content("stat"), expected); /* leads its group; steps back */
    /* SIGUSR1 and all others, but for two that are the C library's own. */
    assert_int_equal(strtoull(content("ignored") + sizeof "SigIgn:", NULL, 16) & 0x7fffffff, 0);
    assert_null(getenv("PALATE_SET"));
}

static void failures_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"echo '{\"outcome\":\"failed\",\"message\":\"no events yet\"}'; exit 1", "no events yet"},
        {"echo 'palate: something else' >&2; echo 'palate: cannot open x' >&2; exit 1",
         "cannot open x"},
        {"exit 3", "status 3"},
        {"exit 0", "status 0"},
        {"kill -SEGV $$", "Segmentation"},
        {"kill -KILL $$", "memory"},
        {PUBLISHED "exit 1", "status 1"},
        {PUBLISHED "kill -ABRT $$", "Abort"},
        {"echo '{\"outcome\":\"stopped\"}'", "status 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct loop_run run = run_script(rows[i].body);
        assert_int_equal(run.outcome, LOOP_FAILED);
        assert_int_equal(run.version, 0);
        if (!strstr(run.message, rows[i].says))
            fail_msg("'%s' is not in '%s'", rows[i].says, run.message);
    }
}

static void what_cannot_be_started(void **state)
{
    (void)state;
    static const char *const args[] = {"palate", NULL};
    struct loop_run run = {.run = 1};
    struct child_job job = {.program = "/nowhere/palate",
                            .args = args,
                            .timing = patient,
                            .stop_fd = stop_fd,
                            .told = told,
                            .told_ctx = &stop_fd};
    child_run(&job, &run);
    assert_int_equal(run.outcome, LOOP_FAILED);
    assert_non_null(strstr(run.message, "No such file"));
    job.set = "als.factors=8";
    job.store = "sqlite:x.db";
    for (long n = 1; n <= 4; n++) { /* the child's struct, the environment, what is in it */
        run.outcome = LOOP_NEVER;
        mem_fail_at(n);
        child_run(&job, &run);
        mem_fail_at(0);
        assert_int_equal(run.outcome, LOOP_FAILED);
        assert_non_null(strstr(run.message, "memory"));
    }
}

/* Not JSON, not ours, too long, not ended: passed over; what makes sense in between counts. */
static void garbage_is_passed_over(void **state)
{
    (void)state;
    struct loop_run run = run_script(
        "echo hello; echo; echo '[1,2]'; echo '{\"stage\":7}'; echo '{\"outcome\":\"perhaps\"}'\n"
        "echo '{\"stage\":\"training\",\"done\":-5,\"total\":\"many\"}'\n"
        "head -c 100000 /dev/zero | tr '\\0' x\n"
        "echo ' {\"outcome\":\"published\",\"version\":9}'\n" /* the end of the long line */
        "printf '\\377\\376\\n'\n" PUBLISHED "printf '{\"outcome\":\"failed\"'\n");
    assert_int_equal(run.outcome, LOOP_PUBLISHED);
    assert_int_equal(run.version, 4);
    assert_int_equal(tellings, 2);
    char long_stage[512];
    struct loop_run r = {.run = 1};
    memset(long_stage, 0, sizeof long_stage);
    snprintf(long_stage, sizeof long_stage, "{\"stage\":\"%0300d\",\"done\":9,\"total\":3}", 0);
    assert_int_equal(child_line(long_stage, strlen(long_stage), &r), CHILD_PROGRESS);
    assert_int_equal(strlen(r.stage), sizeof r.stage - 1);
    assert_true(r.share == 1);
}

/* Asked to end, then made to. */
static void one_that_hangs_is_ended(void **state)
{
    (void)state;
    struct loop_run run =
        run_with("trap 'echo asked >$PLACE/asked; exit 0' TERM\nwhile :; do sleep 0.01; done", NULL,
                 (struct loop_timing){0, 300, 60000});
    assert_int_equal(run.outcome, LOOP_FAILED);
    assert_non_null(strstr(run.message, "longer"));
    assert_non_null(strstr(run.message, "timeout_minutes"));
    assert_string_equal(content("asked"), "asked\n");
    run = run_with("trap '' TERM\nwhile :; do sleep 0.01; done", NULL,
                   (struct loop_timing){0, 50, 50});
    assert_int_equal(run.outcome, LOOP_FAILED);
    assert_non_null(strstr(run.message, "longer"));
}

static void one_can_be_stopped(void **state)
{
    (void)state;
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    struct loop_run run = run_script("while :; do sleep 0.01; done");
    assert_int_equal(run.outcome, LOOP_STOPPED);
    run = run_script("trap '' TERM\n" PUBLISHED); /* it was done all the same, or not */
    assert_true(run.outcome == LOOP_PUBLISHED || run.outcome == LOOP_STOPPED);
}

/* A process that the child left behind, which holds its pipes open, is ended with it. */
static void nothing_is_left_behind(void **state)
{
    (void)state;
    struct loop_run run = run_script("sleep 1000 & echo $! >$PLACE/pid\n" PUBLISHED);
    assert_int_equal(run.outcome, LOOP_PUBLISHED);
    pid_t left = atoi(content("pid"));
    assert_true(left > 1);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/0", (int)left); /* not there once it has ended */
    wait_until(access(path, F_OK) != 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make, drop)
    static const struct CMUnitTest tests[] = {
        CASE(it_tells_how_it_goes_and_ended),
        CASE(it_is_started_properly),
        CASE(failures_are_explained),
        CASE(what_cannot_be_started),
        CASE(garbage_is_passed_over),
        CASE(one_that_hangs_is_ended),
        CASE(one_can_be_stopped),
        CASE(nothing_is_left_behind),
    };
    return cmocka_run_group_tests_name("engine/loop_child", tests, NULL, NULL);
}
