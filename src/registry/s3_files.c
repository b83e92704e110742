/* files.json: what a version is made of, by which a copy of it is checked.
 *
 *     {"files":[{"name":"als.safetensors","size":1234,"sha256":"…"},…]} */
#include "registry/s3_inside.h"

#include "base/emit.h"
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A name that may become that of a file: plain characters, no dot at its beginning. */
static bool is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < S3_NAME_MOST && *name != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+") ==
               len;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct s3_file *)a)->name, ((const struct s3_file *)b)->name);
}

static enum pal_status look_at(const char *folder, const char *name, struct s3_files *f,
                               struct pal_error *err)
{
    char path[PATH_MAX];
    struct file_map map;
    if (!is_name(name))
        return pal_fail(err, PAL_EUSAGE, "%s/%s: no such name can be published", folder, name);
    if (f->count == S3_FILES_MOST)
        return pal_fail(err, PAL_EUSAGE, "%s holds more than %d files", folder, S3_FILES_MOST);
    enum pal_status st = file_join(path, sizeof path, folder, name, err);
    if (st == PAL_OK)
        st = file_map(path, &map, err);
    if (st != PAL_OK)
        return st;
    struct s3_file *file = &f->file[f->count++];
    strcpy(file->name, name);
    file->size = map.size;
    s3_hash(map.data, map.size, file->hash);
    file_unmap(&map);
    return PAL_OK;
}

enum pal_status s3_files_of(const char *folder, struct s3_files **out, struct pal_error *err)
{
    struct s3_files *f = mem_zero(1, sizeof *f);
    enum pal_status st = f ? PAL_OK : pal_no_memory(err);
    DIR *dir = f ? opendir(folder) : NULL;
    if (f && !dir)
        st = pal_fail(err, PAL_EIO, "cannot read %s: %s", folder, strerror(errno));
    for (struct dirent *e; st == PAL_OK && (e = readdir(dir));)
        if (*e->d_name != '.' && strcmp(e->d_name, S3_LISTING) != 0)
            st = look_at(folder, e->d_name, f, err);
    if (dir)
        closedir(dir);
    if (st != PAL_OK) {
        mem_free(f);
        return st;
    }
    qsort(f->file, f->count, sizeof f->file[0], by_name);
    *out = f;
    return PAL_OK;
}

void s3_files_write(const struct s3_files *f, struct str *out)
{
    struct emit e = {.compact = true, .text = *out};
    emit_open(&e, NULL, '{');
    emit_open(&e, "files", '[');
    for (size_t i = 0; i < f->count; i++) {
        emit_open(&e, NULL, '{');
        emit_string(&e, "name", f->file[i].name);
        emit_uint(&e, "size", f->file[i].size);
        emit_string(&e, "sha256", f->file[i].hash);
        emit_close(&e, '}');
    }
    emit_close(&e, ']');
    emit_close(&e, '}');
    *out = e.text;
}

static bool read_file(const json_t *entry, struct s3_file *out)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *hash = json_string_value(json_object_get(entry, "sha256"));
    const json_t *size = json_object_get(entry, "size");
    if (!name || !hash || !json_is_integer(size) || json_integer_value(size) < 0 ||
        !is_name(name) || strcmp(name, S3_LISTING) == 0 || strlen(hash) != S3_HASH - 1 ||
        strspn(hash, "0123456789abcdef") != S3_HASH - 1)
        return false;
    strcpy(out->name, name);
    strcpy(out->hash, hash);
    out->size = (uint64_t)json_integer_value(size);
    return true;
}

static bool read_all(const json_t *root, struct s3_files *f)
{
    const json_t *list = json_object_get(root, "files");
    bool manifest = false;
    if (!json_is_array(list) || json_array_size(list) > S3_FILES_MOST)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct s3_file *file = &f->file[f->count];
        if (!read_file(json_array_get(list, i), file) ||
            (f->count && strcmp(file[-1].name, file->name) >= 0))
            return false;
        manifest |= strcmp(file->name, REGISTRY_MANIFEST) == 0;
        f->count++;
    }
    return manifest;
}

enum pal_status s3_files_read(const char *what, const char *text, size_t size,
                              struct s3_files **out, struct pal_error *err)
{
    json_t *root =
        size <= S3_LISTING_MOST ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct s3_files *f = mem_zero(1, sizeof *f);
    enum pal_status st = f ? PAL_OK : pal_no_memory(err);
    if (f && !read_all(root, f))
        st =
            pal_fail(err, PAL_ECORRUPT,
                     "%s is damaged: it should list a version's files; publish it once more", what);
    json_decref(root);
    if (st != PAL_OK) {
        mem_free(f);
        return st;
    }
    *out = f;
    return PAL_OK;
}
