/* Errors: a status that the compiler makes callers look at, and a sentence for the user. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "palate.h"

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fills *err (which may be NULL) and returns st, so that a function can `return pal_fail(...)`.
 * The message is cut, between two characters, at the size of err->message; newlines and other
 * control characters in it become spaces, bytes that are not UTF-8 question marks. */
enum pal_status pal_fail(struct pal_error *err, enum pal_status st, const char *fmt, ...)
    PRINTF(3, 4);

/* The same for the one failure that every function shares. */
enum pal_status pal_no_memory(struct pal_error *err);

/* Puts "what: " before the message already in *err; returns err's status. */
enum pal_status pal_within(struct pal_error *err, enum pal_status st, const char *fmt, ...)
    PRINTF(3, 4);

#endif
