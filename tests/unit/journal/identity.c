/* The journal's name: drawn once, kept, and no two alike. */
#include "place.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void drawn_once(void **state)
{
    (void)state;
    char first[JOURNAL_IDENTITY], again[JOURNAL_IDENTITY], other[JOURNAL_IDENTITY], dir[512];
    struct pal_error err;
    snprintf(dir, sizeof dir, "%s/deeper/one", place);
    assert_ok(journal_identity(dir, first, &err), &err);
    assert_ok(journal_identity(dir, again, &err), &err);
    assert_string_equal(first, again);
    assert_int_equal(strspn(first, "0123456789abcdef"), 12);
    snprintf(dir, sizeof dir, "%s/deeper/two", place);
    assert_ok(journal_identity(dir, other, &err), &err);
    assert_string_not_equal(first, other);
}

/* Of many that ask at once, all get the same. */
static void all_agree(void **state)
{
    (void)state;
    enum { ASKERS = 16 };
    int pipes[2];
    char got[ASKERS][JOURNAL_IDENTITY];
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < ASKERS; i++) {
        pid_t child = fork();
        if (child == 0) {
            char mine[JOURNAL_IDENTITY] = "";
            struct pal_error err;
            bool fine = journal_identity(place, mine, &err) == PAL_OK &&
                        write(pipes[1], mine, sizeof mine) == sizeof mine;
            _exit(fine ? 0 : 1);
        }
        assert_true(child > 0);
    }
    for (int i = 0; i < ASKERS; i++) {
        int how;
        assert_true(wait(&how) > 0 && WIFEXITED(how) && WEXITSTATUS(how) == 0);
        assert_int_equal(read(pipes[0], got[i], sizeof got[i]), sizeof got[i]);
        assert_string_equal(got[i], got[0]);
    }
    close(pipes[0]);
    close(pipes[1]);
}

static void damage_is_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "0123456789a", "0123456789abc", "0123456789aX"};
    char path[512], out[JOURNAL_IDENTITY];
    struct pal_error err;
    snprintf(path, sizeof path, "%s/identity", place);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(bad[i], f);
        fclose(f);
        assert_int_equal(journal_identity(place, out, &err), PAL_ECORRUPT);
        assert_non_null(strstr(err.message, path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(drawn_once),
        TEST(all_agree),
        TEST(damage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
