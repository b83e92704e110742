/* Finding the page's files; the table itself is made by tools/embed. */
#include "server/web.h"

#include <string.h>

const struct web_asset *web_asset_find(const char *path)
{
    size_t low = 0, high = web_asset_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path, web_assets[middle].path);
        if (order == 0)
            return &web_assets[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
