# Shows that tools/run-tests runs what is named, counts single tests, sees skipped ones inside a
# program that passed, counts crashes and programs that are not cmocka's, and ends with the right
# status.
. "$(dirname "$0")/tree.sh"

put meson.build <<'M'
project('counted', 'c')
cmocka = dependency('cmocka')
test('s/mixed', executable('mixed', 'mixed.c', dependencies: cmocka), suite: 's')
test('s/crash', executable('crash', 'crash.c', dependencies: cmocka), suite: 'bad')
test('s/plain', find_program('true'), suite: 's')
test('s/broken', find_program('false'), suite: 'broken')
alias_target('product', executable('made', 'made.c'))
M
put made.c <<<'int main(void) { return 0; }'
put head.h <<'C'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
static void good(void **state) { (void)state; }
C
put mixed.c <<'C'
#include "head.h"
static void absent(void **state) { (void)state; printf("skipped: no such data\n"); skip(); }
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(good),
                                       cmocka_unit_test(absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
C
put crash.c <<'C'
#include "head.h"
static void wrong(void **state) { (void)state; assert_int_equal(1, 2); }
static void crash(void **state) { (void)state; abort(); }
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(wrong),
                                       cmocka_unit_test(crash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
C

accepts meson setup "$tree/build" "$tree"

accepts "$root/tools/run-tests" "$tree/build" s
says 'skipped: s/mixed: absent: no such data' '3 passed, 0 failed, 1 skipped$'
[[ $(tail -n 1 <<<"$said") == '3 passed, 0 failed, 1 skipped' ]] || fail 'the last line'
accepts "$root/tools/run-tests" "$tree/build" s/plain
says '1 passed, 0 failed, 0 skipped$'

refuses "$root/tools/run-tests" "$tree/build" broken
says '0 passed, 1 failed, 0 skipped$'
# A program that died counts as failed once, and none of its tests as passed.
refuses "$root/tools/run-tests" "$tree/build" bad
says '0 passed, 1 failed, 0 skipped$'
refuses "$root/tools/run-tests" "$tree/build"
says '3 passed, 2 failed, 1 skipped$'
refuses "$root/tools/run-tests" "$tree/build" s/plain broken # a test and a suite
says '1 passed, 1 failed, 0 skipped$'
refuses "$root/tools/run-tests" "$tree/build" nonsense
says "run-tests: there is no test 'nonsense'"
