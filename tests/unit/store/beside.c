/* Others beside the one that writes: a reader opened for reading only, and many threads. Of every
 * kind of store (see world.h). */
#include "test.h"

#include <inttypes.h>
#include <pthread.h>

#include "world.h"

static void others_read_beside(void **state)
{
    struct scene *w = *state;
    static struct history_of_site h;
    static struct naive naive;
    struct pal_error err;
    struct store *reader;
    invent(&h, 400, 5, false);
    naive.h = &h;
    apply(w->s, h.change, 200, 200);
    while (naive.n < 200)
        naive_step(&naive);
    assert_ok(store_open(w->url, true, &reader, &err), &err);
    assert_store_is(reader, &naive);
    apply(w->s, h.change + 200, 200, 400);
    while (naive.n < 400)
        naive_step(&naive);
    assert_store_is(reader, &naive); /* what was written since, too */
    assert_int_equal(store_apply(reader, h.change, 1, 401, NULL, &err), PAL_EUSAGE);
    assert_int_equal(store_put_note(reader, "a", "b", &err), PAL_EUSAGE);
    assert_int_equal(store_forget_served(reader, 1, NULL, &err), PAL_EUSAGE);
    close_store(w);
    assert_store_is(reader, &naive);
    store_close(reader);
}

/* ---- Many threads ---- */

struct reading_thread {
    struct store *s;
    atomic_int *stop;
    uint64_t walks;
    bool wrong;
};

static enum pal_status count_event(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    (void)e;
    (void)err;
    ++*(uint64_t *)ctx;
    return PAL_OK;
}

/* Each transaction adds ten events of everybody: any reader sees a multiple of ten. */
static void *read_on(void *ctx)
{
    struct reading_thread *t = ctx;
    do {
        struct pal_error err;
        uint64_t events = 0, mine = 0, last;
        if (store_events(t->s, 0, count_event, &events, &err) != PAL_OK ||
            store_user_events(t->s, "u3", 0, SIZE_MAX, count_event, &mine, &err) != PAL_OK ||
            store_user_count(t->s, "u3", &last, &err) != PAL_OK)
            t->wrong = true;
        t->wrong |= events % 10 != 0 || last < mine;
        t->walks++;
    } while (!*t->stop);
    return NULL;
}

static void readers_see_whole_transactions(void **state)
{
    enum { THREADS = 6 };
    struct scene *w = *state;
    struct reading_thread t[THREADS];
    pthread_t id[THREADS];
    atomic_int stop = 0;
    struct store_change c[10];
    char user[10][48];
    for (unsigned i = 0; i < 10; i++)
        c[i] = event_change(0, word(user[i], "u", i), "thing", "like", 1, NULL);
    for (int i = 0; i < THREADS; i++) {
        t[i] = (struct reading_thread){w->s, &stop, 0, false};
        assert_int_equal(pthread_create(&id[i], NULL, read_on, &t[i]), 0);
    }
    for (int i = 0; i < 60; i++)
        apply(w->s, c, 10, 0);
    stop = 1;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(id[i], NULL);
        assert_false(t[i].wrong);
        assert_true(t[i].walks > 0);
    }
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(others_read_beside),
        IN_A_STORE(readers_see_whole_transactions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
