/* See folders.h. */
#include "data/folders.h"

#include "data/lines.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool folder_has(const char *folder, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof path && file_exists(path) && !file_is_dir(path);
}

static bool tells_about_others(const char *name)
{
    static const char *const begins[] = {".", "readme", "license", "sas_to_original"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (strncasecmp(name, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

size_t folder_find(const char *folder, const char *prefix, const char *suffix, char first[256],
                   char last[256])
{
    size_t found = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (tells_about_others(e->d_name) || strncasecmp(e->d_name, prefix, strlen(prefix)) != 0 ||
            !file_ends(e->d_name, suffix) || !folder_has(folder, e->d_name))
            continue;
        if (found == 0 || strcmp(e->d_name, first) < 0)
            snprintf(first, 256, "%s", e->d_name);
        if (last && (found == 0 || strcmp(e->d_name, last) > 0))
            snprintf(last, 256, "%s", e->d_name);
        found++;
    }
    if (dir)
        closedir(dir);
    return found;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void folder_inner(const char *folder, char *out, size_t size)
{
    enum { MOST = 8, NAME = 256 };
    char names[MOST][NAME], path[PATH_MAX];
    size_t found = 0, used = 0;
    *out = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (*e->d_name == '.' || file_join(path, sizeof path, folder, e->d_name, NULL) ||
            !file_is_dir(path))
            continue;
        if (found < MOST)
            snprintf(names[found], NAME, "%s", e->d_name);
        found++;
    }
    if (dir)
        closedir(dir);
    if (found > MOST)
        return;
    qsort(names, found, NAME, by_name);
    for (size_t i = 0; i < found && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 i ? ", " : "; or give one of its folders: ", names[i]);
}

bool file_words(const char *path, size_t *least, size_t *most)
{
    struct lines l;
    struct reading silent = {0};
    enum pal_status st = lines_open(&l, &silent, path, NULL);
    if (st != PAL_OK)
        return false;
    *least = SIZE_MAX;
    *most = 0;
    for (int i = 0; i < 64 && lines_next(&l, &st, NULL); i++) {
        lines_words(&l);
        *least = l.fields < *least ? l.fields : *least;
        *most = l.fields > *most ? l.fields : *most;
    }
    lines_close(&l);
    return *most > 0;
}

bool file_ends(const char *path, const char *suffix)
{
    size_t len = strlen(path), tail = strlen(suffix);
    return len >= tail && strcasecmp(path + len - tail, suffix) == 0;
}
