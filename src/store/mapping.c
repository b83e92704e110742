/* See mapping.h. */
#include "store/mapping.h"

#include "base/intern.h"
#include "base/mem.h"

enum pal_status mapping_put(struct mapping *m, int64_t from, uint32_t to, struct pal_error *err)
{
    if (from < (int64_t)m->count || from >= INTERN_NONE)
        return PAL_ECORRUPT;
    if (mem_grow(&m->to, &m->cap, (size_t)from + 1, sizeof *m->to))
        return pal_no_memory(err);
    while (m->count < (size_t)from)
        m->to[m->count++] = INTERN_NONE;
    m->to[m->count++] = to;
    return PAL_OK;
}

bool mapping_get(const struct mapping *m, int64_t from, uint32_t *to)
{
    if (from < 0 || (uint64_t)from >= m->count || m->to[from] == INTERN_NONE)
        return false;
    *to = m->to[from];
    return true;
}

void mapping_done(struct mapping *m)
{
    mem_free(m->to);
    *m = (struct mapping){0};
}
