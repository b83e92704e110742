/* What a user was shown and left counts less for them: impression discounting (Lee, Lakshmanan,
 * Tiwari and Shah, KDD 2014). Each time an item was ignored multiplies its sum by engine.ignored,
 * and that fades.
 *
 * Were that all, a source would go on spending its quota on items that were ignored, and after some
 * visits there would be nothing new among the candidates. So what was ignored lately rests: it is
 * not asked for at all while the catalog has enough besides. Where it is small, a quarter of what
 * may be shown rests, the most ignored, and the sum alone moves the others. */
#include "engine/pipeline_inside.h"

#include <math.h>

static const float REST_FROM = 0.5f; /* times */
enum { REST_PART = 4 };

static bool rests(const struct ask *a, size_t i)
{
    const struct pipeline_input *in = a->in;
    return in->ignored_times[i] >= REST_FROM && in->ignored[i] < a->items &&
           !is_taken(a, in->ignored[i]);
}

/* A REST_PARTth of what may be shown; counted only until that is clearly `most` or more. */
static size_t part_left(const struct ask *a, size_t most)
{
    double share = a->filtered ? 1 : a->share, part = 0;
    size_t words = ((size_t)a->items + 63) / 64, left = 0;
    for (size_t w = 0; w < words && part < (double)most; w++) {
        left += (size_t)__builtin_popcountll(~a->taken[w]);
        part = share * (double)left / REST_PART;
    }
    return (size_t)part;
}

enum pal_status ask_rest(struct ask *a, struct pal_error *err)
{
    const struct pipeline_input *in = a->in;
    size_t n = 0, most;
    if (!in->ignored_count || in->options->ignored >= 1)
        return PAL_OK;
    float *times = arena_alloc(a->tmp, in->ignored_count, sizeof *times);
    struct scored *top = arena_alloc(a->tmp, in->ignored_count, sizeof *top);
    a->rest = arena_alloc(a->tmp, in->ignored_count, sizeof *a->rest);
    if (!times || !top || !a->rest)
        return pal_no_memory(err);
    for (size_t i = 0; i < in->ignored_count; i++)
        times[i] = rests(a, i) ? in->ignored_times[i] : -INFINITY;
    for (size_t i = 0; i < in->ignored_count; i++)
        n += times[i] > 0;
    most = part_left(a, n);
    a->rests = topk(times, in->ignored_count, n < most ? n : most, top);
    for (size_t i = 0; i < a->rests; i++) {
        a->rest[i] = in->ignored[top[i].index];
        take(a, a->rest[i]);
    }
    return PAL_OK;
}

void ask_wake(struct ask *a)
{
    for (size_t i = a->rests; i-- > 0;) {
        uint32_t item = a->rest[i];
        if (!a->in->filter || filter_match(a->in->filter, a->in->catalog, item))
            a->taken[item / 64] &= ~((uint64_t)1 << (item % 64));
    }
}

void blend_discount(struct ask *a)
{
    const struct pipeline_input *in = a->in;
    float left = (float)in->options->ignored;
    for (size_t i = 0; i < in->ignored_count && left < 1; i++) {
        if (in->ignored[i] < a->items && is_taken(a, in->ignored[i]))
            continue; /* it rests, so that nobody put it forward */
        struct candidate *c = blend_find(a, in->ignored[i]);
        if (c)
            c->blend *= powf(left, in->ignored_times[i]);
    }
}
