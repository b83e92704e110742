/* What the loaders share: ids and metadata on their way into a data set under construction.
 *
 * A loader reads items and users first, if its format has files about them, and then events. So
 * numbers follow the items file, and what is in no such file comes behind in order of its first
 * event. Every item of the catalog has a number, whether anyone ever had it or not. */
#ifndef DATA_LOADING_H
#define DATA_LOADING_H

#include "base/str.h"
#include "data/folders.h"
#include "data/lines.h"
#include "data/load.h"

struct loading {
    const struct load_options *options; /* never NULL */
    struct reading reading;
    struct dataset *d;
    struct rows *all, *test; /* test NULL until loading_test */
    bool has_times;          /* the rows' times mean something */
    bool latin1;             /* what is not UTF-8 is Latin-1 rather than an error */
    float lowest, highest;   /* of the values so far */
    uint32_t last_user;      /* rows often come user by user: saves the look-up */
};

/* A loader: a row of load.c's table. */
struct loader {
    const char *name, *help;
    bool (*fits)(const char *path); /* does a folder or file look like it? */
    enum pal_status (*read)(struct loading *l, const char *path, struct pal_error *err);
    bool columns; /* does the caller's choice of columns mean something to it? */
};

extern const struct loader loader_own, loader_movielens_100k, loader_movielens_1m,
    loader_movielens_csv, loader_ncf, loader_lists, loader_sasrec, loader_completejourney,
    loader_open_bandit, loader_export, loader_folder, loader_jsonl, loader_table;

enum { PATH_BYTES = 4096, ID_BYTES = 256 };

/* Counts the file, if the folder has it, into what progress is measured by. */
void loading_expect(struct loading *l, const char *folder, const char *name);

/* One event as it stands in a file. Fields with p NULL are not there. */
struct loaded_event {
    struct field user, item, value, time, type_name;
    float otherwise; /* the value where the file says none */
    uint8_t type;    /* the type where there is no type_name */
};

/* What the file calls them, for complaints: "a rating (a number)". */
struct event_names {
    const char *user, *item, *value, *time;
};
extern const struct event_names event_names_rating, event_names_plain;

/* Checks the event and adds it to `rows`. A malformed one adds nothing: *bad says why, and the
 * status is PAL_OK. */
MUST_USE enum pal_status loading_event(struct loading *l, struct rows *rows,
                                       const struct loaded_event *e,
                                       const struct event_names *names, struct complaint *bad,
                                       struct pal_error *err);

/* The user's or item's number, new if need be; a malformed id as above (then INTERN_NONE). */
MUST_USE enum pal_status loading_id(struct loading *l, struct intern *ids, struct field id,
                                    const char *expected, uint32_t *number, struct complaint *bad,
                                    struct pal_error *err);

/* Can this be an id? For formats with many ids in a line, which is taken whole or not at all. */
bool loading_good_id(const struct loading *l, struct field id, const char *expected,
                     struct complaint *bad);

/* The next item (or user) of a file about them: like loading_id, but it must be a new one. */
MUST_USE enum pal_status loading_new_id(struct loading *l, struct intern *ids, struct field id,
                                        const char *expected, struct complaint *bad,
                                        struct pal_error *err);

/* The number of an event type that a format brings along. */
MUST_USE enum pal_status loading_type(struct loading *l, const char *name, uint8_t *number,
                                      struct pal_error *err);

/* The rows of the published test part, made on first use. */
MUST_USE enum pal_status loading_test(struct loading *l, struct rows **out, struct pal_error *err);

/* Texts as UTF-8: *text is t itself or, where t is Latin-1 or not UTF-8 at all, a copy in *room
 * with each wrong byte taken as Latin-1. */
MUST_USE enum pal_status loading_text(struct field t, struct str *room, struct field *text,
                                      struct pal_error *err);

/* Appends `text` to the texts of `row`, which may lie behind their end: rows between get "". */
MUST_USE enum pal_status texts_put(struct texts *t, uint32_t row, const char *s, size_t len,
                                   struct pal_error *err);

/* Ends rows of labels until there are `rows`. */
MUST_USE enum pal_status labels_fill(struct labels *l, uint32_t rows, struct pal_error *err);

/* Building a JSON object of attributes from UTF-8: attr_begin, attr_text / attr_number…, attr_end.
 * Empty values are left out; an object without any members becomes "". What is no whole number by
 * JSON's rules becomes a text. */
void attr_begin(struct str *s);
void attr_text(struct str *s, const char *key, const char *p, const char *end);
void attr_number(struct str *s, const char *key, const char *p, const char *end);
void attr_end(struct str *s);

/* The year of a title such as "Toy Story (1995)", as an attribute "year". */
void attr_year(struct str *s, const char *title, const char *end);

/* Reads JSON lines into rows and sets the data set's weights; in load_jsonl.c. */
MUST_USE enum pal_status jsonl_read(struct loading *l, const char *path, struct rows *rows,
                                    struct pal_error *err);

/* The rules that suit ratings between the lowest and the highest value met. */
const char *loading_rating_weights(const struct loading *l);

#endif
