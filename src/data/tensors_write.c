/* Writing safetensors files; see tensors.h.
 *
 * A file is 8 bytes of header length (little-endian), the header, the data. The header is one JSON
 * object: each tensor's type, shape and [begin, end) within the data, which must lie end to end
 * without holes. So that each tensor begins on a 64-byte border all the same, what lies between two
 * of them is a tensor of its own, of bytes, named ".pad" and a number, which our reader hides; the
 * header is padded with blanks, as the format allows.
 *
 * The checksum covers header and data, with its own 16 digits taken as zeros. It is always the
 * first entry of __metadata__, which is the first of the header, so that its place is fixed. */
#include "data/tensors.h"
#include "data/tensors_format.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void tensors_out_done(struct tensors_out *t)
{
    for (size_t i = 0; i < t->count; i++)
        mem_free((void *)(uintptr_t)t->tensors[i].name);
    for (size_t i = 0; i < 2 * t->meta_count; i++)
        mem_free(t->meta[i]);
    mem_free(t->tensors);
    mem_free(t->meta);
    memset(t, 0, sizeof *t);
}

enum pal_status tensors_add(struct tensors_out *t, const char *name, enum tensor_type type,
                            uint64_t rows, uint64_t cols, const void *data, struct pal_error *err)
{
    if (t->count == TENSORS_MOST)
        return pal_fail(err, PAL_EUSAGE, "more than %d tensors", TENSORS_MOST);
    if (mem_grow(&t->tensors, &t->tensors_cap, t->count + 1, sizeof *t->tensors))
        return pal_no_memory(err);
    char *copy = mem_text(name, strlen(name));
    if (!copy)
        return pal_no_memory(err);
    t->tensors[t->count++] =
        (struct tensor){copy, type, cols == 0 ? 1 : 2, {rows, cols == 0 ? 1 : cols}, data};
    return PAL_OK;
}

enum pal_status tensors_meta(struct tensors_out *t, const char *key, const char *value,
                             struct pal_error *err)
{
    if (!text_is_utf8(value, strlen(value)))
        return pal_fail(err, PAL_EUSAGE, "metadata '%s' is not UTF-8", key);
    if (mem_grow(&t->meta, &t->meta_cap, 2 * t->meta_count + 2, sizeof *t->meta))
        return pal_no_memory(err);
    char *k = mem_text(key, strlen(key)), *v = mem_text(value, strlen(value));
    if (!k || !v) {
        mem_free(k);
        mem_free(v);
        return pal_no_memory(err);
    }
    t->meta[2 * t->meta_count] = k;
    t->meta[2 * t->meta_count + 1] = v;
    t->meta_count++;
    return PAL_OK;
}

static uint64_t size_of(const struct tensor *t)
{
    return t->shape[0] * t->shape[1] * tensor_size[t->type];
}

static uint64_t pad_after(uint64_t offset)
{
    return (TENSOR_BORDER - offset % TENSOR_BORDER) % TENSOR_BORDER;
}

/* Adds one entry to the header, which grows *end by size; -1 when memory is out or the name was
 * there before. */
static int put_entry(json_t *header, const char *name, const char *type, json_t *shape,
                     uint64_t size, uint64_t *end)
{
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", type, "shape", shape, "data_offsets",
                              (json_int_t)*end, (json_int_t)(*end + size));
    *end += size;
    if (json_object_get(header, name)) {
        json_decref(entry);
        return -1;
    }
    return json_object_set_new(header, name, entry);
}

static int put_tensors(const struct tensors_out *t, json_t *header)
{
    uint64_t end = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct tensor *x = &t->tensors[i];
        uint64_t pad = pad_after(end);
        char name[32];
        snprintf(name, sizeof name, TENSOR_PAD "%zu", i);
        if (pad && put_entry(header, name, tensor_type_name[TENSOR_U8],
                             json_pack("[I]", (json_int_t)pad), pad, &end))
            return -1;
        json_t *shape = x->rank == 1
                            ? json_pack("[I]", (json_int_t)x->shape[0])
                            : json_pack("[I, I]", (json_int_t)x->shape[0], (json_int_t)x->shape[1]);
        if (put_entry(header, x->name, tensor_type_name[x->type], shape, size_of(x), &end))
            return -1;
    }
    return 0;
}

static int put_meta(const struct tensors_out *t, json_t *header)
{
    json_t *meta = json_object();
    if (json_object_set_new(header, "__metadata__", meta))
        return -1;
    if (json_object_set_new(meta, TENSOR_CHECKSUM, json_string(TENSOR_NO_SUM)))
        return -1;
    for (size_t i = 0; i < t->meta_count; i++)
        if (json_object_set_new(meta, t->meta[2 * i], json_string(t->meta[2 * i + 1])))
            return -1;
    return 0;
}

/* The header's bytes, padded so that the data after it begin on a border; its digest all zeros. */
static enum pal_status make_header(const struct tensors_out *t, char **out, size_t *len,
                                   struct pal_error *err)
{
    char *text = NULL;
    json_t *header = json_object();
    if (!header || put_meta(t, header) || put_tensors(t, header))
        goto done;
    size_t used = json_dumpb(header, NULL, 0, JSON_COMPACT);
    size_t padded = used + pad_after(used + TENSOR_PREFIX);
    text = mem_alloc(padded, 1);
    if (!text)
        goto done;
    json_dumpb(header, text, used, JSON_COMPACT);
    memset(text + used, ' ', padded - used);
    *len = padded;
done:
    json_decref(header);
    *out = text;
    return text ? PAL_OK : pal_no_memory(err);
}

static const char zeros[TENSOR_BORDER];

/* All the data, padding included: into the hash, or if that is NULL into the file. */
static enum pal_status each_part(const struct tensors_out *t, struct file_out *file,
                                 XXH3_state_t *hash, struct pal_error *err)
{
    uint64_t end = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct tensor *x = &t->tensors[i];
        const struct {
            const void *data;
            uint64_t size;
        } part[2] = {{zeros, pad_after(end)}, {x->data, size_of(x)}};
        for (size_t p = 0; p < 2; p++) {
            enum pal_status st = PAL_OK;
            end += part[p].size;
            if (part[p].size == 0)
                continue;
            if (hash)
                XXH3_64bits_update(hash, part[p].data, part[p].size);
            else
                st = file_write(file, part[p].data, part[p].size, err);
            if (st != PAL_OK)
                return st;
        }
    }
    return PAL_OK;
}

static enum pal_status write_to(const struct tensors_out *t, const char *header, size_t len,
                                const char *path, struct pal_error *err)
{
    struct file_out *file;
    unsigned char prefix[TENSOR_PREFIX];
    for (size_t i = 0; i < sizeof prefix; i++)
        prefix[i] = (unsigned char)((uint64_t)len >> (8 * i));
    enum pal_status st = file_create(path, &file, err);
    if (st != PAL_OK)
        return st;
    st = file_write(file, prefix, sizeof prefix, err);
    if (st == PAL_OK)
        st = file_write(file, header, len, err);
    if (st == PAL_OK)
        st = each_part(t, file, NULL, err);
    if (st == PAL_OK)
        return file_commit(file, err);
    file_abandon(file);
    return st;
}

enum pal_status tensors_write(const struct tensors_out *t, const char *path, struct pal_error *err)
{
    char *header, digits[sizeof TENSOR_NO_SUM];
    size_t len = 0;
    enum pal_status st = make_header(t, &header, &len, err);
    if (st != PAL_OK)
        return st;
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, header, len);
    st = each_part(t, NULL, &hash, err);
    if (st == PAL_OK) {
        snprintf(digits, sizeof digits, "%016llx", (unsigned long long)XXH3_64bits_digest(&hash));
        memcpy(header + sizeof TENSOR_BEFORE_SUM - 1, digits, sizeof digits - 1);
        st = write_to(t, header, len, path, err);
    }
    mem_free(header);
    return st;
}
