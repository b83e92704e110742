/* See catalog.h. A table of blocks, one per item (catalog_columns.c makes them), so that replacing
 * an item costs what the item costs, and memory is what items take. Availability is a bitmap of its
 * own, because every request begins with a copy of it. */
#include "engine/catalog_row.h"

#include "base/mem.h"

#include <string.h>

const struct catalog_row catalog_row_bare, catalog_row_removed;

enum pal_status catalog_new(struct catalog **out, struct pal_error *err)
{
    struct catalog *c = mem_zero(1, sizeof *c);
    if (!c)
        return pal_no_memory(err);
    *out = c;
    return PAL_OK;
}

void catalog_free(struct catalog *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->ids.count; i++)
        if (c->row[i]->bytes)
            mem_free((void *)(uintptr_t)c->row[i]);
    mem_free(c->row);
    mem_free(c->unavailable);
    intern_done(&c->ids);
    intern_done(&c->columns);
    intern_done(&c->categories);
    mem_free(c);
}

static bool is_unavailable(const struct catalog *c, uint32_t number)
{
    return c->unavailable[number / 64] >> (number % 64) & 1;
}

static void set_available(struct catalog *c, uint32_t number, bool available)
{
    uint64_t bit = (uint64_t)1 << (number % 64);
    if (available == !is_unavailable(c, number))
        return;
    c->unavailable[number / 64] ^= bit;
    if (available)
        c->available++;
    else
        c->available--;
}

/* The id's number, new or old. A new one's row is bare and not available yet. */
static enum pal_status number_of(struct catalog *c, const char *id, uint32_t *number,
                                 struct pal_error *err)
{
    uint32_t count = c->ids.count;
    if (mem_grow(&c->row, &c->row_cap, (size_t)count + 1, sizeof *c->row) ||
        mem_grow(&c->unavailable, &c->unavailable_cap, (size_t)count / 64 + 1,
                 sizeof *c->unavailable))
        return pal_no_memory(err);
    enum pal_status st = intern_add(&c->ids, id, strlen(id), number, err);
    if (st != PAL_OK || *number < count)
        return st;
    c->row[*number] = &catalog_row_bare;
    if (*number % 64 == 0)
        c->unavailable[*number / 64] = UINT64_MAX;
    c->version++;
    return PAL_OK;
}

static void replace(struct catalog *c, uint32_t number, const struct catalog_row *row)
{
    const struct catalog_row *old = c->row[number];
    c->row_bytes += row->bytes;
    c->row_bytes -= old->bytes;
    c->row[number] = row;
    c->version++;
    if (old->bytes)
        mem_free((void *)(uintptr_t)old);
}

enum pal_status catalog_put(struct catalog *c, const struct item_row *row, uint32_t *number,
                            struct pal_error *err)
{
    struct catalog_row *made;
    enum pal_status st = catalog_row_make(row, &c->columns, &c->categories, &made, err);
    if (st != PAL_OK)
        return st;
    st = number_of(c, row->item_id, number, err);
    if (st != PAL_OK) {
        mem_free(made);
        return st;
    }
    c->removed -= c->row[*number] == &catalog_row_removed;
    replace(c, *number, made);
    set_available(c, *number, row->available);
    return PAL_OK;
}

enum pal_status catalog_touch(struct catalog *c, const char *item_id, uint32_t *number,
                              struct pal_error *err)
{
    uint32_t count = c->ids.count;
    enum pal_status st = number_of(c, item_id, number, err);
    if (st == PAL_OK && *number == count)
        set_available(c, *number, true);
    return st;
}

void catalog_remove(struct catalog *c, const char *item_id)
{
    uint32_t number = catalog_find(c, item_id);
    if (number == INTERN_NONE || c->row[number] == &catalog_row_removed)
        return;
    c->removed++;
    replace(c, number, &catalog_row_removed);
    set_available(c, number, false);
}

uint32_t catalog_count(const struct catalog *c)
{
    return c->ids.count;
}

uint32_t catalog_present(const struct catalog *c)
{
    return c->ids.count - c->removed;
}

uint32_t catalog_find(const struct catalog *c, const char *item_id)
{
    return intern_find(&c->ids, item_id, strlen(item_id));
}

uint64_t catalog_version(const struct catalog *c)
{
    return c->version;
}

const struct intern *catalog_ids(const struct catalog *c)
{
    return &c->ids;
}

bool catalog_item(const struct catalog *c, uint32_t number, struct item_row *out)
{
    if (number >= c->ids.count || c->row[number] == &catalog_row_removed)
        return false;
    const struct catalog_row *r = c->row[number];
    *out = (struct item_row){
        .item_id = intern_text(&c->ids, number),
        .title = catalog_row_text(r, r->title),
        .categories = catalog_row_text(r, r->categories_json),
        .attributes = catalog_row_text(r, r->attributes_json),
        .image_url = catalog_row_text(r, r->image_url),
        .available = !is_unavailable(c, number),
        .created_ms = r->created_ms,
    };
    return true;
}

bool catalog_available(const struct catalog *c, uint32_t number)
{
    return number < c->ids.count && !is_unavailable(c, number);
}

uint32_t catalog_available_count(const struct catalog *c)
{
    return c->available;
}

const uint64_t *catalog_unavailable(const struct catalog *c)
{
    return c->unavailable;
}

const char *catalog_name(const struct catalog *c, uint32_t number)
{
    const char *title = catalog_row_text(c->row[number], c->row[number]->title);
    return title ? title : intern_text(&c->ids, number);
}

void catalog_prefetch(const struct catalog *c, uint32_t number)
{
    if (number >= c->ids.count)
        return;
    __builtin_prefetch(c->row[number]);
    __builtin_prefetch((const char *)c->row[number] + 64); /* a few attributes lie before */
}

void catalog_prefetch_texts(const struct catalog *c, uint32_t number)
{
    if (number >= c->ids.count)
        return;
    __builtin_prefetch(intern_text(&c->ids, number));
    __builtin_prefetch((const char *)c->row[number] + c->row[number]->title);
}

const uint32_t *catalog_categories(const struct catalog *c, uint32_t number, uint32_t *n)
{
    const struct catalog_row *r = number < c->ids.count ? c->row[number] : &catalog_row_bare;
    *n = r->categories;
    return catalog_row_categories(r);
}

const struct intern *catalog_category_names(const struct catalog *c)
{
    return &c->categories;
}

/* One item's title and categories as the next rows of out. */
static enum pal_status copy_row(const struct catalog *c, const struct catalog_row *r,
                                struct items *out, struct pal_error *err)
{
    const char *title = catalog_row_text(r, r->title);
    const uint32_t *category = catalog_row_categories(r);
    enum pal_status st =
        texts_add(&out->titles, title ? title : "", title ? strlen(title) : 0, err);
    for (uint32_t i = 0; i < r->categories && st == PAL_OK; i++)
        st = labels_add(&out->categories, intern_text(&c->categories, category[i]),
                        intern_len(&c->categories, category[i]), err);
    return st == PAL_OK ? labels_end_row(&out->categories, err) : st;
}

enum pal_status catalog_copy(const struct catalog *c, struct items *out, struct pal_error *err)
{
    struct items copy = {0};
    enum pal_status st = intern_copy(&c->ids, &copy.ids, err);
    if (st == PAL_OK)
        st = intern_copy(&c->categories, &copy.categories.names, err);
    for (uint32_t i = 0; i < c->ids.count && st == PAL_OK; i++)
        st = copy_row(c, c->row[i], &copy, err);
    if (st != PAL_OK) {
        items_done(&copy);
        return st;
    }
    *out = copy;
    return PAL_OK;
}

static uint64_t intern_bytes(const struct intern *t)
{
    return t->bytes_cap + t->start_cap * sizeof *t->start +
           (t->slot ? (t->mask + 1) * sizeof *t->slot : 0);
}

uint64_t catalog_bytes(const struct catalog *c)
{
    return sizeof *c + c->row_bytes + c->row_cap * sizeof *c->row +
           c->unavailable_cap * sizeof *c->unavailable + intern_bytes(&c->ids) +
           intern_bytes(&c->columns) + intern_bytes(&c->categories);
}
