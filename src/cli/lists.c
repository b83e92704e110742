/* See lists.h. The command: who, from which version, into what; then chunk by chunk. The lists of a
 * chunk are written as text by the threads that make them, a grain to a text, and the texts handed
 * on in order. */
#include "cli/lists.h"

#include "base/mem.h"
#include "base/scheme.h"
#include "cli/answer.h"
#include "cli/manifest.h"
#include "cli/source.h"
#include "engine/batch.h"

#include <string.h>

enum { CHUNK_GRAINS = 128, CHUNK = CHUNK_GRAINS * BATCH_GRAIN };

struct lists {
    struct job *job;
    struct live live;
    struct dataset *d;
    struct weights rules;
    struct lists_head head;
    uint8_t *never;
    uint32_t *users; /* (count) */
    size_t count, begun;
    struct batch *batch;
    struct sink *sink;
    size_t first;                  /* of the chunk at work */
    struct str text[CHUNK_GRAINS]; /* of each grain */
    uint64_t rows[CHUNK_GRAINS], written;
    double began;
};

/* ---- What it works on ---- */

/* The data: those named by a flag, else those that the version was trained on. */
static enum pal_status load_data(struct lists *x, struct pal_error *err)
{
    struct job *job = x->job;
    json_t *manifest = NULL;
    enum pal_status st = source_choose(job, err);
    if (!st)
        st = manifest_read(x->live.path, &manifest, err);
    if (st)
        return st;
    if (job->origin[option_index("data", 4)] != FROM_FLAG)
        st = manifest_use_source(manifest, job, err);
    if (!st)
        st = source_load(job, NULL, &x->d, err);
    const char *rules = manifest_text(manifest, "weights");
    if (!st)
        st = weights_parse(*rules ? rules : weights_default, &x->rules, err);
    json_decref(manifest);
    return st;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool to_postgres(const char *output)
{
    return output && (scheme_is(output, "postgres") || scheme_is(output, "postgresql"));
}

static enum pal_status open_sink(struct lists *x, struct pal_error *err)
{
    const struct settings *set = &x->job->set;
    const char *output = set->output && strcmp(set->output, "-") != 0 ? set->output : NULL;
    bool lines = set->lists_as == LISTS_JSONL;
    if (to_postgres(output))
        return set->lists_as == LISTS_AUTO
                   ? sink_postgres(output, &x->head, &x->sink, err)
                   : pal_fail(err, PAL_EUSAGE, "--as is for files: a table has columns");
    if (set->lists_as == LISTS_AUTO && output)
        lines = ends_in(output, ".jsonl") || ends_in(output, ".json") || ends_in(output, ".ndjson");
    return sink_file(output, lines ? FORM_JSONL : FORM_CSV, &x->head, &x->sink, err);
}

static enum pal_status prepare(struct lists *x, struct pal_error *err)
{
    const struct settings *set = &x->job->set;
    enum pal_status st = answer_open(x->job, &x->live, err);
    x->head = (struct lists_head){
        .version = x->live.number,
        .model = set->model ? set->model : "",
        .n = (size_t)set->count,
        .whose = (enum whose_choice)set->whose,
        .days = set->whose == WHOSE_ACTIVE ? set->days : 0,
    };
    if (!st)
        st = load_data(x, err);
    if (!st)
        st = lists_never(x->job, recommender_items(x->live.recommender), &x->never, err);
    if (!st)
        st = lists_users(x->d, &x->head, &x->users, &x->count, err);
    const struct batch_options o = {.model = set->model, .n = x->head.n, .never = x->never};
    if (!st)
        st = batch_new(x->live.recommender, x->d, &x->rules, &o, x->job->run.pool, &x->batch, err);
    if (!st)
        st = open_sink(x, err);
    return st;
}

/* ---- Lists ---- */

/* A batch_list_fn. */
static void take_list(void *ctx, size_t i, const struct recommendation *list, size_t count,
                      unsigned worker)
{
    struct lists *x = ctx;
    size_t grain = i / BATCH_GRAIN;
    lists_put(&x->text[grain], x->sink->form, x->head.version,
              intern_text(&x->d->users.ids, x->users[x->first + i]),
              recommender_items(x->live.recommender), list, count);
    x->rows[grain] += count;
}

static enum pal_status write_chunk(struct lists *x, size_t n, struct pal_error *err)
{
    struct str *all = &x->text[0];
    size_t grains = (n + BATCH_GRAIN - 1) / BATCH_GRAIN;
    for (size_t g = 1; g < grains; g++) {
        str_add(all, str_text(&x->text[g]), x->text[g].len);
        all->failed = all->failed || x->text[g].failed;
    }
    if (!str_ok(all))
        return pal_no_memory(err);
    const char *last = intern_text(&x->d->users.ids, x->users[x->first + n - 1]);
    return x->sink->ops->write(x->sink, str_text(all), all->len, x->first + n, last, err);
}

static enum pal_status make_lists(struct lists *x, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    progress_label(&x->job->progress, "");
    for (x->first = x->begun; x->first < x->count && !st;) {
        size_t n = x->count - x->first < CHUNK ? x->count - x->first : CHUNK;
        for (size_t g = 0; g < CHUNK_GRAINS; g++) {
            str_clear(&x->text[g]);
            x->rows[g] = 0;
        }
        st = run_step(&x->job->run, "recommending", x->first, x->count, err);
        if (!st)
            st = batch_run(x->batch, x->users + x->first, n, take_list, x, err);
        if (!st)
            st = write_chunk(x, n, err);
        for (size_t g = 0; g < CHUNK_GRAINS; g++)
            x->written += x->rows[g];
        x->first += n;
    }
    return st ? st : x->sink->ops->finish(x->sink, err);
}

/* ---- What is said ---- */

static void say_text_of(struct lists *x, const char *output)
{
    struct console *c = &x->job->out;
    struct str text = {0};
    double seconds = now_seconds() - x->began;
    put_count(&text, x->count - x->begun);
    str_put(&text, " lists of version ");
    put_count(&text, x->head.version);
    if (x->begun) {
        str_put(&text, ", behind ");
        put_count(&text, x->begun);
        str_put(&text, " that were there");
    }
    str_fmt(&text, ", in %.1f s\nwrote ", seconds);
    scheme_show(&text, output);
    str_char(&text, '\n');
    c->pending.failed |= text.failed;
    say_text(c, str_text(&text));
    str_done(&text);
}

static void say_json_of(struct lists *x, const char *output)
{
    struct emit e = {0};
    struct str shown = {0};
    scheme_show(&shown, output);
    emit_open(&e, NULL, '{');
    emit_uint(&e, "version", x->head.version);
    emit_string(&e, "output", str_text(&shown));
    emit_uint(&e, "users", x->count);
    emit_uint(&e, "resumed_behind", x->begun);
    emit_uint(&e, "rows", x->written);
    emit_number(&e, "seconds", now_seconds() - x->began);
    emit_close(&e, '}');
    emit_say(&e, &x->job->out);
    str_done(&shown);
}

static void done(struct lists *x)
{
    if (x->sink)
        x->sink->ops->close(x->sink);
    batch_free(x->batch);
    for (size_t g = 0; g < CHUNK_GRAINS; g++)
        str_done(&x->text[g]);
    mem_free(x->users);
    mem_free(x->never);
    dataset_free(x->d);
    live_done(&x->live);
    mem_free(x);
}

enum pal_status lists_run(struct job *job, struct pal_error *err)
{
    if (strcmp(job->operands[0], "recommendations") != 0)
        return pal_fail(
            err, PAL_EUSAGE,
            "palate export %s: expected 'recommendations', or nothing for everything in "
            "the store",
            job->operands[0]);
    struct lists *x = mem_zero(1, sizeof *x);
    if (!x)
        return pal_no_memory(err);
    x->job = job;
    x->began = now_seconds();
    enum pal_status st = job_threads(job, err);
    if (!st)
        st = prepare(x, err);
    if (!st) {
        x->sink->done = lists_done(x->d, x->users, x->count, x->sink->done, x->sink->last);
        x->begun = x->sink->done;
        st = make_lists(x, err);
    }
    const char *output =
        job->set.output && strcmp(job->set.output, "-") != 0 ? job->set.output : "";
    if (!st && *output && job->set.json)
        say_json_of(x, output);
    else if (!st && *output)
        say_text_of(x, output);
    done(x);
    return st;
}
