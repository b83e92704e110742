/* What a person should know of a filter that reads well and yet asks for what no item has: most
 * likely a name is misspelled. It is no error, since whether any item has an attribute changes with
 * the catalog, and a shop's page must not fail because nothing is on sale today. */
#include "engine/filter_code.h"

#include "base/options.h"
#include "base/str.h"

#include <string.h>

enum { LISTED = 12, NEAR = 2 /* changes, at most, and a third of the word's length */ };

static const char *const own[] = {"item_id", "title", "categories", "available", "created_at"};

static void consider(const char *asked, const char *name, size_t *best, const char **near)
{
    size_t d = opt_distance(asked, name);
    if (d < *best) {
        *best = d;
        *near = name;
    }
}

/* The name that was meant, or NULL. */
static const char *nearest(const char *asked, const struct intern *names, bool attribute)
{
    const char *near = NULL;
    size_t best = strlen(asked) < 3 * NEAR ? strlen(asked) / 3 + 1 : NEAR + 1;
    for (uint32_t i = 0; i < names->count; i++)
        consider(asked, intern_text(names, i), &best, &near);
    for (size_t i = 0; attribute && i < sizeof own / sizeof *own; i++)
        consider(asked, own[i], &best, &near);
    return near;
}

static void put_hint(struct str *out, const char *asked, const struct intern *names, bool attribute)
{
    const char *near = nearest(asked, names, attribute);
    str_fmt(out, "no item has the %s '%s'", attribute ? "attribute" : "category", asked);
    if (near)
        str_fmt(out, ": did you mean '%s'?", near);
    for (uint32_t i = 0; i < names->count && i < LISTED; i++)
        str_fmt(out, "%s%s",
                i      ? ", "
                : near ? " Known are "
                       : "; known are ",
                intern_text(names, i));
    if (names->count > LISTED)
        str_put(out, "…");
}

/* The word by which the term asks for what is not there, or NULL. exists(name) asks just that. */
static const char *odd_word(const struct filter_term *t, const struct catalog *c, struct arena *tmp)
{
    if (t->field == FIELD_ATTRIBUTE && t->op != OP_EXISTS &&
        intern_find(&c->columns, t->name, t->name_size) == INTERN_NONE)
        return arena_text(tmp, t->name, t->name_size);
    if (t->field == FIELD_CATEGORIES && t->count &&
        intern_find(&c->categories, t->value->text, t->value->size) == INTERN_NONE)
        return arena_text(tmp, t->value->text, t->value->size);
    return NULL;
}

const char *filter_hint(const struct filter *f, const struct catalog *c, struct arena *tmp)
{
    struct str text = {0};
    const char *hint = NULL, *asked;
    for (size_t i = 0; i < f->count && !text.len; i++) {
        bool attribute = f->term[i].field == FIELD_ATTRIBUTE;
        if ((asked = odd_word(&f->term[i], c, tmp)))
            put_hint(&text, asked, attribute ? &c->columns : &c->categories, attribute);
    }
    if (text.len && str_ok(&text))
        hint = arena_text(tmp, text.text, text.len);
    str_done(&text);
    return hint;
}
