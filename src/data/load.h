/* Reading data sets as they are published.
 *
 * A loader is one row in load.c's table: a name, a test whether a path looks like its format, and
 * a function that reads it. Nothing is half-loaded: an error leaves no data set behind.
 *
 * Items are numbered in the order of the file about items, if there is one, and then of their first
 * event; those that nobody ever had are there too. The same goes for users. Repeated rows are kept.
 * Titles that are not UTF-8 are taken for Latin-1; ids only where the format is (old MovieLens). */
#ifndef DATA_LOAD_H
#define DATA_LOAD_H

#include "base/run.h"
#include "data/dataset.h"

struct load_options {
    const char *format; /* a loader's name; NULL = find out */
    const char
        *columns;      /* tables and JSON lines: "user=userId,item=movieId,value=rating,time=ts,
                          type=action", by name or by number from 1; an empty name turns a role
                          off; what is not mentioned, or all for NULL, is guessed by usual names */
    uint64_t skip_bad; /* how many malformed lines to pass over */
    const char *fold;  /* MovieLens 100K: "u1" … "u5", "ua", "ub" = that base and test file;
                          NULL = u.data */
};

/* path: a folder as published, a single file, or palate's own. options may be NULL. PAL_EFORMAT for
 * a malformed line: "file:line:column: expected …, found '…'", columns in bytes from 1; PAL_EUSAGE
 * for options that don't fit; PAL_ENOTFOUND, PAL_EIO. Takes up to 17 bytes per event while reading
 * and 4 to 13 after; the files are mapped. One thread. */
MUST_USE enum pal_status dataset_load(const char *path, const struct load_options *options,
                                      const struct run *run, struct dataset **out,
                                      struct pal_error *err);

/* Name and one line about each loader, for help; NULL past the last. */
const char *load_format_name(size_t i);
const char *load_format_help(size_t i);

#endif
