/* Published models: a place with one folder per version. `root` says where: a folder's path, or a
 * URL such as s3://BUCKET/PREFIX, where a kind for it was registered (s3.h). As a folder:
 *
 *     models/CURRENT                the live version's number, switched by one rename
 *     models/000007/manifest.json   what was trained on what, and how good it is; written last
 *     models/000007/als.safetensors one file per model
 *     models/000007/catalog.palate  the items' ids, titles, categories: recommend needs no data set
 *
 * A version is built in a folder of its own name with ".new" behind it and renamed when it is
 * whole: a reader never sees a half. Any number of processes may read, build and publish at once;
 * what a builder that died has left behind is swept away by the next one. A folder without a
 * manifest.json is no version. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "base/error.h"

#include <limits.h>

struct registry_version {
    uint32_t number; /* from 1; 0 = none, so that a zeroed struct is a valid empty one */
    int lock;        /* while it is being built: held, so that nobody takes it for abandoned */
    char path[PATH_MAX];
};

/* Begins a new version: *out gets its number, higher than any there is, and the folder to write
 * to, which is empty but for a file ".lock". Makes root if need be. End with registry_publish or
 * registry_abandon. */
MUST_USE enum pal_status registry_begin(const char *root, struct registry_version *out,
                                        struct pal_error *err);

/* The folder is whole (PAL_EUSAGE if it has no manifest.json): gives it its final name (path is
 * updated) and, if activate, makes it live. On failure it is still the caller's to abandon, unless
 * only making it live failed: then it is published and stays. */
MUST_USE enum pal_status registry_publish(const char *root, struct registry_version *v,
                                          int activate, struct pal_error *err);

/* Removes what registry_begin made; nothing for a published or zeroed one. */
void registry_abandon(const char *root, struct registry_version *v);

/* The live version, whole and on this machine. PAL_ENOTFOUND when there is none, PAL_ECORRUPT when
 * CURRENT is damaged or names a version that is gone: neither is guessed at, since a newer version
 * may have been kept from going live on purpose. Cheap enough to be asked every second: as long as
 * nothing changes, a file that is read, or one request to the server. */
MUST_USE enum pal_status registry_current(const char *root, struct registry_version *out,
                                          struct pal_error *err);

/* The version that was live when this machine last heard of it: what to start with while the server
 * is away. Asks nobody; PAL_ENOTFOUND if nothing was heard yet. */
MUST_USE enum pal_status registry_last(const char *root, struct registry_version *out,
                                       struct pal_error *err);

/* The version of that number, whole and on this machine; PAL_ENOTFOUND lists those that exist. */
MUST_USE enum pal_status registry_find(const char *root, uint32_t number,
                                       struct registry_version *out, struct pal_error *err);

/* Makes an existing version live. */
MUST_USE enum pal_status registry_activate(const char *root, uint32_t number,
                                           struct pal_error *err);

/* Deletes a version that is not live (PAL_EUSAGE for the live one), with all its files; who has
 * them mapped keeps them. PAL_ENOTFOUND if there is none of that number. After the one with the
 * highest number the next version gets that number again. */
MUST_USE enum pal_status registry_remove(const char *root, uint32_t number, struct pal_error *err);

/* All whole versions, ascending; *out is the caller's to free with mem_free. A root that does not
 * exist has none. Their paths hold the manifest; registry_find brings the rest. */
MUST_USE enum pal_status registry_list(const char *root, struct registry_version **out,
                                       size_t *count, struct pal_error *err);

/* The local folder that belongs to a root, for what is kept beside the versions on this machine:
 * the root itself, or where copies of a server's versions lie. It need not be there yet. */
MUST_USE enum pal_status registry_local(const char *root, char *out, size_t size,
                                        struct pal_error *err);

/* Makes one more kind known, for the whole process; before any thread uses a registry. */
struct registry_ops;
void registry_add_kind(const struct registry_ops *ops);

#endif
