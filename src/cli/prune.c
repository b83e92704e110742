/* Deleting old versions (see publish.h). */
#include "cli/publish.h"

#include "base/mem.h"
#include "cli/manifest.h"

#include <string.h>

/* The version that the live one replaced: as its manifest says, else the one before it. */
static uint32_t predecessor(const struct registry_version *all, size_t count, uint32_t live)
{
    uint32_t before = 0, recorded = 0;
    for (size_t i = 0; i < count; i++) {
        json_t *manifest = NULL;
        if (all[i].number < live)
            before = all[i].number;
        if (all[i].number == live && manifest_read(all[i].path, &manifest, NULL) == PAL_OK)
            recorded = (uint32_t)manifest_int(manifest, "replaces");
        json_decref(manifest);
    }
    return recorded ? recorded : before;
}

enum pal_status publish_prune(const char *root, int64_t keep, size_t *removed,
                              struct pal_error *err)
{
    struct registry_version *all = NULL, current = {0};
    size_t count = 0, gone = 0;
    if (keep == 0) {
        *removed = 0;
        return PAL_OK;
    }
    enum pal_status st = registry_list(root, &all, &count, err);
    if (st)
        return st;
    if (registry_current(root, &current, NULL) != PAL_OK)
        current.number = 0;
    uint32_t before = predecessor(all, count, current.number);
    /* The newest one stays, too, live or held back: its number must not be given again. */
    for (size_t i = 0; i + 1 < count && !st && (int64_t)(count - gone) > keep; i++) {
        if (all[i].number == current.number || all[i].number == before)
            continue;
        st = registry_remove(root, all[i].number, err);
        gone += !st;
    }
    mem_free(all);
    *removed = gone;
    return st;
}
