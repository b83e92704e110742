/* Invented worlds: films with titles, genres and years, and users with tastes that drift.
 *
 * Items and users have latent vectors; a user sees items that are popular or near their taste,
 * and views, likes or dislikes them. The true preference is kept, so that a recommender can be
 * judged by what users would have liked, not only by what they happened to meet. */
#ifndef DATA_SYNTH_H
#define DATA_SYNTH_H

#include "base/options.h"
#include "base/run.h"
#include "data/dataset.h"

struct synth_options {
    int64_t users, items, events; /* events: about how many; at most half of all pairs */
    int64_t genres, latent;
    double drift; /* how far tastes wander over the span, in quarter turns; 0 = fixed */
    double noise; /* of a single opinion, as a standard deviation of preference */
    double liked; /* the share of all pairs of a user and a film that is liked */
    int64_t days; /* the time that the events span */
};
extern const struct opt_table synth_table; /* describes struct synth_options, with defaults */

struct world;

/* The same options and seed give the same world at any thread count. PAL_EUSAGE where the options
 * do not fit together. Takes 9 bytes per event and 4 * latent per item and twice that per user. */
MUST_USE enum pal_status world_new(const struct synth_options *o, uint64_t seed,
                                   const struct run *run, struct world **out,
                                   struct pal_error *err);
void world_free(struct world *w); /* NULL is fine */

/* The world's events as a data set of types "view", "like", "dislike", each user meeting an item
 * once; ids count from 1. Hands it over, the caller's to free: PAL_EUSAGE the second time. */
MUST_USE enum pal_status world_dataset(struct world *w, struct dataset **out,
                                       struct pal_error *err);

/* How much the user likes the item at a time (seconds since 1970), without noise: above 0 is a
 * like. Users and items by number in world_dataset's data set. Any thread. */
float world_preference(const struct world *w, uint32_t user, uint32_t item, uint32_t time_s);

#endif
