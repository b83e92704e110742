/* palate export: all that a store and its journal hold, as JSON lines.
 *
 * The store may be in use. It is copied first, as of one moment, and what the journal still holds
 * is applied to the copy: so what is written fits together, whatever the server does meanwhile.
 * Items and users come first, in their order, then events and served lists in that of their
 * arrival; an import of the lines makes the same store again. */
#include "base/file.h"
#include "cli/lists.h"
#include "cli/pending.h"
#include "data/record_json.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 1 << 20, STEP = 1 << 14 };

struct export
{
    struct job *job;
    struct file_out *file; /* NULL = standard output */
    struct str text;
    struct store_counts counts;
    uint64_t done, total;
    char folder[PATH_MAX]; /* of the copy; "" while there is none */
    char copy[PATH_MAX];
};

static enum pal_status write_out(struct export *x, struct pal_error *err)
{
    const char *p = str_text(&x->text), *end = p + x->text.len;
    enum pal_status st = PAL_OK;
    if (!str_ok(&x->text))
        return pal_no_memory(err);
    if (x->file)
        st = file_write(x->file, p, x->text.len, err);
    while (!x->file && p < end) {
        ssize_t n = write(STDOUT_FILENO, p, (size_t)(end - p));
        if (n < 0 && errno == EPIPE)
            return pal_fail(err, PAL_EINTERRUPTED, "nobody reads standard output any more");
        if (n < 0 && errno != EINTR)
            return pal_fail(err, PAL_EIO, "cannot write to standard output: %s", strerror(errno));
        p += n > 0 ? n : 0;
    }
    str_clear(&x->text);
    return st;
}

static enum pal_status put(struct export *x, const struct record *r, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    record_json_write(r, &x->text);
    if (x->done++ % STEP == 0)
        st = run_step(&x->job->run, "exporting", x->done, x->total, err);
    if (st == PAL_OK && (x->text.len > BUFFER || !str_ok(&x->text)))
        st = write_out(x, err);
    return st;
}

static enum pal_status put_item(void *ctx, const struct item_row *i, struct pal_error *err)
{
    struct record r = {.kind = RECORD_ITEM, .item = *i};
    return put(ctx, &r, err);
}

static enum pal_status put_user(void *ctx, const struct user_row *u, struct pal_error *err)
{
    struct record r = {.kind = RECORD_USER, .user = *u};
    return put(ctx, &r, err);
}

static enum pal_status put_event(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    struct record r = {.kind = RECORD_EVENT, .event = e->event};
    return put(ctx, &r, err);
}

static enum pal_status put_served(void *ctx, const struct served_row *s, struct pal_error *err)
{
    struct record r = {.kind = RECORD_SERVED, .served = *s};
    return put(ctx, &r, err);
}

/* A folder for the copy: beside the output, else where temporary files belong. */
static enum pal_status make_folder(struct export *x, const char *output, struct pal_error *err)
{
    char near[PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    snprintf(near, sizeof near, "%s", output ? output : "");
    const char *where = output ? dirname(near) : temporary && *temporary ? temporary : "/tmp";
    int n = snprintf(x->folder, sizeof x->folder, "%s/.palate-export-XXXXXX", where);
    if (n < 0 || (size_t)n >= sizeof x->folder - 16)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", where);
    if (!mkdtemp(x->folder)) {
        enum pal_status st =
            pal_fail(err, PAL_EIO, "cannot make a folder in %s: %s", where, strerror(errno));
        x->folder[0] = 0;
        return st;
    }
    n = snprintf(x->copy, sizeof x->copy, "%s/copy", x->folder);
    return n > 0 ? PAL_OK : pal_no_memory(err);
}

static void remove_copy(const struct export *x)
{
    if (!*x->folder)
        return;
    store_remove_file(x->copy);
    rmdir(x->folder);
}

/* The copy, with what the journal holds in it. */
static enum pal_status open_copy(struct export *x, struct store **out, struct pal_error *err)
{
    struct store *live = NULL, *copy = NULL;
    struct pending p = {0};
    char url[PATH_MAX + 16];
    uint64_t last = 0;
    enum pal_status st = store_open(x->job->set.store, true, &live, err);
    if (!st)
        st = pending_read(x->job, live, &p, err);
    if (!st)
        st = store_backup(live, x->copy, &x->job->run, err);
    snprintf(url, sizeof url, "sqlite:%s", x->copy);
    if (!st)
        st = store_open(url, false, &copy, err);
    if (p.count)
        last = p.change[p.count - 1].seq;
    if (!st && p.count)
        st = store_apply(copy, p.change, p.count, last, NULL, err);
    if (!st)
        *out = copy;
    else
        store_close(copy);
    store_close(live);
    pending_done(&p);
    return st;
}

static enum pal_status write_all(struct export *x, struct store *s, struct pal_error *err)
{
    enum pal_status st = store_counts(s, &x->counts, err);
    x->total = x->counts.items + x->counts.users + x->counts.events + x->counts.served;
    if (!st)
        st = store_items(s, put_item, x, err);
    if (!st)
        st = store_users(s, put_user, x, err);
    if (!st)
        st = store_events(s, 0, put_event, x, err);
    if (!st)
        st = store_all_served(s, put_served, x, err);
    return st ? st : write_out(x, err);
}

static void say_what(struct export *x, const char *output)
{
    struct console *c = &x->job->out;
    const struct store_counts *n = &x->counts;
    struct str text = {0};
    put_count(&text, n->events);
    str_put(&text, " events, ");
    put_count(&text, n->items);
    str_put(&text, " items, ");
    put_count(&text, n->users);
    str_put(&text, " users and ");
    put_count(&text, n->served);
    str_fmt(&text, " served lists\nwrote %s\n", output);
    c->pending.failed |= text.failed;
    say_text(c, str_text(&text));
    str_done(&text);
}

enum pal_status export_run(struct job *job, struct pal_error *err)
{
    struct export x = {.job = job};
    struct store *s = NULL;
    const char *output = job->set.output;
    if (job->operand_count)
        return lists_run(job, err);
    if (output && strcmp(output, "-") == 0)
        output = NULL;
    enum pal_status st = job_threads(job, err);
    if (!st)
        st = make_folder(&x, output, err);
    if (!st)
        st = open_copy(&x, &s, err);
    if (!st && output)
        st = file_create(output, &x.file, err);
    if (!st)
        st = write_all(&x, s, err);
    if (!st && x.file) {
        st = file_commit(x.file, err);
        x.file = NULL;
    }
    if (!st && output)
        say_what(&x, output);
    file_abandon(x.file);
    store_close(s);
    remove_copy(&x);
    str_done(&x.text);
    return st;
}
