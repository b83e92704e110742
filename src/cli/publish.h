/* Training on everything and publishing the outcome as a version: palate train and demo. */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H

#include "cli/gate.h"
#include "registry/registry.h"

struct published {
    struct registry_version version;
    double train_s[PLAN_MOST]; /* by variant */
    uint64_t bytes[PLAN_MOST]; /* of the model's file */
    uint64_t peak_bytes;
};

/* Fits each variant on all of d and makes them version *out in the folder `root`: live, unless the
 * gate (NULL = there is none) holds it back. trials: what was measured of the same variants, or
 * NULL. Nothing is left behind on failure. */
MUST_USE enum pal_status publish(struct job *job, const struct dataset *d, const struct plan *plan,
                                 const struct trials *trials, const struct gate *gate,
                                 const char *root, uint64_t memory, struct published *out,
                                 struct pal_error *err);

/* Which models, how long they took, how large they are, and what the gate (NULL = none) said. */
void publish_say(struct console *c, const struct plan *plan, const struct published *p,
                 const struct gate *gate, const char *root);

/* Deletes the oldest versions until `keep` are left (0 = none is deleted), among them always the
 * live one, the one that it replaced, and the newest. *removed receives how many went. */
MUST_USE enum pal_status publish_prune(const char *root, int64_t keep, size_t *removed,
                                       struct pal_error *err);

#endif
