/* What a kind of database implements to be a store: one table of operations, which store.c finds by
 * the URL. What the functions do, take and may fail with is said in store.h. To add a kind: one
 * file with a table, and one line in src/cli/outside.c. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "base/scheme.h"
#include "store/store.h"

/* Events may lie elsewhere than the rest (clickhouse.c). The store with the rest is then the one
 * that orders: of an event whose change says `elsewhere` it keeps the names of user, item and type,
 * as if it were stored, and draws a place for it, but no more: neither row nor id. Its mark, which
 * is moved by a transaction's commit, tells which places count. */
struct gather;

struct store_ops {
    struct scheme_kind kind; /* the first */
    /* place: what stands behind the colon, not empty */
    enum pal_status (*open)(const char *place, bool read_only, struct store **out,
                            struct pal_error *err);
    void (*close)(struct store *s);
    enum pal_status (*cache)(struct store *s, int64_t bytes, struct pal_error *err);
    const char *(*path)(const struct store *s); /* NULL = there never is one */
    /* note NULL = none */
    enum pal_status (*apply)(struct store *s, const struct store_change *changes, size_t count,
                             uint64_t seq, const char *note, const char *text, size_t *repeated,
                             struct pal_error *err);
    enum pal_status (*position)(struct store *s, uint64_t *seq, struct pal_error *err);
    bool shared;
    enum pal_status (*source)(struct store *s, const char *journal, struct pal_error *err);
    enum pal_status (*take)(struct store *s, const struct store_change *changes, size_t count,
                            const struct store_reach *reaches, size_t reach_count, size_t *repeated,
                            struct pal_error *err);
    enum pal_status (*reaches)(struct store *s, const char *journal, struct store_reach *out,
                               size_t most, size_t *count, struct pal_error *err);
    enum pal_status (*mark)(struct store *s, uint64_t *mark, struct pal_error *err);
    enum pal_status (*follow)(struct store *s, uint64_t *mark, size_t most, store_record_fn *fn,
                              void *ctx, struct pal_error *err);
    enum pal_status (*user_events)(struct store *s, const char *user_id, uint64_t before,
                                   size_t most, store_event_fn *fn, void *ctx,
                                   struct pal_error *err);
    enum pal_status (*user_count)(struct store *s, const char *user_id, uint64_t *events,
                                  struct pal_error *err);
    enum pal_status (*events)(struct store *s, uint64_t after, store_event_fn *fn, void *ctx,
                              struct pal_error *err);
    /* id NULL = all */
    enum pal_status (*items)(struct store *s, const char *item_id, store_item_fn *fn, void *ctx,
                             struct pal_error *err);
    enum pal_status (*deleted_items)(struct store *s, store_item_fn *fn, void *ctx,
                                     struct pal_error *err);
    enum pal_status (*users)(struct store *s, const char *user_id, store_user_fn *fn, void *ctx,
                             struct pal_error *err);
    enum pal_status (*served)(struct store *s, const char *user_id, size_t most,
                              store_served_fn *fn, void *ctx, struct pal_error *err);
    enum pal_status (*all_served)(struct store *s, store_served_fn *fn, void *ctx,
                                  struct pal_error *err);
    enum pal_status (*types)(struct store *s, struct event_types *out, struct pal_error *err);
    enum pal_status (*counts)(struct store *s, struct store_counts *out, struct pal_error *err);
    enum pal_status (*dataset)(struct store *s, const struct store_change *more, size_t count,
                               const struct run *run, struct dataset **out, uint64_t *position,
                               struct pal_error *err);
    /* What orders for events elsewhere; NULL = it can't. Makes a gather (see gather.h) that has all
     * items, users and types, as of the same moment as *position and *mark. */
    enum pal_status (*frame)(struct store *s, const struct store_change *more, size_t count,
                             const struct run *run, struct gather **out, uint64_t *position,
                             uint64_t *mark, struct pal_error *err);
    /* Makes this process the one that may write, among those that share it, until it says false;
     * NULL = no other can. A transaction that is committed meanwhile is this process's. */
    enum pal_status (*hold)(struct store *s, bool on, struct pal_error *err);
    enum pal_status (*put_note)(struct store *s, const char *name, const char *text,
                                struct pal_error *err);
    enum pal_status (*note)(struct store *s, const char *name, char **out, struct pal_error *err);
    enum pal_status (*backup)(struct store *s, const char *path, const struct run *run,
                              struct pal_error *err);
    enum pal_status (*restore)(const char *place, const char *backup, struct pal_error *err);
    enum pal_status (*forget_served)(struct store *s, int64_t before_ms, uint64_t *deleted,
                                     struct pal_error *err);
};

/* The first member of every kind's own struct. */
struct store {
    const struct store_ops *ops;
};

extern const struct store_ops store_sqlite;
/* In the binary only, where libpq was there when it was built. */
extern const struct store_ops store_postgres, store_postgresql;

/* A moment, by which changes are told earlier from later: milliseconds (now, for one that did not
 * come through a stream), and behind them the lowest 20 bits of the number in the journal. */
int64_t change_at(const struct store_change *c);
/* Users who were erased so long before another are forgotten. */
#define CHANGE_ERASED_KEPT ((int64_t)30 * 24 * 3600 * 1000 << 20)

/* Makes a further kind known. Before any thread is started; the table lives as long as the process.
 */
void store_add_kind(const struct store_ops *ops);

#endif
