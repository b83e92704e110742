/* palate import: any data set to one file of palate's own, or into a store. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/import_store.h"
#include "cli/source.h"

#include <stdio.h>
#include <string.h>

static void say_json(struct console *c, const struct dataset *d, const char *path, uint64_t bytes,
                     double seconds)
{
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_string(&e, "data", d->name);
    emit_string(&e, "format", d->format);
    emit_string(&e, "output", path);
    emit_uint(&e, "bytes", bytes);
    emit_hex(&e, "fingerprint", dataset_fingerprint(d));
    emit_uint(&e, "interactions", interactions_count(&d->all));
    emit_uint(&e, "users", d->users.ids.count);
    emit_uint(&e, "items", d->items.ids.count);
    emit_uint(&e, "skipped_lines", d->skipped);
    emit_number(&e, "read_seconds", seconds);
    emit_close(&e, '}');
    emit_say(&e, c);
}

static void say_what(struct console *c, const struct dataset *d, const char *path, uint64_t bytes,
                     double seconds)
{
    uint64_t rows = interactions_count(&d->all);
    if (d->test.start)
        rows += interactions_count(&d->test);
    struct str text = {0};
    put_count(&text, rows);
    str_fmt(&text, " interactions of ");
    put_count(&text, d->users.ids.count);
    str_put(&text, " users with ");
    put_count(&text, d->items.ids.count);
    str_put(&text, " items");
    if (d->skipped) {
        str_put(&text, ", ");
        put_count(&text, d->skipped);
        str_put(&text, " malformed lines passed over");
    }
    str_fmt(&text, "; ");
    put_seconds(&text, seconds);
    if (seconds > 0 && strcmp(d->format, "synthetic") != 0) {
        str_put(&text, ", ");
        put_count(&text, (uint64_t)((double)rows / seconds));
        str_put(&text, " rows a second");
    }
    str_fmt(&text, "\nwrote %s, ", path);
    put_bytes(&text, bytes);
    say(c, "%s (%s): ", d->name, d->format);
    c->pending.failed |= text.failed;
    say_text(c, str_text(&text));
    say_text(c, "\n");
    str_done(&text);
}

/* "ml-1m.palate" for ".../ml-1m/" when no output is named. */
static enum pal_status output_of(const struct job *job, const struct dataset *d, char *buf,
                                 size_t size, struct pal_error *err)
{
    const char *given = job->set.output;
    int n = given ? snprintf(buf, size, "%s", given) : snprintf(buf, size, "%s.palate", d->name);
    if (n < 0 || (size_t)n >= size)
        return pal_fail(err, PAL_EUSAGE, "--output: the name is too long");
    if (file_is_dir(buf))
        return pal_fail(err, PAL_EUSAGE, "--output %s is a folder: give the name of a file", buf);
    return PAL_OK;
}

enum pal_status import_run(struct job *job, struct pal_error *err)
{
    const char *path = job->operand_count ? job->operands[0] : NULL;
    char output[4096];
    struct dataset *d = NULL;
    if (!path && !job->set.synthetic)
        return pal_fail(err, PAL_EUSAGE,
                        "import what? palate import PATH -o FILE, or --store URL, or --synthetic");
    if (path && job->set.synthetic)
        return pal_fail(err, PAL_EUSAGE, "give a PATH or --synthetic, not both");
    if (job_given(job, "output") && job->origin[option_index("store", 5)] == FROM_FLAG)
        return pal_fail(err, PAL_EUSAGE, "give --output or --store, not both");
    enum pal_status st = job_threads(job, err);
    if (!st && job_given(job, "store") && !job_given(job, "output"))
        return import_into_store(job, path, err);
    double began = now_seconds();
    if (!st && path)
        st = source_load(job, path, &d, err);
    else if (!st)
        st = source_invent(job, (uint64_t)job->set.seed, &d, err);
    double seconds = now_seconds() - began;
    if (!st)
        st = output_of(job, d, output, sizeof output, err);
    if (!st)
        st = dataset_save(d, output, err);
    if (!st) {
        uint64_t bytes = (uint64_t)file_size(output);
        (job->set.json ? say_json : say_what)(&job->out, d, output, bytes, seconds);
    }
    dataset_free(d);
    return st;
}
