/* A transaction of the PostgreSQL store's writer, as its files share it. */
#ifndef STORE_POSTGRES_TX_H
#define STORE_POSTGRES_TX_H

#include "store/postgres.h"

/* Ids of events, or of served lists, in a part; each counts once. */
struct pg_once {
    struct intern texts;
    bool *there; /* (texts.count) stored, now or before */
    size_t cap;
    struct pg_params params;
};

struct pg_tx {
    struct pg_store *s;
    struct pg_link *c;
    struct pg_state state;
    int64_t position;
    bool stream;
    size_t repeated;
    struct pg_once ids, lists;
    struct str events, served; /* rows for COPY */
    size_t event_count, served_count;
    struct pg_params params[4];
};

/* Whether the change is not one that was applied before. */
bool pg_tx_counts(const struct pg_tx *t, const struct store_change *c);

/* Whether others may have made it void, by what they erased or changed: it says when it happened.
 * In a store of its own, or after what it came behind, it counts whatever there is. */
static inline bool pg_tx_judges(const struct pg_tx *t, const struct store_change *c)
{
    return t->stream || c->at_ms > 0;
}

/* A part: only its last change may erase something. Looks up what it names, goes through it in
 * order and writes it (postgres_part.c). */
MUST_USE enum pal_status pg_part(struct pg_tx *t, const struct store_change *changes, size_t count,
                                 struct pal_error *err);
void pg_once_clear(struct pg_once *o);

/* Writes what a part changed; erases (postgres_flush.c). */
MUST_USE enum pal_status pg_flush(struct pg_tx *t, struct pal_error *err);
MUST_USE enum pal_status pg_erase_user(struct pg_tx *t, const char *id, int64_t at,
                                       struct pal_error *err);
MUST_USE enum pal_status pg_clear_all(struct pg_tx *t, int64_t at, struct pal_error *err);

#endif
