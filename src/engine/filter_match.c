/* Asks an item the questions of a filter. A test first finds the item's cell (or field), then
 * compares by type: numbers as doubles, texts by hash and then bytes, categories and ids by
 * number. What the item lacks, or has of another type, fails. */
#include "engine/filter_code.h"

#include "base/text.h"

#include <string.h>

enum pal_status filter_bind(struct filter *f, const struct catalog *c, struct arena *tmp,
                            struct pal_error *err)
{
    for (size_t i = 0; i < f->count; i++) {
        struct filter_term *t = &f->term[i];
        const struct intern *names = t->field == FIELD_CATEGORIES ? &c->categories
                                     : t->field == FIELD_ID       ? &c->ids
                                                                  : NULL;
        if (t->field == FIELD_ATTRIBUTE)
            t->column = intern_find(&c->columns, t->name, t->name_size);
        for (size_t v = 0; v < t->count && names; v++)
            t->value[v].bound = intern_find(names, t->value[v].text, t->value[v].size);
    }
    return PAL_OK;
}

/* Does the difference of the two, item's less asked, pass? */
static bool pass(enum filter_op op, int difference)
{
    switch (op) {
    case OP_EQ:
        return difference == 0;
    case OP_NE:
        return difference != 0;
    case OP_LT:
        return difference < 0;
    case OP_LE:
        return difference <= 0;
    case OP_GT:
        return difference > 0;
    case OP_GE:
        return difference >= 0;
    default:
        return false;
    }
}

static bool test_number(const struct filter_term *t, double x)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct filter_value *v = &t->value[i];
        if (v->kind == CELL_NUMBER &&
            (t->op == OP_IN ? x == v->number : pass(t->op, (x > v->number) - (x < v->number))))
            return true;
    }
    return false;
}

static bool test_bool(const struct filter_term *t, bool x)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct filter_value *v = &t->value[i];
        if (v->kind == CELL_BOOL && (v->number == x) == (t->op != OP_NE))
            return true;
    }
    return false;
}

/* Where does the text, its case taken off, begin with what is asked for? */
static bool begins_with(const char *p, const char *end, const char *asked, const char *asked_end)
{
    while (asked < asked_end && p < end) {
        char small[4];
        size_t len, n = text_encode(text_lower(text_decode(p, end, &len)), small);
        if ((size_t)(asked_end - asked) < n || memcmp(asked, small, n) != 0)
            return false;
        asked += n;
        p += len;
    }
    return asked == asked_end;
}

static bool contains(const char *text, size_t size, const struct filter_value *v)
{
    const char *end = text + size;
    size_t len;
    if (v->size == 0)
        return true;
    for (const char *p = text; p < end; p += len) {
        if (begins_with(p, end, v->text, v->text + v->size))
            return true;
        text_decode(p, end, &len);
    }
    return false;
}

static int compare_text(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int d = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return d ? d : (a_size > b_size) - (a_size < b_size);
}

/* hash: of the text, or NULL where nobody knows it. */
static bool test_text(const struct filter_term *t, const char *text, size_t size,
                      const uint32_t *hash)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct filter_value *v = &t->value[i];
        if (v->kind != CELL_TEXT)
            continue;
        if (t->op == OP_CONTAINS)
            return contains(text, size, v);
        if (t->op == OP_IN || t->op == OP_EQ || t->op == OP_NE) {
            bool same =
                size == v->size && (!hash || *hash == v->hash) && memcmp(text, v->text, size) == 0;
            if (same == (t->op != OP_NE))
                return true;
        } else if (pass(t->op, compare_text(text, size, v->text, v->size))) {
            return true;
        }
    }
    return false;
}

static bool test_cell(const struct filter_term *t, const struct catalog_row *r,
                      const struct cell *cell)
{
    switch ((enum cell_kind)cell->kind) {
    case CELL_NUMBER:
        return test_number(t, cell->number);
    case CELL_BOOL:
        return test_bool(t, cell->number != 0);
    case CELL_TEXT:
        return test_text(t, (const char *)r + cell->at, cell->size, &cell->hash);
    case CELL_LIST:
        break;
    }
    return false;
}

static bool test_attribute(const struct filter_term *t, const struct catalog_row *r)
{
    if (t->column == INTERN_NONE)
        return false;
    const struct cell *cell = catalog_row_cell(r, t->column);
    if (!cell || t->op == OP_EXISTS)
        return cell;
    if (t->op != OP_HAS)
        return test_cell(t, r, cell);
    struct filter_term equal = *t;
    equal.op = OP_EQ;
    for (uint32_t i = 0; cell->kind == CELL_LIST && i < cell->size; i++)
        if (test_cell(&equal, r, &r->cell[cell->at + i]))
            return true;
    return false;
}

static bool test_categories(const struct filter_term *t, const struct catalog_row *r)
{
    const uint32_t *category = catalog_row_categories(r);
    if (t->op == OP_EXISTS)
        return r->categories > 0;
    for (uint32_t i = 0; i < r->categories; i++)
        if (category[i] == t->value->bound)
            return true;
    return false;
}

static bool test_id(const struct filter_term *t, const struct catalog *c, uint32_t number)
{
    bool in = false;
    if (t->op == OP_EXISTS)
        return true;
    if (t->op != OP_IN && t->op != OP_EQ && t->op != OP_NE)
        return test_text(t, intern_text(&c->ids, number), intern_len(&c->ids, number), NULL);
    for (size_t i = 0; i < t->count; i++)
        in |= t->value[i].bound == number;
    return in == (t->op != OP_NE);
}

static bool test(const struct filter_term *t, const struct catalog *c, uint32_t number)
{
    const struct catalog_row *r = c->row[number];
    const char *title;
    switch (t->field) {
    case FIELD_ATTRIBUTE:
        return test_attribute(t, r);
    case FIELD_ID:
        return test_id(t, c, number);
    case FIELD_TITLE:
        title = catalog_row_text(r, r->title);
        return title && (t->op == OP_EXISTS || test_text(t, title, strlen(title), NULL));
    case FIELD_CATEGORIES:
        return test_categories(t, r);
    case FIELD_AVAILABLE:
        return t->op == OP_EXISTS || test_bool(t, catalog_available(c, number));
    case FIELD_CREATED:
        return r->created_ms > 0 && (t->op == OP_EXISTS || test_number(t, (double)r->created_ms));
    }
    return false;
}

bool filter_match(const struct filter *f, const struct catalog *c, uint32_t number)
{
    int i = 0;
    while (i >= 0)
        i = test(&f->term[i], c, number) ? f->term[i].yes : f->term[i].no;
    return i == FILTER_YES;
}
