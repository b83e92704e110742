/* See lists.h. */
#include "rank/lists.h"

bool lists_liked(const struct history *h)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->weight[i] > 0)
            return true;
    return false;
}

static enum pal_status ask_one(const struct model *m, const struct history *h, const uint8_t *skip,
                               size_t quota, struct arena *tmp, struct rank_list *out,
                               struct pal_error *err)
{
    size_t most = quota < model_items(m) ? quota : model_items(m), n = 0;
    struct scored *top = arena_alloc(tmp, most, sizeof *top);
    uint32_t *item = arena_alloc(tmp, most, sizeof *item);
    float *score = arena_alloc(tmp, most, sizeof *score);
    if (!top || !item || !score)
        return pal_no_memory(err);
    enum pal_status st = model_top(m, h, skip, most, tmp, top, &n, err);
    if (st != PAL_OK)
        return st;
    *out = (struct rank_list){.item = item, .score = score};
    for (; out->count < n && top[out->count].score > 0; out->count++) {
        item[out->count] = top[out->count].index;
        score[out->count] = top[out->count].score;
    }
    return PAL_OK;
}

enum pal_status lists_ask(const struct model *const *source, size_t count, const struct history *h,
                          const uint8_t *skip, size_t quota, struct arena *tmp,
                          struct rank_list *list, struct pal_error *err)
{
    bool liked = lists_liked(h);
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        list[i] = (struct rank_list){0};
        if (liked || !(source[i]->ops->can & MODEL_PERSONAL))
            st = ask_one(source[i], h, skip, quota, tmp, &list[i], err);
    }
    return st;
}
