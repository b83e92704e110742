/* What every unit test includes: cmocka and the headers that it wants before itself. */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"

/* Fails with the error's own sentence. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        (err)->message[0] = 0;                                                                     \
        enum pal_status st_ = (call);                                                              \
        if (st_ != PAL_OK)                                                                         \
            fail_msg("%s: %s: %s", #call, pal_status_name(st_), (err)->message);                   \
    } while (0)

#endif
