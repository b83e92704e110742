/* Numbers as people read them: "1,000,209", "4.5 GB", "12.3 s", "4.47 %". */
#ifndef BASE_READABLE_H
#define BASE_READABLE_H

#include "base/str.h"

void put_count(struct str *out, uint64_t n);
void put_bytes(struct str *out, uint64_t bytes);
void put_seconds(struct str *out, double seconds);
void put_percent(struct str *out, double share); /* with as many digits as it takes */
void put_share(struct str *out, double share);   /* one digit behind the point, for columns */
void put_date(struct str *out, int64_t time_s);  /* "2026-01-31 12:00", UTC */

#endif
