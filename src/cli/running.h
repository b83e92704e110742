/* A server that runs in this process: the parts of palate serve, started in order and stopped in
 * the reverse order. */
#ifndef CLI_RUNNING_H
#define CLI_RUNNING_H

#include "cli/serving.h"
#include "server/log.h"

struct running;

/* Opens what the options name and listens. log is borrowed. On failure nothing runs. A store that
 * is a server and does not answer is waited for as --wait says, or until interrupt_flag(); calls
 * are answered meanwhile, by 503. */
MUST_USE enum pal_status running_start(const struct job *job, const struct serving *o,
                                       const struct log *log, struct running **out,
                                       struct pal_error *err);

/* "http://127.0.0.1:8080", borrowed; and its port. */
const char *running_url(const struct running *s);
unsigned running_port(const struct running *s);
struct live *running_live(struct running *s);

/* Nothing new comes in, what began is finished, the rest reaches the store. NULL is fine. */
void running_stop(struct running *s);

#endif
