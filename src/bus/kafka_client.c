/* Clients of librdkafka (see kafka.h): configured, made, thrown away; and the topics. */
#include "base/clock.h"
#include "bus/kafka.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_AGAIN_MS = 50, FLUSH_MS = 20 };

/* For everybody; for those that publish; for those that receive. */
static const struct kafka_word common[] = {
    {"client.id", "palate"},
    {"socket.timeout.ms", "10000"},
    {"socket.nagle.disable", "true"},
    {"log.connection.close", "false"},
    {"reconnect.backoff.max.ms", "2000"},
};
static const struct kafka_word producer[] = {
    {"enable.idempotence", "true"}, /* so also: acks=all, in order, nothing twice */
    {"message.timeout.ms", "0"},    /* who publishes says how long */
    {"queue.buffering.max.messages", "100000"},
    {"queue.buffering.max.kbytes", "65536"},
};
static const struct kafka_word consumer[] = {
    {"enable.auto.commit", "false"},   {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "earliest"}, {"session.timeout.ms", "10000"},
    {"heartbeat.interval.ms", "1000"}, {"queued.max.messages.kbytes", "16384"},
    {"fetch.max.bytes", "33554432"},
};

static void say_nothing(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

static struct kafka_client *client_of(struct kafka_bus *b, const rd_kafka_t *rk)
{
    return rk == b->in.rk ? &b->in : rk == b->dead.rk ? &b->dead : &b->out;
}

/* Called by those of librdkafka's functions that we call, in our thread. */
static void hear(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
    struct kafka_client *c = client_of(opaque, rk);
    bool denied = code == RD_KAFKA_RESP_ERR__AUTHENTICATION;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        c->all_down = true;
    else if (denied || !c->denied)
        snprintf(c->last, sizeof c->last, "%s", text);
    c->denied |= denied;
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct kafka_client *c = client_of(opaque, rk);
    c->left--;
    if (!m->err)
        return;
    c->failed++;
    c->reason = m->err;
}

static enum pal_status set_words(rd_kafka_conf_t *conf, const struct kafka_word *word, size_t count,
                                 const struct kafka_place *p, struct pal_error *err)
{
    char why[256];
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, word[i].name, word[i].value, why, sizeof why))
            return pal_fail(err, PAL_EUSAGE, "stream '%s': %s", p->shown, why);
    return PAL_OK;
}

static enum pal_status configure(struct kafka_bus *b, rd_kafka_conf_t *conf, rd_kafka_type_t type,
                                 struct pal_error *err)
{
    const struct kafka_place *p = &b->place;
    char largest[16];
    snprintf(largest, sizeof largest, "%d", (int)KAFKA_MESSAGE_MOST);
    const struct kafka_word own[] = {
        {"bootstrap.servers", p->hosts}, {"message.max.bytes", largest}, {"group.id", p->group}};
    bool receives = type == RD_KAFKA_CONSUMER;
    enum pal_status st = set_words(conf, own, receives ? 3 : 2, p, err);
    if (!st)
        st = set_words(conf, common, sizeof common / sizeof *common, p, err);
    if (!st && receives)
        st = set_words(conf, consumer, sizeof consumer / sizeof *consumer, p, err);
    if (!st && !receives)
        st = set_words(conf, producer, sizeof producer / sizeof *producer, p, err);
    if (!st)
        st = set_words(conf, p->word, p->words, p, err);
    rd_kafka_conf_set_opaque(conf, b);
    rd_kafka_conf_set_log_cb(conf, say_nothing);
    rd_kafka_conf_set_error_cb(conf, hear);
    if (receives)
        rd_kafka_conf_set_rebalance_cb(conf, kafka_rebalance);
    else
        rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    return st;
}

enum pal_status kafka_client_make(struct kafka_bus *b, struct kafka_client *c, rd_kafka_type_t type,
                                  struct pal_error *err)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum pal_status st = configure(b, conf, type, err);
    if (!st) {
        c->rk = rd_kafka_new(type, conf, why, sizeof why);
        if (!c->rk)
            st = pal_fail(err, PAL_EUSAGE, "stream '%s': %s", b->place.shown, why);
    }
    if (st) {
        rd_kafka_conf_destroy(conf);
        return st;
    }
    c->left = c->failed = 0;
    c->denied = c->all_down = false;
    c->last[0] = '\0';
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(c->rk);
    return PAL_OK;
}

void kafka_client_drop(struct kafka_client *c)
{
    if (!c->rk)
        return;
    if (rd_kafka_type(c->rk) == RD_KAFKA_PRODUCER) {
        rd_kafka_purge(c->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(c->rk, FLUSH_MS);
    }
    rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    c->rk = NULL;
}

enum pal_status kafka_fail(struct kafka_bus *b, struct kafka_client *c, struct pal_error *err,
                           const char *what)
{
    if (c->rk && rd_kafka_type(c->rk) == RD_KAFKA_PRODUCER)
        rd_kafka_poll(c->rk, 0);
    return pal_fail(err, PAL_EIO, "stream '%s': %s%s%s", b->place.shown, what,
                    c->last[0] ? ": " : "", c->last);
}

/* ---- Topics ---- */

static bool is_fine(rd_kafka_resp_err_t code)
{
    /* Who may not make topics may still use them. */
    return code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ||
           code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

static enum pal_status check_made(struct kafka_bus *b, struct kafka_client *c,
                                  rd_kafka_event_t *event, struct pal_error *err)
{
    size_t count = 0;
    char what[400];
    if (!event)
        return kafka_fail(b, c, err,
                          c->denied     ? "the broker does not let us in"
                          : c->all_down ? "no broker can be reached"
                                        : "no answer in time");
    if (rd_kafka_event_error(event)) {
        snprintf(what, sizeof what, "making the topic: %s", rd_kafka_event_error_string(event));
        return kafka_fail(b, c, err, what);
    }
    const rd_kafka_topic_result_t **r =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++)
        if (!is_fine(rd_kafka_topic_result_error(r[i]))) {
            const char *text = rd_kafka_topic_result_error_string(r[i]);
            snprintf(what, sizeof what,
                     "making the topic '%s': %s (see ?partitions= and ?replication=)",
                     rd_kafka_topic_result_name(r[i]),
                     text ? text : rd_kafka_err2str(rd_kafka_topic_result_error(r[i])));
            return kafka_fail(b, c, err, what);
        }
    return PAL_OK;
}

/* The answer; NULL as soon as it is known that none will come. Before anything is subscribed. */
static rd_kafka_event_t *wait_event(struct kafka_client *c, rd_kafka_queue_t *queue, int64_t until)
{
    for (;;) {
        int ms = kafka_ms(until);
        rd_kafka_event_t *event =
            rd_kafka_queue_poll(queue, ms < LOOK_AGAIN_MS ? ms : LOOK_AGAIN_MS);
        if (event)
            return event;
        if (rd_kafka_type(c->rk) == RD_KAFKA_PRODUCER) {
            rd_kafka_poll(c->rk, 0);
        } else {
            rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, 0);
            if (m)
                rd_kafka_message_destroy(m);
        }
        if (c->all_down || c->denied || !ms)
            return NULL;
    }
}

static enum pal_status make_topics(struct kafka_bus *b, struct kafka_client *c, int64_t until,
                                   struct pal_error *err)
{
    const struct kafka_place *p = &b->place;
    char why[256], largest[16];
    int copies = p->replication ? (int)p->replication : -1;
    rd_kafka_NewTopic_t *topic[2] = {
        rd_kafka_NewTopic_new(p->topic, (int)p->partitions, copies, why, sizeof why),
        rd_kafka_NewTopic_new(p->dead, 1, copies, why, sizeof why),
    };
    if (!topic[0] || !topic[1]) {
        for (int i = 0; i < 2; i++)
            if (topic[i])
                rd_kafka_NewTopic_destroy(topic[i]);
        return kafka_fail(b, c, err, why);
    }
    snprintf(largest, sizeof largest, "%d", (int)KAFKA_MESSAGE_MOST);
    for (int i = 0; i < 2; i++)
        rd_kafka_NewTopic_set_config(topic[i], "max.message.bytes", largest);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    int ms = kafka_ms(until);
    rd_kafka_AdminOptions_set_request_timeout(options, ms < 1 ? 1 : ms, why, sizeof why);
    rd_kafka_CreateTopics(c->rk, topic, 2, options, queue);
    rd_kafka_event_t *event = wait_event(c, queue, until);
    enum pal_status st = check_made(b, c, event, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topic, 2);
    return st;
}

/* How many partitions the topic has; 0 while it is not to be seen yet. */
static enum pal_status count_partitions(struct kafka_bus *b, struct kafka_client *c, int64_t until,
                                        unsigned *count, struct pal_error *err)
{
    const struct rd_kafka_metadata *all = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(c->rk, b->place.topic, NULL);
    if (!topic)
        return kafka_fail(b, c, err, rd_kafka_err2str(rd_kafka_last_error()));
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->rk, 0, topic, &all, kafka_ms(until));
    rd_kafka_topic_destroy(topic);
    if (code)
        return kafka_fail(b, c, err, rd_kafka_err2str(code));
    *count = 0;
    enum pal_status st = PAL_OK;
    for (int i = 0; i < all->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *t = &all->topics[i];
        if (t->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            st = kafka_fail(b, c, err, "the broker does not let this user use the topic");
        else if (!t->err && strcmp(t->topic, b->place.topic) == 0)
            *count = (unsigned)t->partition_cnt;
    }
    rd_kafka_metadata_destroy(all);
    return st;
}

enum pal_status kafka_reach(struct kafka_bus *b, struct kafka_client *c, int64_t until,
                            struct pal_error *err)
{
    unsigned count = 0;
    if (atomic_load(&b->partitions))
        return PAL_OK;
    enum pal_status st = make_topics(b, c, until, err);
    while (!st && !(st = count_partitions(b, c, until, &count, err)) && !count) {
        if (clock_steady_ms() + LOOK_AGAIN_MS > until)
            return kafka_fail(b, c, err, "the topic was made but is not there yet");
        bus_sleep_ms(LOOK_AGAIN_MS);
    }
    if (st)
        return st;
    if (count > BUS_SHARDS_MOST)
        return pal_fail(err, PAL_EIO, "stream '%s': the topic has %u partitions, at most %d serve",
                        b->place.shown, count, (int)BUS_SHARDS_MOST);
    atomic_store(&b->partitions, count);
    return PAL_OK;
}
