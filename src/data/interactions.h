/* What users did, as histories: for each user, in order of time, which item, how, when.
 *
 * 4 bytes per interaction for bare lists of items, 13 at most, and 8 per user: a column that says
 * nothing (all values 1, no times, one event type) is not stored. */
#ifndef DATA_INTERACTIONS_H
#define DATA_INTERACTIONS_H

#include "base/error.h"
#include "base/run.h"

#include <stdbool.h>

struct interactions {
    uint32_t users, items;
    uint64_t *start;  /* (users + 1): user u's history is [start[u], start[u + 1]) */
    uint32_t *item;   /* (count); oldest first within a user, equal times in the order read */
    float *value;     /* (count) rating, quantity…; NULL = all 1 */
    uint32_t *time_s; /* (count) seconds since 1970 UTC; NULL = unknown (the order still holds) */
    uint8_t *type;    /* (count) index into struct dataset's types; NULL = all 0 */
};

static inline uint64_t interactions_count(const struct interactions *x)
{
    return x->start ? x->start[x->users] : 0;
}
static inline float interactions_value(const struct interactions *x, uint64_t i)
{
    return x->value ? x->value[i] : 1.0f;
}
static inline uint32_t interactions_time(const struct interactions *x, uint64_t i)
{
    return x->time_s ? x->time_s[i] : 0;
}
static inline uint8_t interactions_type(const struct interactions *x, uint64_t i)
{
    return x->type ? x->type[i] : 0;
}

void interactions_done(struct interactions *x); /* an all-zero struct is fine */

/* Bytes of heap that it holds. */
uint64_t interactions_bytes(const struct interactions *x);

/* *out = those interactions i of x for which keep[label[i]] is non-zero; all users and items stay
 * numbered as they are. label (count), keep (256). */
MUST_USE enum pal_status interactions_select(const struct interactions *x, const uint8_t *label,
                                             const uint8_t keep[256], struct interactions *out,
                                             struct pal_error *err);

/* Rows in any order, collected and then sorted into histories. 16 bytes a row while it grows (17
 * when there are several event types), in blocks that are freed as they are sorted in. */
struct row {
    uint32_t user, item;
    float value;
    uint32_t time_s;
};
struct rows;

MUST_USE enum pal_status rows_new(struct rows **out, struct pal_error *err);
void rows_free(struct rows *r); /* NULL is fine */
MUST_USE enum pal_status rows_add(struct rows *r, struct row row, uint8_t type,
                                  struct pal_error *err);
uint64_t rows_count(const struct rows *r);

/* Sorts all rows into *out, which gets `users` x `items`, and empties r. has_times: false if the
 * rows' times mean nothing and the order of arrival is the order. */
MUST_USE enum pal_status rows_finish(struct rows *r, uint32_t users, uint32_t items, bool has_times,
                                     struct interactions *out, struct pal_error *err);

#endif
