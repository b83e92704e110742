/* "user item item …", one line per user, as the graph recommenders publish their splits (LightGCN,
 * NGCF, KGAT): a folder with train.txt and test.txt, or a single file.
 *
 * Ids are the numbers in these files, so that results compare with published ones; where
 * item_list.txt or user_list.txt says what a number was in the original data, that becomes the
 * attribute "original_id". The order in a line is kept, but means no time. A user whose line has
 * no items is a user all the same. */
#include "data/id_map.h"
#include "data/records.h"

#include <string.h>

struct list_reader {
    struct rows *rows;
    uint8_t type;
};

/* Are all ids of the line good? */
static bool good_line(const struct loading *l, const struct lines *lines, struct complaint *bad)
{
    const char *p = lines->p;
    struct field word;
    lines_word(lines, &p, &word);
    if (!loading_good_id(l, word, event_names_plain.user, bad))
        return false;
    while (lines_word(lines, &p, &word))
        if (!loading_good_id(l, word, event_names_plain.item, bad))
            return false;
    return true;
}

static enum pal_status take_list(struct loading *l, struct lines *lines, void *ctx,
                                 struct complaint *bad, struct pal_error *err)
{
    const struct list_reader *r = ctx;
    const char *p = lines->p;
    struct loaded_event e = {.otherwise = 1, .type = r->type};
    uint32_t number;
    if (!good_line(l, lines, bad))
        return PAL_OK;
    lines_word(lines, &p, &e.user);
    enum pal_status st =
        loading_id(l, &l->d->users.ids, e.user, event_names_plain.user, &number, bad, err);
    while (st == PAL_OK && lines_word(lines, &p, &e.item))
        st = loading_event(l, r->rows, &e, &event_names_plain, bad, err);
    return st;
}

static enum pal_status read_list(struct loading *l, const char *path, struct rows *rows,
                                 struct pal_error *err)
{
    const struct record_format whole = {RECORD_LINE, ' ', false};
    struct list_reader r = {.rows = rows};
    enum pal_status st = loading_type(l, "interaction", &r.type, err);
    return st == PAL_OK ? records_read(l, path, &whole, take_list, &r, err) : st;
}

static enum pal_status read_list_in(struct loading *l, const char *folder, const char *name,
                                    struct rows *rows, struct pal_error *err)
{
    char path[PATH_BYTES];
    enum pal_status st = file_join(path, sizeof path, folder, name, err);
    return st == PAL_OK ? read_list(l, path, rows, err) : st;
}

static enum pal_status read_folder(struct loading *l, const char *folder, struct pal_error *err)
{
    static const char *const names[] = {"item_list.txt", "user_list.txt", "train.txt", "test.txt"};
    const struct id_map maps[] = {{names[0], false, 1, 0, true}, {names[1], true, 1, 0, true}};
    struct rows *test;
    enum pal_status st = PAL_OK;
    for (size_t i = 0; i < 4; i++)
        loading_expect(l, folder, names[i]);
    for (size_t i = 0; i < 2 && st == PAL_OK; i++)
        st = id_map_read(l, folder, &maps[i], err);
    if (st == PAL_OK)
        st = read_list_in(l, folder, "train.txt", l->all, err);
    if (st != PAL_OK || !folder_has(folder, "test.txt"))
        return st;
    st = loading_test(l, &test, err);
    return st == PAL_OK ? read_list_in(l, folder, "test.txt", test, err) : st;
}

static enum pal_status read_lists(struct loading *l, const char *path, struct pal_error *err)
{
    l->d->weights = "*:1";
    if (file_is_dir(path))
        return read_folder(l, path, err);
    reading_expect(&l->reading, path);
    return read_list(l, path, l->all, err);
}

static bool fits(const char *path)
{
    char train[PATH_BYTES];
    size_t least, most;
    struct record_format format;
    if (!file_is_dir(path))
        return file_words(path, &least, &most) && most > 4 && least != most &&
               record_guess(path, &format, NULL) == PAL_OK && format.kind == RECORD_WORDS;
    return folder_has(path, "train.txt") &&
           file_join(train, sizeof train, path, "train.txt", NULL) == PAL_OK &&
           file_words(train, &least, &most) && (least != most || most > 4);
}

const struct loader loader_lists = {
    "lists", "user item item …: a folder with train.txt and test.txt, or one file", fits,
    read_lists, false};
