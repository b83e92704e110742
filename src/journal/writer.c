/* The writer thread: takes what was submitted, writes it, syncs once, tells everybody.
 *
 * Submitters fill one batch while the writer commits the other; the longer a sync takes, the more
 * are in the next one. On a disk that is quick a commit has one or two, and takes more of a
 * processor's time than all else about them. So when others came during a commit, the next one
 * begins apart_us after its begin, unless enough are there before: COMPANY, or everybody who was in
 * it or came during it. Who writes alone never waits. Numbers are given here and not on submission,
 * so that a commit that fails leaves no gap.
 *
 * A commit that fails is cut off the segment again and its submitters are told. Then the segment is
 * sealed: after a failed write or sync nobody knows which of its pages reached the disk, so the
 * next commit goes to a fresh file, whose head says where the old one ends. */
#include "base/clock.h"
#include "journal/inside.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    AHEAD = 4 << 20, /* allocated at once */
    KEEP = 4 << 20,  /* a batch's memory beyond this is given back when it is idle */
    COMPANY = 16,    /* submissions that share a commit's cost well enough */
};

/* A part of the back batch that is committed together. */
struct commit {
    const struct ticket *tickets;
    size_t tickets_count;
    uint8_t *bytes;
    size_t size, records;
    uint64_t first;
    uint64_t sync_ns;
};

/* Whether the commit goes into a new file: there is none, it is long enough, or all that it holds
 * is drained and it is long enough to be worth deleting. */
static bool wants_segment(struct journal *j, size_t size)
{
    if (j->fd < 0)
        return true;
    uint64_t most = (uint64_t)j->o.segment_bytes;
    pthread_mutex_lock(&j->lock);
    bool rotate = j->rotate, drained = j->drained + 1 >= j->next;
    j->rotate = false;
    pthread_mutex_unlock(&j->lock);
    if (j->size == SEGMENT_HEAD)
        return false;
    return rotate || j->size + size > most || (drained && j->size > most / 4);
}

static void reserve(struct journal *j, uint64_t end)
{
    while (!j->no_reserve && j->reserved < end) {
        if (j->sys->reserve(j->fd, (off_t)j->reserved, AHEAD)) {
            /* A full disk refuses, too: the write then says so. */
            if (errno != ENOSPC && errno != EINTR)
                j->no_reserve = true;
            return;
        }
        j->reserved += AHEAD;
    }
}

static enum pal_status cannot(const struct journal *j, struct pal_error *err)
{
    int e = errno;
    return pal_fail(err, PAL_EIO, "cannot write to the journal %s: %s%s", j->dir, strerror(e),
                    e == ENOSPC || e == EDQUOT ? "; make space, and it goes on by itself" : "");
}

static enum pal_status write_all(struct journal *j, const uint8_t *p, size_t size, uint64_t at,
                                 struct pal_error *err)
{
    while (size) {
        ssize_t n = j->sys->write(j->fd, p, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return cannot(j, err);
        p += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return PAL_OK;
}

/* Writes and syncs one commit; the segment's size is moved only by succeed(). */
static enum pal_status write_commit(struct journal *j, struct commit *c, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    if (wants_segment(j, c->size)) {
        st = segment_begin(j, j->next, err);
        if (st != PAL_OK)
            return st;
        journal_sweep(j);
    }
    c->first = j->next;
    uint8_t *p = c->bytes;
    for (size_t i = 0; i < c->records; i++)
        p += record_seal(p, j->head.salt, (uint32_t)i, c->first + i);
    reserve(j, j->size + c->size);
    st = write_all(j, c->bytes, c->size, j->size, err);
    if (st != PAL_OK || !j->o.sync)
        return st;
    uint64_t begin = clock_steady_ns();
    if (j->sys->sync(j->fd))
        return cannot(j, err);
    c->sync_ns = clock_steady_ns() - begin;
    return PAL_OK;
}

static void succeed(struct journal *j, const struct commit *c, uint64_t ns)
{
    j->size += c->size;
    j->ends = c->first + c->records;
    if (j->reserved < j->size)
        j->reserved = j->size;
    pthread_mutex_lock(&j->lock);
    j->segments[j->segment_count - 1].size = j->size;
    j->segments[j->segment_count - 1].next = j->ends;
    j->disk_bytes += c->size;
    j->queued -= c->size;
    j->next = j->ends;
    j->commits++;
    j->records += c->records;
    j->commit_ns += ns;
    j->sync_ns += c->sync_ns;
    j->last_commit_ns = ns;
    j->failing = false;
    j->joined = j->front.count;
    pthread_cond_broadcast(&j->committed);
    pthread_mutex_unlock(&j->lock);
}

/* What the failed commit left is cut off. A segment without any record goes: the next one has its
 * name. */
static void drop_tail(struct journal *j)
{
    char path[PATH_MAX];
    struct pal_error ignored;
    if (j->fd < 0)
        return;
    j->reserved = UINT64_MAX; /* more than its size: seal cuts */
    segment_seal(j);
    if (j->size > SEGMENT_HEAD)
        return;
    if (segment_path(path, j->dir, j->head.first, &ignored) == PAL_OK)
        unlink(path);
    pthread_mutex_lock(&j->lock);
    j->segment_count--;
    j->disk_bytes -= SEGMENT_HEAD;
    pthread_mutex_unlock(&j->lock);
}

static void fail(struct journal *j, const struct commit *c, const struct pal_error *err)
{
    drop_tail(j);
    pthread_mutex_lock(&j->lock);
    j->queued -= c->size;
    j->failing = true;
    j->joined = j->front.count;
    j->error = *err;
    pthread_mutex_unlock(&j->lock);
}

static void tell_of_all(struct journal *j, const struct commit *c)
{
    uint64_t first = c->first;
    if (!j->on_commit)
        return;
    for (size_t i = 0; i < c->tickets_count; first += c->tickets[i++].count)
        if (c->tickets[i].done)
            j->on_commit(j->on_commit_ctx, c->tickets[i].done, c->tickets[i].ctx, first,
                         c->tickets[i].count);
    j->on_commit(j->on_commit_ctx, NULL, NULL, 0, 0);
}

static void commit(struct journal *j, struct commit *c)
{
    struct pal_error err = {.status = PAL_OK};
    uint64_t begin = clock_steady_ns();
    enum pal_status st = write_commit(j, c, &err);
    if (st == PAL_OK)
        succeed(j, c, clock_steady_ns() - begin);
    else
        fail(j, c, &err);
    if (st == PAL_OK)
        tell_of_all(j, c);
    uint64_t first = c->first;
    for (size_t i = 0; i < c->tickets_count; i++) {
        const struct ticket *t = &c->tickets[i];
        if (t->done)
            t->done(t->ctx, st, st == PAL_OK ? first : 0, t->count, st == PAL_OK ? NULL : &err);
        first += t->count;
    }
}

/* Commits the back batch in parts of at most group_most records, each of whole submissions. Returns
 * how many submissions it had. */
static size_t commit_batch(struct journal *j)
{
    struct batch *b = &j->back;
    size_t at = 0, most = (size_t)j->o.group_most, submissions = b->count;
    j->began_ns = clock_steady_ns();
    for (size_t i = 0; i < b->count;) {
        struct commit c = {.tickets = b->tickets + i, .bytes = b->bytes + at};
        do {
            c.records += b->tickets[i].count;
            c.size += b->tickets[i].bytes;
            c.tickets_count++;
            i++;
        } while (i < b->count && c.records + b->tickets[i].count <= most &&
                 c.size + b->tickets[i].bytes <= (size_t)j->o.segment_bytes);
        commit(j, &c);
        at += c.size;
    }
    b->used = b->count = b->records = 0;
    if (b->cap > KEEP) {
        mem_free(b->bytes);
        b->bytes = NULL;
        b->cap = 0;
    }
    return submissions;
}

/* Waits group_wait_us for more, or until a group is full. Called with the lock held. */
static void linger(struct journal *j)
{
    if (j->o.group_wait_us == 0)
        return;
    const struct timespec until = clock_at_ns(clock_steady_ns() + j->o.group_wait_us * 1000);
    while (!j->stop && j->front.records < (size_t)j->o.group_most)
        if (pthread_cond_timedwait(&j->submitted, &j->lock, &until))
            return;
}

/* After a commit of so many submissions: where others came meanwhile, waits until apart_us have
 * passed since its begin, or enough are there. Called with the lock held. */
static void wait_for_company(struct journal *j, size_t submissions)
{
    const struct timespec until = clock_at_ns(j->began_ns + j->o.apart_us * 1000);
    if (!j->joined || !j->o.sync || j->o.apart_us == 0)
        return;
    j->wanted = submissions + j->joined < COMPANY ? submissions + j->joined : COMPANY;
    j->joined = 0;
    while (!j->stop && !j->rotate && j->front.count < j->wanted &&
           j->front.records < (size_t)j->o.group_most)
        if (pthread_cond_timedwait(&j->submitted, &j->lock, &until))
            break;
    j->wanted = 0;
}

/* A rotation without a record to write: the fresh segment holds the numbers' place, so that the old
 * one can go at once. If that fails the next commit tries again. */
static void rotate(struct journal *j)
{
    struct pal_error ignored;
    bool begun = j->fd >= 0 && j->size == SEGMENT_HEAD;
    if (!begun)
        begun = segment_begin(j, j->next, &ignored) == PAL_OK;
    if (!begun)
        segment_seal(j);
    pthread_mutex_lock(&j->lock);
    j->rotate = false;
    pthread_mutex_unlock(&j->lock);
    journal_sweep(j);
}

void *journal_write_loop(void *journal)
{
    struct journal *j = journal;
    size_t submissions = 0;
    pthread_setname_np(pthread_self(), "palate-journal");
    pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->front.count && !j->stop && !j->rotate)
            pthread_cond_wait(&j->submitted, &j->lock);
        if (!j->front.count && j->stop)
            break;
        if (j->front.count) {
            linger(j);
            struct batch full = j->front;
            j->front = j->back;
            j->back = full;
        }
        pthread_mutex_unlock(&j->lock);
        if (j->back.count)
            submissions = commit_batch(j);
        else
            rotate(j);
        pthread_mutex_lock(&j->lock);
        wait_for_company(j, submissions);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}
