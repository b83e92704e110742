/* See kinds.h. A type's row is filled before `count` passes it, so whoever reads count with acquire
 * may read the row without a lock. */
#include "engine/kinds.h"

#include <string.h>

enum pal_status kinds_init(struct kinds *k, const char *rules, const char *seen,
                           const char *rewards, struct pal_error *err)
{
    memset(k, 0, sizeof *k);
    enum pal_status st = weights_parse(rules ? rules : weights_default, &k->rules, err);
    if (st != PAL_OK)
        return st;
    k->seen = seen ? seen : "";
    k->rewards = rewards ? rewards : "";
    pthread_mutex_init(&k->lock, NULL);
    return PAL_OK;
}

void kinds_done(struct kinds *k)
{
    pthread_mutex_destroy(&k->lock);
}

bool kinds_listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = list; *p;) {
        const char *end = strchrnul(p, ',');
        while (p < end && *p == ' ')
            p++;
        size_t n = (size_t)(end - p);
        while (n && p[n - 1] == ' ')
            n--;
        if ((n == 1 && *p == '*') || (n == len && memcmp(p, word, n) == 0))
            return true;
        p = *end ? end + 1 : end;
    }
    return false;
}

int kinds_find(const struct kinds *k, const char *type)
{
    unsigned count = atomic_load_explicit(&k->count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(k->types.name[i], type) == 0)
            return (int)i;
    return -1;
}

/* With the lock held. */
static enum pal_status add(struct kinds *k, const char *type, uint8_t *number,
                           struct pal_error *err)
{
    size_t before = k->types.count;
    enum pal_status st = event_type_add(&k->types, type, strlen(type), number, err);
    if (st != PAL_OK || k->types.count == before)
        return st;
    struct worth worth; /* worth_init fills every row: only the new one may be touched */
    worth_init(&worth, &k->rules, &k->types);
    k->worth.type[*number] = worth.type[*number];
    k->marks[*number] = kinds_listed(k->seen, type);
    k->teaches[*number] = kinds_listed(k->rewards, type);
    atomic_store_explicit(&k->count, (unsigned)k->types.count, memory_order_release);
    return PAL_OK;
}

enum pal_status kinds_add(struct kinds *k, const char *type, uint8_t *number, struct pal_error *err)
{
    int known = kinds_find(k, type);
    if (known >= 0) {
        *number = (uint8_t)known;
        return PAL_OK;
    }
    pthread_mutex_lock(&k->lock);
    enum pal_status st = add(k, type, number, err);
    pthread_mutex_unlock(&k->lock);
    return st;
}

/* Whether there is room for every type that is new among the records; with the lock held. */
static enum pal_status check_room(const struct kinds *k, const struct record *records, size_t count,
                                  struct pal_error *err)
{
    struct event_types all = k->types;
    uint8_t number;
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind != RECORD_EVENT)
            continue;
        const char *type = records[i].event.type;
        if (event_type_add(&all, type, strlen(type), &number, err) != PAL_OK)
            return pal_fail(err, PAL_EUSAGE,
                            "record %zu: the event type '%s' would be one too many: there are %d "
                            "already, use one of those",
                            i + 1, type, EVENT_TYPES);
    }
    return PAL_OK;
}

enum pal_status kinds_of(struct kinds *k, const struct record *records, size_t count, uint8_t *type,
                         struct pal_error *err)
{
    size_t i = 0;
    for (; i < count; i++) {
        int known = records[i].kind == RECORD_EVENT ? kinds_find(k, records[i].event.type) : 0;
        if (known < 0)
            break;
        type[i] = (uint8_t)known;
    }
    if (i == count)
        return PAL_OK;
    pthread_mutex_lock(&k->lock);
    enum pal_status st = check_room(k, records, count, err);
    for (i = 0; st == PAL_OK && i < count; i++) {
        type[i] = 0;
        if (records[i].kind == RECORD_EVENT)
            st = add(k, records[i].event.type, &type[i], err);
    }
    pthread_mutex_unlock(&k->lock);
    return st;
}

void kinds_types(const struct kinds *k, struct event_types *out)
{
    memset(out, 0, sizeof *out);
    out->count = atomic_load_explicit(&k->count, memory_order_acquire);
    memcpy(out->name, k->types.name, out->count * sizeof out->name[0]);
}
