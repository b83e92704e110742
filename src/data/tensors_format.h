/* What the writer and the reader of safetensors files agree on; for tensors*.c only. */
#ifndef DATA_TENSORS_FORMAT_H
#define DATA_TENSORS_FORMAT_H

#include "data/tensors.h"

enum {
    TENSOR_PREFIX = 8,              /* bytes of header length before the header */
    TENSOR_BORDER = 64,             /* where our tensors begin */
    TENSOR_HEADER_MOST = 100 << 20, /* bytes; the format's own limit */
    TENSORS_MOST = 100000,
    TENSOR_TYPES = TENSOR_F64 + 1,
};

#define TENSOR_PAD        ".pad" /* begins the names of what fills the gaps */
#define TENSOR_CHECKSUM   "palate.xxh3"
#define TENSOR_NO_SUM     "0000000000000000"
#define TENSOR_BEFORE_SUM "{\"__metadata__\":{\"" TENSOR_CHECKSUM "\":\""

static const char *const tensor_type_name[TENSOR_TYPES] = {"U8",  "U32", "U64", "I64",
                                                           "F16", "F32", "F64"};
static const uint8_t tensor_size[TENSOR_TYPES] = {1, 4, 8, 8, 2, 4, 8};

#endif
