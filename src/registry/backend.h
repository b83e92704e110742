/* What a kind of place for models implements to be a registry: one table of operations, which
 * registry.c finds by the root's text. What the functions do, take and may fail with is said in
 * registry.h. To add a kind: one file with a table; registry_add_kind makes it known. */
#ifndef REGISTRY_BACKEND_H
#define REGISTRY_BACKEND_H

#include "base/scheme.h"
#include "registry/registry.h"

#include <stdbool.h>

struct registry_ops {
    struct scheme_kind kind; /* the first */
    enum pal_status (*begin)(const char *root, struct registry_version *out, struct pal_error *err);
    enum pal_status (*publish)(const char *root, struct registry_version *v, int activate,
                               struct pal_error *err);
    void (*abandon)(const char *root, struct registry_version *v);
    enum pal_status (*current)(const char *root, struct registry_version *out,
                               struct pal_error *err);
    enum pal_status (*last)(const char *root, struct registry_version *out, struct pal_error *err);
    enum pal_status (*find)(const char *root, uint32_t number, struct registry_version *out,
                            struct pal_error *err);
    enum pal_status (*activate)(const char *root, uint32_t number, struct pal_error *err);
    enum pal_status (*remove)(const char *root, uint32_t number, struct pal_error *err);
    enum pal_status (*list)(const char *root, struct registry_version **out, size_t *count,
                            struct pal_error *err);
    enum pal_status (*folder)(const char *root, char *out, size_t size, struct pal_error *err);
};

extern const struct registry_ops registry_folder;

/* ---- What kinds say alike (registry.c) ---- */

#define REGISTRY_MANIFEST "manifest.json"
#define REGISTRY_CURRENT  "CURRENT"

/* The number that [text, end) spells; 0 if it is none that a version can have. */
uint32_t registry_number(const char *text, const char *end);
/* PAL_ENOTFOUND: there is no version of that number, with those there are. */
enum pal_status registry_missing(const char *root, uint32_t number, struct pal_error *err);
/* PAL_ENOTFOUND: none is live. */
enum pal_status registry_none_live(const char *root, struct pal_error *err);
/* PAL_EUSAGE: v, which is to be published, has no manifest; else PAL_OK. */
MUST_USE enum pal_status registry_check_whole(const struct registry_version *v,
                                              struct pal_error *err);
/* Puts n versions in order. */
void registry_sort(struct registry_version *all, size_t n);

/* ---- Versions in a local folder (folder.c): what kinds that keep copies build on ---- */

/* The file's lock, made if need be; tries of 20 ms. *fd = -1 when somebody else holds it. */
MUST_USE enum pal_status folder_lock(const char *path, int tries, int *fd, struct pal_error *err);
/* Makes ROOT/000007.new for a builder. */
MUST_USE enum pal_status folder_make(const char *root, uint32_t number,
                                     struct registry_version *out, struct pal_error *err);
/* Removes what folder_make made; nothing for another one. v is zeroed. */
void folder_abandon(const char *root, struct registry_version *v);
/* Removes what builders that are dead left in root. */
MUST_USE enum pal_status folder_sweep(const char *root, struct pal_error *err);
/* Removes a folder that holds files only. */
void folder_drop(const char *path);
/* ROOT/000007SUFFIX */
MUST_USE enum pal_status folder_version(char path[PATH_MAX], const char *root, uint32_t number,
                                        const char *suffix, struct pal_error *err);
/* The number of a name that folder_version makes; 0 for another one. */
uint32_t folder_number(const char *name, const char *suffix);
/* Whether the folder `dir` holds a file of that name. */
bool folder_holds(const char *dir, const char *name);
/* As durable as the file system makes it. */
void folder_sync(const char *path);

#endif
