/* One side of a stream under load, for tests/backend and bench/stream:
 *
 *     bus-load URL publish|receive COUNT [wait=MS] [size=BYTES] [batch=N] [once]
 *
 * publish: numbers 0 … COUNT-1 in order, each batch again until it is confirmed (or only `once`).
 * receive: until every number came. Prints a line for every failure that is new, about four times a
 * second how far it is, and at the end how long it took and the most memory it had. */
#include "base/clock.h"
#include "contract.h"

#include "bus/backend.h"

#include <sys/resource.h>

struct load {
    struct bus *b;
    size_t count, wait_ms, size, batch;
    bool once;
    int64_t began, told;
    char failure[512];
};

static void tell(struct load *l, const char *what, size_t done)
{
    if (clock_steady_ms() - l->told < 250)
        return;
    l->told = clock_steady_ms();
    printf("%s %zu\n", what, done);
    fflush(stdout);
}

static void tell_failure(struct load *l, const struct pal_error *err)
{
    if (strcmp(l->failure, err->message) == 0)
        return;
    snprintf(l->failure, sizeof l->failure, "%s", err->message);
    printf("failed: %s: %s\n", pal_status_name(err->status), err->message);
    fflush(stdout);
}

static void tell_end(struct load *l)
{
    struct rusage used;
    struct bus_status s;
    getrusage(RUSAGE_SELF, &used);
    bus_status(l->b, &s);
    printf("seconds %.3f\nmemory %ld kB\nreconnects %u\nbacklog %d\n",
           (double)(clock_steady_ms() - l->began) / 1000, used.ru_maxrss, (unsigned)s.reconnects,
           (int)s.backlog);
}

static int publish(struct load *l)
{
    for (size_t done = 0; done < l->count;) {
        struct pal_error err = {0};
        size_t to = done + l->batch < l->count ? done + l->batch : l->count;
        if (publish_range(l->b, done, to, l->size, (unsigned)l->wait_ms, &err) == PAL_OK)
            done = to;
        else
            tell_failure(l, &err);
        if (err.status && l->once)
            return 1;
        tell(l, "published", done);
    }
    return 0;
}

static int receive(struct load *l)
{
    struct received *r = received_new(l->count);
    struct bus_received *got = mem_alloc(l->batch, sizeof *got);
    assert_non_null(got);
    while (r->distinct < r->most) {
        struct pal_error err = {0};
        size_t n = 0;
        if (bus_receive(l->b, got, l->batch, (unsigned)l->wait_ms, &n, &err)) {
            tell_failure(l, &err);
            continue;
        }
        if (n && !r->distinct)
            l->began = clock_steady_ms(); /* without the time to join */
        for (size_t i = 0; i < n; i++)
            received_note(r, l->b, &got[i]);
        if (bus_settle(l->b, &err))
            tell_failure(l, &err);
        tell(l, "received", r->distinct);
    }
    printf("distinct %zu\nrepeated %zu\nout of order %zu\n", r->distinct, r->repeated,
           r->out_of_order);
    mem_free(got);
    mem_free(r);
    return 0;
}

static void read_word(struct load *l, const char *word)
{
    struct {
        const char *name;
        size_t *value;
    } rows[] = {{"wait", &l->wait_ms}, {"size", &l->size}, {"batch", &l->batch}};
    l->once |= strcmp(word, "once") == 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].name);
        if (strncmp(word, rows[i].name, len) == 0 && word[len] == '=')
            *rows[i].value = strtoul(word + len + 1, NULL, 10);
    }
}

int main(int argc, char **argv)
{
    struct load l = {.wait_ms = 5000, .size = 200, .batch = 1000};
    struct pal_error err = {0}, away = {0};
    if (argc < 4)
        return 2;
    l.count = strtoul(argv[3], NULL, 10);
    for (int i = 4; i < argc; i++)
        read_word(&l, argv[i]);
    bus_add_all();
    bool publishes = strcmp(argv[2], "publish") == 0;
    if (bus_open(argv[1], publishes ? BUS_PUBLISH : BUS_RECEIVE, &l.b, &away, &err)) {
        tell_failure(&l, &err);
        return 2;
    }
    if (away.message[0])
        tell_failure(&l, &away);
    l.began = clock_steady_ms();
    int status = publishes ? publish(&l) : receive(&l);
    tell_end(&l);
    bus_close(l.b);
    return status;
}
