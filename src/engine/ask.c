/* Answers of the public library (see palate.h): each is one block of memory, the array first and
 * then the texts, so that it lives on its own. */
#include "engine/handle.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* What a block holds. */
struct block {
    struct pal_list list; /* first: what the caller sees */
    struct pal_recommendation item[];
};

/* Where the next text goes. */
struct writer {
    char *next;
};

static size_t text_bytes(const struct items *items, uint32_t item)
{
    return intern_len(&items->ids, item) + 1 + strlen(items_name(items, item)) + 1;
}

static const char *put_text(struct writer *w, const char *text)
{
    size_t size = strlen(text) + 1;
    char *at = memcpy(w->next, text, size);
    w->next += size;
    return at;
}

/* source is a constant of the library's and needs no copy. */
static void put_item(struct writer *w, const struct items *items, const struct recommendation *from,
                     struct pal_recommendation *to)
{
    *to = (struct pal_recommendation){.item_id = put_text(w, intern_text(&items->ids, from->item)),
                                      .title = put_text(w, items_name(items, from->item)),
                                      .score = from->score,
                                      .source = from->source,
                                      .reason_count = from->reason_count};
    for (size_t i = 0; i < from->reason_count; i++) {
        uint32_t item = from->reason[i].item;
        to->reason[i] = (struct pal_reason){.item_id = put_text(w, intern_text(&items->ids, item)),
                                            .title = put_text(w, items_name(items, item)),
                                            .part = from->reason[i].part};
    }
}

static enum pal_status make_list(const struct items *items, const struct recommendation *from,
                                 size_t count, struct pal_list **out, struct pal_error *err)
{
    size_t size = sizeof(struct block) + count * sizeof(struct pal_recommendation);
    for (size_t i = 0; i < count; i++) {
        size += text_bytes(items, from[i].item);
        for (size_t j = 0; j < from[i].reason_count; j++)
            size += text_bytes(items, from[i].reason[j].item);
    }
    struct block *b = mem_alloc(size, 1);
    if (!b)
        return pal_no_memory(err);
    struct writer w = {(char *)(b->item + count)};
    for (size_t i = 0; i < count; i++)
        put_item(&w, items, &from[i], &b->item[i]);
    b->list = (struct pal_list){.count = count, .item = b->item};
    *out = &b->list;
    return PAL_OK;
}

void pal_list_free(struct pal_list *list)
{
    mem_free(list);
}

/* Asks for n and makes the list. */
static enum pal_status answer(const struct palate *p, struct request *q, size_t n,
                              struct arena *tmp, struct pal_list **out, struct pal_error *err)
{
    size_t most = p->d->items.ids.count, count = 0;
    q->n = n ? n : 10;
    if (q->n > most)
        q->n = most ? most : 1;
    q->model = p->use[0] ? p->use : NULL;
    q->explain = 1;
    struct recommendation *found = arena_alloc(tmp, q->n, sizeof *found);
    if (!found)
        return pal_no_memory(err);
    enum pal_status st = recommend(p->r, q, tmp, found, &count, err);
    return st == PAL_OK ? make_list(&p->d->items, found, count, out, err) : st;
}

static enum pal_status no_id(struct pal_error *err)
{
    return pal_fail(err, PAL_EUSAGE, "NULL is given where a text is needed");
}

enum pal_status pal_recommend(const struct palate *p, const char *user_id, size_t n,
                              struct pal_list **out, struct pal_error *err)
{
    struct arena tmp = {0};
    struct request q = {.n = 0};
    if (!user_id)
        return no_id(err);
    enum pal_status st =
        collect_history(p, user_id, &tmp, &q.history, &q.exclude, &q.exclude_count, err);
    if (st == PAL_OK)
        st = answer(p, &q, n, &tmp, out, err);
    arena_done(&tmp);
    return st;
}

/* The items among the ids, with their weights, folded. */
static enum pal_status read_history(const struct palate *p, const char *const *item_ids,
                                    const float *weights, size_t count, struct arena *tmp,
                                    struct request *q, struct pal_error *err)
{
    uint32_t *known = arena_alloc(tmp, count, sizeof *known);
    uint32_t *item = arena_alloc(tmp, count, sizeof *item);
    float *each = arena_alloc(tmp, count, sizeof *each);
    float *weight = arena_alloc(tmp, count, sizeof *weight);
    size_t n = 0, folded = 0;
    if (!known || !item || !each || !weight)
        return pal_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (!item_ids[i])
            return no_id(err);
        if (weights && !(fabsf(weights[i]) <= WEIGHT_MOST))
            return pal_fail(err, PAL_EUSAGE,
                            "the weight of item '%s' is not a number from %d to %d", item_ids[i],
                            -WEIGHT_MOST, WEIGHT_MOST);
        known[n] = intern_find(&p->d->items.ids, item_ids[i], strlen(item_ids[i]));
        each[n] = weights ? weights[i] : 1;
        n += known[n] != INTERN_NONE;
    }
    enum pal_status st = history_fold(known, each, n, tmp, item, weight, &folded, err);
    if (st != PAL_OK)
        return st;
    q->history =
        (struct history){.n = folded, .item = item, .weight = weight, .now_s = p->latest_s};
    q->exclude = known;
    q->exclude_count = n;
    return PAL_OK;
}

enum pal_status pal_recommend_for(const struct palate *p, const char *const *item_ids,
                                  const float *weights, size_t count, size_t n,
                                  struct pal_list **out, struct pal_error *err)
{
    struct arena tmp = {0};
    struct request q = {.n = 0};
    enum pal_status st = read_history(p, item_ids, weights, count, &tmp, &q, err);
    if (st == PAL_OK)
        st = answer(p, &q, n, &tmp, out, err);
    arena_done(&tmp);
    return st;
}

enum pal_status pal_similar(const struct palate *p, const char *item_id, size_t n,
                            struct pal_list **out, struct pal_error *err)
{
    const struct items *items = &p->d->items;
    struct arena tmp = {0};
    size_t count = 0;
    if (!item_id)
        return no_id(err);
    uint32_t item = intern_find(&items->ids, item_id, strlen(item_id));
    if (item == INTERN_NONE)
        return pal_fail(err, PAL_ENOTFOUND, "there is no item '%s'", item_id);
    n = n ? n : 10;
    if (n > items->ids.count)
        n = items->ids.count;
    struct recommendation *found = arena_alloc(&tmp, n, sizeof *found);
    enum pal_status st = found ? recommend_similar(p->r, item, NULL, n, &tmp, found, &count, err)
                               : pal_no_memory(err);
    if (st == PAL_OK)
        st = make_list(items, found, count, out, err);
    arena_done(&tmp);
    return st;
}

enum pal_status pal_find_item(const struct palate *p, const char *text, const char **item_id,
                              struct pal_error *err)
{
    uint32_t item;
    if (!text)
        return no_id(err);
    enum pal_status st = find_item(&p->d->items, text, &item, err);
    if (st == PAL_OK)
        *item_id = intern_text(&p->d->items.ids, item);
    return st;
}
