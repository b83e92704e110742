/* Receiving from Kafka (see kafka.h), as one of a group. The group's offsets are committed when the
 * caller settles, so what was received and not settled comes again: from here while the partition
 * stays ours, and to whoever gets it otherwise. Partitions come and go inside of kafka_receive
 * only, so none is lost between receiving and settling without settling being told. */
#include "base/clock.h"
#include "bus/kafka.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH_BYTES = 16 << 20,
    LINGER_MS = 5,     /* waits for more after the first message */
    ANSWER_MS = 10000, /* refuse and settle */
    LOOK_MS = 1000,
    CHECK_MS = 1000, /* whether a broker is there again */
};

void kafka_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t what,
                     rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct kafka_bus *b = opaque;
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_assign(rk, partitions);
        return;
    }
    inbox_clear(&b->inbox);
    rd_kafka_assign(rk, NULL);
}

enum pal_status kafka_subscribe(struct kafka_bus *b, struct pal_error *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, b->place.topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(b->in.rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code ? kafka_fail(b, &b->in, err, rd_kafka_err2str(code)) : PAL_OK;
}

/* ---- Receiving ---- */

static enum pal_status keep(struct kafka_bus *b, const rd_kafka_message_t *m, struct pal_error *err)
{
    /* What is larger is not ours, and can't be understood when it is cut either. */
    size_t size = m->len < 2 * BUS_MESSAGE_MOST ? m->len : BUS_MESSAGE_MOST;
    char *body = mem_text(m->payload ? m->payload : "", m->payload ? size : 0);
    if (!body)
        return pal_no_memory(err);
    return inbox_put(&b->inbox, body, m->payload ? size : 0, (unsigned)m->partition, m->offset,
                     err);
}

/* One message or none within the time; whatever else there is, is done on the way. */
static enum pal_status poll_one(struct kafka_bus *b, int64_t until, bool *any,
                                struct pal_error *err)
{
    struct kafka_client *c = &b->in;
    rd_kafka_message_t *m = rd_kafka_consumer_poll(c->rk, kafka_ms(until));
    enum pal_status st = PAL_OK;
    *any = false;
    if (!m)
        return PAL_OK;
    if (!m->err && m->partition >= 0 && m->partition < BUS_SHARDS_MOST) {
        *any = true;
        c->all_down = false;
        st = keep(b, m, err);
        tally_add(&b->tally, 0, 1, 0);
    } else if (m->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
               m->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
               m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
               m->err == RD_KAFKA_RESP_ERR__FATAL) {
        st = kafka_fail(b, c, err, rd_kafka_message_errstr(m));
    }
    rd_kafka_message_destroy(m);
    return st;
}

static enum pal_status gather(struct kafka_bus *b, size_t most, int64_t until,
                              struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    bool any;
    while (!st && !inbox_ready(&b->inbox)) {
        st = poll_one(b, until, &any, err);
        if (!st && !any && clock_steady_ms() >= until)
            return PAL_OK;
    }
    int64_t linger = clock_steady_ms() + LINGER_MS;
    if (linger > until)
        linger = until;
    any = true;
    while (!st && any && inbox_ready(&b->inbox) < most && b->inbox.bytes < BATCH_BYTES)
        st = poll_one(b, linger, &any, err);
    return st;
}

/* No broker could be reached lately: is one there now? */
static enum pal_status check(struct kafka_bus *b, struct pal_error *err)
{
    const struct rd_kafka_metadata *all = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(b->in.rk, b->place.topic, NULL);
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(b->in.rk, 0, topic, &all, kafka_ms(clock_steady_ms() + CHECK_MS));
    rd_kafka_topic_destroy(topic);
    if (code) {
        kafka_fail(b, &b->in, err, "no broker can be reached");
        tally_down(&b->tally, BUS_RECEIVE, err);
        return PAL_EIO;
    }
    rd_kafka_metadata_destroy(all);
    b->in.all_down = b->in.denied = false;
    b->in.last[0] = '\0';
    tally_up(&b->tally, BUS_RECEIVE, true);
    return PAL_OK;
}

/* How far behind the end of its partitions we are, as far as is known without asking. */
static void look(struct kafka_bus *b)
{
    rd_kafka_topic_partition_list_t *mine = NULL;
    int64_t now = clock_steady_ms(), sum = 0;
    if (now < b->look_next_ms)
        return;
    b->look_next_ms = now + LOOK_MS;
    if (rd_kafka_assignment(b->in.rk, &mine))
        return;
    rd_kafka_position(b->in.rk, mine);
    bool known = mine->cnt > 0;
    for (int i = 0; i < mine->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &mine->elems[i];
        int64_t low = 0, high = RD_KAFKA_OFFSET_INVALID;
        rd_kafka_get_watermark_offsets(b->in.rk, p->topic, p->partition, &low, &high);
        known &= high >= 0;
        if (p->offset >= 0 && high > p->offset)
            sum += high - p->offset;
    }
    rd_kafka_topic_partition_list_destroy(mine);
    if (known)
        tally_backlog(&b->tally, sum + (int64_t)inbox_ready(&b->inbox));
}

static enum pal_status collect(struct kafka_bus *b, size_t most, int64_t until,
                               struct pal_error *err)
{
    bool any;
    enum pal_status st = PAL_OK;
    if (b->in.all_down && (st = check(b, err)))
        return st;
    /* What was given is given again, but partitions may have gone, and it with them. */
    bool again = inbox_ready(&b->inbox) > 0;
    if (again && b->inbox.bytes < BATCH_BYTES)
        st = poll_one(b, 0, &any, err);
    if (!st && (!again || !inbox_ready(&b->inbox)))
        st = gather(b, most, until, err);
    if (!st && !b->inbox.count && b->in.all_down)
        st = check(b, err);
    return st;
}

enum pal_status kafka_receive(struct bus *base, struct bus_received *out, size_t most,
                              unsigned wait_ms, size_t *count, struct pal_error *err)
{
    struct kafka_bus *b = (struct kafka_bus *)base;
    int64_t until = clock_steady_ms() + wait_ms;
    struct pal_error why = {0};
    enum pal_status st = kafka_ready(b, BUS_RECEIVE, until, &why);
    if (!st && (st = collect(b, most, until, &why)) && !b->in.all_down)
        st = kafka_lost(b, BUS_RECEIVE, &why);
    if (st)
        return pal_fail(err, st, "%s", why.message);
    pause_reset(&b->in.pause);
    look(b);
    *count = inbox_give(&b->inbox, out, most);
    return PAL_OK;
}

/* ---- What was received ---- */

static enum pal_status bury(struct kafka_bus *b, const struct letter *l, const char *reason,
                            int64_t until, struct pal_error *err)
{
    struct kafka_client *c = &b->dead;
    enum pal_status st = PAL_OK;
    if (!c->rk && (st = kafka_client_make(b, c, RD_KAFKA_PRODUCER, err)))
        return st;
    char shard[16], offset[24];
    snprintf(shard, sizeof shard, "%u", l->shard);
    snprintf(offset, sizeof offset, "%lld", (long long)l->place);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
    rd_kafka_header_add(headers, "palate-reason", -1, reason,
                        (ssize_t)strnlen(reason, sizeof err->message));
    rd_kafka_header_add(headers, "palate-partition", -1, shard, -1);
    rd_kafka_header_add(headers, "palate-offset", -1, offset, -1);
    struct bus_message m = {.body = l->body, .size = l->size};
    c->left = c->failed = 0;
    st = kafka_send(b, c, b->place.dead, RD_KAFKA_PARTITION_UA, &m, headers, until, err);
    return st ? st : kafka_confirmed(b, c, until, err);
}

enum pal_status kafka_refuse(struct bus *base, const struct bus_received *m, const char *reason,
                             struct pal_error *err)
{
    struct kafka_bus *b = (struct kafka_bus *)base;
    struct letter *l = inbox_find(&b->inbox, m);
    struct pal_error why = {0};
    if (!l || l->refused)
        return PAL_OK;
    enum pal_status st = bury(b, l, reason, clock_steady_ms() + ANSWER_MS, &why);
    if (st) {
        kafka_client_drop(&b->dead);
        return pal_fail(err, st, "%s", why.message);
    }
    inbox_refuse(&b->inbox, l);
    tally_add(&b->tally, 0, 0, 1);
    return PAL_OK;
}

/* The offset behind the last one of each partition that was given. */
static rd_kafka_topic_partition_list_t *offsets(struct kafka_bus *b)
{
    int64_t next[BUS_SHARDS_MOST] = {0};
    for (size_t i = 0; i < b->inbox.given; i++)
        next[b->inbox.letter[i].shard] = b->inbox.letter[i].place + 1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(BUS_SHARDS_MOST);
    for (int i = 0; i < BUS_SHARDS_MOST; i++)
        if (next[i])
            rd_kafka_topic_partition_list_add(list, b->place.topic, i)->offset = next[i];
    return list;
}

/* The first error there is, of all or of one partition. */
static rd_kafka_resp_err_t commit_error(rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; !code && list && i < list->cnt; i++)
        code = list->elems[i].err;
    return code;
}

static enum pal_status commit(struct kafka_bus *b, struct pal_error *err)
{
    rd_kafka_topic_partition_list_t *list = offsets(b);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(b->in.rk);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(b->in.rk, list, queue, NULL, NULL);
    rd_kafka_event_t *event = code ? NULL : rd_kafka_queue_poll(queue, ANSWER_MS);
    enum pal_status st = PAL_OK;
    if (event)
        code = commit_error(event);
    else if (!code)
        code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
        code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
        code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
        st = kafka_fail(b, &b->in, err,
                        "shards go to another receiver: what was received comes again");
    else if (code)
        st = kafka_fail(b, &b->in, err, rd_kafka_err2str(code));
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}

enum pal_status kafka_settle(struct bus *base, struct pal_error *err)
{
    struct kafka_bus *b = (struct kafka_bus *)base;
    struct pal_error why = {0};
    if (!b->in.rk)
        return pal_fail(err, PAL_EIO,
                        "stream '%s': the connection is gone: what was received comes again",
                        b->place.shown);
    if (!b->inbox.given)
        return PAL_OK;
    enum pal_status st = commit(b, &why);
    if (st)
        return pal_fail(err, st, "%s", why.message);
    inbox_settle(&b->inbox);
    return PAL_OK;
}
