/* What a published version says of itself in manifest.json. */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "cli/command.h"

#include <jansson.h>

/* The whole manifest of the version in folder `dir`; free with json_decref. */
MUST_USE enum pal_status manifest_read(const char *dir, json_t **out, struct pal_error *err);

/* Adds to a manifest that was just written what differs from run to run and therefore stands in no
 * model file: when it was made and how long each model took (train_s, one for each, in order); and
 * how to find the data again: path, and the options that reading took, and the split by which the
 * metrics were measured (NULL = none were). */
MUST_USE enum pal_status manifest_complete(const char *dir, const struct job *job,
                                           const double *train_s, const char *split,
                                           struct pal_error *err);

/* Makes the job's data options those that the manifest recorded. */
MUST_USE enum pal_status manifest_use_source(const json_t *manifest, struct job *job,
                                             struct pal_error *err);

/* Members of an object, or "" and 0. */
const char *manifest_text(const json_t *object, const char *key);
int64_t manifest_int(const json_t *object, const char *key);

#endif
