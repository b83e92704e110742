/* A file of messages that were not sent, as somebody may have left it: what is taken are objects
 * with an operation, written down they are read again as the same, and sending any of them to a
 * server that is not there neither crashes nor takes it for sent. */
#include "fuzz.h"

#include "track/inside.h"

static const char url[] = "http://127.0.0.1:1";

/* Nobody listens on port 1; a deadline that is over keeps each call from even trying for long. */
static void send_all(json_t *messages)
{
    static const _Atomic int64_t deadline_ms = 1;
    struct mlflow *m = NULL;
    struct pal_error err;
    json_t *message;
    size_t i;
    if (mlflow_new(url, "palate", &deadline_ms, &m, &err))
        return;
    json_array_foreach(messages, i, message)
    {
        char why[200] = "";
        const char *op = json_string_value(json_object_get(message, "op"));
        enum sent sent = mlflow_send(m, message, why, sizeof why);
        FUZZ_CHECK(sent == SENT || *why);
        FUZZ_CHECK(sent != SENT || strcmp(op, "known") == 0 || strcmp(op, "artifact") == 0 ||
                   strcmp(op, "create") == 0);
        if (i == 7)
            break;
    }
    mlflow_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *messages = unsent_read((const char *)data, size, url, "palate"), *message;
    size_t i, len = 0;
    if (!messages)
        return 0;
    char *text = malloc(size * 8 + 256);
    FUZZ_CHECK(text != NULL);
    len += (size_t)sprintf(text, "{\"palate_unsent\":1,\"url\":\"%s\",\"experiment\":\"palate\"}\n",
                           url);
    json_array_foreach(messages, i, message)
    {
        char *line = json_dumps(message, JSON_COMPACT);
        FUZZ_CHECK(line && json_is_string(json_object_get(message, "op")));
        size_t n = strlen(line);
        FUZZ_CHECK(len + n + 2 < size * 8 + 256);
        memcpy(text + len, line, n);
        text[len + n] = '\n';
        len += n + 1;
        free(line);
    }
    json_t *again = unsent_read(text, len, url, "palate");
    FUZZ_CHECK(json_array_size(again) == json_array_size(messages));
    free(text);
    send_all(messages);
    json_decref(again);
    json_decref(messages);
    return 0;
}
