/* Where a command's data come from: a folder, a file, or an invented world. */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include "cli/command.h"
#include "data/dataset.h"

/* Loads what --data names (or `path`, if it is not NULL): as it is, or in the folder $PALATE_DATA,
 * or "synthetic[:SEED]", or a store's URL. *out is the caller's to free with dataset_free. */
MUST_USE enum pal_status source_load(struct job *job, const char *path, struct dataset **out,
                                     struct pal_error *err);

/* Invents a world by --set synth.… */
MUST_USE enum pal_status source_invent(struct job *job, uint64_t seed, struct dataset **out,
                                       struct pal_error *err);

/* The path as given or, if only that is there, inside $PALATE_DATA; buf has room for PATH_MAX. */
const char *source_look_up(const char *path, char *buf, size_t size);

/* Where --store was given, and --data not with more weight, --data becomes the store's URL.
 * PAL_EUSAGE if both are flags. */
MUST_USE enum pal_status source_choose(struct job *job, struct pal_error *err);

/* Whether the path is a store's URL: sqlite:palate.db, postgres://host/database. */
bool source_is_store(const char *path);

/* Everything in the store, and in the journal beside it what the store doesn't have yet. Neither
 * is locked: a server may be using both. job->position becomes what that is as of. */
MUST_USE enum pal_status source_load_store(struct job *job, const char *url, struct dataset **out,
                                           struct pal_error *err);

/* Whether the path names an invented world. */
bool source_is_synthetic(const char *path);

/* The rules of --weights, or those that suit the data. text: as they are written down. PAL_EUSAGE
 * if by them no event is worth more than 0, PAL_EFORMAT if there are no events. */
struct weights;
MUST_USE enum pal_status source_weights(const struct job *job, const struct dataset *d,
                                        struct weights *out, const char **text,
                                        struct pal_error *err);

/* "4G", "512M", "1.5 GB" of --memory in bytes (powers of 1000, with an i of 1024); 0 = unset. */
MUST_USE enum pal_status source_memory(const struct job *job, uint64_t *bytes,
                                       struct pal_error *err);

#endif
