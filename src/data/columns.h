/* Which column of a table, or which key of a JSON object, plays which role in an event: as the
 * caller said ("user=customer,item=sku") or by the names that published data sets use. */
#ifndef DATA_COLUMNS_H
#define DATA_COLUMNS_H

#include "data/lines.h"

enum role { ROLE_USER, ROLE_ITEM, ROLE_VALUE, ROLE_TIME, ROLE_TYPE, ROLES, ROLE_NONE = ROLES };

/* What the caller said. */
struct columns_wanted {
    struct {
        const char *p; /* borrowed; NULL = nothing was said, guess */
        size_t len;    /* 0 = the role is not to be filled */
    } name[ROLES];
};

/* "user=userId,item=movieId,value=rating,time=ts,type=action": any of the five; NULL = all guessed.
 * PAL_EUSAGE says which part can't be read. `text` must outlive *out. */
MUST_USE enum pal_status columns_parse(const char *text, struct columns_wanted *out,
                                       struct pal_error *err);

/* The role that a name plays, and how surely: 0 is the surest. ROLE_NONE if none. Upper and lower
 * case, '_', '-', blanks and RecBole's ":type" endings make no difference to guessing. */
enum role columns_role(const struct columns_wanted *w, const char *name, size_t len,
                       unsigned *rank);

/* Is the name the known word, written small and without joints ("userid"), in that loose sense? */
bool columns_named(const char *name, size_t len, const char *word);

/* Is this a name for an opinion (rating, stars) rather than for an amount? */
bool columns_is_rating(const char *name, size_t len);

/* The field that plays each role, -1 = none. */
struct columns {
    int at[ROLES];
    size_t fields; /* how many each record has */
    bool rating;   /* values are opinions */
};

/* From a header, the record at hand. True if it names a user and an item. */
bool columns_from_header(const struct columns_wanted *w, const struct lines *l,
                         struct columns *out);

/* From positions ("user=1,item=2", counted from 1), or without any: user, item, rating, time. True
 * if the record at hand can be a row of such a table. */
bool columns_from_row(const struct columns_wanted *w, const struct lines *l, bool words,
                      struct columns *out);

/* Why neither worked: a sentence with the names there are and what to do. */
enum pal_status columns_refuse(const struct columns_wanted *w, const struct lines *l,
                               struct pal_error *err);

#endif
