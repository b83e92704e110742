/* palate recommend: what somebody may like next, and why. */
#include "cli/answer.h"
#include "cli/manifest.h"
#include "cli/source.h"

#include <string.h>

/* Which data hold the user: those named by a flag, else those that the version was trained on. What
 * the environment or a config file name may be another data set with the same ids. */
static enum pal_status user_history(struct job *job, const struct live *live, struct history *out,
                                    struct pal_error *err)
{
    json_t *manifest = NULL;
    struct dataset *d = NULL;
    enum pal_status st = manifest_read(live->path, &manifest, err);
    if (st)
        return st;
    if (job->origin[option_index("data", 4)] != FROM_FLAG)
        st = manifest_use_source(manifest, job, err);
    if (!st)
        st = source_load(job, NULL, &d, err);
    if (!st) {
        const char *rules = manifest_text(manifest, "weights");
        st = answer_history(live->recommender, d, job->set.user, *rules ? rules : weights_default,
                            &job->arena, out, err);
    }
    dataset_free(d);
    json_decref(manifest);
    return st;
}

static enum pal_status history(struct job *job, const struct live *live, struct history *out,
                               struct pal_error *err)
{
    if (job->set.user)
        return user_history(job, live, out, err);
    return find_history(recommender_items(live->recommender), job->set.history, &job->arena, out,
                        err);
}

static enum pal_status ask(struct job *job, const struct live *live, const struct history *h,
                           struct answer *out, struct pal_error *err)
{
    struct history excluded = {0};
    size_t n = (size_t)job->set.count;
    enum pal_status st = PAL_OK;
    if (job->set.exclude)
        st = find_history(recommender_items(live->recommender), job->set.exclude, &job->arena,
                          &excluded, err);
    struct request q = {
        .history = *h,
        .model = job->set.model,
        .n = n,
        .exclude = excluded.item,
        .exclude_count = excluded.n,
        .explain = job->set.explain,
    };
    out->items = arena_zero(&job->arena, n, sizeof *out->items);
    if (!st && !out->items)
        st = pal_no_memory(err);
    return st ? st : recommend(live->recommender, &q, &job->arena, out->items, &out->count, err);
}

static void say_json(struct job *job, const struct live *live, const struct history *h,
                     const struct answer *a)
{
    const struct items *items = recommender_items(live->recommender);
    struct emit e = {0};
    emit_open(&e, NULL, '{');
    emit_uint(&e, "version", live->number);
    emit_string(&e, "model", job->set.model);
    emit_string(&e, "user", job->set.user);
    emit_open(&e, "history", '[');
    for (size_t i = 0; i < h->n; i++) {
        emit_open(&e, NULL, '{');
        answer_emit_item(&e, items, h->item[i]);
        emit_float(&e, "weight", h->weight[i]);
        emit_close(&e, '}');
    }
    emit_close(&e, ']');
    answer_emit(&e, "recommendations", items, a, job->set.explain);
    emit_close(&e, '}');
    emit_say(&e, &job->out);
}

static void say_nothing(struct console *c, const struct live *live)
{
    struct str text = {0};
    str_put(&text, "nothing is left: of ");
    put_count(&text, recommender_items(live->recommender)->ids.count);
    str_fmt(&text,
            " items each is in the history, excluded, or unknown to the models of version %u",
            (unsigned)live->number);
    say_paragraph(c, 0, str_text(&text));
    str_done(&text);
}

enum pal_status recommend_run(struct job *job, struct pal_error *err)
{
    struct live live = {0};
    struct history h = {0};
    struct answer a = {0};
    const struct settings *set = &job->set;
    if (!set->user == !set->history)
        return pal_fail(err, PAL_EUSAGE,
                        "for whom? Give either --user ID or --history 'TITLE,TITLE'");
    enum pal_status st = job_threads(job, err);
    if (!st)
        st = answer_open(job, &live, err);
    if (!st)
        st = history(job, &live, &h, err);
    if (!st)
        st = ask(job, &live, &h, &a, err);
    if (!st && set->json) {
        say_json(job, &live, &h, &a);
    } else if (!st) {
        const struct items *items = recommender_items(live.recommender);
        if (job->out.tty) {
            say(&job->out, "%s%s\n", set->user ? "Liked by user " : "Liked",
                set->user ? set->user : "");
            answer_say_history(&job->out, 2, items, &h);
            say_text(&job->out, "\n");
        }
        if (a.count)
            answer_say(&job->out, 0, items, &a);
        else
            say_nothing(&job->out, &live);
    }
    live_done(&live);
    return st;
}
