/* See recover.h. A segment counts as far as the next one's `follows`: what stands behind that is
 * the rest of a commit that failed and whose numbers were given again. All but the newest must
 * reach that far. The newest ends where its last whole record does; only a record of a later
 * commit behind that place says that more is missing than a commit nobody was told of. */
#include "journal/recover.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_first(const void *a, const void *b)
{
    uint64_t x = ((const struct segment_file *)a)->first;
    uint64_t y = ((const struct segment_file *)b)->first;
    return x < y ? -1 : x > y;
}

enum pal_status segment_list(const char *dir, struct segment_file **out, size_t *count,
                             struct pal_error *err)
{
    struct segment_file *all = NULL;
    size_t n = 0, cap = 0;
    uint64_t first;
    DIR *d = opendir(dir);
    if (!d)
        return pal_fail(err, errno == ENOENT ? PAL_ENOTFOUND : PAL_EIO,
                        "cannot read the journal's folder %s: %s", dir, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) {
        if (!segment_number(e->d_name, &first))
            continue;
        if (mem_grow(&all, &cap, n + 1, sizeof *all)) {
            closedir(d);
            mem_free(all);
            return pal_no_memory(err);
        }
        all[n++] = (struct segment_file){.first = first};
    }
    closedir(d);
    if (n)
        qsort(all, n, sizeof *all, by_first);
    *out = all;
    *count = n;
    return PAL_OK;
}

enum pal_status segment_path(char *path, const char *dir, uint64_t first, struct pal_error *err)
{
    char name[SEGMENT_NAME];
    segment_name(first, name);
    return file_join(path, PATH_MAX, dir, name, err);
}

static enum pal_status damaged(const char *path, const struct segment_walk *w,
                               struct pal_error *err)
{
    if (w->headless)
        return pal_fail(err, PAL_ECORRUPT,
                        "%s is damaged in its first %d bytes: put the file back from a copy, or "
                        "move the journal's folder away to go on without its records",
                        path, SEGMENT_HEAD);
    return pal_fail(err, PAL_ECORRUPT,
                    "%s is damaged at byte %zu: acknowledged records from number %" PRIu64
                    " on stand behind it; put the file back from a copy, or move the journal's "
                    "folder away to go on without them",
                    path, w->good, w->next);
}

static enum pal_status walk_file(const char *path, uint64_t stop, struct segment_walk *w,
                                 struct pal_error *err)
{
    struct file_map map;
    enum pal_status st = file_map(path, &map, err);
    if (st != PAL_OK)
        return st;
    segment_walk((const uint8_t *)map.data, map.size, stop, w);
    file_unmap(&map);
    return PAL_OK;
}

/* The head of a file, or all zero if it has none that is whole. */
static struct segment_head peek(const char *path)
{
    uint8_t bytes[SEGMENT_HEAD];
    struct segment_head h = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && pread(fd, bytes, sizeof bytes, 0) == SEGMENT_HEAD &&
        !segment_read_head(bytes, sizeof bytes, &h))
        h = (struct segment_head){0};
    if (fd >= 0)
        close(fd);
    return h;
}

/* Cuts the newest segment behind its last whole record, and makes what is left durable: records
 * that nobody was told of may be among it, and are committed from now on. */
static enum pal_status cut(const char *path, const struct segment_walk *w,
                           struct journal_recovery *found, struct pal_error *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)w->good) || fsync(fd)) {
        enum pal_status st = pal_fail(err, PAL_EIO, "cannot write %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return st;
    }
    close(fd);
    if (w->used > w->good) {
        found->cut_bytes = w->used - w->good;
        snprintf(found->cut_file, sizeof found->cut_file, "%.255s", path);
    }
    return PAL_OK;
}

/* The head is synced before the first record is written: a file without one that holds nothing
 * else was being made when the power went. */
static enum pal_status drop_unborn(const char *path, const struct segment_walk *w,
                                   struct journal_recovery *found, struct pal_error *err)
{
    if (w->used > SEGMENT_HEAD)
        return damaged(path, w, err);
    if (unlink(path))
        return pal_fail(err, PAL_EIO, "cannot delete %s: %s", path, strerror(errno));
    found->cut_bytes = w->used;
    snprintf(found->cut_file, sizeof found->cut_file, "%.255s", w->used ? path : "");
    return PAL_OK;
}

/* All but the newest, whose successors' heads say how far they must reach. */
static enum pal_status check_sealed(const char *dir, uint64_t least_next, struct recovered *r,
                                    struct pal_error *err)
{
    char path[PATH_MAX], after[PATH_MAX];
    for (size_t i = 0; i + 1 < r->count; i++) {
        struct segment_walk w;
        enum pal_status st = segment_path(path, dir, r->files[i].first, err);
        if (st == PAL_OK)
            st = segment_path(after, dir, r->files[i + 1].first, err);
        if (st != PAL_OK)
            return st;
        if (r->files[i + 1].first <= least_next) {
            r->files[i].size = file_size(path) > 0 ? (uint64_t)file_size(path) : 0;
            r->files[i].next = r->files[i + 1].first;
            continue;
        }
        struct segment_head next = peek(after);
        if (next.first != r->files[i + 1].first)
            next.follows = r->files[i + 1].first; /* its own turn says what is wrong with it */
        st = walk_file(path, next.follows, &w, err);
        if (st != PAL_OK)
            return st;
        if (w.headless || w.head.first != r->files[i].first || w.next < next.follows)
            return damaged(path, &w, err);
        r->files[i].size = w.good;
        r->files[i].next = w.next;
    }
    return PAL_OK;
}

static enum pal_status check_newest(const char *dir, struct recovered *r,
                                    struct journal_recovery *found, struct pal_error *err)
{
    char path[PATH_MAX];
    struct segment_walk w;
    while (r->count) {
        struct segment_file *last = &r->files[r->count - 1];
        enum pal_status st = segment_path(path, dir, last->first, err);
        if (st == PAL_OK)
            st = walk_file(path, UINT64_MAX, &w, err);
        if (st != PAL_OK)
            return st;
        if (!w.headless && w.head.first == last->first) {
            if (w.damaged)
                return damaged(path, &w, err);
            r->head = w.head;
            r->next = w.next;
            last->size = w.good;
            last->next = w.next;
            return cut(path, &w, found, err);
        }
        w.headless = true;
        st = drop_unborn(path, &w, found, err);
        if (st != PAL_OK)
            return st;
        r->count--;
    }
    return PAL_OK;
}

enum pal_status journal_recover(const char *dir, uint64_t least_next, struct recovered *out,
                                struct journal_recovery *found, struct pal_error *err)
{
    struct recovered r = {.next = 1};
    enum pal_status st = segment_list(dir, &r.files, &r.count, err);
    if (st != PAL_OK)
        return st;
    *found = (struct journal_recovery){0};
    st = check_newest(dir, &r, found, err);
    if (st == PAL_OK)
        st = check_sealed(dir, least_next, &r, err);
    if (st != PAL_OK) {
        mem_free(r.files);
        return st;
    }
    found->first = r.count ? r.files[0].first : r.next;
    found->next = r.next;
    found->segments = r.count;
    for (size_t i = 0; i < r.count; i++)
        found->bytes += r.files[i].size;
    *out = r;
    return PAL_OK;
}
