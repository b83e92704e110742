/* Walking over a file of records: the loop that all loaders share. */
#ifndef DATA_RECORDS_H
#define DATA_RECORDS_H

#include "data/loading.h"

enum record_cut_kind {
    RECORD_LINE,   /* not cut: whoever takes it walks over it with lines_word */
    RECORD_WORDS,  /* fields parted by blanks and tabs */
    RECORD_PLAIN,  /* by one separator; quotes mean nothing */
    RECORD_QUOTED, /* the same as CSV */
};

struct record_format {
    enum record_cut_kind kind;
    char separator; /* ':' stands for "::" */
    bool header;    /* the first record is none of those wanted */
};

/* Takes one record: fills *bad (expected is NULL before) if it is malformed. */
typedef enum pal_status record_fn(struct loading *l, struct lines *lines, void *ctx,
                                  struct complaint *bad, struct pal_error *err);

/* Cuts the record at hand into fields; false as lines_csv. */
bool record_cut(const struct record_format *f, struct lines *lines, struct complaint *bad);

/* How a file is cut, judged by its first line, the one at hand: "::", or the first of tab, comma,
 * semicolon and bar that stands outside quotes, or else blanks. */
struct record_format record_format_of(const struct lines *lines);

/* The same for a file that is not open; PAL_EFORMAT if it is empty. */
MUST_USE enum pal_status record_guess(const char *path, struct record_format *out,
                                      struct pal_error *err);

/* Gives each record of a file to fn. */
MUST_USE enum pal_status records_read(struct loading *l, const char *path,
                                      const struct record_format *f, record_fn *fn, void *ctx,
                                      struct pal_error *err);

/* The same for a file in a folder. */
MUST_USE enum pal_status records_read_in(struct loading *l, const char *folder, const char *name,
                                         const struct record_format *f, record_fn *fn, void *ctx,
                                         struct pal_error *err);

#endif
