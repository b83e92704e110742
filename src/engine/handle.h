/* The inside of struct palate (see palate.h), for the files of this folder.
 *
 * palate.c makes, trains, saves and loads; collect.c takes in items and events; ask.c answers;
 * card.c remembers what each model was trained on. matrix.h is about handles without ids. */
#ifndef ENGINE_HANDLE_H
#define ENGINE_HANDLE_H

#include "engine/recommender.h"
#include "engine/version.h"

/* An event that came after the data set was last put in order. */
struct added {
    uint32_t user, item;
    float value;
    uint32_t time_s;
    uint32_t before; /* the user's event before this one in `added`, its place + 1; 0 = none */
    uint8_t type;
};

/* What to write about a model when it is saved; the texts are owned and may be NULL. */
struct card {
    struct model_card card; /* its texts point to those below */
    char *data, *weights, *metrics;
};

struct palate {
    struct dataset *d;   /* the catalog is always current; `all` lacks what is in `added` */
    struct added *added; /* (added_count) in the order they came */
    size_t added_count, added_cap;
    uint32_t *last; /* (last_count) by user: place + 1 of the last one in `added`; 0 = none */
    size_t last_count, last_cap;
    uint32_t latest_s; /* of all events; 0 = none has a time */

    char *rules; /* what events are worth, as text and parsed */
    struct weights weights;
    uint64_t seed;
    struct pool *pool; /* NULL = the caller's thread alone */
    pal_progress_fn progress;
    void *progress_ctx;
    atomic_int stop;

    struct recommender *r;            /* over d->items */
    struct card card[VERSION_MODELS]; /* by place of the model in r */
    char use[VERSION_NAME];           /* the model that answers; "" = the first */
};

/* "factors=64,epochs=10" (NULL = the defaults) into the struct that the model's options describe.
 */
MUST_USE enum pal_status options_read(const struct model_ops *ops, const char *text, void *options,
                                      struct pal_error *err);

/* Puts `added` into d->all. */
MUST_USE enum pal_status collect_events(struct palate *p, struct pal_error *err);

/* d's items and those of `other` that it lacks, as a new catalog. */
MUST_USE enum pal_status collect_catalog(const struct palate *p, const struct items *other,
                                         struct items *out, struct pal_error *err);

/* What user did, folded, and every item that they had to do with. All empty for an unknown one. */
MUST_USE enum pal_status collect_history(const struct palate *p, const char *user_id,
                                         struct arena *tmp, struct history *out,
                                         const uint32_t **seen, size_t *seen_count,
                                         struct pal_error *err);

/* Copies the texts of `from`. */
MUST_USE enum pal_status card_make(const struct model_card *from, struct card *out,
                                   struct pal_error *err);

/* What a loaded model's own card says; empty where it says nothing. */
MUST_USE enum pal_status card_read(const struct model *m, struct card *out, struct pal_error *err);
void card_done(struct card *c);

#endif
