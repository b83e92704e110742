/* See kinds.h. A type's row is filled before `count` passes it, so whoever reads count with acquire
 * may read the row without a lock. */
#include "engine/kinds.h"

#include "base/options.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* The next word of a list such as "like, dislike"; false at its end. */
static bool next_word(const char **list, const char **word, size_t *len)
{
    const char *p = *list;
    while (*p == ' ' || *p == ',')
        p++;
    const char *end = strchrnul(p, ',');
    *word = p;
    *list = end;
    for (*len = (size_t)(end - p); *len && p[*len - 1] == ' ';)
        --*len;
    return *len > 0;
}

bool kinds_listed(const char *list, const char *word)
{
    size_t len = strlen(word), n;
    for (const char *p; next_word(&list, &p, &n);)
        if ((n == 1 && *p == '*') || (n == len && memcmp(p, word, n) == 0))
            return true;
    return false;
}

static enum pal_status name_list(struct event_types *t, const char *list, const char *what,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    size_t len;
    uint8_t number;
    for (const char *p; st == PAL_OK && next_word(&list, &p, &len);)
        if (len != 1 || *p != '*')
            st = event_type_add(t, p, len, &number, err);
    return st == PAL_OK ? st : pal_within(err, st, "%s", what);
}

/* Gives every type that the configuration names its place. */
static enum pal_status name_types(struct kinds *k, struct event_types *t, struct pal_error *err)
{
    uint8_t number;
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < k->rules.count && st == PAL_OK; i++)
        if (strcmp(k->rules.rules[i].type, "*") != 0)
            st = event_type_add(t, k->rules.rules[i].type, strlen(k->rules.rules[i].type), &number,
                                err);
    if (st == PAL_OK)
        st = name_list(t, k->seen, "live.seen", err);
    if (st == PAL_OK)
        st = name_list(t, k->rewards, "live.rewards", err);
    if (st == PAL_OK)
        st = name_list(t, "like,dislike", "the classic calls", err);
    if (st == PAL_OK && t->count + k->most_new > EVENT_TYPES)
        st =
            pal_fail(err, PAL_EUSAGE,
                     "live.weights, live.seen and live.rewards name %zu event types: beside %u new "
                     "ones (live.new_types) there is place for %u",
                     t->count, k->most_new, EVENT_TYPES - k->most_new);
    return st;
}

enum pal_status kinds_init(struct kinds *k, const char *rules, const char *seen,
                           const char *rewards, unsigned most_new, struct pal_error *err)
{
    struct event_types named = {0};
    uint8_t number;
    memset(k, 0, sizeof *k);
    k->seen = seen ? seen : "";
    k->rewards = rewards ? rewards : "";
    k->most_new = most_new;
    enum pal_status st = weights_parse(rules ? rules : weights_default, &k->rules, err);
    if (st == PAL_OK)
        st = name_types(k, &named, err);
    if (st != PAL_OK)
        return st;
    pthread_mutex_init(&k->lock, NULL);
    for (size_t i = 0; i < named.count && st == PAL_OK; i++)
        st = kinds_add(k, named.name[i], &number, err);
    k->named = (unsigned)named.count;
    atomic_store(&k->told, k->named);
    return st;
}

void kinds_done(struct kinds *k)
{
    pthread_mutex_destroy(&k->lock);
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

/* Appends what types there are: "like, dislike, view". */
static void put_known(const struct kinds *k, struct str *out)
{
    for (size_t i = 0; i < k->types.count; i++)
        str_fmt(out, "%s%s", i ? ", " : "", k->types.name[i]);
}

/* The known type that a misspelled one is near to, or NULL. */
static const char *meant(const struct kinds *k, const char *type)
{
    const char *near = NULL;
    size_t best = strlen(type) < 5 ? 2 : 3; /* fewer changes than this */
    for (size_t i = 0; i < k->types.count; i++) {
        size_t d = opt_distance(type, k->types.name[i]);
        if (d < best) {
            best = d;
            near = k->types.name[i];
        }
    }
    return near;
}

/* With the lock held. */
static enum pal_status refuse(const struct kinds *k, size_t record, const char *type,
                              struct pal_error *err)
{
    struct str known = {0};
    char hint[EVENT_NAME + 32] = "";
    const char *near = meant(k, type);
    if (near)
        snprintf(hint, sizeof hint, ": did you mean '%s'?", near);
    put_known(k, &known);
    enum pal_status st =
        pal_fail(err, PAL_EUSAGE,
                 "record %zu: there is no event type '%.*s'%s Name it in live.weights, or use one "
                 "of %s (%u others may come up by themselves: live.new_types)",
                 record, EVENT_NAME, type, near ? hint : ".",
                 str_ok(&known) ? str_text(&known) : "", k->most_new);
    str_done(&known);
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
        size_t before = all.count;
        if (event_type_add(&all, type, strlen(type), &number, err) != PAL_OK ||
            (all.count > before && all.count - k->named > k->most_new))
            return refuse(k, i + 1, type, err);
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

const char *kinds_news(struct kinds *k)
{
    unsigned i = atomic_load(&k->told);
    while (i < atomic_load_explicit(&k->count, memory_order_acquire))
        if (atomic_compare_exchange_weak(&k->told, &i, i + 1))
            return k->types.name[i];
    return NULL;
}

void kinds_types(const struct kinds *k, struct event_types *out)
{
    memset(out, 0, sizeof *out);
    out->count = atomic_load_explicit(&k->count, memory_order_acquire);
    memcpy(out->name, k->types.name, out->count * sizeof out->name[0]);
}
