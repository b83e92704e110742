/* palate export recommendations: a list for every user, into a file or a table.
 *
 * Lists are made in chunks of users, in the data's order, and handed to a sink as text, which says
 * how far it has come, so that an interrupted run goes on behind the last whole chunk. */
#ifndef CLI_LISTS_H
#define CLI_LISTS_H

#include "cli/command.h"
#include "engine/recommender.h"

/* What lists are of; what a run that goes on must have in common with the one before. */
struct lists_head {
    uint32_t version;
    const char *model; /* as it was asked for; "" = the version's first */
    size_t n;
    enum whose_choice whose;
    int64_t days; /* 0 for all */
};

/* How a list is written. */
enum lists_form {
    FORM_CSV, /* user_id,rank,item_id,score,source: a line an item */
    FORM_JSONL, /* {"user_id":…,"version":…,"items":[{"item_id":…,"score":…,"source":…},…]} */
    FORM_COPY /* as PostgreSQL's COPY reads it: user_id, rank, item_id, score, source, version */
};

/* ---- Rows (lists_row.c) ---- */

void lists_put(struct str *out, enum lists_form form, uint32_t version, const char *user_id,
               const struct items *items, const struct recommendation *list, size_t count);

/* The line before the first; "" where there is none. */
const char *lists_header(enum lists_form form);

/* ---- Who, and what not (lists_users.c) ---- */

/* Numbers of the users who get a list, ascending; *out is the caller's to mem_free. */
MUST_USE enum pal_status lists_users(const struct dataset *d, const struct lists_head *head,
                                     uint32_t **out, size_t *count, struct pal_error *err);

/* *out (items): what the store, if the data came from one, says is not available; NULL if there is
 * nothing of that kind. The caller's to mem_free. */
MUST_USE enum pal_status lists_never(const struct job *job, const struct items *items,
                                     uint8_t **out, struct pal_error *err);

/* How many of users (count) an earlier run has done: the number it wrote down, if the last of them
 * is still the user it wrote down; else 0. */
size_t lists_done(const struct dataset *d, const uint32_t *users, size_t count, uint64_t done,
                  const char *last);

/* ---- Where to ---- */

struct sink;

struct sink_ops {
    /* Appends text that ends a chunk; done: how many users are in by then, `last` the last one's
     * id. Once it returns, a run that begins anew may go on behind that. */
    enum pal_status (*write)(struct sink *s, const char *text, size_t len, uint64_t done,
                             const char *last, struct pal_error *err);
    /* All are there: puts them in the place of what was there before. */
    enum pal_status (*finish)(struct sink *s, struct pal_error *err);
    /* Frees s; what was not finished is kept for the next run. */
    void (*close)(struct sink *s);
};

struct sink {
    const struct sink_ops *ops;
    enum lists_form form;
    uint64_t done;  /* where an interrupted run had come to; the caller makes it 0 before the first
                       write if that can't be gone on with: what was left is then dropped */
    char last[260]; /* the last user it wrote; "" = none */
};

/* path NULL = standard output. What an interrupted run left is taken up if its head was the same,
 * else dropped. */
MUST_USE enum pal_status sink_file(const char *path, enum lists_form form,
                                   const struct lists_head *head, struct sink **out,
                                   struct pal_error *err);

/* url: postgres://…?table=NAME. PAL_EUNSUPPORTED if this build has no libpq. */
MUST_USE enum pal_status sink_postgres(const char *url, const struct lists_head *head,
                                       struct sink **out, struct pal_error *err);

MUST_USE enum pal_status lists_run(struct job *job, struct pal_error *err);

#endif
