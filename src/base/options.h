/* Tables of options: one row drives the parser, --help, the config file, the environment, the
 * range check, the tuner's search space and the documentation. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/error.h"
#include "base/str.h"

enum opt_kind {
    OPT_BOOL,   /* bool: "true"/"false", "yes"/"no", "on"/"off", "1"/"0" */
    OPT_INT,    /* int64_t in [min, max] */
    OPT_REAL,   /* double in [min, max] */
    OPT_CHOICE, /* int: index into choices */
    OPT_TEXT,   /* const char *, borrowed from whoever set it; NULL when unset */
};

enum opt_scale { OPT_LINEAR, OPT_LOG, OPT_LOG2 }; /* how a tuner should walk the range */

struct opt {
    const char *name;
    enum opt_kind kind;
    size_t offset;       /* of the field in the struct that the table describes */
    const char *initial; /* as a user would write it; NULL for OPT_TEXT without a default */
    double min, max;
    enum opt_scale scale;
    const char *choices; /* OPT_CHOICE: "a|b|c"; OPT_TEXT: what to write for the value in help */
    const char *help;
};

struct opt_table {
    const struct opt *rows;
    size_t count;
};

/* Sets every field of the struct to its default. The defaults are our own and must parse. */
void opt_defaults(const struct opt_table *t, void *target);

/* Sets one field from text. PAL_EUSAGE with a sentence that names the option, what was given and
 * what is allowed; for an unknown name, the nearest known one or all of them. Nothing changes on
 * failure. */
MUST_USE enum pal_status opt_set(const struct opt_table *t, void *target, const char *name,
                                 const char *value, struct pal_error *err);

/* Appends the field's value as opt_set would take it. */
void opt_show(const struct opt *row, const void *target, struct str *out);

/* Appends "a whole number 4 to 1024", "cosine|tfidf|bm25", "TEXT"… for help. */
void opt_range(const struct opt *row, struct str *out);

const struct opt *opt_find(const struct opt_table *t, const char *name);

/* How far two words are from each other: insertions, deletions, replacements and swaps of
 * neighbours (optimal string alignment), case-insensitive. Words past 64 bytes are cut. */
size_t opt_distance(const char *a, const char *b);

#endif
