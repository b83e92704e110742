/* Memory runs out, in any of our allocations, while a store is in use: the call says so, nothing of
 * it is stored, and the same call made again does all of it. Of every kind of store (see world.h).
 */
#include "test.h"

#include <inttypes.h>

#include "world.h"

static struct history_of_site h;
static struct naive naive;

/* What a stream would bring of it: the same changes, each with a moment. */
static enum pal_status write_some(struct store *s, size_t at, size_t n, bool stream,
                                  struct pal_error *err)
{
    struct store_change c[64];
    struct store_reach reach = {"0123456789ab", 0, at + n};
    if (!stream)
        return store_apply(s, h.change + at, n, at + n, NULL, err);
    for (size_t i = 0; i < n; i++) {
        c[i] = h.change[at + i];
        c[i].at_ms = 1000 + (int64_t)(at + i);
    }
    return store_take(s, c, n, &reach, 1, NULL, err);
}

static void assert_survives(struct scene *w, bool stream)
{
    struct str is = {0}, expected = {0};
    size_t failed = 0, most = is_elsewhere() ? 800 : 3000;
    invent(&h, most, 32, true);
    memset(&naive, 0, sizeof naive);
    naive.h = &h;
    for (size_t at = 0; at < h.count; at += 50) {
        struct pal_error err;
        mem_fail_at((long)(at / 50 % 60) + 1);
        enum pal_status st = write_some(w->s, at, 50, stream, &err);
        mem_fail_at(0);
        if (st != PAL_OK) {
            assert_int_equal(st, PAL_ENOMEM);
            failed++;
            assert_ok(write_some(w->s, at, 50, stream, &err), &err);
        }
        while (naive.n < at + 50)
            naive_step(&naive);
        str_clear(&is);
        str_clear(&expected);
        store_text(w->s, &is);
        naive_text(&naive, &expected);
        /* all but the position, which a stream leaves alone */
        const char *end = strstr(str_text(&is), "position");
        const char *other = strstr(str_text(&expected), "position");
        assert_int_equal(end - is.text, other - expected.text);
        assert_memory_equal(is.text, expected.text, (size_t)(end - is.text));
    }
    assert_true(failed > 3);
    str_done(&is);
    str_done(&expected);
}

static void applying(void **state)
{
    assert_survives(*state, false);
}

static void taking(void **state)
{
    assert_survives(*state, true);
}

static enum pal_status swallow(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    (void)ctx;
    (void)e;
    (void)err;
    return PAL_OK;
}

static enum pal_status swallow_record(void *ctx, const struct record *r, struct pal_error *err)
{
    (void)ctx;
    (void)r;
    (void)err;
    return PAL_OK;
}

/* Whatever reads and allocates, on a handle of its own. */
static enum pal_status read_all(const struct scene *w, struct pal_error *err)
{
    struct store *s;
    struct dataset *d;
    char *text, path[128];
    uint64_t mark = 0;
    enum pal_status st = store_open(w->url, true, &s, err);
    if (st != PAL_OK)
        return st;
    snprintf(path, sizeof path, "%s/backup.db", w->dir);
    if ((st = store_note(s, "n", &text, err)) == PAL_OK)
        mem_free(text);
    if (st == PAL_OK)
        st = store_user_events(s, "user-1", 0, 10, swallow, NULL, err);
    if (st == PAL_OK)
        st = store_follow(s, &mark, 100, swallow_record, NULL, err);
    if (st == PAL_OK && (st = store_dataset(s, h.change + 90, 60, NULL, &d, NULL, err)) == PAL_OK)
        dataset_free(d);
    if (st == PAL_OK)
        st = store_backup(s, path, NULL, err);
    store_close(s);
    return st;
}

static void reading(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    long failed = 0;
    invent(&h, 200, 31, false);
    apply(w->s, h.change, 100, 100);
    assert_ok(store_put_note(w->s, "n", "t", &err), &err);
    long live = mem_live();
    for (long n = 1;; n += 1 + n / 20) { /* every one at first, then fewer */
        err = (struct pal_error){.message = ""};
        long calls = mem_calls();
        mem_fail_at(n);
        enum pal_status st = read_all(w, &err);
        mem_fail_at(0);
        assert_int_equal(mem_live(), live);
        if (mem_calls() - calls < n)
            break; /* there are no more */
        if (st == PAL_OK)
            continue; /* it was for words only, which were not needed */
        assert_int_equal(st, PAL_ENOMEM);
        assert_true(err.message[0]);
        failed++;
    }
    assert_true(failed > 10);
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(applying),
        IN_A_STORE(taking),
        IN_A_STORE(reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
