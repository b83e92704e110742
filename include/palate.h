/* palate.h: the embeddable recommender.
 *
 *     struct palate *p;
 *     pal_open("ml-1m", &p, &err);                    a data set, or NULL to begin with nothing
 *     pal_train(p, "als", "factors=128", &err);       learn
 *     pal_recommend(p, "42", 10, &list, &err);        ask
 *     pal_add_event(p, "42", "1193", "like", 1, 0, &err);   the next answer knows of it
 *
 * A user is a history: no model holds anything about users, so that an event counts from the very
 * next call, whether the model saw that user or not.
 *
 * Status and errors. A call that can fail returns an enum pal_status; it changes what its output
 * pointers point to, and the handle, only if that is PAL_OK. Every such call takes a struct
 * pal_error, which may be NULL, for a sentence about what failed. Any call may fail with
 * PAL_ENOMEM, any that reads or writes files also with PAL_EIO; other statuses are named with each
 * call. The library never prints, exits or aborts.
 *
 * Ownership. Texts and arrays given to the library are copied or only read during the call. What
 * it returns belongs to the caller, who frees it with the function named there, except for
 * `const char *`, which is said to be borrowed. All texts are UTF-8 and end with a NUL.
 *
 * Threads. There is no global state: different handles are independent. On one handle, the calls
 * that take a `const struct palate *` may run at once in any number of threads while none that
 * takes a plain `struct palate *` runs; pal_stop may be called at any time. The library starts no
 * threads unless pal_set_threads asks for them, and never keeps a lock while it calls back.
 *
 * The one public header of libpalate; C99 or C++. SPDX-License-Identifier: Apache-2.0 */
#ifndef PALATE_H
#define PALATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAL_API __attribute__((visibility("default")))

/* How a call ended. Every call that can fail returns one of these and, if it was given a struct
 * pal_error, a sentence that says what failed and what to do about it. */
enum pal_status {
    PAL_OK = 0,
    PAL_EUSAGE,    /* an argument or option that makes no sense: the caller's mistake */
    PAL_EFORMAT,   /* input that is not what its format promises; the message has file and line */
    PAL_ECORRUPT,  /* a file of palate's own that is damaged or truncated */
    PAL_ENOTFOUND, /* no such file, user, item or model */
    PAL_EIO,       /* the system refused to read or write: permission, full disk */
    PAL_ENOMEM,    /* memory could not be had, or a ceiling was reached */
    PAL_EINTERRUPTED, /* stopped because the caller asked for it */
    PAL_EUNSUPPORTED, /* this build, model or data set can't do that */
    PAL_EFULL,        /* a bound was reached for now: the same call may work later */
};

struct pal_error {
    enum pal_status status;
    char message[512]; /* one line, UTF-8, without a newline */
};

/* The library's version, "0.1.0"; the name of a status for machines, "ok", "usage", "format"…
 * Constants. */
PAL_API const char *pal_version(void);
PAL_API const char *pal_status_name(enum pal_status status);

/* ---- A handle: users, items, events, and the models trained on them ---- */

struct palate;

/* Opens the data set at `path`: a folder as published (MovieLens 100K, 1M and later, and others:
 * see `palate help import`), a CSV, TSV or JSON lines file, or a file of `palate import`; NULL
 * begins empty. *out is the caller's to close. PAL_ENOTFOUND if there is nothing at path,
 * PAL_EFORMAT with file and line if it can't be read. Takes a second for about two million events;
 * 4 to 13 bytes of memory each. */
PAL_API enum pal_status pal_open(const char *path, struct palate **out, struct pal_error *err);

/* Frees the handle and all that it holds; NULL is fine. Lists got from it stay valid. */
PAL_API void pal_close(struct palate *p);

/* How many threads training may use, the caller's included: 1 at first, 0 = one per core. */
PAL_API enum pal_status pal_set_threads(struct palate *p, unsigned threads, struct pal_error *err);

/* The seed of everything drawn at random: 1 at first. The same data, options and seed give the same
 * model, at any number of threads. */
PAL_API void pal_set_seed(struct palate *p, uint64_t seed);

/* Called during pal_train from its thread, often: be quick, and don't call the library with this
 * handle. stage is a constant such as "training"; total is 0 when unknown. A return value other
 * than 0 stops the work, as pal_stop does. NULL = nobody listens. */
typedef int (*pal_progress_fn)(void *ctx, const char *stage, uint64_t done, uint64_t total);
PAL_API void pal_set_progress(struct palate *p, pal_progress_fn fn, void *ctx);

/* Makes the pal_train that is running end soon with PAL_EINTERRUPTED; without one it does nothing.
 * May be called from any thread and from a signal handler. */
PAL_API void pal_stop(struct palate *p);

/* What events are worth, by type and value, as one signed weight each:
 *
 *     "like:1,dislike:-1,view:0.1,rating>=4:1,rating:-0.5,*:1"
 *
 * The rule with the event's type and the highest bound that its value reaches applies; "*" stands
 * for types that no other rule names. Positive weights are preferences, negative ones dislikes, 0
 * counts only as seen. NULL = what suits the data's format, which is also the state at first.
 * Counts from the next answer and the next pal_train. PAL_EUSAGE names a rule that can't be read.
 */
PAL_API enum pal_status pal_set_weights(struct palate *p, const char *rules, struct pal_error *err);

/* How many users, items and events the handle knows; any pointer may be NULL. */
PAL_API void pal_count(const struct palate *p, uint64_t *users, uint64_t *items, uint64_t *events);

/* ---- Data ---- */

/* Adds an item, or gives one that is known a new title and new categories. title: NULL or "" if it
 * has none. categories: names with '|' between them, "Comedy|Drama", or NULL. PAL_EUSAGE for an id
 * that is empty, longer than 256 bytes or not UTF-8. Known to the next answer: last in the order
 * until a model is trained that knows it. Cheap for a new item; for a known one O(all items). */
PAL_API enum pal_status pal_add_item(struct palate *p, const char *item_id, const char *title,
                                     const char *categories, struct pal_error *err);

/* Adds an event: user did something with item. Users and items not known yet are, from now on.
 * type: up to 31 bytes such as "like" (NULL means that), at most 32 different ones; see
 * pal_set_weights. value: a rating, a quantity; 1 where there is none. time_s: seconds since 1970;
 * 0 = now as far as the data go: not before any event so far. PAL_EUSAGE for an id as above, a
 * value that is not finite, or too many types. About 0.1 µs; 24 bytes until the next pal_train. */
PAL_API enum pal_status pal_add_event(struct palate *p, const char *user_id, const char *item_id,
                                      const char *type, float value, uint32_t time_s,
                                      struct pal_error *err);

/* The id of the item that a person means: by id, else by title, in whatever case, without its year,
 * with "The" before or behind: "matrix" finds "Matrix, The (1999)". *item_id is borrowed until the
 * handle next changes. PAL_ENOTFOUND lists the nearest titles if none or several match. */
PAL_API enum pal_status pal_find_item(const struct palate *p, const char *text,
                                      const char **item_id, struct pal_error *err);

/* ---- Models ---- */

/* Trains a model on all events: "als", "ease", "itemknn"… (see `palate help train`). options:
 * "factors=64,epochs=10", NULL or "" for the defaults. It replaces one of the same name. The first
 * model trained answers; pal_use chooses another. Besides, what is popular is counted, to answer
 * people without a history and to fill up short lists. On failure the models that were there stay.
 *
 * PAL_EUSAGE for an unknown model (lists those there are), option or value, or without any event;
 * PAL_ENOMEM before any work if it would take more memory than the machine has available;
 * PAL_EINTERRUPTED after pal_stop. Time and memory are the model's, which `palate help train`
 * tells. */
PAL_API enum pal_status pal_train(struct palate *p, const char *model, const char *options,
                                  struct pal_error *err);

/* Which model answers from now on: a name, "blend" for all of them together (by reciprocal rank),
 * or NULL for the first. PAL_ENOTFOUND lists what is there. */
PAL_API enum pal_status pal_use(struct palate *p, const char *model, struct pal_error *err);

/* Publishes the models and the catalog as a new version in the folder `path`, made if need be, and
 * makes it the live one: `palate recommend --models PATH` then answers from it. No users and no
 * events are written. PAL_EUSAGE before the first pal_train. */
PAL_API enum pal_status pal_save_model(struct palate *p, const char *path, struct pal_error *err);

/* Takes over the models of the live version in folder `path`, or of the version's own folder, in
 * place of any that are here; items that its catalog knows and the handle does not are added.
 * PAL_ENOTFOUND if there is no live version, PAL_ECORRUPT if a file is damaged. The files are
 * mapped, and must not be written to while the handle is open (published versions never are). */
PAL_API enum pal_status pal_load_model(struct palate *p, const char *path, struct pal_error *err);

/* ---- Answers ---- */

enum { PAL_REASONS = 3 };

struct pal_reason {
    const char *item_id, *title; /* of the user's history; title is the id if there is no title */
    float part;                  /* what it adds to the score */
};

struct pal_recommendation {
    const char *item_id, *title; /* title is the id if there is no title */
    float score;                 /* on the model's own scale: only their order means something */
    const char *source; /* the model that put it there, "popular" or "catalog" where it filled up */
    size_t reason_count;
    struct pal_reason reason[PAL_REASONS]; /* strongest first; what was liked and speaks for it */
};

/* One block with all its texts: valid until pal_list_free, even after pal_close. */
struct pal_list {
    size_t count;
    const struct pal_recommendation *item; /* (count), best first */
};

PAL_API void pal_list_free(struct pal_list *list); /* NULL is fine */

/* The n best items (0 = 10) that the user had nothing to do with yet; fewer only if there are no
 * more. A user who is not known, or who liked nothing that the model knows, is answered with what
 * is popular; before the first pal_train or pal_load_model, with the catalog in its order. Events
 * count from the moment they are added. Costs what scoring every item costs the model: with als
 * 0.3 ms for 20,000 items and 64 factors (measured on one core of a Zen 4). */
PAL_API enum pal_status pal_recommend(const struct palate *p, const char *user_id, size_t n,
                                      struct pal_list **out, struct pal_error *err);

/* The same for someone who is in no data set: item_ids (count), oldest first, each with a weight
 * (above 0 liked, below disliked, at most a million either way; weights NULL = all 1). Ids that are
 * not known are passed over. An item that is named twice counts by the rules for repeated events.
 * PAL_EUSAGE for an id that is NULL or a weight past that. */
PAL_API enum pal_status pal_recommend_for(const struct palate *p, const char *const *item_ids,
                                          const float *weights, size_t count, size_t n,
                                          struct pal_list **out, struct pal_error *err);

/* The n items (0 = 10) most like this one, without reasons. PAL_ENOTFOUND for an item that is not
 * known or that came after training, PAL_EUNSUPPORTED if no model here can tell. */
PAL_API enum pal_status pal_similar(const struct palate *p, const char *item_id, size_t n,
                                    struct pal_list **out, struct pal_error *err);

/* ---- Models by number: matrices in, arrays out ----
 *
 * For programs that hold what users did as a sparse matrix, users by rows, items by columns, and
 * that want thousands of answers at once: users and items are their numbers, nothing has an id. */

/* Compressed rows, as SciPy's csr_matrix has them: row r's entries are [start[r], start[r + 1]).
 * Columns may come in any order; one that is named again in a row adds to what was before. An entry
 * of 0 says nothing of the user's taste, yet marks the item as seen. Wherever rows are given:
 * PAL_EUSAGE, naming the row, for offsets that fall, columns that are not below cols, and values
 * that are not finite or past a million either way. */
struct pal_rows {
    uint32_t rows, cols;
    const int64_t *start; /* (rows + 1) from 0 */
    const int32_t *col;   /* (start[rows]) */
    const float *val;     /* (start[rows]) above 0 liked, below disliked; NULL = all 1 */
};

/* What training may use. Zeroed: a thread per core, seed 0, nobody listens. */
struct pal_work {
    unsigned threads; /* the caller's included; 0 = one per core */
    uint64_t seed;
    pal_progress_fn progress; /* may be NULL; see pal_set_progress */
    void *progress_ctx;
};

/* A model by itself. It does not change: any number of threads may ask it at once. */
struct pal_model;

/* Trains a model, named and set as for pal_train, on a matrix (users, items), which is only read
 * during the call. work may be NULL. Models that go by order take each row's as the user's. Fails
 * as pal_train does; PAL_EUNSUPPORTED for models of times and of what items are about, of which a
 * matrix says nothing. Takes 8 bytes an entry beside what the model takes where columns
 * are not ascending, or 4 where val is NULL. */
PAL_API enum pal_status pal_model_fit(const char *model, const char *options,
                                      const struct pal_rows *user_items,
                                      const struct pal_work *work, struct pal_model **out,
                                      struct pal_error *err);
PAL_API void pal_model_free(struct pal_model *m); /* NULL is fine */

/* A model in one file, written whole or not at all; any model file of palate's can be loaded, its
 * items numbered as they are in it. The file is mapped: leave it alone while the model lives.
 * Saving is no call to make beside others on the same model. PAL_ECORRUPT for a damaged file. */
PAL_API enum pal_status pal_model_save(struct pal_model *m, const char *path,
                                       struct pal_error *err);
PAL_API enum pal_status pal_model_load(const char *path, struct pal_model **out,
                                       struct pal_error *err);

PAL_API const char *pal_model_name(const struct pal_model *m); /* "als": a constant */
PAL_API uint32_t pal_model_items(const struct pal_model *m);

/* An array of floats that the model consists of, by its name in the file: "item_factors" (items,
 * factors) of als. *data (rows, cols) row-major, borrowed until the model is freed. PAL_ENOTFOUND
 * lists the names. */
PAL_API enum pal_status pal_model_array(const struct pal_model *m, const char *name,
                                        const float **data, uint64_t *rows, uint64_t *cols,
                                        struct pal_error *err);

/* What is wanted of each row. Zeroed but for n: the n best of all items, a thread per core. */
struct pal_ask {
    uint32_t n;
    unsigned threads;            /* 0 = one per core */
    const struct pal_rows *seen; /* left out of the answer of the same row; NULL = nothing is. May
                                    be the histories themselves; its values are not looked at */
    const int32_t *exclude;      /* (exclude_count) left out of every answer */
    size_t exclude_count;
    const int32_t *only; /* (only_count) all others are left out of every answer; NULL = none are */
    size_t only_count;
};

/* The best items for each of the histories (rows, items of the model), best first: items and scores
 * (rows, ask->n), caller's, row-major. Past the last item that there is: -1 and -FLT_MAX. The same
 * at any number of threads. PAL_EUSAGE for an n of 0, rows of another size, and an item that there
 * is not. Costs what scoring every item costs the model, but for als, bpr and item2vec, which look
 * only at what can be among the best. */
PAL_API enum pal_status pal_model_top(const struct pal_model *m, const struct pal_rows *histories,
                                      const struct pal_ask *ask, int32_t *items, float *scores,
                                      struct pal_error *err);

/* The items nearest to each of `items` (count), itself left out, in the same way: near and scores
 * (count, ask->n). ask->seen is for pal_model_top: PAL_EUSAGE here. PAL_EUNSUPPORTED if the model
 * can't tell. */
PAL_API enum pal_status pal_model_near(const struct pal_model *m, const int32_t *items,
                                       size_t count, const struct pal_ask *ask, int32_t *near,
                                       float *scores, struct pal_error *err);

/* Every score: scores (rows, items of the model), caller's. threads: 0 = one per core. */
PAL_API enum pal_status pal_model_score(const struct pal_model *m, const struct pal_rows *histories,
                                        unsigned threads, float *scores, struct pal_error *err);

/* What each entry of a history (one row) adds to an item's score: part (history->start[1]), 0 for
 * entries of 0; an item that is named twice has its whole part at each. PAL_EUNSUPPORTED if the
 * model can't tell. */
PAL_API enum pal_status pal_model_explain(const struct pal_model *m, const struct pal_rows *history,
                                          int32_t item, float *part, struct pal_error *err);

#ifdef __cplusplus
}
#endif
#endif
