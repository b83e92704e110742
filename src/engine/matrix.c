/* See palate.h, "Models by number": training on a matrix, model files, and the arrays in a model.
 *
 * Items are called "0", "1"… inside, so that what is saved is a model file like any other. */
#include "engine/matrix.h"
#include "base/clock.h"

#include "base/mem.h"
#include "engine/handle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum pal_status number_items(uint32_t count, struct intern *ids, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; i < count && st == PAL_OK; i++) {
        char id[16];
        uint32_t number;
        int len = snprintf(id, sizeof id, "%u", i);
        st = intern_add(ids, id, (size_t)len, &number, err);
    }
    return st;
}

/* How training listens and is stopped. */
struct ears {
    const struct pal_work *work;
    atomic_int stop;
};

static void report(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct ears *e = ctx;
    if (e->work->progress && e->work->progress(e->work->progress_ctx, stage, done, total))
        e->stop = 1;
}

/* What trains on events gets each entry as one, liked or disliked by its sign. */
static enum pal_status fit_rows(const struct model_ops *ops, const void *options,
                                const struct pal_rows *rows, const struct matrix *x,
                                const struct run *run, struct model **out, struct pal_error *err)
{
    static const struct weights sign = {
        3, {{"*", -INFINITY, -1}, {"*", -1e-30f, 0}, {"*", 1e-30f, 1}}};
    struct interactions log = {.users = rows->rows,
                               .items = rows->cols,
                               .start = (uint64_t *)(uintptr_t)rows->start,
                               .item = (uint32_t *)(uintptr_t)rows->col,
                               .value = (float *)(uintptr_t)rows->val};
    struct event_types types = {1, {"like"}};
    struct items items = {.ids = {0}};
    enum pal_status st = number_items(rows->cols, &items.ids, err);
    if (st == PAL_OK) {
        struct training t = {&items, &log, &types, &sign, x->csr, NULL, 0};
        st = model_fit(ops, options, &t, 0, run, out, err);
    }
    items_done(&items);
    return st;
}

static enum pal_status fit(const struct model_ops *ops, const void *options,
                           const struct pal_rows *rows, const struct pal_work *work,
                           struct pal_model *m, struct pal_error *err)
{
    struct ears ears = {.work = work};
    struct pool *pool = NULL;
    struct matrix x;
    int64_t began_ns = clock_steady_ns();
    enum pal_status st = matrix_read(rows, rows->cols, "the matrix", &x, err);
    if (st != PAL_OK)
        return st;
    if (csr_entries(&x.csr) == 0)
        st = pal_fail(err, PAL_EUSAGE, "the matrix is empty: there is nothing to train %s on",
                      ops->name);
    if (st == PAL_OK)
        st = pool_new(work->threads, &pool, err);
    struct run run = {.pool = pool,
                      .seed = work->seed,
                      .progress = report,
                      .progress_ctx = &ears,
                      .stop = &ears.stop};
    if (st == PAL_OK)
        st = fit_rows(ops, options, rows, &x, &run, &m->model, err);
    m->card = (struct model_card){.data = "matrix",
                                  .weights = "",
                                  .seed = work->seed,
                                  .train_seconds = 1e-9 * (double)(clock_steady_ns() - began_ns),
                                  .interactions = csr_entries(&x.csr),
                                  .created_s = (int64_t)time(NULL)};
    pool_free(pool);
    matrix_done(&x);
    return st;
}

enum pal_status pal_model_fit(const char *model, const char *options,
                              const struct pal_rows *user_items, const struct pal_work *work,
                              struct pal_model **out, struct pal_error *err)
{
    static const struct pal_work plain;
    const struct model_ops *ops;
    if (!model || !user_items)
        return pal_fail(err, PAL_EUSAGE, "name a model, such as als, and give it a matrix");
    enum pal_status st = model_named(model, &ops, err);
    if (st != PAL_OK)
        return st;
    struct pal_model *m = mem_zero(1, sizeof *m);
    void *set = mem_zero(1, ops->options_size);
    st = m && set ? options_read(ops, options, set, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = fit(ops, set, user_items, work ? work : &plain, m, err);
    mem_free(set);
    if (st != PAL_OK) {
        pal_model_free(m);
        return st;
    }
    *out = m;
    return PAL_OK;
}

void pal_model_free(struct pal_model *m)
{
    if (!m)
        return;
    model_free(m->model);
    mem_free(m);
}

enum pal_status pal_model_save(struct pal_model *m, const char *path, struct pal_error *err)
{
    if (!path)
        return pal_fail(err, PAL_EUSAGE, "no file is named to save the model to");
    return model_save(m->model, &m->card, path, err);
}

enum pal_status pal_model_load(const char *path, struct pal_model **out, struct pal_error *err)
{
    if (!path)
        return pal_fail(err, PAL_EUSAGE, "no file is named to load a model from");
    struct pal_model *m = mem_zero(1, sizeof *m);
    if (!m)
        return pal_no_memory(err);
    enum pal_status st = model_load(path, &m->model, err);
    if (st != PAL_OK) {
        mem_free(m);
        return st;
    }
    m->card = (struct model_card){.data = "matrix", .weights = ""};
    *out = m;
    return PAL_OK;
}

const char *pal_model_name(const struct pal_model *m)
{
    return m->model->ops->name;
}

uint32_t pal_model_items(const struct pal_model *m)
{
    return model_items(m->model);
}

static enum pal_status no_array(const struct pal_model *m, const struct tensors_out *parts,
                                const char *name, struct pal_error *err)
{
    char names[256] = "";
    for (size_t i = 0, used = 0; i < parts->count && used < sizeof names; i++)
        if (parts->tensors[i].type == TENSOR_F32)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                                     parts->tensors[i].name);
    return pal_fail(err, PAL_ENOTFOUND, "%s has no array '%s', only %s", pal_model_name(m), name,
                    *names ? names : "such as are no floats");
}

enum pal_status pal_model_array(const struct pal_model *m, const char *name, const float **data,
                                uint64_t *rows, uint64_t *cols, struct pal_error *err)
{
    struct tensors_out parts = {0};
    const struct tensor *found = NULL;
    enum pal_status st = m->model->ops->save(m->model, &parts, err);
    for (size_t i = 0; st == PAL_OK && i < parts.count; i++)
        if (parts.tensors[i].type == TENSOR_F32 && strcmp(parts.tensors[i].name, name) == 0)
            found = &parts.tensors[i];
    if (st == PAL_OK && !found)
        st = no_array(m, &parts, name, err);
    if (st == PAL_OK) {
        *data = found->data;
        *rows = found->shape[0];
        *cols = found->rank == 2 ? found->shape[1] : 1;
    }
    tensors_out_done(&parts);
    return st;
}
