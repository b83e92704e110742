/* Progress for a program that started this one: JSON lines on standard output.
 *
 *     {"stage":"training","model":"als","done":3,"total":10}
 *     {"outcome":"published",…}                                 the last one */
#ifndef CLI_PROGRESS_JSON_H
#define CLI_PROGRESS_JSON_H

#include "cli/command.h"

/* From now on the job's progress goes to standard output, and the job ends with the process that
 * started it. */
void progress_json_begin(struct job *job);

/* Writes one line at once. A reader who went away ends the job. */
void progress_json_line(struct job *job, struct emit *e);

#endif
