/* URLs of RabbitMQ streams: whatever the text, it is read whole or refused with a sentence. */
#include "fuzz.h"

#include "base/text.h"
#include "bus/amqp_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = mem_text((const char *)data, size);
    struct pal_error err = {0};
    struct amqp_place p;
    if (!url)
        return 0;
    if (amqp_place_read(url, &p, &err) == PAL_OK) {
        FUZZ_CHECK(p.host && *p.host && p.vhost && *p.vhost && p.user && p.password);
        FUZZ_CHECK(p.queue && *p.queue && strlen(p.queue) <= 200);
        FUZZ_CHECK(p.shards >= 1 && p.shards <= 256);
        amqp_place_done(&p);
    } else {
        FUZZ_CHECK(err.message[0] && text_is_utf8(err.message, strlen(err.message)));
    }
    mem_free(url);
    return 0;
}
