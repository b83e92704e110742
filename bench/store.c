/* How fast the store takes and gives, as one line of JSON.
 *
 *   store [--events N] [--batch N] [--users N] [--items N] [--ids | --numbered] [--path FILE]
 *         [--store URL]
 *
 * Drains N invented events (10,000,000 by default) in transactions of a batch each, a figure for
 * every tenth of them, and then reads: the newest 50 of a user, everything as a data set. --ids:
 * every event has an event_id, drawn by its client; --numbered: one as a journal gives it. Users
 * and items follow a power law. The file is made anew; --store names another kind of store, which
 * is empty and is left with what it was given (bench/postgres and bench/clickhouse start servers
 * for that). */
#include "base/mem.h"
#include "base/rng.h"
#include "store/clickhouse.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "seconds.h"

struct plan {
    long events, batch, users, items;
    bool ids, numbered;
    const char *path, *url;
};

/* The texts of one event. */
struct texts_of {
    char user[24], item[24], id[40];
};

static void must(enum pal_status st, const struct pal_error *err)
{
    if (st == PAL_OK)
        return;
    fprintf(stderr, "store: %s\n", err->message);
    exit(1);
}

/* A number below n, small ones more often: density falls as 1 / x. */
static long skewed(struct rng *r, long n)
{
    return (long)(exp(rng_real(r) * log((double)n + 1)) - 1);
}

static void invent(struct rng *r, const struct plan *p, uint64_t seq, struct texts_of *t,
                   struct store_change *c)
{
    static const char *const types[] = {"view", "view", "like", "add_to_cart", "purchase"};
    snprintf(t->user, sizeof t->user, "user-%ld", skewed(r, p->users));
    snprintf(t->item, sizeof t->item, "item-%ld", skewed(r, p->items));
    if (p->numbered)
        snprintf(t->id, sizeof t->id, "0123456789ab-%016" PRIx64, seq);
    else
        snprintf(t->id, sizeof t->id, "%016" PRIx64 "%016" PRIx64, rng_next(r), rng_next(r));
    *c = (struct store_change){.seq = seq,
                               .record = {.kind = RECORD_EVENT,
                                          .event = {t->user, t->item, types[rng_below(r, 5)], 1,
                                                    1700000000000 + (int64_t)seq,
                                                    p->ids || p->numbered ? t->id : NULL, NULL}}};
}

static double drain(struct store *s, const struct plan *p)
{
    struct pal_error err;
    struct store_change *changes = calloc((size_t)p->batch, sizeof *changes);
    struct texts_of *texts = calloc((size_t)p->batch, sizeof *texts);
    struct rng r;
    double spent = 0, part = 0;
    long part_events = 0;
    rng_init(&r, 1, 0);
    printf("\"tenths\":[");
    for (long done = 0; done < p->events;) {
        long n = p->events - done < p->batch ? p->events - done : p->batch;
        for (long i = 0; i < n; i++)
            invent(&r, p, (uint64_t)(done + i) + 1, &texts[i], &changes[i]);
        double began = steady_seconds();
        must(store_apply(s, changes, (size_t)n, (uint64_t)(done + n), NULL, &err), &err);
        double took = steady_seconds() - began;
        spent += took;
        part += took;
        part_events += n;
        done += n;
        if (done * 10 / p->events > (done - n) * 10 / p->events) {
            printf("%s%.0f", done - n > 0 && spent > part ? "," : "", (double)part_events / part);
            part = 0;
            part_events = 0;
        }
    }
    printf("],");
    free(changes);
    free(texts);
    return spent;
}

static enum pal_status count_one(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    (void)e;
    (void)err;
    ++*(long *)ctx;
    return PAL_OK;
}

/* Seconds for the newest 50 events of a random user, on average. */
static double newest(struct store *s, const struct plan *p, long *events)
{
    enum { ASKS = 2000 };
    struct pal_error err;
    struct rng r;
    char user[24];
    rng_init(&r, 2, 0);
    double began = steady_seconds();
    for (int i = 0; i < ASKS; i++) {
        snprintf(user, sizeof user, "user-%ld", skewed(&r, p->users));
        must(store_user_events(s, user, 0, 50, count_one, events, &err), &err);
    }
    return (steady_seconds() - began) / ASKS;
}

static void read_back(struct store *s, const struct plan *p)
{
    struct pal_error err;
    struct dataset *d;
    struct store_counts counts;
    long events = 0;
    double each = newest(s, p, &events);
    must(store_counts(s, &counts, &err), &err);
    double began = steady_seconds();
    must(store_dataset(s, NULL, 0, NULL, &d, NULL, &err), &err);
    double took = steady_seconds() - began;
    uint64_t rows = interactions_count(&d->all);
    dataset_free(d);
    printf("\"newest_50_us\":%.1f,\"newest_50_events\":%ld,\"stored\":%" PRIu64
           ",\"file_bytes\":%" PRIu64 ",\"dataset_events_per_s\":%.0f,",
           1e6 * each, events, counts.events, counts.bytes, (double)rows / took);
}

static void remove_all(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    char name[4096];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
}

static bool read_plan(int argc, char **argv, struct plan *p)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--ids") == 0 || strcmp(argv[i], "--numbered") == 0) {
            *(argv[i][2] == 'i' ? &p->ids : &p->numbered) = true;
            continue;
        }
        bool text = strcmp(argv[i], "--path") == 0 || strcmp(argv[i], "--store") == 0;
        long *number = strcmp(argv[i], "--events") == 0  ? &p->events
                       : strcmp(argv[i], "--batch") == 0 ? &p->batch
                       : strcmp(argv[i], "--users") == 0 ? &p->users
                       : strcmp(argv[i], "--items") == 0 ? &p->items
                                                         : NULL;
        if (i + 1 == argc || (!number && !text))
            return false;
        i++;
        if (!number)
            *(argv[i - 1][2] == 'p' ? &p->path : &p->url) = argv[i];
        else if ((*number = strtol(argv[i], NULL, 10)) <= 0)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct plan p = {10000000, 20000, 138000, 27000, false, false, "/tmp/palate-bench-store.db",
                     NULL};
    struct pal_error err;
    struct store *s;
    struct rusage use;
    char url[4096];
    if (!read_plan(argc, argv, &p)) {
        fprintf(stderr, "usage: store [--events N] [--batch N] [--users N] [--items N] "
                        "[--ids | --numbered] [--path FILE] [--store URL]\n");
        return 2;
    }
    store_add_kind(&store_clickhouse);
#ifdef HAVE_POSTGRES
    store_add_kind(&store_postgres);
#endif
    remove_all(p.path);
    snprintf(url, sizeof url, "%s%s", p.url ? "" : "sqlite:", p.url ? p.url : p.path);
    must(store_open(url, false, &s, &err), &err);
    printf("{\"bench\":\"store\",\"events\":%ld,\"batch\":%ld,\"users\":%ld,\"items\":%ld,"
           "\"event_ids\":%s,",
           p.events, p.batch, p.users, p.items, p.ids || p.numbered ? "true" : "false");
    double cpu = cpu_seconds(), wall = drain(s, &p);
    cpu = cpu_seconds() - cpu;
    read_back(s, &p);
    store_close(s);
    getrusage(RUSAGE_SELF, &use);
    printf("\"drained_events_per_s\":%.0f,\"cpu_us_per_event\":%.2f,\"peak_rss_bytes\":%ld}\n",
           (double)p.events / wall, 1e6 * cpu / (double)p.events, use.ru_maxrss * 1024L);
    remove_all(p.path);
    return 0;
}
