/* URLs of Kafka streams: whatever the text, it is read whole or refused with a sentence. */
#include "fuzz.h"

#include "base/text.h"
#include "bus/kafka_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = mem_text((const char *)data, size);
    struct pal_error err = {0};
    struct kafka_place p;
    if (!url)
        return 0;
    if (kafka_place_read(url, &p, &err) == PAL_OK) {
        FUZZ_CHECK(p.hosts && *p.hosts && p.topic && *p.topic && p.group && *p.group);
        FUZZ_CHECK(strlen(p.topic) + 5 == strlen(p.dead));
        FUZZ_CHECK(p.partitions >= 1 && p.partitions <= 256);
        FUZZ_CHECK(p.words <= KAFKA_WORDS_MOST);
        for (size_t i = 0; i < p.words; i++)
            FUZZ_CHECK(strchr(p.word[i].name, '.') && p.word[i].value);
        kafka_place_done(&p);
    } else {
        FUZZ_CHECK(err.message[0] && text_is_utf8(err.message, strlen(err.message)));
    }
    mem_free(url);
    return 0;
}
