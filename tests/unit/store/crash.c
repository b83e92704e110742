/* A process that drains is killed at random moments, again and again. Each time the file is opened
 * as it was left: what it holds is exactly what the changes up to its position make of it. */
#include "test.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

#include "world.h"

enum { KILLS = 40, CHANGES = 4000 };

static struct history_of_site h;
static struct naive naive;

/* Applies what is missing, in batches of up to 60, and ends; 1 for any failure. */
static int drain(const char *url, uint64_t seed)
{
    struct store *s;
    struct rng r;
    uint64_t at;
    if (store_open(url, false, &s, NULL) != PAL_OK || store_position(s, &at, NULL) != PAL_OK)
        return 1;
    rng_init(&r, seed, 0);
    while (at < h.count) {
        size_t n = 1 + rng_below(&r, 60);
        n = n < h.count - at ? n : h.count - at;
        /* some come again, as from a journal that is read from a bit before */
        size_t again = at < 5 ? at : 5;
        if (store_apply(s, h.change + at - again, n + again, at + n, NULL, NULL) != PAL_OK)
            return 1;
        at += n;
    }
    store_close(s);
    return 0;
}

static void killed_at_any_moment(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct rng r;
    unsigned killed = 0, finished = 0;
    rng_init(&r, 21, 0);
    invent(&h, CHANGES, 50, false);
    naive.h = &h;
    close_store(w);
    while (killed < KILLS && finished < 200) {
        int how;
        pid_t child = fork();
        if (child == 0)
            _exit(drain(w->url, rng_next(&r)));
        usleep((useconds_t)rng_below(&r, 30000)); /* a random moment, not a wait for something */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) == 0);
        killed += WIFSIGNALED(how);
        assert_ok(store_open(w->url, false, &w->s, &err), &err);
        uint64_t position;
        assert_ok(store_position(w->s, &position, &err), &err);
        assert_true(position >= naive.n);
        while (naive.n < position)
            naive_step(&naive);
        assert_store_is(w->s, &naive);
        close_store(w);
        (void)rng_next(&r);        /* the child's was another */
        if (position == h.count) { /* and from the beginning */
            finished++;
            unlink(w->path);
            invent(&h, CHANGES, 50 + finished, finished % 3 == 0);
            memset(&naive, 0, sizeof naive);
            naive.h = &h;
        }
    }
    assert_true(killed >= KILLS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_any_moment, begin_scene, end_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
