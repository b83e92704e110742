/* What every kind of broker has to keep of bus.h's promises, against a real one: tests/backend
 * starts it and says where it is by PALATE_TEST_STREAM (NAME in it is replaced), and by
 * PALATE_TEST_GROUP which processes to stop for a while, as a network that is cut does. */
#include "contract.h"
#include "base/clock.h"
#include "contract_dead.h"

#include <signal.h>
#include <unistd.h>

static void order_holds_per_key(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    struct pal_error err = {0};
    struct bus *b = stream_open("order", BUS_PUBLISH | BUS_RECEIVE);
    assert_int_equal(bus_shards(b), 4);
    struct received *r = received_new(MANY);
    assert_ok(publish_range(b, 0, MANY, 100, WAIT_MS, &err), &err);
    receive_all(b, r, WAIT_MS);
    assert_int_equal(r->distinct, MANY);
    assert_int_equal(r->repeated, 0);
    assert_int_equal(r->out_of_order, 0);
    struct bus_status s;
    bus_status(b, &s);
    assert_true(s.connected);
    assert_int_equal(s.published, MANY);
    assert_int_equal(s.received, MANY);
    assert_int_equal(s.refused, 0);
    assert_int_equal(s.reconnects, 0);
    mem_free(r);
    bus_close(b);
}

/* How many come within a second. */
static size_t receive_some(struct bus *b, struct bus_received *got, size_t most)
{
    struct pal_error err = {0};
    size_t n = 0;
    assert_ok(bus_receive(b, got, most, 1000, &n, &err), &err);
    return n;
}

/* The first message, waiting for it as long as handing over a shard may take. */
static size_t receive_first(struct bus *b, struct bus_received *got, size_t most)
{
    size_t n = 0;
    for (int64_t end = clock_steady_ms() + 2 * WAIT_MS; !n && clock_steady_ms() < end;)
        n = receive_some(b, got, most);
    return n;
}

static void unsettled_comes_again(void **state)
{
    (void)state;
    struct pal_error err = {0};
    struct bus_received got[20];
    struct bus_message m[] = {{"a", "one", 3}, {"a", "two", 3}};
    struct bus *b = stream_open("again", BUS_PUBLISH | BUS_RECEIVE);
    assert_ok(bus_publish(b, m, 2, WAIT_MS, &err), &err);
    for (int i = 0; i < 3; i++) {
        assert_true(receive_first(b, got, 20) >= 1);
        assert_string_equal(got[0].body, "one");
    }
    bus_close(b);
    b = stream_open("again", BUS_RECEIVE);
    assert_int_equal(receive_first(b, got, 1), 1);
    assert_string_equal(got[0].body, "one");
    assert_ok(bus_settle(b, &err), &err);
    assert_ok(bus_settle(b, &err), &err);
    bus_close(b);
    b = stream_open("again", BUS_RECEIVE);
    assert_int_equal(receive_first(b, got, 20), 1);
    assert_string_equal(got[0].body, "two");
    bus_close(b);
}

static void dead_letter(const char *name, char *body, size_t size, char *reason, size_t reason_size)
{
    const char *url = stream_url(name);
#ifdef HAVE_AMQP
    if (strncmp(url, "amqp", 4) == 0)
        dead_amqp(url, body, size, reason, reason_size);
#endif
#ifdef HAVE_KAFKA
    if (strncmp(url, "kafka", 5) == 0)
        dead_kafka(url, body, size, reason, reason_size);
#endif
}

static void refused_is_kept_aside(void **state)
{
    (void)state;
    struct pal_error err = {0};
    struct bus_received got[20];
    struct bus_message m[] = {{"a", "good", 4}, {"a", "{broken", 7}, {"a", "fine", 4}};
    struct bus *b = stream_open("refused", BUS_PUBLISH | BUS_RECEIVE);
    assert_ok(bus_publish(b, m, 3, WAIT_MS, &err), &err);
    assert_int_equal(receive_first(b, got, 1), 1);
    assert_string_equal(got[0].body, "good");
    assert_ok(bus_settle(b, &err), &err);
    assert_int_equal(receive_first(b, got, 1), 1);
    assert_ok(bus_refuse(b, &got[0], "expected '\"' at byte 1", &err), &err);
    assert_ok(bus_refuse(b, &got[0], "twice is once", &err), &err);
    assert_int_equal(receive_first(b, got, 1), 1);
    assert_string_equal(got[0].body, "fine");
    assert_ok(bus_settle(b, &err), &err);
    struct bus_status s;
    bus_status(b, &s);
    assert_int_equal(s.refused, 1);
    bus_close(b);
    char body[64] = "", reason[64] = "";
    dead_letter("refused", body, sizeof body, reason, sizeof reason);
    assert_string_equal(body, "{broken");
    assert_string_equal(reason, "expected '\"' at byte 1");
    b = stream_open("refused", BUS_RECEIVE);
    assert_int_equal(receive_some(b, got, 20), 0);
    bus_close(b);
}

static void large_ones_pass(void **state)
{
    (void)state;
    struct pal_error err = {0};
    struct bus_received got[2];
    size_t size = BUS_MESSAGE_MOST, n = 0;
    char *body = mem_alloc(size + 1, 1);
    assert_non_null(body);
    for (size_t i = 0; i <= size; i++)
        body[i] = (char)('a' + i * 7 % 26);
    struct bus *b = stream_open("large", BUS_PUBLISH | BUS_RECEIVE);
    struct bus_message m = {"a", body, size + 1};
    assert_int_equal(bus_publish(b, &m, 1, WAIT_MS, &err), PAL_EUSAGE);
    m.size = size;
    assert_ok(bus_publish(b, &m, 1, WAIT_MS, &err), &err);
    n = receive_first(b, got, 2);
    assert_int_equal(n, 1);
    assert_int_equal(got[0].size, size);
    assert_memory_equal(got[0].body, body, size);
    assert_ok(bus_settle(b, &err), &err);
    bus_close(b);
    mem_free(body);
}

/* A broker that does not answer costs no more than the caller allows, and is found again. */
static void paused_broker_costs_no_more_than_allowed(void **state)
{
    (void)state;
    enum { MANY = 500, ALLOWED_MS = 700, MARGIN_MS = 3000 };
    const char *group = getenv("PALATE_TEST_GROUP");
    assert_non_null(group);
    pid_t pid = (pid_t)atoi(group);
    struct pal_error err = {0};
    struct bus_status s;
    struct bus *b = stream_open("paused", BUS_PUBLISH);
    assert_ok(publish_range(b, 0, MANY, 2000, WAIT_MS, &err), &err);
    assert_int_equal(killpg(pid, SIGSTOP), 0);
    for (int i = 0; i < 3; i++) {
        int64_t began = clock_steady_ms();
        enum pal_status st = publish_range(b, MANY, 2 * MANY, 20000, ALLOWED_MS, &err);
        int64_t took = clock_steady_ms() - began;
        if (st != PAL_EIO || took > ALLOWED_MS + MARGIN_MS) {
            killpg(pid, SIGCONT);
            fail_msg("status %d after %d ms: %s", st, (int)took, err.message);
        }
        bus_status(b, &s);
    }
    assert_int_equal(killpg(pid, SIGCONT), 0);
    assert_false(s.connected);
    assert_int_equal(s.error.status, PAL_EIO);
    enum pal_status st = PAL_EIO;
    for (int64_t end = clock_steady_ms() + 3 * WAIT_MS; st && clock_steady_ms() < end;)
        st = publish_range(b, MANY, 2 * MANY, 20000, WAIT_MS, &err);
    assert_int_equal(st, PAL_OK);
    bus_status(b, &s);
    assert_true(s.connected);
    assert_true(s.reconnects > 0);
    bus_close(b);
    struct received *r = received_new(2 * MANY);
    b = stream_open("paused", BUS_RECEIVE);
    receive_all(b, r, 3 * WAIT_MS);
    bus_close(b);
    assert_int_equal(r->distinct, 2 * MANY);
    assert_int_equal(r->out_of_order, 0);
    mem_free(r);
}

struct receiver {
    struct bus *b;
    struct received *r;
    size_t noted;
    bool stop;
};

static void *receive_in_thread(void *arg)
{
    struct receiver *me = arg;
    struct pal_error err = {0};
    struct bus_received got[100];
    while (!__atomic_load_n(&me->stop, __ATOMIC_ACQUIRE)) {
        size_t n = 0;
        if (bus_receive(me->b, got, 100, 200, &n, &err))
            continue;
        for (size_t i = 0; i < n; i++)
            received_note(me->r, me->b, &got[i]);
        if (!bus_settle(me->b, &err))
            __atomic_fetch_add(&me->noted, n, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* The second one comes while the first is at work, and gets its part of the shards. */
static void two_receivers_share(void **state)
{
    (void)state;
    enum { MOST = 200000, STEP = 200 };
    struct pal_error err = {0};
    struct received *r = received_new(MOST);
    struct bus *b = stream_open("shared", BUS_PUBLISH);
    struct receiver me[2] = {{.r = r}, {.r = r}};
    pthread_t thread[2];
    size_t sent = 0, when_joined = 0, while_both = 0;
    for (int i = 0; i < 2; i++) {
        me[i].b = stream_open("shared", BUS_RECEIVE);
        when_joined = __atomic_load_n(&me[0].noted, __ATOMIC_RELAXED);
        assert_int_equal(pthread_create(&thread[i], NULL, receive_in_thread, &me[i]), 0);
        int64_t end = clock_steady_ms() + (i ? 2 * WAIT_MS : 1500);
        for (; clock_steady_ms() < end && sent < MOST; sent += STEP) {
            assert_ok(publish_range(b, sent, sent + STEP, 50, WAIT_MS, &err), &err);
            usleep(10000);
            if (i && __atomic_load_n(&me[1].noted, __ATOMIC_RELAXED) > 2 * STEP && !while_both) {
                while_both = __atomic_load_n(&me[0].noted, __ATOMIC_RELAXED);
                end = clock_steady_ms() + 1000;
            }
        }
    }
    for (int64_t end = clock_steady_ms() + WAIT_MS;
         received_distinct(r) < sent && clock_steady_ms() < end;)
        usleep(20000);
    for (int i = 0; i < 2; i++) {
        __atomic_store_n(&me[i].stop, true, __ATOMIC_RELEASE);
        pthread_join(thread[i], NULL);
        bus_close(me[i].b);
    }
    bus_close(b);
    assert_true(when_joined > 0);
    assert_true(while_both > 0);
    assert_true(me[0].noted > while_both); /* both went on */
    assert_int_equal(r->distinct, sent);
    assert_int_equal(r->out_of_order, 0);
    mem_free(r);
}

static void wrong_password_is_told(void **state)
{
    (void)state;
    const char *url = getenv("PALATE_TEST_DENIED"), *word = getenv("PALATE_TEST_WORD");
    if (!url)
        skip();
    struct pal_error err = {0}, away = {0};
    struct bus *b = NULL;
    struct bus_message m = {"a", "x", 1};
    assert_ok(bus_open(url, BUS_PUBLISH, &b, &away, &err), &err);
    assert_int_equal(away.status, PAL_EIO);
    assert_int_equal(bus_publish(b, &m, 1, 3000, &err), PAL_EIO);
    assert_null(strstr(err.message, word));
    assert_null(strstr(away.message, word));
    if (!strstr(err.message, "ACCESS_REFUSED") && !strstr(err.message, "uthentication"))
        fail_msg("%s", err.message);
    bus_close(b);
}

static void nobody_there_is_told_in_time(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1:1", "no-such-host.invalid:5672"};
    const char *given = getenv("PALATE_TEST_STREAM");
    for (size_t i = 0; i < 2; i++) {
        char url[128];
        int scheme = (int)(strchr(given, ':') - given);
        snprintf(url, sizeof url, "%.*s://%s/x", scheme, given, hosts[i]);
        struct pal_error err = {0}, away = {0};
        struct bus *b = NULL;
        struct bus_message m = {"a", "x", 1};
        int64_t began = clock_steady_ms();
        assert_ok(bus_open(url, BUS_PUBLISH, &b, &away, &err), &err);
        assert_true(clock_steady_ms() - began < 9000);
        assert_int_equal(away.status, PAL_EIO);
        assert_int_equal(bus_shards(b), 0);
        began = clock_steady_ms();
        assert_int_equal(bus_publish(b, &m, 1, 300, &err), PAL_EIO);
        assert_true(clock_steady_ms() - began < 3300);
        bus_close(b);
    }
}

int main(void)
{
    bus_add_all();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_holds_per_key),
        cmocka_unit_test(unsettled_comes_again),
        cmocka_unit_test(refused_is_kept_aside),
        cmocka_unit_test(large_ones_pass),
        cmocka_unit_test(wrong_password_is_told),
        cmocka_unit_test(nobody_there_is_told_in_time),
        cmocka_unit_test(paused_broker_costs_no_more_than_allowed),
        cmocka_unit_test(two_receivers_share),
    };
    const char *only = getenv("PALATE_TEST_ONLY");
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests_name("bus/contract", tests, NULL, NULL);
}
