/* A folder of one's own: events.csv, .tsv, .jsonl or the like, and beside it, if one has them,
 * items.csv and users.csv. Usual other names work as well, and so does a folder with train and test
 * files, or with one single file of events whatever its name. */
#include "data/catalog.h"
#include "data/table.h"

#include <stdio.h>
#include <string.h>

static const char *const event_names[] = {"events",       "interactions", "ratings",
                                          "transactions", "reviews",      "clicks",
                                          "purchases",    "orders",       "train"};
static const char *const item_names[] = {"items", "products", "movies", "books", "articles",
                                         "songs", "tracks",   "games",  "item"};
static const char *const user_names[] = {"users", "customers", "demographics", "members", "user"};
static const char *const endings[] = {".csv", ".tsv", ".jsonl", ".ndjson",
                                      ".txt", ".dat", ".data",  ".inter"};
enum { EVENTS = 9, ITEMS = 9, USERS = 5, ENDINGS = 8, TABLES = 2 /* .csv and .tsv */ };

/* The first of the names with one of the endings that the folder has. */
static bool find(const char *folder, const char *const *names, size_t count, size_t kinds,
                 char path[PATH_BYTES])
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < kinds; j++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", names[i], endings[j]);
            if (folder_has(folder, name))
                return file_join(path, PATH_BYTES, folder, name, NULL) == PAL_OK;
        }
    return false;
}

/* A folder's one file that could hold events. */
static bool find_single(const char *folder, char path[PATH_BYTES])
{
    char name[256], only[256];
    size_t found = 0;
    for (size_t j = 0; j < ENDINGS; j++) {
        size_t n = folder_find(folder, "", endings[j], name, NULL);
        found += n;
        if (n)
            memcpy(only, name, sizeof only);
    }
    return found == 1 && file_join(path, PATH_BYTES, folder, only, NULL) == PAL_OK;
}

static bool find_events(const char *folder, char path[PATH_BYTES])
{
    return find(folder, event_names, EVENTS, ENDINGS, path) || find_single(folder, path);
}

static enum pal_status read_events(struct loading *l, const char *path, struct rows *rows,
                                   struct pal_error *err)
{
    if (file_ends(path, ".jsonl") || file_ends(path, ".ndjson"))
        return jsonl_read(l, path, rows, err);
    return table_guess_and_read(l, path, NULL, rows, err);
}

static enum pal_status read_folder(struct loading *l, const char *folder, struct pal_error *err)
{
    static const char *const test_names[] = {"test"};
    char events[PATH_BYTES], items[PATH_BYTES], users[PATH_BYTES], test[PATH_BYTES];
    struct rows *rows;
    enum pal_status st = PAL_OK;
    if (!find_events(folder, events))
        return pal_fail(err, PAL_ENOTFOUND, "%s holds no events.csv, .tsv or .jsonl", folder);
    bool has_items = find(folder, item_names, ITEMS, TABLES, items);
    bool has_users = find(folder, user_names, USERS, TABLES, users);
    bool has_test = find(folder, test_names, 1, ENDINGS, test);
    if (has_items)
        reading_expect(&l->reading, items);
    if (has_users)
        reading_expect(&l->reading, users);
    reading_expect(&l->reading, events);
    if (has_items)
        st = catalog_read_items(l, items, err);
    if (st == PAL_OK && has_users)
        st = catalog_read_users(l, users, err);
    if (st == PAL_OK)
        st = read_events(l, events, l->all, err);
    if (st != PAL_OK || !has_test)
        return st;
    reading_expect(&l->reading, test);
    bool has_times = l->has_times;
    st = loading_test(l, &rows, err);
    if (st == PAL_OK)
        st = read_events(l, test, rows, err);
    if (st != PAL_OK || !rows_count(rows) || l->has_times == has_times)
        l->has_times = has_times;
    else if (rows_count(l->all))
        st = pal_fail(err, PAL_EFORMAT, "only one of %s and %s has times: both or none must",
                      events, test);
    return st;
}

static bool fits(const char *path)
{
    char events[PATH_BYTES];
    return file_is_dir(path) && find_events(path, events);
}

const struct loader loader_folder = {
    "folder", "a folder with events.csv, .tsv or .jsonl, and items.csv, users.csv if there are any",
    fits, read_folder, true};
