/* Building a data set out of what a store holds and what is still on its way to it: what all kinds
 * of stores share. Give it the items, then the users, then the events, each in order; then finish.
 *
 * The changes on their way count as if applied: an item or user is as the last of them left it, one
 * that was deleted is gone with its events, an event that is in the store already (by its event_id)
 * is not taken twice, and after RECORD_CLEAR nothing of the store is left. The data set is called
 * "store", whatever it comes from: the same events give the same models to the byte. One thread. */
#ifndef STORE_GATHER_H
#define STORE_GATHER_H

#include "store/store.h"

struct gather;

/* more (count) outlives it; of them those with a number at or below `position` are in the store. */
MUST_USE enum pal_status gather_new(const struct store_change *more, size_t count,
                                    uint64_t position, struct gather **out, struct pal_error *err);
void gather_free(struct gather *g); /* NULL is fine */

/* Nothing that the store holds counts: it need not be read. */
bool gather_cleared(const struct gather *g);
/* The event_ids of the store's events must be given. */
bool gather_wants_ids(const struct gather *g);

/* An item or user of the store; *number: what gather_event calls it. removed: only its id is left.
 */
MUST_USE enum pal_status gather_item(struct gather *g, const struct item_row *row, bool removed,
                                     uint32_t *number, struct pal_error *err);
MUST_USE enum pal_status gather_user(struct gather *g, const struct user_row *row, uint32_t *number,
                                     struct pal_error *err);
MUST_USE enum pal_status gather_type(struct gather *g, const char *name, uint8_t *number,
                                     struct pal_error *err);

/* What gather_event calls an item or user of the store that was given before, by its id; false if
 * it is not there (any more). A user who is deleted by a change counts as there. */
bool gather_item_of(const struct gather *g, const char *id, uint32_t *number);
bool gather_user_of(const struct gather *g, const char *id, uint32_t *number);
/* Whether the event_id is one of the changes': no other need be given. */
bool gather_asks_for(const struct gather *g, const char *event_id);

/* event_id: "" or NULL for none. */
MUST_USE enum pal_status gather_event(struct gather *g, uint32_t user, uint32_t item, uint8_t type,
                                      float value, int64_t time_ms, const char *event_id,
                                      struct pal_error *err);

MUST_USE enum pal_status gather_finish(struct gather *g, struct dataset **out,
                                       struct pal_error *err);

#endif
