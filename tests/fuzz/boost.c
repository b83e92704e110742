/* XGBoost's model as JSON: what is read of it can be summed up, whatever it says. */
#include "fuzz.h"

#include "rank/boost.h"

#include <math.h>

enum { FEATURES = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float x[FEATURES][FOREST_ROWS] __attribute__((aligned(64)));
    struct arena keep = {0};
    struct forest f = {0};
    struct pal_error err = {0};
    float gain[FEATURES], sum[FOREST_ROWS] = {0};
    for (int k = 0; k < FEATURES; k++)
        for (int i = 0; i < FOREST_ROWS; i++)
            x[k][i] = i == 5 ? NAN : (float)(i - k) / 2;
    enum pal_status st =
        boost_read((const char *)data, size, FEATURES, UINT32_MAX, &keep, &f, gain, &err);
    if (st == PAL_OK) {
        forest_add(&f, x[0], FOREST_ROWS, FOREST_ROWS, sum);
    } else {
        FUZZ_CHECK(f.start == NULL && *err.message);
    }
    arena_done(&keep);
    return 0;
}
