/* Name servers: a response policy zone, unbound's local zones, dnsmasq's names.
 *
 * An indicator's name stands for those below it, as in scan; a public suffix, or any name where
 * that was asked for, stands for itself alone. */
#include <arpa/inet.h>
#include <stdio.h>

#include "formats/out_inside.h"

#include "base/banned.h"

#define ZONE_DEFAULT "rpz.entente"
#define NAME_BYTES_MAX 253
#define GROUPS 8 /* of an IPv6 address */

static slice zone_of(const struct out_job *job)
{
    return job->zone.len > 0 ? job->zone : SLICE(ZONE_DEFAULT);
}

/* Secondary servers ask for a zone again when its number rises; seconds do until 2106. */
static uint32_t serial_of(const struct out_job *job)
{
    int64_t us = job->head.as_of_us;

    return us <= 0 ? 1 : (uint32_t)(us / 1000000);
}

static void rpz_head(const struct out_job *job, struct buf *out)
{
    slice zone = zone_of(job);

    out_head_write(job, ";", out);
    buf_printf(out,
               "$ORIGIN %.*s.\n$TTL 300\n"
               "@ IN SOA localhost. root.localhost. %u 3600 600 604800 300\n"
               "@ IN NS localhost.\n",
               SLICE_ARG(zone), serial_of(job));
}

static void rpz_name(const struct out_job *job, slice name, struct buf *out)
{
    bool is_exact = out_name_is_exact(&job->exact, name);

    if (name.len + zone_of(job).len + sizeof("*..") - 1 > NAME_BYTES_MAX) {
        buf_printf(out, "; too long for this zone: %.*s\n", SLICE_ARG(name));
        return;
    }
    buf_put(out, name);
    buf_put(out, SLICE(" CNAME .\n"));
    if (is_exact)
        return;
    buf_put(out, SLICE("*."));
    buf_put(out, name);
    buf_put(out, SLICE(" CNAME .\n"));
}

/* "24.0.2.0.192.rpz-ip": the prefix, then the address backwards. */
static void rpz_address4(slice text, unsigned bits, struct buf *out)
{
    uint8_t bytes[4] = {0};
    char room[INET_ADDRSTRLEN + 1];
    slice address, prefix;

    (void)slice_cut(text, '/', &address, &prefix);
    (void)snprintf(room, sizeof(room), "%.*s", SLICE_ARG(address));
    if (inet_pton(AF_INET, room, bytes) == 1)
        buf_printf(out, "%u.%u.%u.%u.%u.rpz-ip CNAME .\n", bits, bytes[3], bytes[2], bytes[1],
                   bytes[0]);
}

/* The longest run of zero groups, if of two or more, is "zz". */
static void zeros_find(const uint16_t groups[GROUPS], int *first, int *count)
{
    *first = -1;
    *count = 1;
    for (int i = 0; i < GROUPS; i++) {
        int end = i;

        while (end < GROUPS && groups[end] == 0)
            end++;
        if (end - i > *count) {
            *first = i;
            *count = end - i;
        }
        if (end > i)
            i = end - 1;
    }
}

static void rpz_address6(slice text, unsigned bits, struct buf *out)
{
    uint8_t bytes[2 * GROUPS] = {0};
    uint16_t groups[GROUPS];
    char room[INET6_ADDRSTRLEN + 1];
    slice address, prefix;
    int first, count;

    (void)slice_cut(text, '/', &address, &prefix);
    (void)snprintf(room, sizeof(room), "%.*s", SLICE_ARG(address));
    if (inet_pton(AF_INET6, room, bytes) != 1)
        return;
    for (int i = 0; i < GROUPS; i++)
        groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    zeros_find(groups, &first, &count);
    buf_printf(out, "%u", bits);
    for (int i = GROUPS - 1; i >= 0; i--) {
        if (first >= 0 && i == first + count - 1) {
            buf_put(out, SLICE(".zz"));
            i = first;
        } else {
            buf_printf(out, ".%x", groups[i]);
        }
    }
    buf_put(out, SLICE(".rpz-ip CNAME .\n"));
}

void out_rpz(const struct out_job *job, struct out_sink *sink)
{
    rpz_head(job, &sink->buf);
    for (struct out_each each = out_each(job); out_next(&each);) {
        if (each.kind == OUT_DOMAIN)
            rpz_name(job, each.text, &sink->buf);
        else if (each.kind == OUT_IPV4)
            rpz_address4(each.text, each.value->prefix, &sink->buf);
        else
            rpz_address6(each.text, each.value->prefix, &sink->buf);
        out_sink_step(sink);
    }
}

void out_unbound(const struct out_job *job, struct out_sink *sink)
{
    out_head_write(job, "#", &sink->buf);
    buf_put(&sink->buf, SLICE("server:\n"));
    for (struct out_each each = out_each(job); out_next(&each);) {
        if (out_name_is_exact(&job->exact, each.text)) {
            buf_printf(&sink->buf,
                       "  local-data: \"%.*s. A 0.0.0.0\"\n  local-data: \"%.*s. AAAA ::\"\n",
                       SLICE_ARG(each.text), SLICE_ARG(each.text));
        } else {
            buf_put(&sink->buf, SLICE("  local-zone: \""));
            buf_put(&sink->buf, each.text);
            buf_put(&sink->buf, SLICE(".\" always_nxdomain\n"));
        }
        out_sink_step(sink);
    }
}

void out_dnsmasq(const struct out_job *job, struct out_sink *sink)
{
    out_head_write(job, "#", &sink->buf);
    for (struct out_each each = out_each(job); out_next(&each);) {
        bool is_exact = out_name_is_exact(&job->exact, each.text);

        buf_put(&sink->buf, is_exact ? SLICE("host-record=") : SLICE("local=/"));
        buf_put(&sink->buf, each.text);
        buf_put(&sink->buf, is_exact ? SLICE(",0.0.0.0,::\n") : SLICE("/\n"));
        out_sink_step(sink);
    }
}
