/* An item as one block: its attributes as typed cells, its categories as numbers, its texts.
 *
 * The JSON is parsed once, when the item is put. Nested objects become names with points in them;
 * a list becomes a cell that tells where its elements' cells stand, behind those of attributes. A
 * text's cell carries a hash, so that a filter's `brand = "Acme"` reads the text itself only where
 * it almost surely matches. Texts are not interned: what an item said once would stay for ever. */
#include "engine/catalog_row.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A row in the making; places of texts count from the first text. */
struct making {
    struct intern *columns, *categories;
    struct str text;
    struct cell *cell, *element;
    size_t cells, elements, cell_cap, element_cap;
    uint32_t *category;
    size_t category_count, category_cap;
    struct pal_error *err;
};

uint32_t catalog_hash(const char *s, size_t len)
{
    return (uint32_t)XXH3_64bits(s, len);
}

/* Where the text will stand; NULL and "" are none. */
static uint32_t add_text(struct making *m, const char *s)
{
    uint32_t at = (uint32_t)m->text.len;
    if (!s || !*s)
        return UINT32_MAX;
    str_add(&m->text, s, strlen(s) + 1);
    return at;
}

/* False if the value is none that a filter could ask for. Lists are the caller's. */
static bool set_cell(struct making *m, const json_t *value, struct cell *cell)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        cell->kind = CELL_TEXT;
        cell->size = (uint32_t)json_string_length(value);
        cell->hash = catalog_hash(json_string_value(value), cell->size);
        cell->at = (uint32_t)m->text.len;
        str_add(&m->text, json_string_value(value), cell->size);
        str_char(&m->text, 0);
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        cell->kind = CELL_NUMBER;
        cell->number = json_number_value(value);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        cell->kind = CELL_BOOL;
        cell->number = json_is_true(value);
        return true;
    default:
        return false;
    }
}

static enum pal_status add_list(struct making *m, const json_t *list, struct cell *cell)
{
    const json_t *value;
    size_t i;
    cell->kind = CELL_LIST;
    cell->at = (uint32_t)m->elements;
    json_array_foreach(list, i, value)
    {
        if (mem_grow(&m->element, &m->element_cap, m->elements + 1, sizeof *m->element))
            return pal_no_memory(m->err);
        m->element[m->elements] = (struct cell){.column = cell->column};
        m->elements += set_cell(m, value, &m->element[m->elements]);
    }
    cell->size = (uint32_t)m->elements - cell->at;
    return PAL_OK;
}

/* The column of that name, or INTERN_NONE if there are too many. */
static enum pal_status column_of(struct making *m, const char *name, size_t len, uint32_t *column)
{
    *column = intern_find(m->columns, name, len);
    if (*column != INTERN_NONE || m->columns->count >= COLUMNS_MOST)
        return PAL_OK;
    return intern_add(m->columns, name, len, column, m->err);
}

static enum pal_status add_cell(struct making *m, const char *name, size_t len, const json_t *value)
{
    uint32_t column;
    if (json_is_null(value))
        return PAL_OK;
    enum pal_status st = column_of(m, name, len, &column);
    if (st != PAL_OK || column == INTERN_NONE)
        return st;
    if (mem_grow(&m->cell, &m->cell_cap, m->cells + 1, sizeof *m->cell))
        return pal_no_memory(m->err);
    struct cell *cell = &m->cell[m->cells];
    *cell = (struct cell){.column = (uint16_t)column};
    if (json_is_array(value))
        st = add_list(m, value, cell);
    else
        set_cell(m, value, cell);
    m->cells += st == PAL_OK;
    return st;
}

/* name (len bytes so far) is what leads to the object, in a buffer of COLUMN_NAME. */
static enum pal_status add_object(struct making *m, const json_t *object, char *name, size_t len,
                                  int depth)
{
    enum pal_status st = PAL_OK;
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    for (; at && st == PAL_OK; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        size_t more = strlen(key), dot = depth > 0;
        if (len + dot + more > COLUMN_NAME)
            continue;
        if (dot)
            name[len] = '.';
        memcpy(name + len + dot, key, more);
        if (!json_is_object(value))
            st = add_cell(m, name, len + dot + more, value);
        else if (depth + 1 < COLUMN_DEPTH)
            st = add_object(m, value, name, len + dot + more, depth + 1);
    }
    return st;
}

static int by_column(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    return x->column < y->column ? -1 : x->column > y->column;
}

/* Sorts cells; of two under one name ({"a.b": 1, "a": {"b": 2}}) only one counts. */
static void sort_cells(struct making *m)
{
    size_t kept = 0;
    if (m->cells)
        qsort(m->cell, m->cells, sizeof *m->cell, by_column);
    for (size_t i = 0; i < m->cells; i++)
        if (kept == 0 || m->cell[kept - 1].column != m->cell[i].column)
            m->cell[kept++] = m->cell[i];
    m->cells = kept;
}

static enum pal_status read_attributes(struct making *m, const char *id, const char *text)
{
    char name[COLUMN_NAME];
    json_error_t why;
    if (!text || !*text)
        return PAL_OK;
    json_t *all = json_loads(text, JSON_ALLOW_NUL, &why);
    enum pal_status st;
    if (!json_is_object(all))
        st = pal_fail(m->err, PAL_EUSAGE, "the attributes of item '%s' are not a JSON object%s%s",
                      id, all ? "" : ": ", all ? "" : why.text);
    else
        st = add_object(m, all, name, 0, 0);
    json_decref(all);
    sort_cells(m);
    return st;
}

static enum pal_status add_category(struct making *m, const char *name, size_t len)
{
    uint32_t number;
    enum pal_status st = intern_add(m->categories, name, len, &number, m->err);
    if (st != PAL_OK)
        return st;
    size_t i = m->category_count;
    if (mem_grow(&m->category, &m->category_cap, i + 1, sizeof number))
        return pal_no_memory(m->err);
    while (i > 0 && m->category[i - 1] > number)
        i--;
    if (i > 0 && m->category[i - 1] == number)
        return PAL_OK;
    memmove(m->category + i + 1, m->category + i, (m->category_count - i) * sizeof number);
    m->category[i] = number;
    m->category_count++;
    return PAL_OK;
}

static enum pal_status read_categories(struct making *m, const char *id, const char *text)
{
    const json_t *value;
    json_error_t why;
    size_t i;
    enum pal_status st = PAL_OK;
    if (!text || !*text)
        return PAL_OK;
    json_t *all = json_loads(text, JSON_ALLOW_NUL, &why);
    bool good = json_is_array(all);
    json_array_foreach(all, i, value)
    {
        good &= json_is_string(value);
    }
    if (!good)
        st = pal_fail(m->err, PAL_EUSAGE,
                      "the categories of item '%s' are not a JSON array of texts", id);
    for (i = 0; good && i < json_array_size(all) && st == PAL_OK; i++) {
        value = json_array_get(all, i);
        st = add_category(m, json_string_value(value), json_string_length(value));
    }
    json_decref(all);
    return st;
}

static uint32_t shifted(uint32_t at, size_t base)
{
    return at == UINT32_MAX ? 0 : at + (uint32_t)base;
}

/* head's places count from the first text, UINT32_MAX for none. */
static struct catalog_row *assemble(const struct making *m, const struct catalog_row *head)
{
    size_t cells = m->cells + m->elements;
    size_t base = sizeof *head + cells * sizeof(struct cell) + m->category_count * sizeof(uint32_t);
    struct catalog_row *r = mem_alloc(base + m->text.len, 1);
    if (!r)
        return NULL;
    *r = (struct catalog_row){
        .created_ms = head->created_ms,
        .bytes = (uint32_t)(base + m->text.len),
        .cells = (uint32_t)m->cells,
        .cells_all = (uint32_t)cells,
        .categories = (uint32_t)m->category_count,
        .title = shifted(head->title, base),
        .image_url = shifted(head->image_url, base),
        .categories_json = shifted(head->categories_json, base),
        .attributes_json = shifted(head->attributes_json, base),
    };
    for (size_t i = 0; i < cells; i++) {
        r->cell[i] = i < m->cells ? m->cell[i] : m->element[i - m->cells];
        if (r->cell[i].kind == CELL_TEXT)
            r->cell[i].at += (uint32_t)base;
        if (r->cell[i].kind == CELL_LIST)
            r->cell[i].at += (uint32_t)m->cells;
    }
    char *rest = (char *)(r->cell + cells);
    if (m->category_count)
        memcpy(rest, m->category, m->category_count * sizeof(uint32_t));
    if (m->text.len)
        memcpy((char *)r + base, m->text.text, m->text.len);
    return r;
}

enum pal_status catalog_row_make(const struct item_row *row, struct intern *columns,
                                 struct intern *categories, struct catalog_row **out,
                                 struct pal_error *err)
{
    struct making m = {.columns = columns, .categories = categories, .err = err};
    enum pal_status st = read_categories(&m, row->item_id, row->categories);
    if (st == PAL_OK)
        st = read_attributes(&m, row->item_id, row->attributes);
    struct catalog_row *made = NULL, head = {.created_ms = row->created_ms};
    if (st == PAL_OK) {
        head.title = add_text(&m, row->title);
        head.image_url = add_text(&m, row->image_url);
        head.categories_json = add_text(&m, row->categories);
        head.attributes_json = add_text(&m, row->attributes);
        if (m.text.len >= UINT32_MAX / 4)
            st = pal_fail(err, PAL_EUSAGE, "what is known of item '%s' is past a gigabyte",
                          row->item_id);
        else if (!str_ok(&m.text) || !(made = assemble(&m, &head)))
            st = pal_no_memory(err);
    }
    str_done(&m.text);
    mem_free(m.cell);
    mem_free(m.element);
    mem_free(m.category);
    if (st == PAL_OK)
        *out = made;
    return st;
}
