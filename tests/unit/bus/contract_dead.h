/* By kind of broker: the oldest message that was put aside, and why. */
#ifndef CONTRACT_DEAD_H
#define CONTRACT_DEAD_H

#include "test.h"

void dead_amqp(const char *url, char *body, size_t body_size, char *reason, size_t reason_size);
void dead_kafka(const char *url, char *body, size_t body_size, char *reason, size_t reason_size);

#endif
