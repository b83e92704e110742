/* See http_counters.h. Times fall into 43 buckets, seven to a decade from 10 µs to 10 s; those of
 * them that Prometheus is shown are marked. */
#include "server/http_counters.h"

#include "base/mem.h"

#include <stdatomic.h>

/* Upper bounds in µs; the last bucket has none. */
static const uint32_t bounds_us[] = {
    10,     15,     20,      25,      35,      50,      70,      100,     150,     200,      250,
    350,    500,    700,     1000,    1500,    2000,    2500,    3500,    5000,    7000,     10000,
    15000,  20000,  25000,   35000,   50000,   70000,   100000,  150000,  200000,  250000,   350000,
    500000, 700000, 1000000, 1500000, 2000000, 2500000, 3500000, 5000000, 7000000, 10000000,
};
static const unsigned statuses[] = {200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 411,
                                    413, 414, 415, 417, 421, 422, 429, 431, 500, 501, 503, 505, 0};
enum {
    BOUNDS = sizeof bounds_us / sizeof bounds_us[0],
    BUCKETS = BOUNDS + 1,
    STATUSES = sizeof statuses / sizeof statuses[0],
};

struct cell {
    atomic_uint_fast64_t status[STATUSES], bucket[BUCKETS], total_ns;
};

struct counters {
    const struct http_route *routes;
    size_t count; /* of routes */
    size_t tables;
    struct cell *cell; /* (tables, count + 1), row-major; the last column: no route */
    atomic_uint_fast64_t bytes_in, bytes_out, dropped[DROPPED_KINDS];
    atomic_int_fast64_t connections;
};

/* All of a route's cells together. */
struct sum {
    uint64_t status[STATUSES], bucket[BUCKETS], total_ns, requests, errors;
};

enum pal_status counters_new(const struct http_route *routes, size_t count, size_t tables,
                             struct counters **out, struct pal_error *err)
{
    struct counters *c = mem_zero(1, sizeof *c);
    struct cell *cell = mem_zero(tables * (count + 1), sizeof *cell);
    if (!c || !cell) {
        mem_free(c);
        mem_free(cell);
        return pal_no_memory(err);
    }
    c->routes = routes;
    c->count = count;
    c->tables = tables;
    c->cell = cell;
    *out = c;
    return PAL_OK;
}

void counters_free(struct counters *c)
{
    if (!c)
        return;
    mem_free(c->cell);
    mem_free(c);
}

static void add(atomic_uint_fast64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static uint64_t get(const atomic_uint_fast64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static size_t bucket_of(int64_t duration_ns)
{
    size_t low = 0, high = BOUNDS;
    uint64_t us = duration_ns > 0 ? ((uint64_t)duration_ns + 999) / 1000 : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (us <= bounds_us[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t status_of(unsigned status)
{
    size_t i = 0;
    while (i < STATUSES - 1 && statuses[i] != status)
        i++;
    return i;
}

void counters_add(struct counters *c, size_t table, size_t index, unsigned status,
                  int64_t duration_ns, uint64_t bytes_in, uint64_t bytes_out)
{
    struct cell *cell = &c->cell[table % c->tables * (c->count + 1) + index];
    add(&cell->status[status_of(status)], 1);
    add(&cell->bucket[bucket_of(duration_ns)], 1);
    add(&cell->total_ns, duration_ns > 0 ? (uint64_t)duration_ns : 0);
    if (bytes_in)
        add(&c->bytes_in, bytes_in);
    if (bytes_out)
        add(&c->bytes_out, bytes_out);
}

void counters_dropped(struct counters *c, enum dropped why)
{
    add(&c->dropped[why], 1);
}

void counters_connections(struct counters *c, int more)
{
    atomic_fetch_add_explicit(&c->connections, more, memory_order_relaxed);
}

int64_t counters_open(const struct counters *c)
{
    return atomic_load_explicit(&c->connections, memory_order_relaxed);
}

static void sum_up(const struct counters *c, size_t index, struct sum *s)
{
    *s = (struct sum){0};
    for (size_t t = 0; t < c->tables; t++) {
        const struct cell *cell = &c->cell[t * (c->count + 1) + index];
        for (size_t i = 0; i < STATUSES; i++)
            s->status[i] += get(&cell->status[i]);
        for (size_t i = 0; i < BUCKETS; i++)
            s->bucket[i] += get(&cell->bucket[i]);
        s->total_ns += get(&cell->total_ns);
    }
    for (size_t i = 0; i < BUCKETS; i++)
        s->requests += s->bucket[i];
    for (size_t i = 0; i < STATUSES; i++)
        if (statuses[i] >= 500)
            s->errors += s->status[i];
}

static const char *pattern_of(const struct counters *c, size_t index)
{
    return index < c->count ? c->routes[index].pattern : "none";
}

static const char *method_name(const struct counters *c, size_t index)
{
    return index < c->count ? c->routes[index].method : "";
}

static void show_requests(const struct counters *c, struct str *out)
{
    str_put(out, "# HELP palate_http_requests_total Requests answered, by route.\n"
                 "# TYPE palate_http_requests_total counter\n");
    for (size_t r = 0; r <= c->count; r++) {
        struct sum s;
        sum_up(c, r, &s);
        for (size_t i = 0; i < STATUSES; i++)
            if (s.status[i]) {
                str_fmt(out, "palate_http_requests_total{route=\"%s\",method=\"%s\",status=\"",
                        pattern_of(c, r), method_name(c, r));
                if (statuses[i])
                    str_fmt(out, "%u", statuses[i]);
                else
                    str_put(out, "other");
                str_fmt(out, "\"} %llu\n", (unsigned long long)s.status[i]);
            }
    }
}

/* 1, 2.5 and 5 of each decade from 100 µs on. */
static bool shown(uint32_t us)
{
    while (us % 10 == 0 && us > 1000)
        us /= 10;
    return us == 100 || us == 250 || us == 500 || us == 1000;
}

static void show_times(const struct counters *c, size_t index, struct str *out)
{
    struct sum s;
    uint64_t so_far = 0;
    sum_up(c, index, &s);
    if (!s.requests)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        so_far += s.bucket[i];
        if (i < BOUNDS && !shown(bounds_us[i]))
            continue;
        str_fmt(out, "palate_http_request_seconds_bucket{route=\"%s\",method=\"%s\",le=\"",
                pattern_of(c, index), method_name(c, index));
        if (i < BOUNDS)
            str_real(out, bounds_us[i] / 1e6);
        else
            str_put(out, "+Inf");
        str_fmt(out, "\"} %llu\n", (unsigned long long)so_far);
    }
    str_fmt(out, "palate_http_request_seconds_sum{route=\"%s\",method=\"%s\"} %.9f\n",
            pattern_of(c, index), method_name(c, index), (double)s.total_ns * 1e-9);
    str_fmt(out, "palate_http_request_seconds_count{route=\"%s\",method=\"%s\"} %llu\n",
            pattern_of(c, index), method_name(c, index), (unsigned long long)s.requests);
}

void counters_show(const struct counters *c, struct str *out)
{
    static const char *const why[DROPPED_KINDS] = {"refused", "slow_request", "slow_answer",
                                                   "idle"};
    show_requests(c, out);
    str_put(out, "# HELP palate_http_request_seconds From a request's line to the end of its "
                 "answer.\n# TYPE palate_http_request_seconds histogram\n");
    for (size_t r = 0; r <= c->count; r++)
        show_times(c, r, out);
    str_fmt(out,
            "# HELP palate_http_connections Connections open now.\n"
            "# TYPE palate_http_connections gauge\npalate_http_connections %lld\n"
            "# HELP palate_http_bytes_total Bytes of bodies.\n"
            "# TYPE palate_http_bytes_total counter\n"
            "palate_http_bytes_total{direction=\"in\"} %llu\n"
            "palate_http_bytes_total{direction=\"out\"} %llu\n"
            "# HELP palate_http_dropped_total Connections ended by the server, by reason.\n"
            "# TYPE palate_http_dropped_total counter\n",
            (long long)counters_open(c), (unsigned long long)get(&c->bytes_in),
            (unsigned long long)get(&c->bytes_out));
    for (size_t i = 0; i < DROPPED_KINDS; i++)
        str_fmt(out, "palate_http_dropped_total{reason=\"%s\"} %llu\n", why[i],
                (unsigned long long)get(&c->dropped[i]));
}

/* The time in seconds below which a share of the requests lies, by straight lines within buckets.
 */
static double quantile(const struct sum *s, double share)
{
    double rank = share * (double)s->requests, so_far = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        double here = (double)s->bucket[i];
        if (here > 0 && so_far + here >= rank) {
            double low = i ? bounds_us[i - 1] : 0, high = i < BOUNDS ? bounds_us[i] : low;
            return (low + (high - low) * (rank - so_far) / here) * 1e-6;
        }
        so_far += here;
    }
    return 0;
}

size_t counters_traffic(const struct counters *c, struct http_traffic *out, size_t most)
{
    size_t n = c->count < most ? c->count : most;
    for (size_t r = 0; r < n; r++) {
        struct sum s;
        sum_up(c, r, &s);
        out[r] = (struct http_traffic){
            .route = &c->routes[r],
            .requests = s.requests,
            .errors = s.errors,
            .p50 = quantile(&s, 0.5),
            .p99 = quantile(&s, 0.99),
            .mean = s.requests ? (double)s.total_ns * 1e-9 / (double)s.requests : 0,
        };
    }
    return n;
}
