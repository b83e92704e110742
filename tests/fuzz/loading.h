/* What the targets for loaders share: the input becomes files in memory, a loader reads them, and
 * what comes out is held to what every data set promises. */
#ifndef FUZZ_LOADING_H
#define FUZZ_LOADING_H

#include "fuzz.h"

#include "base/text.h"
#include "data/load.h"

#include <math.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes bytes to a file in memory that stays open; returns its path, valid for this process. */
static inline const char *memory_file(int *fd, const uint8_t *data, size_t size)
{
    static char path[64];
    if (*fd <= 0)
        *fd = memfd_create("fuzz", 0);
    FUZZ_CHECK(*fd > 0 && ftruncate(*fd, 0) == 0 && pwrite(*fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", *fd);
    return path;
}

/* The name of a folder of this process's own, in memory where there is such a file system. It is
 * there between put_files and remove_files. */
static inline const char *memory_folder(void)
{
    static char folder[64];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/palate-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        FUZZ_CHECK(mkdtemp(folder) != NULL);
    }
    return folder;
}

static inline void put_file(const char *name, const uint8_t *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", memory_folder(), name);
    FILE *f = fopen(path, "wb");
    FUZZ_CHECK(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

static inline void remove_files(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", memory_folder(), names[i]);
        unlink(path);
    }
    rmdir(memory_folder());
}

/* Cuts the input at each byte 0x01 into files of these names; missing ones are empty. */
static inline void put_files(const char *const *names, size_t count, const uint8_t *data,
                             size_t size)
{
    FUZZ_CHECK(mkdir(memory_folder(), 0700) == 0 || access(memory_folder(), W_OK) == 0);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *end = i + 1 < count && size ? memchr(data, 1, size) : NULL;
        size_t len = end ? (size_t)(end - data) : size;
        put_file(names[i], data, len);
        data += end ? len + 1 : len;
        size -= end ? len + 1 : len;
    }
}

static inline void check_interactions(const struct dataset *d, const struct interactions *x)
{
    if (!x->start)
        return;
    FUZZ_CHECK(x->users == d->users.ids.count && x->items == d->items.ids.count);
    for (uint32_t u = 0; u < x->users; u++)
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
            FUZZ_CHECK(x->item[i] < x->items && isfinite(interactions_value(x, i)));
            FUZZ_CHECK(interactions_type(x, i) < d->types.count);
            FUZZ_CHECK(i == x->start[u] || interactions_time(x, i - 1) <= interactions_time(x, i));
        }
}

static inline void check_ids(const struct intern *ids)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        size_t len = intern_len(ids, i);
        FUZZ_CHECK(len >= 1 && len <= 256 && text_is_utf8(intern_text(ids, i), len));
        FUZZ_CHECK(strlen(intern_text(ids, i)) == len);
    }
}

/* Loads, and checks either the data set or that the refusal says something. Returns whether it
 * loaded. */
static inline bool check_load(const char *path, const struct load_options *options)
{
    struct pal_error err = {.message = ""};
    struct dataset *d = NULL;
    long live = mem_live();
    enum pal_status st = dataset_load(path, options, NULL, &d, &err);
    FUZZ_CHECK((st == PAL_OK) == (d != NULL));
    if (!d) {
        FUZZ_CHECK(err.status == st && err.message[0] != 0);
        FUZZ_CHECK(text_is_utf8(err.message, strlen(err.message)));
        FUZZ_CHECK(mem_live() == live);
        return false;
    }
    FUZZ_CHECK(d->skipped <= (options ? options->skip_bad : 0));
    check_ids(&d->users.ids);
    check_ids(&d->items.ids);
    check_interactions(d, &d->all);
    check_interactions(d, &d->test);
    struct weights w;
    FUZZ_CHECK(weights_parse(d->weights, &w, &err) == PAL_OK);
    for (uint32_t i = 0; i < d->items.ids.count; i++) {
        uint32_t n;
        const uint32_t *label = labels_at(&d->items.categories, i, &n);
        for (uint32_t j = 0; j < n; j++)
            FUZZ_CHECK(label[j] < d->items.categories.names.count);
        FUZZ_CHECK(text_is_utf8(items_name(&d->items, i), strlen(items_name(&d->items, i))));
    }
    dataset_free(d);
    FUZZ_CHECK(mem_live() == live);
    return true;
}

/* What is refused for a malformed line loads when enough of them may be passed over, unless the
 * whole file is refused. */
static inline void check_both_ways(const char *path, struct load_options options)
{
    options.skip_bad = 0;
    bool strict = check_load(path, &options);
    options.skip_bad = 1000000;
    bool lenient = check_load(path, &options);
    FUZZ_CHECK(!strict || lenient);
}

#endif
