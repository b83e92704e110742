/* Finding the item that a person means (see recommender.h). Every title is reduced to a name (see
 * names.h) and compared with the name asked for; the best kind of match that occurs decides, and
 * only one item may match in that way. A pass takes about 0.2 µs a title, and as much again where
 * the nearest are looked for (measured over 20,000). */
#include "engine/names.h"
#include "engine/recommender.h"

#include <stdio.h>
#include <string.h>

/* How well a title matches, best last. */
enum match {
    NO_MATCH,
    CONTAINS, /* the name stands somewhere in the title */
    ALIAS,    /* it is one of the names in parentheses */
    ALIKE,    /* it is the title but for a leading article */
    SAME,     /* it is the title but for case, accents, punctuation and a year not given */
    EXACT     /* byte for byte */
};

enum {
    LISTED = 5,        /* titles that an error names */
    COMMAS_IN_NAME = 8 /* a title in a list may hold as many */
};

/* What was asked for. */
struct wanted {
    const char *text;
    size_t size;
    struct name name, whole;
};

/* The best kind of match so far and who matches so. */
struct found {
    enum match kind;
    size_t count;
    uint32_t item[LISTED];
};

/* A title's number and how near it is. */
struct near {
    uint32_t item;
    double likeness;
};

static bool same_key(const struct name *a, size_t skip_a, const struct name *b, size_t skip_b)
{
    return a->len - skip_a == b->len - skip_b &&
           memcmp(a->key + skip_a, b->key + skip_b, a->len - skip_a) == 0;
}

static enum match match_title(const struct wanted *w, const char *title, size_t size)
{
    struct name name;
    if (w->size == size && memcmp(w->text, title, size) == 0)
        return EXACT;
    name_make(title, size, &name);
    if (w->name.len == 0 || (w->name.year && w->name.year != name.year))
        return NO_MATCH;
    if (same_key(&w->name, 0, &name, 0))
        return SAME;
    if (same_key(&w->name, name_article(&w->name), &name, name_article(&name)))
        return ALIKE;
    if (name.aliased) {
        struct name other;
        for (size_t i = 0; name_alias(title, size, i, &other); i++)
            if (same_key(&w->name, name_article(&w->name), &other, name_article(&other)))
                return ALIAS;
    }
    name_whole(title, size, &name);
    return strstr(name.key, w->name.key) || strstr(name.key, w->whole.key) ? CONTAINS : NO_MATCH;
}

static size_t title_of(const struct items *items, uint32_t item, const char **title)
{
    *title = texts_at(&items->titles, item);
    return strlen(*title);
}

static void want(const char *text, size_t size, struct wanted *w)
{
    w->text = text;
    w->size = size;
    name_make(text, size, &w->name);
    name_whole(text, size, &w->whole);
}

/* Looks at every title. */
static void search(const struct items *items, const struct wanted *w, struct found *f)
{
    *f = (struct found){0};
    for (uint32_t i = 0; i < items->titles.count; i++) {
        const char *title;
        size_t size = title_of(items, i, &title);
        enum match kind = size ? match_title(w, title, size) : NO_MATCH;
        if (kind == NO_MATCH || kind < f->kind)
            continue;
        if (kind > f->kind)
            *f = (struct found){.kind = kind};
        if (f->count < LISTED)
            f->item[f->count] = i;
        f->count++;
    }
}

/* Appends "'Heat (1995)' (id 6)", cut so that several fit into a message. */
static void list_title(char *buf, size_t size, const struct items *items, uint32_t item,
                       const char *before)
{
    size_t used = strlen(buf);
    const char *title = texts_at(&items->titles, item);
    int len = (int)strnlen(title, 60);
    while (len > 0 && ((unsigned char)title[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    snprintf(buf + used, size - used, "%s'%.*s%s' (id %.20s)", before, len, title,
             title[len] ? "…" : "", intern_text(&items->ids, item));
}

static enum pal_status fail_several(const struct items *items, const struct wanted *w,
                                    const struct found *f, struct pal_error *err)
{
    char list[sizeof err->message] = "";
    size_t listed = f->count < LISTED ? f->count : LISTED;
    for (size_t i = 0; i < listed; i++)
        list_title(list, sizeof list, items, f->item[i], i ? ", " : "");
    return pal_fail(
        err, PAL_ENOTFOUND, "%zu titles match '%.*s': %s%s; be more exact or give an id", f->count,
        (int)(w->size < 100 ? w->size : 100), w->text, list, f->count > listed ? ", …" : "");
}

/* Keeps the best LISTED, best first, equals in the order of the catalog. */
static void keep_near(struct near *best, size_t *count, struct near x)
{
    size_t at = *count < LISTED ? (*count)++ : LISTED;
    for (; at > 0 && x.likeness > best[at - 1].likeness; at--)
        if (at < LISTED)
            best[at] = best[at - 1];
    if (at < LISTED)
        best[at] = x;
}

static enum pal_status fail_none(const struct items *items, const struct wanted *w,
                                 struct pal_error *err)
{
    char list[sizeof err->message] = "";
    struct near best[LISTED];
    size_t count = 0;
    int shown = (int)(w->size < 100 ? w->size : 100);
    if (items->titles.count == 0)
        return pal_fail(err, PAL_ENOTFOUND,
                        "there is no item '%.*s', and items have no titles here: give an id", shown,
                        w->text);
    for (uint32_t i = 0; i < items->titles.count; i++) {
        const char *title;
        struct name name;
        size_t size = title_of(items, i, &title);
        name_make(title, size, &name);
        struct near x = {i, name_likeness(&w->name, &name)};
        if (x.likeness >= 0.4)
            keep_near(best, &count, x);
    }
    if (count == 0)
        return pal_fail(err, PAL_ENOTFOUND, "no title matches '%.*s', nor is any like it", shown,
                        w->text);
    while (best[count - 1].likeness < 0.7 * best[0].likeness)
        count--; /* beside a good guess a poor one is noise */
    for (size_t i = 0; i < count; i++)
        list_title(list, sizeof list, items, best[i].item, i ? ", " : "");
    return pal_fail(err, PAL_ENOTFOUND, "no title matches '%.*s': nearest %s %s", shown, w->text,
                    count > 1 ? "are" : "is", list);
}

static void trim(const char **text, size_t *size)
{
    while (*size && strchr(" \t\r\n", **text))
        (*text)++, (*size)--;
    while (*size && strchr(" \t\r\n", (*text)[*size - 1]))
        (*size)--;
}

static enum pal_status find_text(const struct items *items, const char *text, size_t size,
                                 uint32_t *item, struct pal_error *err)
{
    struct wanted w;
    struct found f;
    trim(&text, &size);
    if (size == 0)
        return pal_fail(err, PAL_EUSAGE, "give the id or title of an item, not an empty text");
    uint32_t number = intern_find(&items->ids, text, size);
    if (number != INTERN_NONE) {
        *item = number;
        return PAL_OK;
    }
    want(text, size, &w);
    search(items, &w, &f);
    if (f.count == 1) {
        *item = f.item[0];
        return PAL_OK;
    }
    return f.count ? fail_several(items, &w, &f, err) : fail_none(items, &w, err);
}

enum pal_status find_item(const struct items *items, const char *text, uint32_t *item,
                          struct pal_error *err)
{
    return find_text(items, text, strlen(text), item, err);
}

/* Whether two texts are the same name to the last parenthesis. */
static bool same_whole(const struct wanted *w, const struct items *items, uint32_t item)
{
    const char *title;
    struct name whole;
    size_t size = title_of(items, item, &title);
    name_whole(title, size, &whole);
    return same_key(&w->whole, 0, &whole, 0);
}

/* Whether the text, commas and all, is one item's id or, as well as `least`, its name. What stands
 * in parentheses counts here: "Heat (1995),Casino (1995)" begins with a name too. */
static bool is_one_name(const struct items *items, const char *text, size_t size, enum match least,
                        uint32_t *item)
{
    struct wanted w;
    struct found f;
    trim(&text, &size);
    uint32_t number = size ? intern_find(&items->ids, text, size) : INTERN_NONE;
    if (number == INTERN_NONE && size) {
        want(text, size, &w);
        search(items, &w, &f);
        if (f.count == 1 && f.kind >= least &&
            (f.kind == EXACT || !w.name.aliased || same_whole(&w, items, f.item[0])))
            number = f.item[0];
    }
    if (number != INTERN_NONE)
        *item = number;
    return number != INTERN_NONE;
}

/* Whether there is more than punctuation in it. */
static bool has_words(const char *text, const char *end)
{
    struct name name;
    name_make(text, (size_t)(end - text), &name);
    return name.len > 0;
}

/* Where the piece that begins at p ends: the longest one with commas in it that is one name, else
 * the text up to the next comma, in which case *item stays as it is. */
static const char *longest_name(const struct items *items, const char *p, enum match least,
                                uint32_t *item)
{
    const char *end[COMMAS_IN_NAME];
    size_t n = 0;
    for (const char *q = p; n < COMMAS_IN_NAME; q++) {
        q += strcspn(q, ",");
        end[n++] = q;
        if (!*q)
            break;
    }
    for (size_t i = n; i-- > 1;)
        if (has_words(end[i - 1] + 1, end[i]) &&
            is_one_name(items, p, (size_t)(end[i] - p), least, item))
            return end[i];
    return end[0];
}

/* One piece: "Heat", or "-Heat" unless that, dash and all, is an id or a title. Returns where it
 * ends. */
static enum pal_status read_piece(const struct items *items, const char *p, const char **end,
                                  uint32_t *item, float *weight, struct pal_error *err)
{
    *item = INTERN_NONE;
    *weight = 1;
    p += strspn(p, " \t");
    if (*p == '-') {
        *end = longest_name(items, p, EXACT, item);
        if (*item != INTERN_NONE || is_one_name(items, p, (size_t)(*end - p), EXACT, item))
            return PAL_OK;
        *weight = -1;
        p++;
    }
    *end = longest_name(items, p, ALIAS, item);
    if (*item != INTERN_NONE)
        return PAL_OK;
    return find_text(items, p, (size_t)(*end - p), item, err);
}

enum pal_status find_history(const struct items *items, const char *text, struct arena *tmp,
                             struct history *out, struct pal_error *err)
{
    size_t most = 1, n = 0;
    for (const char *p = text; *p; p++)
        most += *p == ',';
    uint32_t *item = arena_alloc(tmp, most, sizeof *item);
    float *weight = arena_alloc(tmp, most, sizeof *weight);
    if (!item || !weight)
        return pal_no_memory(err);
    for (const char *p = text, *end;; p = end + 1) {
        if (strspn(p, " \t") < strcspn(p, ",")) { /* not blank up to the next comma */
            enum pal_status st = read_piece(items, p, &end, &item[n], &weight[n], err);
            if (st != PAL_OK)
                return st;
            /* said again: the later word counts, as the last one said */
            for (size_t i = 0; i < n; i++)
                if (item[i] == item[n]) {
                    memmove(item + i, item + i + 1, (n - i) * sizeof *item);
                    memmove(weight + i, weight + i + 1, (n - i) * sizeof *weight);
                    n--;
                    break;
                }
            n++;
        } else {
            end = p + strcspn(p, ",");
        }
        if (!*end)
            break;
    }
    if (n == 0)
        return pal_fail(err, PAL_EUSAGE,
                        "the history is empty: give titles or ids with commas "
                        "between them, a dislike with '-' before it");
    *out = (struct history){.n = n, .item = item, .weight = weight};
    return PAL_OK;
}
