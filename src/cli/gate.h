/* The gate: whether a newly trained version may take the live one's place.
 *
 * Both are judged on the same held-out events, of which neither may have seen any. The new models
 * are trained on the training part of the split for that, and the live version's once more, with
 * the options and the weights that its manifest records: that compares what was chosen, not how old
 * it is. A model that both have with the same options and weights is trained only once, so a loop
 * whose options stay compares nothing and costs nothing.
 *
 * The live version's files are never judged as they are, even where they have seen nothing of what
 * is held out: what people did since then was chosen from what that very version showed them, which
 * makes it look better than any other that would have shown something else.
 *
 * A version counts by its best model in the first metric. */
#ifndef CLI_GATE_H
#define CLI_GATE_H

#include "cli/trials.h"

#include <jansson.h>

struct gate {
    bool held_back;
    const char
        *how;      /* a constant: "first" (no version is live), "same", "retrained", "unmeasured" */
    double margin; /* how much worse it may be, as a share of live_value */
    char metric[32];
    double value, live_value; /* NAN where not measured */
    uint32_t live;            /* the live version; 0 = none */
    char message[400];        /* one sentence that says all of it */
};

/* Judges by job's --gate, against the live version in `root`. trials: of the new models; NULL if
 * they could not be measured, `why` saying why. A live version that can't be read or trained again
 * is no obstacle: it then is "unmeasured". */
MUST_USE enum pal_status gate_judge(struct job *job, const struct trials *trials, const char *why,
                                    const char *root, uint64_t memory, struct gate *out,
                                    struct pal_error *err);

/* As a JSON object for the manifest (NULL when memory is out), and as a member of an open one. */
json_t *gate_json(const struct gate *g);
void gate_emit(struct emit *e, const struct gate *g);

#endif
