/* Reading safetensors files; see tensors.h, and tensors_write.c for the format. Nothing in a file
 * is believed: every number in the header is checked against the file's size before it is used. */
#include "data/tensors.h"
#include "data/tensors_format.h"

#include "base/file.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct tensors {
    char *path;
    struct file_map map;
    json_t *header; /* owns the names and the metadata */
    size_t header_len;
    uint64_t data_size;
    struct tensor *tensor; /* (count) by place in the file, without paddings */
    size_t count;
    int checked;
};

void tensors_close(struct tensors *t)
{
    if (!t)
        return;
    json_decref(t->header);
    file_unmap(&t->map);
    mem_free(t->tensor);
    mem_free(t->path);
    mem_free(t);
}

static enum pal_status damaged(const struct tensors *t, const char *what, struct pal_error *err)
{
    return pal_fail(err, PAL_ECORRUPT, "%s: %s: the file is damaged or cut short", t->path, what);
}

static enum pal_status read_header(struct tensors *t, struct pal_error *err)
{
    uint64_t len = 0;
    json_error_t why;
    if (t->map.size < TENSOR_PREFIX)
        return damaged(t, "too short for a safetensors file", err);
    for (size_t i = 0; i < TENSOR_PREFIX; i++)
        len |= (uint64_t)(unsigned char)t->map.data[i] << (8 * i);
    if (len > TENSOR_HEADER_MOST || len > t->map.size - TENSOR_PREFIX)
        return damaged(t, "not a safetensors file, or its header is not whole", err);
    t->header_len = len;
    t->data_size = t->map.size - TENSOR_PREFIX - len;
    t->header = json_loadb(t->map.data + TENSOR_PREFIX, len, JSON_REJECT_DUPLICATES, &why);
    if (!t->header && json_error_code(&why) == json_error_out_of_memory)
        return pal_no_memory(err);
    if (!json_is_object(t->header))
        return damaged(t, "its header is not a JSON object", err);
    const char *key;
    json_t *value, *meta = json_object_get(t->header, "__metadata__");
    if (meta && !json_is_object(meta))
        return damaged(t, "its __metadata__ is not an object", err);
    json_object_foreach(meta, key, value) if (!json_is_string(value)) return damaged(
        t, "its __metadata__ holds something other than text", err);
    return PAL_OK;
}

/* A whole number from 0 on. */
static int take_count(const json_t *value, uint64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return -1;
    *out = (uint64_t)json_integer_value(value);
    return 0;
}

static int take_type(const json_t *value, enum tensor_type *out)
{
    const char *name = json_string_value(value);
    for (int i = 0; name && i < TENSOR_TYPES; i++)
        if (strcmp(name, tensor_type_name[i]) == 0) {
            *out = (enum tensor_type)i;
            return 0;
        }
    return -1;
}

static enum pal_status take_tensor(struct tensors *t, const char *name, const json_t *entry,
                                   struct tensor *out, struct pal_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t begin, end, size;
    *out = (struct tensor){.name = name, .rank = (uint32_t)json_array_size(shape), .shape = {1, 1}};
    if (take_type(json_object_get(entry, "dtype"), &out->type))
        return pal_fail(err, PAL_ECORRUPT, "%s: tensor '%s' has a type palate does not read",
                        t->path, name);
    if (!json_is_array(shape) || json_array_size(shape) < 1 || json_array_size(shape) > 2)
        return pal_fail(err, PAL_ECORRUPT, "%s: tensor '%s' has not one or two dimensions", t->path,
                        name);
    for (size_t i = 0; i < out->rank; i++)
        if (take_count(json_array_get(shape, i), &out->shape[i]))
            return pal_fail(err, PAL_ECORRUPT, "%s: tensor '%s' has no proper shape", t->path,
                            name);
    if (json_array_size(offsets) != 2 || take_count(json_array_get(offsets, 0), &begin) ||
        take_count(json_array_get(offsets, 1), &end) || begin > end || end > t->data_size)
        return pal_fail(err, PAL_ECORRUPT, "%s: tensor '%s' ends past the file", t->path, name);
    if (__builtin_mul_overflow(out->shape[0], out->shape[1], &size) ||
        __builtin_mul_overflow(size, (uint64_t)tensor_size[out->type], &size) ||
        size != end - begin)
        return pal_fail(err, PAL_ECORRUPT, "%s: tensor '%s' is not as long as its shape says",
                        t->path, name);
    out->data = t->map.data + TENSOR_PREFIX + t->header_len + begin;
    return PAL_OK;
}

static uint64_t bytes_of(const struct tensor *x)
{
    return x->shape[0] * x->shape[1] * tensor_size[x->type];
}

/* Empty tensors come before what begins at the same place. */
static int by_place(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    if (x->data != y->data)
        return (const char *)x->data < (const char *)y->data ? -1 : 1;
    uint64_t m = bytes_of(x), n = bytes_of(y);
    return m != n ? (m < n ? -1 : 1) : strcmp(x->name, y->name);
}

/* Tensors lie end to end and fill the data; then the paddings are dropped. */
static enum pal_status check_places(struct tensors *t, struct pal_error *err)
{
    const char *at = t->map.data + TENSOR_PREFIX + t->header_len;
    const char *end = at + t->data_size;
    size_t kept = 0;
    if (t->count)
        qsort(t->tensor, t->count, sizeof *t->tensor, by_place);
    for (size_t i = 0; i < t->count; i++) {
        struct tensor x = t->tensor[i];
        if (x.data != at)
            return damaged(t, "its tensors overlap or leave a gap", err);
        at += bytes_of(&x);
        if (strncmp(x.name, TENSOR_PAD, strlen(TENSOR_PAD)) != 0)
            t->tensor[kept++] = x;
    }
    t->count = kept;
    return at == end ? PAL_OK : damaged(t, "it is not as long as its header says", err);
}

static enum pal_status read_tensors(struct tensors *t, struct pal_error *err)
{
    const char *name;
    json_t *entry;
    size_t most = json_object_size(t->header);
    if (most > 2 * TENSORS_MOST + 1) /* each may have its padding */
        return damaged(t, "its header lists too many tensors", err);
    t->tensor = mem_alloc(most, sizeof *t->tensor);
    if (!t->tensor)
        return pal_no_memory(err);
    json_object_foreach(t->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        enum pal_status st = take_tensor(t, name, entry, &t->tensor[t->count], err);
        if (st != PAL_OK)
            return st;
        t->count++;
    }
    return check_places(t, err);
}

/* The digest is taken of everything after the length, with its own digits as zeros. */
static enum pal_status check_sum(struct tensors *t, struct pal_error *err)
{
    const char *given = tensors_get_meta(t, TENSOR_CHECKSUM);
    const char *header = t->map.data + TENSOR_PREFIX;
    size_t before = strlen(TENSOR_BEFORE_SUM), digits = strlen(TENSOR_NO_SUM);
    if (!given)
        return PAL_OK;
    if (strlen(given) != digits || t->header_len < before + digits ||
        memcmp(header, TENSOR_BEFORE_SUM, before) != 0)
        return damaged(t, "its checksum is not where it belongs", err);
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, header, before);
    XXH3_64bits_update(&hash, TENSOR_NO_SUM, digits);
    XXH3_64bits_update(&hash, header + before + digits,
                       t->map.size - TENSOR_PREFIX - before - digits);
    char sum[32];
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)XXH3_64bits_digest(&hash));
    if (memcmp(sum, header + before, digits) != 0)
        return damaged(t, "its checksum does not match", err);
    t->checked = 1;
    return PAL_OK;
}

enum pal_status tensors_open(const char *path, struct tensors **out, struct pal_error *err)
{
    enum pal_status st;
    struct tensors *t = mem_zero(1, sizeof *t);
    if (!t || !(t->path = mem_text(path, strlen(path)))) {
        tensors_close(t);
        return pal_no_memory(err);
    }
    st = file_map(path, &t->map, err);
    if (st == PAL_OK)
        st = read_header(t, err);
    if (st == PAL_OK)
        st = read_tensors(t, err);
    if (st == PAL_OK)
        st = check_sum(t, err);
    if (st != PAL_OK) {
        tensors_close(t);
        return st;
    }
    *out = t;
    return PAL_OK;
}

size_t tensors_count(const struct tensors *t)
{
    return t->count;
}

const struct tensor *tensors_at(const struct tensors *t, size_t i)
{
    return &t->tensor[i];
}

const struct tensor *tensors_find(const struct tensors *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->tensor[i].name, name) == 0)
            return &t->tensor[i];
    return NULL;
}

enum pal_status tensors_get(const struct tensors *t, const char *name, enum tensor_type type,
                            uint64_t rows, uint64_t cols, struct tensor *out, struct pal_error *err)
{
    const struct tensor *x = tensors_find(t, name);
    if (!x)
        return pal_fail(err, PAL_ECORRUPT, "%s: there is no tensor '%s'", t->path, name);
    if (x->type != type)
        return pal_fail(err, PAL_ECORRUPT, "%s: tensor '%s' is %s, not %s", t->path, name,
                        tensor_type_name[x->type], tensor_type_name[type]);
    if (x->rank != (cols == 0 ? 1u : 2u) || (rows != UINT64_MAX && x->shape[0] != rows) ||
        (cols != 0 && cols != UINT64_MAX && x->shape[1] != cols))
        return pal_fail(err, PAL_ECORRUPT, "%s: tensor '%s' has the wrong shape", t->path, name);
    if ((uintptr_t)x->data % tensor_size[type] != 0)
        return pal_fail(err, PAL_ECORRUPT,
                        "%s: tensor '%s' does not begin at a multiple of %d bytes", t->path, name,
                        tensor_size[type]);
    *out = *x;
    return PAL_OK;
}

static const json_t *meta_of(const struct tensors *t)
{
    return json_object_get(t->header, "__metadata__");
}

const char *tensors_get_meta(const struct tensors *t, const char *key)
{
    return json_string_value(json_object_get(meta_of(t), key));
}

size_t tensors_meta_count(const struct tensors *t)
{
    return json_object_size(meta_of(t));
}

void tensors_meta_at(const struct tensors *t, size_t i, const char **key, const char **value)
{
    json_t *meta = json_object_get(t->header, "__metadata__");
    void *at = json_object_iter(meta);
    while (i-- > 0)
        at = json_object_iter_next(meta, at);
    *key = json_object_iter_key(at);
    *value = json_string_value(json_object_iter_value(at));
}

const char *tensors_path(const struct tensors *t)
{
    return t->path;
}

int tensors_checked(const struct tensors *t)
{
    return t->checked;
}
