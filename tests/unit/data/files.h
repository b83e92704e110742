/* Folders and files that a test makes for itself, and the published data sets where they are at
 * hand. */
#ifndef TEST_FILES_H
#define TEST_FILES_H

#include "folder.h"

#include "data/load.h"

#include <unistd.h>

/* A new folder; its name stays valid until the next call. */
static inline const char *make_folder(void)
{
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/palate-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

/* Writes size bytes to folder/name; returns the path, valid until the call after the next one. */
static inline const char *write_bytes(const char *folder, const char *name, const char *bytes,
                                      size_t size)
{
    static char paths[2][512];
    static int turn;
    char *path = paths[turn ^= 1];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline const char *write_text(const char *folder, const char *name, const char *text)
{
    return write_bytes(folder, name, text, strlen(text));
}

/* Where a published data set lies: in $PALATE_DATA, else in ../shared/data. NULL, and a line that
 * says so, if it is in neither: then the test must return after skip(). */
static inline const char *published(const char *name)
{
    static char path[512];
    const char *root = getenv("PALATE_DATA");
    snprintf(path, sizeof path, "%s/%s", root ? root : "../shared/data", name);
    if (access(path, R_OK) == 0)
        return path;
    printf("skipped: %s is not there\n", path);
    return NULL;
}

static inline uint32_t user_number(const struct dataset *d, const char *id)
{
    return intern_find(&d->users.ids, id, strlen(id));
}

static inline uint32_t item_number(const struct dataset *d, const char *id)
{
    return intern_find(&d->items.ids, id, strlen(id));
}

/* A history as "item:value:time item:value:time", with "-" where there is no time, and "type=" in
 * front where the data set has several types. */
static inline const char *history_text(const struct dataset *d, const struct interactions *x,
                                       const char *user)
{
    static char text[4096];
    uint32_t u = user_number(d, user);
    size_t n = 0;
    text[0] = 0;
    assert_true(u < x->users);
    for (uint64_t i = x->start[u]; i < x->start[u + 1] && n < sizeof text - 400; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s", i > x->start[u] ? " " : "");
        if (d->types.count > 1)
            n += (size_t)snprintf(text + n, sizeof text - n,
                                  "%s=", d->types.name[interactions_type(x, i)]);
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "%s:%g:", intern_text(&d->items.ids, x->item[i]),
                              interactions_value(x, i));
        if (x->time_s)
            n += (size_t)snprintf(text + n, sizeof text - n, "%u", x->time_s[i]);
        else
            n += (size_t)snprintf(text + n, sizeof text - n, "-");
    }
    return text;
}

#endif
