/* boost.h in a build without XGBoost: what was trained elsewhere answers, nothing is trained. */
#include "rank/boost.h"

enum pal_status boost_check(struct pal_error *err)
{
    return pal_fail(err, PAL_EUNSUPPORTED,
                    "this palate was built without XGBoost, which trains the ranker: install "
                    "libxgboost-dev and build again, or leave trees out of --model");
}

enum pal_status boost_train(const struct boost_lists *train, const struct boost_lists *held,
                            const struct boost_options *o, const struct run *run,
                            struct arena *keep, struct boosted *out, struct pal_error *err)
{
    return boost_check(err);
}
