/* The bandit's items and how they are counted; see bandit.h, and bandit_inside.h for how the parts
 * belong together.
 *
 * An item holds decayed sums as of the time of its last event. Nothing is done as time passes: a
 * sum of an earlier time is multiplied by 2^-(age / half-life) when it is read or added to, and an
 * event older than the last one is faded before it is added. Only differences of times enter, so
 * that neither years nor times in the past can overflow; a clock that went back is put right by
 * bandit_refresh. */
#include "engine/bandit_inside.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define DAY_MS       86400000.0
#define SUREST       1e6  /* evidence counts as at most so many observations */
#define FRESH_WEIGHT 0.5f /* from which an event counts for draws before the next refresh */
#define NO_EVIDENCE  1e-6 /* what has faded so far is none */

#define FIELD(name) offsetof(struct bandit_options, name)

static const struct opt rows[] = {
    {"prior_alpha", OPT_REAL, FIELD(prior_alpha), "2", 1e-3, 1e6, OPT_LOG, NULL,
     "likes that an item is taken to have had before it had any"},
    {"prior_beta", OPT_REAL, FIELD(prior_beta), "8", 1e-3, 1e6, OPT_LOG, NULL,
     "dislikes that an item is taken to have had before it had any"},
    {"half_life_days", OPT_REAL, FIELD(half_life_days), "0", 0, 36500, OPT_LOG, NULL,
     "after how many days a like counts half; 0 = it never fades"},
    {"ignored", OPT_REAL, FIELD(ignored), "0.3", 0, 1, OPT_LINEAR, NULL,
     "how much of a dislike it is to be shown and ignored"},
    {"popular_days", OPT_REAL, FIELD(popular_days), "180", 0, 36500, OPT_LOG, NULL,
     "after how many days an event counts half for what is popular; 0 = it never fades"},
    {"trending_days", OPT_REAL, FIELD(trending_days), "1", 0.001, 36500, OPT_LOG, NULL,
     "half-life in days of the recent events that trending compares with the long run"},
};

const struct opt_table bandit_option_table = {rows, sizeof rows / sizeof rows[0]};

double bandit_fade(double age_ms, double half_life_days)
{
    if (!(age_ms > 0) || half_life_days == 0)
        return 1;
    return exp2(-age_ms / (half_life_days * DAY_MS));
}

/* ---- items ---- */

static size_t segment_of(uint32_t number, uint32_t *first)
{
    if (number < FIRST_SEGMENT) {
        *first = 0;
        return 0;
    }
    size_t s = (size_t)(31 - __builtin_clz(number)) - 9;
    *first = (uint32_t)FIRST_SEGMENT << (s - 1);
    return s;
}

static size_t segment_items(size_t s)
{
    return (size_t)FIRST_SEGMENT << (s ? s - 1 : 0);
}

/* NULL for an item never counted. */
static struct bandit_item *item_at(const struct bandit *b, uint32_t number)
{
    uint32_t first;
    size_t s = segment_of(number, &first);
    struct segment *segment = atomic_load_explicit(&b->segment[s], memory_order_acquire);
    return segment ? &segment->item[number - first] : NULL;
}

static struct segment *make_segment(size_t s)
{
    struct segment *segment = mem_zero(1, sizeof *segment);
    if (!segment)
        return NULL;
    segment->item = mem_zero(segment_items(s), sizeof *segment->item);
    segment->changed = mem_zero(segment_items(s) / 64, sizeof *segment->changed);
    if (segment->item && segment->changed)
        return segment;
    mem_free(segment->item);
    mem_free(segment->changed);
    mem_free(segment);
    return NULL;
}

static enum pal_status need_segment(struct bandit *b, uint32_t number, struct segment **out,
                                    uint32_t *first, struct pal_error *err)
{
    size_t s = segment_of(number, first);
    *out = atomic_load_explicit(&b->segment[s], memory_order_acquire);
    if (*out)
        return PAL_OK;
    pthread_mutex_lock(&b->grow_lock);
    *out = atomic_load_explicit(&b->segment[s], memory_order_relaxed);
    if (!*out && (*out = make_segment(s)))
        atomic_store_explicit(&b->segment[s], *out, memory_order_release);
    pthread_mutex_unlock(&b->grow_lock);
    return *out ? PAL_OK : pal_no_memory(err);
}

void bandit_prefetch(const struct bandit *b, uint32_t number)
{
    const struct bandit_item *item = item_at(b, number);
    if (!item)
        return;
    __builtin_prefetch(item); /* it may lie across two lines */
    __builtin_prefetch((const char *)(item + 1) - 1);
}

/* Loads acquire, so that the second look at the counter can't come before them. */
struct bandit_sums bandit_evidence(const struct bandit *b, uint32_t number)
{
    struct bandit_sums e = {0};
    struct bandit_item *item = item_at(b, number);
    if (!item)
        return e;
    uint32_t before, after;
    do {
        before = atomic_load_explicit(&item->sequence, memory_order_acquire);
        e.success = atomic_load_explicit(&item->success, memory_order_acquire);
        e.failure = atomic_load_explicit(&item->failure, memory_order_acquire);
        e.popular = atomic_load_explicit(&item->popular, memory_order_acquire);
        e.recent = atomic_load_explicit(&item->recent, memory_order_acquire);
        e.last_ms = atomic_load_explicit(&item->last_ms, memory_order_acquire);
        after = atomic_load_explicit(&item->sequence, memory_order_relaxed);
    } while (before != after || before % 2);
    return e;
}

uint32_t bandit_sequence(const struct bandit *b, uint32_t number)
{
    const struct bandit_item *item = item_at(b, number);
    return item ? atomic_load_explicit(&item->sequence, memory_order_acquire) : 0;
}

/* Under the item's stripe. Stores release, so that none is seen before the odd counter. */
static void put_evidence(struct bandit_item *item, const struct bandit_sums *e)
{
    uint32_t sequence = atomic_load_explicit(&item->sequence, memory_order_relaxed);
    atomic_store_explicit(&item->sequence, sequence + 1, memory_order_relaxed);
    atomic_store_explicit(&item->success, e->success, memory_order_release);
    atomic_store_explicit(&item->failure, e->failure, memory_order_release);
    atomic_store_explicit(&item->popular, e->popular, memory_order_release);
    atomic_store_explicit(&item->recent, e->recent, memory_order_release);
    atomic_store_explicit(&item->last_ms, e->last_ms, memory_order_release);
    atomic_store_explicit(&item->sequence, sequence + 2, memory_order_release);
}

bool bandit_beta(const struct bandit *b, const struct bandit_sums *e, int64_t now_ms, double *alpha,
                 double *beta)
{
    double fade = bandit_fade((double)now_ms - (double)e->last_ms, b->o.half_life_days);
    double success = e->success * fade, failure = e->failure * fade, all = success + failure;
    bool evident = all > NO_EVIDENCE;
    double scale = !evident ? 0 : all > SUREST ? SUREST / all : 1;
    *alpha = b->o.prior_alpha + success * scale;
    *beta = b->o.prior_beta + failure * scale;
    return evident;
}

void bandit_posterior(const struct bandit *b, uint32_t number, int64_t now_ms, double *alpha,
                      double *beta)
{
    struct bandit_sums e = bandit_evidence(b, number);
    bandit_beta(b, &e, now_ms, alpha, beta);
}

/* ---- counting ---- */

static bool is_empty(const struct bandit_sums *s)
{
    return s->success + s->failure + s->popular + s->recent == 0;
}

void bandit_join(const struct bandit_options *o, struct bandit_sums *to,
                 const struct bandit_sums *from)
{
    if (is_empty(from) && !from->last_ms)
        return; /* never counted */
    if (is_empty(to)) {
        *to = *from;
        return;
    }
    double age = (double)from->last_ms - (double)to->last_ms;
    double old = age > 0 ? age : 0, late = age < 0 ? -age : 0;
    double reward = bandit_fade(old, o->half_life_days);
    double late_reward = bandit_fade(late, o->half_life_days);
    to->success = to->success * reward + from->success * late_reward;
    to->failure = to->failure * reward + from->failure * late_reward;
    to->popular = to->popular * bandit_fade(old, o->popular_days) +
                  from->popular * bandit_fade(late, o->popular_days);
    to->recent = to->recent * bandit_fade(old, o->trending_days) +
                 from->recent * bandit_fade(late, o->trending_days);
    if (age > 0)
        to->last_ms = from->last_ms;
}

void bandit_add(const struct bandit_options *o, struct bandit_sums *sums, float weight, bool reward,
                int64_t time_ms)
{
    double size = fabs((double)weight), good = weight > 0 ? size : 0;
    const struct bandit_sums one = {reward ? good : 0, reward ? size - good : 0, good, good,
                                    time_ms};
    bandit_join(o, sums, &one);
}

/* Tells draws that the view's chances no longer hold for this item. Past FRESH items a draw uses
 * what the view says until the next refresh. Under the item's stripe. */
static void make_fresh(struct bandit *b, struct bandit_item *item, uint32_t number)
{
    uint32_t round = atomic_load_explicit(&b->round, memory_order_acquire);
    if (item->fresh_in == round ||
        atomic_load_explicit(&b->fresh_count, memory_order_relaxed) >= FRESH)
        return;
    item->fresh_in = round;
    uint32_t at = atomic_fetch_add_explicit(&b->fresh_count, 1, memory_order_relaxed);
    if (at < FRESH)
        atomic_store_explicit(&b->fresh[at], (uint64_t)round << 32 | number, memory_order_release);
}

void bandit_raise(_Atomic uint32_t *at_least, uint32_t value)
{
    uint32_t old = atomic_load_explicit(at_least, memory_order_relaxed);
    while (old < value && !atomic_compare_exchange_weak_explicit(
                              at_least, &old, value, memory_order_release, memory_order_relaxed))
        ;
}

/* Writes sums that were made of what the item had; `fresh`: draws are to know before the next
 * refresh. Under the item's stripe. */
static void change(struct bandit *b, struct segment *segment, uint32_t first, uint32_t number,
                   const struct bandit_sums *sums, bool fresh)
{
    uint32_t bit = number - first;
    put_evidence(&segment->item[bit], sums);
    atomic_fetch_or_explicit(&segment->changed[bit / 64], (uint64_t)1 << bit % 64,
                             memory_order_release);
    bandit_raise(&b->limit, number + 1);
    if (fresh)
        make_fresh(b, &segment->item[bit], number);
}

enum pal_status bandit_count(struct bandit *b, uint32_t number, float weight, bool reward,
                             int64_t time_ms, struct pal_error *err)
{
    struct segment *segment;
    uint32_t first;
    if (!isfinite(weight) || number == UINT32_MAX)
        return pal_fail(err, PAL_EUSAGE, "a weight of %g for item %u can't be counted", weight,
                        number);
    if (weight == 0)
        return PAL_OK;
    enum pal_status st = need_segment(b, number, &segment, &first, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_t *lock = &b->stripe[number % STRIPES];
    pthread_mutex_lock(lock);
    struct bandit_sums sums = bandit_evidence(b, number);
    bandit_add(&b->o, &sums, weight, reward, time_ms);
    change(b, segment, first, number, &sums, reward && fabsf(weight) >= FRESH_WEIGHT);
    pthread_mutex_unlock(lock);
    return PAL_OK;
}

enum pal_status bandit_put(struct bandit *b, uint32_t number, const struct bandit_sums *sums,
                           struct pal_error *err)
{
    struct segment *segment;
    uint32_t first;
    if (number == UINT32_MAX)
        return pal_fail(err, PAL_EUSAGE, "item %u can't be counted", number);
    enum pal_status st = need_segment(b, number, &segment, &first, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_t *lock = &b->stripe[number % STRIPES];
    pthread_mutex_lock(lock);
    change(b, segment, first, number, sums, false);
    pthread_mutex_unlock(lock);
    return PAL_OK;
}

struct bandit_sums bandit_get(const struct bandit *b, uint32_t number)
{
    return bandit_evidence(b, number);
}

uint32_t bandit_limit(const struct bandit *b)
{
    return atomic_load_explicit(&b->limit, memory_order_acquire);
}

/* ---- for bandit_refresh ---- */

void bandit_repair(struct bandit *b, uint32_t number, int64_t now_ms)
{
    struct bandit_item *item = item_at(b, number);
    if (!item || atomic_load_explicit(&item->last_ms, memory_order_relaxed) <= now_ms)
        return;
    pthread_mutex_lock(&b->stripe[number % STRIPES]);
    struct bandit_sums e = bandit_evidence(b, number);
    e.last_ms = now_ms;
    put_evidence(item, &e);
    pthread_mutex_unlock(&b->stripe[number % STRIPES]);
}

void bandit_collect(struct bandit *b, uint32_t limit, uint8_t *changed)
{
    for (uint32_t number = 0; number < limit;) {
        uint32_t first;
        size_t s = segment_of(number, &first), items = segment_items(s);
        struct segment *segment = atomic_load_explicit(&b->segment[s], memory_order_acquire);
        for (size_t word = 0; segment && word < items / 64 && first + word * 64 < limit; word++) {
            uint64_t bits =
                atomic_load_explicit(&segment->changed[word], memory_order_relaxed)
                    ? atomic_exchange_explicit(&segment->changed[word], 0, memory_order_acquire)
                    : 0;
            for (; bits; bits &= bits - 1) {
                size_t at = first + word * 64 + (size_t)__builtin_ctzll(bits);
                if (at < limit)
                    changed[at] = 1;
            }
        }
        if (items > limit - first)
            break;
        number = first + (uint32_t)items;
    }
}

/* ---- the whole ---- */

enum pal_status bandit_new(const struct bandit_options *o, struct bandit **out,
                           struct pal_error *err)
{
    struct bandit *b = mem_zero(1, sizeof *b);
    if (!b)
        return pal_no_memory(err);
    b->o = *o;
    /* evidence that is so much too old is off by at most 1 in 370 */
    b->horizon_ms = o->half_life_days > 0 ? o->half_life_days * DAY_MS / 256 : INFINITY;
    atomic_store_explicit(&b->round, 1, memory_order_relaxed);
    pthread_mutex_init(&b->grow_lock, NULL);
    pthread_mutex_init(&b->pin_lock, NULL);
    pthread_mutex_init(&b->refresh_lock, NULL);
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&b->stripe[i], NULL);
    *out = b;
    return PAL_OK;
}

void bandit_free(struct bandit *b)
{
    if (!b)
        return;
    bandit_view_free(b->view);
    bandit_keeping_done(&b->keep);
    for (size_t s = 0; s < SEGMENTS; s++) {
        struct segment *segment = atomic_load_explicit(&b->segment[s], memory_order_relaxed);
        if (!segment)
            continue;
        mem_free(segment->item);
        mem_free(segment->changed);
        mem_free(segment);
    }
    pthread_mutex_destroy(&b->grow_lock);
    pthread_mutex_destroy(&b->pin_lock);
    pthread_mutex_destroy(&b->refresh_lock);
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&b->stripe[i]);
    mem_free(b);
}

static void clear_segment(struct segment *segment, size_t items)
{
    const struct bandit_sums none = {0};
    for (size_t i = 0; i < items; i++) {
        if (atomic_load_explicit(&segment->item[i].sequence, memory_order_relaxed) == 0)
            continue; /* never counted: memory that was never touched stays so */
        put_evidence(&segment->item[i], &none);
        segment->item[i].fresh_in = 0;
    }
    for (size_t i = 0; i < items / 64; i++)
        atomic_store_explicit(&segment->changed[i], 0, memory_order_relaxed);
}

void bandit_forget(struct bandit *b)
{
    pthread_mutex_lock(&b->refresh_lock);
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_lock(&b->stripe[i]);
    for (size_t s = 0; s < SEGMENTS; s++) {
        struct segment *segment = atomic_load_explicit(&b->segment[s], memory_order_acquire);
        if (segment)
            clear_segment(segment, segment_items(s));
    }
    atomic_store_explicit(&b->limit, 0, memory_order_relaxed);
    atomic_store_explicit(&b->asked, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&b->round, 1, memory_order_release);
    atomic_store_explicit(&b->fresh_count, 0, memory_order_relaxed);
    bandit_keeping_done(&b->keep);
    bandit_publish(b, NULL);
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_unlock(&b->stripe[i]);
    pthread_mutex_unlock(&b->refresh_lock);
}
