/* Counting: sums over tables, buckets that no time falls between, quantiles against sorted times.
 */
#include "test.h"

#include "base/rng.h"
#include "base/text.h"
#include "server/http_counters.h"

static void nothing(void *ctx, struct http_request *r)
{
    (void)ctx;
    (void)r;
}

static const struct http_route routes[] = {
    {"GET", "/a", HTTP_OPEN, nothing, 0, NULL},
    {"POST", "/b/{id}", HTTP_OPEN, nothing, 0, NULL},
};

static struct counters *make(void)
{
    struct counters *c = NULL;
    struct pal_error err;
    assert_ok(counters_new(routes, 2, 3, &c, &err), &err);
    return c;
}

/* The value in the line "NAME VALUE"; -1 if there is none. */
static double value_of(const char *text, const char *name)
{
    char line[200];
    double x = -1;
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(text, line);
    const char *from = at ? at + strlen(line) : NULL, *end = at ? strchr(from, '\n') : NULL;
    return end && text_real(from, end, &x) ? x : -1;
}

static void sums_all_tables(void **state)
{
    (void)state;
    struct counters *c = make();
    struct str s = {0};
    struct http_traffic rows[5];
    for (size_t table = 0; table < 7; table++) { /* more than there are */
        counters_add(c, table, 0, 200, 1000000, 10, 100);
        counters_add(c, table, 1, 503, 2000000, 0, 1);
        counters_add(c, table, 2, 404, 3000000, 0, 0);
        counters_add(c, table, 0, 299, 1000000, 0, 0);
    }
    counters_connections(c, 1);
    counters_connections(c, 1);
    counters_connections(c, -1);
    counters_dropped(c, DROPPED_ANSWER);
    counters_show(c, &s);
    const char *t = str_text(&s);
    assert_true(
        value_of(t, "palate_http_requests_total{route=\"/a\",method=\"GET\",status=\"200\"}") == 7);
    assert_true(
        value_of(t, "palate_http_requests_total{route=\"/a\",method=\"GET\",status=\"other\"}") ==
        7);
    assert_true(
        value_of(t,
                 "palate_http_requests_total{route=\"/b/{id}\",method=\"POST\",status=\"503\"}") ==
        7);
    assert_true(
        value_of(t, "palate_http_requests_total{route=\"none\",method=\"\",status=\"404\"}") == 7);
    assert_true(value_of(t, "palate_http_connections") == 1);
    assert_true(value_of(t, "palate_http_bytes_total{direction=\"in\"}") == 70);
    assert_true(value_of(t, "palate_http_bytes_total{direction=\"out\"}") == 707);
    assert_true(value_of(t, "palate_http_dropped_total{reason=\"slow_answer\"}") == 1);
    assert_true(value_of(t, "palate_http_dropped_total{reason=\"idle\"}") == 0);
    assert_int_equal(counters_traffic(c, rows, 5), 2);
    assert_int_equal(counters_traffic(c, rows, 1), 1);
    assert_int_equal(rows[0].requests, 14);
    assert_int_equal(rows[0].errors, 0);
    assert_int_equal(rows[1].errors, 7);
    assert_true(rows[1].mean > 0.00199 && rows[1].mean < 0.00201);
    str_done(&s);
    counters_free(c);
}

/* A bucket counts what is at most its bound: one nanosecond more falls into the next. */
static void bounds_belong_to_their_bucket(void **state)
{
    (void)state;
    struct counters *c = make();
    struct str s = {0};
    static const int64_t times[] = {0,      -5,     1,           100000,     100001,
                                    250000, 250001, 10000000000, 10000000001};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        counters_add(c, 0, 0, 200, times[i], 0, 0);
    counters_show(c, &s);
    const char *t = str_text(&s);
#define BUCKET(le) "palate_http_request_seconds_bucket{route=\"/a\",method=\"GET\",le=\"" le "\"}"
    assert_true(value_of(t, BUCKET("0.0001")) == 4);
    assert_true(value_of(t, BUCKET("0.00025")) == 6);
    assert_true(value_of(t, BUCKET("0.0005")) == 7);
    assert_true(value_of(t, BUCKET("5")) == 7);
    assert_true(value_of(t, BUCKET("10")) == 8);
    assert_true(value_of(t, BUCKET("+Inf")) == 9);
    str_done(&s);
    counters_free(c);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A bucket is at most half as wide again as its lower bound, and so is the error. */
static void quantiles_are_near_the_true_ones(void **state)
{
    (void)state;
    enum { N = 10000 };
    static int64_t times[N];
    struct counters *c = make();
    struct http_traffic row;
    struct rng rng;
    rng_init(&rng, 1, 0);
    for (int i = 0; i < N; i++) {
        double x = rng_real(&rng);
        times[i] = (int64_t)(20e3 + x * x * x * 50e6);
        counters_add(c, (size_t)i, 0, 200, times[i], 0, 0);
    }
    qsort(times, N, sizeof times[0], by_size);
    assert_int_equal(counters_traffic(c, &row, 1), 1);
    double p50 = (double)times[N / 2] * 1e-9, p99 = (double)times[N * 99 / 100] * 1e-9;
    assert_true(row.p50 > p50 / 1.5 && row.p50 < p50 * 1.5);
    assert_true(row.p99 > p99 / 1.5 && row.p99 < p99 * 1.5);
    counters_free(c);
}

static void nothing_counted(void **state)
{
    (void)state;
    struct counters *c = make();
    struct http_traffic row;
    assert_int_equal(counters_traffic(c, &row, 1), 1);
    assert_true(row.p50 == 0 && row.p99 == 0 && row.mean == 0 && row.requests == 0);
    counters_free(c);
    counters_free(NULL);
}

static void out_of_memory(void **state)
{
    (void)state;
    long live = mem_live();
    struct counters *c = NULL;
    struct pal_error err;
    for (int n = 1; n <= 2; n++) {
        mem_fail_at(n);
        assert_int_equal(counters_new(routes, 2, 3, &c, &err), PAL_ENOMEM);
        assert_null(c);
    }
    mem_fail_at(0);
    assert_int_equal(mem_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_all_tables),
        cmocka_unit_test(bounds_belong_to_their_bucket),
        cmocka_unit_test(quantiles_are_near_the_true_ones),
        cmocka_unit_test(nothing_counted),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
