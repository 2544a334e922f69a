#include <inttypes.h>
#include <unistd.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/service.h"

#include "base/banned.h"

static void print_words(const struct cli *cli, const char *url, const char *ops_url,
                        const struct hash256 *fingerprint)
{
    char hex[2 * SHA256_BYTES];

    (void)printf("serving      %s/taxii2/\n", url);
    if (fingerprint != NULL) {
        hex_encode(slice_of(fingerprint->bytes, SHA256_BYTES), hex);
        (void)printf("certificate  SHA-256 %.*s\n", (int)sizeof(hex), hex);
    }
    (void)printf("health       %s/livez  %s/readyz  %s/metrics\n", ops_url, ops_url, ops_url);
    cli_say(cli, "stop with Ctrl-C or SIGTERM; SIGHUP reads settings and certificates again");
}

static void print_json(const char *url, const char *ops_url, const struct hash256 *fingerprint)
{
    CLEANUP(buf_free) struct buf out = BUF(1 << 14);
    struct json_writer w = JSON_WRITER(&out);
    char hex[2 * SHA256_BYTES];

    jw_object_begin(&w);
    jw_put_string(&w, SLICE("url"), slice_text(url));
    jw_put_string(&w, SLICE("ops_url"), slice_text(ops_url));
    if (fingerprint != NULL) {
        hex_encode(slice_of(fingerprint->bytes, SHA256_BYTES), hex);
        jw_put_string(&w, SLICE("certificate_sha256"), slice_of(hex, sizeof(hex)));
    }
    jw_object_end(&w);
    if (cli_print_json(&out) != CLI_OK)
        (void)cli_fail(CLI_FAILED, "the address could not be printed");
}

static void started(void *context, const char *url, const char *ops_url,
                    const struct hash256 *fingerprint)
{
    const struct cli *cli = context;

    if (cli->json)
        print_json(url, ops_url, fingerprint);
    else
        print_words(cli, url, ops_url, fingerprint);
    (void)fflush(stdout);
}

static int routes_print(const struct cli *cli)
{
    slice path, methods;

    for (size_t i = 0; service_route_at(i, &path, &methods); i++) {
        CLEANUP(buf_free) struct buf out = BUF(1 << 14);
        struct json_writer w = JSON_WRITER(&out);

        if (!cli->json) {
            (void)printf("%-28.*s %.*s\n", SLICE_ARG(methods), SLICE_ARG(path));
            continue;
        }
        jw_object_begin(&w);
        jw_put_string(&w, SLICE("path"), path);
        jw_put_string(&w, SLICE("methods"), methods);
        jw_object_end(&w);
        if (cli_print_json(&out) != CLI_OK)
            return CLI_FAILED;
    }
    return CLI_OK;
}

int cmd_serve(struct cli *cli)
{
    CLEANUP(node_close) struct node node = {0};
    struct service_options options = {
        .listen = cli_value(cli, "listen"),
        .listen_ops = cli_value(cli, "listen-ops"),
        .listen_exchange = cli_value(cli, "listen-exchange"),
        .plain_http = cli_has(cli, "plain-http"),
        .started = started,
        .context = cli,
    };
    struct diag diag = {0};
    int lock;

    if (cli->word_count != 0)
        return cli_misused(cli, "takes no argument");
    if (cli_has(cli, "routes"))
        return routes_print(cli);
    int code = cli_node_open(cli, false, &node);
    if (code != CLI_OK)
        return code;
    cli_log_configure(&node.config);
    if (failed(node_lock_serve(&node, &lock, &diag)))
        return cli_fail(CLI_TRY_LATER, "%s", diag.text);
    result r = service_run(&node, &options, &diag);
    (void)close(lock);
    return failed(r) ? cli_failed(&diag) : CLI_OK;
}
