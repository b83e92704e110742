/* The list of runs, for palate models runs. */
#ifndef CLI_RUNS_H
#define CLI_RUNS_H

#include "cli/command.h"

/* Prints the newest --count runs in the folder --models. */
MUST_USE enum pal_status runs_list(struct job *job, struct pal_error *err);

#endif
