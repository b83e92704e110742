/* See journal.h. Opening, closing, submitting, and what others are told. */
#include "base/clock.h"
#include "journal/inside.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LOCK "lock"

#define ROW(field, kind, initial, min, max, scale, help)                                           \
    {                                                                                              \
#field, kind, offsetof(struct journal_options, field), initial, min, max, scale, NULL,     \
            help                                                                                   \
    }

static const struct opt rows[] = {
    ROW(segment_bytes, OPT_INT, "67108864", 4096, 1e12, OPT_LOG2,
        "a segment file is ended past so many bytes (and past a quarter of most_bytes)"),
    ROW(most_bytes, OPT_INT, "4294967296", 16384, 1e15, OPT_LOG2,
        "the journal refuses what would make it longer than that: the store is behind"),
    ROW(queue_bytes, OPT_INT, "67108864", 4096, 1e12, OPT_LOG2,
        "what waits for the disk, in memory, at most"),
    ROW(group_most, OPT_INT, "4096", 1, 1e6, OPT_LOG2, "records in one commit, at most"),
    ROW(group_wait_us, OPT_INT, "0", 0, 1e6, OPT_LINEAR,
        "microseconds that a commit waits for more records"),
    ROW(apart_us, OPT_INT, "1500", 0, 1e6, OPT_LINEAR,
        "microseconds between the begins of commits that several writers keep busy, for disks "
        "whose commits cost much and take little time; 0 = none"),
    ROW(sync, OPT_BOOL, "true", 0, 0, OPT_LINEAR,
        "wait for the disk before records are acknowledged; false is for measuring only"),
};
const struct opt_table journal_option_table = {rows, sizeof rows / sizeof *rows};

/* ---- opening ---- */

/* Takes the folder's lock and writes our number into it. */
static enum pal_status lock_folder(struct journal *j, struct pal_error *err)
{
    char path[PATH_MAX], text[32] = "";
    enum pal_status st = file_join(path, sizeof path, j->dir, LOCK, err);
    if (st != PAL_OK)
        return st;
    j->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (j->lock_fd < 0)
        return pal_fail(err, PAL_EIO, "cannot write %s: %s", path, strerror(errno));
    if (flock(j->lock_fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return pal_fail(err, PAL_EIO, "cannot lock %s: %s", path, strerror(errno));
        ssize_t n = pread(j->lock_fd, text, sizeof text - 1, 0);
        text[n > 0 ? strcspn(text, "\n") : 0] = 0;
        return pal_fail(err, PAL_EIO,
                        "the journal %s is in use by process %s: end that one first, or give this "
                        "one a folder of its own",
                        j->dir, *text ? text : "?");
    }
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(j->lock_fd, 0) || pwrite(j->lock_fd, text, (size_t)len, 0) != len)
        return pal_fail(err, PAL_EIO, "cannot write %s: %s", path, strerror(errno));
    return PAL_OK;
}

/* The newest segment as recovery left it, to be written on. */
static enum pal_status continue_segment(struct journal *j, const struct recovered *r,
                                        struct pal_error *err)
{
    char path[PATH_MAX];
    const struct segment_file *last = &r->files[r->count - 1];
    enum pal_status st = segment_path(path, j->dir, last->first, err);
    if (st != PAL_OK)
        return st;
    j->fd = open(path, O_RDWR | O_CLOEXEC);
    if (j->fd < 0)
        return pal_fail(err, PAL_EIO, "cannot write %s: %s", path, strerror(errno));
    j->head = r->head;
    j->size = j->reserved = last->size;
    j->ends = j->size == SEGMENT_HEAD ? r->head.follows : r->next;
    return PAL_OK;
}

static enum pal_status recover(struct journal *j, uint64_t least_next,
                               struct journal_recovery *found, struct pal_error *err)
{
    struct recovered r;
    enum pal_status st = journal_recover(j->dir, least_next, &r, found, err);
    if (st != PAL_OK)
        return st;
    j->segments = r.files;
    j->segment_count = j->segment_cap = r.count;
    j->disk_bytes = found->bytes;
    j->next = j->ends = r.next;
    if (r.count)
        st = continue_segment(j, &r, err);
    if (st == PAL_OK && least_next > j->next)
        st = segment_begin(j, least_next, err);
    else if (st == PAL_OK && !r.count)
        st = segment_begin(j, j->next, err);
    if (st != PAL_OK)
        return st;
    if (least_next > 0)
        j->drained = least_next - 1;
    journal_sweep(j);
    found->first = j->segments[0].first;
    found->next = j->next;
    found->segments = j->segment_count;
    found->bytes = j->disk_bytes;
    return PAL_OK;
}

/* A folder that was just made is lost with the power unless the one that it is in is synced. */
static void sync_parent(const char *dir)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/..", dir);
    int fd = n < (int)sizeof path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd); /* as durable as the file system makes it */
        close(fd);
    }
}

static enum pal_status start(struct journal *j, const char *dir, uint64_t least_next,
                             struct journal_recovery *found, struct pal_error *err)
{
    int n = snprintf(j->dir, sizeof j->dir, "%s", dir);
    if (n < 0 || (size_t)n >= sizeof j->dir)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", dir);
    enum pal_status st = file_make_dir(dir, err);
    if (st == PAL_OK)
        st = lock_folder(j, err);
    if (st != PAL_OK)
        return st;
    j->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir_fd < 0)
        return pal_fail(err, PAL_EIO, "cannot open %s: %s", dir, strerror(errno));
    sync_parent(dir);
    st = recover(j, least_next, found, err);
    if (st != PAL_OK)
        return st;
    if (pthread_create(&j->writer, NULL, journal_write_loop, j))
        return pal_fail(err, PAL_ENOMEM, "no thread could be started for the journal");
    return PAL_OK;
}

/* Everything but the thread. */
static void release(struct journal *j)
{
    segment_seal(j);
    if (j->dir_fd >= 0)
        close(j->dir_fd);
    if (j->lock_fd >= 0)
        close(j->lock_fd);
    for (int i = 0; i < 2; i++) {
        struct batch *b = i ? &j->front : &j->back;
        mem_free(b->bytes);
        mem_free(b->tickets);
    }
    mem_free(j->segments);
    pthread_cond_destroy(&j->submitted);
    pthread_cond_destroy(&j->committed);
    pthread_mutex_destroy(&j->lock);
    pthread_mutex_destroy(&j->deleting);
    mem_free(j);
}

static void init_locks(struct journal *j)
{
    clock_cond_init(&j->submitted);
    clock_cond_init(&j->committed);
    pthread_mutex_init(&j->lock, NULL);
    pthread_mutex_init(&j->deleting, NULL);
}

enum pal_status journal_open_with(const char *dir, const struct journal_options *o,
                                  uint64_t least_next, const struct journal_sys *sys,
                                  struct journal_recovery *found, struct journal **out,
                                  struct pal_error *err)
{
    struct journal_recovery f = {0};
    struct journal *j = mem_zero(1, sizeof *j);
    if (!j)
        return pal_no_memory(err);
    j->o = *o;
    if (j->o.segment_bytes > o->most_bytes / 4)
        j->o.segment_bytes = o->most_bytes / 4;
    j->sys = sys;
    j->fd = j->dir_fd = j->lock_fd = -1;
    init_locks(j);
    enum pal_status st = start(j, dir, least_next, &f, err);
    if (st != PAL_OK) {
        release(j);
        return st;
    }
    if (found)
        *found = f;
    *out = j;
    return PAL_OK;
}

enum pal_status journal_open(const char *dir, const struct journal_options *o, uint64_t least_next,
                             struct journal_recovery *found, struct journal **out,
                             struct pal_error *err)
{
    return journal_open_with(dir, o, least_next, &journal_sys, found, out, err);
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->submitted);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->writer, NULL);
    release(j);
}

/* ---- submitting ---- */

static enum pal_status check(const struct journal *j, const struct journal_record *records,
                             size_t count, size_t *bytes, struct pal_error *err)
{
    size_t most =
        (size_t)(j->o.queue_bytes < j->o.most_bytes / 2 ? j->o.queue_bytes : j->o.most_bytes / 2);
    size_t sum = 0;
    if (count == 0)
        return pal_fail(err, PAL_EUSAGE, "no records were given to the journal");
    for (size_t i = 0; i < count; i++) {
        if (records[i].size == 0 || records[i].size > JOURNAL_RECORD_MOST)
            return pal_fail(err, PAL_EUSAGE, "record %zu has %zu bytes; it must be 1 to %d", i + 1,
                            records[i].size, JOURNAL_RECORD_MOST);
        sum += RECORD_HEAD + records[i].size;
        if (sum > most)
            return pal_fail(err, PAL_EUSAGE,
                            "more than %zu bytes at once are too much for the journal: give fewer "
                            "records, or raise journal.queue_bytes and journal.most_bytes",
                            most);
    }
    *bytes = sum;
    return PAL_OK;
}

/* Called with the lock held. What the newest segment holds doesn't count once it is drained: the
 * next commit leaves it behind. */
static enum pal_status check_room(const struct journal *j, size_t bytes, struct pal_error *err)
{
    uint64_t held = j->disk_bytes;
    if (j->drained + 1 >= j->next && j->segment_count)
        held -= j->segments[j->segment_count - 1].size;
    if (j->queued + bytes > (uint64_t)j->o.queue_bytes)
        return pal_fail(err, PAL_EFULL,
                        "%zu bytes wait for the disk, which is slower than what comes in: try "
                        "again in a moment",
                        j->queued);
    if (held + j->queued + bytes + SEGMENT_HEAD > (uint64_t)j->o.most_bytes)
        return pal_fail(err, PAL_EFULL,
                        "the journal holds %" PRIu64 " bytes that the store has not taken yet and "
                        "may grow to %" PRId64 ": see to the store, then try again",
                        held, j->o.most_bytes);
    return PAL_OK;
}

static void enqueue(struct batch *b, const struct journal_record *records, size_t count,
                    size_t bytes, journal_done_fn *done, void *ctx)
{
    uint8_t *p = b->bytes + b->used;
    for (size_t i = 0; i < count; i++) {
        record_open(p, records[i].kind, records[i].size);
        memcpy(p + RECORD_HEAD, records[i].data, records[i].size);
        p += RECORD_HEAD + records[i].size;
    }
    b->used += bytes;
    b->records += count;
    b->tickets[b->count++] = (struct ticket){count, bytes, done, ctx};
}

enum pal_status journal_submit(struct journal *j, const struct journal_record *records,
                               size_t count, journal_done_fn *done, void *ctx,
                               struct pal_error *err)
{
    size_t bytes = 0;
    enum pal_status st = check(j, records, count, &bytes, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_lock(&j->lock);
    struct batch *b = &j->front;
    bool first = b->count == 0;
    st = check_room(j, bytes, err);
    if (st == PAL_OK && (mem_grow(&b->bytes, &b->cap, b->used + bytes, 1) ||
                         mem_grow(&b->tickets, &b->tickets_cap, b->count + 1, sizeof *b->tickets)))
        st = pal_no_memory(err);
    if (st == PAL_OK) {
        enqueue(b, records, count, bytes, done, ctx);
        j->queued += bytes;
        if (first || b->records >= (size_t)j->o.group_most || b->count == j->wanted)
            pthread_cond_signal(&j->submitted);
    }
    pthread_mutex_unlock(&j->lock);
    return st;
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done;
    enum pal_status st;
    uint64_t first;
    struct pal_error err;
};

static void tell(void *ctx, enum pal_status st, uint64_t first, size_t count,
                 const struct pal_error *err)
{
    struct waiter *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->st = st;
    w->first = first;
    if (err)
        w->err = *err;
    w->done = true;
    pthread_cond_signal(&w->told);
    pthread_mutex_unlock(&w->lock);
}

enum pal_status journal_append(struct journal *j, const struct journal_record *records,
                               size_t count, uint64_t *first, struct pal_error *err)
{
    struct waiter w = {.done = false};
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.told, NULL);
    enum pal_status st = journal_submit(j, records, count, tell, &w, err);
    if (st == PAL_OK) {
        pthread_mutex_lock(&w.lock);
        while (!w.done)
            pthread_cond_wait(&w.told, &w.lock);
        pthread_mutex_unlock(&w.lock);
        st = w.st;
        if (st != PAL_OK && err)
            *err = w.err;
        else if (first)
            *first = w.first;
    }
    pthread_cond_destroy(&w.told);
    pthread_mutex_destroy(&w.lock);
    return st;
}

/* ---- the rest ---- */

void journal_on_commit(struct journal *j, journal_commit_fn *fn, void *ctx)
{
    j->on_commit = fn;
    j->on_commit_ctx = ctx;
}

void journal_drained(struct journal *j, uint64_t seq)
{
    pthread_mutex_lock(&j->lock);
    if (seq >= j->next)
        seq = j->next - 1;
    if (seq > j->drained)
        j->drained = seq;
    pthread_mutex_unlock(&j->lock);
    journal_sweep(j);
}

void journal_rotate(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->rotate = true;
    pthread_cond_signal(&j->submitted);
    pthread_mutex_unlock(&j->lock);
}

void journal_wake(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    j->wakes++;
    pthread_cond_broadcast(&j->committed);
    pthread_mutex_unlock(&j->lock);
}

static uint64_t free_bytes(const struct journal *j)
{
    struct statvfs fs;
    return fstatvfs(j->dir_fd, &fs) ? 0 : (uint64_t)fs.f_bavail * fs.f_frsize;
}

void journal_status(struct journal *j, struct journal_status *out)
{
    uint64_t room = free_bytes(j);
    pthread_mutex_lock(&j->lock);
    *out = (struct journal_status){
        .next = j->next,
        .committed = j->next - 1,
        .drained = j->drained,
        .segments = j->segment_count,
        .bytes = j->disk_bytes,
        .most_bytes = (uint64_t)j->o.most_bytes,
        .free_bytes = room,
        .commits = j->commits,
        .records = j->records,
        .commit_ns = j->commit_ns,
        .sync_ns = j->sync_ns,
        .last_commit_ns = j->last_commit_ns,
        .full = check_room(j, 1024, NULL) != PAL_OK,
        .failing = j->failing,
        .error = j->error,
    };
    pthread_mutex_unlock(&j->lock);
}
