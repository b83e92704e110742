/* What a running server says: one line for each thing, as JSON for machines or as text for people.
 * Any thread may write; lines never mix. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include "base/error.h"

#include <stdbool.h>

struct log {
    int fd;
    bool json;
};

enum log_level { LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Now, as 2026-11-22T05:40:12.345Z. */
void log_stamp(char out[32]);

/* {"time":"2026-11-22T05:40:12.345Z","level":"warning","message":…}, or "05:40:12 warning: …". */
void log_say(const struct log *l, enum log_level level, const char *message);

/* A line that is JSON already; as text it is left out (requests are for machines). */
void log_line(const struct log *l, const char *line, size_t len);

#endif
