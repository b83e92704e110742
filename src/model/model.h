/* Every algorithm behind one table of operations.
 *
 * A model scores items from a history, never from a stored row about a user: one code path serves
 * known users, newcomers, anonymous sessions and evaluation. What a model keeps is about items.
 * Fitting is deterministic at any thread count. A fitted or loaded model does not change: any
 * number of threads may score with it at once, each with an arena of its own. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/arena.h"
#include "base/options.h"
#include "base/run.h"
#include "data/dataset.h"
#include "data/tensors.h"
#include "math/csr.h"
#include "math/topk.h"

/* With how many events a user had an item, and when; times 0 = unknown. */
struct had {
    uint32_t times, first_s, last_s;
};

/* What one user did, oldest first, each item once, weights signed (see data/weights.h). */
struct history {
    size_t n;
    const uint32_t *item;  /* (n) */
    const float *weight;   /* (n) never 0 */
    uint32_t now_s;        /* the time of asking; 0 = unknown */
    const float *rating;   /* (n) the stars last given, NAN where none were; NULL: weights alone are
                              known */
    uint32_t last_s;       /* when the last of it was; 0 = unknown */
    const struct had *had; /* (n) NULL = unknown */
};

/* What a model learns from. Borrowed by fit for the time of the call. */
struct training {
    const struct items *items;       /* ids, titles, categories, tags */
    const struct interactions *log;  /* who did what when */
    const struct event_types *types; /* of log */
    const struct weights *weights;   /* what that is worth */
    struct csr by_user;              /* (users, items): the same as signed weights, folded */

    /* Models fitted on the same, for those that rank what others put forward (rank/rank.h). */
    const struct model *const *sources; /* (source_count) */
    size_t source_count;
};

/* Folds repeated events with an item into one signed weight: equal signs add up, an event of the
 * other sign replaces what was before it, weight 0 changes nothing. Both users of it, training and
 * serving, so agree. Writes the items in order of their last event to item and weight (room for n
 * each, not the inputs) and to *count how many remain. Scratch from the arena; linear time.
 * PAL_EUNSUPPORTED from 2^31 - 1 events on. */
MUST_USE enum pal_status history_fold(const uint32_t *items, const float *weights, size_t n,
                                      struct arena *tmp, uint32_t *item, float *weight,
                                      size_t *count, struct pal_error *err);

/* What one user did, event by event, oldest first. */
struct history_events {
    const uint32_t *item; /* (n) */
    const float *weight;  /* (n) */
    const float *rating;  /* (n) NAN where an event is no rating; NULL = none is */
    size_t n;
    const uint32_t *time_s; /* (n) NULL = unknown */
};

/* The history that they fold into; its arrays live in tmp. A rating counts wherever the item
 * remains, the last one of each item; so do all events that weigh something in how often and when
 * it was had. */
MUST_USE enum pal_status history_make(const struct history_events *in, struct arena *tmp,
                                      struct history *out, struct pal_error *err);

/* *out: those items of h that `number` has a number for (not INTERN_NONE), under it; its arrays
 * live in tmp, with room for all. */
typedef uint32_t history_number_fn(const void *ctx, uint32_t item);
MUST_USE enum pal_status history_renumber(const struct history *h, history_number_fn *number,
                                          const void *ctx, struct arena *tmp, struct history *out,
                                          struct pal_error *err);

/* User u's history out of x by the rules w, with ratings where there are events of that type; its
 * arrays live in tmp. */
MUST_USE enum pal_status history_of(const struct interactions *x, const struct event_types *types,
                                    const struct weights *w, uint32_t user, struct arena *tmp,
                                    struct history *out, struct pal_error *err);

/* *out (users, items): the log's signed weights, folded as by history_fold. Linear time. */
MUST_USE enum pal_status training_fold(const struct interactions *log,
                                       const struct event_types *types, const struct weights *w,
                                       const struct run *run, struct csr *out,
                                       struct pal_error *err);

/* Fills *out for fitting on log, which with the rest stays the caller's; training_done frees only
 * the matrix. */
MUST_USE enum pal_status training_make(const struct dataset *d, const struct interactions *log,
                                       const struct weights *w, const struct run *run,
                                       struct training *out, struct pal_error *err);
void training_done(struct training *t);

enum { /* struct model_ops can */
       MODEL_SIMILAR = 1,
       MODEL_EXPLAIN = 2,
       MODEL_PERSONAL = 4, /* scores depend on the history */
       MODEL_COARSE = 8,   /* gives many items one and the same score: its best few are a choice
                              among equals, which is the asker's to make */
       MODEL_RATES = 16,   /* predicts ratings: struct model_ops rate */
       MODEL_OWN = 32,     /* of the history it looks at each item for that item alone: none is
                              nearer for another's sake */
};

struct model {
    const struct model_ops *ops;
    void *options;        /* a copy of the struct that ops->options describes */
    struct intern ids;    /* the items it knows, in its own order: (ids.count) is its item count */
    struct str card;      /* model card, a JSON object, once saved or loaded; see model_card */
    struct tensors *file; /* it was loaded from; NULL for one just fitted */
    /* the algorithm's own fields follow in its own struct, whose first member this is */
};

struct model_ops {
    const char *name;  /* "als" */
    const char *title; /* "implicit alternating least squares" */
    const char *paper; /* where the method is from */
    unsigned can;
    struct opt_table options; /* no OPT_TEXT rows */
    const char *tuned; /* what palate tune searches unless told otherwise, as eval/space.h reads
                          it; NULL = every option, as far as its row allows */
    size_t options_size, model_size;

    /* Peak heap bytes of fit, as a function of the data. */
    uint64_t (*memory)(const void *options, uint64_t users, uint64_t items, uint64_t entries);

    /* The same, closer, where it depends on how the entries lie. NULL = memory. */
    uint64_t (*memory_for)(const void *options, const struct csr *by_user);

    /* Fills the algorithm's own fields of m, which is zeroed but for ops, options and ids (one for
     * each item of t). On failure `done` is called on what is there. */
    enum pal_status (*fit)(struct model *m, const struct training *t, const struct run *run,
                           struct pal_error *err);

    /* scores (n, item count) row-major: row i is for h[i]. Higher is better; every one finite. An
     * item in the history is scored like any other. */
    enum pal_status (*score)(const struct model *m, const struct history *h, size_t n,
                             float *scores, struct arena *tmp, struct pal_error *err);

    /* model_top without scoring every item: the same items, scores and order as by score, to the
     * bit; or *done = false where that would not pay. NULL = always by score. */
    enum pal_status (*retrieve)(const struct model *m, const struct history *h, const uint8_t *skip,
                                size_t k, struct arena *tmp, struct scored *out, size_t *count,
                                bool *done, struct pal_error *err);

    /* scores (item count): how near each item is to this one; -INFINITY where they have nothing in
     * common. NULL without MODEL_SIMILAR. */
    enum pal_status (*similar)(const struct model *m, uint32_t item, float *scores,
                               struct arena *tmp, struct pal_error *err);

    /* stars (n): the ratings that the history's user would give these items, within the range of
     * ratings learned from; NAN from a model that learned from weights. NULL without MODEL_RATES.
     */
    enum pal_status (*rate)(const struct model *m, const struct history *h, const uint32_t *item,
                            size_t n, float *stars, struct arena *tmp, struct pal_error *err);

    /* To similar what retrieve is to score; item itself is left out. NULL = always by similar. */
    enum pal_status (*nearest)(const struct model *m, uint32_t item, size_t k, struct arena *tmp,
                               struct scored *out, size_t *count, bool *done,
                               struct pal_error *err);

    /* part (h->n): how much each item of the history adds to item's score. NULL without
     * MODEL_EXPLAIN. */
    enum pal_status (*explain)(const struct model *m, const struct history *h, uint32_t item,
                               float *part, struct arena *tmp, struct pal_error *err);

    /* Adds the algorithm's tensors; they live until the model is freed. */
    enum pal_status (*save)(const struct model *m, struct tensors_out *out, struct pal_error *err);

    /* The reverse: m is as for fit. The file stays open (and mapped) until the model is freed. It
     * is whole (its checksum held), yet its numbers are still checked before they index anything.
     */
    enum pal_status (*load)(struct model *m, const struct tensors *file, struct pal_error *err);

    void (*done)(
        struct model *m); /* frees the algorithm's own fields, however far they are filled */
};

/* The table of models; NULL past the last, or for an unknown name. */
const struct model_ops *model_at(size_t i);
const struct model_ops *model_find(const char *name);

/* The same, with an error that lists the names. */
MUST_USE enum pal_status model_named(const char *name, const struct model_ops **out,
                                     struct pal_error *err);

/* options: a struct that ops->options describes; NULL = defaults. PAL_ENOMEM before any work if
 * ops->memory is past memory_limit bytes (0 = the memory that the machine has available).
 * PAL_EUNSUPPORTED if the data lack what the model learns from. run may be NULL. */
MUST_USE enum pal_status model_fit(const struct model_ops *ops, const void *options,
                                   const struct training *t, uint64_t memory_limit,
                                   const struct run *run, struct model **out,
                                   struct pal_error *err);
void model_free(struct model *m); /* NULL is fine */

static inline uint32_t model_items(const struct model *m)
{
    return m->ids.count;
}

/* Every score, as ops->score tells; history items are below model_items(m). */
MUST_USE enum pal_status model_score(const struct model *m, const struct history *h, size_t n,
                                     float *scores, struct arena *tmp, struct pal_error *err);

/* The best k items for a history, without those whose number has skip[item] set (NULL = none):
 * best first, into out (k); *count receives how many. */
MUST_USE enum pal_status model_top(const struct model *m, const struct history *h,
                                   const uint8_t *skip, size_t k, struct arena *tmp,
                                   struct scored *out, size_t *count, struct pal_error *err);

/* stars (n), see ops->rate; items are below model_items(m). PAL_EUNSUPPORTED without MODEL_RATES.
 */
MUST_USE enum pal_status model_rate(const struct model *m, const struct history *h,
                                    const uint32_t *item, size_t n, float *stars, struct arena *tmp,
                                    struct pal_error *err);

/* The k items nearest to this one, itself and those with nothing in common left out.
 * PAL_EUNSUPPORTED without MODEL_SIMILAR. */
MUST_USE enum pal_status model_similar(const struct model *m, uint32_t item, size_t k,
                                       struct arena *tmp, struct scored *out, size_t *count,
                                       struct pal_error *err);
/* part (h->n), see ops->explain. PAL_EUNSUPPORTED without MODEL_EXPLAIN. */
MUST_USE enum pal_status model_explain(const struct model *m, const struct history *h,
                                       uint32_t item, float *part, struct arena *tmp,
                                       struct pal_error *err);

/* What a model file says of itself besides its name, options and ids. All may be NULL or 0. */
struct model_card {
    const char *data;     /* the data set's name */
    uint64_t fingerprint; /* of it */
    const char *weights;  /* the rules */
    uint64_t seed;
    const char *metrics_json; /* an object, from evaluation */
    double train_seconds;
    uint64_t interactions;
    int64_t created_s; /* seconds since 1970 */
};

/* Writes a safetensors file, whole or not at all: the model's tensors, its item ids, and as
 * metadata "palate.model", "palate.options" (JSON), "palate.card" (JSON), "palate.version". The
 * same model and card give the same bytes. */
MUST_USE enum pal_status model_save(struct model *m, const struct model_card *card,
                                    const char *path, struct pal_error *err);
MUST_USE enum pal_status model_load(const char *path, struct model **out, struct pal_error *err);

/* The same for a table of algorithms other than this one. */
typedef const struct model_ops *model_find_fn(const char *name);
MUST_USE enum pal_status model_load_by(const char *path, model_find_fn *find, struct model **out,
                                       struct pal_error *err);

/* One name=value set: "factors=128" for a model's options struct. PAL_EUSAGE names the model, the
 * option, and what is allowed. */
MUST_USE enum pal_status model_set(const struct model_ops *ops, void *options, const char *name,
                                   const char *value, struct pal_error *err);

/* Appends the options as a JSON object. */
void model_options_json(const struct model_ops *ops, const void *options, struct str *out);

#endif
