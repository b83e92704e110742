/* The readers of numbers, times and characters, on any bytes. They get a block of exactly the
 * input's size, so that reading past its end is seen; what they return must fit together. */
#include "fuzz.h"

#include "base/str.h"
#include "base/text.h"

#include <math.h>

static void check_numbers(const char *p, const char *end)
{
    uint64_t whole = 0;
    double real = 0, back = 0;
    uint32_t time;
    bool is_whole = text_u64(p, end, &whole), is_real = text_real(p, end, &real);
    FUZZ_CHECK(!is_real || isfinite(real));
    FUZZ_CHECK(!is_whole || (is_real && real == (double)whole));
    FUZZ_CHECK(!is_whole || whole > UINT32_MAX || (text_time(p, end, &time) && time == whole));
    if (is_real) {
        struct str s = {0};
        str_real(&s, real);
        FUZZ_CHECK(str_ok(&s));
        FUZZ_CHECK(text_real(s.text, s.text + s.len, &back) && back == real);
        str_done(&s);
    }
    (void)text_time(p, end, &time);
}

static void check_characters(const char *p, size_t size)
{
    const char *at = p, *end = p + size;
    for (size_t n; at < end && (n = text_utf8_char(at, end)) != 0;)
        at += n;
    FUZZ_CHECK(text_is_utf8(p, size) == (at == end));
    char *wide = malloc(2 * size + 1);
    if (!wide)
        return;
    size_t len = text_from_latin1(p, size, wide);
    FUZZ_CHECK(len >= size && len <= 2 * size && text_is_utf8(wide, len));
    free(wide);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    check_characters(p, size);
    if (size < 100)
        check_numbers(p, end);
    (void)text_is(p, end, "timestamp");
    return 0;
}
