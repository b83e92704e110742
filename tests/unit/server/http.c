/* A whole server when memory runs out: at every single allocation of its start, and at every one of
 * a request. What a client gets is a whole answer, a problem or the end of the connection; nothing
 * leaks, and the next request is served. And in which order answers are made and sent. (How it
 * behaves otherwise: tests/api.) */
#include "test.h"

#include "base/emit.h"
#include "server/http.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void describe(void *ctx, struct http_request *r)
{
    size_t len;
    struct emit e = {.text = http_spare(r), .compact = true};
    const char *body = http_body(r, &len);
    http_set_header(r, "X-Test", "1");
    emit_open(&e, NULL, '{');
    emit_string(&e, "id", http_param(r, "id"));
    emit_string(&e, "x", http_query(r, "x"));
    emit_string(&e, "body", body);
    emit_close(&e, '}');
    http_json(r, 200, &e.text);
}

/* What the handlers below know of. */
struct order {
    struct http_server *s;
    sem_t entered, go; /* GET /gate tells that it has the thread, and waits */
    atomic_uint calls; /* of GET /turn, and for each the answers that were out by then */
    unsigned sent[32];
    unsigned work_us;
    atomic_uintptr_t thread; /* of the last turn: where it keeps something of its own */
};

static void stand_at_gate(void *ctx, struct http_request *r)
{
    struct order *o = ctx;
    sem_post(&o->entered);
    sem_wait(&o->go);
    http_answer(r, 200, "text/plain", "gate\n", 5);
}

/* The answers so far, as the server counts them. */
static unsigned answers_out(struct http_server *s)
{
    static const char name[] = "palate_http_requests_total{route=\"/turn\"";
    struct str text = {0};
    http_metrics(s, &text);
    const char *p = strstr(str_text(&text), name), *value = p ? strstr(p, "} ") : NULL;
    unsigned n = value ? (unsigned)atoi(value + 2) : 0;
    str_done(&text);
    return n;
}

static void take_turn(void *ctx, struct http_request *r)
{
    static _Thread_local char mine;
    struct order *o = ctx;
    unsigned i = atomic_fetch_add(&o->calls, 1);
    atomic_store(&o->thread, (uintptr_t)&mine);
    if (i < 32)
        o->sent[i] = answers_out(o->s);
    if (o->work_us)
        usleep(o->work_us);
    http_answer(r, 200, "text/plain", "turn\n", 5);
}

/* As libmicrohttpd 1.0 answers, whatever version this is: all threads have the same daemon. */
static bool one_daemon;

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *connection,
                                                        enum MHD_ConnectionInfoType type, ...)
{
    static const union MHD_ConnectionInfo none;
    const union MHD_ConnectionInfo *(*real)(struct MHD_Connection *, enum MHD_ConnectionInfoType,
                                            ...);
    if (one_daemon && type == MHD_CONNECTION_INFO_DAEMON)
        return &none;
    *(void **)&real = dlsym(RTLD_NEXT, "MHD_get_connection_info");
    return real(connection, type);
}

static const struct http_route routes[] = {
    {"PUT", "/items/{id}", HTTP_READ, describe, 1000, NULL},
    {"GET", "/gate", HTTP_OPEN, stand_at_gate, 0, NULL},
    {"GET", "/turn", HTTP_OPEN, take_turn, 0, NULL},
};

enum { ROUTES = sizeof routes / sizeof routes[0] };

static char keys_path[] = "/tmp/palate-test-keys-XXXXXX";
static const char request[] =
    "PUT /items/a%20b?x=1 HTTP/1.1\r\nHost: x\r\nX-API-Key: 0123456789abcdef\r\nOrigin: "
    "https://a\r\n"
    "Content-Type: application/json\r\nContent-Length: 3\r\nConnection: close\r\n\r\n[1]";
static const char expected[] = "{\"id\":\"a b\",\"x\":\"1\",\"body\":\"[1]\"}";

static struct http_options options(void)
{
    struct http_options o = {0};
    opt_defaults(&http_option_table, &o);
    o.listen = "127.0.0.1:0";
    o.keys = keys_path;
    o.cors = "https://a,https://b";
    o.threads = 1;
    return o;
}

static enum pal_status start(struct http_server **s, struct pal_error *err)
{
    struct http_options o = options();
    return http_start(&o, routes, ROUTES, NULL, NULL, NULL, s, err);
}

static int connect_to(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {60, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* What comes back until the end of the connection. */
static void ask(unsigned port, char *answer, size_t size)
{
    int fd = connect_to(port);
    size_t got = 0;
    ssize_t n = send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    while (n > 0 && got < size - 1 && (n = recv(fd, answer + got, size - 1 - got, 0)) > 0)
        got += (size_t)n;
    answer[got] = 0;
    close(fd);
}

/* One request on an open connection; its answer fits one packet on loopback. */
static void ask_again(int fd)
{
    static const char kept[] = "PUT /items/a%20b?x=1 HTTP/1.1\r\nHost: x\r\n"
                               "X-API-Key: 0123456789abcdef\r\n"
                               "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]";
    char answer[2000] = "";
    size_t got = 0;
    ssize_t n = send(fd, kept, sizeof kept - 1, MSG_NOSIGNAL);
    while (n > 0 && !strstr(answer, expected) &&
           (n = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0)
        answer[got += (size_t)n] = 0;
    assert_true(n > 0);
}

static void a_kept_connection_soon_allocates_nothing(void **state)
{
    (void)state;
    struct http_server *s = NULL;
    struct pal_error err;
    assert_ok(start(&s, &err), &err);
    int fd = connect_to(http_port(s));
    for (int i = 0; i < 10; i++)
        ask_again(fd);
    long calls = mem_calls();
    for (int i = 0; i < 1000; i++)
        ask_again(fd);
    assert_int_equal(mem_calls(), calls);
    close(fd);
    http_stop(s);
}

static void start_without_memory(void **state)
{
    (void)state;
    long live = mem_live();
    enum pal_status st = PAL_ENOMEM;
    int n = 0;
    while (st != PAL_OK) {
        struct http_server *s = NULL;
        struct pal_error err = {0};
        mem_fail_at(++n);
        st = start(&s, &err);
        mem_fail_at(0);
        assert_true(st == PAL_OK || st == PAL_ENOMEM);
        assert_int_equal(s != NULL, st == PAL_OK);
        http_stop(s);
        assert_int_equal(mem_live(), live);
        assert_true(n < 100);
    }
    assert_true(n > 5);
}

static void requests_without_memory(void **state)
{
    (void)state;
    long live = mem_live();
    struct http_server *s = NULL;
    struct pal_error err;
    static char answer[10000];
    int failures = 0, n = 0;
    assert_ok(start(&s, &err), &err);
    for (bool reached = true; reached;) {
        long before = mem_calls();
        mem_fail_at(++n);
        ask(http_port(s), answer, sizeof answer);
        reached = mem_calls() - before >= n;
        mem_fail_at(0);
        bool whole = strstr(answer, expected) != NULL;
        if (!whole && answer[0])
            assert_non_null(strstr(answer, " 503 "));
        failures += !whole;
        ask(http_port(s), answer, sizeof answer);
        assert_non_null(strstr(answer, "HTTP/1.1 200 OK"));
        assert_non_null(strstr(answer, "Access-Control-Allow-Origin: https://a\r\n"));
        assert_non_null(strstr(answer, expected));
        assert_true(n < 200);
    }
    assert_true(failures > 3);
    http_stop(s);
    assert_int_equal(mem_live(), live);
}

static void send_get(int fd, const char *path)
{
    char text[100];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static void expect(int fd, const char *what)
{
    char answer[2000] = "";
    size_t got = 0;
    ssize_t n = 1;
    while (!strstr(answer, what) && (n = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0)
        answer[got += (size_t)n] = 0;
    assert_true(n > 0);
}

/* Several requests that are all there before the first is looked at: while the only thread stands
 * at the gate. */
static void burst(struct order *o, int *fd, size_t n)
{
    struct http_options opt = options();
    struct pal_error err;
    assert_ok(http_start(&opt, routes, ROUTES, o, NULL, NULL, &o->s, &err), &err);
    for (size_t i = 0; i <= n; i++)
        fd[i] = connect_to(http_port(o->s));
    for (size_t i = 0; i < n; i++) { /* all of them are known to the thread */
        send_get(fd[i], "/nothing");
        expect(fd[i], "no_such_path");
    }
    send_get(fd[n], "/gate");
    while (sem_wait(&o->entered))
        ;
    for (size_t i = 0; i < n; i++)
        send_get(fd[i], "/turn");
    sem_post(&o->go);
}

static void end_burst(struct order *o, int *fd, size_t n)
{
    for (size_t i = 0; i <= n; i++)
        close(fd[i]);
    http_stop(o->s);
    sem_destroy(&o->entered);
    sem_destroy(&o->go);
}

static void begin_order(struct order *o)
{
    memset(o, 0, sizeof *o);
    sem_init(&o->entered, 0, 0);
    sem_init(&o->go, 0, 0);
}

/* Answers that follow each other at once go out together, eight at most: while an answer is made,
 * those of its batch are still here, and those of the batch before, which have just been sent, are
 * not counted yet. */
static void answers_are_sent_together(void **state)
{
    (void)state;
    enum { BURST = 20, HELD = 8 };
    struct order o;
    int fd[BURST + 1], together = 0;
    begin_order(&o);
    burst(&o, fd, BURST);
    for (size_t i = 0; i < BURST; i++)
        expect(fd[i], "turn\n");
    expect(fd[BURST], "gate\n");
    assert_int_equal(atomic_load(&o.calls), BURST);
    for (unsigned i = 0; i < BURST; i++) {
        assert_true(o.sent[i] <= i && i - o.sent[i] < 2 * HELD);
        together += i > o.sent[i] + 2;
    }
    assert_true(together > 0);
    end_burst(&o, fd, BURST);
}

/* But none waits for others that take long: only the last one is still here, and the one before not
 * counted yet. */
static void no_answer_waits_long(void **state)
{
    (void)state;
    enum { BURST = 6 };
    struct order o;
    int fd[BURST + 1];
    begin_order(&o);
    o.work_us = 20000;
    burst(&o, fd, BURST);
    for (unsigned i = 0; i < BURST; i++)
        expect(fd[i], "turn\n");
    for (unsigned i = 0; i < BURST; i++)
        assert_true(i - o.sent[i] <= 2);
    end_burst(&o, fd, BURST);
}

/* Three connections of one of two threads and one of the other. Which one gets a connection goes by
 * the number of its descriptor; so that it isn't always even, each has a spare one. */
struct clients {
    int fd[12], spare[12], same[3], other;
    size_t count;
};

static void connect_to_two_threads(struct order *o, struct clients *c)
{
    uintptr_t first = 0;
    size_t found = 0;
    *c = (struct clients){.other = -1};
    for (size_t i = 0; i < 12 && (found < 3 || c->other < 0); i = ++c->count) {
        int fd = c->fd[i] = connect_to(http_port(o->s));
        send_get(fd, "/turn");
        expect(fd, "turn\n");
        c->spare[i] = dup(fd);
        if (!first)
            first = atomic_load(&o->thread);
        if (atomic_load(&o->thread) != first)
            c->other = fd;
        else if (found < 3)
            c->same[found++] = fd;
    }
    assert_true(found == 3 && c->other >= 0);
}

/* While a thread holds an answer and its next handler takes long, another thread answers; whatever
 * libmicrohttpd says of whose daemon a connection is. */
static void a_thread_holds_for_itself(void **state)
{
    (void)state;
    struct http_options opt = options();
    struct pal_error err;
    struct clients c;
    struct order o;
    begin_order(&o);
    opt.threads = 2;
    one_daemon = true;
    assert_ok(http_start(&opt, routes, ROUTES, &o, NULL, NULL, &o.s, &err), &err);
    connect_to_two_threads(&o, &c);
    send_get(c.same[0], "/gate");
    while (sem_wait(&o.entered))
        ;
    send_get(c.same[1], "/turn"); /* held, and then the thread is at the gate again */
    send_get(c.same[2], "/gate");
    sem_post(&o.go);
    while (sem_wait(&o.entered))
        ;
    for (int i = 0; i < 200; i++) { /* for longer than an answer is held */
        send_get(c.other, "/turn");
        expect(c.other, "turn\n");
    }
    sem_post(&o.go);
    expect(c.same[1], "turn\n");
    expect(c.same[2], "gate\n");
    one_daemon = false;
    for (size_t i = 0; i < c.count; i++)
        close(c.spare[i]);
    end_burst(&o, c.fd, c.count - 1);
}

static int make_keys(void **state)
{
    static const char text[] = "shop:read:0123456789abcdef\n";
    (void)state;
    int fd = mkstemp(keys_path);
    ssize_t n = fd < 0 ? -1 : write(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    return n == sizeof text - 1 ? 0 : -1;
}

static int remove_keys(void **state)
{
    (void)state;
    return unlink(keys_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_without_memory),
        cmocka_unit_test(requests_without_memory),
        cmocka_unit_test(a_kept_connection_soon_allocates_nothing),
        cmocka_unit_test(answers_are_sent_together),
        cmocka_unit_test(no_answer_waits_long),
        cmocka_unit_test(a_thread_holds_for_itself),
    };
    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
