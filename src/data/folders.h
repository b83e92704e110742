/* Looking around before anything is loaded: what a folder holds, what a file's first lines look
 * like. */
#ifndef DATA_FOLDERS_H
#define DATA_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

/* Is there a file of this name in the folder? */
bool folder_has(const char *folder, const char *name);

/* How many files' names begin and end like this; the first and the last by name go to `first` and
 * `last` (which may be NULL). Files that only tell about others don't count: README…, LICENSE…,
 * sas_to_original…, hidden ones. */
size_t folder_find(const char *folder, const char *prefix, const char *suffix, char first[256],
                   char last[256]);

/* Writes up to `size` bytes of "; or give one of its folders: a, b" for the folders in this one, by
 * name; nothing if there are none or more than eight. */
void folder_inner(const char *folder, char *out, size_t size);

/* The least and the most words, parted by blanks and tabs, among the file's first 64 lines. False
 * if there is nothing to read. */
bool file_words(const char *path, size_t *least, size_t *most);

/* Has the name this ending, in upper or lower case? */
bool file_ends(const char *path, const char *suffix);

#endif
