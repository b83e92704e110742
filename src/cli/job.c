/* A job's life: what it owns, its threads, and the signals that end it early. See command.h. */
#include "cli/command.h"

#include "base/mem.h"
#include "math/kernels.h"

#include <signal.h>
#include <string.h>

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_-"

/* The one thing that the signal handler touches: it may, since it needs no lock. */
static atomic_int caught;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler may not wait for a lock");

static void on_signal(int number)
{
    caught = number;
}

/* The first signal asks; by then the handler is gone, and a second one ends the process at once. */
void interrupt_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction was, act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
            sigaction(signals[i], &act, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an errno, see console.h */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file past the limit */
}

const atomic_int *interrupt_flag(void)
{
    return &caught;
}

void interrupt_forget(void)
{
    caught = 0;
}

void interrupt_raise(void)
{
    if (!caught)
        return;
    signal(caught, SIG_DFL);
    raise(caught);
}

void job_init(struct job *job, const struct command *command)
{
    memset(job, 0, sizeof *job);
    job->command = command;
    arena_init(&job->arena);
    console_init(&job->out);
    progress_init(&job->progress, false, job->out.utf8);
    for (size_t i = 0; i < option_count; i++) {
        struct opt_table one = {&options[i].row, 1};
        opt_defaults(&one, &job->set);
    }
}

void job_done(struct job *job)
{
    progress_clear(&job->progress);
    pool_free(job->run.pool);
    mem_free(job->sets);
    mem_free(job->operands);
    arena_done(&job->arena);
    str_done(&job->out.pending);
}

enum pal_status job_threads(struct job *job, struct pal_error *err)
{
    static const char *const variants[] = {"auto", "plain", "avx2", "avx512"};
    enum pal_status st = kernels_use(variants[job->set.kernels], err);
    if (!st && !job->run.pool)
        st = pool_new((unsigned)job->set.threads, &job->run.pool, err);
    if (job->set.quiet)
        job->progress.on = false;
    job->run.seed = (uint64_t)job->set.seed;
    job->run.progress = progress_tell;
    job->run.progress_ctx = &job->progress;
    job->run.metric = job->progress.on ? progress_figure : NULL;
    job->run.metric_ctx = &job->progress;
    job->run.stop = interrupt_flag();
    return st;
}

enum pal_status job_flush(struct job *job, struct pal_error *err)
{
    progress_clear(&job->progress);
    console_flush(&job->out);
    if (console_gone(&job->out))
        return pal_fail(err, PAL_EINTERRUPTED, "nobody reads standard output any more");
    return PAL_OK;
}

bool job_given(const struct job *job, const char *option)
{
    return job->origin[option_index(option, strlen(option))] != FROM_DEFAULT;
}

/* Puts value behind what the same source gave before; a stronger source begins anew. */
static enum pal_status join(struct job *job, int i, const char **value, enum origin origin,
                            struct pal_error *err)
{
    const char *before = *(const char **)((char *)&job->set + options[i].row.offset);
    if (!before || job->origin[i] != origin)
        return PAL_OK;
    struct str both = {0};
    str_fmt(&both, "%s,%s", before, *value);
    char *kept = str_ok(&both) ? arena_text(&job->arena, both.text, both.len) : NULL;
    str_done(&both);
    if (!kept)
        return pal_no_memory(err);
    *value = kept;
    return PAL_OK;
}

/* Where the next "NAME.OPTION=" begins, behind a comma; the end if there is none. A value may hold
 * commas: live.seen=like,dislike. */
static size_t assignment_length(const char *text)
{
    for (const char *comma = strchr(text, ','); comma; comma = strchr(comma + 1, ',')) {
        size_t name = strspn(comma + 1, NAME_LETTERS);
        size_t option = comma[1 + name] == '.' ? strspn(comma + 2 + name, NAME_LETTERS) : 0;
        if (name && option && comma[2 + name + option] == '=')
            return (size_t)(comma - text);
    }
    return strlen(text);
}

/* One "als.factors=128", or several with commas between them: PALATE_SET has no other way. */
static enum pal_status add_assignments(struct job *job, const char *text, enum origin origin,
                                       struct pal_error *err)
{
    while (*text) {
        size_t len = assignment_length(text);
        const char *one = arena_text(&job->arena, text, len);
        if (!one || mem_grow(&job->sets, &job->set_cap, job->set_count + 1, sizeof *job->sets))
            return pal_no_memory(err);
        job->sets[job->set_count++] = (struct assignment){one, origin};
        text += len + (text[len] == ',');
    }
    return PAL_OK;
}

enum pal_status job_set(struct job *job, int option, const char *value, enum origin origin,
                        const char *where, struct pal_error *err)
{
    const struct option *o = &options[option];
    struct opt_table one = {&o->row, 1};
    const char *kept = arena_text(&job->arena, value, strlen(value));
    enum pal_status st = kept ? PAL_OK : pal_no_memory(err);
    if (!st && o->repeat == EACH)
        st = add_assignments(job, kept, origin, err);
    else if (!st && o->repeat == JOINED)
        st = join(job, option, &kept, origin, err);
    if (!st)
        st = opt_set(&one, &job->set, o->row.name, kept, err);
    if (st)
        return where ? pal_within(err, st, "%s", where) : st;
    job->origin[option] = origin;
    return PAL_OK;
}
