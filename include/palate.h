/* palate.h: the embeddable recommender.
 *
 * The one public header of libpalate. SPDX-License-Identifier: Apache-2.0 */
#ifndef PALATE_H
#define PALATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAL_API __attribute__((visibility("default")))

/* How a call ended. Every call that can fail returns one of these and, if it was given a struct
 * pal_error, a sentence that says what failed and what to do about it. */
enum pal_status {
    PAL_OK = 0,
    PAL_EUSAGE,    /* an argument or option that makes no sense: the caller's mistake */
    PAL_EFORMAT,   /* input that is not what its format promises; the message has file and line */
    PAL_ECORRUPT,  /* a file of palate's own that is damaged or truncated */
    PAL_ENOTFOUND, /* no such file, user, item or model */
    PAL_EIO,       /* the system refused to read or write: permission, full disk */
    PAL_ENOMEM,    /* memory could not be had, or a ceiling was reached */
    PAL_EINTERRUPTED, /* stopped because the caller asked for it */
    PAL_EUNSUPPORTED, /* this build, model or data set can't do that */
};

struct pal_error {
    enum pal_status status;
    char message[512]; /* one line, UTF-8, without a newline */
};

#ifdef __cplusplus
}
#endif
#endif
