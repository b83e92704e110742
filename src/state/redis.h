/* The kinds of live state that redis*.c implement. */
#ifndef STATE_REDIS_H
#define STATE_REDIS_H

#include "state/backend.h"

extern const struct state_ops redis_state, redis_state_tls, redis_state_path;

#endif
