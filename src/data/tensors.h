/* safetensors files (https://huggingface.co/docs/safetensors): named arrays and a little text in
 * one file that is mapped, not read, and that NumPy opens too.
 *
 * Written whole or not at all (see base/file.h); the same content gives the same bytes. Opening
 * checks every size, offset and shape against the file and, in files of palate's, a checksum over
 * every byte after the first eight (XXH3, in __metadata__ "palate.xxh3"); a damaged file is
 * PAL_ECORRUPT. Files by other writers have no checksum and open without: tensors_checked tells. */
#ifndef DATA_TENSORS_H
#define DATA_TENSORS_H

#include "base/error.h"

enum tensor_type {
    TENSOR_U8,
    TENSOR_U32,
    TENSOR_U64,
    TENSOR_I64,
    TENSOR_F16,
    TENSOR_F32,
    TENSOR_F64
};

struct tensor {
    const char *name;
    enum tensor_type type;
    uint32_t rank;     /* 1 or 2 */
    uint64_t shape[2]; /* shape[1] = 1 for rank 1 */
    const void *data;  /* row-major; in files of palate's on a 64-byte border */
};

/* Writing: describe all tensors, then write the file in one call. */
struct tensors_out {
    struct tensor *tensors;
    size_t count, tensors_cap;
    char **meta; /* key, value, key, value… */
    size_t meta_count, meta_cap;
};

/* A zeroed struct is a valid empty one. The data must live until tensors_write; names and metadata
 * are copied. */
void tensors_out_done(struct tensors_out *t);
MUST_USE enum pal_status tensors_add(struct tensors_out *t, const char *name, enum tensor_type type,
                                     uint64_t rows, uint64_t cols, const void *data,
                                     struct pal_error *err); /* cols 0 = rank 1 */
MUST_USE enum pal_status tensors_meta(struct tensors_out *t, const char *key, const char *value,
                                      struct pal_error *err);
MUST_USE enum pal_status tensors_write(const struct tensors_out *t, const char *path,
                                       struct pal_error *err);

/* Reading. */
struct tensors;

MUST_USE enum pal_status tensors_open(const char *path, struct tensors **out,
                                      struct pal_error *err);
void tensors_close(struct tensors *t); /* NULL is fine */

/* A tensor that must be there with this type and shape (UINT64_MAX = any size): its bytes stay
 * valid until tensors_close. PAL_ECORRUPT names the file and the tensor if not. cols 0 = rank 1. */
MUST_USE enum pal_status tensors_get(const struct tensors *t, const char *name,
                                     enum tensor_type type, uint64_t rows, uint64_t cols,
                                     struct tensor *out, struct pal_error *err);
size_t tensors_count(const struct tensors *t);
const struct tensor *tensors_at(const struct tensors *t, size_t i);
const struct tensor *tensors_find(const struct tensors *t, const char *name); /* or NULL */
const char *tensors_get_meta(const struct tensors *t, const char *key);       /* or NULL */
size_t tensors_meta_count(const struct tensors *t);
void tensors_meta_at(const struct tensors *t, size_t i, const char **key, const char **value);
const char *tensors_path(const struct tensors *t);

/* Did the file have a checksum (which held, or it would not be open)? Readers of palate's own kinds
 * of file insist on it. */
int tensors_checked(const struct tensors *t);

/* Texts and interned ids as two tensors, NAME (bytes) and NAME.start (offsets): checked on reading,
 * so that no offset leads outside. */
struct intern;
struct texts;
struct labels;
MUST_USE enum pal_status tensors_add_intern(struct tensors_out *t, const char *name,
                                            const struct intern *x, struct pal_error *err);
MUST_USE enum pal_status tensors_get_intern(const struct tensors *t, const char *name,
                                            struct intern *out, struct pal_error *err);
MUST_USE enum pal_status tensors_add_texts(struct tensors_out *t, const char *name,
                                           const struct texts *x, struct pal_error *err);
MUST_USE enum pal_status tensors_get_texts(const struct tensors *t, const char *name,
                                           struct texts *out, struct pal_error *err);
MUST_USE enum pal_status tensors_add_labels(struct tensors_out *t, const char *name,
                                            const struct labels *x, struct pal_error *err);
MUST_USE enum pal_status tensors_get_labels(const struct tensors *t, const char *name,
                                            struct labels *out, struct pal_error *err);

/* A whole catalog, as "items.ids", "items.titles" and so on. No table that is read has more rows
 * than there are ids. */
struct items;
MUST_USE enum pal_status tensors_add_items(struct tensors_out *t, const struct items *x,
                                           struct pal_error *err);
MUST_USE enum pal_status tensors_get_items(const struct tensors *t, struct items *out,
                                           struct pal_error *err);

#endif
