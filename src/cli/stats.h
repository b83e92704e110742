/* The statistics of a data set, for palate stats and palate demo. */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include "cli/console.h"
#include "data/stats.h"

/* What it is, how much there is: a few lines. */
void stats_say_brief(struct console *c, const struct dataset *d, const struct stats *s);

#endif
