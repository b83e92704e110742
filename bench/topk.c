/* The k best of n scores, drawn at random: by the stretches and ranks that wide registers allow,
 * beside the heap that plain C keeps. One JSON object on stdout; a table for people on stderr. One
 * thread, processor time, the best of several tries.
 *
 *     bench/topk [--quick]
 */
#include "math/topk.h"
#include "base/mem.h"
#include "base/rng.h"
#include "math/kernels.h"

#include <stdio.h>
#include <string.h>

#include "seconds.h"

enum { LISTS = 16, ITEMS_MOST = 100000, K_MOST = 101 };

/* Microseconds for one list. */
static double measure(const char *variant, const float *scores, size_t n, size_t k, int tries)
{
    struct scored out[K_MOST];
    struct pal_error err;
    double best = 1e9;
    if (kernels_use(variant, &err) != PAL_OK)
        return best;
    for (int t = 0; t < tries; t++) {
        double began = thread_seconds();
        for (size_t i = 0; i < LISTS; i++)
            (void)topk(scores + i * n, n, k, out);
        double us = (thread_seconds() - began) * 1e6 / LISTS;
        best = us < best ? us : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    static const size_t items[] = {1000, 3700, 9742, 20000, ITEMS_MOST}, most[] = {10, 20, 51, 101};
    int tries = argc > 1 && strcmp(argv[1], "--quick") == 0 ? 2 : 30;
    float *scores = mem_alloc((size_t)LISTS * ITEMS_MOST, sizeof *scores);
    struct rng rng;
    if (!scores)
        return 1;
    rng_init(&rng, 1, 0);
    for (size_t i = 0; i < (size_t)LISTS * ITEMS_MOST; i++)
        scores[i] = (float)rng_real(&rng);
    fprintf(stderr, "  items    k      us  by heap  times\n");
    printf("{\"benchmark\":\"topk\",\"results\":[");
    for (size_t n = 0; n < sizeof items / sizeof items[0]; n++)
        for (size_t k = 0; k < sizeof most / sizeof most[0]; k++) {
            double heap = measure("plain", scores, items[n], most[k], tries);
            double us = measure("auto", scores, items[n], most[k], tries);
            fprintf(stderr, "%7zu %4zu %7.2f %8.2f %6.1f\n", items[n], most[k], us, heap,
                    heap / us);
            printf("%s{\"items\":%zu,\"k\":%zu,\"us\":%.3f,\"heap_us\":%.3f}", n || k ? "," : "",
                   items[n], most[k], us, heap);
        }
    printf("]}\n");
    mem_free(scores);
    return 0;
}
