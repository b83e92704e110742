/* Lists into a file or to standard output (see lists.h).
 *
 * Until all are there they are in FILE.partial, and FILE.partial.state says how far that has come:
 * a JSON object, written anew after the bytes that it speaks of are on disk. Whoever goes on cuts
 * FILE.partial to that length first. */
#include "cli/lists.h"

#include "base/emit.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PARTIAL ".partial"
#define STATE   ".partial.state"

struct sink_of_file {
    struct sink base;
    struct lists_head head;
    int fd;
    uint64_t bytes;
    double synced; /* when the state was written last */
    char path[PATH_MAX], partial[PATH_MAX + 16], state[PATH_MAX + 16];
};

static const double sync_every_s = 0.25;

static enum pal_status write_all(const struct sink_of_file *f, const char *p, size_t len,
                                 struct pal_error *err)
{
    const char *end = p + len;
    while (p < end) {
        ssize_t n = write(f->fd, p, (size_t)(end - p));
        if (n < 0 && errno == EPIPE)
            return pal_fail(err, PAL_EINTERRUPTED, "nobody reads standard output any more");
        if (n < 0 && errno != EINTR)
            return pal_fail(err, PAL_EIO,
                            "cannot write %s: %s; what is there is kept, and the "
                            "same command goes on behind it",
                            f->partial, strerror(errno));
        p += n > 0 ? n : 0;
    }
    return PAL_OK;
}

/* ---- How far it has come ---- */

static void put_head(struct emit *e, const struct sink_of_file *f)
{
    emit_uint(e, "form", f->base.form);
    emit_uint(e, "version", f->head.version);
    emit_string(e, "model", f->head.model);
    emit_uint(e, "n", f->head.n);
    emit_uint(e, "whose", f->head.whose);
    emit_int(e, "days", f->head.days);
}

static enum pal_status save_state(struct sink_of_file *f, uint64_t done, const char *last,
                                  struct pal_error *err)
{
    struct emit e = {.compact = true};
    struct file_out *out;
    emit_open(&e, NULL, '{');
    put_head(&e, f);
    emit_uint(&e, "done", done);
    emit_string(&e, "last", last);
    emit_uint(&e, "bytes", f->bytes);
    emit_close(&e, '}');
    enum pal_status st = str_ok(&e.text) ? PAL_OK : pal_no_memory(err);
    if (st == PAL_OK && fdatasync(f->fd))
        st = pal_fail(err, PAL_EIO, "cannot write %s: %s", f->partial, strerror(errno));
    if (st == PAL_OK)
        st = file_create(f->state, &out, err);
    if (st == PAL_OK) {
        st = file_write(out, e.text.text, e.text.len, err);
        if (st == PAL_OK)
            st = file_commit(out, err);
        else
            file_abandon(out);
    }
    str_done(&e.text);
    f->synced = now_seconds();
    return st;
}

static uint64_t member(const json_t *o, const char *key)
{
    const json_t *x = json_object_get(o, key);
    return json_is_integer(x) && json_integer_value(x) >= 0 ? (uint64_t)json_integer_value(x)
                                                            : UINT64_MAX;
}

static bool same_head(const struct sink_of_file *f, const json_t *o)
{
    const char *model = json_string_value(json_object_get(o, "model"));
    return member(o, "form") == f->base.form && member(o, "version") == f->head.version && model &&
           strcmp(model, f->head.model) == 0 && member(o, "n") == f->head.n &&
           member(o, "whose") == f->head.whose && member(o, "days") == (uint64_t)f->head.days;
}

/* What an interrupted run wrote down, if this one is like it; what can't be read counts for
 * nothing. */
static void take_up(struct sink_of_file *f)
{
    json_error_t why;
    json_t *o = json_load_file(f->state, JSON_REJECT_DUPLICATES, &why);
    const char *last = json_string_value(json_object_get(o, "last"));
    uint64_t bytes = member(o, "bytes"), done = member(o, "done");
    int64_t size = file_size(f->partial);
    if (o && same_head(f, o) && last && strlen(last) < sizeof f->base.last && size >= 0 &&
        bytes <= (uint64_t)size && done != UINT64_MAX) {
        f->base.done = done;
        snprintf(f->base.last, sizeof f->base.last, "%s", last);
        f->bytes = bytes;
    }
    json_decref(o);
}

/* ---- The sink ---- */

static enum pal_status cut(struct sink_of_file *f, struct pal_error *err)
{
    if (f->base.done == 0) {
        unlink(f->state); /* first: it speaks of what is now cut off */
        f->bytes = 0;
    }
    if (ftruncate(f->fd, (off_t)f->bytes) || lseek(f->fd, (off_t)f->bytes, SEEK_SET) < 0)
        return pal_fail(err, PAL_EIO, "cannot write %s: %s", f->partial, strerror(errno));
    return PAL_OK;
}

static enum pal_status begin(struct sink_of_file *f, struct pal_error *err)
{
    const char *header = lists_header(f->base.form);
    enum pal_status st = *f->path ? cut(f, err) : PAL_OK;
    if (st == PAL_OK && f->base.done == 0) {
        st = write_all(f, header, strlen(header), err);
        f->bytes = strlen(header);
    }
    return st;
}

static enum pal_status file_sink_write(struct sink *base, const char *text, size_t len,
                                       uint64_t done, const char *last, struct pal_error *err)
{
    struct sink_of_file *f = (struct sink_of_file *)base;
    enum pal_status st = PAL_OK;
    if (f->synced == 0) { /* the first: by now done is known to be right, or 0 */
        st = begin(f, err);
        f->synced = now_seconds();
    }
    if (st == PAL_OK)
        st = write_all(f, text, len, err);
    if (st != PAL_OK)
        return st;
    f->bytes += len;
    return *f->path && now_seconds() - f->synced > sync_every_s ? save_state(f, done, last, err)
                                                                : PAL_OK;
}

static enum pal_status file_sink_finish(struct sink *base, struct pal_error *err)
{
    struct sink_of_file *f = (struct sink_of_file *)base;
    enum pal_status st = f->synced == 0 ? begin(f, err) : PAL_OK;
    if (st != PAL_OK || !*f->path)
        return st;
    if (fsync(f->fd) || rename(f->partial, f->path))
        return pal_fail(err, PAL_EIO, "cannot write %s: %s", f->path, strerror(errno));
    unlink(f->state);
    return PAL_OK;
}

static void file_sink_close(struct sink *base)
{
    struct sink_of_file *f = (struct sink_of_file *)base;
    if (*f->path && f->fd >= 0)
        close(f->fd);
    mem_free(f);
}

static const struct sink_ops file_ops = {file_sink_write, file_sink_finish, file_sink_close};

static enum pal_status open_partial(struct sink_of_file *f, struct pal_error *err)
{
    if (file_exists(f->path) && file_size(f->path) < 0)
        return pal_fail(err, PAL_EIO, "%s is no file that could be replaced", f->path);
    f->fd = open(f->partial, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f->fd < 0)
        return pal_fail(err, PAL_EIO, "cannot write %s: %s", f->partial, strerror(errno));
    if (flock(f->fd, LOCK_EX | LOCK_NB))
        return pal_fail(err, PAL_EIO, "%s is being written by another process", f->partial);
    take_up(f);
    return PAL_OK;
}

enum pal_status sink_file(const char *path, enum lists_form form, const struct lists_head *head,
                          struct sink **out, struct pal_error *err)
{
    struct sink_of_file *f = mem_zero(1, sizeof *f);
    if (!f)
        return pal_no_memory(err);
    *f = (struct sink_of_file){.base = {.ops = &file_ops, .form = form}, .head = *head, .fd = -1};
    enum pal_status st = PAL_OK;
    if (path && strlen(path) >= sizeof f->path)
        st = pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", path);
    snprintf(f->path, sizeof f->path, "%s", path ? path : "");
    snprintf(f->partial, sizeof f->partial, "%s" PARTIAL, path ? f->path : "standard output");
    snprintf(f->state, sizeof f->state, "%s" STATE, f->path);
    if (st == PAL_OK && path)
        st = open_partial(f, err);
    else
        f->fd = STDOUT_FILENO;
    if (st == PAL_OK)
        *out = &f->base;
    else
        file_sink_close(&f->base);
    return st;
}
