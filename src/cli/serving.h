/* The server's options: tables of the parts, set by --set PART.OPTION=VALUE and by sections of the
 * config file. */
#ifndef CLI_SERVING_H
#define CLI_SERVING_H

#include "cli/command.h"
#include "engine/live.h"
#include "engine/loop.h"
#include "server/http.h"

struct serving {
    struct live_config config;
    struct loop_options loop;
    struct http_options http;
};

/* The table of a part's options ("engine", "bandit", "live", "journal", "loop", "http"), and what
 * the part is; NULL past the last, or for an unknown name. */
const struct opt_table *serving_part(size_t i, const char **name, const char **brief);
const struct opt_table *serving_table(const char *name);

/* All defaults, then what the job says. Models' options ("als.factors=128") go to the learning
 * loop. PAL_EUSAGE for a part or an option that there is not. */
MUST_USE enum pal_status serving_make(struct job *job, struct serving *out, struct pal_error *err);

#endif
