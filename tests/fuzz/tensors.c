/* safetensors files from anyone: a file that opens keeps what tensors.h promises of its tensors,
 * whatever tables are then read out of it. */
#include "fuzz.h"

#include "base/intern.h"
#include "data/items.h"
#include "data/tensors.h"

#include <sys/mman.h>
#include <unistd.h>

static void read_tables(const struct tensors *file, const char *name)
{
    struct pal_error err;
    struct intern ids;
    struct texts texts;
    struct labels labels;
    if (tensors_get_intern(file, name, &ids, &err) == PAL_OK) {
        for (uint32_t i = 0; i < ids.count; i++)
            FUZZ_CHECK(intern_find(&ids, intern_text(&ids, i), intern_len(&ids, i)) == i);
        intern_done(&ids);
    }
    if (tensors_get_texts(file, name, &texts, &err) == PAL_OK)
        texts_done(&texts);
    if (tensors_get_labels(file, name, &labels, &err) == PAL_OK) {
        uint32_t n;
        for (uint32_t i = 0; i < labels.rows; i++) {
            const uint32_t *label = labels_at(&labels, i, &n);
            for (uint32_t j = 0; j < n; j++)
                FUZZ_CHECK(label[j] < labels.names.count);
        }
        labels_done(&labels);
    }
}

static void look_at(const struct tensors *file, const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {1, 4, 8, 8, 2, 4, 8};
    const char *key, *value;
    for (size_t i = 0; i < tensors_meta_count(file); i++) {
        tensors_meta_at(file, i, &key, &value);
        FUZZ_CHECK(strcmp(tensors_get_meta(file, key), value) == 0);
    }
    for (size_t i = 0; i < tensors_count(file); i++) {
        const struct tensor *t = tensors_at(file, i);
        uint64_t bytes = t->shape[0] * t->shape[1] * sizes[t->type];
        FUZZ_CHECK(bytes <= size);
        unsigned sum = 0;
        for (uint64_t b = 0; b < bytes; b++)
            sum += ((const uint8_t *)t->data)[b]; /* a sanitizer sees a read outside the map */
        FUZZ_CHECK(sum <= 255 * bytes);
        read_tables(file, t->name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pal_error err = {.message = ""};
    struct tensors *file;
    char path[64];
    int fd = memfd_create("tensors", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (tensors_open(path, &file, &err) == PAL_OK) {
        look_at(file, data, size);
        tensors_close(file);
    } else {
        FUZZ_CHECK(err.message[0] != 0);
    }
    close(fd);
    return 0;
}
