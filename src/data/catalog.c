/* See catalog.h. */
#include "data/catalog.h"

#include "data/columns.h"

#include <string.h>

enum part { PART_ATTRIBUTE, PART_ID, PART_TITLE, PART_CATEGORY, PART_NOTHING };

/* What a table's columns are for. */
struct catalog {
    bool users;    /* else items */
    size_t fields; /* 0 until the header has been read */
    size_t id, title;
    uint8_t part[LINE_FIELDS];
    struct str names; /* of the columns, each followed by a NUL */
    struct str attributes, room;
};

static const char *const title_names[] = {"title",       "name",         "itemname",
                                          "itemtitle",   "movietitle",   "booktitle",
                                          "productname", "producttitle", "producttype"};
static const char *const category_names[] = {
    "genres", "genre", "categories", "category", "department", "productcategory", "itemcategory"};
enum {
    TITLES = sizeof title_names / sizeof title_names[0],
    CATEGORIES = sizeof category_names / sizeof category_names[0],
};

/* Where the name stands in the list, `count` if nowhere. */
static size_t among(struct field f, const char *const *names, size_t count)
{
    size_t i = 0;
    while (i < count && !columns_named(f.p, (size_t)(f.end - f.p), names[i]))
        i++;
    return i;
}

/* How surely a column is the id: 0 the surest, UINT32_MAX not at all. */
static unsigned id_rank(struct field f, enum role wanted)
{
    static const struct columns_wanted guess = {0};
    unsigned rank;
    if (columns_role(&guess, f.p, (size_t)(f.end - f.p), &rank) == wanted)
        return rank;
    return columns_named(f.p, (size_t)(f.end - f.p), "id") ? 1000 : UINT32_MAX;
}

static enum pal_status keep_names(struct catalog *c, const struct lines *lines,
                                  struct pal_error *err)
{
    for (size_t i = 0; i < c->fields; i++) {
        struct field name;
        enum pal_status st = loading_text(lines->field[i], &c->room, &name, err);
        if (st != PAL_OK)
            return st;
        str_add(&c->names, name.p, strnlen(name.p, (size_t)(name.end - name.p)));
        str_char(&c->names, 0);
    }
    return str_ok(&c->names) ? PAL_OK : pal_no_memory(err);
}

/* The first record says what the columns are. */
static enum pal_status take_header(struct catalog *c, struct lines *lines, struct complaint *bad,
                                   struct pal_error *err)
{
    size_t fields = lines->fields < LINE_FIELDS ? lines->fields : LINE_FIELDS;
    unsigned best_id = UINT32_MAX;
    size_t best_title = TITLES;
    for (size_t i = 0; i < fields; i++) {
        unsigned id = id_rank(lines->field[i], c->users ? ROLE_USER : ROLE_ITEM);
        size_t title = among(lines->field[i], title_names, TITLES);
        if (id < best_id) {
            best_id = id;
            c->id = i;
        }
        if (title < best_title && !c->users) {
            best_title = title;
            c->title = i;
        }
        bool category = among(lines->field[i], category_names, CATEGORIES) < CATEGORIES;
        c->part[i] = lines->field[i].p == lines->field[i].end ? PART_NOTHING
                     : category && !c->users                  ? PART_CATEGORY
                                                              : PART_ATTRIBUTE;
    }
    if (best_id == UINT32_MAX) {
        lines_wrong(bad, (struct field){lines->p, lines->stop, lines->p},
                    c->users ? "a header with a user id" : "a header with an item id");
        return PAL_OK;
    }
    if (best_title < TITLES)
        c->part[c->title] = PART_TITLE;
    c->part[c->id] = PART_ID;
    c->fields = fields;
    return keep_names(c, lines, err);
}

/* Is it a word for "no category"? */
static bool no_category(struct field f)
{
    static const char *const words[] = {"(no genres listed)", "unknown"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == (size_t)(f.end - f.p) &&
            memcmp(words[i], f.p, (size_t)(f.end - f.p)) == 0)
            return true;
    return f.p == f.end;
}

/* Has the item at hand this category already? */
static bool has_category(const struct labels *l, struct field name)
{
    uint32_t number = intern_find(&l->names, name.p, (size_t)(name.end - name.p));
    if (number == INTERN_NONE)
        return false;
    for (uint64_t i = l->start[l->rows]; i < l->start[l->rows + 1]; i++)
        if (l->label[i] == number)
            return true;
    return false;
}

enum pal_status catalog_put_categories(struct loading *l, struct field names, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (const char *p = names.p; p <= names.end && st == PAL_OK;) {
        const char *end = p;
        while (end < names.end && *end != '|' && *end != ';')
            end++;
        struct field one = {p, end, p};
        while (one.p < one.end && *one.p == ' ')
            one.p++;
        while (one.p < one.end && one.end[-1] == ' ')
            one.end--;
        if (!no_category(one) && !has_category(&l->d->items.categories, one))
            st = labels_add(&l->d->items.categories, one.p, (size_t)(one.end - one.p), err);
        p = end + 1;
    }
    return st;
}

static enum pal_status put_attributes(struct texts *t, const struct str *attributes,
                                      struct pal_error *err)
{
    if (!str_ok(attributes))
        return pal_no_memory(err);
    return texts_add(t, str_text(attributes), attributes->len, err);
}

enum pal_status catalog_put_user(struct loading *l, const struct str *attributes,
                                 struct pal_error *err)
{
    return put_attributes(&l->d->users.attributes, attributes, err);
}

enum pal_status catalog_put_item(struct loading *l, struct field title, struct field categories,
                                 const struct str *attributes, struct pal_error *err)
{
    struct items *items = &l->d->items;
    enum pal_status st = texts_add(&items->titles, title.p, (size_t)(title.end - title.p), err);
    if (st == PAL_OK)
        st = catalog_put_categories(l, categories, err);
    if (st == PAL_OK)
        st = labels_end_row(&items->categories, err);
    return st == PAL_OK ? put_attributes(&items->attributes, attributes, err) : st;
}

/* Adds what the record says about the item or user that is now the last. */
static enum pal_status take_fields(struct loading *l, struct catalog *c, struct lines *lines,
                                   struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    const char *name = str_text(&c->names);
    attr_begin(&c->attributes);
    for (size_t i = 0; i < c->fields && st == PAL_OK; i++, name += strlen(name) + 1) {
        struct field value;
        if (c->part[i] == PART_ID || c->part[i] == PART_NOTHING)
            continue;
        st = loading_text(lines->field[i], &c->room, &value, err);
        if (st != PAL_OK)
            return st;
        if (c->part[i] == PART_ATTRIBUTE)
            attr_number(&c->attributes, name, value.p, value.end);
        else if (c->part[i] == PART_CATEGORY)
            st = catalog_put_categories(l, value, err);
        else if ((st = texts_add(&l->d->items.titles, value.p, (size_t)(value.end - value.p),
                                 err)) == PAL_OK)
            attr_year(&c->attributes, value.p, value.end);
    }
    attr_end(&c->attributes);
    if (st == PAL_OK && !c->users)
        st = labels_end_row(&l->d->items.categories, err);
    return st == PAL_OK
               ? put_attributes(c->users ? &l->d->users.attributes : &l->d->items.attributes,
                                &c->attributes, err)
               : st;
}

static enum pal_status take(struct loading *l, struct lines *lines, void *ctx,
                            struct complaint *bad, struct pal_error *err)
{
    struct catalog *c = ctx;
    if (c->fields == 0)
        return take_header(c, lines, bad, err);
    if (lines->fields != c->fields) {
        lines_wrong(bad, lines_field(lines, c->fields < lines->fields ? c->fields : lines->fields),
                    "as many fields as the first line has");
        return PAL_OK;
    }
    struct intern *ids = c->users ? &l->d->users.ids : &l->d->items.ids;
    enum pal_status st = loading_new_id(l, ids, lines->field[c->id],
                                        c->users ? "a user id" : "an item id", bad, err);
    return st == PAL_OK && !bad->expected ? take_fields(l, c, lines, err) : st;
}

static enum pal_status read_catalog(struct loading *l, const char *path, bool users,
                                    struct pal_error *err)
{
    struct record_format format;
    struct catalog c = {.users = users};
    enum pal_status st = record_guess(path, &format, err);
    if (st == PAL_OK)
        st = records_read(l, path, &format, take, &c, err);
    str_done(&c.names);
    str_done(&c.attributes);
    str_done(&c.room);
    return st;
}

enum pal_status catalog_read_items(struct loading *l, const char *path, struct pal_error *err)
{
    return read_catalog(l, path, false, err);
}

enum pal_status catalog_read_users(struct loading *l, const char *path, struct pal_error *err)
{
    return read_catalog(l, path, true, err);
}
