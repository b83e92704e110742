/* A process that appends is killed with SIGKILL at random moments, again and again over the same
 * folder. Each number that it acknowledged through a pipe must be there, with all its bytes. */
#include "place.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 25, GROUP_MOST = 40 };

/* Appends groups of 1 to GROUP_MOST records from `id` on, one commit each, and writes the last id
 * of each to the pipe. Drains a part now and then, so that segments go, too. */
static void work(int out, uint64_t id, unsigned seed)
{
    struct journal_options o = quick();
    struct journal *j = NULL;
    struct pal_error err;
    static uint8_t bytes[GROUP_MOST][BODY_MOST];
    struct journal_record r[GROUP_MOST];
    o.segment_bytes = 16384;
    o.sync = true;
    if (journal_open(folder, &o, 0, NULL, &j, &err) != PAL_OK)
        _exit(1);
    for (;;) {
        size_t n = 1 + (size_t)rand_r(&seed) % GROUP_MOST;
        uint64_t first = 0;
        for (size_t i = 0; i < n; i++)
            r[i] = (struct journal_record){(uint8_t)((id + i) % 251), bytes[i],
                                           body(id + i, bytes[i])};
        if (journal_append(j, r, n, &first, &err) != PAL_OK || first != id)
            _exit(2);
        id += n;
        uint64_t last = id - 1;
        if (write(out, &last, sizeof last) != sizeof last)
            _exit(3);
        if (last > 3000)
            journal_drained(j, last - 3000);
    }
}

/* Starts a worker, kills it after `acks` acknowledgements and some microseconds; what it had
 * acknowledged last. */
static uint64_t run_and_kill(uint64_t id, unsigned seed, unsigned acks, unsigned us)
{
    int ends[2], status;
    uint64_t last = id - 1, told;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        work(ends[1], id, seed);
    }
    close(ends[1]);
    for (unsigned i = 0; i < acks && read(ends[0], &told, sizeof told) == sizeof told; i++)
        last = told;
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it had not given up by itself */
    while (read(ends[0], &told, sizeof told) == sizeof told)
        last = told;
    close(ends[0]);
    return last;
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    struct journal_options o = quick();
    uint64_t next = 1;
    unsigned seed = 20240817;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned acks = (unsigned)rand_r(&seed) % 30, us = (unsigned)rand_r(&seed) % 3000;
        uint64_t last = run_and_kill(next, (unsigned)rand_r(&seed), acks, us);
        scan(0); /* from outside, before recovery */
        assert_true(seen.count == 0 || seen.first_seq + seen.count > last);
        struct journal_recovery found;
        struct journal *j = open_journal(&o, 0, &found);
        journal_close(j);
        /* At most the one commit that was under way is there besides. */
        assert_in_range(found.next, last + 1, last + 1 + GROUP_MOST);
        assert_true(found.first <= 1 || found.first <= last - 2999);
        scan(0);
        assert_int_equal(seen.count, found.next - found.first);
        for (uint64_t i = 0; i < seen.count; i++)
            assert_int_equal(seen.id[i], found.first + i);
        next = found.next;
    }
    assert_true(next > ROUNDS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests_name("journal/crash", tests, NULL, NULL);
}
