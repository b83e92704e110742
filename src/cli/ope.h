/* palate ope: what a policy would earn, estimated from what another one showed. */
#ifndef CLI_OPE_H
#define CLI_OPE_H

#include "cli/command.h"
#include "cli/table.h"
#include "eval/off_policy.h"

/* By --clip, --bootstrap, --confidence and --seed. */
struct policy_options ope_options(const struct job *job);

/* From two policies' logs of the same campaigns (--data, --policy, --from). */
MUST_USE enum pal_status ope_logs(struct job *job, struct pal_error *err);

/* From the lists that a server showed (--store). */
MUST_USE enum pal_status ope_served(struct job *job, struct pal_error *err);

/* Cells "value" and "low … high", empty where there are none. */
void ope_put_value(struct table *t, const struct policy_value *v, enum policy_estimator e);

/* Members "value" and "interval" of an open object; an interval of null where there is none. */
void ope_emit_value(struct emit *e, const struct policy_value *v, enum policy_estimator which);

#endif
