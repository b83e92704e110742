/* The running recommender without HTTP: what an answer costs, how fast events are taken in and
 * carried on to the store, how long a start takes, how much memory it is.
 *
 *     bench/live [--quick] [--items N] [--events N] [FOLDER]     FOLDER: on the disk to be used
 *
 * A world of N items and events is invented; als with 64 factors is trained on it and published;
 * the server starts on an empty store, takes the items over, takes all events in, is asked, is
 * closed and started again. Users have 50 events on average. "answer" is live_recommend with n = 10
 * from a cached profile; "fresh" comes right after a write that was waited for (without fdatasync,
 * so that the disk's turn is not in it), "miss" loads the profile from the store. One JSON object
 * on stdout. */
#include "engine/live.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/synth.h"
#include "engine/version.h"
#include "registry/registry.h"

#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "seconds.h"

enum { BATCH = 1000, HISTORY = 50 };

static char folder[PATH_MAX - 64] = "/var/tmp";
static int64_t items = 20000, events = 1000000;
static int asks = 20000;
static struct pal_error err;

static void check(enum pal_status st)
{
    if (st == PAL_OK)
        return;
    fprintf(stderr, "bench/live: %s\n", err.message);
    exit(1);
}

/* Resident now, in MiB: of our own pages, and of mapped files. */
static void resident(double *own, double *mapped)
{
    unsigned long size = 0, all = 0, shared = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%lu %lu %lu", &size, &all, &shared) != 3)
        all = shared = 0;
    if (f)
        fclose(f);
    double page = (double)sysconf(_SC_PAGESIZE) / 1048576;
    *own = (double)(all - shared) * page;
    *mapped = (double)shared * page;
}

static struct dataset *invent(void)
{
    struct synth_options o;
    struct world *w;
    struct dataset *d;
    opt_defaults(&synth_table, &o);
    o.items = items;
    o.events = events;
    o.users = events / HISTORY;
    check(world_new(&o, 1, NULL, &w, &err));
    check(world_dataset(w, &d, &err));
    world_free(w);
    return d;
}

static void publish(const struct dataset *d, const char *models)
{
    struct weights weights;
    struct training t;
    struct registry_version v;
    struct version_part part = {0};
    const struct model_ops *als = model_find("als");
    void *options = mem_zero(1, als->options_size);
    opt_defaults(&als->options, options);
    check(model_set(als, options, "factors", "64", &err));
    check(model_set(als, options, "epochs", "2", &err));
    check(weights_parse(weights_default, &weights, &err));
    check(training_make(d, &d->all, &weights, NULL, &t, &err));
    check(model_fit(als, options, &t, 0, NULL, &part.model, &err));
    training_done(&t);
    check(registry_begin(models, &v, &err));
    check(version_write(v.path, &d->items, &part, 1, &err));
    check(registry_publish(models, &v, 1, &err));
    model_free(part.model);
    mem_free(options);
}

static atomic_size_t outstanding;

static void told(void *ctx, enum pal_status st, const struct pal_error *why)
{
    atomic_fetch_sub(&outstanding, 1);
}

/* All events of the data set, in batches, a few of them on their way at a time. */
static void take_in(struct live *l, const struct dataset *d)
{
    struct record r[BATCH];
    size_t n = 0;
    for (uint32_t u = 0; u < d->all.users; u++)
        for (uint64_t i = d->all.start[u]; i < d->all.start[u + 1]; i++) {
            r[n++] = (struct record){
                .kind = RECORD_EVENT,
                .event = {.user_id = intern_text(&d->users.ids, u),
                          .item_id = intern_text(&d->items.ids, d->all.item[i]),
                          .type = d->types.name[interactions_type(&d->all, i)],
                          .value = interactions_value(&d->all, i),
                          .time_ms = (int64_t)interactions_time(&d->all, i) * 1000}};
            if (n < BATCH)
                continue;
            atomic_fetch_add(&outstanding, 1);
            while (atomic_load(&outstanding) > 16)
                usleep(100);
            check(live_write(l, r, n, told, NULL, &err));
            n = 0;
        }
    if (n)
        check(live_write_wait(l, r, n, &err));
    while (atomic_load(&outstanding))
        usleep(100);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Asks for users from..to by turns; microseconds of this thread's time each, the median and the
 * 99th of 100 in wall time. write: an event each before. */
static void ask(struct live *l, const char *name, const struct dataset *d, uint32_t from,
                uint32_t to, int times, bool write)
{
    struct arena tmp;
    double *took = mem_alloc((size_t)times, sizeof *took), cpu = 0;
    arena_init(&tmp);
    double process = cpu_seconds();
    for (int i = 0; i < times; i++) {
        struct live_request q = {.user_id =
                                     intern_text(&d->users.ids, from + (uint32_t)i % (to - from)),
                                 .n = 10,
                                 .explore = -1,
                                 .diversity = -1};
        struct live_answer a;
        char item[16];
        snprintf(item, sizeof item, "%d", 1 + i % (int)items);
        struct record r = {
            .kind = RECORD_EVENT,
            .event = {.user_id = q.user_id, .item_id = item, .type = "view", .value = 1}};
        if (write)
            check(live_write_wait(l, &r, 1, &err));
        double begin = steady_seconds(), cpu_begin = thread_seconds();
        check(live_recommend(l, &q, &tmp, &a, &err));
        cpu += thread_seconds() - cpu_begin;
        took[i] = steady_seconds() - begin;
        arena_reset(&tmp);
    }
    process = cpu_seconds() - process;
    qsort(took, (size_t)times, sizeof *took, by_size);
    printf(" \"%s_us\": {\"cpu\": %.1f, \"cpu_all_threads\": %.1f, \"median\": %.1f, \"p99\": "
           "%.1f},\n",
           name, 1e6 * cpu / times, 1e6 * process / times, 1e6 * took[times / 2],
           1e6 * took[times - 1 - times / 100]);
    arena_done(&tmp);
    mem_free(took);
}

/* Puts an item that has its title's words and categories in common with others, and asks until it
 * is known which. */
static void add_item(struct live *l)
{
    struct arena tmp;
    struct item_row like;
    struct live_answer a = {0};
    struct live_request q = {.n = 10, .explore = -1, .diversity = -1};
    arena_init(&tmp);
    check(live_item(l, "1", &tmp, &like, &err));
    struct record r = {.kind = RECORD_ITEM, .item = like};
    r.item.item_id = "a new one";
    double begin = steady_seconds();
    check(live_write_wait(l, &r, 1, &err));
    while (a.count == 0 && steady_seconds() - begin < 60) {
        usleep(1000);
        check(live_similar(l, "a new one", &q, &tmp, &a, &err));
    }
    printf(" \"new_item_similar_ms\": %.1f,\n", 1e3 * (steady_seconds() - begin));
    arena_done(&tmp);
}

static void say(void *ctx, enum live_level level, const char *message)
{
    fprintf(stderr, "bench/live: %s\n", message);
}

static void show_memory(const char *when)
{
    double own, mapped;
    resident(&own, &mapped);
    printf(" \"memory_%s_mib\": {\"own\": %.0f, \"mapped\": %.0f},\n", when, own, mapped);
}

static void measure(struct live_config *c, const struct dataset *d)
{
    struct live *l;
    struct live_status s;
    uint32_t users = d->all.users;
    check(live_open(c, say, NULL, &l, &err));
    double begin = steady_seconds();
    take_in(l, d);
    double in = steady_seconds() - begin;
    check(live_drain(l, 600000, &err));
    double out = steady_seconds() - begin;
    printf(" \"events_in_per_s\": %.0f, \"events_to_store_per_s\": %.0f,\n", (double)events / in,
           (double)events / out);
    show_memory("after_events");
    live_close(l, 60000);

    c->journal.sync = false;
    begin = steady_seconds();
    check(live_open(c, say, NULL, &l, &err));
    printf(" \"start_ms\": %.1f,\n", 1e3 * (steady_seconds() - begin));
    struct arena tmp;
    struct live_answer a;
    struct live_request q = {
        .user_id = intern_text(&d->users.ids, 0), .n = 10, .explore = -1, .diversity = -1};
    arena_init(&tmp);
    check(live_recommend(l, &q, &tmp, &a, &err));
    printf(" \"start_to_first_answer_ms\": %.1f,\n", 1e3 * (steady_seconds() - begin));
    arena_done(&tmp);
    do
        usleep(1000), live_status(l, &s);
    while (s.events_since_training == 0 && steady_seconds() - begin < 60);
    printf(" \"start_to_counted_ms\": %.1f,\n", 1e3 * (steady_seconds() - begin));
    sleep(2); /* the housekeeping of a start is over */
    show_memory("after_start");
    uint32_t few = users < 2000 ? users : 2000;
    ask(l, "miss", d, users - few, users, (int)few, false);
    ask(l, "warm", d, 0, few / 4, (int)few / 2, false);
    ask(l, "answer", d, 0, few / 4, asks, false);
    ask(l, "fresh", d, 0, few / 4, asks / 4, true);
    show_memory("after_answers");
    add_item(l);
    live_status(l, &s);
    printf(" \"profiles\": %" PRIu64 ", \"profile_bytes\": %" PRIu64 ", \"catalog_bytes\": %" PRIu64
           ", \"served_lost\": %" PRIu64 "\n",
           s.profiles, s.profile_bytes, s.catalog_bytes, s.served_lost);
    live_close(l, 60000);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--quick") == 0)
            items = 2000, events = 50000, asks = 2000;
        else if (strcmp(argv[i], "--items") == 0 && i + 1 < argc)
            items = atoll(argv[++i]);
        else if (strcmp(argv[i], "--events") == 0 && i + 1 < argc)
            events = atoll(argv[++i]);
        else
            snprintf(folder, sizeof folder, "%s", argv[i]);
    char dir[PATH_MAX], store[PATH_MAX + 32], models[PATH_MAX + 32], command[PATH_MAX + 16];
    snprintf(dir, sizeof dir, "%s/palate-bench-XXXXXX", folder);
    if (!mkdtemp(dir))
        return 1;
    snprintf(store, sizeof store, "sqlite:%s/palate.db", dir);
    snprintf(models, sizeof models, "%s/models", dir);
    struct live_config c;
    opt_defaults(&live_option_table, &c.live);
    opt_defaults(&pipeline_option_table, &c.engine);
    opt_defaults(&bandit_option_table, &c.bandit);
    opt_defaults(&journal_option_table, &c.journal);
    c.live.store = store;
    c.live.models = models;
    struct dataset *d = invent();
    publish(d, models);
    printf("{\"items\": %lld, \"events\": %lld, \"users\": %u,\n", (long long)items,
           (long long)events, d->all.users);
    measure(&c, d);
    printf("}\n");
    dataset_free(d);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command) != 0;
}
