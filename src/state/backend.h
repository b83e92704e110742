/* What a kind of server implements to hold live state; what the functions do is said in state.h. To
 * add a kind: one file with a table, and one line in src/cli/outside.c. */
#ifndef STATE_BACKEND_H
#define STATE_BACKEND_H

#include "base/scheme.h"
#include "state/state.h"

struct state_ops {
    struct scheme_kind kind; /* the first */
    /* url: all of it, as it was given */
    enum pal_status (*open)(const char *url, const struct state_options *o, size_t keep,
                            struct state **out, struct pal_error *away, struct pal_error *err);
    void (*close)(struct state *s);
    enum pal_status (*mend)(struct state *s, struct pal_error *err);
    enum pal_status (*look)(struct state *s, const char *user_id, const struct state_version *known,
                            struct arena *tmp, struct state_view *out, struct pal_error *err);
    enum pal_status (*fill)(struct state *s, const char *user_id, uint64_t token,
                            const struct event *events, size_t count, bool *filled,
                            struct pal_error *err);
    enum pal_status (*add)(struct state *s, const struct event *const *events, size_t count,
                           bool known_only, struct pal_error *err);
    enum pal_status (*show)(struct state *s, const struct state_shown *shown, size_t count,
                            struct arena *tmp, struct state_before *before, struct pal_error *err);
    enum pal_status (*erase)(struct state *s, const char *const *users, size_t count, bool stored,
                             struct pal_error *err);
    enum pal_status (*doubt)(struct state *s, const char *const *users, size_t count,
                             struct pal_error *err);
    enum pal_status (*clear)(struct state *s, bool counts, struct pal_error *err);
    enum pal_status (*count_up)(struct state *s, const struct state_fading *f, uint64_t generation,
                                const char *who, uint64_t batch, uint64_t seq,
                                const struct state_count *counts, size_t count, bool *taken,
                                struct pal_error *err);
    enum pal_status (*counted)(struct state *s, const struct state_fading *f, const char *who,
                               uint64_t generation, uint64_t mark, size_t most, struct arena *tmp,
                               struct state_counts *out, struct pal_error *err);
    enum pal_status (*count_lock)(struct state *s, const struct state_fading *f, const char *who,
                                  bool *mine, struct pal_error *err);
    enum pal_status (*count_put)(struct state *s, const struct state_fading *f, const char *who,
                                 uint64_t batch, uint64_t seq, const struct state_count *counts,
                                 size_t count, bool last, uint64_t *generation,
                                 struct pal_error *err);
    void (*status)(struct state *s, struct state_status *out);
};

/* The first member of every kind's own struct. */
struct state {
    const struct state_ops *ops;
};

/* Makes a kind known. Before any thread is started; the table lives as long as the process. */
void state_add_kind(const struct state_ops *ops);

#endif
