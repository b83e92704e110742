/* What a published version says of itself in manifest.json. */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include "cli/command.h"

#include <jansson.h>

/* The whole manifest of the version in folder `dir`; free with json_decref. */
MUST_USE enum pal_status manifest_read(const char *dir, json_t **out, struct pal_error *err);

/* Adds to a manifest that was just written how to find the data again (path, and the options that
 * reading took), and by which split the metrics were measured (NULL = none were). */
MUST_USE enum pal_status manifest_add_source(const char *dir, const struct job *job,
                                             const char *split, struct pal_error *err);

/* Makes the job's data options those that the manifest recorded. */
MUST_USE enum pal_status manifest_use_source(const json_t *manifest, struct job *job,
                                             struct pal_error *err);

/* Members of an object, or "" and 0. */
const char *manifest_text(const json_t *object, const char *key);
int64_t manifest_int(const json_t *object, const char *key);

#endif
