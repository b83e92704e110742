/* See outside.h. A part that was built is one line here; a library that was not there when this was
 * built is one, too. */
#include "cli/outside.h"

#include "base/scheme.h"
#include "bus/backend.h"
#include "registry/backend.h"
#include "registry/s3.h"
#include "store/backend.h"
#include "store/clickhouse.h"
#ifdef HAVE_REDIS
#include "state/redis.h"
#endif

void outside_register(void)
{
    registry_add_kind(&registry_s3);
    store_add_kind(&store_clickhouse);
#ifdef HAVE_AMQP
    bus_add_kind(&amqp_bus_ops);
    bus_add_kind(&amqps_bus_ops);
#else
    scheme_absent("amqp", "librabbitmq", "librabbitmq-dev");
    scheme_absent("amqps", "librabbitmq", "librabbitmq-dev");
#endif
#ifdef HAVE_KAFKA
    bus_add_kind(&kafka_bus_ops);
#else
    scheme_absent("kafka", "librdkafka", "librdkafka-dev");
#endif
#ifdef HAVE_REDIS
    state_add_kind(&redis_state);
    state_add_kind(&redis_state_tls);
    state_add_kind(&redis_state_path);
#else
    scheme_absent("redis", "hiredis", "libhiredis-dev");
    scheme_absent("rediss", "hiredis", "libhiredis-dev");
    scheme_absent("redis+unix", "hiredis", "libhiredis-dev");
#endif
#ifdef HAVE_POSTGRES
    store_add_kind(&store_postgres);
    store_add_kind(&store_postgresql);
#else
    scheme_absent("postgres", "libpq", "libpq-dev");
    scheme_absent("postgresql", "libpq", "libpq-dev");
#endif
}
