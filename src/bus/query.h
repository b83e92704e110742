/* What stands behind the '?' of a broker's URL: "queue=events&shards=8". */
#ifndef BUS_QUERY_H
#define BUS_QUERY_H

#include "base/options.h"

#include <stdbool.h>

/* Cuts the next "name=value" off *rest, both percent-decoded in place, and moves *rest behind it.
 * false at the end, and with *bad set for a broken "%" or a "%00". A '+' stands for itself. */
bool query_next(char **rest, char **name, char **value, bool *bad);

/* PAL_EUSAGE that says how to write it. */
enum pal_status query_broken(struct pal_error *err);

/* Sets the fields of *target by every word of `query` ("" = none), which is changed; texts point
 * into it. PAL_EUSAGE that names the word; url_shown is the URL as errors may show it. */
MUST_USE enum pal_status query_set(const struct opt_table *t, void *target, char *query,
                                   const char *url_shown, struct pal_error *err);

#endif
