/* Cutting a data set into what a model may learn from and what it is judged by.
 *
 *   random:60/20/20     each interaction by itself; train/validation/test shares
 *   user:60/20/20       the same shares within each user, at random
 *   latest:60/20/20     the same shares within each user, by time: the newest are the test
 *   leave-one-out       each user's last interaction is test, the one before validation; who has
 *                       fewer than three is in training only
 *   time:80/10/10       by one point in time for all users; equal times stay on one side
 *   users:80/10/10      by user (strong generalization, Liang et al. 2018): held-out users train
 *                       nothing; 80 % of each one's history is given, the rest is to be found
 *   file                the parts that the publisher made
 *
 * Shares are positive numbers and mean their part of the sum; two of them ("80/20") mean no
 * validation part. Parts are cut where the running sum of shares, times the count, rounds to, so
 * random:… has the exact shares over all, user:… and latest:… within each user, whose first
 * interaction is always training. The same data, spec and seed give the same split. */
#ifndef DATA_SPLIT_H
#define DATA_SPLIT_H

#include "data/dataset.h"

struct split {
    char spec[64]; /* canonical: shares in per cent where those are short, else as given */
    uint64_t seed;
    struct interactions train; /* what models are fitted on */
    struct interactions given; /* held-out users' histories (users:…), start NULL otherwise */
    struct interactions valid; /* start NULL if there is none */
    struct interactions test;
    const struct negatives *negatives; /* borrowed from the data set; NULL if it has none */
};

/* Users and items keep the data set's numbers in every part. PAL_EUSAGE for a spec that can't be
 * read; PAL_EUNSUPPORTED where the data lack what it needs (times, a test file, enough
 * interactions for every part). Copies the interactions; linear time. Any thread. */
MUST_USE enum pal_status split_make(const struct dataset *d, const char *spec, uint64_t seed,
                                    struct split *out, struct pal_error *err);
void split_done(struct split *s); /* an all-zero struct is fine */

/* For tuning on the training part alone: *out splits s->train (never its test part) once more by
 * `spec`, and what it calls test is the validation part. The seed may be that of s: the draws are
 * others. */
MUST_USE enum pal_status split_inner(const struct dataset *d, const struct split *s,
                                     const char *spec, uint64_t seed, struct split *out,
                                     struct pal_error *err);

/* The ways to split, for help: an example ("random:60/20/20") and one line; NULL past the last. */
const char *split_example(size_t i);
const char *split_help(size_t i);

#endif
