/* A training in a process of its own: started, listened to, ended.
 *
 * It gets a process group of its own, so that what it may have started ends with it, and so that a
 * Ctrl-C on the server's terminal does not reach it past us. Should we die, it ends itself: palate
 * train --progress-json sees to that. A file descriptor stands for its end, so that one poll waits
 * for everything. */
#include "base/clock.h"
#include "engine/loop_inside.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 8192 };

/* What comes through a pipe, cut into lines; the rest of one that is too long is dropped. */
struct lines {
    int fd; /* -1 = at its end */
    size_t used;
    bool dropping;
    char text[LINE];
};

struct child {
    pid_t pid;
    int pid_fd;
    struct lines out, err;
    char complaint[256]; /* the last line on standard error */
    bool told_outcome;
    enum loop_outcome outcome; /* as it was told */
    bool timed_out, stopped;
    int64_t deadline_ms; /* when it is asked to end, then when it is made to */
    int signals;         /* sent so far */
};

/* ---- what it says ---- */

static double number(const json_t *all, const char *key)
{
    const json_t *x = json_object_get(all, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

static uint64_t count(const json_t *all, const char *key)
{
    json_int_t x = json_integer_value(json_object_get(all, key));
    return x > 0 ? (uint64_t)x : 0;
}

static void text(const json_t *all, const char *key, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(all, key));
    snprintf(out, size, "%s", s ? s : "");
}

static bool outcome_named(const char *name, enum loop_outcome *out)
{
    static const char *const names[] = {
        [LOOP_PUBLISHED] = "published",
        [LOOP_HELD_BACK] = "held back",
        [LOOP_FAILED] = "failed",
        [LOOP_STOPPED] = "stopped",
    };
    for (size_t i = LOOP_PUBLISHED; i <= LOOP_STOPPED; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum loop_outcome)i;
            return true;
        }
    return false;
}

static void read_outcome(const json_t *all, struct loop_run *run)
{
    run->version = (uint32_t)count(all, "version");
    run->events = count(all, "events");
    run->items = count(all, "items");
    run->users = count(all, "users");
    run->metric = number(all, "value");
    run->live_metric = number(all, "live_value");
    run->peak_bytes = count(all, "peak_bytes");
    text(all, "metric", run->metric_name, sizeof run->metric_name);
    text(all, "message", run->message, sizeof run->message);
}

enum child_said child_line(const char *line, size_t len, struct loop_run *run)
{
    enum child_said said = CHILD_NOTHING;
    json_t *all = json_loadb(line, len, 0, NULL);
    const char *stage = json_string_value(json_object_get(all, "stage"));
    const char *outcome = json_string_value(json_object_get(all, "outcome"));
    if (outcome && outcome_named(outcome, &run->outcome)) {
        read_outcome(all, run);
        said = CHILD_OUTCOME;
    } else if (stage) {
        uint64_t done = count(all, "done"), total = count(all, "total");
        snprintf(run->stage, sizeof run->stage, "%s", stage);
        text(all, "model", run->model, sizeof run->model);
        run->share = total ? (double)(done < total ? done : total) / (double)total : -1;
        said = CHILD_PROGRESS;
    }
    json_decref(all);
    return said;
}

/* ---- starting it ---- */

extern char **environ;

/* "NAME=value", or NULL. */
static char *assignment(const char *name, const char *value)
{
    size_t len = strlen(name) + strlen(value) + 2;
    char *line = mem_alloc(len, 1);
    if (line)
        snprintf(line, len, "%s=%s", name, value);
    return line;
}

/* Ours, and what the child is to have instead. */
struct own_environment {
    char **all; /* ends with NULL; the lines are borrowed, but for */
    char *line[2];
    size_t lines;
};

static void environment_done(struct own_environment *e)
{
    for (size_t i = 0; i < e->lines; i++)
        mem_free(e->line[i]);
    mem_free(e->all);
}

/* Our environment with PALATE_SET and PALATE_STORE as they are to be. */
static bool environment_make(const struct child_job *job, struct own_environment *e)
{
    const char *const names[] = {"PALATE_SET", "PALATE_STORE"};
    const char *const values[] = {job->set, job->store};
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    e->all = mem_alloc(n + 3, sizeof *e->all);
    bool good = e->all != NULL;
    for (int i = 0; i < 2; i++)
        if (values[i]) {
            e->line[e->lines] = assignment(names[i], values[i]);
            good = e->line[e->lines++] && good;
        }
    for (size_t i = 0; i < n && good; i++) {
        bool ours = false;
        for (size_t j = 0; j < e->lines; j++)
            ours |= strncmp(environ[i], e->line[j], strcspn(e->line[j], "=") + 1) == 0;
        if (!ours)
            e->all[k++] = environ[i];
    }
    for (size_t j = 0; j < e->lines && good; j++)
        e->all[k++] = e->line[j];
    if (good)
        e->all[k] = NULL;
    return good;
}

/* Standard streams, a group of its own, and no signal blocked or ignored. Returns an errno. */
static int spawn(const struct child_job *job, int out, int err, char **env, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, usual;
    const char *program = job->program ? job->program : "/proc/self/exe";
    sigemptyset(&none);
    sigfillset(&usual);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                       POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &usual);
    int e = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!e)
        e = posix_spawn_file_actions_adddup2(&files, out, 1);
    if (!e)
        e = posix_spawn_file_actions_adddup2(&files, err, 2);
    if (!e)
        e = posix_spawn(pid, program, &files, &how, (char *const *)job->args, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return e;
}

static void close_pair(int *pair)
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

/* Ends what was just started and can't be watched. */
static int give_up(pid_t pid)
{
    int e = errno;
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return e;
}

static int start(const struct child_job *job, struct child *c)
{
    int out[2] = {-1, -1}, err[2] = {-1, -1}, e = 0;
    struct own_environment own = {0};
    if (!environment_make(job, &own))
        e = ENOMEM;
    if (!e && (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)))
        e = errno;
    if (!e)
        e = spawn(job, out[1], err[1], own.all, &c->pid);
    environment_done(&own);
    if (!e && (c->pid_fd = pidfd_open(c->pid, 0)) < 0)
        e = give_up(c->pid);
    if (e) {
        close_pair(out);
        close_pair(err);
        return e;
    }
    /* Of its first thread, which it has not yet any other of; those to come inherit it. */
    setpriority(PRIO_PROCESS, (id_t)c->pid, (int)job->nice);
    close(out[1]);
    close(err[1]);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    c->out.fd = out[0];
    c->err.fd = err[0];
    return 0;
}

/* ---- listening ---- */

typedef void line_fn(const struct child_job *job, struct child *c, struct loop_run *run,
                     const char *line, size_t len);

static void heard_out(const struct child_job *job, struct child *c, struct loop_run *run,
                      const char *line, size_t len)
{
    struct loop_run next = *run;
    enum child_said said = child_line(line, len, &next);
    if (said == CHILD_NOTHING)
        return;
    if (said == CHILD_OUTCOME) {
        c->told_outcome = true;
        c->outcome = next.outcome;
        next.outcome = LOOP_NEVER; /* not before it has ended */
    }
    *run = next;
    job->told(job->told_ctx, run);
}

static void heard_err(const struct child_job *job, struct child *c, struct loop_run *run,
                      const char *line, size_t len)
{
    size_t prefix = len > 8 && memcmp(line, "palate: ", 8) == 0 ? 8 : 0;
    if (len > prefix)
        snprintf(c->complaint, sizeof c->complaint, "%.*s", (int)(len - prefix), line + prefix);
}

static void cut_lines(const struct child_job *job, struct child *c, struct loop_run *run,
                      struct lines *l, line_fn *heard)
{
    char *begin = l->text, *end = l->text + l->used, *newline;
    while ((newline = memchr(begin, '\n', (size_t)(end - begin)))) {
        if (!l->dropping)
            heard(job, c, run, begin, (size_t)(newline - begin));
        l->dropping = false;
        begin = newline + 1;
    }
    l->used = (size_t)(end - begin);
    if (l->used == LINE) {
        l->dropping = true;
        l->used = 0;
    }
    memmove(l->text, begin, l->used);
}

/* Reads what is there. */
static void listen_to(const struct child_job *job, struct child *c, struct loop_run *run,
                      struct lines *l, line_fn *heard)
{
    while (l->fd >= 0) {
        ssize_t n = read(l->fd, l->text + l->used, LINE - l->used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close(l->fd);
            l->fd = -1;
            return;
        }
        l->used += (size_t)n;
        cut_lines(job, c, run, l, heard);
    }
}

/* The next step towards its end: asks first, then makes it. */
static void press(struct child *c, int64_t grace_ms)
{
    kill(-c->pid, c->signals++ ? SIGKILL : SIGTERM);
    c->deadline_ms = clock_steady_ms() + grace_ms;
}

static void attend(const struct child_job *job, struct child *c, struct loop_run *run)
{
    bool ended = false;
    c->deadline_ms = clock_steady_ms() + job->timing.timeout_ms;
    while (!ended) {
        struct pollfd fds[] = {
            {c->pid_fd, POLLIN, 0},
            {c->out.fd, POLLIN, 0},
            {c->err.fd, POLLIN, 0},
            {c->stopped ? -1 : job->stop_fd, POLLIN, 0},
        };
        int64_t left = c->deadline_ms - clock_steady_ms();
        int n = poll(fds, 4, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
        ended = n > 0 && fds[0].revents;
        listen_to(job, c, run, &c->out, heard_out);
        listen_to(job, c, run, &c->err, heard_err);
        if (n > 0 && fds[3].revents && !ended) {
            c->stopped = true;
            press(c, job->timing.grace_ms);
        } else if (!ended && clock_steady_ms() >= c->deadline_ms) {
            c->timed_out |= !c->stopped;
            press(c, job->timing.grace_ms);
        }
    }
}

/* ---- how it ended ---- */

static void say_failure(const struct child_job *job, const struct child *c, int status,
                        struct loop_run *run)
{
    char *m = run->message;
    size_t size = sizeof run->message;
    run->outcome = LOOP_FAILED;
    if (c->timed_out)
        snprintf(m, size,
                 "the training took longer than %.4g minutes and was ended: raise "
                 "loop.timeout_minutes, or train less",
                 (double)job->timing.timeout_ms / 60000);
    else if (WIFSIGNALED(status))
        snprintf(m, size, "the training was ended by signal %d (%s)%s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)),
                 WTERMSIG(status) == SIGKILL ? ": the machine may have run out of memory" : "");
    else if (c->told_outcome && c->outcome == LOOP_FAILED && *m)
        return; /* in its own words */
    else if (*c->complaint)
        snprintf(m, size, "%s", c->complaint);
    else
        snprintf(m, size, "the training ended with status %d and did not say why",
                 WEXITSTATUS(status));
}

static void conclude(const struct child_job *job, const struct child *c, int status,
                     struct loop_run *run)
{
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && c->told_outcome;
    if (well && (c->outcome == LOOP_PUBLISHED || c->outcome == LOOP_HELD_BACK)) {
        run->outcome = c->outcome; /* even if it was asked to stop: by then it was done */
        return;
    }
    run->version = 0;
    if (c->stopped) {
        run->outcome = LOOP_STOPPED;
        snprintf(run->message, sizeof run->message, "stopped before it was done");
        return;
    }
    say_failure(job, c, status, run);
}

void child_run(const struct child_job *job, struct loop_run *run)
{
    int status = 0;
    struct child *c = mem_zero(1, sizeof *c);
    int e = c ? start(job, c) : ENOMEM;
    if (e) {
        run->outcome = LOOP_FAILED;
        snprintf(run->message, sizeof run->message, "the training could not be started: %s",
                 strerror(e));
        mem_free(c);
        return;
    }
    attend(job, c, run);
    kill(-c->pid, SIGKILL); /* what it may leave behind; its number is not free before the wait */
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    conclude(job, c, status, run);
    close(c->pid_fd);
    if (c->out.fd >= 0)
        close(c->out.fd);
    if (c->err.fd >= 0)
        close(c->err.fd);
    mem_free(c);
}
