/* palate's half of bench/load, a script that runs it again and again.
 *
 *   load_rows PATH               load once; one line of JSON says what it took
 *   load_rows --make KIND ROWS PATH
 *                                write an invented log: kind csv, tsv, colons or jsonl
 *
 * Invented rows are in no order of users or time; popularity and activity follow a power law, with
 * about as many users and items as MovieLens 20M has. */
#include "base/rng.h"
#include "data/load.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "seconds.h"

static int load(const char *path)
{
    struct pal_error err;
    struct dataset *d;
    struct rusage use;
    double wall = steady_seconds(), cpu = cpu_seconds();
    if (dataset_load(path, NULL, NULL, &d, &err) != PAL_OK) {
        fprintf(stderr, "load_rows: %s\n", err.message);
        return 1;
    }
    wall = steady_seconds() - wall;
    cpu = cpu_seconds() - cpu;
    getrusage(RUSAGE_SELF, &use);
    uint64_t rows = interactions_count(&d->all) + interactions_count(&d->test);
    printf("{\"format\":\"%s\",\"rows\":%" PRIu64 ",\"users\":%u,\"items\":%u,\"seconds\":%.6f,"
           "\"cpu_seconds\":%.6f,\"interaction_bytes\":%" PRIu64 ",\"peak_rss_bytes\":%ld}\n",
           d->format, rows, d->users.ids.count, d->items.ids.count, wall, cpu,
           interactions_bytes(&d->all) + interactions_bytes(&d->test), use.ru_maxrss * 1024L);
    dataset_free(d);
    return 0;
}

/* A number below n, small ones more often: density falls as 1 / x. */
static unsigned skewed(struct rng *r, unsigned n)
{
    return (unsigned)(exp(rng_real(r) * log((double)n + 1)) - 1);
}

static void write_row(FILE *f, const char *kind, struct rng *r)
{
    static const char *const types[] = {"view", "view", "like", "add_to_cart", "purchase"};
    unsigned user = skewed(r, 138000), item = skewed(r, 27000);
    unsigned time = 1400000000u + (unsigned)rng_below(r, 300000000);
    double value = 0.5 * (double)(1 + rng_below(r, 10));
    if (strcmp(kind, "jsonl") == 0)
        fprintf(f,
                "{\"user_id\":\"u%u\",\"item_id\":\"i%u\",\"type\":\"%s\",\"value\":%.1f,"
                "\"timestamp\":%u}\n",
                user, item, types[rng_below(r, 5)], value, time);
    else if (strcmp(kind, "colons") == 0)
        fprintf(f, "%u::%u::%.1f::%u\n", user, item, value, time);
    else if (strcmp(kind, "tsv") == 0)
        fprintf(f, "%u\t%u\t%.1f\t%u\n", user, item, value, time);
    else
        fprintf(f, "%u,%u,%.1f,%u\n", user, item, value, time);
}

static int make(const char *kind, long rows, const char *path)
{
    struct rng r;
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        return 1;
    }
    rng_init(&r, 1, 0);
    if (strcmp(kind, "csv") == 0)
        fputs("userId,movieId,rating,timestamp\n", f);
    if (strcmp(kind, "tsv") == 0)
        fputs("user_id\titem_id\trating\ttimestamp\n", f);
    for (long i = 0; i < rows; i++)
        write_row(f, kind, &r);
    if (fclose(f)) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return load(argv[1]);
    if (argc == 5 && strcmp(argv[1], "--make") == 0)
        return make(argv[2], strtol(argv[3], NULL, 10), argv[4]);
    fprintf(stderr, "usage: load_rows PATH | load_rows --make csv|tsv|colons|jsonl ROWS PATH\n");
    return 2;
}
