/* Removing what a test has made. */
#ifndef FOLDER_H
#define FOLDER_H

#include "test.h"

#include <ftw.h>

static inline int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* With all that is in it; links are not followed. Fails the test if something stays. */
static inline void remove_folder(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
