/* Events in ClickHouse, all else in another store, as one store:
 * "clickhouse://[USER:PASSWORD@]HOST[:PORT]/DB?catalog=sqlite:palate.db". See clickhouse.c. */
#ifndef STORE_CLICKHOUSE_H
#define STORE_CLICKHOUSE_H

#include "store/backend.h"

extern const struct store_ops store_clickhouse;

#endif
