/* See contract.h. */
#include "base/clock.h"
#include "contract.h"

#include "base/scheme.h"
#include "bus/backend.h"

void bus_add_all(void)
{
#ifdef HAVE_AMQP
    bus_add_kind(&amqp_bus_ops);
    bus_add_kind(&amqps_bus_ops);
#endif
#ifdef HAVE_KAFKA
    bus_add_kind(&kafka_bus_ops);
#endif
}

const char *stream_url(const char *name)
{
    static char url[8][1024];
    static unsigned next;
    const char *given = getenv("PALATE_TEST_STREAM");
    assert_non_null(given);
    const char *at = strstr(given, "NAME");
    assert_non_null(at);
    char *out = url[next++ % 8], *end = out + sizeof url[0];
    char *p = out + snprintf(out, sizeof url[0], "%.*s%s", (int)(at - given), given, name);
    const char *rest = at + 4, *again = strstr(rest, "NAME");
    if (again)
        snprintf(p, (size_t)(end - p), "%.*s%s%s", (int)(again - rest), rest, name, again + 4);
    else
        snprintf(p, (size_t)(end - p), "%s", rest);
    return out;
}

struct bus *stream_open(const char *name, unsigned uses)
{
    struct pal_error err = {0}, away = {0};
    struct bus *b = NULL;
    assert_ok(bus_open(stream_url(name), uses, &b, &away, &err), &err);
    if (away.message[0])
        fail_msg("%s", away.message);
    return b;
}

enum pal_status publish_range(struct bus *b, size_t from, size_t to, size_t size, unsigned wait_ms,
                              struct pal_error *err)
{
    enum { BATCH = 1000 };
    enum pal_status st = PAL_OK;
    char(*key)[16] = mem_alloc(BATCH, sizeof *key);
    struct bus_message *m = mem_alloc(BATCH, sizeof *m);
    char *body = mem_alloc(BATCH, size);
    assert_true(key && m && body);
    memset(body, ' ', BATCH * size);
    while (!st && from < to) {
        size_t n = to - from < BATCH ? to - from : BATCH;
        for (size_t i = 0; i < n; i++) {
            char *text = body + i * size;
            snprintf(key[i], sizeof key[i], "user-%zu", (from + i) % KEYS);
            int len = snprintf(text, size, "%zu %zu", (from + i) % KEYS, from + i);
            text[len] = ' ';
            m[i] = (struct bus_message){key[i], text, size};
        }
        st = bus_publish(b, m, n, wait_ms, err);
        from += n;
    }
    mem_free(body);
    mem_free(m);
    mem_free(key);
    return st;
}

struct received *received_new(size_t most)
{
    struct received *r = mem_zero(1, sizeof *r);
    assert_non_null(r);
    assert_true(most <= sizeof r->seen);
    pthread_mutex_init(&r->lock, NULL);
    r->most = most;
    return r;
}

size_t received_distinct(struct received *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->distinct;
    pthread_mutex_unlock(&r->lock);
    return n;
}

void received_note(struct received *r, struct bus *b, const struct bus_received *m)
{
    size_t key = 0, number = 0;
    assert_int_equal(m->body[m->size], 0);
    assert_int_equal(sscanf(m->body, "%zu %zu", &key, &number), 2);
    assert_true(key < KEYS && number < r->most && number % KEYS == key);
    char text[32];
    snprintf(text, sizeof text, "user-%zu", key);
    assert_int_equal(m->shard, bus_shard(b, text));
    pthread_mutex_lock(&r->lock);
    if (r->seen[number]) {
        r->repeated++;
    } else {
        r->seen[number] = true;
        r->distinct++;
        r->out_of_order += number + 1 < r->last[key];
        r->last[key] = number + 1;
    }
    pthread_mutex_unlock(&r->lock);
}

void receive_all(struct bus *b, struct received *r, int limit_ms)
{
    struct pal_error err = {0};
    static _Thread_local struct bus_received got[1000];
    int64_t end = clock_steady_ms() + limit_ms;
    while (r->distinct < r->most && clock_steady_ms() < end) {
        size_t n = 0;
        if (bus_receive(b, got, 1000, 500, &n, &err))
            continue;
        for (size_t i = 0; i < n; i++)
            received_note(r, b, &got[i]);
        if (bus_settle(b, &err))
            continue;
    }
}
