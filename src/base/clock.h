/* What time it is, by name of the clock. The steady clock counts from some moment before the
 * program began and never goes back, whatever is done to the machine's date: durations, deadlines
 * and waits use it. The wall clock is the date, which may jump either way: only what is shown or
 * stored uses it. Any thread may call any of these; each costs some 20 ns and none fails. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

int64_t clock_steady_ms(void);
int64_t clock_steady_ns(void);
int64_t clock_wall_ms(void); /* since 1970 in UTC */

/* Steady, up to a tick of the kernel late, for a third of the cost. */
int64_t clock_coarse_ms(void);

/* A condition whose pthread_cond_timedwait goes by the steady clock, and what to give it: a moment
 * that the steady clock has told, or that many milliseconds from now. */
void clock_cond_init(pthread_cond_t *c);
struct timespec clock_at_ns(int64_t steady_ns);
struct timespec clock_at_ms(int64_t steady_ms);
struct timespec clock_in_ms(int64_t ms);

/* For threads that do something every now and then: waits ms, or until `wake` is signalled with
 * *stop set (both under `lock`, which must not be held); false when it is time to stop. */
bool clock_pause(int64_t ms, pthread_mutex_t *lock, pthread_cond_t *wake, const bool *stop);

#endif
