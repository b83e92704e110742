/* Where a command's data come from: a folder, a file, or an invented world. */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include "cli/command.h"
#include "data/dataset.h"

/* Loads what --data names (or `path`, if it is not NULL): as it is, or in the folder $PALATE_DATA,
 * or "synthetic[:SEED]". *out is the caller's to free with dataset_free. */
MUST_USE enum pal_status source_load(struct job *job, const char *path, struct dataset **out,
                                     struct pal_error *err);

/* Invents a world by --set synth.… */
MUST_USE enum pal_status source_invent(struct job *job, uint64_t seed, struct dataset **out,
                                       struct pal_error *err);

/* The path as given or, if only that is there, inside $PALATE_DATA; buf has room for PATH_MAX. */
const char *source_look_up(const char *path, char *buf, size_t size);

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
