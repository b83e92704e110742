/* Arrays of numbers in model files, for the algorithms' save and load. What is read points into the
 * file, and every number that will index something, or be scored with, has been checked. */
#ifndef MODEL_STORED_H
#define MODEL_STORED_H

#include "data/tensors.h"
#include "math/csr.h"

/* NAME.start, NAME.col and NAME.val. */
MUST_USE enum pal_status stored_csr_add(struct tensors_out *out, const char *name,
                                        const struct csr *m, struct pal_error *err);

/* *m is a view: not for csr_done. Rows ascend and lie within cols; values are as below. */
MUST_USE enum pal_status stored_csr_get(const struct tensors *file, const char *name, uint32_t rows,
                                        uint32_t cols, struct csr *m, struct pal_error *err);

/* A (rows, cols) tensor of floats from -1e17 to 1e17; cols 0 = rank 1. */
MUST_USE enum pal_status stored_floats_get(const struct tensors *file, const char *name,
                                           uint64_t rows, uint64_t cols, const float **out,
                                           struct pal_error *err);

#endif
