/* palate similar: the items nearest to one. */
#include "cli/answer.h"

#include <string.h>

static void print(struct job *job, const struct live *live, uint32_t item, const struct answer *a)
{
    const struct items *items = recommender_items(live->recommender);
    struct emit e = {0};
    if (!job->set.json) {
        char *name =
            arena_text(&job->arena, items_name(items, item), strlen(items_name(items, item)));
        if (name)
            text_calm(name, strlen(name));
        else
            job->out.pending.failed = true;
        if (job->out.tty && name)
            say(&job->out, "near %s:\n\n", name);
        if (a->count)
            answer_say(&job->out, 0, items, a);
        else if (name)
            say(&job->out, "no item is like %s, as far as the model can tell\n", name);
        return;
    }
    emit_open(&e, NULL, '{');
    emit_uint(&e, "version", live->number);
    emit_open(&e, "item", '{');
    answer_emit_item(&e, items, item);
    emit_close(&e, '}');
    answer_emit(&e, "similar", items, a, false);
    emit_close(&e, '}');
    emit_say(&e, &job->out);
}

enum pal_status similar_run(struct job *job, struct pal_error *err)
{
    struct live live = {0};
    struct answer a = {0};
    uint32_t item = 0;
    size_t n = (size_t)job->set.count;
    if (!job->operand_count)
        return pal_fail(err, PAL_EUSAGE, "similar to what? palate similar 'TITLE'");
    a.items = arena_zero(&job->arena, n, sizeof *a.items);
    enum pal_status st = a.items ? answer_open(job, &live, err) : pal_no_memory(err);
    if (!st)
        st = find_item(recommender_items(live.recommender), job->operands[0], &item, err);
    if (!st)
        st = recommend_similar(live.recommender, item, job->set.model, n, &job->arena, a.items,
                               &a.count, err);
    if (!st)
        print(job, &live, item, &a);
    live_done(&live);
    return st;
}
