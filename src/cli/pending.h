/* What a server took in and its store does not have yet: read from the journal. */
#ifndef CLI_PENDING_H
#define CLI_PENDING_H

#include "cli/command.h"
#include "store/store.h"

/* Changes in order; their texts live in `bytes`. An all-zero one is empty. */
struct pending {
    struct arena bytes;
    struct store_change *change; /* (count) */
    size_t count, cap;
};

/* Reads the journal (--journal, or the folder beside the store) behind the store's position. To be
 * called before the store itself is read: what is drained in the meantime is then in both, and the
 * store passes over what it has. Read the other way round, records could leave the journal unseen.
 * Of a journal that leads into a stream it is what has not been published: what is in the stream
 * itself is seen once it has come out of it. */
MUST_USE enum pal_status pending_read(const struct job *job, struct store *s, struct pending *out,
                                      struct pal_error *err);
void pending_done(struct pending *p);

#endif
