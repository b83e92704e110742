/* See links.h. */
#include "model/links.h"
#include "model/stored.h"

#include "math/kernels.h"

#include <math.h>
#include <string.h>

enum pal_status links_make(const struct scored *best, const uint32_t *count, uint32_t items,
                           size_t k, struct links *out, struct pal_error *err)
{
    uint64_t entries = 0;
    struct csr m;
    for (uint32_t i = 0; i < items; i++)
        entries += count[i];
    enum pal_status st = csr_alloc(&m, items, items, entries, err);
    if (st != PAL_OK)
        return st;
    for (uint32_t i = 0; i < items; i++)
        for (uint32_t j = 0; j < count[i]; j++)
            m.start[best[i * k + j].index + 1]++;
    for (uint32_t i = 0; i < items; i++)
        m.start[i + 1] += m.start[i];
    /* targets in ascending order, so each row's columns ascend; start is shifted back after */
    for (uint32_t i = 0; i < items; i++)
        for (uint32_t j = 0; j < count[i]; j++) {
            uint64_t to = m.start[best[i * k + j].index]++;
            m.col[to] = i;
            m.val[to] = best[i * k + j].score;
        }
    memmove(m.start + 1, m.start, items * sizeof *m.start);
    m.start[0] = 0;
    *out = (struct links){.from = m};
    return PAL_OK;
}

void links_done(struct links *l)
{
    if (!l->in_file)
        csr_done(&l->from);
}

uint64_t links_bytes(uint64_t items, uint64_t k)
{
    return items * (k * (sizeof(struct scored) + sizeof(uint32_t) + sizeof(float)) +
                    sizeof(uint64_t) + sizeof(uint32_t));
}

void links_score(const struct links *l, const struct history *h, size_t n, float *scores)
{
    const struct csr *m = &l->from;
    for (size_t row = 0; row < n; row++, scores += m->cols) {
        memset(scores, 0, m->cols * sizeof *scores);
        for (size_t i = 0; i < h[row].n; i++) {
            uint64_t begin = m->start[h[row].item[i]], end = m->start[h[row].item[i] + 1];
            kernels()->scatter_axpy(h[row].weight[i], m->col + begin, m->val + begin, end - begin,
                                    scores);
        }
    }
}

/* The link from one item to another; 0 if there is none. */
static float link_of(const struct csr *m, uint32_t from, uint32_t to)
{
    uint64_t low = m->start[from], high = m->start[from + 1];
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (m->col[mid] < to)
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->start[from + 1] && m->col[low] == to ? m->val[low] : 0;
}

void links_similar(const struct links *l, uint32_t item, float *scores)
{
    for (uint32_t j = 0; j < l->from.rows; j++) {
        float link = link_of(&l->from, j, item);
        scores[j] = link > 0 ? link : -INFINITY;
    }
}

void links_explain(const struct links *l, const struct history *h, uint32_t item, float *part)
{
    for (size_t i = 0; i < h->n; i++)
        part[i] = h->weight[i] * link_of(&l->from, h->item[i], item);
}

enum pal_status links_save(const struct links *l, struct tensors_out *out, struct pal_error *err)
{
    return stored_csr_add(out, "links", &l->from, err);
}

enum pal_status links_load(const struct tensors *file, uint32_t items, struct links *out,
                           struct pal_error *err)
{
    struct csr view;
    enum pal_status st = stored_csr_get(file, "links", items, items, &view, err);
    if (st == PAL_OK)
        *out = (struct links){view, file};
    return st;
}
