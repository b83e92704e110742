/* The trials of a search as a file of JSON lines.
 *
 * The first line says what is searched, how, and on what; each other one is a record, appended and
 * synced before the next one. So whatever ends a search, the same command goes on after the last
 * line: the search itself is walked through once more, and asks for nothing that is in the file.
 * Lines stand in the order in which trials ended, which with several threads may not be that of
 * their numbers. Of the data only what trials may see is in the fingerprint. */
#include "cli/tune.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { FORMAT = 1 };

struct tune_file {
    int fd;
    const char *path; /* borrowed */
};

void tune_emit_header(struct emit *e, const struct tune *t)
{
    const struct trials *j = &t->judged;
    struct str text = {0};
    emit_open(e, NULL, '{');
    emit_uint(e, "palate_tune", FORMAT);
    emit_string(e, "model", t->start.ops->name);
    model_options_json(t->start.ops, t->start.options, &text);
    emit_raw(e, "start", str_text(&text));
    str_clear(&text);
    for (size_t i = 0; i < t->space.count; i++) {
        str_put(&text, i ? "," : "");
        space_show(&t->space.option[i], &text);
    }
    emit_string(e, "space", str_text(&text));
    emit_open(e, "rungs", '[');
    for (unsigned r = 0; t->epochs && r < t->set.rungs; r++)
        emit_int(e, NULL, t->rung_epochs[r]);
    emit_close(e, ']');
    emit_string(e, "search", t->set.random ? "random" : "tpe");
    emit_uint(e, "seed", t->set.seed);
    emit_string(e, "data", t->seen.name);
    emit_hex(e, "fingerprint", dataset_fingerprint(&t->seen));
    emit_string(e, "split", j->split.spec);
    emit_string(e, "weights", j->weights_text);
    if (j->options.target)
        emit_string(e, "target", j->options.target);
    if (j->options.again)
        emit_boolean(e, "again", true);
    emit_number(e, "relevant_from", j->options.relevant_from);
    emit_open(e, "metrics", '[');
    for (size_t m = 0; m < j->metric_count; m++)
        emit_string(e, NULL, j->metrics[m].name);
    emit_close(e, ']');
    emit_close(e, '}');
    e->text.failed |= text.failed;
    str_done(&text);
}

void tune_emit_record(struct emit *e, const struct tune *t, const struct tune_record *r)
{
    struct str options_json = {0};
    model_options_json(t->start.ops, r->options, &options_json);
    emit_raw(e, "options", str_text(&options_json));
    emit_open(e, "metrics", '{');
    for (size_t m = 0; m < t->judged.metric_count; m++)
        emit_number(e, t->judged.metrics[m].name, r->value[m]);
    emit_close(e, '}');
    emit_number(e, "train_seconds", r->train_s);
    emit_number(e, "eval_seconds", r->eval_s);
    emit_number(e, "elapsed_seconds", r->elapsed_s);
    emit_uint(e, "memory_bytes", r->memory_bytes);
    emit_uint(e, "peak_rss_bytes", r->peak_bytes);
    emit_string(e, "failed", *r->reason ? r->reason : NULL);
    e->text.failed |= options_json.failed;
    str_done(&options_json);
}

static enum pal_status fail_io(const char *what, const char *path, struct pal_error *err)
{
    return pal_fail(err, PAL_EIO, "cannot %s %s: %s", what, path, strerror(errno));
}

/* One line and its end, durable when this returns. */
static enum pal_status append(struct tune_file *f, struct emit *e, struct pal_error *err)
{
    str_char(&e->text, '\n');
    if (!str_ok(&e->text))
        return pal_no_memory(err);
    off_t end = lseek(f->fd, 0, SEEK_END);
    const char *p = str_text(&e->text);
    for (size_t left = e->text.len; left;) {
        ssize_t n = write(f->fd, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            enum pal_status st = fail_io("write to", f->path, err);
            int cut = end < 0 ? -1 : ftruncate(f->fd, end);
            (void)cut; /* where that fails too, the half line is dropped when it is read */
            return st;
        }
        p += n;
        left -= (size_t)n;
    }
    return fdatasync(f->fd) ? fail_io("write to", f->path, err) : PAL_OK;
}

enum pal_status tune_file_add(struct tune_file *f, const struct tune *t,
                              const struct tune_record *r, struct pal_error *err)
{
    struct emit e = {.compact = true};
    emit_open(&e, NULL, '{');
    emit_uint(&e, "trial", r->trial);
    emit_uint(&e, "rung", r->rung);
    tune_emit_record(&e, t, r);
    emit_close(&e, '}');
    enum pal_status st = append(f, &e, err);
    str_done(&e.text);
    return st;
}

/* ---- reading what is there ---- */

static enum pal_status damaged(const struct tune_file *f, size_t line, const char *why,
                               struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "%s:%zu: %s; delete the line, or the file to begin anew",
                    f->path, line, why);
}

/* The header's first member that differs, for people. */
static const char *difference(const char *found, size_t len, const char *wanted)
{
    json_t *a = json_loadb(found, len, 0, NULL), *b = json_loads(wanted, 0, NULL), *value;
    const char *key, *name = NULL;
    static const char *const known[] = {
        "model",       "start", "space",   "rungs",         "search",  "seed",   "data",
        "fingerprint", "split", "weights", "relevant_from", "metrics", "target", "again"};
    json_object_foreach(b, key, value)
    {
        for (size_t i = 0; !name && i < sizeof known / sizeof known[0]; i++)
            if (strcmp(known[i], key) == 0 && !json_equal(json_object_get(a, key), value))
                name = known[i];
    }
    json_decref(a);
    json_decref(b);
    return name ? name : "form";
}

static enum pal_status check_header(const struct tune_file *f, const char *line, size_t len,
                                    const char *wanted, struct pal_error *err)
{
    if (len == strlen(wanted) && memcmp(line, wanted, len) == 0)
        return PAL_OK;
    return pal_fail(err, PAL_EUSAGE,
                    "%s holds the trials of another search (another %s): name another file by "
                    "--save, or delete it",
                    f->path, difference(line, len, wanted));
}

static enum pal_status read_options(const struct tune *t, const json_t *all, void *into,
                                    struct pal_error *err)
{
    const char *name;
    json_t *value;
    enum pal_status st = PAL_OK;
    json_object_foreach((json_t *)(uintptr_t)all, name, value)
    {
        struct str text = {0};
        if (json_is_string(value))
            str_put(&text, json_string_value(value));
        else if (json_is_boolean(value))
            str_put(&text, json_is_true(value) ? "true" : "false");
        else if (json_is_integer(value))
            str_fmt(&text, "%lld", (long long)json_integer_value(value));
        else
            str_real(&text, json_number_value(value));
        if (!st)
            st = str_ok(&text) ? model_set(t->start.ops, into, name, str_text(&text), err)
                               : pal_no_memory(err);
        str_done(&text);
    }
    return st;
}

static enum pal_status read_record(struct tune *t, const json_t *all, struct tune_record *r,
                                   struct pal_error *err)
{
    const json_t *metrics = json_object_get(all, "metrics");
    json_int_t trial = json_integer_value(json_object_get(all, "trial"));
    json_int_t rung = json_integer_value(json_object_get(all, "rung"));
    const char *reason = json_string_value(json_object_get(all, "failed"));
    size_t size = t->start.ops->options_size;
    *r = (struct tune_record){.options = arena_zero(&t->job->arena, 1, size ? size : 1)};
    if (!r->options)
        return pal_no_memory(err);
    if (trial < 1 || trial > SEARCH_TRIALS_MOST || rung < 0 || rung >= SEARCH_RUNGS_MOST)
        return pal_fail(err, PAL_ECORRUPT, "it is no trial");
    r->trial = (uint32_t)trial;
    r->rung = (unsigned)rung;
    opt_defaults(&t->start.ops->options, r->options);
    for (size_t m = 0; m < t->judged.metric_count; m++) {
        const json_t *value = json_object_get(metrics, t->judged.metrics[m].name);
        r->value[m] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    r->train_s = json_number_value(json_object_get(all, "train_seconds"));
    r->eval_s = json_number_value(json_object_get(all, "eval_seconds"));
    r->elapsed_s = json_number_value(json_object_get(all, "elapsed_seconds"));
    r->memory_bytes = (uint64_t)json_integer_value(json_object_get(all, "memory_bytes"));
    r->peak_bytes = (uint64_t)json_integer_value(json_object_get(all, "peak_rss_bytes"));
    snprintf(r->reason, sizeof r->reason, "%s",
             reason               ? reason
             : isnan(r->value[0]) ? "not a number"
                                  : "");
    return read_options(t, json_object_get(all, "options"), r->options, err);
}

static enum pal_status add_line(struct tune *t, const char *line, size_t len, size_t number,
                                struct pal_error *err)
{
    json_error_t where;
    struct pal_error why = {0};
    json_t *all = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);
    struct tune_record r;
    if (!json_is_object(all)) {
        json_decref(all);
        return damaged(t->file, number, "this is no JSON object", err);
    }
    enum pal_status st = read_record(t, all, &r, &why);
    json_decref(all);
    if (st == PAL_ENOMEM)
        return pal_no_memory(err);
    if (st)
        return damaged(t->file, number, why.message, err);
    if (tune_find(t, r.trial, r.rung))
        return PAL_OK;
    if (mem_grow(&t->records, &t->cap, t->count + 1, sizeof *t->records))
        return pal_no_memory(err);
    t->records[t->count++] = r;
    t->before_s = r.elapsed_s > t->before_s ? r.elapsed_s : t->before_s;
    return PAL_OK;
}

/* All whole lines; *end is where the last of them ends. A file without one is ours only if it is
 * the beginning of our first line. */
static enum pal_status read_lines(struct tune *t, const struct file_map *text, const char *header,
                                  size_t *end, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    size_t at = 0;
    for (size_t number = 1; at < text->size && !st; number++) {
        const char *line = text->data + at, *stop = memchr(line, '\n', text->size - at);
        if (!stop && number == 1 &&
            (text->size > strlen(header) || memcmp(line, header, text->size) != 0))
            return check_header(t->file, line, text->size, header, err);
        if (!stop)
            break;
        size_t len = (size_t)(stop - line);
        st = number == 1 ? check_header(t->file, line, len, header, err)
                         : add_line(t, line, len, number, err);
        at += len + 1;
    }
    *end = at;
    return st;
}

static enum pal_status take_up(struct tune *t, struct emit *header, struct pal_error *err)
{
    struct tune_file *f = t->file;
    struct file_map text = {"", 0};
    size_t end = 0;
    enum pal_status st = str_ok(&header->text) ? PAL_OK : pal_no_memory(err);
    if (!st)
        st = file_map(f->path, &text, err);
    if (!st)
        st = read_lines(t, &text, str_text(&header->text), &end, err);
    file_unmap(&text);
    if (!st && ftruncate(f->fd, (off_t)end))
        st = fail_io("write to", f->path, err);
    if (!st && !end)
        st = append(f, header, err);
    t->found = t->count;
    return st;
}

enum pal_status tune_file_open(struct tune *t, const char *path, struct pal_error *err)
{
    struct tune_file *f = mem_zero(1, sizeof *f);
    struct emit header = {.compact = true};
    if (!f)
        return pal_no_memory(err);
    t->file = f;
    f->path = path;
    f->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (f->fd < 0)
        return fail_io("write to", path, err);
    if (flock(f->fd, LOCK_EX | LOCK_NB))
        return pal_fail(err, PAL_EUSAGE,
                        "another palate tune is writing to %s: name another file by --save", path);
    tune_emit_header(&header, t);
    enum pal_status st = take_up(t, &header, err);
    str_done(&header.text);
    return st;
}

void tune_file_close(struct tune_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    mem_free(f);
}
