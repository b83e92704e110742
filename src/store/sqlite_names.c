/* Names as numbers, for the writer: what it met lately is in memory, with each user's end of chain,
 * so that an event of a known user and item costs no query. What is in memory goes beyond the
 * database only inside a transaction; when one fails, all of it is dropped. */
#include "store/sqlite.h"

#include "base/mem.h"
#include "base/turns.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 6000 }; /* as in sqlite_apply.c */

void names_done(struct names *n)
{
    intern_done(&n->texts);
    mem_free(n->slots);
    mem_free(n->dirty);
    memset(n, 0, sizeof *n);
}

/* The text's slot; *fresh: the database has not been asked yet. */
static enum pal_status slot_of(struct names *n, const char *id, struct slot **out, bool *fresh,
                               struct pal_error *err)
{
    uint32_t i;
    if (mem_grow(&n->slots, &n->cap, (size_t)n->texts.count + 1, sizeof *n->slots))
        return pal_no_memory(err);
    uint32_t before = n->texts.count;
    enum pal_status st = intern_add(&n->texts, id, strlen(id), &i, err);
    if (st != PAL_OK)
        return st;
    *fresh = i == before;
    if (*fresh)
        n->slots[i] = (struct slot){0};
    *out = &n->slots[i];
    return PAL_OK;
}

static enum pal_status find(struct conn *c, enum sql which, const char *id, struct slot *slot,
                            struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    enum pal_status st = sql_start(c, which, &q, err, "t", id);
    if (st == PAL_OK)
        st = sql_next(c, q, &row, err);
    if (row) {
        slot->number = sqlite3_column_int64(q, 0);
        slot->last = sqlite3_column_int64(q, which == SQL_SERVED_HEAD ? 0 : 1);
        slot->events = which == SQL_USER_FIND ? sqlite3_column_int64(q, 2) : 0;
        sql_end(q);
    }
    return st;
}

static enum pal_status add_row(struct conn *c, enum sql which, const char *id, struct slot *slot,
                               int64_t *count, struct pal_error *err)
{
    enum pal_status st = sql_run(c, which, err, "t", id);
    if (st != PAL_OK)
        return st;
    *slot = (struct slot){.number = sqlite3_last_insert_rowid(c->db)};
    ++*count;
    return PAL_OK;
}

static enum pal_status look_up(struct sqlite_store *s, struct names *n, enum sql find_one,
                               enum sql add_one, const char *id, bool add, int64_t *count,
                               struct slot **out, struct pal_error *err)
{
    bool fresh = false;
    enum pal_status st = slot_of(n, id, out, &fresh, err);
    if (st == PAL_OK && fresh)
        st = find(s->writer, find_one, id, *out, err);
    if (st == PAL_OK && (*out)->number == 0 && add)
        st = add_row(s->writer, add_one, id, *out, count, err);
    return st;
}

enum pal_status names_user(struct sqlite_store *s, struct state *state, const char *id, bool add,
                           struct slot **out, struct pal_error *err)
{
    return look_up(s, &s->users, SQL_USER_FIND, SQL_USER_ADD, id, add, &state->users, out, err);
}

enum pal_status names_item(struct sqlite_store *s, struct state *state, const char *id, bool add,
                           struct slot **out, struct pal_error *err)
{
    return look_up(s, &s->items, SQL_ITEM_FIND, SQL_ITEM_ADD, id, add, &state->items, out, err);
}

enum pal_status names_type(struct sqlite_store *s, const char *name, int64_t *number,
                           struct pal_error *err)
{
    sqlite3_stmt *q;
    bool row = false;
    for (size_t i = 0; i < s->types.count; i++)
        if (strcmp(s->types.name[i], name) == 0) {
            *number = (int64_t)i + 1;
            return PAL_OK;
        }
    enum pal_status st = sql_start(s->writer, SQL_TYPE_PUT, &q, err, "t", name);
    if (st == PAL_OK)
        st = sql_next(s->writer, q, &row, err);
    if (st != PAL_OK || !row)
        return st != PAL_OK ? st : sql_fail(s->writer, SQLITE_CORRUPT, err);
    *number = sqlite3_column_int64(q, 0);
    sql_end(q);
    if (*number == (int64_t)s->types.count + 1 && s->types.count < EVENT_TYPES) {
        uint8_t same;
        st = event_type_add(&s->types, name, strlen(name), &same, err);
    }
    return st;
}

enum pal_status names_served(struct sqlite_store *s, const char *id, struct slot **out,
                             struct pal_error *err)
{
    bool fresh = false;
    enum pal_status st = slot_of(&s->served, id, out, &fresh, err);
    return st == PAL_OK && fresh ? find(s->writer, SQL_SERVED_HEAD, id, *out, err) : st;
}

enum pal_status names_touch(struct names *n, struct slot *slot, struct pal_error *err)
{
    if (slot->dirty)
        return PAL_OK;
    if (mem_grow(&n->dirty, &n->dirty_cap, n->dirty_count + 1, sizeof *n->dirty))
        return pal_no_memory(err);
    n->dirty[n->dirty_count++] = (uint32_t)(slot - n->slots);
    slot->dirty = true;
    return PAL_OK;
}

static int by_number(const void *a, const void *b, void *slots)
{
    const struct slot *all = slots;
    int64_t x = all[*(const uint32_t *)a].number, y = all[*(const uint32_t *)b].number;
    return x < y ? -1 : x > y;
}

static int by_text(const void *a, const void *b, void *texts)
{
    return strcmp(intern_text(texts, *(const uint32_t *)a),
                  intern_text(texts, *(const uint32_t *)b));
}

static enum pal_status flush_users(struct sqlite_store *s, struct pal_error *err)
{
    struct names *n = &s->users;
    enum pal_status st = PAL_OK;
    if (n->dirty_count > 1)
        qsort_r(n->dirty, n->dirty_count, sizeof *n->dirty, by_number, n->slots);
    for (size_t i = 0; i < n->dirty_count && st == PAL_OK; i++) {
        struct slot *user = &n->slots[n->dirty[i]];
        if (user->dirty && user->number) /* else it was deleted since */
            st = sql_run(s->writer, SQL_HEAD_PUT, err, "iii", user->number, user->last,
                         user->events);
        user->dirty = false;
    }
    n->dirty_count = 0;
    return st;
}

static enum pal_status flush_served(struct sqlite_store *s, struct pal_error *err)
{
    struct names *n = &s->served;
    enum pal_status st = PAL_OK;
    struct turns turns = {0};
    if (n->dirty_count > 1)
        qsort_r(n->dirty, n->dirty_count, sizeof *n->dirty, by_text, &n->texts);
    for (size_t i = 0; i < n->dirty_count && st == PAL_OK; i++) {
        struct slot *slot = &n->slots[n->dirty[i]];
        if (slot->dirty && slot->last) /* else it was erased since */
            st = sql_run(s->writer, SQL_SERVED_HEAD_PUT, err, "ti",
                         intern_text(&n->texts, n->dirty[i]), slot->last);
        slot->dirty = false;
        if (n->dirty_count <= FEW)
            turns_pass(&turns, 5);
    }
    n->dirty_count = 0;
    return st;
}

enum pal_status names_flush(struct sqlite_store *s, struct pal_error *err)
{
    enum pal_status st = flush_users(s, err);
    return st == PAL_OK ? flush_served(s, err) : st;
}
