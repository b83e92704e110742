/* For tests that have a folder each: begin and end are their setup and teardown. */
#ifndef IN_FOLDER_H
#define IN_FOLDER_H

#include "files.h"

static char folder[64];

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", make_folder());
    return 0;
}

static int end(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

#endif
