/* Readers: in order across segments, from any number, waiting for what comes, beside a writer, and
 * past what was drained under their feet; and scans from outside. */
#include "place.h"

#include <pthread.h>

static struct journal_reader *reader(struct journal *j, uint64_t from)
{
    struct journal_reader *r;
    struct pal_error err;
    assert_ok(journal_reader_new(j, from, &r, &err), &err);
    return r;
}

/* Reads what is there without waiting, `most` at a time; ids are numbers. Returns the next one. */
static uint64_t read_all(struct journal_reader *r, uint64_t next, size_t most)
{
    struct journal_entry e[64];
    struct pal_error err;
    size_t count;
    for (;;) {
        assert_ok(journal_read(r, e, most, 0, &count, &err), &err);
        assert_true(count <= most);
        if (count == 0)
            return next;
        for (size_t i = 0; i < count; i++, next++) {
            assert_int_equal(e[i].seq, next);
            assert_int_equal(id_of(&e[i]), next);
        }
    }
}

static void records_come_in_order(void **state)
{
    (void)state;
    struct journal_options o = quick();
    o.segment_bytes = 4096;
    struct journal *j = open_journal(&o, 0, NULL);
    static const size_t mosts[] = {1, 7, 64};
    append_all(j, 1, 400);
    assert_true(segments() > 4);
    for (size_t m = 0; m < 3; m++)
        for (uint64_t from = 0; from < 405; from += 9) {
            struct journal_reader *r = reader(j, from);
            uint64_t first = from ? from : 1;
            assert_int_equal(read_all(r, first, mosts[m]), first <= 401 ? 401 : first);
            journal_reader_free(r);
        }
    struct journal_reader *r = reader(j, 390);
    assert_int_equal(read_all(r, 390, 5), 401);
    append_all(j, 401, 500);
    assert_int_equal(read_all(r, 401, 5), 501);
    journal_reader_free(r);
    journal_reader_free(NULL);
    journal_close(j);

    j = open_journal(&o, 0, NULL); /* after recovery, too */
    r = reader(j, 0);
    assert_int_equal(read_all(r, 1, 64), 501);
    append_all(j, 501, 510);
    assert_int_equal(read_all(r, 501, 64), 511);
    journal_reader_free(r);
    journal_close(j);
}

static void what_was_drained_is_passed_over(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct pal_error err;
    struct journal_entry e[8];
    size_t count;
    o.segment_bytes = 4096;
    struct journal *j = open_journal(&o, 0, NULL);
    append_all(j, 1, 300);
    struct journal_reader *r = reader(j, 1), *late = reader(j, 1);
    assert_ok(journal_read(r, e, 8, 0, &count, &err), &err);
    assert_int_equal(e[0].seq, 1);
    journal_drained(j, 250);
    assert_ok(journal_read(late, e, 8, 0, &count, &err), &err);
    assert_true(count > 0);
    assert_in_range(e[0].seq, 100, 251);
    read_all(late, e[count - 1].seq + 1, 64);
    assert_ok(journal_read(r, e, 8, 0, &count, &err), &err);
    assert_true(count > 0);
    assert_int_equal(read_all(r, e[count - 1].seq + 1, 64), 301);
    journal_reader_free(r);
    journal_reader_free(late);
    journal_close(j);
}

/* Numbers that were passed over are passed over by readers, too. */
static void a_gap_in_the_numbers_is_crossed(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal *j = open_journal(&o, 0, NULL);
    append_all(j, 1, 10);
    journal_close(j);
    j = open_journal(&o, 50, NULL);
    append_all(j, 50, 60);
    struct journal_reader *r = reader(j, 20);
    assert_int_equal(read_all(r, 50, 64), 61);
    journal_reader_free(r);
    journal_close(j);
}

/* ---- waiting ---- */

struct follower {
    struct journal *j;
    uint64_t until;
    const char *complaint;
};

static void *follow(void *ctx)
{
    struct follower *f = ctx;
    struct journal_reader *r = NULL;
    struct journal_entry e[32];
    struct pal_error err;
    size_t count;
    uint64_t next = 1;
    if (journal_reader_new(f->j, 0, &r, &err) != PAL_OK)
        f->complaint = "no reader";
    while (!f->complaint && next <= f->until) {
        if (journal_read(r, e, 32, 20000, &count, &err) != PAL_OK || count == 0)
            f->complaint = "a read failed or ended early";
        for (size_t i = 0; !f->complaint && i < count; i++, next++)
            if (e[i].seq != next || id_of(&e[i]) != next)
                f->complaint = "another record was expected";
        if (!f->complaint)
            journal_drained(f->j, next - 1);
    }
    journal_reader_free(r);
    return NULL;
}

/* A drain that keeps up while segments come and go. */
static void a_reader_follows_the_writer(void **state)
{
    (void)state;
    struct journal_options o = quick();
    o.segment_bytes = 4096;
    struct journal *j = open_journal(&o, 0, NULL);
    struct follower f = {j, 3000, NULL};
    struct journal_status s;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, follow, &f), 0);
    append_all(j, 1, 3000);
    pthread_join(thread, NULL);
    assert_null(f.complaint);
    journal_status(j, &s);
    assert_int_equal(s.drained, 3000);
    assert_true(segments() <= 2);
    journal_close(j);
}

static void *wait_long(void *ctx)
{
    struct journal_entry e[1];
    struct pal_error err;
    size_t count = 7;
    if (journal_read(ctx, e, 1, 600000, &count, &err) != PAL_OK || count != 0)
        return (void *)"it should have been woken with nothing";
    return NULL;
}

static void waiting_ends(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal *j = open_journal(&o, 0, NULL);
    struct journal_reader *r = reader(j, 0);
    struct journal_entry e[1];
    struct pal_error err;
    size_t count = 7;
    assert_ok(journal_read(r, e, 1, 5, &count, &err), &err); /* by the clock */
    assert_int_equal(count, 0);
    assert_ok(journal_read(r, e, 0, 600000, &count, &err), &err); /* nothing was asked for */
    /* By a call: before the wait or during it, whichever comes first here. */
    pthread_t thread;
    void *complaint;
    assert_int_equal(pthread_create(&thread, NULL, wait_long, r), 0);
    journal_wake(j);
    pthread_join(thread, &complaint);
    assert_null(complaint);
    journal_wake(j);
    assert_null(wait_long(r));
    journal_reader_free(r);
    journal_close(j);
}

/* ---- damage under a running journal ---- */

static void damage_is_noticed_when_read(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct journal *j = open_journal(&o, 0, NULL);
    struct journal_entry e[4];
    struct pal_error err;
    size_t count;
    append_all(j, 1, 3);
    int fd = open(segment(1), O_WRONLY);
    assert_int_equal(pwrite(fd, "\xff", 1, SEGMENT_HEAD + RECORD_HEAD + 8), 1);
    close(fd);
    struct journal_reader *r = reader(j, 0);
    assert_int_equal(journal_read(r, e, 4, 0, &count, &err), PAL_ECORRUPT);
    assert_non_null(strstr(err.message, "record 1"));
    journal_reader_free(r);
    journal_close(j);
}

/* ---- from outside ---- */

static enum pal_status stop_at_five(void *ctx, const struct journal_entry *e, struct pal_error *err)
{
    size_t *calls = ctx;
    ++*calls;
    return e->seq == 5 ? pal_fail(err, PAL_ENOTFOUND, "five") : PAL_OK;
}

static void a_scan_sees_what_is_committed(void **state)
{
    (void)state;
    struct journal_options o = quick();
    struct pal_error err;
    size_t calls = 0;
    scan(0); /* no folder: no records */
    assert_int_equal(seen.count, 0);
    o.segment_bytes = 4096;
    struct journal *j = open_journal(&o, 0, NULL);
    scan(0);
    assert_int_equal(seen.count, 0);
    append_all(j, 1, 200);
    expect_ids(1, 200);
    for (uint64_t from = 0; from < 210; from += 7) {
        scan(from);
        uint64_t first = from ? from : 1;
        assert_int_equal(seen.count, first <= 200 ? 201 - first : 0);
        assert_int_equal(seen.first_seq, first <= 200 ? first : 0);
    }
    assert_int_equal(journal_scan(folder, 0, stop_at_five, &calls, &err), PAL_ENOTFOUND);
    assert_int_equal(calls, 5);
    assert_string_equal(err.message, "five");
    journal_close(j);
    /* A segment that is just being made ends it quietly. */
    write_file(segment(201), (const uint8_t *)"palJ", 4);
    expect_ids(1, 200);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(records_come_in_order),
        TEST(what_was_drained_is_passed_over),
        TEST(a_gap_in_the_numbers_is_crossed),
        TEST(a_reader_follows_the_writer),
        TEST(waiting_ends),
        TEST(damage_is_noticed_when_read),
        TEST(a_scan_sees_what_is_committed),
    };
    return cmocka_run_group_tests_name("journal/reader", tests, NULL, NULL);
}
