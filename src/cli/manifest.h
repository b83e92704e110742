/* What a published version says of itself in manifest.json. */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "cli/command.h"

#include <jansson.h>

/* The whole manifest of the version in folder `dir`; free with json_decref. */
MUST_USE enum pal_status manifest_read(const char *dir, json_t **out, struct pal_error *err);

struct gate;
struct trials;

/* What differs from run to run and therefore stands in no model file. */
struct manifest_extra {
    const double *train_s;         /* how long each model took, in order */
    const char *split;             /* by which the metrics were measured; NULL = none were */
    const struct trials *compared; /* goes in whole as "comparison", as palate eval has it, for the
                                      figures of the version's report; NULL = nothing was */
    uint32_t replaces;             /* the version that was live; 0 = none, or this one isn't */
    uint32_t newest_s;             /* when the latest event was; 0 = unknown */
    const struct gate *gate;       /* NULL = nobody asked for one */
};

/* Adds that to a manifest that was just written; when it was made; and how to find the data again:
 * path, and the options that reading took. */
MUST_USE enum pal_status manifest_complete(const char *dir, const struct job *job,
                                           const struct manifest_extra *extra,
                                           struct pal_error *err);

/* Makes the job's data options those that the manifest recorded. */
MUST_USE enum pal_status manifest_use_source(const json_t *manifest, struct job *job,
                                             struct pal_error *err);

/* The data's path as it is found from any folder, as "source" has it; NULL when memory is out. */
json_t *manifest_place(const char *path);

/* Whether the gate kept the version from going live when it was made. */
bool manifest_held_back(const json_t *manifest);

/* Members of an object, or "" and 0. */
const char *manifest_text(const json_t *object, const char *key);
int64_t manifest_int(const json_t *object, const char *key);

#endif
