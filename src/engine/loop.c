/* See loop.h: when to train. What becomes of a run is loop_child.c's affair.
 *
 * Times are those of a clock that only goes forward, so that a clock that is set does not start or
 * put off anything; only how long ago the last training was, is asked of the calendar, once. After
 * a run that was not published the count of new events begins anew, or it would start the next one
 * at once; and the next one that nobody asked for begins no sooner than the last one took. */
#include "base/clock.h"
#include "engine/loop_inside.h"

#include "base/mem.h"
#include "base/scheme.h"
#include "base/turns.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    RUNS = 64,         /* remembered */
    ARGS = 32,         /* words of the child's command */
    TOO_FEW_MS = 60000 /* before it is asked again whether there are enough events */
};

#define ROW(field, kind, initial, min, max, scale, choices, help)                                  \
    {                                                                                              \
#field, kind, offsetof(struct loop_options, field), initial, min, max, scale, choices,     \
            help                                                                                   \
    }

/* For the page: nothing goes by them. One that is the loop's metric is counted once. */
static const char also_measured[] = "recall@10,coverage@10,novelty@10";

static const struct opt rows[] = {
    ROW(every_hours, OPT_REAL, "24", 0, 1e5, OPT_LINEAR, NULL,
        "train so often; 0 = not by the clock"),
    ROW(events, OPT_INT, "10000", 0, 1e15, OPT_LINEAR, NULL,
        "train after so many new events; 0 = not by their number"),
    ROW(growth, OPT_REAL, "2", 0, 1e6, OPT_LINEAR, NULL,
        "train when there are so many times the events of the last training; 0 = not by growth"),
    ROW(least_events, OPT_INT, "100", 1, 1e15, OPT_LINEAR, NULL,
        "not before there are so many events in all"),
    ROW(margin, OPT_REAL, "0.05", 0, 1, OPT_LINEAR, NULL,
        "how much worse than the live version a new one may be, as a share of its metric"),
    ROW(models, OPT_TEXT, NULL, 0, 0, OPT_LINEAR, "A,B",
        "what to train; default: what suits the data"),
    ROW(set, OPT_TEXT, NULL, 0, 0, OPT_LINEAR, "MODEL.OPTION=VALUE,…", "options of models"),
    ROW(metric, OPT_TEXT, "ndcg@10", 0, 0, OPT_LINEAR, "A@K",
        "what versions are compared by; recall, coverage and novelty are measured, too"),
    ROW(split, OPT_TEXT, "time:90/10", 0, 0, OPT_LINEAR, "SPEC", "what is held out for that"),
    ROW(keep, OPT_INT, "5", 2, 1e6, OPT_LINEAR, NULL,
        "versions kept, the live one and the one before it included"),
    ROW(timeout_minutes, OPT_INT, "240", 1, 1e6, OPT_LINEAR, NULL,
        "end a training that takes longer"),
    ROW(nice, OPT_INT, "10", 0, 19, OPT_LINEAR, NULL, "how far training steps back for serving"),
};
const struct opt_table loop_option_table = {rows, sizeof rows / sizeof *rows};

struct loop {
    struct loop_world world;
    struct loop_timing timing;
    struct loop_options o; /* its texts, and those below, are ours */
    const char *store, *stream, *journal, *models, *weights, *program;
    live_log_fn *log;
    void *log_ctx;
    int stop_fd;
    pthread_t thread;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    bool stop, running;
    uint64_t count;             /* runs so far */
    struct loop_run runs[RUNS]; /* run r is at (r - 1) % RUNS */
    int64_t clock_due_ms;       /* on the clock that goes forward; 0 = never */

    /* The thread's own. */
    uint64_t base;         /* new events at the last run's begin */
    int64_t not_before_ms; /* nothing that nobody asked for */
};

static void say(const struct loop *l, enum live_level level, const char *fmt, ...) PRINTF(3, 4);
static void say(const struct loop *l, enum live_level level, const char *fmt, ...)
{
    char message[1024];
    va_list args;
    if (!l->log)
        return;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    l->log(l->log_ctx, level, message);
}

/* ---- one run ---- */

/* The newest run's record. With the lock held. */
static struct loop_run *newest(struct loop *l)
{
    return &l->runs[(l->count - 1) % RUNS];
}

/* With the lock held. */
static uint64_t begin(struct loop *l, const char *cause)
{
    l->running = true;
    l->count++;
    *newest(l) = (struct loop_run){
        .run = l->count,
        .cause = cause,
        .began_ms = clock_wall_ms(),
        .stage = "starting",
        .share = -1,
        .metric = NAN,
        .live_metric = NAN,
    };
    return l->count;
}

static void told(void *ctx, const struct loop_run *run)
{
    struct loop *l = ctx;
    pthread_mutex_lock(&l->lock);
    *newest(l) = *run;
    pthread_mutex_unlock(&l->lock);
}

/* A flag and its value, unless that is NULL. */
static size_t put(const char **args, size_t n, const char *flag, const char *value)
{
    if (value) {
        args[n++] = flag;
        args[n++] = value;
    }
    return n;
}

/* Whether a URL has a password in it. */
static bool has_secret(const char *url)
{
    struct str shown = {0};
    if (url)
        scheme_show(&shown, url);
    bool secret = url && (!str_ok(&shown) || strcmp(str_text(&shown), url) != 0);
    str_done(&shown);
    return secret;
}

static void run_child(struct loop *l, struct loop_run *run)
{
    const char *args[ARGS] = {"palate", "train", "--progress-json", "--quiet"};
    char margin[32], keep[32], stream[256], metrics[256];
    size_t n = 4;
    snprintf(metrics, sizeof metrics, "%.200s,%s", l->o.metric, also_measured);
    snprintf(margin, sizeof margin, "%.9g", l->o.margin);
    snprintf(keep, sizeof keep, "%lld", (long long)l->o.keep);
    bool secret = has_secret(l->store); /* others can read a command line */
    n = put(args, n, "--store", secret ? NULL : l->store);
    scheme_copy(stream, sizeof stream, l->stream ? l->stream : "");
    n = put(args, n, "--stream", l->stream ? stream : NULL);
    n = put(args, n, "--journal", l->journal);
    n = put(args, n, "--models", l->models);
    n = put(args, n, "--weights", l->weights);
    n = put(args, n, "--model", l->o.models);
    n = put(args, n, "--split", l->o.split);
    n = put(args, n, "--metrics", metrics);
    n = put(args, n, "--gate", margin);
    n = put(args, n, "--keep", keep);
    n = put(args, n, "--config", l->o.config);
    struct child_job job = {
        .program = l->program,
        .args = args,
        .set = l->o.set,
        .store = secret ? l->store : NULL,
        .nice = l->o.nice,
        .timing = l->timing,
        .stop_fd = l->stop_fd,
        .told = told,
        .told_ctx = l,
    };
    child_run(&job, run);
}

/* The new version is loaded, and the person told. */
static void settle(struct loop *l, struct loop_run *run)
{
    struct pal_error err;
    unsigned long long number = run->run;
    run->stage[0] = run->model[0] = 0;
    run->share = -1;
    if (run->outcome == LOOP_PUBLISHED) {
        uint32_t loaded = 0;
        enum pal_status st = l->world.reload(l->world.ctx, &loaded, &err);
        if (st == PAL_OK)
            say(l, LIVE_INFO, "training %llu: version %u is live. %s", number, run->version,
                run->message);
        else
            say(l, LIVE_ERROR, "training %llu: version %u is published, but can't be loaded: %s",
                number, run->version, err.message);
        if (st != PAL_OK)
            snprintf(run->message, sizeof run->message, "published, but not loaded: %.450s",
                     err.message);
    } else if (run->outcome == LOOP_HELD_BACK) {
        say(l, LIVE_WARNING, "training %llu: version %u is kept, but not live. %s", number,
            run->version, run->message);
    } else if (run->outcome == LOOP_STOPPED) {
        say(l, LIVE_INFO, "training %llu: stopped", number);
    } else {
        say(l, LIVE_ERROR, "training %llu failed: %s", number, run->message);
    }
}

/* Carries out the run that was begun. Called with the lock held, which it gives up meanwhile. */
static void carry_out(struct loop *l)
{
    struct loop_run run = *newest(l);
    int64_t every_ms = (int64_t)(l->o.every_hours * 3600e3), began = clock_steady_ms();
    pthread_mutex_unlock(&l->lock);
    say(l, LIVE_INFO, "training %llu begins, by %s", (unsigned long long)run.run, run.cause);
    l->base = l->world.new_events(l->world.ctx);
    run_child(l, &run);
    settle(l, &run);
    run.ended_ms = clock_wall_ms();
    int64_t now = clock_steady_ms();
    l->not_before_ms = now + (now - began);
    pthread_mutex_lock(&l->lock);
    *newest(l) = run;
    l->running = false;
    if (l->clock_due_ms)
        l->clock_due_ms = began + every_ms > now ? began + every_ms : now + 1;
}

/* ---- when ---- */

/* New events since the last run began; the count starts anew when a version goes live. */
static uint64_t events_since(struct loop *l)
{
    uint64_t n = l->world.new_events(l->world.ctx);
    if (n < l->base)
        l->base = 0;
    return n - l->base;
}

/* The reason to train now, or NULL. Asks the world, without the lock. */
static const char *reason(struct loop *l, int64_t clock_due_ms, bool *too_few)
{
    int64_t now = clock_steady_ms();
    const char *cause = NULL;
    uint64_t events = events_since(l);
    bool automatic = l->o.events > 0 || l->o.every_hours > 0 || l->o.growth > 0;
    *too_few = false;
    if (now < l->not_before_ms || !automatic)
        return NULL;
    if (clock_due_ms && now >= clock_due_ms)
        cause = "clock";
    if (l->o.events > 0 && events >= (uint64_t)l->o.events)
        cause = "events";
    if (l->world.trained_ms(l->world.ctx) == 0 && events >= (uint64_t)l->o.least_events)
        cause = "events"; /* the first one: anything is better than nothing */
    uint64_t all = l->world.all_events(l->world.ctx), then = all > events ? all - events : 0;
    if (!cause && l->o.growth > 0 && (double)all >= l->o.growth * (double)then && then > 0)
        cause = "growth";
    if (cause && all < (uint64_t)l->o.least_events) {
        *too_few = true;
        cause = NULL;
    }
    return cause;
}

/* With the lock held. */
static void wait_a_little(struct loop *l)
{
    int64_t ms = clock_steady_ms() + l->timing.look_ms;
    if (l->clock_due_ms && l->clock_due_ms < ms && l->clock_due_ms >= l->not_before_ms)
        ms = l->clock_due_ms;
    struct timespec until = clock_at_ms(ms);
    pthread_cond_timedwait(&l->changed, &l->lock, &until);
}

static void *loop_body(void *ctx)
{
    struct loop *l = ctx;
    pthread_setname_np(pthread_self(), "palate-learn");
    turns_behind();
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (l->running) { /* somebody called */
            carry_out(l);
            continue;
        }
        int64_t due = l->clock_due_ms;
        bool too_few;
        pthread_mutex_unlock(&l->lock);
        const char *cause = reason(l, due, &too_few);
        pthread_mutex_lock(&l->lock);
        if (too_few && l->clock_due_ms)
            l->clock_due_ms = clock_steady_ms() + TOO_FEW_MS;
        if (l->stop || l->running)
            continue;
        if (cause)
            begin(l, cause);
        else
            wait_a_little(l);
    }
    if (l->running) { /* called in the last moment */
        struct loop_run *run = newest(l);
        run->outcome = LOOP_STOPPED;
        run->ended_ms = clock_wall_ms();
        l->running = false;
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- starting and stopping ---- */

static enum pal_status copy_texts(struct loop *l, const struct loop_options *o,
                                  const struct live_options *paths, const char *program,
                                  struct pal_error *err)
{
    struct {
        const char *from;
        const char **to;
    } texts[] = {
        {o->models, &l->o.models},   {o->set, &l->o.set},           {o->metric, &l->o.metric},
        {o->split, &l->o.split},     {paths->store, &l->store},     {paths->journal, &l->journal},
        {paths->models, &l->models}, {paths->weights, &l->weights}, {program, &l->program},
        {o->config, &l->o.config},   {paths->stream, &l->stream},
    };
    size_t n = sizeof texts / sizeof *texts;
    bool whole = true;
    l->o = *o;
    for (size_t i = 0; i < n; i++)
        *texts[i].to = NULL; /* ours from here on: NULL or a copy */
    for (size_t i = 0; i < n && whole; i++) {
        const char *from = texts[i].from;
        if (from)
            whole = (*texts[i].to = mem_text(from, strlen(from))) != NULL;
    }
    return whole ? PAL_OK : pal_no_memory(err);
}

static void release(struct loop *l)
{
    const char *texts[] = {l->o.models, l->o.set,   l->o.metric, l->o.split,  l->store, l->journal,
                           l->models,   l->weights, l->program,  l->o.config, l->stream};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        mem_free((void *)texts[i]);
    if (l->stop_fd >= 0)
        close(l->stop_fd);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

/* By the last training's age, which a clock that was set may have made anything. */
static int64_t first_due(const struct loop *l)
{
    int64_t every = (int64_t)(l->o.every_hours * 3600e3);
    int64_t trained = l->world.trained_ms(l->world.ctx), age = 0;
    if (every <= 0)
        return 0;
    if (trained > 0)
        age = clock_wall_ms() - trained;
    age = age < 0 ? 0 : age > every ? every : age;
    return clock_steady_ms() + every - age + 1;
}

enum pal_status loop_start_in(const struct loop_world *world, const struct loop_timing *t,
                              const struct loop_options *o, const struct live_options *paths,
                              const char *program, live_log_fn *log, void *log_ctx,
                              struct loop **out, struct pal_error *err)
{
    struct loop *l = mem_zero(1, sizeof *l);
    if (!l)
        return pal_no_memory(err);
    l->world = *world;
    l->timing = *t;
    l->log = log;
    l->log_ctx = log_ctx;
    pthread_mutex_init(&l->lock, NULL);
    clock_cond_init(&l->changed);
    l->stop_fd = eventfd(0, EFD_CLOEXEC);
    enum pal_status st = copy_texts(l, o, paths, program, err);
    if (st == PAL_OK && l->stop_fd < 0)
        st = pal_fail(err, PAL_EIO, "no event descriptor: %s", strerror(errno));
    if (st == PAL_OK) {
        l->clock_due_ms = first_due(l);
        if (pthread_create(&l->thread, NULL, loop_body, l))
            st = pal_fail(err, PAL_ENOMEM, "no thread could be started for the learning loop");
    }
    if (st != PAL_OK) {
        release(l);
        return st;
    }
    *out = l;
    return PAL_OK;
}

void loop_stop(struct loop *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    eventfd_write(l->stop_fd, 1);
    pthread_join(l->thread, NULL);
    release(l);
}

/* ---- calls ---- */

enum pal_status loop_train(struct loop *l, uint64_t *run, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    pthread_mutex_lock(&l->lock);
    if (l->running) {
        *run = l->count;
        st = pal_fail(err, PAL_EFULL, "training %llu is under way: wait until it is done",
                      (unsigned long long)l->count);
    } else {
        *run = begin(l, "call");
        pthread_cond_signal(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return st;
}

size_t loop_runs(struct loop *l, struct loop_run *out, size_t most)
{
    size_t n = 0;
    pthread_mutex_lock(&l->lock);
    for (uint64_t r = l->count; r > 0 && n < most && n < RUNS; r--)
        out[n++] = l->runs[(r - 1) % RUNS];
    pthread_mutex_unlock(&l->lock);
    return n;
}

enum loop_state loop_state(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    enum loop_state state = l->running ? LOOP_RUNNING : LOOP_IDLE;
    pthread_mutex_unlock(&l->lock);
    return state;
}

int64_t loop_next_ms(struct loop *l)
{
    pthread_mutex_lock(&l->lock);
    int64_t due = l->clock_due_ms;
    pthread_mutex_unlock(&l->lock);
    if (due == 0)
        return 0;
    int64_t left = due - clock_steady_ms();
    return clock_wall_ms() + (left > 0 ? left : 0);
}
