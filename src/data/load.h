/* Reading data sets as they are published.
 *
 * A loader is one row in load.c's table: a name, a test whether a path looks like its format, and
 * a function that reads it. Nothing is half-loaded: an error leaves no data set behind. */
#ifndef DATA_LOAD_H
#define DATA_LOAD_H

#include "base/run.h"
#include "data/dataset.h"

struct load_options {
    const char *format; /* a loader's name; NULL = find out */
    const char
        *columns; /* CSV/TSV/JSON lines: "user=userId,item=movieId,value=rating,time=ts,type=…";
                     NULL = guess from the header */
    uint64_t skip_bad; /* how many malformed lines to pass over */
    const char *
        fold; /* MovieLens 100K: "u1" … "u5", "ua", "ub" = that base and test file; NULL = u.data */
};

/* path: a folder as published, a single file, or palate's own. options may be NULL. */
MUST_USE enum pal_status dataset_load(const char *path, const struct load_options *options,
                                      const struct run *run, struct dataset **out,
                                      struct pal_error *err);

/* Name and one line about each loader, for help; NULL past the last. */
const char *load_format_name(size_t i);
const char *load_format_help(size_t i);

#endif
