/* MovieLens 100K as GroupLens publishes it: u.data, u.item, u.genre, u.user, and five and more
 * folds u1.base, u1.test… each of which is one way to cut u.data into training and test.
 *
 * Titles stay as published; categories are the genres, "unknown" being none; an item's attributes
 * are its year, dates and address, a user's are age, gender, occupation and zip code. */
#include "data/catalog.h"
#include "data/table.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { GENRES = 64 };

struct reader {
    struct str genres; /* the names in order, each followed by a NUL */
    size_t genre_count;
    struct str room, attributes;
};

/* u.genre: "Action|1", in the order of u.item's flags. */
static enum pal_status take_genre(struct loading *l, struct lines *lines, void *ctx,
                                  struct complaint *bad, struct pal_error *err)
{
    struct reader *m = ctx;
    uint64_t number;
    struct field name = lines_field(lines, 0), at = lines_field(lines, 1);
    if (!lines_exactly(lines, 2, bad))
        return PAL_OK;
    if (!text_u64(at.p, at.end, &number) || number != m->genre_count || number >= GENRES) {
        lines_wrong(bad, at, "the genre's number, counted from 0");
        return PAL_OK;
    }
    m->genre_count++;
    str_add(&m->genres, name.p, strnlen(name.p, (size_t)(name.end - name.p)));
    str_char(&m->genres, 0);
    return str_ok(&m->genres) ? PAL_OK : pal_no_memory(err);
}

/* u.item: id, title, two dates, address, a 0 or 1 for each genre. */
static enum pal_status take_item(struct loading *l, struct lines *lines, void *ctx,
                                 struct complaint *bad, struct pal_error *err)
{
    enum { FLAGS = 5 };
    struct reader *m = ctx;
    struct field title, none = {"", "", NULL};
    if (!lines_exactly(lines, FLAGS + m->genre_count, bad))
        return PAL_OK;
    for (size_t i = 0; i < m->genre_count; i++) {
        struct field flag = lines->field[FLAGS + i];
        if (flag.end - flag.p != 1 || (*flag.p != '0' && *flag.p != '1')) {
            lines_wrong(bad, flag, "0 or 1 for a genre");
            return PAL_OK;
        }
    }
    enum pal_status st =
        loading_new_id(l, &l->d->items.ids, lines->field[0], "an item id", bad, err);
    if (st != PAL_OK || bad->expected)
        return st;
    const char *name = str_text(&m->genres);
    for (size_t i = 0; i < m->genre_count && st == PAL_OK; i++, name += strlen(name) + 1)
        if (*lines->field[FLAGS + i].p == '1')
            st = catalog_put_categories(l, (struct field){name, name + strlen(name), name}, err);
    static const char *const keys[] = {"released", "released_video", "imdb_url"};
    attr_begin(&m->attributes);
    attr_year(&m->attributes, lines->field[1].p, lines->field[1].end);
    for (size_t i = 0; i < 3 && st == PAL_OK; i++) {
        struct field value;
        st = loading_text(lines->field[2 + i], &m->room, &value, err);
        if (st == PAL_OK)
            attr_text(&m->attributes, keys[i], value.p, value.end);
    }
    attr_end(&m->attributes);
    if (st == PAL_OK)
        st = loading_text(lines->field[1], &m->room, &title, err);
    return st == PAL_OK ? catalog_put_item(l, title, none, &m->attributes, err) : st;
}

/* u.user: id, age, gender, occupation, zip code. */
static enum pal_status take_user(struct loading *l, struct lines *lines, void *ctx,
                                 struct complaint *bad, struct pal_error *err)
{
    static const char *const keys[] = {NULL, "age", "gender", "occupation", "zip"};
    struct reader *m = ctx;
    if (!lines_exactly(lines, 5, bad))
        return PAL_OK;
    enum pal_status st =
        loading_new_id(l, &l->d->users.ids, lines->field[0], "a user id", bad, err);
    if (st != PAL_OK || bad->expected)
        return st;
    attr_begin(&m->attributes);
    for (size_t i = 1; i < 5 && st == PAL_OK; i++) {
        struct field value;
        st = loading_text(lines->field[i], &m->room, &value, err);
        if (st == PAL_OK && i == 1)
            attr_number(&m->attributes, keys[i], value.p, value.end);
        else if (st == PAL_OK)
            attr_text(&m->attributes, keys[i], value.p, value.end);
    }
    attr_end(&m->attributes);
    return st == PAL_OK ? catalog_put_user(l, &m->attributes, err) : st;
}

/* One file of events, or the two of a fold. */
static enum pal_status read_ratings(struct loading *l, const char *folder, const char *base,
                                    const char *test, struct pal_error *err)
{
    uint8_t type;
    struct rows *rows;
    enum pal_status st = loading_type(l, "rating", &type, err);
    if (st != PAL_OK)
        return st;
    struct table t = table_of(RECORD_PLAIN, '\t', 4, type);
    st = table_read_in(l, folder, base, &t, l->all, err);
    if (st != PAL_OK || !*test || (st = loading_test(l, &rows, err)) != PAL_OK)
        return st;
    return table_read_in(l, folder, test, &t, rows, err);
}

/* The names of the files with events; *test is "" where all is one. */
static enum pal_status name_files(const struct loading *l, const char *folder, char base[32],
                                  char test[32], struct pal_error *err)
{
    const char *fold = l->options->fold;
    snprintf(base, 32, "u.data");
    *test = 0;
    if (!fold)
        return PAL_OK;
    snprintf(base, 32, "%.20s.base", fold);
    snprintf(test, 32, "%.20s.test", fold);
    if (strchr(fold, '/') || !folder_has(folder, base) || !folder_has(folder, test))
        return pal_fail(err, PAL_ENOTFOUND,
                        "there is no fold '%.20s': %s has no files %s and %s (folds are u1 to u5, "
                        "ua and ub)",
                        fold, folder, base, test);
    return PAL_OK;
}

static enum pal_status read_all(struct loading *l, const char *folder, struct reader *r,
                                struct pal_error *err)
{
    const struct record_format bars = {RECORD_PLAIN, '|', false};
    char base[32], test[32];
    enum pal_status st = name_files(l, folder, base, test, err);
    if (st != PAL_OK)
        return st;
    loading_expect(l, folder, "u.item");
    loading_expect(l, folder, "u.user");
    loading_expect(l, folder, base);
    loading_expect(l, folder, test);
    if (folder_has(folder, "u.item")) {
        st = records_read_in(l, folder, "u.genre", &bars, take_genre, r, err);
        if (st == PAL_OK)
            st = records_read_in(l, folder, "u.item", &bars, take_item, r, err);
    }
    if (st == PAL_OK && folder_has(folder, "u.user"))
        st = records_read_in(l, folder, "u.user", &bars, take_user, r, err);
    return st == PAL_OK ? read_ratings(l, folder, base, test, err) : st;
}

static enum pal_status read_100k(struct loading *l, const char *folder, struct pal_error *err)
{
    struct reader r = {0};
    l->latin1 = true;
    enum pal_status st = read_all(l, folder, &r, err);
    l->d->weights = loading_rating_weights(l);
    str_done(&r.genres);
    str_done(&r.room);
    str_done(&r.attributes);
    return st;
}

static bool fits(const char *path)
{
    return folder_has(path, "u.data");
}

const struct loader loader_movielens_100k = {
    "movielens-100k", "MovieLens 100K: a folder with u.data, u.item, u.user; folds u1 to u5", fits,
    read_100k, false};
