/* The door itself: what is submitted is numbered, committed, told and bounded; segments come and
 * go; two can't have one folder. */
#include "place.h"

#include "journal/sys.h"

#include <pthread.h>
#include <stdatomic.h>

static void what_goes_in_is_there(void **state)
{
    (void)state;
    struct journal_options o = quick();
    o.sync = true;
    struct journal_recovery found;
    struct journal *j = open_journal(&o, 0, &found);
    assert_int_equal(found.first, 1);
    assert_int_equal(found.next, 1);
    assert_int_equal(found.segments, 1);
    append_all(j, 1, 20);
    expect_ids(1, 20); /* from outside, beside the writer */
    struct journal_status s;
    journal_status(j, &s);
    assert_int_equal(s.next, 21);
    assert_int_equal(s.committed, 20);
    assert_int_equal(s.records, 20);
    assert_int_equal(s.commits, 20);
    assert_true(s.sync_ns > 0 && s.sync_ns <= s.commit_ns);
    assert_false(s.failing);
    journal_close(j);
    journal_close(NULL);
    expect_ids(1, 20);
    assert_int_equal(size_of_file(segment(1)), s.bytes); /* nothing is left allocated ahead */

    j = open_journal(&o, 0, &found);
    assert_int_equal(found.first, 1);
    assert_int_equal(found.next, 21);
    assert_int_equal(found.bytes, s.bytes);
    assert_int_equal(found.cut_bytes, 0);
    append_all(j, 21, 25);
    journal_close(j);
    expect_ids(1, 25);
}

static void sizes_have_bounds(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal *j = open_journal(&o, 0, NULL);
    struct pal_error err;
    uint8_t *large = malloc(JOURNAL_RECORD_MOST + 1);
    assert_non_null(large);
    memset(large, 5, JOURNAL_RECORD_MOST + 1);
    uint64_t first = 99;
    struct journal_record r[2] = {{1, large, 1}, {2, large, 0}};
    assert_int_equal(journal_append(j, r, 0, &first, &err), PAL_EUSAGE);
    assert_int_equal(journal_append(j, r, 2, &first, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "record 2"));
    r[1].size = JOURNAL_RECORD_MOST + 1;
    assert_int_equal(journal_append(j, r, 2, &first, &err), PAL_EUSAGE);
    assert_int_equal(first, 99);
    r[1].size = JOURNAL_RECORD_MOST;
    assert_ok(journal_append(j, r, 2, &first, &err), &err);
    assert_int_equal(first, 1);

    struct journal_reader *reader;
    struct journal_entry e[4];
    size_t count, got = 0;
    assert_ok(journal_reader_new(j, 0, &reader, &err), &err);
    while (got < 2) {
        assert_ok(journal_read(reader, e, 4, 0, &count, &err), &err);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++, got++) {
            assert_int_equal(e[i].size, r[got].size);
            assert_int_equal(e[i].kind, r[got].kind);
            assert_memory_equal(e[i].data, large, r[got].size);
        }
    }
    journal_reader_free(reader);
    journal_close(j);
    free(large);
}

/* Nothing is queued once the bound is reached; what was drained makes room again. */
static void it_has_a_bound(void **state)
{
    (void)state;
    struct journal_options o = quick();
    o.most_bytes = 16384;
    struct journal *j = open_journal(&o, 0, NULL);
    struct pal_error err;
    struct journal_status s;
    uint64_t id = 0;
    enum pal_status st;
    while ((st = append(j, id + 1, &err)) == PAL_OK)
        assert_true(++id < 1000);
    assert_int_equal(st, PAL_EFULL);
    assert_non_null(strstr(err.message, "store"));
    journal_status(j, &s);
    assert_int_equal(s.committed, id);
    assert_true(s.bytes <= 16384 && s.bytes > 16384 - BODY_MOST - RECORD_HEAD - SEGMENT_HEAD);
    assert_true(s.segments >= 4); /* a quarter of the bound each */
    assert_int_equal(append(j, id + 1, &err), PAL_EFULL);

    journal_drained(j, id / 2);
    assert_true(segments() < (int)s.segments);
    assert_ok(append(j, id + 1, &err), &err);
    scan(id / 2);
    assert_int_equal(seen.id[seen.count - 1], id + 1);
    /* All that is there is drained again and again: never stuck, whatever its last segment holds.
     */
    for (int round = 0; round < 300; round++) {
        journal_status(j, &s);
        journal_drained(j, s.committed);
        uint8_t bytes[4000] = {1};
        struct journal_record r = {9, bytes, 1 + (size_t)round * 13};
        assert_ok(journal_append(j, &r, 1, NULL, &err), &err);
    }
    uint8_t too_much[8192] = {1};
    struct journal_record r = {9, too_much, sizeof too_much};
    assert_int_equal(journal_append(j, &r, 1, NULL, &err), PAL_EUSAGE);
    journal_close(j);
}

/* A disk that takes its time, until it is let go. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static atomic_uint syncs; /* begun */

static int slow_sync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return fdatasync(fd);
}

static struct journal *open_slow(const struct journal_options *o, struct journal_sys *sys)
{
    struct journal *j;
    struct pal_error err;
    *sys = journal_sys;
    sys->sync = slow_sync;
    assert_ok(journal_open_with(folder, o, 0, sys, NULL, &j, &err), &err);
    return j;
}

struct told {
    uint64_t expected; /* the number that must come next */
    size_t calls;
    enum pal_status st[64];
};

static void note(void *ctx, enum pal_status st, uint64_t first, size_t count,
                 const struct pal_error *err)
{
    struct told *t = ctx;
    assert_true((err == NULL) == (st == PAL_OK));
    assert_int_equal(first, t->expected);
    t->expected += count;
    t->st[t->calls++ % 64] = st;
}

/* While the disk is busy, submitters fill the queue to its bound; then all are in one commit. */
static void the_queue_has_a_bound(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal_sys sys;
    struct journal_status s;
    struct pal_error err;
    struct told told = {.expected = 1};
    uint8_t bytes[500] = {3};
    struct journal_record r[2] = {{1, bytes, 500}, {2, bytes, 500}};
    o.sync = true;
    o.queue_bytes = 4096;
    struct journal *j = open_slow(&o, &sys);
    pthread_mutex_lock(&gate);
    int taken = 0;
    enum pal_status st;
    while ((st = journal_submit(j, r, 2, note, &told, &err)) == PAL_OK)
        assert_true(++taken < 10);
    assert_int_equal(st, PAL_EFULL);
    assert_int_equal(taken, 3); /* 3 * 2 * 524 bytes fit into 4096 */
    journal_status(j, &s);
    assert_int_equal(s.committed, 0); /* nobody is told before the disk is done */
    pthread_mutex_unlock(&gate);
    assert_ok(journal_append(j, r, 1, &s.next, &err), &err);
    journal_status(j, &s);
    assert_int_equal(s.committed, 7);
    assert_in_range(s.commits, 1, 4);
    journal_close(j);
    assert_int_equal(told.calls, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(told.st[i], PAL_OK);
}

/* A commit has at most group_most records, but a submission is never split. */
static void groups_have_a_bound(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal_sys sys;
    struct journal_status s;
    struct pal_error err;
    struct told told = {.expected = 1};
    struct journal_record r[25];
    for (int i = 0; i < 25; i++)
        r[i] = (struct journal_record){1, "abc", 3};
    o.sync = true;
    o.group_most = 10;
    struct journal *j = open_slow(&o, &sys);
    pthread_mutex_lock(&gate);
    assert_ok(journal_submit(j, r, 1, note, &told, &err), &err);
    for (int i = 0; i < 30; i++)
        assert_ok(journal_submit(j, r, 1, note, &told, &err), &err);
    assert_ok(journal_submit(j, r, 25, note, &told, &err), &err);
    pthread_mutex_unlock(&gate);
    assert_ok(journal_append(j, r, 1, NULL, &err), &err);
    journal_status(j, &s);
    /* The first alone or with others, then tens, then 25 at once, then the last. */
    assert_in_range(s.commits, 6, 7);
    assert_int_equal(s.committed, 57);
    journal_close(j);
    assert_int_equal(told.calls, 32);
}

/* A writer that waits for more gathers what comes meanwhile. */
static void a_group_waits_for_more(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal_status s;
    struct pal_error err;
    struct told told = {.expected = 1};
    struct journal_record r = {1, "abc", 3};
    o.group_wait_us = 1000000;
    o.group_most = 8;
    struct journal *j = open_journal(&o, 0, NULL);
    for (int i = 0; i < 7; i++)
        assert_ok(journal_submit(j, &r, 1, note, &told, &err), &err);
    assert_ok(journal_append(j, &r, 1, NULL, &err), &err); /* the eighth: full, no more waiting */
    journal_status(j, &s);
    assert_int_equal(s.commits, 1);
    assert_int_equal(s.committed, 8);
    journal_close(j);
    assert_int_equal(told.calls, 7);
}

static void count_told(void *ctx, enum pal_status st, uint64_t first, size_t count,
                       const struct pal_error *err)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void wait_for(const atomic_uint *count, unsigned n)
{
    while (atomic_load(count) < n)
        sched_yield();
}

/* While others come during a commit, the next one waits for as many as are known to be at it, and
 * no longer than it may; who is alone waits for nobody. That the second commit has both B and C
 * shows that it waited, that all of this ends within apart_us that it did not wait on. */
static void overlapping_submissions_share_commits(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal_sys sys;
    struct journal_status s;
    struct pal_error err;
    atomic_uint told = 0;
    struct journal_record r = {1, "abc", 3};
    struct timespec begin, end;
    o.sync = true;
    o.apart_us = 1000000;
    struct journal *j = open_slow(&o, &sys);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 20; i++) /* one after the other: each by itself */
        assert_ok(journal_append(j, &r, 1, NULL, &err), &err);
    journal_status(j, &s);
    assert_int_equal(s.commits, 20);
    for (unsigned i = 0; i < 4; i++) {
        unsigned before = atomic_load(&syncs);
        pthread_mutex_lock(&gate);
        assert_ok(journal_submit(j, &r, 1, count_told, &told, &err), &err); /* A */
        wait_for(&syncs, before + 1);
        assert_ok(journal_submit(j, &r, 1, count_told, &told, &err), &err); /* B, meanwhile */
        pthread_mutex_unlock(&gate);
        wait_for(&told, 1 + 2 * i);
        assert_ok(journal_append(j, &r, 1, NULL, &err), &err); /* C */
        wait_for(&told, 2 + 2 * i);
        journal_status(j, &s);
        assert_int_equal(s.committed, 23 + 3 * i);
        assert_int_equal(s.commits, 22 + 2 * i);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec < 4);
    journal_close(j);
}

/* Where enough came during a commit, the next one waits for nobody: four times, in less than four
 * times apart_us. */
static void enough_company_waits_for_no_more(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal_sys sys;
    struct pal_error err;
    atomic_uint told = 0;
    struct journal_record r = {1, "abc", 3};
    struct timespec begin, end;
    o.sync = true;
    o.apart_us = 1000000;
    struct journal *j = open_slow(&o, &sys);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 0; i < 4; i++) {
        unsigned before = atomic_load(&syncs);
        pthread_mutex_lock(&gate);
        assert_ok(journal_submit(j, &r, 1, count_told, &told, &err), &err);
        wait_for(&syncs, before + 1);
        for (int k = 0; k < 20; k++)
            assert_ok(journal_submit(j, &r, 1, count_told, &told, &err), &err);
        pthread_mutex_unlock(&gate);
        wait_for(&told, 21 * (i + 1));
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec < 3);
    journal_close(j);
}

/* Nobody joins: the one that came during a commit is not kept waiting. */
static void company_that_stays_away(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal_sys sys;
    struct pal_error err;
    atomic_uint told = 0;
    struct journal_record r = {1, "abc", 3};
    o.sync = true;
    o.apart_us = 20000;
    struct journal *j = open_slow(&o, &sys);
    unsigned before = atomic_load(&syncs);
    pthread_mutex_lock(&gate);
    assert_ok(journal_submit(j, &r, 1, count_told, &told, &err), &err);
    wait_for(&syncs, before + 1);
    assert_ok(journal_submit(j, &r, 1, count_told, &told, &err), &err);
    pthread_mutex_unlock(&gate);
    wait_for(&told, 2);
    journal_close(j);
}

/* ---- many at once ---- */

enum { THREADS = 8, EACH = 400 };

static void *submit_many(void *journal)
{
    struct journal *j = journal;
    struct pal_error err;
    static atomic_ullong ids;
    uint8_t bytes[3][BODY_MOST];
    struct journal_record r[3];
    for (int i = 0; i < EACH; i++) {
        uint64_t first = 0;
        size_t n = 1 + (size_t)i % 3;
        uint64_t id = atomic_fetch_add(&ids, n) + 1;
        for (size_t k = 0; k < n; k++)
            r[k] = (struct journal_record){(uint8_t)((id + k) % 251), bytes[k],
                                           body(id + k, bytes[k])};
        if (journal_append(j, r, n, &first, &err) != PAL_OK || first == 0)
            return (void *)"an append failed";
    }
    return NULL;
}

static void many_submit_at_once(void **state)
{
    (void)state;
    struct journal_options o = quick();
    o.segment_bytes = 20000;
    struct journal *j = open_journal(&o, 0, NULL);
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, submit_many, j), 0);
    for (int i = 0; i < THREADS; i++) {
        void *complaint;
        pthread_join(thread[i], &complaint);
        assert_null(complaint);
    }
    journal_close(j);
    assert_true(segments() > 5);
    scan(0);
    uint64_t total = 0;
    for (int i = 0; i < EACH; i++)
        total += THREADS * (1 + (uint64_t)i % 3);
    assert_int_equal(seen.count, total);
    static unsigned char had[THREADS * EACH * 3 + 1];
    for (uint64_t i = 0; i < total; i++) {
        assert_in_range(seen.id[i], 1, total);
        assert_false(had[seen.id[i]]);
        had[seen.id[i]] = 1;
    }
}

/* ---- segments ---- */

static void drained_segments_go(void **state)
{
    (void)state;
    struct journal_options o = quick();
    o.segment_bytes = 4096;
    struct journal *j = open_journal(&o, 0, NULL);
    struct journal_status s;
    append_all(j, 1, 300);
    int all = segments();
    assert_true(all > 3);
    scan(0);
    journal_drained(j, 1);
    assert_int_equal(segments(), all);
    expect_ids(1, 300);
    journal_drained(j, 150);
    assert_true(segments() < all);
    scan(0);
    assert_in_range(seen.first_seq, 2, 151); /* 151 and what shares its segment */
    assert_int_equal(seen.first_seq + seen.count, 301);
    journal_drained(j, 120); /* backwards: nothing happens */
    journal_drained(j, UINT64_MAX);
    journal_status(j, &s);
    assert_int_equal(s.drained, 300);
    assert_int_equal(segments(), 1);
    assert_int_equal(s.segments, 1);
    journal_rotate(j); /* now even the last can go, without a further record */
    append_all(j, 301, 301);
    scan(0);
    assert_int_equal(seen.first_seq, 301);
    journal_close(j);
    expect_ids(301, 301);
}

/* Waits until the writer has made or deleted that segment; half a minute at most. */
static void wait_for_segment(uint64_t first, bool there)
{
    for (int i = 0; i < 30000 && (access(segment(first), F_OK) == 0) != there; i++)
        usleep(1000);
    assert_int_equal(access(segment(first), F_OK) == 0, there);
}

static void a_rotation_needs_no_record(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal *j = open_journal(&o, 0, NULL);
    struct journal_recovery found;
    append_all(j, 1, 5);
    journal_rotate(j);
    wait_for_segment(6, true);
    journal_drained(j, 5);
    wait_for_segment(1, false);
    journal_close(j);
    scan(0);
    assert_int_equal(seen.count, 0);
    j = open_journal(&o, 0, &found); /* the numbers' place was kept */
    assert_int_equal(found.first, 6);
    assert_int_equal(found.next, 6);
    journal_rotate(j); /* of an empty segment: nothing to do */
    append_all(j, 6, 6);
    assert_int_equal(segments(), 1);
    journal_close(j);
}

/* Where the folder was deleted but the store was not, numbers go on behind the store's. */
static void numbers_go_on_behind_the_store(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal_recovery found;
    struct journal *j = open_journal(&o, 1000, &found);
    assert_int_equal(found.first, 1000);
    assert_int_equal(found.next, 1000);
    append_all(j, 1000, 1010);
    journal_close(j);
    expect_ids(1000, 1010);
    /* A gap that was meant is no damage, and what lies before it is drained. */
    j = open_journal(&o, 2000, &found);
    assert_int_equal(found.next, 2000);
    append_all(j, 2000, 2003);
    journal_close(j);
    expect_ids(2000, 2003);
    j = open_journal(&o, 1005, &found); /* an older store: nothing is lost, nothing renumbered */
    assert_int_equal(found.first, 2000);
    assert_int_equal(found.next, 2004);
    journal_close(j);
}

static void two_cannot_have_one_folder(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal *j = open_journal(&o, 0, NULL), *second = NULL;
    struct pal_error err;
    char us[32];
    snprintf(us, sizeof us, "process %ld", (long)getpid());
    assert_int_equal(journal_open(folder, &o, 0, NULL, &second, &err), PAL_EIO);
    assert_null(second);
    assert_non_null(strstr(err.message, us));
    assert_non_null(strstr(err.message, folder));
    append_all(j, 1, 2);
    journal_close(j);
    j = open_journal(&o, 0, NULL);
    journal_close(j);
}

static void a_folder_that_cannot_be(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal *j = NULL;
    struct pal_error err;
    write_file(folder, (const uint8_t *)"x", 1);
    assert_int_equal(journal_open(folder, &o, 0, NULL, &j, &err), PAL_EIO);
    assert_non_null(strstr(err.message, folder));
    char path[PATH_MAX + 10];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = 0;
    assert_int_equal(journal_open(path, &o, 0, NULL, &j, &err), PAL_EUSAGE);
    assert_null(j);
}

static void options_have_defaults(void **state)
{
    (void)state;
    struct journal_options o;
    struct pal_error err;
    opt_defaults(&journal_option_table, &o);
    assert_true(o.sync);
    assert_true(o.most_bytes > o.segment_bytes && o.segment_bytes > 0);
    assert_true(o.queue_bytes > JOURNAL_RECORD_MOST);
    assert_ok(opt_set(&journal_option_table, &o, "group_most", "64", &err), &err);
    assert_int_equal(o.group_most, 64);
    assert_int_equal(opt_set(&journal_option_table, &o, "group_most", "0", &err), PAL_EUSAGE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_goes_in_is_there),
        TEST(sizes_have_bounds),
        TEST(it_has_a_bound),
        TEST(the_queue_has_a_bound),
        TEST(groups_have_a_bound),
        TEST(a_group_waits_for_more),
        TEST(overlapping_submissions_share_commits),
        TEST(enough_company_waits_for_no_more),
        TEST(company_that_stays_away),
        TEST(many_submit_at_once),
        TEST(drained_segments_go),
        TEST(a_rotation_needs_no_record),
        TEST(numbers_go_on_behind_the_store),
        TEST(two_cannot_have_one_folder),
        TEST(a_folder_that_cannot_be),
        TEST(options_have_defaults),
    };
    return cmocka_run_group_tests_name("journal/journal", tests, NULL, NULL);
}
