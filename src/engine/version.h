/* A version's folder (see registry/registry.h): writing and reading what is in it. */
#ifndef ENGINE_VERSION_H
#define ENGINE_VERSION_H

#include "model/model.h"

struct version_part {
    struct model *model; /* borrowed; its card is filled in */
    struct model_card card;
};

/* Writes the catalog, each model and last the manifest to the folder `dir`, which is there. The
 * first part is the model that answers where nobody names one. PAL_EUSAGE for no model or two of
 * one name.
 *
 *     {"palate": "0.1.0", "created_s": 1722470400, "data": "ml-1m", "fingerprint": "00c0ffee…",
 *      "weights": "rating>=4:1,…", "interactions": 575281, "items": 3706,
 *      "models": [{"name": "als", "file": "als.safetensors", "options": {…}, "seed": 1,
 *                  "train_seconds": 1.5, "metrics": {…}}, …]}
 *
 * A ranker has a member "ranker" besides: see ranker_describe (rank/rank.h). */
MUST_USE enum pal_status version_write(const char *dir, const struct items *items,
                                       const struct version_part *parts, size_t count,
                                       struct pal_error *err);

enum { VERSION_MODELS = 32, VERSION_NAME = 32 };

/* What a version holds: its models' names, the one that answers first (name.safetensors is its
 * file), and its age. */
struct version_names {
    int64_t created_s; /* when it was trained; 0 = it does not say */
    size_t count;
    char name[VERSION_MODELS][VERSION_NAME];
};

/* The model, or ranker, in DIR/name.safetensors, which must be of that name. */
MUST_USE enum pal_status version_load(const char *dir, const char *name, struct model **out,
                                      struct pal_error *err);

/* Gives the rankers among the models (count) their sources. One whose are not all there stays
 * without and can't be asked; *err, which may be NULL, then says so. Returns how many can be. */
size_t version_attach(struct model *const *models, size_t count, struct pal_error *err);

/* Reads the manifest; PAL_ECORRUPT if it can't be understood. */
MUST_USE enum pal_status version_models(const char *dir, struct version_names *out,
                                        struct pal_error *err);

/* The items' ids, titles, categories, tags and attributes as a file of their own. */
MUST_USE enum pal_status catalog_write(const struct items *items, const char *path,
                                       struct pal_error *err);
MUST_USE enum pal_status catalog_read(const char *path, struct items *out, struct pal_error *err);

#endif
