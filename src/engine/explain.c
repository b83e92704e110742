/* Why: of each item that a model put there, what of the history speaks for it. */
#include "engine/pipeline_inside.h"

#include <string.h>

static enum pal_status explain_by(const struct ask *a, const struct source *s, float *part,
                                  struct pal_error *err)
{
    struct history h;
    bool liked = false;
    enum pal_status st = ask_history(a, s, &h, &liked, err);
    for (size_t i = 0; i < a->count && liked && st == PAL_OK; i++) {
        struct pipeline_item *x = &a->list[i];
        uint32_t item = source_number(s, x->item);
        if (x->source != s->model->ops->name || item == INTERN_NONE)
            continue;
        st = model_explain(s->model, &h, item, part, a->tmp, err);
        if (st == PAL_OK)
            x->reason_count = reasons_pick(part, h.item, h.weight, h.n, x->reason);
        for (size_t k = 0; k < x->reason_count; k++)
            x->reason[k].item = source_item(s, x->reason[k].item);
    }
    return st;
}

enum pal_status list_explain(const struct ask *a, struct pal_error *err)
{
    float *part = arena_alloc(a->tmp, a->in->history.n, sizeof *part);
    enum pal_status st = PAL_OK;
    if (!part)
        return pal_no_memory(err);
    for (size_t i = 0; i < a->in->source_count && st == PAL_OK; i++)
        if (a->in->sources[i].model->ops->can & MODEL_EXPLAIN)
            st = explain_by(a, &a->in->sources[i], part, err);
    return st;
}
