/* A system that fails: memory, space, writes, syncs, one after the other and for good. Whatever
 * fails, everybody is told, what was acknowledged is there, and the journal goes on by itself. */
#include "place.h"

#include "journal/sys.h"

#include <errno.h>
#include <sys/mount.h>

/* ---- a disk that fails when told to ---- */

enum call { CREATE, RESERVE, WRITE, SYNC, SYNC_DIR, TRUNCATE, CALLS };

static struct {
    long calls[CALLS];
    long fail_from[CALLS], fail_to[CALLS]; /* the calls of each kind that fail, from 1 */
    size_t torn;                           /* so many bytes of a failing write are written */
    int error;
} disk;

static int fails(enum call c)
{
    long n = ++disk.calls[c];
    if (n < disk.fail_from[c] || n > disk.fail_to[c])
        return 0;
    errno = disk.error;
    return 1;
}

static int test_create(const char *path)
{
    return fails(CREATE) ? -1 : journal_sys.create(path);
}
static int test_reserve(int fd, off_t from, off_t size)
{
    return fails(RESERVE) ? -1 : journal_sys.reserve(fd, from, size);
}
static ssize_t test_write(int fd, const void *data, size_t size, off_t at)
{
    if (!fails(WRITE))
        return pwrite(fd, data, size, at);
    if (disk.torn && pwrite(fd, data, size < disk.torn ? size : disk.torn, at) < 0)
        return -1;
    errno = disk.error;
    return -1;
}
static int test_sync(int fd)
{
    return fails(SYNC) ? -1 : 0; /* the real one only takes time */
}
static int test_sync_dir(int fd)
{
    return fails(SYNC_DIR) ? -1 : 0;
}
static int test_truncate(int fd, off_t size)
{
    return fails(TRUNCATE) ? -1 : ftruncate(fd, size);
}
static const struct journal_sys test_sys = {
    test_create, test_reserve, test_write, test_sync, test_sync_dir, test_truncate,
};

static struct journal_options options(void)
{
    struct journal_options o = quick();
    o.sync = true;
    o.segment_bytes = 4096;
    return o;
}

static enum pal_status open_faulty(struct journal **j, struct pal_error *err)
{
    struct journal_options o = options();
    return journal_open_with(folder, &o, 0, &test_sys, NULL, j, err);
}

/* Appends ids until `count` were acknowledged, under whatever fails; a refused id is left out.
 * Returns how many were refused. */
static size_t append_some(struct journal *j, uint64_t *id, uint64_t *acked, size_t count)
{
    struct pal_error err;
    size_t refused = 0;
    for (size_t got = 0; got < count; ++*id) {
        enum pal_status st = append(j, *id, &err);
        if (st == PAL_OK) {
            acked[got++] = *id;
            continue;
        }
        assert_int_equal(st, PAL_EIO);
        assert_true(strlen(err.message) > 20);
        assert_true(++refused < 100);
    }
    return refused;
}

static void expect_acked(const uint64_t *acked, size_t count)
{
    scan(0);
    assert_int_equal(seen.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(seen.id[i], acked[i]);
}

/* Each kind of call fails once, at each of its turns, whether or not the tail can be cut off then.
 * Over three segments. */
static void any_call_may_fail(void **state)
{
    (void)state;
    enum { COUNT = 150 };
    uint64_t acked[COUNT];
    for (int kind = 0; kind < TRUNCATE; kind++)
        for (int cut_fails = 0; cut_fails < 2; cut_fails++)
            for (long at = 1; at < COUNT + 5; at += kind == WRITE || kind == SYNC ? 7 : 1) {
                struct pal_error err;
                struct journal *j = NULL;
                uint64_t id = 1;
                memset(&disk, 0, sizeof disk);
                disk.error = at % 2 ? EIO : ENOSPC;
                disk.torn = (size_t)(at * 13 % 100);
                disk.fail_from[kind] = disk.fail_to[kind] = at;
                disk.fail_from[TRUNCATE] = 1;
                disk.fail_to[TRUNCATE] = cut_fails ? 1000000 : 0;
                enum pal_status st = open_faulty(&j, &err);
                if (st != PAL_OK) {
                    assert_int_equal(st, PAL_EIO);
                    assert_ok(open_faulty(&j, &err), &err); /* it failed once */
                }
                size_t refused = append_some(j, &id, acked, COUNT);
                assert_true(refused <= 1);
                bool reached = disk.calls[kind] >= at;
                assert_true(refused == 0 || reached);
                if (reached && kind != RESERVE && st == PAL_OK)
                    assert_int_equal(refused, 1);
                expect_acked(acked, COUNT);
                journal_close(j);
                expect_acked(acked, COUNT);
                assert_ok(open_faulty(&j, &err), &err); /* and recovery agrees */
                journal_close(j);
                expect_acked(acked, COUNT);
                drop_place(NULL);
                make_place(NULL);
                if (!reached)
                    break;
            }
}

/* A disk that stays full: everybody is told, each time; then there is space again. */
static void space_comes_back(void **state)
{
    (void)state;
    static const enum call kinds[] = {WRITE, SYNC, CREATE};
    for (size_t k = 0; k < 3; k++) {
        uint64_t acked[60], id = 1;
        struct journal *j;
        struct journal_status s;
        struct pal_error err;
        memset(&disk, 0, sizeof disk);
        disk.error = ENOSPC;
        assert_ok(open_faulty(&j, &err), &err);
        append_some(j, &id, acked, 30);
        disk.fail_from[WRITE] = disk.calls[WRITE] + 1;
        disk.fail_to[WRITE] = disk.calls[WRITE] + 1; /* ends the segment, so that CREATE matters */
        disk.fail_from[kinds[k]] = disk.calls[kinds[k]] + 1;
        disk.fail_to[kinds[k]] = disk.calls[kinds[k]] + 20;
        assert_int_equal(append(j, 9999, &err), PAL_EIO);
        journal_status(j, &s);
        assert_true(s.failing);
        assert_non_null(strstr(s.error.message, "space"));
        assert_int_equal(s.committed, 30);
        assert_true(append_some(j, &id, acked + 30, 30) >= 19);
        journal_status(j, &s);
        assert_false(s.failing);
        assert_int_equal(s.committed, 60);
        assert_int_equal(s.records, 60);
        expect_acked(acked, 60);
        journal_close(j);
        assert_ok(open_faulty(&j, &err), &err);
        journal_status(j, &s);
        assert_int_equal(s.committed, 60);
        journal_close(j);
        drop_place(NULL);
        make_place(NULL);
    }
}

/* A disk that is really full, until a file is deleted. */
static void a_full_disk(void **state)
{
    (void)state;
    static const uint8_t filler[100000] = {1};
    static uint64_t acked[20000];
    struct journal_options o = quick();
    char file[128];
    uint64_t id = 1;
    size_t count = 0, before;
    struct pal_error err;
    if (mount("palate-test", place, "tmpfs", 0, "size=400k")) {
        printf("skipped: mounting a small tmpfs needs root\n");
        skip();
    }
    snprintf(file, sizeof file, "%s/filler", place);
    write_file(file, filler, sizeof filler);
    struct journal *j = open_journal(&o, 0, NULL);
    enum pal_status st;
    for (; (st = append(j, id, &err)) == PAL_OK && count < 10000; id++)
        acked[count++] = id;
    for (int i = 0; i < 10 && st == PAL_EIO; i++)
        st = append(j, 77777, &err);
    bool told = st == PAL_EIO && strstr(err.message, "No space left");
    before = count;
    unlink(file);
    for (; count < before + 100 && append(j, id, &err) == PAL_OK; id++)
        acked[count++] = id;
    scan(0);
    uint64_t seen_running = seen.count;
    journal_close(j);
    j = open_journal(&o, 0, NULL);
    journal_close(j);
    scan(0);
    umount(place);
    assert_true(told);
    assert_true(before > 100);
    assert_int_equal(count, before + 100);
    assert_int_equal(seen_running, count);
    assert_int_equal(seen.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(seen.id[i], acked[i]);
}

/* A file system that can't allocate ahead is asked once and then left alone. */
static void allocating_ahead_is_a_wish(void **state)
{
    (void)state;
    uint64_t acked[50], id = 1;
    struct journal *j;
    struct pal_error err;
    memset(&disk, 0, sizeof disk);
    disk.error = EOPNOTSUPP;
    disk.fail_from[RESERVE] = 1;
    disk.fail_to[RESERVE] = 1000;
    assert_ok(open_faulty(&j, &err), &err);
    assert_int_equal(append_some(j, &id, acked, 50), 0);
    assert_int_equal(disk.calls[RESERVE], 1);
    assert_true(size_of_file(segment(1)) < 4096);
    journal_close(j);
    expect_acked(acked, 50);
}

/* All who shared the commit that failed are told so, and nobody else. */
struct told {
    int good, bad;
};
static void note(void *ctx, enum pal_status st, uint64_t first, size_t count,
                 const struct pal_error *err)
{
    struct told *t = ctx;
    assert_int_equal(count, 1);
    assert_true((first == 0) == (st != PAL_OK));
    if (st == PAL_OK)
        t->good++;
    else if (err->status == st && err->message[0])
        t->bad++;
}

static void everybody_is_told(void **state)
{
    (void)state;
    struct journal_options o = options();
    struct journal *j;
    struct journal_status s;
    struct pal_error err;
    struct told told = {0, 0};
    struct journal_record r = {1, "abcdefgh9", 9};
    memset(&disk, 0, sizeof disk);
    disk.error = EIO;
    o.group_wait_us = 1000000;
    o.group_most = 5;
    assert_ok(journal_open_with(folder, &o, 0, &test_sys, NULL, &j, &err), &err);
    disk.fail_from[SYNC] = disk.fail_to[SYNC] = disk.calls[SYNC] + 1;
    for (int i = 0; i < 4; i++)
        assert_ok(journal_submit(j, &r, 1, note, &told, &err), &err);
    assert_int_equal(journal_append(j, &r, 1, NULL, &err), PAL_EIO);
    journal_status(j, &s);
    assert_int_equal(s.committed, 0);
    for (int i = 0; i < 4; i++)
        assert_ok(journal_submit(j, &r, 1, note, &told, &err), &err);
    assert_ok(journal_append(j, &r, 1, NULL, &err), &err);
    journal_close(j);
    assert_int_equal(told.bad, 4);
    assert_int_equal(told.good, 4);
}

/* ---- memory ---- */

/* Opens, appends, reads, scans; the first failure ends it. What it opened is closed. */
static enum pal_status use(struct pal_error *err)
{
    struct journal_options o = options();
    struct journal *j = NULL;
    struct journal_reader *r = NULL;
    struct journal_entry e[8];
    size_t count;
    enum pal_status st = journal_open_with(folder, &o, 0, &test_sys, NULL, &j, err);
    for (uint64_t id = 1; id <= 80 && st == PAL_OK; id++)
        st = append(j, id, err);
    if (st == PAL_OK)
        st = journal_reader_new(j, 0, &r, err);
    if (st == PAL_OK)
        st = journal_read(r, e, 8, 0, &count, err);
    journal_reader_free(r);
    journal_close(j);
    if (st == PAL_OK) {
        memset(&seen, 0, sizeof seen);
        st = journal_scan(folder, 0, see, NULL, err);
    }
    return st;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    struct pal_error err;
    long n = 0;
    enum pal_status st;
    memset(&disk, 0, sizeof disk);
    do {
        long live = mem_live();
        mem_fail_at(++n);
        st = use(&err);
        mem_fail_at(0);
        assert_int_equal(mem_live(), live);
        assert_true(st == PAL_OK || st == PAL_ENOMEM);
        drop_place(NULL);
        make_place(NULL);
        assert_true(n < 1000);
    } while (st != PAL_OK);
    assert_true(n > 5);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(any_call_may_fail), TEST(space_comes_back), TEST(allocating_ahead_is_a_wish),
        TEST(everybody_is_told), TEST(a_full_disk),      TEST(any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("journal/faults", tests, NULL, NULL);
}
