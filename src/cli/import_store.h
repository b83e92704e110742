/* palate import --store: a data set or an export into a store. */
#ifndef CLI_IMPORT_STORE_H
#define CLI_IMPORT_STORE_H

#include "cli/command.h"

/* path NULL: an invented world. Interrupted or killed, the same command goes on where it was; what
 * was imported whole is not imported again. */
MUST_USE enum pal_status import_into_store(struct job *job, const char *path,
                                           struct pal_error *err);

#endif
