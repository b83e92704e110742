/* The models that answer, joined with the catalog: made whole, never changed, swapped in one step.
 *
 * A set of models is a loaded version, or the one content model that is fitted to the catalog while
 * running. Snapshots share sets; counting who does is for one thread at a time (live's `build`). */
#ifndef ENGINE_SNAPSHOT_H
#define ENGINE_SNAPSHOT_H

#include "engine/pipeline.h"
#include "engine/version.h"

struct model_set {
    unsigned users;   /* snapshots and others that hold it; freed by the last */
    uint32_t version; /* 0 = fitted here */
    int64_t created_ms, loaded_ms;
    size_t count;
    struct model *model[VERSION_MODELS];
    uint32_t items;              /* of the model that knows most */
    uint64_t bytes;              /* of its files, mapped; 0 for one fitted here */
    struct pal_error unattached; /* why a ranker of it can't be asked; status 0 = none or it can */
};

/* Loads all models of the version in the folder `dir`; one user. PAL_ECORRUPT for a damaged one. */
MUST_USE enum pal_status model_set_load(const char *dir, uint32_t version, int64_t now_ms,
                                        struct model_set **out, struct pal_error *err);

/* Takes over one model. */
MUST_USE enum pal_status model_set_of(struct model *m, int64_t now_ms, struct model_set **out,
                                      struct pal_error *err);
void model_set_drop(struct model_set *s); /* one user less; NULL is fine */

struct snapshot {
    struct model_set *base, *content; /* either may be NULL */
    struct source source[SOURCES_MOST];
    size_t count;
    struct source ranker;  /* model NULL = none whose sources are all there */
    uint32_t unmapped;     /* items of models that the catalog lacks */
    struct snapshot *next; /* in a list of those to free */
};

/* Looks up items of a model: for ids [from, to) their numbers in the catalog (or INTERN_NONE) and
 * whether to skip them (no number, not available), under whatever lock that takes. False to give
 * up. */
typedef bool snapshot_find_fn(void *ctx, const struct intern *ids, uint32_t from, uint32_t to,
                              uint32_t *number, uint8_t *skip);

/* Joins base and content with the first `mapped` items of a catalog. A model "content" of base is
 * left out where there is a fitted one. Sets get one user more. PAL_EINTERRUPTED if find gave up.
 */
MUST_USE enum pal_status snapshot_new(struct model_set *base, struct model_set *content,
                                      uint32_t mapped, snapshot_find_fn *find, void *ctx,
                                      struct snapshot **out, struct pal_error *err);

/* Item `number` was put or removed; or any of them may have been. While nobody reads. */
void snapshot_note(struct snapshot *s, const struct catalog *c, uint32_t number);
void snapshot_note_all(struct snapshot *s, const struct catalog *c);
void snapshot_free(struct snapshot *s); /* NULL is fine */

#endif
