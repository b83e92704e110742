/* Whole files: mapped for reading, and written so that a reader sees the old one or the new one,
 * never a half. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>

/* A file mapped read-only. */
struct file_map {
    const char *data; /* (size); not NUL-terminated; "" for an empty file */
    size_t size;
};

MUST_USE enum pal_status file_map(const char *path, struct file_map *out, struct pal_error *err);
void file_unmap(struct file_map *m); /* an all-zero struct is fine */

/* A file being written. Until file_commit nobody sees it under its name. */
struct file_out;

/* A symbolic link is followed. PAL_EIO for what is there and no ordinary file: it would be replaced
 * by one. */
MUST_USE enum pal_status file_create(const char *path, struct file_out **out,
                                     struct pal_error *err);
MUST_USE enum pal_status file_write(struct file_out *f, const void *data, size_t size,
                                    struct pal_error *err);

/* Flushes, syncs and renames it into place; f is gone afterwards, whatever the outcome. On failure
 * the old file, if any, is as it was. */
MUST_USE enum pal_status file_commit(struct file_out *f, struct pal_error *err);

/* Drops it; NULL is fine. */
void file_abandon(struct file_out *f);

/* All of it at once: the whole new file is there, or the old one as it was. */
MUST_USE enum pal_status file_put(const char *path, const void *data, size_t size,
                                  struct pal_error *err);

bool file_exists(const char *path);
bool file_is_dir(const char *path);
int64_t file_size(const char *path); /* -1 if there is none */

/* Makes a folder and its parents; one that is there already is fine. */
MUST_USE enum pal_status file_make_dir(const char *path, struct pal_error *err);

/* dir + "/" + name into buf; PAL_EUSAGE if it is too long. */
MUST_USE enum pal_status file_join(char *buf, size_t size, const char *dir, const char *name,
                                   struct pal_error *err);

#endif
