/* See interactions.h. Rows are collected in blocks and sorted by two passes: a stable counting
 * sort by user, then, where there are times, a stable sort of each user's short history. */
#include "data/interactions.h"

#include "base/mem.h"
#include "base/sort.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROWS = 1 << 16 };

struct block {
    struct block *next;
    uint32_t used;
    struct row row[BLOCK_ROWS];
    uint8_t type[]; /* (BLOCK_ROWS) if the rows have types */
};

struct rows {
    struct block *first, *last;
    uint64_t count;
    bool has_values; /* some value is not 1 */
    bool has_types;  /* some type is not 0 */
};

void interactions_done(struct interactions *x)
{
    mem_free(x->start);
    mem_free(x->item);
    mem_free(x->value);
    mem_free(x->time_s);
    mem_free(x->type);
    memset(x, 0, sizeof *x);
}

uint64_t interactions_bytes(const struct interactions *x)
{
    if (!x->start)
        return 0;
    uint64_t each = sizeof *x->item + (x->value ? sizeof *x->value : 0) +
                    (x->time_s ? sizeof *x->time_s : 0) + (x->type ? sizeof *x->type : 0);
    return interactions_count(x) * each + ((uint64_t)x->users + 1) * sizeof *x->start;
}

/* Room for count interactions of users x items; start is all zero. */
static enum pal_status allocate(struct interactions *x, uint32_t users, uint32_t items,
                                uint64_t count, bool values, bool times, bool types,
                                struct pal_error *err)
{
    memset(x, 0, sizeof *x);
    x->users = users;
    x->items = items;
    x->start = mem_zero((size_t)users + 1, sizeof *x->start);
    x->item = mem_alloc(count, sizeof *x->item);
    x->value = values ? mem_alloc(count, sizeof *x->value) : NULL;
    x->time_s = times ? mem_alloc(count, sizeof *x->time_s) : NULL;
    x->type = types ? mem_alloc(count, sizeof *x->type) : NULL;
    if (!x->start || !x->item || (values && !x->value) || (times && !x->time_s) ||
        (types && !x->type)) {
        interactions_done(x);
        return pal_no_memory(err);
    }
    return PAL_OK;
}

/* Interaction i of `from` becomes interaction j of `to`, which has the same columns. */
static void copy_one(const struct interactions *from, uint64_t i, struct interactions *to,
                     uint64_t j)
{
    to->item[j] = from->item[i];
    if (to->value)
        to->value[j] = from->value[i];
    if (to->time_s)
        to->time_s[j] = from->time_s[i];
    if (to->type)
        to->type[j] = from->type[i];
}

enum pal_status interactions_select(const struct interactions *x, const uint8_t *label,
                                    const uint8_t keep[256], struct interactions *out,
                                    struct pal_error *err)
{
    uint64_t n = interactions_count(x), kept = 0;
    for (uint64_t i = 0; i < n; i++)
        kept += keep[label[i]] != 0;
    struct interactions y;
    enum pal_status st = allocate(&y, x->users, x->items, kept, x->value, x->time_s, x->type, err);
    if (st != PAL_OK)
        return st;
    uint64_t j = 0;
    for (uint32_t u = 0; u < x->users; u++) {
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++)
            if (keep[label[i]])
                copy_one(x, i, &y, j++);
        y.start[u + 1] = j;
    }
    *out = y;
    return PAL_OK;
}

enum pal_status rows_new(struct rows **out, struct pal_error *err)
{
    struct rows *r = mem_zero(1, sizeof *r);
    if (!r)
        return pal_no_memory(err);
    *out = r;
    return PAL_OK;
}

static void drop_first(struct rows *r)
{
    struct block *gone = r->first;
    r->first = gone->next;
    mem_free(gone);
}

void rows_free(struct rows *r)
{
    if (!r)
        return;
    while (r->first)
        drop_first(r);
    mem_free(r);
}

uint64_t rows_count(const struct rows *r)
{
    return r->count;
}

/* The first type other than 0 gives every block, past and future, a column for types. */
static enum pal_status begin_types(struct rows *r, struct pal_error *err)
{
    struct block **link = &r->first;
    for (struct block *b = r->first; b; b = *link) {
        struct block *wide = mem_resize(b, sizeof *b + BLOCK_ROWS, 1);
        if (!wide)
            return pal_no_memory(err); /* blocks widened so far stay valid, only larger */
        memset(wide->type, 0, BLOCK_ROWS);
        *link = wide;
        r->last = wide;
        link = &wide->next;
    }
    r->has_types = true;
    return PAL_OK;
}

static enum pal_status add_block(struct rows *r, struct pal_error *err)
{
    struct block *b = mem_alloc(sizeof *b + (r->has_types ? BLOCK_ROWS : 0), 1);
    if (!b)
        return pal_no_memory(err);
    b->next = NULL;
    b->used = 0;
    if (r->last)
        r->last->next = b;
    else
        r->first = b;
    r->last = b;
    return PAL_OK;
}

enum pal_status rows_add(struct rows *r, struct row row, uint8_t type, struct pal_error *err)
{
    enum pal_status st;
    if (type && !r->has_types && (st = begin_types(r, err)) != PAL_OK)
        return st;
    if ((!r->last || r->last->used == BLOCK_ROWS) && (st = add_block(r, err)) != PAL_OK)
        return st;
    struct block *b = r->last;
    if (r->has_types)
        b->type[b->used] = type;
    b->row[b->used++] = row;
    r->has_values |= row.value != 1.0f;
    r->count++;
    return PAL_OK;
}

/* x->start[u + 1] becomes the place where the next of u's rows goes. */
static void count_users(const struct rows *r, struct interactions *x)
{
    for (const struct block *b = r->first; b; b = b->next)
        for (uint32_t i = 0; i < b->used; i++) {
            assert(b->row[i].user < x->users && b->row[i].item < x->items);
            if (b->row[i].user + 2 <= x->users)
                x->start[b->row[i].user + 2]++;
        }
    for (uint32_t u = 2; u <= x->users; u++)
        x->start[u] += x->start[u - 1];
}

/* Stable: rows of one user keep their order. Afterwards start is what it should be. */
static void place_rows(struct rows *r, struct interactions *x)
{
    while (r->first) {
        const struct block *b = r->first;
        for (uint32_t i = 0; i < b->used; i++) {
            const struct row *row = &b->row[i];
            uint64_t j = x->start[row->user + 1]++;
            x->item[j] = row->item;
            if (x->value)
                x->value[j] = row->value;
            if (x->time_s)
                x->time_s[j] = row->time_s;
            if (x->type)
                x->type[j] = b->type[i];
        }
        drop_first(r);
    }
    r->last = NULL;
    r->count = 0;
}

/* Room to sort one history. */
struct room {
    uint64_t *keys, *other; /* (longest) moments above, places below */
    uint32_t *moved;        /* (longest) */
};

static bool in_order(const uint32_t *time_s, uint64_t n)
{
    for (uint64_t i = 1; i < n; i++)
        if (time_s[i] < time_s[i - 1])
            return false;
    return true;
}

/* Column (n) of numbers of four bytes in the order of the keys. */
static void move_words(const struct room *r, void *column, size_t n)
{
    const char *word = column;
    for (size_t i = 0; i < n; i++)
        memcpy(&r->moved[i], word + (uint32_t)r->keys[i] * sizeof *r->moved, sizeof *r->moved);
    memcpy(column, r->moved, n * sizeof *r->moved);
}

static void move_bytes(const struct room *r, uint8_t *column, size_t n)
{
    uint8_t *byte = (uint8_t *)r->moved;
    for (size_t i = 0; i < n; i++)
        byte[i] = column[(uint32_t)r->keys[i]];
    memcpy(column, byte, n);
}

static void sort_history(struct interactions *x, uint64_t begin, size_t n, const struct room *r)
{
    for (size_t i = 0; i < n; i++)
        r->keys[i] = (uint64_t)x->time_s[begin + i] << 32 | i;
    sort_upper(r->keys, r->other, n, 4);
    move_words(r, x->time_s + begin, n);
    move_words(r, x->item + begin, n);
    if (x->value)
        move_words(r, x->value + begin, n);
    if (x->type)
        move_bytes(r, x->type + begin, n);
}

static enum pal_status sort_by_time(struct interactions *x, struct pal_error *err)
{
    uint64_t longest = 0;
    for (uint32_t u = 0; u < x->users; u++) {
        uint64_t n = x->start[u + 1] - x->start[u];
        if (n > longest)
            longest = n;
    }
    if (longest > UINT32_MAX)
        return pal_fail(err, PAL_EUNSUPPORTED, "one user has more than 4294967295 interactions");
    struct room r = {mem_alloc(longest, sizeof *r.keys), mem_alloc(longest, sizeof *r.other),
                     mem_alloc(longest, sizeof *r.moved)};
    bool there = r.keys && r.other && r.moved;
    for (uint32_t u = 0; there && u < x->users; u++) {
        uint64_t n = x->start[u + 1] - x->start[u];
        if (!in_order(x->time_s + x->start[u], n))
            sort_history(x, x->start[u], (size_t)n, &r);
    }
    mem_free(r.keys);
    mem_free(r.other);
    mem_free(r.moved);
    return there ? PAL_OK : pal_no_memory(err);
}

enum pal_status rows_finish(struct rows *r, uint32_t users, uint32_t items, bool has_times,
                            struct interactions *out, struct pal_error *err)
{
    struct interactions x;
    enum pal_status st =
        allocate(&x, users, items, r->count, r->has_values, has_times, r->has_types, err);
    if (st != PAL_OK)
        return st;
    count_users(r, &x);
    place_rows(r, &x);
    if (has_times && (st = sort_by_time(&x, err)) != PAL_OK) {
        interactions_done(&x);
        return st;
    }
    *out = x;
    return PAL_OK;
}
