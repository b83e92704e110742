/* A folder for a journal, and records whose bytes follow from their number, so that whoever reads
 * one back knows what it must hold. */
#ifndef PLACE_H
#define PLACE_H

#include "folder.h"

#include "journal/journal.h"
#include "journal/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[64]; /* each test has its own; the journal's folder is made in it */
static char folder[80];

/* In memory where that can be: these tests sync thousands of times, and what a sync does to a disk
 * is not what they show. */
static inline int make_place(void **state)
{
    (void)state;
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(place, sizeof place, "%s/palate-journal-XXXXXX", root);
    if (!mkdtemp(place))
        return -1;
    snprintf(folder, sizeof folder, "%s/j", place);
    return 0;
}

static inline int drop_place(void **state)
{
    (void)state;
    remove_folder(place);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)

/* Small segments, no waiting for the disk. */
static inline struct journal_options quick(void)
{
    struct journal_options o;
    opt_defaults(&journal_option_table, &o);
    o.sync = false;
    return o;
}

static inline struct journal *open_journal(const struct journal_options *o, uint64_t least_next,
                                           struct journal_recovery *found)
{
    struct journal *j = NULL;
    struct pal_error err;
    assert_ok(journal_open(folder, o, least_next, found, &j, &err), &err);
    return j;
}

/* The bytes of the record that its writer calls `id`: its size and all of them follow from it. */
static inline size_t body(uint64_t id, uint8_t *out)
{
    size_t size = 9 + id * 7919 % 90;
    memcpy(out, &id, 8);
    for (size_t i = 8; i < size; i++)
        out[i] = (uint8_t)(id * 31 + i * 7 + 1);
    return size;
}

enum { BODY_MOST = 128 };

static inline enum pal_status append(struct journal *j, uint64_t id, struct pal_error *err)
{
    uint8_t bytes[BODY_MOST];
    struct journal_record r = {.kind = (uint8_t)(id % 251), .data = bytes};
    r.size = body(id, bytes);
    uint64_t seq = 0;
    return journal_append(j, &r, 1, &seq, err);
}

/* Appends ids first to last, one commit each. */
static inline void append_all(struct journal *j, uint64_t first, uint64_t last)
{
    struct pal_error err;
    for (uint64_t id = first; id <= last; id++)
        assert_ok(append(j, id, &err), &err);
}

/* The id in a record whose other bytes are checked. */
static inline uint64_t id_of(const struct journal_entry *e)
{
    uint8_t bytes[BODY_MOST];
    uint64_t id;
    assert_true(e->size >= 9);
    memcpy(&id, e->data, 8);
    assert_int_equal(e->size, body(id, bytes));
    assert_memory_equal(e->data, bytes, e->size);
    assert_int_equal(e->kind, id % 251);
    return id;
}

/* Where a scan puts what it saw. */
struct seen {
    uint64_t first_seq, count;
    uint64_t id[20000];
};
static struct seen seen;

static inline enum pal_status see(void *ctx, const struct journal_entry *e, struct pal_error *err)
{
    (void)ctx;
    (void)err;
    if (seen.count == 0)
        seen.first_seq = e->seq;
    assert_int_equal(e->seq, seen.first_seq + seen.count);
    assert_true(seen.count < sizeof seen.id / sizeof *seen.id);
    seen.id[seen.count++] = id_of(e);
    return PAL_OK;
}

static inline void scan(uint64_t from)
{
    struct pal_error err;
    memset(&seen, 0, sizeof seen);
    assert_ok(journal_scan(folder, from, see, NULL, &err), &err);
}

/* That the folder holds ids first to last under the same numbers. */
static inline void expect_ids(uint64_t first, uint64_t last)
{
    scan(0);
    assert_int_equal(seen.count, last + 1 - first);
    assert_int_equal(seen.first_seq, seen.count ? first : 0);
    for (uint64_t i = 0; i < seen.count; i++)
        assert_int_equal(seen.id[i], first + i);
}

static inline const char *segment(uint64_t first)
{
    static char path[2][PATH_MAX];
    static int turn;
    char name[SEGMENT_NAME];
    turn = !turn;
    segment_name(first, name);
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static inline size_t size_of_file(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (size_t)info.st_size;
}

/* How many segment files the folder has. */
static inline int segments(void)
{
    int n = 0;
    uint64_t first;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += segment_number(e->d_name, &first);
    closedir(d);
    return n;
}

static inline size_t read_file(const char *path, uint8_t *out, size_t room)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, out, room);
    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static inline void write_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

#endif
