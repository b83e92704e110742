/* Which variant runs: see kernels.h. The choice is made once; two threads that make it at the same
 * time make the same one. */
#include "math/kernels.h"

#include "math/kernels_variants.h"

#include <stdatomic.h>
#include <string.h>

static _Atomic(const struct kernels *) in_use;

static const struct kernels *const *available(size_t *n)
{
#ifdef __x86_64__
    static const struct kernels *const up_to_avx512[] = {&kernels_plain, &kernels_avx2,
                                                         &kernels_avx512};
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    *n = avx512 ? 3 : avx2 ? 2 : 1;
    return up_to_avx512;
#else
    static const struct kernels *const only_plain[] = {&kernels_plain};
    *n = 1;
    return only_plain;
#endif
}

const struct kernels *const *kernels_all(size_t *n)
{
    return available(n);
}

const struct kernels *kernels(void)
{
    const struct kernels *k = atomic_load_explicit(&in_use, memory_order_acquire);
    if (!k) {
        size_t n;
        const struct kernels *const *all = available(&n);
        k = all[n - 1];
        atomic_store_explicit(&in_use, k, memory_order_release);
    }
    return k;
}

enum pal_status kernels_use(const char *name, struct pal_error *err)
{
    size_t n;
    const struct kernels *const *all = available(&n);
    const struct kernels *found = strcmp(name, "auto") == 0 ? all[n - 1] : NULL;
    for (size_t i = 0; i < n && !found; i++)
        if (strcmp(name, all[i]->name) == 0)
            found = all[i];
    if (!found)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "kernels '%s' can't run here: this machine has up to '%s'", name,
                        all[n - 1]->name);
    atomic_store_explicit(&in_use, found, memory_order_release);
    return PAL_OK;
}
