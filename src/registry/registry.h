/* Published models: a folder with one folder per version.
 *
 *     models/CURRENT                the live version's number, switched by one rename
 *     models/000007/manifest.json   what was trained on what, and how good it is
 *     models/000007/als.safetensors one file per model
 *     models/000007/catalog.palate  the items' ids, titles, categories: recommend needs no data set
 *
 * A version is built in a folder of its own name with ".new" behind it and renamed when it is
 * whole: a reader never sees a half. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "base/error.h"

#include <limits.h>

struct registry_version {
    uint32_t number;
    char path[PATH_MAX];
};

/* Begins a new version: *out gets its number and the folder to write to. */
MUST_USE enum pal_status registry_begin(const char *root, struct registry_version *out,
                                        struct pal_error *err);

/* The folder is whole: gives it its final name (path is updated) and, if activate, makes it live.
 */
MUST_USE enum pal_status registry_publish(const char *root, struct registry_version *v,
                                          int activate, struct pal_error *err);

/* Removes what registry_begin made. */
void registry_abandon(struct registry_version *v);

/* The live version; PAL_ENOTFOUND says to run `palate train`. */
MUST_USE enum pal_status registry_current(const char *root, struct registry_version *out,
                                          struct pal_error *err);

/* Makes an existing version live. */
MUST_USE enum pal_status registry_activate(const char *root, uint32_t number,
                                           struct pal_error *err);

/* All whole versions, ascending; *out is the caller's to free with mem_free. */
MUST_USE enum pal_status registry_list(const char *root, struct registry_version **out,
                                       size_t *count, struct pal_error *err);

#endif
