/* A store whose host's name nobody answers for fails within a time, where libpq would wait for as
 * long as the system does: getaddrinfo is ours here, and answers only once it is let. */
#include "base/clock.h"
#include "test.h"

#include "store/postgres.h"

#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { LONGEST_S = 20 /* two seconds, on a machine that may be busy */ };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t let = PTHREAD_COND_INITIALIZER;
static bool may_answer;
static int asked;

int getaddrinfo(const char *restrict host, const char *restrict port,
                const struct addrinfo *restrict hint, struct addrinfo **restrict out)
{
    if (!host || strcmp(host, "slow.example") != 0 || (hint->ai_flags & AI_NUMERICHOST))
        return EAI_NONAME;
    pthread_mutex_lock(&lock);
    asked++;
    while (!may_answer)
        pthread_cond_wait(&let, &lock);
    pthread_mutex_unlock(&lock);
    return EAI_AGAIN;
}

static void open_fails(const char *place, const char *says)
{
    struct store *s = NULL;
    struct pal_error err;
    int64_t began_ms = clock_steady_ms();
    assert_int_equal(store_postgres.open(place, true, &s, &err), PAL_EIO);
    assert_true(clock_steady_ms() - began_ms < LONGEST_S * 1000);
    assert_non_null(strstr(err.message, "cannot reach the store postgres://ann:***@slow.example"));
    assert_non_null(strstr(err.message, says));
    assert_null(strstr(err.message, "s3cret"));
}

static void name_servers_are_not_waited_for(void **state)
{
    (void)state;
    open_fails("//ann:s3cret@slow.example/shop", "look at the name servers");
    pthread_mutex_lock(&lock);
    int so_far = asked;
    may_answer = true;
    pthread_cond_broadcast(&let);
    pthread_mutex_unlock(&lock);
    assert_int_equal(so_far, 1);
    open_fails("//ann:s3cret@slow.example/shop?sslmode=disable", "host 'slow.example': ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(name_servers_are_not_waited_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
