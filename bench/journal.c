/* The journal beside what the disk can do at all: events a second that are durable when their
 * writer is told, in groups of 1, 64 and 1,000.
 *
 *     bench/journal [--quick] [FOLDER]        FOLDER: on the disk to be measured; /var/tmp
 *
 * "raw" appends the same number of bytes to a plain file and calls fdatasync once per group: no
 * numbers, no checksums, no threads. "batch" gives the journal each group in one journal_append;
 * "single" submits every event by itself, as a server's clients do, with groups bounded to that
 * size, and waits for the last of each group before it begins the next. The three take turns, and
 * each figure is the median of the turns: the disk's own speed changes from second to second. One
 * JSON object on stdout; a table for people on stderr. */
#include "journal/journal.h"
#include "journal/segment.h"

#include "base/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seconds.h"

enum { EVENT = 100, GROUP_MOST = 1000, TURNS_MOST = 16 };

static double seconds_a_turn = 1;
static int turns = 9;
static char folder[PATH_MAX];
static uint8_t event[EVENT];

static void die(const char *what)
{
    fprintf(stderr, "bench/journal: %s\n", what);
    exit(1);
}

struct turn {
    double rate; /* events a second */
    double cpu;  /* microseconds of processor time an event, all threads */
};

/* Calls `commit` with groups until the time is over. */
typedef void commit_fn(void *ctx, size_t group);

static struct turn measure(commit_fn *commit, void *ctx, size_t group)
{
    double begin = steady_seconds(), used;
    double cpu = cpu_seconds();
    size_t events = 0;
    do {
        commit(ctx, group);
        events += group;
        used = steady_seconds() - begin;
    } while (used < seconds_a_turn);
    cpu = cpu_seconds() - cpu;
    return (struct turn){(double)events / used, 1e6 * cpu / (double)events};
}

static void commit_raw(void *ctx, size_t group)
{
    static uint8_t bytes[GROUP_MOST * (EVENT + RECORD_HEAD)];
    int fd = *(int *)ctx;
    size_t size = group * (EVENT + RECORD_HEAD);
    memset(bytes, 7, size);
    if (write(fd, bytes, size) != (ssize_t)size || fdatasync(fd))
        die("the disk refused a write");
}

static void commit_batch(void *ctx, size_t group)
{
    static struct journal_record r[GROUP_MOST];
    struct pal_error err;
    for (size_t i = 0; i < group; i++)
        r[i] = (struct journal_record){1, event, EVENT};
    if (journal_append(ctx, r, group, NULL, &err) != PAL_OK)
        die(err.message);
}

static void commit_single(void *ctx, size_t group)
{
    struct journal_record r = {1, event, EVENT};
    struct pal_error err;
    for (size_t i = 1; i < group; i++)
        if (journal_submit(ctx, &r, 1, NULL, NULL, &err) != PAL_OK)
            die(err.message);
    if (journal_append(ctx, &r, 1, NULL, &err) != PAL_OK)
        die(err.message);
}

static struct turn turn_raw(size_t group)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/raw", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
    if (fd < 0)
        die("cannot write to the folder");
    struct turn t = measure(commit_raw, &fd, group);
    close(fd);
    unlink(path);
    return t;
}

static struct turn turn_journal(commit_fn *commit, size_t group)
{
    char path[PATH_MAX + 16], command[PATH_MAX + 32];
    struct journal_options o;
    struct journal *j;
    struct pal_error err;
    opt_defaults(&journal_option_table, &o);
    o.most_bytes = (int64_t)1 << 40;
    if (commit == commit_single) {
        o.group_most = (int64_t)group;
        o.group_wait_us = group > 1 ? 1000000 : 0; /* exactly this group: the same as raw */
    }
    snprintf(path, sizeof path, "%s/journal", folder);
    if (journal_open(path, &o, 0, NULL, &j, &err) != PAL_OK)
        die(err.message);
    struct turn t = measure(commit, j, group);
    journal_close(j);
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command))
        die("cannot delete the journal");
    return t;
}

static int by_rate(const void *a, const void *b)
{
    double x = ((const struct turn *)a)->rate, y = ((const struct turn *)b)->rate;
    return x < y ? -1 : x > y;
}

static void report(size_t group, const char *way, struct turn *t, double raw, bool last)
{
    qsort(t, (size_t)turns, sizeof *t, by_rate);
    struct turn m = t[turns / 2];
    printf("\n  {\"group\": %zu, \"way\": \"%s\", \"events_per_second\": %.0f, \"least\": %.0f, "
           "\"most\": %.0f, \"cpu_us_per_event\": %.3f, \"share_of_raw\": %.3f}%s",
           group, way, m.rate, t[0].rate, t[turns - 1].rate, m.cpu, m.rate / raw, last ? "" : ",");
    fprintf(stderr, "%5zu  %-7s %10.0f events/s  (%.0f to %.0f)  %7.3f us cpu  %4.0f %% of raw\n",
            group, way, m.rate, t[0].rate, t[turns - 1].rate, m.cpu, 100 * m.rate / raw);
}

int main(int argc, char **argv)
{
    static const size_t groups[] = {1, 64, 1000};
    const char *where = "/var/tmp";
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--quick") == 0) {
            seconds_a_turn = 0.2;
            turns = 3;
        } else {
            where = argv[i];
        }
    snprintf(folder, sizeof folder, "%s/palate-bench-XXXXXX", where);
    if (!mkdtemp(folder))
        die("cannot make a folder there");
    memset(event, 'e', sizeof event);
    printf("{\"bench\": \"journal\", \"event_bytes\": %d, \"turns\": %d, \"results\": [", EVENT,
           turns);
    for (size_t g = 0; g < 3; g++) {
        struct turn raw[TURNS_MOST], batch[TURNS_MOST], single[TURNS_MOST];
        for (int i = 0; i < turns; i++) {
            raw[i] = turn_raw(groups[g]);
            batch[i] = turn_journal(commit_batch, groups[g]);
            single[i] = turn_journal(commit_single, groups[g]);
        }
        qsort(raw, (size_t)turns, sizeof *raw, by_rate);
        double base = raw[turns / 2].rate;
        report(groups[g], "raw", raw, base, false);
        report(groups[g], "batch", batch, base, false);
        report(groups[g], "single", single, base, g == 2);
    }
    printf("\n]}\n");
    rmdir(folder);
    return 0;
}
