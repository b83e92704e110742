/* See turns.h. The kernel takes a slice's length in sched_runtime of an ordinary thread; the C
 * library has no name for that call. */
#include "base/turns.h"
#include "base/clock.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLICE_NS = 400000, PATIENCE_NS = 100000000 };

struct attributes { /* of sched_setattr, as the kernel first knew it */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

void turns_soon(void)
{
    struct attributes a = {.size = sizeof a,
                           .policy = SCHED_OTHER,
                           .nice = getpriority(PRIO_PROCESS, 0),
                           .runtime = SLICE_NS};
    if (sched_getscheduler(0) == SCHED_OTHER) /* who chose another policy meant it */
        (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

void turns_behind(void)
{
    const struct sched_param none = {0};
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

void turns_pass(struct turns *t, unsigned shift)
{
    if (++t->calls & (((size_t)1 << shift) - 1))
        return;
    uint64_t now = clock_steady_ns();
    if (t->began_ns == 0)
        t->began_ns = now;
    if (now - t->began_ns < PATIENCE_NS)
        (void)sched_yield();
}
