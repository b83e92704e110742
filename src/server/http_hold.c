/* Answers that are ready at the same time are sent together.
 *
 * To send is to wake whoever waits at the other end. Where that is on the same machine, a proxy
 * above all, and asleep, it costs more than all else that a socket does. Of answers that follow
 * each other at once only the first wakes anybody. So an answer is held until the other requests
 * that had come in by then are answered, too, but for no more than HELD_MOST of them, nor for
 * another one when HELD_NS have passed since the first was begun with.
 *
 * libmicrohttpd's thread goes again and again over the connections for which there is something to
 * do, the oldest first. A request that is whole and has no answer yet it asks for again in its next
 * pass; what is given to it then it sends in the pass after that. So one pass answers, one hands
 * the answers over, one sends them; whoever is new meanwhile is looked at behind those that are
 * sent. */
#include "base/clock.h"
#include "server/http_inner.h"

enum { HELD_MOST = 8, HELD_NS = 250000 };

static struct worker *thread_of(struct http_request *r)
{
    return &r->server->workers[r->worker];
}

/* Whoever takes an answer slowly does not keep others waiting: they stand back once for each batch.
 */
bool hold_back(struct http_request *r)
{
    struct worker *w = thread_of(r);
    int64_t now_ns = clock_steady_ns();
    if (w->held >= HELD_MOST || (w->held && now_ns - w->began_ns > HELD_NS))
        return true;
    if (w->sending && r->call.stood_back_for != w->batch) {
        r->call.stood_back_for = w->batch;
        return true;
    }
    if (!w->held)
        w->began_ns = now_ns;
    return false;
}

void hold(struct http_request *r)
{
    thread_of(r)->held++;
    r->call.turn = TURN_HELD;
}

void hold_end(struct http_request *r)
{
    struct worker *w = thread_of(r);
    w->held -= r->call.turn == TURN_HELD;
    w->sending -= r->call.turn == TURN_SENDING;
    r->call.turn = TURN_NONE;
}

void hold_send(struct http_request *r)
{
    struct worker *w = thread_of(r);
    hold_end(r);
    w->batch += !w->held;
    w->sending++;
    r->call.turn = TURN_SENDING;
}
