/* Reading a text file record by record, and saying where a record is wrong.
 *
 * The file is mapped and parsed in place: fields point into it. Windows line ends, a byte order
 * mark, a last line without its end, and empty lines at the end of the file are all fine. */
#ifndef DATA_LINES_H
#define DATA_LINES_H

#include "base/file.h"
#include "base/run.h"

#include <stdbool.h>

/* What several files of one data set share: how many malformed records may be passed over, and how
 * far reading has come. */
struct reading {
    const struct run *run;     /* borrowed; may be NULL */
    uint64_t allowed, skipped; /* malformed records */
    uint64_t done, total;      /* bytes; total 0 = unknown */
};

struct field {
    const char *p, *end; /* the text, without quotes around it */
    const char *at;      /* where it stands in the file, for complaints */
};

enum { LINE_FIELDS = 256 }; /* a record's fields past these are counted but not kept */

struct lines {
    struct reading *reading; /* borrowed */
    const char *path;        /* borrowed */
    struct file_map map;     /* as opened */
    const char *next, *end;  /* what has not been read yet */
    const char *p, *stop;    /* the record at hand, without its line end */
    const char *second;      /* where the line after the record's first one begins */
    const char *step;        /* reading past this reports progress */
    uint64_t line;           /* the number of the record's first line, from 1 */
    uint64_t lines;          /* lines read so far */
    size_t fields;           /* how many the record has */
    struct field field[LINE_FIELDS];
    char *unquoted; /* fields that held doubled quotes, rewritten */
    size_t unquoted_cap, unquoted_used;
};

/* What is wrong with a record, if anything: expected NULL = nothing. */
struct complaint {
    const char *expected; /* "a rating (a number)": a constant */
    const char *p, *end;  /* the text found instead */
    const char *at;       /* where that stands in the file */
};

/* path and reading must outlive l. Adds nothing to reading->total: see reading_expect. */
MUST_USE enum pal_status lines_open(struct lines *l, struct reading *reading, const char *path,
                                    struct pal_error *err);
void lines_close(struct lines *l); /* an all-zero struct is fine */

/* Adds the file's size to the total, so that progress knows it beforehand. */
void reading_expect(struct reading *r, const char *path);

/* Moves to the next line; false at the end of the file, or when the run is stopped (*st). */
bool lines_next(struct lines *l, enum pal_status *st, struct pal_error *err);

/* Cut the record at hand into fields. A separator is one character, or "::" given as ':'. */
void lines_split(struct lines *l, char separator);

/* The same for fields parted by any number of blanks and tabs. */
void lines_words(struct lines *l);

/* The same for CSV (RFC 4180): fields may stand in double quotes, and then hold separators, line
 * ends and doubled quotes. Blanks around fields without quotes are dropped unless the separator is
 * a tab. False if quotes don't match (*bad says where, and reading goes on behind the record's
 * first line) or if memory is out (bad->expected NULL). */
bool lines_csv(struct lines *l, char separator, struct complaint *bad);

/* The next word at *p, parted by blanks and tabs; false at the end of the record. */
bool lines_word(const struct lines *l, const char **p, struct field *word);

/* Field i, or an empty one at the record's end if there are fewer. */
struct field lines_field(const struct lines *l, size_t i);

/* Fills *bad with what field f should have been; returns false, so that parsers can return it. */
bool lines_wrong(struct complaint *bad, struct field f, const char *expected);

/* True if the record has exactly this many fields; else *bad says where it ends or should have. */
bool lines_exactly(const struct lines *l, size_t fields, struct complaint *bad);

/* A malformed record: counts it (PAL_OK) or, when no more may be passed over, PAL_EFORMAT
 * "file:line:column: expected …, found '…'". Columns count bytes, from 1. */
MUST_USE enum pal_status lines_bad(struct lines *l, const struct complaint *bad,
                                   struct pal_error *err);

/* An error of another kind while at this record: puts "file:line: " before its message. */
enum pal_status lines_within(const struct lines *l, enum pal_status st, struct pal_error *err);

#endif
