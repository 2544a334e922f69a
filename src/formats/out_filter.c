/* Packet filters: sets of nftables and of ipset.
 *
 * Only the sets are ours.  The rules that use them are the operator's, and stay when a set is
 * filled anew (docs/export.md shows them). */
#include "formats/out_inside.h"

#include "base/banned.h"

#define ELEMENTS_A_COMMAND 4096 /* nft reads a command as a whole */
#define IPSET_ELEMENTS_MAX                                                                         \
    4194304 /* one number for ever: a set of another size cannot be made anew */

static void nft_set(const struct out_job *job, enum out_kind kind, struct out_sink *sink)
{
    const char *name = kind == OUT_IPV4 ? "block4" : "block6";
    size_t count = 0;

    buf_printf(&sink->buf, "add set inet entente %s { type %s; flags interval; }\n", name,
               kind == OUT_IPV4 ? "ipv4_addr" : "ipv6_addr");
    buf_printf(&sink->buf, "flush set inet entente %s\n", name);
    for (struct out_each each = out_each_of(job, OUT_KIND(kind)); out_next(&each); count++) {
        if (count % ELEMENTS_A_COMMAND == 0)
            buf_printf(&sink->buf, "%sadd element inet entente %s {\n", count > 0 ? "}\n" : "",
                       name);
        buf_put(&sink->buf, each.text);
        buf_put(&sink->buf, SLICE(",\n"));
        out_sink_step(sink);
    }
    if (count > 0)
        buf_put(&sink->buf, SLICE("}\n"));
}

void out_nft(const struct out_job *job, struct out_sink *sink)
{
    buf_put(&sink->buf, SLICE("#!/usr/sbin/nft -f\n"));
    out_head_write(job, "#", &sink->buf);
    buf_put(&sink->buf, SLICE("add table inet entente\n"));
    nft_set(job, OUT_IPV4, sink);
    nft_set(job, OUT_IPV6, sink);
}

static void ipset_set(const struct out_job *job, enum out_kind kind, struct out_sink *sink)
{
    const char *name = kind == OUT_IPV4 ? "entente4" : "entente6";
    const char *family = kind == OUT_IPV4 ? "inet" : "inet6";

    buf_printf(&sink->buf, "create %s hash:net family %s maxelem %d -exist\n", name, family,
               IPSET_ELEMENTS_MAX);
    buf_printf(&sink->buf, "create %s-new hash:net family %s maxelem %d -exist\n", name, family,
               IPSET_ELEMENTS_MAX);
    buf_printf(&sink->buf, "flush %s-new\n", name);
    for (struct out_each each = out_each_of(job, OUT_KIND(kind)); out_next(&each);) {
        buf_put(&sink->buf,
                kind == OUT_IPV4 ? SLICE("add entente4-new ") : SLICE("add entente6-new "));
        buf_put(&sink->buf, each.text);
        buf_byte(&sink->buf, '\n');
        out_sink_step(sink);
    }
    buf_printf(&sink->buf, "swap %s-new %s\ndestroy %s-new\n", name, name, name);
}

void out_ipset(const struct out_job *job, struct out_sink *sink)
{
    out_head_write(job, "#", &sink->buf);
    ipset_set(job, OUT_IPV4, sink);
    ipset_set(job, OUT_IPV6, sink);
}
