/* Reading committed records: beside the writer in this process, which tells how far each segment is
 * committed, and from another process, which sees the files only. */
#include "base/clock.h"
#include "journal/cursor.h"
#include "journal/inside.h"

#include "base/file.h"
#include "base/mem.h"

#include <inttypes.h>
#include <time.h>

enum { SCAN = 256 }; /* records looked at in one go */

struct journal_reader {
    struct journal *j;
    struct cursor c;
    uint64_t next;  /* the record that is wanted */
    uint64_t wakes; /* of the journal, when we last looked */
};

enum pal_status journal_reader_new(struct journal *j, uint64_t from, struct journal_reader **out,
                                   struct pal_error *err)
{
    struct journal_reader *r = mem_zero(1, sizeof *r);
    if (!r)
        return pal_no_memory(err);
    r->j = j;
    r->next = from > 0 ? from : 1;
    cursor_init(&r->c);
    pthread_mutex_lock(&j->lock);
    r->wakes = j->wakes;
    pthread_mutex_unlock(&j->lock);
    *out = r;
    return PAL_OK;
}

void journal_reader_free(struct journal_reader *r)
{
    if (!r)
        return;
    cursor_done(&r->c);
    mem_free(r);
}

/* Waits until there is something to read; false if there isn't. */
static bool wait_for_more(struct journal_reader *r, unsigned wait_ms)
{
    struct journal *j = r->j;
    struct timespec until = clock_in_ms(wait_ms);
    pthread_mutex_lock(&j->lock);
    while (r->next >= j->next && r->wakes == j->wakes)
        if (wait_ms == 0 || pthread_cond_timedwait(&j->committed, &j->lock, &until))
            break;
    bool more = r->next < j->next;
    r->wakes = j->wakes;
    pthread_mutex_unlock(&j->lock);
    return more;
}

/* The segment that holds r->next, or the first one behind it: what lies between was drained and
 * deleted, or never was, and is passed over. False if there is none. */
static bool locate(struct journal_reader *r, struct segment_file *out)
{
    struct journal *j = r->j;
    size_t i = 0;
    pthread_mutex_lock(&j->lock);
    while (i < j->segment_count && j->segments[i].next <= r->next)
        i++;
    bool there = i < j->segment_count;
    if (there)
        *out = j->segments[i];
    uint64_t least = there ? out->first : j->next;
    if (r->next < least)
        r->next = least;
    pthread_mutex_unlock(&j->lock);
    return there;
}

/* Points the cursor at the segment of r->next; *there = false if it is gone. One that was deleted
 * between looking and opening is looked for again. */
static enum pal_status seek(struct journal_reader *r, bool *there, struct pal_error *err)
{
    struct segment_file s = {0}, last;
    enum pal_status st = PAL_OK;
    do {
        last = s;
        *there = locate(r, &s);
        if (!*there)
            return PAL_OK;
        if (r->c.fd >= 0 && r->c.head.first == s.first) {
            r->c.limit = s.size;
            return PAL_OK;
        }
        st = cursor_open(&r->c, r->j->dir, s.first, s.size, err);
    } while (st == PAL_ENOTFOUND && last.first != s.first);
    return st;
}

/* Reads and drops what comes before r->next in its segment. */
static size_t skip(const struct journal_reader *r, struct journal_entry *entries, size_t count)
{
    size_t n = 0;
    while (n < count && entries[n].seq < r->next)
        n++;
    for (size_t i = n; n > 0 && i < count; i++)
        entries[i - n] = entries[i];
    return count - n;
}

enum pal_status journal_read(struct journal_reader *r, struct journal_entry *entries, size_t most,
                             unsigned wait_ms, size_t *count, struct pal_error *err)
{
    size_t n = 0;
    bool bad, there;
    if (most == 0 || !wait_for_more(r, wait_ms)) {
        *count = 0;
        return PAL_OK;
    }
    do {
        enum pal_status st = seek(r, &there, err);
        if (st == PAL_OK && !there)
            break;
        if (st == PAL_OK)
            st = cursor_read(&r->c, entries, most, &n, &bad, err);
        if (st != PAL_OK)
            return st;
        if (n == 0)
            return pal_fail(err, PAL_ECORRUPT,
                            "record %" PRIu64 " of the journal %s can't be read back: the disk has "
                            "damaged it",
                            r->c.next, r->j->dir);
        n = skip(r, entries, n);
    } while (n == 0);
    if (n > 0)
        r->next = entries[n - 1].seq + 1;
    *count = n;
    return PAL_OK;
}

/* ---- from outside ---- */

/* The records of one file, from `from` to before `stop`; *whole: it reaches that far. */
static enum pal_status scan_file(struct cursor *c, uint64_t from, uint64_t stop,
                                 journal_scan_fn *fn, void *ctx, bool *whole, struct pal_error *err)
{
    struct journal_entry entries[SCAN];
    enum pal_status st;
    size_t count;
    bool bad;
    do {
        st = cursor_read(c, entries, SCAN, &count, &bad, err);
        for (size_t i = 0; st == PAL_OK && i < count && entries[i].seq < stop; i++)
            if (entries[i].seq >= from)
                st = fn(ctx, &entries[i], err);
    } while (st == PAL_OK && count > 0 && c->next < stop);
    *whole = c->next >= stop;
    return st;
}

/* Where the next file takes over: at its head's `follows`, else at its name. */
static uint64_t stop_of(const char *dir, uint64_t first)
{
    struct cursor c;
    struct pal_error ignored;
    uint64_t stop = first;
    cursor_init(&c);
    if (cursor_open(&c, dir, first, UINT64_MAX, &ignored) == PAL_OK)
        stop = c.head.follows;
    cursor_done(&c);
    return stop;
}

enum pal_status journal_scan(const char *dir, uint64_t from, journal_scan_fn *fn, void *ctx,
                             struct pal_error *err)
{
    struct segment_file *files = NULL;
    struct cursor c;
    size_t count = 0;
    bool whole = true;
    if (!file_exists(dir))
        return PAL_OK;
    enum pal_status st = segment_list(dir, &files, &count, err);
    cursor_init(&c);
    for (size_t i = 0; i < count && st == PAL_OK && whole; i++) {
        uint64_t stop = i + 1 < count ? stop_of(dir, files[i + 1].first) : UINT64_MAX;
        if (stop <= from)
            continue;
        st = cursor_open(&c, dir, files[i].first, UINT64_MAX, err);
        if (st == PAL_OK)
            st = scan_file(&c, from, stop, fn, ctx, &whole, err);
        else if (st == PAL_ENOTFOUND) /* drained meanwhile */
            st = PAL_OK;
        else if (st == PAL_ECORRUPT && i + 1 == count) /* being made */
            st = PAL_OK;
    }
    cursor_done(&c);
    mem_free(files);
    return st;
}
