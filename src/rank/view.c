/* The first half of features.h: lists joined into candidates, and a history summed up. */
#include "rank/features.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The place of each item among the candidates + 1; 0 = free. Open addressing, at most half full. */
struct slots {
    uint32_t *slot, mask;
    const uint32_t *item;
};

static uint32_t *probe(const struct slots *s, uint32_t item)
{
    uint32_t i = (item * 0x9e3779b1u) >> 7 & s->mask;
    while (s->slot[i] && s->item[s->slot[i] - 1] != item)
        i = (i + 1) & s->mask;
    return &s->slot[i];
}

static enum pal_status open_slots(size_t most, struct arena *tmp, struct slots *out,
                                  struct pal_error *err)
{
    uint32_t size = 16;
    while (size < 2 * most)
        size *= 2;
    out->mask = size - 1;
    out->slot = arena_zero(tmp, size, sizeof *out->slot);
    return out->slot ? PAL_OK : pal_no_memory(err);
}

/* Enters a list's scores and places for the candidates, of which `most` have room. */
static void join_list(struct rank_view *v, struct slots *s, const struct rank_list *list,
                      size_t source, size_t most)
{
    size_t end = 0;
    for (size_t i = 0, first = 0; i < list->count; i++) {
        if (i == end) {
            for (first = i; end < list->count && list->score[end] == list->score[i];)
                end++;
        }
        if (list->item[i] >= v->known->items)
            continue;
        uint32_t *slot = probe(s, list->item[i]);
        if (!*slot) {
            v->item[v->count] = list->item[i];
            *slot = (uint32_t)++v->count;
        }
        v->score[source * most + *slot - 1] = list->score[i];
        v->place[source * most + *slot - 1] = 0.5f * (float)(first + 1 + end);
    }
}

/* Rows of `most` become rows of `count`. */
static void close_up(float *rows, size_t n, size_t most, size_t count)
{
    for (size_t i = 1; i < n; i++)
        memmove(rows + i * count, rows + i * most, count * sizeof *rows);
}

/* Where the candidates stand in the history. */
static enum pal_status find_own(struct rank_view *v, const struct slots *s, struct arena *tmp,
                                struct pal_error *err)
{
    v->own = arena_zero(tmp, v->count, sizeof *v->own);
    if (!v->own)
        return pal_no_memory(err);
    for (size_t i = 0; i < v->history->n; i++) {
        uint32_t *slot = probe(s, v->history->item[i]);
        if (*slot)
            v->own[*slot - 1] = (uint32_t)i + 1;
    }
    return PAL_OK;
}

static enum pal_status join_lists(struct rank_view *v, const struct rank_list *list,
                                  struct arena *tmp, struct pal_error *err)
{
    size_t most = 0;
    struct slots s;
    for (size_t i = 0; i < v->sources; i++)
        most += list[i].count;
    v->item = arena_alloc(tmp, most, sizeof *v->item);
    v->score = arena_alloc(tmp, v->sources * most, sizeof *v->score);
    v->place = arena_alloc(tmp, v->sources * most, sizeof *v->place);
    if (!v->item || !v->score || !v->place)
        return pal_no_memory(err);
    enum pal_status st = open_slots(most, tmp, &s, err);
    if (st != PAL_OK)
        return st;
    s.item = v->item;
    for (size_t i = 0; i < v->sources * most; i++)
        v->score[i] = v->place[i] = NAN;
    for (size_t i = 0; i < v->sources; i++)
        join_list(v, &s, &list[i], i, most);
    close_up(v->score, v->sources, most, v->count);
    close_up(v->place, v->sources, most, v->count);
    return v->known->again ? find_own(v, &s, tmp, err) : PAL_OK;
}

/* Adds a liked item to its categories and kinds, as much as its weight to each. */
static void add_like(struct rank_view *v, uint32_t item, float weight)
{
    const struct known *k = v->known;
    v->all_liked += weight;
    for (uint64_t i = k->start[item]; i < k->start[item + 1]; i++)
        v->label_liked[k->label[i]] += weight;
    for (size_t i = 0; i < k->kinds.names.count; i++) {
        uint32_t value = k->kinds.value[i * k->items + item];
        if (value != INTERN_NONE)
            v->kind_liked[value] += weight;
    }
}

/* Adds an item's categories, together as much as its weight. Returns that. */
static float add_labels(const struct known *k, uint32_t item, float weight, float *sum)
{
    uint64_t begin = k->start[item], end = k->start[item + 1];
    for (uint64_t i = begin; i < end; i++)
        sum[k->label[i]] += weight / (float)(end - begin);
    return begin < end ? weight : 0;
}

static void scale(float *x, size_t n, float by)
{
    for (size_t i = 0; i < n && by > 0; i++)
        x[i] /= by;
}

static void sum_up(struct rank_view *v)
{
    const struct known *k = v->known;
    const size_t ever = (size_t)(KNOWN_HALVES - 1) * k->items; /* popularity without fading */
    float liked = 0, disliked = 0, taste = 0, sum[KNOWN_NUMBERS] = {0};
    size_t all = 0, likes = 0, has[KNOWN_NUMBERS] = {0};
    for (size_t i = 0; i < v->history->n; i++) {
        uint32_t item = v->history->item[i];
        float weight = v->history->weight[i];
        if (item >= k->items)
            continue;
        all++;
        if (weight < 0) {
            disliked += add_labels(k, item, -weight, v->disliked);
            continue;
        }
        liked += add_labels(k, item, weight, v->liked);
        add_like(v, item, weight);
        likes++;
        taste += k->popularity[ever + item];
        v->last = item;
        for (size_t a = 0; a < k->names.count; a++) {
            float x = k->number[a * k->items + item];
            sum[a] += isnan(x) ? 0 : x;
            has[a] += !isnan(x);
        }
    }
    scale(v->liked, k->labels, liked);
    scale(v->disliked, k->labels, disliked);
    v->likes = all ? (float)likes / (float)all : NAN;
    v->taste = likes ? taste / (float)likes : NAN;
    for (size_t a = 0; a < KNOWN_NUMBERS; a++)
        v->mean[a] = has[a] ? sum[a] / (float)has[a] : NAN;
}

enum pal_status rank_view_make(const struct known *known, const struct history *history,
                               const struct rank_list *list, size_t sources, struct arena *tmp,
                               struct rank_view *out, struct pal_error *err)
{
    struct rank_view v = {
        .known = known, .history = history, .sources = sources, .last = INTERN_NONE};
    v.liked = arena_zero(tmp, known->labels, sizeof *v.liked);
    v.disliked = arena_zero(tmp, known->labels, sizeof *v.disliked);
    v.label_liked = arena_zero(tmp, known->labels, sizeof *v.label_liked);
    v.kind_liked = arena_zero(tmp, known->kinds.values, sizeof *v.kind_liked);
    if (!v.liked || !v.disliked || !v.label_liked || !v.kind_liked)
        return pal_no_memory(err);
    enum pal_status st = join_lists(&v, list, tmp, err);
    if (st != PAL_OK)
        return st;
    sum_up(&v);
    *out = v;
    return PAL_OK;
}

enum pal_status rank_view_complete(struct rank_view *view, const struct model *const *source,
                                   struct arena *tmp, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    float *all = arena_alloc(tmp, view->known->items, sizeof *all);
    if (!all)
        return pal_no_memory(err);
    for (size_t s = 0; s < view->sources && st == PAL_OK; s++) {
        float *score = view->score + s * view->count;
        st = model_score(source[s], view->history, 1, all, tmp, err);
        for (size_t i = 0; i < view->count && st == PAL_OK; i++)
            score[i] = isnan(score[i]) ? all[view->item[i]] : score[i];
    }
    return st;
}

static float fused_sum(const struct rank_view *v, size_t i)
{
    float sum = 0;
    for (size_t s = 0; s < v->sources; s++) {
        float place = v->place[s * v->count + i];
        sum += isnan(place) ? 0 : 1 / (60 + place);
    }
    return sum;
}

static void base_of_popularity(const struct rank_view *v, float *out)
{
    const struct known *k = v->known;
    for (size_t i = 0; i < v->count; i++)
        out[i] = k->popularity[(size_t)(KNOWN_HALVES - 1) * k->items + v->item[i]];
}

static void base_of_score(const struct rank_view *v, const float *score, float *out)
{
    float least = FLT_MAX;
    for (size_t i = 0; i < v->count; i++)
        least = score[i] > 0 && score[i] < least ? score[i] : least;
    for (size_t i = 0; i < v->count; i++)
        out[i] = logf(score[i] > 0 ? score[i] : least) - (score[i] > 0 ? 0 : logf(10));
}

enum pal_status rank_base(const struct rank_view *view, size_t base, struct arena *tmp, float *out,
                          struct pal_error *err)
{
    size_t n = view->count, sources = view->sources;
    struct scored *best = arena_alloc(tmp, n, sizeof *best);
    if (!best)
        return pal_no_memory(err);
    if (base == sources + 1)
        base_of_popularity(view, out);
    else if (base > sources + 1)
        base_of_score(view, view->score + (base - sources - 2) * n, out);
    if (base > sources)
        return PAL_OK;
    for (size_t i = 0; i < n; i++) {
        float place = base < sources ? view->place[base * n + i] : NAN;
        out[i] = base == sources ? fused_sum(view, i) : isnan(place) ? -FLT_MAX : -place;
    }
    topk(out, n, n, best);
    for (size_t i = 0; i < n; i++)
        out[best[i].index] = -logf((float)(i + 1));
    return PAL_OK;
}
