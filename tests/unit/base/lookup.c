/* A host is looked up within a time, whatever the name servers do: getaddrinfo is ours here, and
 * answers about the host "slow" only once it is let. */
#include "test.h"

#include "base/clock.h"
#include "base/lookup.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t let = PTHREAD_COND_INITIALIZER;
static bool may_answer;
static int asked;

/* 10.0.0.1, 10.0.0.2, … */
static struct addrinfo *make_list(const char *port, int count)
{
    struct addrinfo *list = NULL;
    for (int i = count; i > 0; i--) {
        struct addrinfo *a = calloc(1, sizeof *a);
        struct sockaddr_in *to = calloc(1, sizeof *to);
        to->sin_family = AF_INET;
        to->sin_port = htons(port ? (uint16_t)atoi(port) : 0);
        to->sin_addr.s_addr = htonl(0x0a000000u + (unsigned)i);
        a->ai_addr = (struct sockaddr *)to;
        a->ai_addrlen = sizeof *to;
        a->ai_next = list;
        list = a;
    }
    return list;
}

int getaddrinfo(const char *restrict host, const char *restrict port,
                const struct addrinfo *restrict hint, struct addrinfo **restrict out)
{
    bool number = host[0] >= '0' && host[0] <= '9';
    if (hint->ai_flags & AI_NUMERICHOST && !number)
        return EAI_NONAME;
    if (strcmp(host, "unknown") == 0)
        return EAI_NONAME;
    pthread_mutex_lock(&lock);
    asked += !number;
    while (strcmp(host, "slow") == 0 && !may_answer)
        pthread_cond_wait(&let, &lock);
    pthread_mutex_unlock(&lock);
    *out = make_list(port, strcmp(host, "many") == 0 ? 3 * LOOKUP_MOST : 2);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

static int64_t in_ms(int64_t ms)
{
    return clock_steady_ms() + ms;
}

static void check_address(const struct lookup_addresses *found, size_t i, unsigned port)
{
    const struct sockaddr_in *to = (const struct sockaddr_in *)&found->at[i].to;
    assert_int_equal(found->at[i].size, sizeof *to);
    assert_int_equal(ntohl(to->sin_addr.s_addr), 0x0a000001u + i);
    assert_int_equal(ntohs(to->sin_port), port);
}

static void addresses_come_in_order(void **state)
{
    static const char *const hosts[] = {"10.0.0.1", "quick"};
    struct lookup *pending = NULL;
    struct lookup_addresses found;
    struct pal_error err;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        assert_ok(lookup_host(&pending, hosts[i], "6379", in_ms(60000), &found, &err), &err);
        assert_null(pending);
        assert_int_equal(found.count, 2);
        check_address(&found, 0, 6379);
        check_address(&found, 1, 6379);
    }
    assert_ok(lookup_host(&pending, "many", NULL, in_ms(60000), &found, &err), &err);
    assert_int_equal(found.count, LOOKUP_MOST);
    check_address(&found, LOOKUP_MOST - 1, 0);
}

static void an_unknown_host_is_named(void **state)
{
    struct lookup *pending = NULL;
    struct pal_error err;
    assert_int_equal(lookup_host(&pending, "unknown", NULL, in_ms(60000), NULL, &err), PAL_EIO);
    assert_non_null(strstr(err.message, "host 'unknown'"));
    assert_null(pending);
}

static void nobody_waits_longer_than_told(void **state)
{
    struct lookup *pending = NULL;
    struct lookup_addresses found = {.count = 77};
    struct pal_error err;
    int before = asked;
    for (int i = 0; i < 3; i++) {
        int64_t late = in_ms(20000);
        assert_int_equal(lookup_host(&pending, "slow", "1", in_ms(50), &found, &err), PAL_EIO);
        assert_non_null(strstr(err.message, "look at the name servers"));
        assert_true(in_ms(0) < late);
        assert_non_null(pending);
        assert_int_equal(found.count, 77);
    }
    pthread_mutex_lock(&lock);
    may_answer = true;
    pthread_cond_broadcast(&let);
    pthread_mutex_unlock(&lock);
    assert_ok(lookup_host(&pending, "slow", "1", in_ms(60000), &found, &err), &err);
    check_address(&found, 1, 1);
    assert_null(pending);
    assert_int_equal(asked, before + 1); /* by one thread */
}

static void one_that_is_left_alone_ends_by_itself(void **state)
{
    struct lookup *pending = NULL;
    struct pal_error err;
    may_answer = false;
    assert_int_equal(lookup_host(&pending, "slow", NULL, in_ms(20), NULL, &err), PAL_EIO);
    lookup_free(pending); /* the thread is still in getaddrinfo, and frees the rest */
    pthread_mutex_lock(&lock);
    may_answer = true;
    pthread_cond_broadcast(&let);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_in_order),
        cmocka_unit_test(an_unknown_host_is_named),
        cmocka_unit_test(nobody_waits_longer_than_told),
        cmocka_unit_test(one_that_is_left_alone_ends_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
