/* The HTTP server alone, for bench_http.sh: answers every GET with one file from memory, as head,
 * slice and tail, like a page of objects.
 *
 *     bench_http LISTEN FILE [CERTIFICATE KEY]
 *
 * Prints the address it listens on, serves until standard input ends. */
#include <stdio.h>
#include <unistd.h>

#include "base/source.h"
#include "net/server.h"

#include "base/banned.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)
#define EDGE_BYTES 16 /* what a page has around its objects */

static void page(void *context, const struct http_request *request, struct http_response *response)
{
    slice whole = *(const slice *)context;

    (void)request;
    response->status = 200;
    http_response_header(response, SLICE("Content-Type"),
                         SLICE("application/taxii+json;version=2.1"));
    response->head = slice_head(whole, EDGE_BYTES);
    whole = slice_from(whole, response->head.len);
    response->tail = slice_from(whole, whole.len > EDGE_BYTES ? whole.len - EDGE_BYTES : 0);
    response->middle = slice_head(whole, whole.len - response->tail.len);
    response->middle_stays = true;
}

static result file_load(const char *path, struct buf *out, struct diag *diag)
{
    CLEANUP(source_close) struct source *source = NULL;
    size_t count;

    TRY(source_open(path, &source, diag));
    do {
        char *at = buf_reserve(out, 65536);
        if (at == NULL)
            return diag_fail(diag, ERR_LIMIT, "%s: over %zu bytes", path, FILE_BYTES_MAX);
        TRY(source_read(source, at, 65536, &count, diag));
        out->len += count;
    } while (count > 0);
    return OK;
}

static result serve(int argc, char **argv, struct diag *diag)
{
    CLEANUP(buf_free) struct buf file = BUF(FILE_BYTES_MAX);
    struct http_server *server;
    char byte;

    TRY(file_load(argv[2], &file, diag));
    slice whole = buf_slice(&file);
    TRY(http_server_start(
        &(struct http_server_options){.listen = argv[1],
                                      .threads = 2,
                                      .connections_max = 12000,
                                      .header_bytes_max = 32768,
                                      .idle_s = 60,
                                      .tls = argc == 5,
                                      .certificate_file = argc == 5 ? argv[3] : NULL,
                                      .key_file = argc == 5 ? argv[4] : NULL,
                                      .handle = page,
                                      .context = &whole},
        &server, diag));
    (void)printf("%s\n", http_server_address(server));
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    http_server_stop(&server, 0);
    return OK;
}

int main(int argc, char **argv)
{
    struct diag diag = {0};

    if (argc != 3 && argc != 5) {
        (void)fprintf(stderr, "usage: bench_http LISTEN FILE [CERTIFICATE KEY]\n");
        return 2;
    }
    if (failed(serve(argc, argv, &diag))) {
        (void)fprintf(stderr, "bench_http: %s\n", diag.text);
        return 1;
    }
    return 0;
}
