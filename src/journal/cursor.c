/* See cursor.h. */
#include "journal/cursor.h"

#include "base/mem.h"
#include "journal/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };

void cursor_init(struct cursor *c)
{
    *c = (struct cursor){.fd = -1};
}

void cursor_done(struct cursor *c)
{
    if (c->fd >= 0)
        close(c->fd);
    mem_free(c->buf);
    cursor_init(c);
}

enum pal_status cursor_open(struct cursor *c, const char *dir, uint64_t first, uint64_t limit,
                            struct pal_error *err)
{
    char path[PATH_MAX];
    uint8_t bytes[SEGMENT_HEAD];
    struct segment_head head;
    enum pal_status st = segment_path(path, dir, first, err);
    if (st != PAL_OK)
        return st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pal_fail(err, errno == ENOENT ? PAL_ENOTFOUND : PAL_EIO, "cannot read %s: %s", path,
                        strerror(errno));
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    if (n != SEGMENT_HEAD || !segment_read_head(bytes, sizeof bytes, &head) ||
        head.first != first) {
        close(fd);
        return pal_fail(err, PAL_ECORRUPT, "%s is damaged: it does not begin as a segment", path);
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = fd;
    c->head = head;
    c->next = head.first;
    c->limit = limit;
    c->at = SEGMENT_HEAD;
    c->begin = c->end = 0;
    return PAL_OK;
}

/* Moves what is left to the front of the buffer, which has room for `need` bytes then, and reads
 * on. */
static enum pal_status fill(struct cursor *c, size_t need, struct pal_error *err)
{
    if (c->end > c->begin)
        memmove(c->buf, c->buf + c->begin, c->end - c->begin);
    c->end -= c->begin;
    c->begin = 0;
    if (c->cap < need || c->cap < BUFFER) {
        size_t cap = need > BUFFER ? need : BUFFER;
        uint8_t *p = mem_resize(c->buf, cap, 1);
        if (!p)
            return pal_no_memory(err);
        c->buf = p;
        c->cap = cap;
    }
    size_t want = c->cap - c->end;
    if (c->limit - c->at < want)
        want = (size_t)(c->limit - c->at);
    while (want > 0) {
        ssize_t n = pread(c->fd, c->buf + c->end, want, (off_t)c->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pal_fail(err, PAL_EIO, "cannot read the journal: %s", strerror(errno));
        if (n == 0)
            break;
        c->end += (size_t)n;
        c->at += (uint64_t)n;
        want -= (size_t)n;
    }
    return PAL_OK;
}

/* As many whole records as the buffer holds. */
static size_t take(struct cursor *c, struct journal_entry *entries, size_t most, size_t *need,
                   enum record_found *found)
{
    size_t n = 0;
    *found = RECORD_WHOLE;
    while (n < most) {
        *found = record_read(c->buf + c->begin, c->end - c->begin, c->head.salt, c->next,
                             &entries[n], need);
        if (*found != RECORD_WHOLE)
            break;
        c->begin += *need;
        c->next++;
        n++;
    }
    return n;
}

enum pal_status cursor_read(struct cursor *c, struct journal_entry *entries, size_t most,
                            size_t *count, bool *bad, struct pal_error *err)
{
    size_t need = RECORD_HEAD, n = 0;
    enum record_found found = RECORD_SHORT;
    enum pal_status st = PAL_OK;
    if (c->buf)
        n = take(c, entries, most, &need, &found);
    while (n == 0 && found == RECORD_SHORT) {
        uint64_t before = c->at;
        st = fill(c, need, err);
        if (st != PAL_OK)
            return st;
        n = take(c, entries, most, &need, &found);
        if (n == 0 && c->at == before)
            break;
    }
    *bad = n == 0 && (found == RECORD_BAD || c->end > c->begin);
    *count = n;
    return PAL_OK;
}
