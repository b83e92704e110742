/* A list that was shown as a member: 'l', its time (8 bytes, least first), its id, a NUL, and its
 * items with a NUL between them.
 *
 * An event as a member of a user's set: 'e', its time (8 bytes) and value (a float), both least
 * byte first, its type, a NUL, its item. An event_id as a member: 'i' and 8 bytes of its XXH3.
 *
 * What the server holds is read with as much doubt as a file: others may write there, too. */
#include "state/redis_inside.h"

#include <math.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HEAD = 1 + 8 + 4, JOURNAL_HEX = 12, NUMBER_HEX = 16 };

static void put_bytes(struct str *out, uint64_t x, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        str_char(out, (char)(x >> 8 * i));
}

static uint64_t get_bytes(const char *p, unsigned n)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < n; i++)
        x |= (uint64_t)(unsigned char)p[i] << 8 * i;
    return x;
}

void redis_event_encode(const struct event *e, struct str *out)
{
    uint32_t value;
    float plain = e->value + 0.0f; /* no -0: equal values are equal bytes */
    memcpy(&value, &plain, sizeof value);
    str_char(out, 'e');
    put_bytes(out, (uint64_t)e->time_ms, 8);
    put_bytes(out, value, 4);
    str_add(out, e->type, strlen(e->type) + 1);
    str_put(out, e->item_id);
}

bool redis_event_decode(const char *member, size_t size, struct event *out)
{
    if (size < HEAD + 3 || member[0] != 'e')
        return false;
    const char *type = member + HEAD, *end = memchr(type, 0, size - HEAD);
    size_t type_size = end ? (size_t)(end - type) : 0;
    size_t id_size = end ? size - HEAD - type_size - 1 : 0;
    if (type_size < 1 || type_size > RECORD_TYPE_MOST || id_size < 1 || id_size > RECORD_ID_MOST ||
        memchr(end + 1, 0, id_size))
        return false;
    struct event e = {.type = type, .item_id = end + 1};
    uint32_t value = (uint32_t)get_bytes(member + 9, 4);
    e.time_ms = (int64_t)get_bytes(member + 1, 8);
    memcpy(&e.value, &value, sizeof value);
    if (!isfinite(e.value) || e.time_ms < 0)
        return false;
    *out = e;
    return true;
}

/* "JOURNAL-NUMBER", as the drain gives it to events without one on their way to a broker: the
 * process that took the event in did not know it by that. */
static bool is_given(const char *id)
{
    static const char digits[] = "0123456789abcdef";
    return strlen(id) == JOURNAL_HEX + 1 + NUMBER_HEX && strspn(id, digits) == JOURNAL_HEX &&
           id[JOURNAL_HEX] == '-' && strspn(id + JOURNAL_HEX + 1, digits) == NUMBER_HEX;
}

void redis_event_identity(const struct event *e, struct str *out)
{
    if (!e->event_id || !*e->event_id || is_given(e->event_id))
        return;
    str_char(out, 'i');
    put_bytes(out, XXH3_64bits(e->event_id, strlen(e->event_id)), 8);
}

void redis_list_encode(const struct state_list *l, struct str *out)
{
    str_char(out, 'l');
    put_bytes(out, (uint64_t)l->time_ms, 8);
    str_put(out, l->id);
    for (size_t i = 0; i < l->count && i < STATE_LIST_MOST; i++) {
        str_char(out, 0);
        str_put(out, l->items[i]);
    }
}

enum pal_status redis_list_decode(const char *member, size_t size, struct arena *tmp,
                                  struct state_list *out, struct pal_error *err)
{
    const char *item[STATE_LIST_MOST], *end = member + size;
    const char *id = member + 1 + 8, *p;
    struct state_list l = {.id = id};
    if (size < 1 + 8 + 1 || member[0] != 'l')
        return pal_fail(err, PAL_EFORMAT, "no list");
    l.time_ms = (int64_t)get_bytes(member + 1, 8);
    for (p = id + strlen(id) + 1; p <= end && l.count < STATE_LIST_MOST; p += strlen(p) + 1)
        item[l.count++] = p;
    bool fits = p > end && l.time_ms >= 0 && *id && strlen(id) <= RECORD_ID_MOST;
    for (size_t i = 0; i < l.count && fits; i++)
        fits = *item[i] && strlen(item[i]) <= RECORD_ID_MOST;
    if (!fits)
        return pal_fail(err, PAL_EFORMAT, "no list");
    const char **items = arena_alloc(tmp, l.count, sizeof *items);
    if (!items)
        return pal_no_memory(err);
    memcpy(items, item, l.count * sizeof *items);
    l.items = items;
    *out = l;
    return PAL_OK;
}
