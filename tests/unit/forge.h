/* Files of tensors that are whole but wrong: what a loader has to see for itself. */
#ifndef FORGE_H
#define FORGE_H

#include "test.h"

#include "data/tensors.h"

enum forgery { LEFT_OUT, SHORTER, ALL_ONES, HUGE_FLOATS, FORGERIES };

/* Writes the file's tensors and metadata again to `path`, tensor `which` forged, under a checksum
 * that holds. */
static inline void forge(const struct tensors *file, size_t which, enum forgery how,
                         const char *path)
{
    struct pal_error err;
    struct tensors_out out = {0};
    const char *key, *value;
    static const size_t sizes[] = {1, 4, 8, 8, 2, 4, 8};
    void *ones = NULL;
    for (size_t i = 0; i < tensors_meta_count(file); i++) {
        tensors_meta_at(file, i, &key, &value);
        if (strcmp(key, "palate.xxh3") != 0)
            assert_ok(tensors_meta(&out, key, value, &err), &err);
    }
    for (size_t i = 0; i < tensors_count(file); i++) {
        struct tensor t = *tensors_at(file, i);
        if (i == which && how == LEFT_OUT)
            continue;
        if (i == which && how == SHORTER)
            t.shape[0] -= t.shape[0] > 0;
        if (i == which && how == ALL_ONES) {
            size_t bytes = t.shape[0] * t.shape[1] * sizes[t.type];
            ones = malloc(bytes + 1);
            memset(ones, 0xff, bytes);
            t.data = ones;
        }
        if (i == which && how == HUGE_FLOATS && t.type == TENSOR_F32) {
            size_t n = t.shape[0] * t.shape[1];
            float *huge = ones = malloc(n * sizeof *huge + 1);
            for (size_t j = 0; j < n; j++)
                huge[j] = j % 3 ? 3e38f : -3e38f;
            t.data = huge;
        }
        assert_ok(tensors_add(&out, t.name, t.type, t.shape[0], t.rank == 2 ? t.shape[1] : 0,
                              t.data, &err),
                  &err);
    }
    assert_ok(tensors_write(&out, path, &err), &err);
    tensors_out_done(&out);
    free(ones);
}

#endif
