/* Ratings, for the models that predict them: how many stars, where other models see weights.
 *
 * Where the data have events of type "rating", their values are what is learned, the last one of a
 * user for an item; items that the user has otherwise (viewed, bought) count as seen. Where there
 * are none, the signed weights themselves are: likes and dislikes.
 *
 * A history that holds ratings is read in the same way. Of one that does not, as an engine keeps
 * them or a visitor says "like" and "dislike", each weight is read as the mean of the ratings that
 * had this weight in training; between two such weights by a straight line, beyond the outermost
 * like these. Weights of zero are in no history, so ratings worth 0 are not learned from.
 *
 * All of it leaves here centred: less the mean rating, in units of their deviation. What is below
 * the mean speaks against an item. */
#ifndef MODEL_STARS_H
#define MODEL_STARS_H

#include "model/model.h"

enum { STARS_KNOTS = WEIGHT_RULES + 2 };

struct stars {
    bool rated; /* learned from ratings, not from weights */
    float mean, deviation, low, high;
    uint32_t knots;                                 /* at least 1 */
    float weight[STARS_KNOTS], rating[STARS_KNOTS]; /* (knots) weights ascend */
};

/* *out = t->by_user with centred ratings for values, NAN where there is none. Its start and col are
 * t's; free val alone. PAL_EUNSUPPORTED when all ratings are alike. Linear time. */
MUST_USE enum pal_status stars_learn(const struct training *t, struct stars *s, struct csr *out,
                                     struct pal_error *err);

/* centred (h->n) */
void stars_read(const struct stars *s, const struct history *h, float *centred);

/* The rating that a centred one stands for, within the range of the ratings learned from. */
float stars_said(const struct stars *s, float centred);

/* Files: the tensors "ratings" and "ratings.weights". flat: room for what is saved, STARS_FLAT. */
enum { STARS_FLAT = 5 + 2 * STARS_KNOTS };
MUST_USE enum pal_status stars_save(const struct stars *s, float flat[STARS_FLAT],
                                    struct tensors_out *out, struct pal_error *err);
MUST_USE enum pal_status stars_load(const struct tensors *file, struct stars *s,
                                    struct pal_error *err);

#endif
