/* A program for the learning loop to run: a shell script that a test writes, which can note with
 * what it was started. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "folder.h"

#include <sys/stat.h>
#include <unistd.h>

static char place[64]; /* each test's own folder */

static inline int make_place(void **state)
{
    (void)state;
    snprintf(place, sizeof place, "/tmp/palate-loop-XXXXXX");
    return mkdtemp(place) ? 0 : -1;
}

static inline int drop_place(void **state)
{
    (void)state;
    remove_folder(place);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)

static inline const char *in_place(const char *name)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", place, name);
    return path[turn];
}

/* A script with this body; $PLACE is the test's folder. */
static inline const char *program(const char *body)
{
    const char *path = in_place("program");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\nPLACE=%s\n%s\n", place, body);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

/* What a file of the test's folder holds; "" if there is none. */
static inline const char *content(const char *name)
{
    static char text[4096];
    FILE *f = fopen(in_place(name), "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    return text;
}

/* Waits, half a minute at most, until `what` holds. */
#define wait_until(what)                                                                           \
    do {                                                                                           \
        for (int i_ = 0; i_ < 30000 && !(what); i_++)                                              \
            usleep(1000);                                                                          \
        assert_true(what);                                                                         \
    } while (0)

#define PUBLISHED                                                                                  \
    "echo '{\"outcome\":\"published\",\"version\":4,\"events\":900,\"items\":80,\"users\":70,"     \
    "\"metric\":\"ndcg@10\",\"value\":0.31,\"live_value\":0.3,\"peak_bytes\":123456,"              \
    "\"message\":\"not worse\"}'\n"

#endif
