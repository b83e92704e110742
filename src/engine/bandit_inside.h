/* What the parts of the bandit share: bandit.c (items and counting), bandit_view.c (the view that
 * draws read), bandit_draw.c (drawing), bandit_order.c (popular and trending).
 *
 * Threads: an item's numbers are written under one of STRIPES locks and read without any, by a
 * sequence counter per item. A view never changes once it is published; whoever reads one pins it,
 * and it is freed when it has been replaced and no pin is left. */
#ifndef ENGINE_BANDIT_INSIDE_H
#define ENGINE_BANDIT_INSIDE_H

#include "engine/bandit.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    STRIPES = 32,  /* bandit_forget takes all of them; the thread sanitizer follows 64 at most */
    SEGMENTS = 23, /* of 1024, 1024, 2048, 4096 … items: all 32-bit numbers */
    FIRST_SEGMENT = 1024,
    FRESH = 64,      /* items counted since the view was made that draws know of */
    RUNGS = 5,       /* thresholds with some 8 to 1280 items expected above */
    LEVELS = 40,     /* of chances from 1 down to 2^-40 */
    SIMULATED = 512, /* draws made in advance for propensities… */
    DEPTH = 48,      /* …each so deep… */
    QUANTILES = 16,  /* …and kept as so many quantiles of each place's variate */
    MEMO = 4096,     /* propensities that a view remembers; a power of two */
};

/* Evidence as of the moment `last`; it fades from there. */
struct bandit_item {
    _Atomic uint32_t sequence; /* odd while it is being written */
    uint32_t fresh_in;         /* under the stripe's lock: the round in which it became fresh */
    _Atomic double success, failure, popular, recent;
    _Atomic int64_t last_ms;
};

struct segment {
    struct bandit_item *item;
    _Atomic uint64_t *changed; /* a bit for each item counted since the last refresh */
};

/* An item with evidence and the chance that its draw lies above the rung's threshold. */
struct member {
    uint32_t number;
    float chance;
};

/* A threshold. Members lie in levels: those of level l have chances in (2^-(l+1), 2^-l]. */
struct rung {
    double y;            /* the threshold, a logit */
    double prior_chance; /* of an item without evidence */
    double expected;     /* the sum of all chances in the view's span */
    struct member *member;
    size_t start[LEVELS + 1]; /* level l is member[start[l]] to member[start[l + 1] - 1] */
    double
        ahead[LEVELS + 1]; /* the hazards of all members in levels 1 to l - 1; see bandit_draw.c */
};

/* What was computed for an item that came first, or as the n-th, of those looked at. Of two that
 * are written at once neither or one is found again: `check` says whom it belongs to. */
struct memo {
    _Atomic uint64_t value; /* bits of the propensity << 32 | number */
    _Atomic uint64_t check; /* value ^ how many were looked at * a constant */
};

struct order {
    uint32_t *number;
    size_t count;
};

struct view {
    unsigned pins; /* under bandit.pin_lock, with retired */
    bool retired;
    int64_t time_ms; /* posteriors are as of then */
    uint32_t round;  /* entries of the fresh list from this round on are newer than the view */
    uint32_t span;   /* items [0, span) are in it; those above have no evidence */
    size_t rungs;    /* how many of: fewer in small catalogs */
    struct rung rung[RUNGS];
    double hazard[LEVELS]; /* -ln(1 - 2^-l): of a member of level l */
    uint32_t *prior;       /* (priors) items of the span without evidence */
    size_t priors;
    size_t rows;   /* min(DEPTH + 1, span) */
    double *place; /* (rows, QUANTILES) row r: logits of the (r + 1)-th best of a draw */
    struct order popular, trending;
    struct memo *memo; /* (MEMO) */
    /* by place in the fresh list: bits of a chance << 32 | whose it is */
    _Atomic uint64_t fresh_memo[FRESH][RUNGS];
};

/* What bandit_refresh keeps between its calls, by item number; under refresh_lock. */
struct keeping {
    uint32_t items;             /* for how many there is room */
    float (*chance)[RUNGS];     /* [number][0] < 0: no evidence */
    double *popular, *trending; /* keys of the orders; -INFINITY: not in it */
    uint8_t *changed;
    double rung_y[RUNGS];
    double first_expected[RUNGS]; /* when the rungs were chosen… */
    double last_expected[RUNGS];  /* …and when draws were last made in advance */
    int64_t trending_ms;          /* when the trending keys were computed */
    int64_t refreshed_ms;
    uint64_t views; /* made so far: seeds the simulations */
    bool broken;    /* a refresh failed half-way: the next one computes everything anew */
};

struct bandit {
    struct bandit_options o;
    double horizon_ms; /* posteriors are never older than that */
    _Atomic(struct segment *) segment[SEGMENTS];
    pthread_mutex_t grow_lock, pin_lock, refresh_lock;
    pthread_mutex_t stripe[STRIPES];
    _Atomic uint32_t limit; /* 1 + the highest number counted */
    _Atomic uint32_t asked; /* the highest count that was drawn from */
    _Atomic uint32_t round; /* of the fresh list; from 1 */
    _Atomic uint32_t fresh_count;
    _Atomic uint64_t fresh[FRESH]; /* round << 32 | number */
    struct view *view;             /* under pin_lock */
    struct keeping keep;
};

/* ---- bandit.c ---- */

void bandit_raise(_Atomic uint32_t *at_least, uint32_t value);

/* All zeros for an item never counted. */
struct bandit_sums bandit_evidence(const struct bandit *b, uint32_t number);

/* Grows whenever the item is counted; 0 for one that never was. */
uint32_t bandit_sequence(const struct bandit *b, uint32_t number);

/* Brings an item that lies in the future (the clock was put back) to now. */
void bandit_repair(struct bandit *b, uint32_t number, int64_t now_ms);

/* Marks in changed (limit) what was counted since the last call. */
void bandit_collect(struct bandit *b, uint32_t limit, uint8_t *changed);

/* 2^-(age / half-life), 1 for a negative age or no half-life. */
double bandit_fade(double age_ms, double half_life_days);

/* Posterior of some evidence; false = it is the prior. */
bool bandit_beta(const struct bandit *b, const struct bandit_sums *e, int64_t now_ms, double *alpha,
                 double *beta);

/* ---- bandit_view.c ---- */

/* The newest view, made if there is none that serves `count` items at now_ms. Unpin it. */
MUST_USE enum pal_status bandit_pin(const struct bandit *b, uint32_t count, int64_t now_ms,
                                    struct view **out, struct pal_error *err);
/* Whichever is the newest; made only if there is none. */
MUST_USE enum pal_status bandit_pin_any(const struct bandit *b, int64_t now_ms, struct view **out,
                                        struct pal_error *err);
void bandit_unpin(const struct bandit *b, struct view *v);
void bandit_view_free(struct view *v);

/* Puts a view (NULL = none) in place of the one before; under refresh_lock. */
void bandit_publish(struct bandit *b, struct view *v);
void bandit_keeping_done(struct keeping *k);

/* ---- bandit_draw.c ---- */

struct drawn {
    double y;
    uint32_t number;
};

/* The best k <= v->span of n draws from a view alone (what is fresh left out). out (n, k) */
MUST_USE enum pal_status bandit_simulate(const struct bandit *b, const struct view *v, size_t k,
                                         size_t n, struct rng *rng, struct drawn *out,
                                         struct pal_error *err);

/* ---- bandit_order.c ---- */

/* Keys for the orders: higher comes first; -INFINITY = left out. */
double bandit_popular_key(const struct bandit *b, const struct bandit_sums *e);
double bandit_trending_score(const struct bandit *b, const struct bandit_sums *e, int64_t now_ms);

/* *out = the old order without changed items, merged with those of the n changed ones that have a
 * key. key by number; out->number is new. */
MUST_USE enum pal_status bandit_order_merge(const struct order *old, const double *key,
                                            const uint8_t *changed, const uint32_t *number,
                                            size_t n, struct order *out, struct pal_error *err);

#endif
