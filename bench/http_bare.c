/* The least that libmicrohttpd can do: 200 bytes for any GET. Prints "port N"; ends with its input.
 * bench/http measures it beside the server, which stands on the same library. */
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

static char body[200];

static enum MHD_Result answer(void *ctx, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *size, void **request)
{
    if (!*request) {
        *request = body;
        return MHD_YES;
    }
    struct MHD_Response *r =
        MHD_create_response_from_buffer(sizeof body, body, MHD_RESPMEM_PERSISTENT);
    if (!r)
        return MHD_NO;
    enum MHD_Result done = MHD_NO;
    if (MHD_add_response_header(r, "Content-Type", "application/json") == MHD_YES)
        done = MHD_queue_response(mhd, 200, r);
    MHD_destroy_response(r);
    return done;
}

int main(void)
{
    memset(body, '0', sizeof body);
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
                         MHD_OPTION_CONNECTION_LIMIT, 4096U, MHD_OPTION_END);
    const union MHD_DaemonInfo *info = d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    if (!info)
        return 1;
    printf("port %u\n", info->port);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(d);
    return 0;
}
